#define _GNU_SOURCE
#include "tests/unit/test.h"

#include "cli/config_file.h"
#include "cli/yaml.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct config_file accept(const char *text) {
    struct config_file config = {0};
    char *message = NULL;
    if (!config_file_parse("c.yaml", text, strlen(text), &config, &message))
        fail_msg("refused: %s", message);
    return config;
}

static void refuse_bytes(const char *text, size_t size, const char *expected) {
    struct config_file config = {0};
    char *message = NULL;
    if (config_file_parse("c.yaml", text, size, &config, &message)) {
        config_file_clear(&config);
        fail_msg("accepted, instead of: %s", expected);
    }
    assert_string_equal(message, expected);
    assert_null(config.path);
    free(message);
}

static void refuse(const char *text, const char *expected) {
    refuse_bytes(text, strlen(text), expected);
}

/* Refused, with a message that starts so. */
static void refuse_at(const char *text, const char *expected) {
    struct config_file config = {0};
    char *message = NULL;
    if (config_file_parse("c.yaml", text, strlen(text), &config, &message)) {
        config_file_clear(&config);
        fail_msg("accepted, instead of: %s", expected);
    }
    if (strncmp(message, expected, strlen(expected)) != 0)
        fail_msg("\"%s\" does not start with \"%s\"", message, expected);
    free(message);
}

/* ---- what the keys mean ---- */

static void parse__nothing_is_an_empty_configuration(void **state) {
    (void)state;
    static const char *const empty[] = {"",     "\n",  "# only a comment\n", "---\n",
                                        "{}\n", "~\n", "capabilities:\n"};
    for (size_t i = 0; i < ARRAY_LEN(empty); i++) {
        struct config_file config = accept(empty[i]);
        assert_int_equal(config.shared_grants.count, 0);
        assert_int_equal(config.timeout_ms, 0);
        config_file_clear(&config);
    }
}

static void parse__capabilities_for_all_plugins_become_grants(void **state) {
    (void)state;
    struct config_file config = accept("capabilities:\n"
                                       "  - kind: fs\n"
                                       "    pattern: read:/etc/ssh/**\n"
                                       "  - {kind: network, pattern: 'outbound:80,443'}\n"
                                       "  - env:AWS_*\n");
    assert_int_equal(config.shared_grants.count, 3);
    assert_string_equal(config.shared_grants.items[0], "fs:read:/etc/ssh/**");
    assert_string_equal(config.shared_grants.items[1], "network:outbound:80,443");
    assert_string_equal(config.shared_grants.items[2], "env:AWS_*");
    config_file_clear(&config);
}

static void parse__patterns_of_the_field_load(void **state) {
    (void)state;
    struct config_file config = accept("capabilities:\n"
                                       "- {kind: network, pattern: outbound:443}\n"
                                       "- {kind: network, pattern: 'outbound:80,443'}\n"
                                       "- {kind: network, pattern: outbound:api.example.com}\n"
                                       "- {kind: network, pattern: 'outbound:https://api.example.com/v1'}\n"
                                       "- {kind: fs, pattern: 'read:**'}\n"
                                       "- {kind: fs, pattern: read:/etc/ssh/**}\n"
                                       "- {kind: exec, pattern: '**'}\n"
                                       "- {kind: exec, pattern: git}\n"
                                       "- {kind: exec, pattern: /usr/bin/git}\n"
                                       "- {kind: env, pattern: AWS_*}\n");
    assert_int_equal(config.shared_grants.count, 10);
    config_file_clear(&config);
}

static void parse__every_key_of_the_field_is_known(void **state) {
    (void)state;
    struct config_file config = accept("capabilities:\n"
                                       "- {kind: network, pattern: outbound:443}\n"
                                       "redaction:\n"
                                       "  patterns: [a]\n"
                                       "  paths: [b]\n"
                                       "  hash_mode: {enabled: true, salt: 0123456789abcdef}\n"
                                       "  disable_gitleaks: true\n"
                                       "sensitive_data:\n"
                                       "  secrets:\n"
                                       "    local: {d: efgh}\n"
                                       "    env: {f: G}\n"
                                       "    files: {h: /i}\n"
                                       "security:\n"
                                       "  level: standard\n"
                                       "  custom_broad_patterns: ['fs:read:/srv/**']\n"
                                       "wasm_memory_limit_mb: 512\n"
                                       "max_evidence_size_bytes: 2097152\n");
    assert_int_equal(config.warnings.count, 0);
    assert_int_equal(config.memory_limit_mib, 512);
    assert_int_equal(config.max_evidence_bytes, 2097152);
    config_file_clear(&config);
}

