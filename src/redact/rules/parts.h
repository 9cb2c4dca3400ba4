/*
 * parts.h - what the regexes of the built-in rules have in common. All of them go byte by byte, in RE2's syntax.
 *
 * A table is a list of
 *     RULE(id, source, WORDS(…), entropy, regex, SAMPLE(before, secret, after), near miss)
 * `source` is the public description of the format. `secret` is what is replaced in the sample, which is made up like the
 * near miss, and stands in pieces so that no scanner takes it for a leak. KEY_RULE is one that runs on. EXCEPT_RULE has,
 * before its sample, the name of what is let through (builtin_rules.c).
 *
 * Who includes a table defines RULE, KEY_RULE, EXCEPT_RULE, WORDS and SAMPLE.
 */
#ifndef REGLET_REDACT_RULES_PARTS_H
#define REGLET_REDACT_RULES_PARTS_H

/* Between a name and its value, as configuration, JSON (escaped too), programs and headers write it: = : := => and quotes. */
#define SIGN "(?:\\\\{0,3}[\"'`])?\\]?[ \\t]{0,8}(?:=>|:=|[=:])[ \\t]{0,8}(?:\\\\{0,3}[\"'`])?"

/* For values without a form of their own: a name that begins with the provider's and goes on to say that it is a secret. */
#define NAMED(provider) "(?i:" provider ")" NAME_REST
#define NAME_REST                                                                                            \
    "[0-9A-Za-z_. \\-]{0,24}(?i:key|token|secret|passw|auth|credential)[0-9A-Za-z_.\\-]{0,16}" SIGN

/* Before the name of a provider that is so short that other words end in it: with DD_, not with add_. */
#define ALONE "(?:^|[^0-9A-Za-z]|\\\\[nrt])"

/* Before a value: the "n" of a line break that is escaped, as in JSON inside JSON, is no part of a longer word. */
#define START "(?:\\b|\\\\[nrt])"

/* Behind a value that may end with '-', where \b would not do. */
#define END "(?:[^0-9A-Za-z_\\-]|$)"

/* Around values that a longer run of Base64 may contain by chance. */
#define BASE64_START "(?:^|[^0-9A-Za-z+/_\\-]|\\\\[nrt])"
#define BASE64_END   "(?:[^0-9A-Za-z+/_\\-]|$)"

#endif
