#include "tests/unit/policy_fixture.h"

#include <string.h>

#include "util/limits.h"

static void resolve(struct reglet__capability *capability) {
    bool whole;
    const char *literal = reglet__capability_fs_literal(capability, &whole);
    char absolute[REGLET__MAX_PATH + 8] = "";
    if (literal[0] != '/')
        strcpy(absolute, literal[0] ? "/base/" : "/base");
    strcat(absolute, literal);
    assert_int_equal(reglet__capability_fs_resolve(capability, absolute, NULL, 0), REGLET_OK);
}

struct reglet__capability *parse(const char *text) {
    reglet_error *error = NULL;
    struct reglet__capability *capability = NULL;
    if (reglet__capability_parse(text, &capability, &error) != REGLET_OK)
        fail_msg("%s", reglet_error_message(error));
    if (reglet__capability_kind(capability) == REGLET__KIND_FS)
        resolve(capability);
    return capability;
}

struct reglet__policy *policy_new(void) {
    struct reglet__policy *policy = NULL;
    assert_int_equal(reglet__policy_new(&policy), REGLET_OK);
    return policy;
}

struct reglet__policy *granted(const char *text) {
    struct reglet__policy *policy = policy_new();
    add(policy, GRANT, text);
    return policy;
}

void add(struct reglet__policy *policy, enum how how, const char *text) {
    reglet_status (*const adders[])(struct reglet__policy *, struct reglet__capability *) = {
        reglet__policy_grant, reglet__policy_share, reglet__policy_declare};
    assert_int_equal(adders[how](policy, parse(text)), REGLET_OK);
}
