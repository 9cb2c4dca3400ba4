#define _GNU_SOURCE
#include "util.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

void out_of_memory(void) {
    fputs("reglet: out of memory\n", stderr);
    exit(EXIT_FAILED);
}

static void *need(void *memory) {
    if (!memory)
        out_of_memory();
    return memory;
}

void *allocate(size_t size) {
    return need(calloc(1, size ? size : 1));
}

void *grow(void *array, size_t count, size_t item_size) {
    return need(reallocarray(array, count ? count : 1, item_size));
}

char *copy_text(const char *text, size_t size) {
    char *copy = allocate(size + 1);
    if (size > 0)
        memcpy(copy, text, size);
    return copy;
}

char *format_text_va(const char *format, va_list args) {
    char *text = NULL;
    return need(vasprintf(&text, format, args) < 0 ? NULL : text);
}

char *format_text(const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *text = format_text_va(format, args);
    va_end(args);
    return text;
}

void free_secret(void *memory, size_t size) {
    if (memory)
        explicit_bzero(memory, size);
    free(memory);
}

void string_list_add(struct string_list *list, char *taken) {
    list->items = grow(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = taken;
}

void string_list_clear(struct string_list *list) {
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct string_list){0};
}

bool is_plain_word(const char *text) {
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+./:,@%";
    return *text && text[strspn(text, plain)] == '\0';
}

char *shell_word(const char *text) {
    if (is_plain_word(text))
        return copy_text(text, strlen(text));
    char *word = allocate(strlen(text) * 4 + 3), *out = word;
    *out++ = '\'';
    for (; *text; text++) {
        if (*text == '\'')
            out = stpcpy(out, "'\\''");
        else
            *out++ = *text;
    }
    *out = '\'';
    return word;
}

/* Levenshtein's distance; words longer than the table are not worth a guess. */
static size_t distance(const char *a, const char *b) {
    enum { LONGEST = 32 };
    size_t length_a = strlen(a), length_b = strlen(b), row[LONGEST + 1];
    if (length_a > LONGEST || length_b > LONGEST)
        return SIZE_MAX;
    for (size_t j = 0; j <= length_b; j++)
        row[j] = j;
    for (size_t i = 1; i <= length_a; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length_b; j++) {
            size_t change = diagonal + (a[i - 1] != b[j - 1]);
            size_t shift = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < shift ? change : shift;
        }
    }
    return row[length_b];
}

const char *closest_word(const char *word, const char *const *words, size_t count) {
    const char *best = NULL;
    size_t best_distance = strlen(word) < 5 ? 2 : 3;
    for (size_t i = 0; i < count; i++) {
        size_t d = distance(word, words[i]);
        if (d < best_distance) {
            best = words[i];
            best_distance = d;
        }
    }
    return best;
}

/* Digits alone, no leading zero, no overflow; returns where they end, or NULL. */
static const char *parse_digits(const char *text, int64_t *out) {
    int64_t value = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *p - '0', &value))
            return NULL;
    if (p == text || (*text == '0' && p > text + 1))
        return NULL;
    *out = value;
    return p;
}

bool parse_integer(const char *text, int64_t *out) {
    bool negative = *text == '-';
    int64_t value;
    const char *end = parse_digits(text + negative, &value);
    if (!end || *end != '\0' || (negative && value == 0))
        return false;
    *out = negative ? -value : value;
    return true;
}

char *size_text(uint64_t bytes) {
    static const char *const units[] = {"KiB", "MiB", "GiB"};
    if (bytes < 1024)
        return format_text("%" PRIu64 " byte%s", bytes, bytes == 1 ? "" : "s");
    double value = (double)bytes / 1024;
    size_t unit = 0;
    for (; value >= 1023.95 && unit + 1 < ARRAY_LEN(units); unit++)
        value /= 1024;
    return format_text("%.1f %s", value, units[unit]);
}

bool parse_size(const char *text, int64_t *out) {
    static const char units[] = "KMGT";
    char *end = NULL;
    if (*text < '1' || *text > '9')
        return false;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    if (errno || (*end && (!unit || end[1])))
        return false;
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;
    if (value > INT64_MAX >> shift)
        return false;
    *out = (int64_t)value << shift;
    return true;
}

bool parse_duration(const char *text, int64_t *out_ms) {
    static const struct {
        const char *name;
        int64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60 * 1000}, {"h", 60 * 60 * 1000}};
    const int64_t longest = (int64_t)8760 * 60 * 60 * 1000;
    int64_t value;
    const char *unit = parse_digits(text, &value);
    if (!unit || value == 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(units); i++) {
        if (strcmp(unit, units[i].name) != 0)
            continue;
        if (value > longest / units[i].ms)
            return false;
        *out_ms = value * units[i].ms;
        return true;
    }
    return false;
}

bool read_all(int fd, size_t limit, char **out, size_t *out_size) {
    _cleanup_free_ char *text = NULL;
    size_t size = 0, room = 0;
    for (;;) {
        if (size == room) {
            room = room ? room * 2 : 4096;
            text = grow(text, room + 1, 1);
        }
        ssize_t got = read(fd, text + size, room - size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return false;
        if (got == 0)
            break;
        size += (size_t)got;
        if (size > limit) {
            errno = EFBIG;
            return false;
        }
    }
    text[size] = '\0';
    *out = text;
    *out_size = size;
    text = NULL;
    return true;
}
