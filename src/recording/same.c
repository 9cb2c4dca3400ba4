/* Whether a plugin asks what it asked then, and how to say that it does not. */
#define _GNU_SOURCE
#include <stdio.h>

#include "recording/internal.h"
#include "util/cleanup.h"
#include "util/text.h"

/* --- What was replaced stands for anything ---------------------------------------------------------------- */

/* What redaction writes: "[REDACTED]", "[hmac:" and 32 digits and "]", and perhaps stars behind it. Its length, or 0. */
static size_t replaced_at(const char *text, size_t size) {
    static const char plain[] = "[REDACTED]", hashed[] = "[hmac:";
    enum { PLAIN = sizeof plain - 1, HASHED = sizeof hashed - 1, DIGITS = 32 };
    size_t length = 0;
    if (size >= PLAIN && memcmp(text, plain, PLAIN) == 0)
        length = PLAIN;
    else if (size > HASHED + DIGITS && memcmp(text, hashed, HASHED) == 0 &&
             strspn(text + HASHED, "0123456789abcdef") == DIGITS && text[HASHED + DIGITS] == ']')
        length = HASHED + DIGITS + 1;
    while (length && length < size && text[length] == '*')
        length++;
    return length;
}

/* The recorded text from `at` up to what was replaced next, or its end. */
static size_t plain_run(const char *text, size_t size, size_t at) {
    size_t i = at;
    while (i < size && !replaced_at(text + i, size - i))
        i++;
    return i - at;
}

/* Every stretch is looked for behind the one before; the first stands at the start and the last at the end. */
static bool matches(const char *recorded, size_t size, const char *asked, size_t asked_size) {
    size_t run = plain_run(recorded, size, 0), at = run;
    if (asked_size < run || memcmp(recorded, asked, run) != 0)
        return false;
    if (run == size)
        return asked_size == size;
    asked += run;
    asked_size -= run;
    while (at < size) {
        at += replaced_at(recorded + at, size - at);
        run = plain_run(recorded, size, at);
        const char *found = run ? memmem(asked, asked_size, recorded + at, run) : asked;
        if (at + run == size)
            return asked_size >= run && memcmp(asked + asked_size - run, recorded + at, run) == 0;
        if (!found)
            return false;
        asked_size -= (size_t)(found - asked) + run;
        asked = found + run;
        at += run;
    }
    return true;
}

static bool same_bytes(const char *a, size_t a_size, const char *b, size_t b_size, bool redacted) {
    return (a_size == b_size && memcmp(a, b, a_size) == 0) || (redacted && matches(a, a_size, b, b_size));
}

/* --- Comparing -------------------------------------------------------------------------------------------- */

static bool same(const struct reglet__json *recorded, const struct reglet__json *asked, bool redacted);

static bool same_string(const struct reglet__json *recorded, const struct reglet__json *asked,
                        bool redacted) {
    if (same_bytes(recorded->text, recorded->size, asked->text, asked->size, redacted))
        return true;
    if (!redacted || !recorded->key || !reglet__holds_base64(recorded))
        return false;
    _cleanup_arena_ struct reglet__arena arena = {0};
    size_t a_size = 0, b_size = 0;
    const char *a = reglet__base64_decode(&arena, recorded->text, recorded->size, &a_size),
               *b = reglet__base64_decode(&arena, asked->text, asked->size, &b_size);
    return a && b && same_bytes(a, a_size, b, b_size, true);
}

static bool same_key(const struct reglet__json *a, const struct reglet__json *b, bool redacted) {
    return same_bytes(a->key, a->key_size, b->key, b->key_size, redacted);
}

/* The order of members does not matter, and mostly is the same. */
static bool same_members(const struct reglet__json *recorded, const struct reglet__json *asked,
                         bool redacted) {
    const struct reglet__json *beside = asked->first;
    size_t left = 0;
    REGLET__JSON_EACH (member, asked)
        left++;
    REGLET__JSON_EACH (member, recorded) {
        const struct reglet__json *other = beside;
        if (!other || !same_key(member, other, redacted))
            other = reglet__json_get(asked, member->key);
        if (!other || left-- == 0 || !same(member, other, redacted))
            return false;
        beside = beside ? beside->next : NULL;
    }
    return left == 0;
}

static bool same_items(const struct reglet__json *recorded, const struct reglet__json *asked, bool redacted) {
    const struct reglet__json *other = asked->first;
    REGLET__JSON_EACH (item, recorded) {
        if (!other || !same(item, other, redacted))
            return false;
        other = other->next;
    }
    return !other;
}

/* Bytes that are no text are {"base64": "…"} on one side, and may be text on the other once they were redacted. */
static bool same_across(const struct reglet__json *recorded, const struct reglet__json *asked) {
    _cleanup_arena_ struct reglet__arena arena = {0};
    const char *a, *b;
    size_t a_size, b_size;
    return reglet__value_get_bytes(&arena, recorded, &a, &a_size) &&
           reglet__value_get_bytes(&arena, asked, &b, &b_size) && same_bytes(a, a_size, b, b_size, true);
}

