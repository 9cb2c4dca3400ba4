#include "tests/integration/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static reglet_metrics *new_metrics(void) {
    reglet_metrics *metrics = NULL;
    assert_int_equal(reglet_metrics_new(&metrics, NULL), REGLET_OK);
    return metrics;
}

static reglet_runtime *new_counting_runtime(reglet_metrics *metrics) {
    static const reglet_grant grant = {"file", "fs:read:/etc/hosts"};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = &grant;
    options.grant_count = 1;
    options.metrics = metrics;
    return new_runtime(&options);
}

/* The value of the sample that the text has under exactly this name and these labels; fails the test without one. */
static double sample(const reglet_metrics *metrics, const char *series) {
    char *text = NULL;
    double value = -1;
    assert_int_equal(reglet_metrics_text(metrics, &text, NULL, NULL), REGLET_OK);
    for (const char *line = text; *line; line = strchr(line, '\n') + 1)
        if (strncmp(line, series, strlen(series)) == 0 && line[strlen(series)] == ' ')
            value = strtod(line + strlen(series), NULL);
    if (value < 0)
        fail_msg("no sample %s in:\n%s", series, text);
    reglet_free(text);
    return value;
}

static void observe_file(reglet_runtime *runtime, const char *path, const char *part) {
    char config[128];
    reglet_plugin *plugin = load_guest(runtime, "file");
    snprintf(config, sizeof config, "{\"path\":\"%s\"}", path);
    expect_evidence(observe_json(plugin, config, 0), part);
    reglet_plugin_unref(plugin);
}

static void metrics__calls_are_counted_by_outcome(void **state) {
    (void)state;
    reglet_metrics *metrics = new_metrics();
    reglet_runtime *runtime = new_counting_runtime(metrics);
    observe_file(runtime, "/etc/hosts", "\"status\":true");
    observe_file(runtime, "/etc/hosts", "\"status\":true");
    observe_file(runtime, "/etc/shadow", "\"status\":false");
    reglet_plugin *looping = load_guest(runtime, "loop_observe");
    expect_plugin_error(observe_json(looping, NULL, 20), REGLET_ERR_TIMEOUT, "");
    assert_int_equal(sample(metrics, "reglet_calls_total{plugin=\"file\",outcome=\"success\"}"), 2);
    assert_int_equal(sample(metrics, "reglet_calls_total{plugin=\"file\",outcome=\"failure\"}"), 1);
    assert_int_equal(sample(metrics, "reglet_calls_total{plugin=\"loop_observe\",outcome=\"timeout\"}"), 1);
    reglet_plugin_unref(looping);
    reglet_runtime_free(runtime);
    reglet_metrics_unref(metrics);
}

static void metrics__time_is_split_into_phases(void **state) {
    (void)state;
    reglet_metrics *metrics = new_metrics();
    reglet_runtime *runtime = new_counting_runtime(metrics);
    observe_file(runtime, "/etc/hosts", "\"status\":true");
    static const char *const phases[] = {"compile", "instantiate", "guest", "host"};
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        char series[128];
        snprintf(series, sizeof series, "reglet_duration_seconds_count{plugin=\"file\",phase=\"%s\"}",
                 phases[i]);
        assert_int_equal(sample(metrics, series), 1);
        snprintf(series, sizeof series, "reglet_duration_seconds_sum{plugin=\"file\",phase=\"%s\"}",
                 phases[i]);
        assert_true(sample(metrics, series) > 0);
        assert_true(sample(metrics, series) < 60);
        snprintf(series, sizeof series,
                 "reglet_duration_seconds_bucket{plugin=\"file\",phase=\"%s\",le=\"+Inf\"}", phases[i]);
        assert_int_equal(sample(metrics, series), 1);
    }
    reglet_runtime_free(runtime);
    reglet_metrics_unref(metrics);
}

