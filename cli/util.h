/*
 * util.h - memory, lists of strings, numbers and durations, files. A program may end itself: without memory
 * these functions print one line and exit with EXIT_FAILED.
 */
#ifndef CLI_UTIL_H
#define CLI_UTIL_H

#include <reglet.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

/* The exit codes of every command but `run`, which has its module's. */
enum {
    EXIT_OK = 0,        /* evidence with status true; a description; a request that would be allowed */
    EXIT_STATUS = 1,    /* evidence with status false; a request that would be denied */
    EXIT_BAD_USAGE = 2, /* arguments or the configuration file */
    EXIT_FAILED = 3     /* the plugin could not be loaded, or did not answer properly */
};

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

static inline void free_p(void *p) {
    free(*(void **)p);
}
static inline void fclose_p(FILE **p) {
    if (*p)
        fclose(*p);
}
static inline void reglet_error_free_p(reglet_error **p) {
    reglet_error_free(*p);
}
#define _cleanup_(function) __attribute__((cleanup(function)))
#define _cleanup_free_      _cleanup_(free_p)
#define _cleanup_file_      _cleanup_(fclose_p)
#define _cleanup_error_     _cleanup_(reglet_error_free_p)

_Noreturn void out_of_memory(void);
void *allocate(size_t size);
void *grow(void *array, size_t count, size_t item_size);
char *copy_text(const char *text, size_t size);
char *format_text(const char *format, ...) REGLET_PRINTF(1, 2);
char *format_text_va(const char *format, va_list args) REGLET_PRINTF(1, 0);

/* Wipes what may be secret before it is freed. NULL is allowed. */
void free_secret(void *memory, size_t size);

/* A growing list of strings that it owns. All zero is an empty one. */
struct string_list {
    char **items;
    size_t count;
};
void string_list_add(struct string_list *list, char *taken);
void string_list_clear(struct string_list *list);

/* Whether a shell, and a reader of KEY=VALUE, take it for one word as it is. */
bool is_plain_word(const char *text);

/* One word for a shell. Plugins choose the paths that they ask for, and the operator is invited to paste what is printed: a
 * file named `x; rm -r ~` must stay one word. */
char *shell_word(const char *text);

/* The word of `words` that somebody who wrote `word` most likely meant, or NULL. */
const char *closest_word(const char *word, const char *const *words, size_t count);

/* An optional minus and digits, without leading zeros; nothing before or after. */
bool parse_integer(const char *text, int64_t *out);

/* A positive integer and one of ms, s, m, h; at most a year. */
bool parse_duration(const char *text, int64_t *out_ms);
#define DURATION_FORM "a positive number and one of ms, s, m, h (500ms, 5s, 2m; at most 8760h)"

/* A positive integer of bytes, perhaps with one of K, M, G, T (of 1024). */
bool parse_size(const char *text, int64_t *out);
#define SIZE_FORM "a positive number of bytes, or of K, M, G or T (500M)"

/* "512 bytes", "84.1 KiB", "10.2 MiB"; to be freed. */
char *size_text(uint64_t bytes);

/* Reads to the end, at most `limit` bytes (else false with EFBIG); NUL-terminates. False with errno. */
bool read_all(int fd, size_t limit, char **out, size_t *out_size);

#endif