static void parse__a_plugin_has_its_own_capabilities_and_pin(void **state) {
    (void)state;
    struct config_file config = accept("plugins:\n"
                                       "  file:\n"
                                       "    sha256: " SHA256 "\n"
                                       "    capabilities: [\"fs:read:/etc/hosts\"]\n"
                                       "  other:\n");
    assert_int_equal(config.plugin_count, 2);
    const struct config_plugin *file = config_file_plugin(&config, "file");
    assert_non_null(file);
    assert_string_equal(file->sha256, SHA256);
    assert_int_equal(file->capabilities.count, 1);
    assert_string_equal(file->capabilities.items[0], "fs:read:/etc/hosts");
    assert_int_equal(file->line, 2);
    assert_int_equal(file->column, 3);
    assert_null(config_file_plugin(&config, "nobody"));
    config_file_clear(&config);
}

static void parse__limits_and_timeout_are_those_of_the_library(void **state) {
    (void)state;
    struct config_file config =
        accept("wasm_memory_limit_mb: 64\nmax_evidence_size_bytes: 4096\ntimeout: 1500ms\n");
    assert_int_equal(config.memory_limit_mib, 64);
    assert_int_equal(config.max_evidence_bytes, 4096);
    assert_int_equal(config.timeout_ms, 1500);
    config_file_clear(&config);
}

static void parse__evidence_limit_0_means_never_shortened(void **state) {
    (void)state;
    struct config_file config = accept("max_evidence_size_bytes: 0\n");
    assert_int_equal(config.max_evidence_bytes, -1);
    config_file_clear(&config);
}

static void require_text(const struct config_text *text, const char *expected, size_t line, size_t column) {
    assert_string_equal(text->text, expected);
    assert_int_equal(text->line, line);
    assert_int_equal(text->column, column);
}

static void parse__redaction_is_known_with_its_places(void **state) {
    (void)state;
    struct config_file config = accept("redaction:\n"
                                       "  patterns: ['a+', b]\n"
                                       "  paths:\n"
                                       "  - password\n"
                                       "  rules_file: rules.toml\n"
                                       "  hash_mode: {salt: short}\n"
                                       "  disable_gitleaks: false\n");
    const struct config_redaction *redaction = &config.redaction;
    assert_int_equal(redaction->patterns.count, 2);
    require_text(&redaction->patterns.items[0], "a+", 2, 14);
    require_text(&redaction->patterns.items[1], "b", 2, 20);
    assert_int_equal(redaction->paths.count, 1);
    require_text(&redaction->paths.items[0], "password", 4, 5);
    require_text(&redaction->rules_file, "rules.toml", 5, 15);
    assert_false(redaction->hashes);
    assert_false(redaction->no_builtin_rules);
    config_file_clear(&config);
}

static void parse__secrets_are_lists_or_have_names(void **state) {
    (void)state;
    struct config_file config = accept("sensitive_data:\n"
                                       "  secrets:\n"
                                       "    local: [hunter2, 12345]\n"
                                       "    env: {token: APP_TOKEN, other: OTHER}\n"
                                       "    files: [/run/secret]\n");
    const struct config_redaction *redaction = &config.redaction;
    assert_int_equal(redaction->local_secrets.count, 2);
    require_text(&redaction->local_secrets.items[1], "12345", 3, 22);
    assert_int_equal(redaction->secret_variables.count, 2);
    require_text(&redaction->secret_variables.items[0], "APP_TOKEN", 4, 18);
    require_text(&redaction->secret_variables.items[1], "OTHER", 4, 36);
    assert_int_equal(redaction->secret_files.count, 1);
    require_text(&redaction->secret_files.items[0], "/run/secret", 5, 13);
    config_file_clear(&config);
    config = accept("sensitive_data: {secrets: {local: {}, env: [], files: }}\n");
    assert_int_equal(config.redaction.local_secrets.count, 0);
    config_file_clear(&config);
}