static bool same(const struct reglet__json *recorded, const struct reglet__json *asked, bool redacted) {
    if (redacted && (reglet__json_get(recorded, "base64") || reglet__json_get(asked, "base64")))
        return same_across(recorded, asked);
    if (redacted && recorded->type == REGLET__JSON_STRING && asked->type != REGLET__JSON_STRING)
        return replaced_at(recorded->text, recorded->size) ==
               recorded->size; /* a number, or all below a path */
    if (recorded->type != asked->type)
        return false;
    switch (recorded->type) {
    case REGLET__JSON_STRING: return same_string(recorded, asked, redacted);
    case REGLET__JSON_NUMBER:
        return same_bytes(recorded->text, recorded->size, asked->text, asked->size, false);
    case REGLET__JSON_OBJECT: return same_members(recorded, asked, redacted);
    case REGLET__JSON_ARRAY: return same_items(recorded, asked, redacted);
    default: return true;
    }
}

/* --- Questions -------------------------------------------------------------------------------------------- */

/* What a request says of the call that it is part of: a deadline differs each time. */
static bool is_about_the_call(const struct reglet__json *member) {
    return reglet__json_text_is(member->key, member->key_size, "context") ||
           reglet__json_text_is(member->key, member->key_size, "timeout_ms");
}

/* A request without that, as a list of its own: what is in it is shared. */
static bool without_context(struct reglet__arena *arena, const struct reglet__json *request,
                            struct reglet__json *out) {
    struct reglet__json **link = &out->first;
    *out = *request;
    *link = NULL;
    REGLET__JSON_EACH (member, request) {
        struct reglet__json *copy =
            is_about_the_call(member) ? NULL : reglet__arena_alloc(arena, sizeof *copy);
        if (is_about_the_call(member))
            continue;
        if (!copy)
            return false;
        *copy = *member;
        copy->next = NULL;
        *link = copy;
        link = &copy->next;
    }
    return true;
}

/* The first member that differs; true where there is none. */
static bool same_requests(const reglet_recording *recording, const struct reglet__json *recorded,
                          const struct reglet__json *asked) {
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__json a, b;
    return without_context(&arena, recorded, &a) && without_context(&arena, asked, &b) &&
           same(&a, &b, recording->redacted);
}

bool reglet__same_question(const reglet_recording *recording, const struct reglet__recorded *recorded,
                           const struct reglet__json *in) {
    const struct reglet__json *a = reglet__json_get(recorded->in, "request"),
                              *b = reglet__json_get(in, "request");
    if (!recorded->shape && a && b && a->type == REGLET__JSON_OBJECT)
        return same_requests(recording, a, b);
    return same(recorded->in, in, recording->redacted);
}

/* --- For people ------------------------------------------------------------------------------------------- */

/* What differs may be secret, and is redacted as part of the message: so a value is shown whole, or not at all. */
enum { SHOWN = 256 };

static void show(const struct reglet__json *value, char *out, size_t size) {
    _cleanup_arena_ struct reglet__arena arena = {0};
    size_t length = 0;
    const char *text = value ? reglet__json_print(&arena, value, &length) : "nothing";
    if (value && text && length >= size)
        snprintf(out, size, "%s of %zu bytes", reglet__json_type_name(value->type), length);
    else
        snprintf(out, size, "%s", text ? text : "?");
}

/* What a call is mainly about, or all that it asks. */
static const struct reglet__json *subject(const struct reglet__json *in) {
    static const char *const names[] = {"path",    "url",     "hostname", "host",
                                        "command", "address", "name",     "fd"};
    const struct reglet__json *request = reglet__json_get(in, "request");
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        const struct reglet__json *found = reglet__json_get(request ? request : in, names[i]);
        if (found)
            return found;
    }
    return request ? request : in;
}

/* The first member of one that the other has not, or not so. */
static const char *first_difference(const struct reglet__json *a, const struct reglet__json *b) {
    REGLET__JSON_EACH (member, a) {
        const struct reglet__json *other = reglet__json_get(b, member->key);
        if (!is_about_the_call(member) && (!other || !same(member, other, false)))
            return member->key;
    }
    return NULL;
}

static void explain_member(const struct reglet__recorded *recorded, const char *function,
                           const struct reglet__json *in, const char *about, char *out, size_t size) {
    char is[SHOWN], was[SHOWN];
    const struct reglet__json *a = reglet__json_get(recorded->in, "request"),
                              *b = reglet__json_get(in, "request");
    a = a && b ? a : recorded->in;
    b = a != recorded->in ? b : in;
    const char *key = first_difference(a, b);
    key = key ? key : first_difference(b, a);
    show(key ? reglet__json_get(b, key) : b, is, sizeof is);
    show(key ? reglet__json_get(a, key) : a, was, sizeof was);
    reglet__format_line(out, size, "%s %s with %s %s, the recording has %s", function, about,
                        key ? key : "request", is, was);
}

void reglet__explain_difference(const struct reglet__recorded *recorded, const char *function,
                                const struct reglet__json *in, char *out, size_t size) {
    char is[SHOWN], was[SHOWN];
    show(subject(in), is, sizeof is);
    if (!recorded) {
        reglet__format_line(out, size, "%s %s, the recording has no more", function, is);
        return;
    }
    show(subject(recorded->in), was, sizeof was);
    if (strcmp(function, recorded->function) == 0 && strcmp(is, was) == 0)
        explain_member(recorded, function, in, is, out, size);
    else
        reglet__format_line(out, size, "%s %s, the recording has %s %s", function, is, recorded->function,
                            was);
}
