#define _GNU_SOURCE
#include "tests/unit/test.h"

#include "cli/config_file.h"
#include "cli/suggest.h"
#include "cli/term.h"

#include <string.h>

#define SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* What the configuration's own reader makes of a suggestion, beside other keys as somebody would paste it. */
static struct config_file read_back(const char *yaml) {
    struct config_file config = {0};
    char *message = NULL;
    _cleanup_free_ char *pasted = format_text("timeout: 5s\n%ssecurity: {level: strict}\n", yaml);
    if (!config_file_parse("c.yaml", pasted, strlen(pasted), &config, &message))
        fail_msg("%s\n%s", message, pasted);
    return config;
}

/* Nothing in it steers a terminal, and only lines are broken. */
static void assert_shown_safely(const char *yaml) {
    for (const char *line = yaml; *line;) {
        size_t size = strcspn(line, "\n");
        _cleanup_free_ char *clean = term_clean(line, size);
        if (strlen(clean) != size || memcmp(clean, line, size) != 0)
            fail_msg("not clean: %s", clean);
        line += size + (line[size] == '\n');
    }
}

/* The property: exactly this name and these capabilities come back. */
static void assert_comes_back(const char *name, const char *const *capabilities, size_t count) {
    struct suggested items[16] = {{0}};
    assert_true(count <= ARRAY_LEN(items));
    for (size_t i = 0; i < count; i++)
        items[i] = (struct suggested){.capability = capabilities[i]};
    _cleanup_free_ char *yaml = suggest_yaml(name, SHA256, items, count);
    assert_shown_safely(yaml);
    struct config_file config = read_back(yaml);
    assert_int_equal(config.plugin_count, 1);
    assert_string_equal(config.plugins[0].name, name);
    assert_string_equal(config.plugins[0].sha256, SHA256);
    assert_int_equal(config.plugins[0].capabilities.count, count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(config.plugins[0].capabilities.items[i], capabilities[i]);
    assert_int_equal(config.level, REGLET_SECURITY_STRICT);
    assert_int_equal(config.shared_grants.count, 0);
    config_file_clear(&config);
}

static void suggest__ordinary_names_are_printed_as_somebody_would_write_them(void **state) {
    (void)state;
    const struct suggested items[] = {
        {"fs:read:/etc/ssh/**", NULL},
        {"exec:bash", "Broad, risk high: Run bash with any arguments."},
        {NULL, "No grant: \"fs:raed:x\""},
        {"fs:read:/srv/größe", NULL},
    };
    _cleanup_free_ char *yaml = suggest_yaml("file", SHA256, items, ARRAY_LEN(items));
    assert_string_equal(yaml, "plugins:\n"
                              "  file:\n"
                              "    sha256: " SHA256 "\n"
                              "    capabilities:\n"
                              "      - fs:read:/etc/ssh/**\n"
                              "      # Broad, risk high: Run bash with any arguments.\n"
                              "      - exec:bash\n"
                              "      # No grant: \"fs:raed:x\"\n"
                              "      - fs:read:/srv/größe\n");
    _cleanup_free_ char *bare = suggest_yaml("file", SHA256, NULL, 0);
    assert_string_equal(bare, "plugins:\n  file:\n    sha256: " SHA256 "\n");
}

static void suggest__names_that_yaml_would_read_otherwise_come_back(void **state) {
    (void)state;
    static const char *const names[] = {
        "*",
        "a: b",
        "a #b",
        "#a",
        "- a",
        "-",
        "?",
        "? a",
        ": ",
        ":",
        "a:",
        "&a",
        "*a",
        "!a",
        "!!int 5",
        "|",
        ">",
        "%YAML 1.1",
        "@a",
        "`a",
        "{a: b}",
        "[a]",
        ",",
        "'",
        "\"",
        "''",
        "\\",
        "\\n",
        "null",
        "Null",
        "~",
        "true",
        "NO",
        "off",
        "y",
        "22:22",
        "1e3",
        "0x10",
        "1.5",
        ".inf",
        "2026-01-01",
        "<<",
        "=",
        "---",
        "...",
        "--- a",
        " a",
        "a ",
        "  ",
        "a\tb",
        "\xC2\x85",
        "a\xE2\x80\xA8z",
        ("\xE2\x80\xAE"
         "exe"),
        "\xEF\xBB\xBF",
        "a\xEF\xBF\xBE",
        "\xEF\xBF\xBF",
        "\xF3\xA0\x81\x81",
        "größe",
        "\xF0\x9F\x98\x80",
        "plugins",
        "sha256: x",
    };
    static const char *const capabilities[] = {"env:A"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_comes_back(names[i], capabilities, 1);
}

static void suggest__the_longest_names_come_back(void **state) {
    (void)state;
    static const char *const pieces[] = {"x", ": ", "'\"", "\xC2\x85", "\xE2\x80\xAE", "\xF0\x9F\x98\x80"};
    static const char *const capabilities[] = {"env:A", "fs:read:/x"};
    for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
        char name[256] = "";
        while (strlen(name) + strlen(pieces[i]) < sizeof name)
            strcat(name, pieces[i]);
        assert_comes_back(name, capabilities, 2);
    }
}

static void suggest__capabilities_that_look_like_yaml_come_back(void **state) {
    (void)state;
    static const char *const capabilities[] = {
        "fs:read:/a: b",
        "fs:read:/a #b",
        "fs:read:/a:",
        "fs:read:/'a' \"b\"",
        "fs:read:/a\\*b\\\\",
        "fs:read:/{a,b}/[c-d]/?",
        "fs:read:/ a ",
        "fs:write:/\xE2\x80\xAE",
        "fs:write:/a\xEF\xBB\xBF"
        "b",
        "fs:write:/\xEF\xBF\xBE",
        "fs:read:**",
        "network:outbound:[::1]:443",
        "fs:read:/a\xE2\x80\xA8"
        "plugins:",
        "kv:read:- a",
        "kv:read:&a *b !c |d",
        "network:outbound:https://a.example/%20x",
    };
    assert_int_equal(ARRAY_LEN(capabilities), 16);
    for (size_t i = 0; i < ARRAY_LEN(capabilities); i++)
        assert_int_equal(reglet_capability_check(capabilities[i], NULL), REGLET_OK);
    assert_comes_back("p", capabilities, ARRAY_LEN(capabilities));
}

/* xorshift: the same texts on every run. */
static unsigned next(unsigned *state) {
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

static void random_text(unsigned *state, const char *start, char *out, size_t size) {
    static const char *const pieces[] = {
        "a",
        "Z",
        "0",
        " ",
        "  ",
        ":",
        ": ",
        " #",
        "#",
        "-",
        "- ",
        "?",
        "*",
        "**",
        "/",
        "[",
        "]",
        "{",
        "}",
        ",",
        "&",
        "!",
        "|",
        ">",
        "'",
        "\"",
        "%",
        "@",
        "`",
        "\\",
        "\\\\",
        "~",
        "<<",
        "=",
        "\t",
        "é",
        "\xC2\x85",
        "\xC2\xA0",
        "\xE2\x80\xA8",
        "\xE2\x80\xAE",
        "\xEF\xBB\xBF",
        "\xEF\xBF\xBE",
        "\xF0\x9F\x98\x80",
        "\xF3\xA0\x80\xA1",
        "env:A",
        "null",
    };
    strcpy(out, start);
    for (unsigned count = 1 + next(state) % 12; count > 0; count--) {
        const char *piece = pieces[next(state) % ARRAY_LEN(pieces)];
        if (strlen(out) + strlen(piece) < size)
            strcat(out, piece);
    }
}

static void suggest__any_name_and_capability_come_back(void **state) {
    (void)state;
    unsigned seed = 2463534242u, tried = 0;
    for (unsigned i = 0; i < 20000; i++) {
        char name[128], capability[128];
        random_text(&seed, "", name, sizeof name);
        random_text(&seed, next(&seed) % 2 ? "fs:read:/" : "kv:write:", capability, sizeof capability);
        if (strchr(name, '/') || strchr(name, '\t') || reglet_capability_check(capability, NULL) != REGLET_OK)
            continue;
        assert_comes_back(name, (const char *const[]){capability}, 1);
        tried++;
    }
    assert_true(tried > 1000);
}

static void suggest__comments_stay_one_line_whatever_is_in_them(void **state) {
    (void)state;
    static const char *const texts[] = {
        "fs:read:/a\n      - exec:**",
        "x\r- exec:**",
        "x\xC2\x85- exec:**",
        "x\xE2\x80\xA8- exec:**",
        "\xE2\x80\xAE\x1b]52;c;aGk=\x07",
        "\xFF\xFE\xC0",
        "\xEF\xBF\xBE\xEF\xBF\xBF",
        "\xEF\xBB\xBF",
        "\x7F\t",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        const struct suggested items[] = {{NULL, texts[i]}, {"env:A", texts[i]}};
        _cleanup_free_ char *yaml = suggest_yaml("p", SHA256, items, ARRAY_LEN(items));
        assert_shown_safely(yaml);
        struct config_file config = read_back(yaml);
        assert_int_equal(config.plugins[0].capabilities.count, 1);
        assert_string_equal(config.plugins[0].capabilities.items[0], "env:A");
        config_file_clear(&config);
    }
}

static void suggest__nothing_but_comments_grants_nothing(void **state) {
    (void)state;
    const struct suggested items[] = {{NULL, "exec:**"}};
    _cleanup_free_ char *yaml = suggest_yaml("p", SHA256, items, 1);
    struct config_file config = read_back(yaml);
    assert_int_equal(config.plugins[0].capabilities.count, 0);
    config_file_clear(&config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suggest__ordinary_names_are_printed_as_somebody_would_write_them),
        cmocka_unit_test(suggest__names_that_yaml_would_read_otherwise_come_back),
        cmocka_unit_test(suggest__the_longest_names_come_back),
        cmocka_unit_test(suggest__capabilities_that_look_like_yaml_come_back),
        cmocka_unit_test(suggest__any_name_and_capability_come_back),
        cmocka_unit_test(suggest__comments_stay_one_line_whatever_is_in_them),
        cmocka_unit_test(suggest__nothing_but_comments_grants_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