static void parse__redaction_that_would_not_protect_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } refused[] = {
        {"redaction: {hash_mode: {enabled: true}}\n",
         "c.yaml:1:13: \"hash_mode\" needs a \"salt\" of 16 bytes or more"},
        {"redaction:\n  hash_mode:\n    salt: 0123456789abcde\n    enabled: true\n",
         "c.yaml:3:11: \"salt\" should have 16 bytes or more, not 15"},
        {"redaction: {hash_mode: {enabled: yes}}\n",
         "c.yaml:1:34: \"enabled\" should be true or false, not \"yes\""},
        {"redaction: {disable_gitleaks: 'true'}\n",
         "c.yaml:1:31: \"disable_gitleaks\" should be true or false, not \"true\""},
        {"redaction: {patterns: ['']}\n", "c.yaml:1:24: a pattern should be a regular expression, not \"\""},
        {"redaction: {paths: [['a']]}\n", "c.yaml:1:21: a path should be text, not a list"},
        {"redaction: {rules_file: ''}\n", "c.yaml:1:25: \"rules_file\" should be a file, not \"\""},
        {"sensitive_data: {secrets: {local: [abc]}}\n",
         "c.yaml:1:36: a secret should have 4 to 8192 bytes, not 3"},
        {"sensitive_data: {secrets: {local: {a: ''}}}\n",
         "c.yaml:1:39: a secret should have 4 to 8192 bytes, not 0"},
        {"sensitive_data: {secrets: {local: {a: ~}}}\n", "c.yaml:1:39: a secret should be text, not nothing"},
        {"sensitive_data: {secrets: {local: hunter2}}\n",
         "c.yaml:1:35: \"local\" should be a list or a mapping"},
        {"sensitive_data: {secrets: {env: ['A=b']}}\n", "c.yaml:1:34: \"A=b\" is no name of a variable"},
        {"sensitive_data: {secrets: {files: ['']}}\n", "c.yaml:1:36: a file should have a name, not \"\""},
        {"sensitive_data: {secret: {}}\n",
         "c.yaml:1:18: unknown key \"secret\" in \"sensitive_data\"; did you mean \"secrets\"?"},
    };
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        refuse(refused[i].text, refused[i].message);
}

static void parse__levels_have_their_names_and_standard_is_the_default(void **state) {
    (void)state;
    static const struct {
        const char *text;
        reglet_security_level level;
        size_t column;
    } levels[] = {
        {"{}\n", REGLET_SECURITY_STANDARD, 0},
        {"security: {level: standard}\n", REGLET_SECURITY_STANDARD, 19},
        {"security: {level: strict}\n", REGLET_SECURITY_STRICT, 19},
        {"security: {level: permissive}\n", REGLET_SECURITY_PERMISSIVE, 19},
    };
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        struct config_file config = accept(levels[i].text);
        assert_int_equal(config.level, levels[i].level);
        assert_int_equal(config.level_column, levels[i].column);
        assert_int_equal(config.warnings.count, 0);
        config_file_clear(&config);
    }
    refuse("security: {level: Strict}\n",
           "c.yaml:1:19: \"level\" should be strict, standard or permissive, not \"Strict\"");
}

static void parse__broad_patterns_are_capabilities(void **state) {
    (void)state;
    struct config_file config = accept(
        "security: {custom_broad_patterns: ['fs:read:/srv/**', {kind: network, pattern: outbound:22}]}\n");
    assert_int_equal(config.broad_patterns.count, 2);
    assert_string_equal(config.broad_patterns.items[0], "fs:read:/srv/**");
    assert_string_equal(config.broad_patterns.items[1], "network:outbound:22");
    assert_int_equal(config.shared_grants.count, 0);
    assert_int_equal(config.warnings.count, 0);
    config_file_clear(&config);
    refuse_at("security:\n  custom_broad_patterns:\n  - /srv/**\n", "c.yaml:3:5: ");
}

static void parse__argument_pins_belong_to_their_plugin(void **state) {
    (void)state;
    struct config_file config = accept("plugins:\n"
                                       "  p:\n"
                                       "    exec:\n"
                                       "    - path: /usr/bin/git\n"
                                       "      args: [status, '--short', \"/srv/*\", 22]\n"
                                       "    - {path: git, args: []}\n");
    const struct config_plugin *plugin = config_file_plugin(&config, "p");
    assert_int_equal(plugin->exec_pin_count, 2);
    assert_string_equal(plugin->exec_pins[0].command, "/usr/bin/git");
    assert_int_equal(plugin->exec_pins[0].args.count, 4);
    assert_string_equal(plugin->exec_pins[0].args.items[2], "/srv/*");
    assert_string_equal(plugin->exec_pins[0].args.items[3], "22");
    assert_string_equal(plugin->exec_pins[1].command, "git");
    assert_int_equal(plugin->exec_pins[1].args.count, 0);
    assert_int_equal(config.warnings.count, 0);
    config_file_clear(&config);
}

