/*
 * Parses the first line as a capability, and decides with it on the path in the second: read, write, look.
 *
 * Whatever the input is: a refusal points into the text, a grant never reaches what nobody can be granted, and the
 * capability that a denial suggests would have been enough.
 */
#define _GNU_SOURCE
#include <string.h>

#include "fuzz/fuzz.h"
#include "policy/policy.h"
#include "util/cleanup.h"
#include "util/limits.h"
#include "util/text.h"

static struct reglet__capability *parse(const char *text) {
    reglet_error *error = NULL;
    struct reglet__capability *capability = NULL;
    reglet_status status = reglet__capability_parse(text, &capability, &error);
    if (status == REGLET_OK) {
        REQUIRE(strcmp(reglet__capability_text(capability), text) == 0);
        return capability;
    }
    const char *message = reglet_error_message(error);
    REQUIRE(status == REGLET_ERR_INVALID_GRANT && !capability);
    REQUIRE(reglet_error_offset(error) >= 0 && (size_t)reglet_error_offset(error) <= strlen(text));
    REQUIRE(*message && !strchr(message, '\n') && reglet__utf8_valid(message, strlen(message)));
    reglet_error_free(error);
    return NULL;
}

/* A policy of that one grant, relative ones from /base. */
static struct reglet__policy *grant(struct reglet__capability *capability) {
    struct reglet__policy *policy = NULL;
    REQUIRE(reglet__policy_new(&policy) == REGLET_OK);
    if (reglet__capability_kind(capability) == REGLET__KIND_FS) {
        bool whole;
        char absolute[REGLET__MAX_PATTERN + 8];
        const char *literal = reglet__capability_fs_literal(capability, &whole);
        const char *base = literal[0] == '/' ? "" : literal[0] ? "/base/" : "/base";
        snprintf(absolute, sizeof absolute, "%s%s", base, literal);
        REQUIRE(reglet__capability_fs_resolve(capability, absolute, NULL, 0) == REGLET_OK);
    }
    REQUIRE(reglet__policy_grant(policy, capability) == REGLET_OK);
    return policy;
}

static bool allows(const struct reglet__policy *policy, enum reglet__fs_access access, const char *path) {
    struct reglet__decision decision = reglet__policy_fs(policy, access, path, false);
    REQUIRE(decision.allowed ? decision.rule && !decision.reason : !decision.rule && decision.reason);
    REQUIRE(!decision.way || (decision.allowed && access == REGLET__FS_LOOK));
    return decision.allowed;
}

static void decide(const struct reglet__policy *policy, const char *path) {
    bool read = allows(policy, REGLET__FS_READ, path), write = allows(policy, REGLET__FS_WRITE, path);
    bool look = allows(policy, REGLET__FS_LOOK, path);
    REQUIRE(!(read && write)); /* one grant is about one of them */
    REQUIRE(look || !(read || write));
    REQUIRE(write || !reglet__policy_fs_tree(policy, path).allowed);
    REQUIRE(!look || path[0] == '/');
    REQUIRE(!look || (!strstr(path, "//") && !strstr(path, "/../") && !strstr(path, "/./")));
    REQUIRE(!look || strncmp(path, "/proc/self", 10) != 0 || (path[10] && path[10] != '/'));
}

static bool can_be_spelled(const char *path) {
    size_t size = strlen(path);
    for (size_t i = 0, length; i < size; i += length) {
        unsigned c;
        length = reglet__utf8_decode(path + i, size - i, &c);
        if (length == 0 || c < 0x20 || (c >= 0x7F && c <= 0x9F))
            return false;
    }
    return true;
}

static void suggest(const char *path) {
    _cleanup_free_ char *text = reglet__policy_fs_suggest(REGLET__FS_READ, path);
    struct reglet__capability *capability = text ? parse(text) : NULL;
    REQUIRE(!text || capability);
    if (!capability)
        return;
    struct reglet__policy *policy = grant(capability);
    REQUIRE(allows(policy, REGLET__FS_READ, path) || !can_be_spelled(path));
    reglet__policy_free(policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    _cleanup_free_ char *text = strndup((const char *)data, size);
    REQUIRE(text);
    char *end = strchr(text, '\n');
    const char *path = end ? end + 1 : "";
    if (end)
        *end = '\0';
    struct reglet__capability *capability = parse(text);
    if (capability) {
        struct reglet__policy *policy = grant(capability);
        decide(policy, path);
        reglet__policy_env(policy, path);
        reglet__policy_free(policy);
    }
    suggest(path);
    return 0;
}
