#define _POSIX_C_SOURCE 200809L
/*
 * What one observation costs in a fresh instance: starting from an image, beside initialising it anew, which is the same
 * runtime without images. Both take turns in one run, and what counts is the ratio. Then the same with two threads.
 */
#include <pthread.h>
#include <reglet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROUNDS = 20, MAX_CALLS = 4000 };

static const struct subject {
    const char *name, *path, *config;
    size_t calls; /* in one round */
} subjects[] = {
    {"file", REGLET_PLUGIN_DIR "/file.wasm", "{\"path\":\"/etc/hosts\"}", 200},
    {"counter", REGLET_GUEST_DIR "/counter.wasm", "{}", 200},
    {"go_big", REGLET_GUEST_DIR "/go_big.wasm", "{\"path\":\"/etc/hosts\"}", 20},
};

static double now_us(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e6 + (double)ts.tv_nsec / 1e3;
}

static int ascending(const void *a, const void *b) {
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

/* One way to run one plugin, and the microseconds that its calls took. */
struct way {
    reglet_runtime *runtime;
    reglet_plugin *plugin;
    reglet_config *config;
    double times[MAX_CALLS];
    size_t count;
};

static int open_way(struct way *way, const struct subject *subject, int64_t image_max_calls) {
    const reglet_grant grant = {subject->name, "fs:read:/etc/hosts"};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.grants = &grant;
    options.grant_count = 1;
    options.image_max_calls = image_max_calls;
    reglet_error *error = NULL;
    if (reglet_runtime_new(&options, &way->runtime, &error) ||
        reglet_runtime_load_plugin_file(way->runtime, subject->name, subject->path, NULL, &way->plugin,
                                        &error) ||
        reglet_config_parse(subject->config, strlen(subject->config), &way->config, &error))
        fprintf(stderr, "%s\n", reglet_error_message(error));
    int failed = error != NULL;
    reglet_error_free(error);
    return failed;
}

static void close_way(struct way *way) {
    reglet_config_free(way->config);
    reglet_plugin_unref(way->plugin);
    reglet_runtime_free(way->runtime);
}

static int call(struct way *way) {
    reglet_result *result = NULL;
    double before = now_us();
    int failed = reglet_plugin_observe(way->plugin, way->config, NULL, &result, NULL) ||
                 reglet_result_error_code(result);
    if (way->count < MAX_CALLS)
        way->times[way->count++] = now_us() - before;
    if (failed)
        fprintf(stderr, "%s\n", result ? reglet_result_json(result, NULL) : "no result");
    reglet_result_free(result);
    return failed;
}

/* --- One thread, and two ------------------------------------------------------------------------------------ */

static void *call_for_a_while(void *argument) {
    struct way *way = argument;
    double end = now_us() + 5e5;
    size_t calls = 0;
    for (; now_us() < end; calls++) {
        reglet_result *result = NULL;
        reglet_plugin_observe(way->plugin, way->config, NULL, &result, NULL);
        reglet_result_free(result);
    }
    return (void *)calls;
}

static double calls_in_threads(struct way *way, size_t threads) {
    pthread_t running[2];
    double total = 0;
    for (size_t i = 0; i < threads; i++)
        pthread_create(&running[i], NULL, call_for_a_while, way);
    for (size_t i = 0; i < threads; i++) {
        void *calls = NULL;
        pthread_join(running[i], &calls);
        total += (double)(size_t)calls;
    }
    return total;
}

static int measure(const struct subject *subject) {
    static struct way ways[2];
    memset(ways, 0, sizeof ways);
    int failed = open_way(&ways[0], subject, -1) || open_way(&ways[1], subject, 0);
    failed = failed || call(&ways[0]) || call(&ways[1]);
    ways[0].count = ways[1].count = 0; /* the first call makes the image */
    for (size_t i = 0; i < ROUNDS * 2 && !failed; i++)
        for (size_t j = 0; j < subject->calls && !failed; j++)
            failed = call(&ways[i % 2]);
    if (!failed) {
        double medians[2], last[2];
        for (size_t i = 0; i < 2; i++) {
            qsort(ways[i].times, ways[i].count, sizeof *ways[i].times, ascending);
            medians[i] = ways[i].times[ways[i].count / 2];
            last[i] = ways[i].times[ways[i].count * 99 / 100];
        }
        double one = calls_in_threads(&ways[1], 1), two = calls_in_threads(&ways[1], 2);
        printf(
            "%-8s initialising anew %8.0f us, from an image %7.0f us: %5.1f times; p99 over median %4.1f; two threads "
            "over one %4.2f\n",
            subject->name, medians[0], medians[1], medians[0] / medians[1], last[1] / medians[1], two / one);
    }
    close_way(&ways[0]);
    close_way(&ways[1]);
    return failed;
}

int main(void) {
    int failed = 0;
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        failed |= measure(&subjects[i]);
    return failed;
}
