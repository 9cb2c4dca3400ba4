#include "redact/rule.h"
#include "util/cleanup.h"

#define STRINGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* What stands where a password would, and says where it comes from: ${VAR}, $VAR, %VAR%, {{ var }}, <password>, ****. */
#define NO_VALUE                                                                                             \
    "^(?:\\$[A-Za-z_({]|\\$\\$|%[A-Za-z_]+%$|%[({sd]|\\{\\{|\\{[A-Za-z_.]*\\}$|<[A-Za-z_ .-]*>?$|\\*+$|\\.+$|[xX]+$|#\\{)"

static const struct reglet__rule_exception placeholders[] = {
    {.regexes = STRINGS(NO_VALUE)},
};

/*
 * Values of settings that have "password" in their name and hold none: switches, sources (as in nsswitch.conf), kinds, dates,
 * files, functions that get one.
 */
static const struct reglet__rule_exception no_passwords[] = {
    {.regexes = STRINGS(
         NO_VALUE,
         "^(?i:true|false|yes|none|null|nil|undefined|empty|unset|enabled?|disabled?|required|requisite|optional|sufficient|"
         "never|always|default|prohibit-password|without-password|forced-commands-only|expired|locked|invalid|incorrect|"
         "changed|string|str|text|number|boolean|bool|object|function|password|passwd|passphrase|prompt|ask|stdin|hidden|"
         "masked|redacted|not-configured|unknown|missing|files|compat|systemd|winbind|cache|"
         "publickey|keyboard-interactive|scram-sha-256|md5|plain|plaintext|crypt|basic|hash|hashed)[.:]?$",
         "^(?:/[0-9A-Za-z_.\\-]+){2,}/?$",
         "^(?:self|this|os|env|process|config|settings|cfg|args|opts|options|req|request)"
         "[.\\[]",
         "^[A-Za-z_][0-9A-Za-z_.]*\\(", "^[0-9]{4}-[0-9]{2}-[0-9]{2}")},
};

#define WORDS(...)  STRINGS(__VA_ARGS__)
#define SAMPLE(...) 0
#define RULE(name, source, words, bits, pattern, sample, miss)                                               \
    {.id = (name), .regex = (pattern), .keywords = (words), .entropy = (bits)},
#define KEY_RULE(name, source, words, bits, pattern, sample, miss)                                           \
    {.id = (name), .regex = (pattern), .keywords = (words), .entropy = (bits), .runs_on = true},
#define EXCEPT_RULE(name, source, words, bits, pattern, excepted, sample, miss)                              \
    {.id = (name),                                                                                           \
     .regex = (pattern),                                                                                     \
     .keywords = (words),                                                                                    \
     .entropy = (bits),                                                                                      \
     .exceptions = (excepted),                                                                               \
     .exception_count = ARRAY_LEN(excepted)},

const struct reglet__rule reglet__builtin_rules[] = {
#include "redact/rules/all.h"
};
const size_t reglet__builtin_rule_count = ARRAY_LEN(reglet__builtin_rules);