/* ---- what is refused, and where it says that it is ---- */

static void parse__unknown_key_is_an_error_with_a_guess(void **state) {
    (void)state;
    refuse("timeout: 5s\n\n  \ncapabilites: []\n",
           "c.yaml:4:1: unknown key \"capabilites\" in the configuration; did you mean \"capabilities\"?");
    refuse("plugins:\n  file:\n    sha265: x\n",
           "c.yaml:3:5: unknown key \"sha265\" in plugin \"file\"; did you mean \"sha256\"?");
    refuse("zebra: 1\n", "c.yaml:1:1: unknown key \"zebra\" in the configuration");
    refuse("redaction: {hash_mode: {pepper: 1}}\n", "c.yaml:1:25: unknown key \"pepper\" in \"hash_mode\"");
    refuse("<<: {}\n", "c.yaml:1:1: unknown key \"<<\" in the configuration");
}

static void parse__a_key_twice_is_an_error(void **state) {
    (void)state;
    refuse("timeout: 5s\ntimeout: 6s\n", "c.yaml:2:1: the key \"timeout\" is here twice, first in line 1");
    refuse("plugins:\n  a:\n    capabilities: []\n  \"a\":\n",
           "c.yaml:4:3: the key \"a\" is here twice, first in line 2");
}

static void parse__malformed_pattern_points_at_its_character(void **state) {
    (void)state;
    struct config_file config = {0};
    char *message = NULL;
    const char *text = "capabilities:\n  - {kind: fs, pattern: 'x'}\n  - fs:read:/etc/../shadow\n";
    const char *in_second = "plugins:\n  p:\n    capabilities:\n    - fs:read:/etc/../shadow\n";
    assert_false(config_file_parse("c.yaml", in_second, strlen(in_second), &config, &message));
    assert_memory_equal(message, "c.yaml:4:20: ", 13);
    free(message);
    message = NULL;
    /* A quoted scalar may hold escapes: its start is what can be told. */
    assert_false(config_file_parse("c.yaml", text, strlen(text), &config, &message));
    assert_memory_equal(message, "c.yaml:2:", 9);
    free(message);
}

static void parse__a_wrong_argument_pin_points_at_its_character(void **state) {
    (void)state;
    refuse_at("plugins:\n  p:\n    exec:\n    - path: git\n      args:\n      - ok\n      - b[c\n",
              "c.yaml:7:10: pinned argument \"b[c\"");
    refuse_at("plugins:\n  p:\n    exec:\n    - {args: [], path: /usr/bin/../git}\n", "c.yaml:4:33: ");
    refuse_at("plugins:\n  p:\n    exec:\n    - {args: [], path: \"**\"}\n", "c.yaml:4:24: ");
    refuse_at("plugins:\n  p:\n    exec:\n    - {args: [], path: /usr/bin/*}\n", "c.yaml:4:24: ");
    refuse("plugins: {p: {exec: [{path: git}]}}\n",
           "c.yaml:1:22: an entry of \"exec\" needs \"path\" and \"args\" ([]: it gets no arguments)");
    refuse("plugins: {p: {exec: [{args: []}]}}\n",
           "c.yaml:1:22: an entry of \"exec\" needs \"path\" and \"args\" ([]: it gets no arguments)");
    refuse("plugins: {p: {exec: [{path: git, args: status}]}}\n",
           "c.yaml:1:40: \"args\" should be a list, not \"status\"");
    refuse("plugins: {p: {exec: [{path: git, args: [~]}]}}\n",
           "c.yaml:1:41: an argument should be text, not nothing");
    refuse("plugins: {p: {exec: [git]}}\n",
           "c.yaml:1:22: an entry of \"exec\" should be a mapping, not \"git\"");
}

static void parse__a_mask_that_is_no_number_is_refused(void **state) {
    (void)state;
    struct config_file config = {0};
    char *message = NULL;
    const char *text = "capabilities: [\"network:outbound:10.0.0.0/x:443\"]\n";
    assert_false(config_file_parse("c.yaml", text, strlen(text), &config, &message));
    assert_memory_equal(message, "c.yaml:1:16: ", 13);
    free(message);
}

