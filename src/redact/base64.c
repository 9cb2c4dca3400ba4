#include "redact/base64.h"

#include <stdint.h>

#include "util/limits.h"

/* A character's six bits and 64; 0 for what is none. */
static unsigned digit(char c) {
    if (c >= 'A' && c <= 'Z')
        return 64u + (unsigned)(c - 'A');
    if (c >= 'a' && c <= 'z')
        return 64u + 26u + (unsigned)(c - 'a');
    if (c >= '0' && c <= '9')
        return 64u + 52u + (unsigned)(c - '0');
    return c == '+' || c == '-' ? 64u + 62u : c == '/' || c == '_' ? 64u + 63u : 0;
}

static size_t without_padding(const char *text, size_t size) {
    for (int i = 0; i < 2 && size && size % 4 != 1 && text[size - 1] == '='; i++)
        size--;
    return size;
}

size_t reglet__base64_decoded_size(const char *text, size_t size) {
    if (size < REGLET__REDACT_DECODED_BYTES)
        return 0;
    size = without_padding(text, size);
    for (size_t i = 0; i < size; i++)
        if (!digit(text[i]))
            return 0;
    return size % 4 == 1 ? 0 : size / 4 * 3 + (size % 4 ? size % 4 - 1 : 0);
}

void reglet__base64_append(struct reglet__buf *out, const char *text, size_t size) {
    char bytes[3 * 256];
    size_t count = 0;
    uint32_t bits = 0;
    size = without_padding(text, size);
    for (size_t i = 0; i < size; i++) {
        bits = bits << 6 | (digit(text[i]) & 63u);
        if (i % 4 == 0)
            continue;
        bytes[count++] = (char)(bits >> (6 - 2 * (i % 4)) & 0xFF);
        if (count == sizeof bytes) {
            reglet__buf_append(out, bytes, count);
            count = 0;
        }
    }
    reglet__buf_append(out, bytes, count);
}
