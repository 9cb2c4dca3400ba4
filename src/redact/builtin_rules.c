#include "redact/rule.h"
#include "util/cleanup.h"

#define STRINGS(...) ((const char *const[]){__VA_ARGS__, NULL})

/* What stands where a password would, and says where it comes from: ${VAR}, $VAR, %VAR%, {{ var }}, <password>, ****. */
#define NO_VALUE                                                                                             \
    "^(?:\\$[A-Za-z_({]|\\$\\$|%[A-Za-z_]+%$|%[({sd]|\\{\\{|\\{[A-Za-z_.]*\\}$|<[A-Za-z_ .-]*>?$|(?i:your)[_-]|&lt;|\\*+$|\\.+$|[xX]+$|#\\{)"

static const struct reglet__rule_exception placeholders[] = {
    {.regexes = STRINGS(NO_VALUE)},
};

/*
 * What code assigns instead of a value: a member with such a name, an index, a call, a constant. A single word is not among
 * them, nor words that '_' joins: they may be a password.
 */
#define NOUN                "(?i:passw|secret|token|key|cred)"
#define MEMBER(owner, name) "^" owner "(?:\\.[A-Za-z_]+)*\\." name "[;)]*$"
#define NAME_OF_CODE                                                                                         \
    "^(?:self|this|os|env|process|config|settings|cfg|args|opts|options|req|request)[.\\[]",                 \
        "^[A-Za-z_][0-9A-Za-z_.]*\\(", "^[A-Za-z_]+(?:\\.[A-Za-z_]+)*\\[[A-Za-z_.]*$",                       \
        "^[A-Za-z_]+(?:\\.[A-Za-z_]+)*(?:\\[[0-9A-Za-z_.+\\-]*\\])+$",                                       \
        MEMBER("[A-Za-z_]*" NOUN "[A-Za-z_]*", "[A-Za-z_]+"),                                                \
        MEMBER("[A-Za-z_]+[0-9]{0,2}", "[A-Za-z_]*[0-9]?[A-Za-z_]*" NOUN "[A-Za-z_]*"),                      \
        "^[A-Z]{2,}(?:_[A-Z]{2,})+$", "^[a-z]{2,}(?:[A-Z][a-z]+){3,}$"

/*
 * Values of settings that have "password" in their name and hold none: switches, sources (as in nsswitch.conf), kinds, types,
 * what manuals write for a value, words that follow when the name is part of a sentence, dates, files.
 */
static const struct reglet__rule_exception no_passwords[] = {
    {.regexes = STRINGS(
         NO_VALUE,
         "^(?i:true|false|yes|none|(?:[a-z_]+\\.)?null|nil|undefined|empty|unset|enabled?|disabled?|required|requisite|optional|sufficient|"
         "never|always|default|prohibit-password|without-password|forced-commands-only|expired|locked|invalid|incorrect|"
         "changed|string|str|text|bytes?|number|boolean|bool|object|function|password|passwd|passphrase|prompt|ask|stdin|"
         "hidden|masked|redacted|not-configured|unknown|missing|mismatch|files|compat|systemd|winbind|cache|permission|"
         "authentication|publickey|keyboard-interactive|scram-sha-256|md5|plain|plaintext|crypt|basic|hash|hashed)"
         "[.,:;()\\[\\]{}]*$",
         "^(?:options?|switch(?:es)?|command|arguments?|flags?|parameters?|respectively|description|instead|with|from|when|"
         "then|must|will|should|settings?|await|return|normalize|attribute)[.,:;)]*$",
         "^(?:\\*(?:mut|const)|(?:__)?[uis](?:8|16|32|64|size))$",
         "^(?:FILE|STRING|TEXT|VALUE|PASS|PASSWD|PASSWORD|PASSPHRASE|DATEI|FICHERO|FICHIER|PLIK)$",
         "^(?:/[0-9A-Za-z_.\\-]+){2,}/?$", "^[0-9]{4}-[0-9]{2}-[0-9]{2}", NAME_OF_CODE)},
};

/* Addresses of documentation; images that a digest names: docker://name:tag@sha256:… */
static const struct reglet__rule_exception no_url_passwords[] = {
    {.regexes = STRINGS(NO_VALUE, "^(?i:pass|passwd|password|pwd)$", "^[\\[\\]]", "\\]$")},
    {.regexes = STRINGS("^(?i:docker|docker-daemon|docker-pullable|oci|containers-storage)://"),
     .target = REGLET__EXCEPT_MATCH},
};

/* Sentences about the header, not the header. */
static const struct reglet__rule_exception no_credentials[] = {
    {.regexes = STRINGS(
         NO_VALUE,
         "^(?i:auth|authentication|authorization|authenticator|credentials?|tokens?|access|schemes?|headers?|"
         "realm|parsing|required|expected|missing|invalid|challenge|support|username|password)[.,:;]?$")},
};

/* Base64 of a name and a password has more than small letters. */
static const struct reglet__rule_exception no_base64[] = {
    {.regexes = STRINGS("^[a-z]+[0-9]{0,2}$")},
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