static void parse__wrong_kind_points_at_the_kind(void **state) {
    (void)state;
    struct config_file config = {0};
    char *message = NULL;
    const char *text = "capabilities:\n  - pattern: read:/etc/hosts\n    kind: sf\n";
    assert_false(config_file_parse("c.yaml", text, strlen(text), &config, &message));
    assert_memory_equal(message, "c.yaml:3:11: ", 13);
    free(message);
}

static void parse__wrong_types_are_named(void **state) {
    (void)state;
    refuse("capabilities: all\n", "c.yaml:1:15: \"capabilities\" should be a list, not \"all\"");
    refuse("capabilities: [[]]\n", "c.yaml:1:16: a capability should be a mapping, not a list");
    refuse("capabilities: [{kind: fs}]\n", "c.yaml:1:16: a capability needs \"kind\" and \"pattern\"");
    refuse("capabilities: [{kind: [], pattern: x}]\n", "c.yaml:1:23: \"kind\" should be text, not a list");
    refuse("plugins: []\n", "c.yaml:1:10: \"plugins\" should be a mapping, not a list");
    refuse("timeout:\n", "c.yaml:1:9: \"timeout\" should be text, not nothing");
    refuse("[1]\n", "c.yaml:1:1: the configuration should be a mapping, not a list");
    refuse("{[a]: 1}\n", "c.yaml:1:2: a key should be text, not a list");
}

static void parse__numbers_are_not_guessed(void **state) {
    (void)state;
    static const char form[] = "should be 1 to 4096, 0 (the default, 256) or -1 (unlimited), not";
    static const char *const bad[] = {
        "64MiB", "064", "0x40", "6_4", "1e3", "+5", "4097", "-2", "99999999999999999999"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct config_file config = {0};
        char *message = NULL;
        char text[64];
        snprintf(text, sizeof text, "wasm_memory_limit_mb: %s\n", bad[i]);
        assert_false(config_file_parse("c.yaml", text, strlen(text), &config, &message));
        assert_non_null(strstr(message, form));
        free(message);
    }
    refuse(
        "max_evidence_size_bytes: -1\n",
        "c.yaml:1:26: \"max_evidence_size_bytes\" should be a number of bytes, or 0 (evidence is never shortened), "
        "not -1");
}

static void parse__limits_have_the_names_of_the_options(void **state) {
    (void)state;
    struct config_file config =
        accept("limits: {max_result_bytes: 1024, max_output_bytes: -1, max_table_elements: 5,\n"
               "  max_concurrent_calls: 6, max_log_messages: 7, max_log_bytes: 8,\n"
               "  max_host_calls: 9, max_network_in_bytes: 10, max_network_out_bytes: 11,\n"
               "  max_commands: 12, max_open_files: 4096}\n");
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    config_apply_limits(&config, &options);
    assert_int_equal(options.struct_size, sizeof options);
    assert_int_equal(options.max_result_bytes, 1024);
    assert_int_equal(options.max_output_bytes, -1);
    assert_int_equal(options.max_table_elements, 5);
    assert_int_equal(options.max_concurrent_calls, 6);
    assert_int_equal(options.max_log_messages, 7);
    assert_int_equal(options.max_log_bytes, 8);
    assert_int_equal(options.max_host_calls, 9);
    assert_int_equal(options.max_network_in_bytes, 10);
    assert_int_equal(options.max_network_out_bytes, 11);
    assert_int_equal(options.max_commands, 12);
    assert_int_equal(options.max_open_files, 4096);
    config_file_clear(&config);
}

static void parse__bad_limits_say_what_they_may_be(void **state) {
    (void)state;
    refuse("limits: {max_open_files: 4097}\n",
           "c.yaml:1:26: \"max_open_files\" should be 0 (the default, 256) or 1 to 4096, not 4097");
    refuse("limits: {max_open_files: -1}\n",
           "c.yaml:1:26: \"max_open_files\" should be 0 (the default, 256) or 1 to 4096, not -1");
    refuse(
        "limits:\n  max_commands: -2\n",
        "c.yaml:2:17: \"max_commands\" should be 0 (the default, 1000), -1 (unlimited) or 1 to 9223372036854775807, "
        "not -2");
    refuse("limits: {max_host_calls: many}\n",
           "c.yaml:1:26: \"max_host_calls\" should be 0 (the default, 100000), -1 (unlimited) or 1 to "
           "9223372036854775807, not \"many\"");
    refuse_at("limits: {max_comands: 3}\n",
              "c.yaml:1:10: unknown key \"max_comands\" in \"limits\"; did you mean \"max_commands\"?");
}

