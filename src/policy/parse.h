/*
 * parse.h - reading a capability from left to right, and refusing it at the character that is wrong.
 */
#ifndef REGLET_POLICY_PARSE_H
#define REGLET_POLICY_PARSE_H

#include <reglet/error.h>

/* A position in a capability. `end` bounds the part being read; offsets count from the capability's start. */
struct reglet__parse {
    const char *text; /* the whole capability */
    size_t at;
    size_t end;
    reglet_error **err;
    const char *what; /* what `text` is, for messages; NULL: a capability */
};

/* A piece of the text. */
struct reglet__span {
    const char *text;
    size_t size;
};

/* Returns REGLET_ERR_INVALID_GRANT, with a line that quotes the capability and says what would be right. */
reglet_status reglet__parse_refuse(const struct reglet__parse *parse, size_t at, const char *format, ...)
    REGLET_PRINTF(3, 4);

/* Refuses what no text of people's holds: invalid UTF-8 and control characters. */
reglet_status reglet__parse_check_characters(const struct reglet__parse *parse);

/* Refuses a pattern (all that is left) that is empty or too long. */
reglet_status reglet__parse_check_length(const struct reglet__parse *parse);

/* The next byte, or '\0' at the end. */
char reglet__parse_peek(const struct reglet__parse *parse);

/* Takes `literal` if it comes next. */
bool reglet__parse_take(struct reglet__parse *parse, const char *literal);

/* Whether all that is left is `literal`. */
bool reglet__parse_rest_is(const struct reglet__parse *parse, const char *literal);

/* The offset of the next `byte`, or `end`. */
size_t reglet__parse_find(const struct reglet__parse *parse, char byte);

/* The character at `at` in quotes, for a message, or "the end". */
enum { REGLET__FOUND_SIZE = 16 };
const char *reglet__parse_found(const struct reglet__parse *parse, size_t at, char out[REGLET__FOUND_SIZE]);

/*
 * A number in decimal digits without sign or leading zero, from `low` to `high`. `what` names it in the
 * refusal, such as "a port". Stops before the first byte that is no digit.
 */
reglet_status reglet__parse_number(struct reglet__parse *parse, const char *what, unsigned low, unsigned high,
                                   unsigned *out);

#endif
