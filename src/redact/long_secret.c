#include "redact/long_secret.h"

#include <string.h>

bool reglet__long_secret_goes_on(const struct reglet__redact_span *span, size_t limit, size_t seen) {
    return (span->end > limit || span->end >= seen) && span->end - span->start > REGLET_REDACT_HOLD_BYTES;
}

/* What keys, tokens and encoded bytes are written with. */
static bool is_token_char(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("+/=_-.~%", c));
}

/* "-----END PRIVATE KEY-----": nothing goes on behind it. */
static bool ends_armor(const char *data, size_t end) {
    static const char dashes[] = "-----";
    size_t size = sizeof dashes - 1;
    return end > size && memcmp(data + end - size, dashes, size) == 0;
}

size_t reglet__long_secret_end(const char *data, size_t size, size_t certain,
                               const struct reglet__redact_spans *spans) {
    size_t end = certain;
    for (size_t i = 0; i < spans->count && spans->items[i].start <= end; i++)
        if (spans->items[i].end > end)
            end = spans->items[i].end;
    if (end > certain && ends_armor(data, end))
        return end;
    while (end < size && is_token_char(data[end]))
        end++;
    return end;
}

void reglet__long_secret_beginning(size_t start, size_t limit, size_t most, size_t *from, size_t *to) {
    *from = start > most / 2 ? start - most / 2 : 0;
    *to = limit - *from > most ? *from + most : limit;
}
