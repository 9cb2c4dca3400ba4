#include "redact/value_forms.h"

#include <string.h>

#include "util/text.h"

/* Forms are written one behind the other. */
struct writer {
    const unsigned char *value;
    size_t size;
    uint32_t index;
    unsigned char *next;
    struct reglet__form *forms;
    size_t count;
};

size_t reglet__forms_size(size_t size) {
    /* Plain 1, hexadecimal 2, UTF-16 2 x 2, base64 6 x 4/3 and a character; all rounded up. */
    return size < SIZE_MAX / 64 ? 16 * size + 64 : 0;
}

/* Takes what was written since `start` as a form. */
static struct reglet__form *finish(struct writer *writer, unsigned char *start, unsigned char *end,
                                   uint8_t kind) {
    struct reglet__form *form = &writer->forms[writer->count++];
    *form = (struct reglet__form){.bytes = start,
                                  .size = (size_t)(end - start),
                                  .value = writer->index,
                                  .parent = UINT32_MAX,
                                  .kind = kind};
    writer->next = end;
    return form;
}

static void write_plain(struct writer *writer) {
    memcpy(writer->next, writer->value, writer->size);
    finish(writer, writer->next, writer->next + writer->size, REGLET__FORM_PLAIN);
}

static void write_hex(struct writer *writer) {
    static const char digits[] = "0123456789abcdef";
    unsigned char *out = writer->next;
    for (size_t i = 0; i < writer->size; i++) {
        *out++ = (unsigned char)digits[writer->value[i] >> 4];
        *out++ = (unsigned char)digits[writer->value[i] & 15];
    }
    finish(writer, writer->next, out, REGLET__FORM_HEX);
}

static unsigned char *put_unit(unsigned char *out, unsigned unit, bool big_endian) {
    unsigned char high = (unsigned char)(unit >> 8), low = (unsigned char)unit;
    *out++ = big_endian ? high : low;
    *out++ = big_endian ? low : high;
    return out;
}

/* Bytes that are not UTF-8 are taken as they come, one unit each. */
static void write_utf16(struct writer *writer, bool big_endian) {
    unsigned char *out = writer->next;
    for (size_t i = 0, length; i < writer->size; i += length) {
        unsigned c = writer->value[i];
        length = reglet__utf8_decode((const char *)writer->value + i, writer->size - i, &c);
        if (length == 0) {
            length = 1;
            c = writer->value[i];
        }
        if (c > 0xFFFF) {
            out = put_unit(out, 0xD800 + ((c - 0x10000) >> 10), big_endian);
            c = 0xDC00 + ((c - 0x10000) & 0x3FF);
        }
        out = put_unit(out, c, big_endian);
    }
    finish(writer, writer->next, out, REGLET__FORM_UTF16);
}

/* Six bits of the value from the bit `at`. */
static unsigned six_bits(const struct writer *writer, size_t at) {
    size_t byte = at / 8;
    unsigned pair =
        (unsigned)writer->value[byte] << 8 | (byte + 1 < writer->size ? writer->value[byte + 1] : 0);
    return pair >> (10 - at % 8) & 63;
}

/*
 * With `offset` bytes of something else before it, of which nothing is known, as little as of what follows: only characters
 * whose six bits are all of the value. Where both alphabets give the same, there is one form.
 */
static void write_base64(struct writer *writer, size_t offset, bool url) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    size_t skipped = (6 - offset * 8 % 6) % 6; /* bits that share a character with what comes before */
    size_t bits = writer->size * 8;
    bool differs = false;
    unsigned char *out = writer->next;
    size_t at = skipped;
    for (; at + 6 <= bits; at += 6) {
        unsigned six = six_bits(writer, at);
        differs = differs || six >= 62;
        *out++ = (unsigned char)(six < 62 ? letters[six] : six == 62 ? (url ? '-' : '+') : (url ? '_' : '/'));
    }
    if (url && !differs)
        return;
    struct reglet__form *form = finish(writer, writer->next, out, REGLET__FORM_BASE64);
    form->open_start = skipped > 0;
    form->open_end = at < bits;
}

size_t reglet__forms_write(const unsigned char *value, size_t size, uint32_t index, unsigned char *memory,
                           struct reglet__form forms[REGLET__FORMS]) {
    struct writer writer = {value, size, index, memory, forms, 0};
    write_plain(&writer);
    write_hex(&writer);
    write_utf16(&writer, false);
    write_utf16(&writer, true);
    for (size_t offset = 0; offset < 3; offset++)
        for (int url = 0; url < 2; url++)
            write_base64(&writer, offset, url == 1);
    return writer.count;
}
