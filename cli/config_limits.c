/* The section "limits" of the configuration file: limits of the library under the names of its options. */
#define _GNU_SOURCE
#include "config_keys.h"

#include <inttypes.h>
#include <string.h>

/* What an option may be, as reglet/runtime.h has it: told here as well, so that a wrong value is refused with its line. */
struct limit {
    const char *name;
    size_t at; /* in reglet_runtime_options */
    int64_t fallback, most;
    bool may_be_unlimited;
};

#define LIMIT(option, fallback, most, may_be_unlimited)                                                      \
    { #option, offsetof(reglet_runtime_options, option), fallback, most, may_be_unlimited }

static const struct limit limits[] = {
    LIMIT(max_result_bytes, 64 << 20, 64 << 20, false),
    LIMIT(max_output_bytes, 1 << 20, INT64_MAX, true),
    LIMIT(max_table_elements, 1000000, UINT32_MAX, false),
    LIMIT(max_concurrent_calls, 1000, INT64_MAX, true),
    LIMIT(max_log_messages, 10000, INT64_MAX, true),
    LIMIT(max_log_bytes, 1 << 20, INT64_MAX, true),
    LIMIT(max_host_calls, 100000, INT64_MAX, true),
    LIMIT(max_network_in_bytes, 256 << 20, INT64_MAX, true),
    LIMIT(max_network_out_bytes, 64 << 20, INT64_MAX, true),
    LIMIT(max_commands, 1000, INT64_MAX, true),
    LIMIT(max_open_files, 256, 4096, false),
};

static const struct limit *limit_named(const char *name) {
    const struct limit *limit = limits;
    while (strcmp(limit->name, name) != 0) /* yaml_read_mapping() knows no other key */
        limit++;
    return limit;
}

static bool read_limit(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                       void *target) {
    const struct limit *limit = limit_named((const char *)key->data.scalar.value);
    struct config_file *config = target;
    int64_t given = 0;
    _cleanup_free_ char *what = format_text("\"%s\"", limit->name);
    _cleanup_free_ char *form =
        format_text("0 (the default, %" PRId64 ")%s or 1 to %" PRId64, limit->fallback,
                    limit->may_be_unlimited ? ", -1 (unlimited)" : "", limit->most);
    if (!config_read_integer(reader, value, what, form, &given))
        return false;
    if (given > limit->most || given < (limit->may_be_unlimited ? -1 : 0))
        return yaml_fail(reader, value, "%s should be %s, not %" PRId64, what, form, given);
    memcpy((char *)&config->limits + limit->at, &given, sizeof given);
    return true;
}

bool config_read_limits(struct yaml_reader *reader, const yaml_node_t *key, const yaml_node_t *value,
                        void *target) {
    (void)key;
    struct yaml_key keys[ARRAY_LEN(limits)];
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        keys[i] = (struct yaml_key){limits[i].name, read_limit};
    return yaml_read_mapping(reader, value, "\"limits\"", keys, ARRAY_LEN(keys), target);
}

void config_apply_limits(const struct config_file *config, reglet_runtime_options *options) {
    for (size_t i = 0; i < ARRAY_LEN(limits); i++)
        memcpy((char *)options + limits[i].at, (const char *)&config->limits + limits[i].at, sizeof(int64_t));
}
