#include "redact/compile.h"

#include <stdio.h>

#include "util/cleanup.h"

static reglet_status take_fault(hs_compile_error_t *error, struct reglet__compile_fault *fault) {
    if (!error)
        return REGLET_ERR_NO_MEMORY;
    fault->rule = error->expression;
    snprintf(fault->message, sizeof fault->message, "%s", error->message);
    hs_free_compile_error(error);
    return REGLET_ERR_INVALID_ARGUMENT;
}

reglet_status reglet__compile_measure(const char *regex, uint32_t *shortest, uint32_t *longest,
                                      struct reglet__compile_fault *fault) {
    hs_expr_info_t *info = NULL;
    hs_compile_error_t *error = NULL;
    if (hs_expression_info(regex, 0, &info, &error) != HS_SUCCESS)
        return take_fault(error, fault);
    *shortest = info->min_width;
    *longest = info->max_width;
    free(info);
    return REGLET_OK;
}

/* Without starts of matches, which the matcher refuses for large rules, and without names for them: a rule is its index. */
reglet_status reglet__compile_rules(const struct reglet__rule *rules, size_t count,
                                    const hs_platform_info_t *platform, hs_database_t **out,
                                    struct reglet__compile_fault *fault) {
    *out = NULL;
    if (count == 0)
        return REGLET_OK;
    _cleanup_free_ const char **regexes = calloc(count, sizeof *regexes);
    _cleanup_free_ unsigned *ids = calloc(count, sizeof *ids);
    if (!regexes || !ids)
        return REGLET_ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++) {
        regexes[i] = rules[i].regex;
        ids[i] = (unsigned)i;
    }
    hs_compile_error_t *error = NULL;
    if (hs_compile_multi(regexes, NULL, ids, (unsigned)count, HS_MODE_BLOCK, platform, out, &error) !=
        HS_SUCCESS)
        return take_fault(error, fault);
    return REGLET_OK;
}