static void parse__unquoted_22_22_stays_text(void **state) {
    (void)state;
    /* YAML 1.1 reads it as a number in base 60; here it is a key's name and a capability's text. */
    struct config_file config = accept("plugins: {22:22: {capabilities: [network:outbound:22]}}\n");
    assert_string_equal(config.plugins[0].name, "22:22");
    config_file_clear(&config);
    refuse("timeout: 22:22\n", "c.yaml:1:10: \"timeout\" should be " DURATION_FORM ", not \"22:22\"");
}

static void parse__pins_have_64_hexadecimal_digits(void **state) {
    (void)state;
    refuse("plugins: {p: {sha256: abc}}\n",
           "c.yaml:1:23: \"sha256\" should be 64 hexadecimal digits, as sha256sum prints them");
}

static void parse__plugin_names_are_those_the_library_takes(void **state) {
    (void)state;
    refuse("plugins: {a/b: {}}\n", "c.yaml:1:11: a plugin's name should be 1 to 255 bytes without \"/\"");
    refuse("plugins: {\"\": {}}\n", "c.yaml:1:11: a plugin's name should be 1 to 255 bytes without \"/\"");
    refuse("plugins: {\"a\\0b\": {}}\n", "c.yaml:1:11: a plugin's name contains a NUL character");
}

static void parse__tags_and_second_documents_are_refused(void **state) {
    (void)state;
    refuse("timeout: !!int 5\n", "c.yaml:1:10: the tag tag:yaml.org,2002:int is not understood here");
    refuse("capabilities: !shell [x]\n", "c.yaml:1:15: the tag !shell is not understood here");
    refuse("timeout: 5s\n---\ntimeout: 6s\n", "c.yaml:2:1: a second document; there may be one");
}

static void parse__bad_yaml_has_line_and_column(void **state) {
    (void)state;
    refuse("plugins: {\n  a: [\n",
           "c.yaml:3:1: did not find expected node content while parsing a flow node");
    refuse("a: *nowhere\n", "c.yaml:1:4: found undefined alias");
    refuse("\ttimeout: 5s\n",
           "c.yaml:1:1: found character that cannot start any token while scanning for the next "
           "token");
    refuse_bytes("a: \xff\n", 5, "c.yaml:1:1: invalid leading UTF-8 octet at byte 3");
    refuse_bytes("\xff\xfe"
                 "a\0:\0",
                 6, "c.yaml:1:1: invalid leading UTF-8 octet at byte 0");
}

/* ---- files that are made to hurt ---- */

static void parse__alias_bomb_ends_at_its_limit(void **state) {
    (void)state;
    /* A list of 2,000 capabilities, used by 1,000 plugins: two million grants from 25 KB. */
    struct config_file config = {0};
    char *text = NULL, *message = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fputs("plugins:\n  p: {capabilities: &all [", out);
    for (int i = 0; i < 2000; i++)
        fputs("env:A,", out);
    fputs("]}\n", out);
    for (int i = 0; i < 1000; i++)
        fprintf(out, "  p%d: {capabilities: *all}\n", i);
    fclose(out);
    assert_false(config_file_parse("c.yaml", text, size, &config, &message));
    assert_non_null(strstr(message, "aliases make this file too large (100000 values at most)"));
    free(message);
    free(text);
}

static void parse__an_alias_of_itself_is_a_wrong_type(void **state) {
    (void)state;
    refuse("capabilities: &a [*a]\n", "c.yaml:1:15: a capability should be a mapping, not a list");
    refuse("plugins: &a {p: *a}\n", "c.yaml:1:14: unknown key \"p\" in plugin \"p\"");
}

static char *repeat(const char *before, const char *what, size_t times) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fputs(before, out);
    for (size_t i = 0; i < times; i++)
        fputs(what, out);
    fclose(out);
    return text;
}

