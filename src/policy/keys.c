#define _GNU_SOURCE
#include <string.h>

#include "policy/internal.h"
#include "util/buf.h"
#include "util/limits.h"
#include "util/text.h"

struct request {
    bool write;
    const char *key;
    size_t *steps; /* what all globs together may still cost */
};

/* A store may keep its keys as files: what would be another file's path is no key. */
static bool is_key(const char *key) {
    size_t size = strlen(key), length;
    if (size == 0 || size > REGLET__MAX_PATTERN)
        return false;
    for (size_t i = 0; i < size; i += length) {
        unsigned c = 0;
        length = reglet__utf8_decode(key + i, size - i, &c);
        if (length == 0 || c < 0x20 || (c >= 0x7F && c <= 0x9F))
            return false;
    }
    for (const char *segment = key + (key[0] == '/'); segment; segment++) {
        length = strcspn(segment, "/");
        if (length == 0 || (length <= 2 && strncmp(segment, "..", length) == 0))
            return false;
        segment += length;
        if (*segment == '\0')
            break;
    }
    return true;
}

/* A glob that starts with "**" matches keys with and without a "/" in front; any other, those that start like it. */
static bool matches(const struct reglet__glob *glob, const char *key, size_t *steps) {
    const char *literal = reglet__glob_literal(glob);
    size_t size = strlen(literal), key_size = strlen(key);
    if (reglet__glob_is_literal(glob))
        return strcmp(key, literal) == 0;
    if (reglet__glob_starts_anywhere(glob)) {
        key += key[0] == '/';
    } else if (size == 0) {
        if (key[0] == '/')
            return false;
    } else {
        bool root = size == 1 && literal[0] == '/';
        if (strncmp(key, literal, size) != 0 || (!root && key[size] != '/' && key[size] != '\0'))
            return false;
        key += root || key_size == size ? size : size + 1;
    }
    return reglet__glob_match(glob, key, strlen(key), steps) == REGLET__GLOB_COVERS;
}

static bool covers_key(const struct reglet__capability *capability, const struct reglet__capability *partner,
                       const void *data) {
    (void)partner;
    const struct request *request = data;
    const struct reglet__keys_rule *rule = &capability->rule.keys;
    return (request->write ? rule->write : rule->read) && matches(rule->glob, request->key, request->steps);
}

struct reglet__decision reglet__policy_kv(const struct reglet__policy *policy, bool write, const char *key) {
    size_t steps = REGLET__MAX_MATCH_STEPS;
    struct request request = {write, key, &steps};
    if (!is_key(key))
        return (struct reglet__decision){
            .reason =
                "a key is 1 to 4096 bytes of UTF-8 without control characters, and without empty, \".\" and "
                "\"..\" segments",
            .for_good = true};
    struct reglet__decision decision = reglet__policy_decide(policy, REGLET__KIND_KV, covers_key, &request);
    if (!decision.allowed && steps == 0)
        decision.reason = "matching the patterns takes too long for this key";
    return decision;
}

char *reglet__policy_kv_suggest(bool write, const char *key) {
    if (!is_key(key))
        return NULL;
    const char *prefix = write ? "kv:write:" : "kv:read:";
    _cleanup_buf_ struct reglet__buf buf = REGLET__BUF_INIT(strlen(prefix) + REGLET__MAX_PATTERN);
    reglet__buf_append_text(&buf, prefix);
    for (; *key; key++) {
        if (strchr("*?[]{}\\", *key))
            reglet__buf_append_text(&buf, "\\");
        reglet__buf_append(&buf, key, 1);
    }
    return reglet__buf_take(&buf, NULL);
}