static void metrics__host_functions_are_counted_by_decision(void **state) {
    (void)state;
    reglet_metrics *metrics = new_metrics();
    reglet_runtime *runtime = new_counting_runtime(metrics);
    observe_file(runtime, "/etc/hosts", "\"status\":true");
    double served =
        sample(metrics, "reglet_host_calls_total{plugin=\"file\",function=\"fs_stat\",decision=\"served\"}");
    assert_true(served >= 1);
    assert_int_equal(sample(metrics, "reglet_denials_total{plugin=\"file\"}"), 0);
    observe_file(runtime, "/etc/shadow", "\"status\":false");
    assert_true(sample(metrics,
                       "reglet_host_calls_total{plugin=\"file\",function=\"fs_stat\",decision=\"denied\"}") >=
                1);
    assert_true(sample(metrics, "reglet_denials_total{plugin=\"file\"}") >= 1);
    reglet_runtime_free(runtime);
    reglet_metrics_unref(metrics);
}

static void metrics__several_runtimes_count_into_one_and_need_not_live(void **state) {
    (void)state;
    reglet_metrics *metrics = new_metrics();
    for (int i = 0; i < 2; i++) {
        reglet_runtime *runtime = new_counting_runtime(metrics);
        observe_file(runtime, "/etc/hosts", "\"status\":true");
        reglet_runtime_free(runtime);
    }
    assert_int_equal(sample(metrics, "reglet_calls_total{plugin=\"file\",outcome=\"success\"}"), 2);
    double found = sample(metrics, "reglet_cache_lookups_total{result=\"memory\"}") +
                   sample(metrics, "reglet_cache_lookups_total{result=\"file\"}") +
                   sample(metrics, "reglet_cache_lookups_total{result=\"miss\"}");
    assert_true(found >= 2);
    reglet_metrics_unref(metrics);
}

static void metrics__bytes_of_evidence_are_counted(void **state) {
    (void)state;
    reglet_metrics *metrics = new_metrics();
    reglet_runtime *runtime = new_counting_runtime(metrics);
    observe_file(runtime, "/etc/hosts", "\"status\":true");
    assert_true(sample(metrics, "reglet_bytes_total{plugin=\"file\",what=\"evidence\"}") > 20);
    reglet_runtime_free(runtime);
    reglet_metrics_unref(metrics);
}

static void metrics__bytes_of_output_and_log_are_counted(void **state) {
    (void)state;
    reglet_metrics *metrics = new_metrics();
    reglet_runtime *runtime = new_counting_runtime(metrics);
    reglet_plugin *plugin = load_guest(runtime, "teller");
    expect_evidence(observe_json(plugin,
                                 "{\"steps\":[{\"stdout\":\"twelve bytes\"},{\"stderr\":\"eight ..\"},"
                                 "{\"log\":{\"level\":\"INFO\",\"message\":\"m\"}}]}",
                                 0),
                    "\"status\":true");
    assert_int_equal(sample(metrics, "reglet_bytes_total{plugin=\"teller\",what=\"output\"}"), 12 + 8);
    assert_int_equal(sample(metrics, "reglet_bytes_total{plugin=\"teller\",what=\"log\"}"),
                     strlen("{\"level\":\"INFO\",\"message\":\"m\"}"));
    assert_int_equal(sample(metrics, "reglet_bytes_total{plugin=\"teller\",what=\"network_in\"}"), 0);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    reglet_metrics_unref(metrics);
}

static void metrics__memories_are_those_of_the_process(void **state) {
    (void)state;
    reglet_metrics *metrics = new_metrics();
    reglet_runtime *runtime = new_counting_runtime(metrics);
    observe_file(runtime, "/etc/hosts", "\"status\":true");
    assert_int_equal(sample(metrics, "reglet_memories{state=\"in_use\"}"), 0);
    assert_true(sample(metrics, "reglet_memories{state=\"idle\"}") >= 1);
    assert_true(sample(metrics, "reglet_memory_kept_bytes") > 0);
    reglet_runtime_free(runtime);
    reglet_metrics_unref(metrics);
}

