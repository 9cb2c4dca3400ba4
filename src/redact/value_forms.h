/*
 * value_forms.h - the ways to write a known value.
 */
#ifndef REGLET_REDACT_VALUE_FORMS_H
#define REGLET_REDACT_VALUE_FORMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum reglet__form_kind {
    REGLET__FORM_PLAIN,
    REGLET__FORM_BASE64,
    REGLET__FORM_UTF16,
    REGLET__FORM_HEX /* in lower case; found in either */
};

struct reglet__form {
    const unsigned char *bytes;
    size_t size;
    uint32_t value;  /* index of the value */
    uint32_t parent; /* index of the longest other form that this one begins with; or UINT32_MAX */
    uint8_t kind;
    bool open_start, open_end; /* the character before, or behind, holds bits of the value too */
};

enum { REGLET__FORMS = 10 }; /* of one value at most */

/* Bytes that the forms of a value of this size take at most; 0: there can be no such value. */
size_t reglet__forms_size(size_t size);

/* Writes the forms of a value to `memory`, of reglet__forms_size() bytes; how many they are. */
size_t reglet__forms_write(const unsigned char *value, size_t size, uint32_t index, unsigned char *memory,
                           struct reglet__form forms[REGLET__FORMS]);

#endif
