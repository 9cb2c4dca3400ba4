#define _GNU_SOURCE
#include "term.h"

#include "util.h"

#include <string.h>
#include <unistd.h>

enum { SHORT_BYTES = 400 }; /* more of one value is not read by people; --format json has it all */

static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

/* Decodes one character; 0 when the bytes are not UTF-8 (RFC 3629). */
static size_t decode(const char *text, size_t size, unsigned *out) {
    const unsigned char *s = (const unsigned char *)text;
    static const unsigned lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    *out = s[0];
    if (s[0] < 0x80)
        return 1;
    size_t length = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || size < length)
        return 0;
    unsigned value = s[0] & (0x7Fu >> length);
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
        value = value << 6 | (s[i] & 0x3Fu);
    }
    *out = value;
    return value < lowest[length] || value > 0x10FFFF || (value >= 0xD800 && value <= 0xDFFF) ? 0 : length;
}

size_t term_utf8_length(const char *text, size_t size) {
    size_t at = 0, length = 1;
    for (unsigned c; at < size && length > 0; at += length)
        length = decode(text + at, size - at, &c);
    return at;
}

static bool is_unsafe(unsigned c) {
    static const struct {
        unsigned first, last;
    } unsafe[] = {
        {0x00, 0x1F},       /* C0: escape sequences, carriage return, backspace */
        {0x7F, 0x9F},       /* DEL and C1: one-byte forms of the same */
        {0xAD, 0xAD},       /* soft hyphen: invisible */
        {0x61C, 0x61C},     /* bidirectional marks, embeddings, overrides, isolates */
        {0x200B, 0x200B},   /* zero width space */
        {0x200E, 0x200F},   /* bidirectional */
        {0x2028, 0x202E},   /* line and paragraph separator, bidirectional */
        {0x2060, 0x206F},   /* invisible operators, isolates, deprecated format characters */
        {0xFEFF, 0xFEFF},   /* byte order mark */
        {0xFFF9, 0xFFFB},   /* interlinear annotation */
        {0xFFFE, 0xFFFF},   /* no characters; YAML refuses them, also in comments */
        {0xE0000, 0xE007F}, /* tags: invisible text */
    };
    for (size_t i = 0; i < ARRAY_LEN(unsafe); i++)
        if (c >= unsafe[i].first && c <= unsafe[i].last)
            return true;
    return false;
}

static void write_visible(FILE *out, unsigned c) {
    if (c == '\n')
        fputs("\\n", out);
    else if (c == '\r')
        fputs("\\r", out);
    else if (c == '\t')
        fputs("\\t", out);
    else
        fprintf(out, c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
}

char *term_clean(const char *text, size_t size) {
    char *clean = NULL;
    size_t clean_size = 0;
    FILE *out = open_memstream(&clean, &clean_size);
    if (!out)
        out_of_memory();
    for (size_t i = 0; i < size;) {
        unsigned c;
        size_t length = decode(text + i, size - i, &c);
        if (length == 0)
            fputs(replacement, out);
        else if (is_unsafe(c))
            write_visible(out, c);
        else
            fwrite(text + i, 1, length, out);
        i += length ? length : 1;
    }
    if (fclose(out) != 0)
        out_of_memory();
    return clean;
}

char *term_clean_short(const char *text, size_t size) {
    size_t shown = size;
    if (size > SHORT_BYTES)
        for (shown = SHORT_BYTES; (text[shown] & 0xC0) == 0x80 && shown > SHORT_BYTES - 4;)
            shown--; /* not in the middle of a character */
    char *clean = term_clean(text, shown);
    if (shown == size)
        return clean;
    char *shortened = format_text("%s… (%zu bytes)", clean, size);
    free(clean);
    return shortened;
}

static void write_json_escape(FILE *out, unsigned c) {
    if (c >= 0x10000)
        fprintf(out, "\\u%04x\\u%04x", 0xD800 + ((c - 0x10000) >> 10), 0xDC00 + ((c - 0x10000) & 0x3FF));
    else
        fprintf(out, "\\u%04x", c);
}

void term_write_json_escaped(FILE *out, const char *json, size_t size) {
    for (size_t i = 0; i < size;) {
        unsigned c;
        size_t length = decode(json + i, size - i, &c);
        if (length == 0)
            fputs(replacement, out);
        else if (is_unsafe(c) && c != '\n' && c != '\t')
            write_json_escape(out, c);
        else
            fwrite(json + i, 1, length, out);
        i += length ? length : 1;
    }
}

void term_write_json(FILE *out, const char *json, size_t size) {
    if (isatty(fileno(out)))
        term_write_json_escaped(out, json, size);
    else
        fwrite(json, 1, size, out);
}

void term_write_json_string(FILE *out, const char *text) {
    putc('"', out);
    for (size_t size = strlen(text), i = 0; i < size;) {
        unsigned c;
        size_t length = decode(text + i, size - i, &c);
        if (length == 0)
            fputs(replacement, out);
        else if (c == '"' || c == '\\')
            fprintf(out, "\\%c", (int)c);
        else if (is_unsafe(c))
            write_json_escape(out, c);
        else
            fwrite(text + i, 1, length, out);
        i += length ? length : 1;
    }
    putc('"', out);
}

void term_write_json_member(FILE *out, const char *key, const char *text) {
    fprintf(out, ",\"%s\":", key);
    if (text)
        term_write_json_string(out, text);
    else
        fputs("null", out);
}

size_t term_width(const char *text) {
    size_t width = 0;
    for (; *text; text++)
        width += (*text & 0xC0) != 0x80; /* each character has one byte that does not continue another */
    return width;
}