static void metrics__redactions_are_counted_by_rule(void **state) {
    (void)state;
    static const reglet_secret secret = {"correct horse", 13};
    reglet_redactor_options wanted = REGLET_REDACTOR_OPTIONS_INIT;
    reglet_redactor *redactor = NULL;
    reglet_metrics *metrics = new_metrics();
    wanted.secrets = &secret;
    wanted.secret_count = 1;
    assert_int_equal(reglet_redactor_new(&wanted, &redactor, NULL), REGLET_OK);
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.metrics = metrics;
    options.redactor = redactor;
    reglet_runtime *runtime = new_runtime(&options);
    reglet_plugin *plugin = load_guest(runtime, "result_is_config");
    expect_evidence(observe_json(plugin, "{\"status\":true,\"raw\":\"it is correct horse\"}", 0),
                    "[REDACTED]");
    assert_int_equal(sample(metrics, "reglet_redactions_total{rule=\"(secret)\"}"), 1);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    reglet_redactor_unref(redactor);
    reglet_metrics_unref(metrics);
}

static void count_samples(void *user_data, const reglet_metric *metric) {
    size_t *count = user_data;
    assert_non_null(metric->name);
    assert_non_null(metric->help);
    if (metric->type == REGLET_METRIC_HISTOGRAM) {
        uint64_t sum = 0;
        for (size_t i = 0; i <= metric->bound_count; i++)
            sum += metric->bucket_counts[i];
        assert_int_equal(sum, metric->count);
    }
    ++*count;
}

static void metrics__can_be_read_sample_by_sample(void **state) {
    (void)state;
    size_t count = 0;
    reglet_metrics *metrics = new_metrics();
    reglet_runtime *runtime = new_counting_runtime(metrics);
    observe_file(runtime, "/etc/hosts", "\"status\":true");
    assert_int_equal(reglet_metrics_read(metrics, count_samples, &count, NULL), REGLET_OK);
    assert_true(count > 10);
    assert_int_equal(reglet_metrics_read(NULL, count_samples, &count, NULL), REGLET_ERR_INVALID_ARGUMENT);
    assert_int_equal(reglet_metrics_read(metrics, NULL, &count, NULL), REGLET_ERR_INVALID_ARGUMENT);
    reglet_runtime_free(runtime);
    reglet_metrics_unref(metrics);
}

static void metrics__names_cannot_forge_lines_or_steer_a_terminal(void **state) {
    (void)state;
    static const char name[] = "a\"} 1 \xE2\x80\xAE\\x";
    reglet_metrics *metrics = new_metrics();
    reglet_runtime *runtime = new_counting_runtime(metrics);
    struct bytes bytes = read_guest("result_is_config");
    reglet_plugin *plugin = NULL;
    assert_int_equal(reglet_runtime_load_plugin(runtime, name, bytes.data, bytes.size, NULL, &plugin, NULL),
                     REGLET_OK);
    expect_evidence(observe_json(plugin, "{\"status\":true}", 0), "\"status\":true");
    assert_int_equal(
        sample(metrics, "reglet_calls_total{plugin=\"a\\\"} 1 \\\\u202e\\\\x\",outcome=\"success\"}"), 1);
    free(bytes.data);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    reglet_metrics_unref(metrics);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(metrics__calls_are_counted_by_outcome),
        cmocka_unit_test(metrics__time_is_split_into_phases),
        cmocka_unit_test(metrics__host_functions_are_counted_by_decision),
        cmocka_unit_test(metrics__several_runtimes_count_into_one_and_need_not_live),
        cmocka_unit_test(metrics__bytes_of_evidence_are_counted),
        cmocka_unit_test(metrics__bytes_of_output_and_log_are_counted),
        cmocka_unit_test(metrics__memories_are_those_of_the_process),
        cmocka_unit_test(metrics__redactions_are_counted_by_rule),
        cmocka_unit_test(metrics__can_be_read_sample_by_sample),
        cmocka_unit_test(metrics__names_cannot_forge_lines_or_steer_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