static void parse__size_depth_values_and_anchors_are_limited(void **state) {
    (void)state;
    struct {
        const char *before, *what;
        size_t times;
        const char *expected;
    } files[] = {
        {"", "#", YAML_MAX_BYTES + 1, "c.yaml:1:1: the file is larger than 1 MiB"},
        {"redaction: ", "[", 100000, "c.yaml:1:43: nested too deeply (32 levels at most)"},
        {"redaction: {paths: [", "a,", 60000, "c.yaml:1:100011: too many values (50000 at most)"},
        {"redaction: {paths: [", "&a b,", 200, "c.yaml:1:521: too many anchors (100 at most)"},
    };
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char *text = repeat(files[i].before, files[i].what, files[i].times);
        refuse(text, files[i].expected);
        free(text);
    }
}

/* ---- whose file it is ---- */

struct scratch {
    char directory[32];
    char path[64];
};

static int make_scratch(void **state) {
    struct scratch *scratch = calloc(1, sizeof *scratch);
    strcpy(scratch->directory, "/tmp/reglet-config-XXXXXX");
    if (!mkdtemp(scratch->directory))
        return -1;
    snprintf(scratch->path, sizeof scratch->path, "%s/config.yaml", scratch->directory);
    *state = scratch;
    return 0;
}

static int remove_scratch(void **state) {
    struct scratch *scratch = *state;
    char command[64];
    snprintf(command, sizeof command, "rm -rf %s", scratch->directory);
    int result = system(command);
    free(scratch);
    return result;
}

static void write_file(const char *path, const char *text, mode_t mode) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static void refuse_file(const char *path, const char *expected) {
    struct config_file config = {0};
    char *message = NULL;
    assert_false(config_file_read(path, &config, &message));
    if (!strstr(message, expected))
        fail_msg("\"%s\" does not say \"%s\"", message, expected);
    free(message);
}

static void read__a_file_that_others_can_write_is_refused(void **state) {
    const struct scratch *scratch = *state;
    write_file(scratch->path, "timeout: 5s\n", 0646);
    refuse_file(scratch->path, "can be written by others (mode 0646): run chmod go-w on it");
    write_file(scratch->path, "timeout: 5s\n", 0664);
    refuse_file(scratch->path, "can be written by others (mode 0664)");
    write_file(scratch->path, "timeout: 5s\n", 0644);
    struct config_file config = {0};
    char *message = NULL;
    assert_true(config_file_read(scratch->path, &config, &message));
    config_file_clear(&config);
}

static void read__secrets_that_others_can_read_are_warned_of(void **state) {
    struct scratch *scratch = *state;
    static const char secret[] = "sensitive_data: {secrets: {local: [hunter2]}}\n",
                      salt[] = "redaction: {hash_mode: {salt: 0123456789abcdef}}\n";
    static const struct {
        const char *text;
        mode_t mode;
        const char *warning; /* behind the path; NULL: none */
    } files[] = {
        {secret, 0600, NULL},
        {secret, 0604, " holds secrets and can be read by others (mode 0604): run chmod go-r on it"},
        {salt, 0640, " holds a salt and can be read by others (mode 0640): run chmod go-r on it"},
        {"redaction: {paths: [password]}\n", 0644, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        struct config_file config = {0};
        char *message = NULL;
        write_file(scratch->path, files[i].text, files[i].mode);
        assert_true(config_file_read(scratch->path, &config, &message));
        assert_int_equal(config.warnings.count, files[i].warning != NULL);
        if (files[i].warning)
            assert_string_equal(config.warnings.items[0] + strlen(scratch->path), files[i].warning);
        config_file_clear(&config);
    }
}

static void read__a_file_of_another_user_is_refused(void **state) {
    const struct scratch *scratch = *state;
    if (geteuid() != 0)
        skip();
    write_file(scratch->path, "timeout: 5s\n", 0644);
    assert_int_equal(chown(scratch->path, 12345, (gid_t)-1), 0);
    refuse_file(scratch->path, "belongs to another user (uid 12345)");
}

static void read__a_fifo_or_directory_is_refused_without_waiting(void **state) {
    const struct scratch *scratch = *state;
    assert_int_equal(mkfifo(scratch->path, 0600), 0);
    refuse_file(scratch->path, "is not a regular file");
    refuse_file(scratch->directory, "is not a regular file");
    refuse_file("/nowhere/config.yaml", "cannot open /nowhere/config.yaml: No such file or directory");
}

static void find__xdg_goes_before_home_and_a_broken_link_is_an_error(void **state) {
    const struct scratch *scratch = *state;
    struct config_file config = {0};
    char *message = NULL, path[96];
    snprintf(path, sizeof path, "%s/.reglet", scratch->directory);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/.reglet/config.yaml", scratch->directory);
    setenv("HOME", scratch->directory, 1);
    setenv("XDG_CONFIG_HOME", "relative", 1); /* the base directory rules: not a place */

    assert_true(config_file_find(NULL, &config, &message));
    assert_null(config.path);

    write_file(path, "timeout: 1s\n", 0600);
    assert_true(config_file_find(NULL, &config, &message));
    assert_string_equal(config.path, path);
    config_file_clear(&config);

    setenv("XDG_CONFIG_HOME", scratch->directory, 1);
    snprintf(path, sizeof path, "%s/reglet", scratch->directory);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/reglet/config.yaml", scratch->directory);
    assert_int_equal(symlink("nowhere", path), 0);
    assert_false(config_file_find(NULL, &config, &message));
    assert_non_null(strstr(message, "cannot open"));
    free(message);
    message = NULL;

    unlink(path);
    write_file(path, "timeout: 2s\n", 0600);
    assert_true(config_file_find(NULL, &config, &message));
    assert_int_equal(config.timeout_ms, 2000);
    config_file_clear(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__nothing_is_an_empty_configuration),
        cmocka_unit_test(parse__capabilities_for_all_plugins_become_grants),
        cmocka_unit_test(parse__patterns_of_the_field_load),
        cmocka_unit_test(parse__every_key_of_the_field_is_known),
        cmocka_unit_test(parse__a_plugin_has_its_own_capabilities_and_pin),
        cmocka_unit_test(parse__limits_and_timeout_are_those_of_the_library),
        cmocka_unit_test(parse__evidence_limit_0_means_never_shortened),
        cmocka_unit_test(parse__redaction_is_known_with_its_places),
        cmocka_unit_test(parse__secrets_are_lists_or_have_names),
        cmocka_unit_test(parse__redaction_that_would_not_protect_is_refused),
        cmocka_unit_test(parse__levels_have_their_names_and_standard_is_the_default),
        cmocka_unit_test(parse__broad_patterns_are_capabilities),
        cmocka_unit_test(parse__argument_pins_belong_to_their_plugin),
        cmocka_unit_test(parse__a_wrong_argument_pin_points_at_its_character),
        cmocka_unit_test(parse__unknown_key_is_an_error_with_a_guess),
        cmocka_unit_test(parse__a_key_twice_is_an_error),
        cmocka_unit_test(parse__malformed_pattern_points_at_its_character),
        cmocka_unit_test(parse__a_mask_that_is_no_number_is_refused),
        cmocka_unit_test(parse__wrong_kind_points_at_the_kind),
        cmocka_unit_test(parse__wrong_types_are_named),
        cmocka_unit_test(parse__numbers_are_not_guessed),
        cmocka_unit_test(parse__limits_have_the_names_of_the_options),
        cmocka_unit_test(parse__bad_limits_say_what_they_may_be),
        cmocka_unit_test(parse__unquoted_22_22_stays_text),
        cmocka_unit_test(parse__pins_have_64_hexadecimal_digits),
        cmocka_unit_test(parse__plugin_names_are_those_the_library_takes),
        cmocka_unit_test(parse__tags_and_second_documents_are_refused),
        cmocka_unit_test(parse__bad_yaml_has_line_and_column),
        cmocka_unit_test(parse__alias_bomb_ends_at_its_limit),
        cmocka_unit_test(parse__an_alias_of_itself_is_a_wrong_type),
        cmocka_unit_test(parse__size_depth_values_and_anchors_are_limited),
        cmocka_unit_test_setup_teardown(read__a_file_that_others_can_write_is_refused, make_scratch,
                                        remove_scratch),
        cmocka_unit_test_setup_teardown(read__secrets_that_others_can_read_are_warned_of, make_scratch,
                                        remove_scratch),
        cmocka_unit_test_setup_teardown(read__a_file_of_another_user_is_refused, make_scratch,
                                        remove_scratch),
        cmocka_unit_test_setup_teardown(read__a_fifo_or_directory_is_refused_without_waiting, make_scratch,
                                        remove_scratch),
        cmocka_unit_test_setup_teardown(find__xdg_goes_before_home_and_a_broken_link_is_an_error,
                                        make_scratch, remove_scratch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
