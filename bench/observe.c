#define _POSIX_C_SOURCE 200809L
/*
 * A process that run.py measures: one plugin in one way of this library. It does what a line on standard input says:
 *
 *   print         one observation, its result as JSON
 *   run T MS      observes for MS milliseconds, at least once, in T threads; the seconds that this took and each call's nanoseconds
 *   hold N        "held" when N instances wait in the log call in which the plugin says that it has observed; the next
 *                 line lets them go on, and "released" is said when they have ended
 *   load N same|different
 *                 "loaded" when the plugin is loaded under N more names; different: each with a custom section of its own
 *   each          "observed" when each of these has observed once
 *
 * wazero/main.go takes the same commands, but for "each".
 */
#include <pthread.h>
#include <reglet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_THREADS = 64, MAX_LOADED = 10000 };

static reglet_runtime *runtime;
static reglet_plugin *plugin;
static reglet_config *config;
static reglet_redactor *nothing; /* looks for nothing; or NULL */
static const char *plugin_path;
static struct {
    reglet_plugin *plugins[MAX_LOADED];
    size_t count;
} loaded;

static int64_t now_ns(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int fail(reglet_error *error) {
    fprintf(stderr, "observe_bench: %s\n", error ? reglet_error_message(error) : "out of memory");
    reglet_error_free(error);
    return 1;
}

/* --- One call -------------------------------------------------------------------------------------------- */

static int observe(reglet_plugin *asked, bool print) {
    reglet_result *result = NULL;
    reglet_error *error = NULL;
    if (reglet_plugin_observe(asked, config, NULL, &result, &error))
        return fail(error);
    int failed = reglet_result_error_code(result) != REGLET_OK ||
                 !reglet_evidence_status(reglet_result_evidence(result));
    if (failed)
        fprintf(stderr, "observe_bench: %s\n", reglet_result_json(result, NULL));
    else if (print)
        printf("%s\n", reglet_result_json(result, NULL));
    reglet_result_free(result);
    return failed;
}

/* --- run ------------------------------------------------------------------------------------------------- */

struct caller {
    pthread_t thread;
    int64_t end;
    int64_t *times;
    size_t count, room;
    int failed;
};

static bool remember(struct caller *caller, int64_t time) {
    if (caller->count == caller->room) {
        size_t room = caller->room ? 2 * caller->room : 1 << 14;
        int64_t *more = realloc(caller->times, room * sizeof *more);
        if (!more)
            return false;
        caller->times = more;
        caller->room = room;
    }
    caller->times[caller->count++] = time;
    return true;
}

static void *call_until_the_end(void *argument) {
    struct caller *caller = argument;
    int64_t before = now_ns();
    do {
        caller->failed = observe(plugin, false);
        int64_t after = now_ns();
        caller->failed |= !remember(caller, after - before);
        before = after;
    } while (before < caller->end && !caller->failed);
    return NULL;
}

static int run(unsigned threads, unsigned milliseconds) {
    struct caller callers[MAX_THREADS] = {0};
    int failed = 0;
    int64_t begin = now_ns();
    for (unsigned i = 0; i < threads; i++) {
        callers[i].end = begin + (int64_t)milliseconds * 1000000;
        pthread_create(&callers[i].thread, NULL, call_until_the_end, &callers[i]);
    }
    for (unsigned i = 0; i < threads; i++)
        pthread_join(callers[i].thread, NULL);
    printf("%.6f", (double)(now_ns() - begin) / 1e9);
    for (unsigned i = 0; i < threads; i++) {
        for (size_t j = 0; j < callers[i].count; j++)
            printf(" %lld", (long long)callers[i].times[j]);
        failed |= callers[i].failed;
        free(callers[i].times);
    }
    printf("\n");
    return failed;
}

/* --- hold ------------------------------------------------------------------------------------------------ */

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool holding;
    unsigned waiting;
} gate = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, 0};

static void heard(void *user_data, const reglet_log_event *event) {
    (void)user_data;
    if (event->source != REGLET_LOG_PLUGIN || strcmp(event->message, "observed") != 0)
        return;
    pthread_mutex_lock(&gate.lock);
    gate.waiting++;
    pthread_cond_broadcast(&gate.changed);
    while (gate.holding)
        pthread_cond_wait(&gate.changed, &gate.lock);
    gate.waiting--;
    pthread_mutex_unlock(&gate.lock);
}

static void *call_once(void *argument) {
    *(int *)argument = observe(plugin, false);
    return NULL;
}

static int hold(unsigned instances) {
    pthread_t threads[MAX_THREADS];
    int results[MAX_THREADS] = {0}, failed = 0;
    char line[80];
    gate.holding = true;
    for (unsigned i = 0; i < instances; i++)
        pthread_create(&threads[i], NULL, call_once, &results[i]);
    pthread_mutex_lock(&gate.lock);
    while (gate.waiting < instances)
        pthread_cond_wait(&gate.changed, &gate.lock);
    pthread_mutex_unlock(&gate.lock);
    printf("held\n");
    fflush(stdout);
    failed = !fgets(line, sizeof line, stdin);
    pthread_mutex_lock(&gate.lock);
    gate.holding = false;
    pthread_cond_broadcast(&gate.changed);
    pthread_mutex_unlock(&gate.lock);
    for (unsigned i = 0; i < instances; i++) {
        pthread_join(threads[i], NULL);
        failed |= results[i];
    }
    printf("released\n");
    return failed;
}

/* --- load and each ---------------------------------------------------------------------------------------- */

/* Reads the plugin and leaves room for a section behind it. */
static unsigned char *read_plugin(size_t section, size_t *size) {
    FILE *file = fopen(plugin_path, "rb");
    unsigned char *bytes = NULL;
    if (file && fseek(file, 0, SEEK_END) == 0 && (bytes = malloc((size_t)ftell(file) + section))) {
        *size = (size_t)ftell(file);
        rewind(file);
        if (fread(bytes, 1, *size, file) != *size) {
            free(bytes);
            bytes = NULL;
        }
    }
    if (file)
        fclose(file);
    return bytes;
}

static int load(unsigned count, bool different) {
    unsigned char section[] = "\0\x0b\x05"
                              "bench"
                              "#####"; /* id, size, size of the name, name, number */
    enum { SECTION = sizeof section - 1, NUMBER = SECTION - 5 };
    size_t size = 0;
    unsigned char *bytes = read_plugin(SECTION, &size);
    reglet_error *error = NULL;
    for (unsigned i = 0; i < count && bytes && !error; i++) {
        char name[32];
        snprintf(name, sizeof name, "loaded_%u", i);
        snprintf((char *)section + NUMBER, 6, "%05u", i % MAX_LOADED);
        memcpy(bytes + size, section, SECTION);
        if (!reglet_runtime_load_plugin(runtime, name, bytes, size + (different ? SECTION : 0), NULL,
                                        &loaded.plugins[loaded.count], &error))
            loaded.count++;
    }
    free(bytes);
    printf("loaded\n");
    return error || !bytes ? fail(error) : 0;
}

static int observe_each(void) {
    int failed = 0;
    for (size_t i = 0; i < loaded.count && !failed; i++)
        failed = observe(loaded.plugins[i], false);
    printf("observed\n");
    return failed;
}

/* --- The process ----------------------------------------------------------------------------------------- */

static int serve(void) {
    char line[80], which[10];
    int failed = 0;
    while (!failed && fgets(line, sizeof line, stdin)) {
        unsigned number = 0, milliseconds = 0;
        if (strcmp(line, "print\n") == 0)
            failed = observe(plugin, true);
        else if (sscanf(line, "run %u %u", &number, &milliseconds) == 2 && number <= MAX_THREADS)
            failed = run(number, milliseconds);
        else if (sscanf(line, "hold %u", &number) == 1 && number <= MAX_THREADS)
            failed = hold(number);
        else if (sscanf(line, "load %u %9s", &number, which) == 2 && number <= MAX_LOADED - loaded.count)
            failed = load(number, strcmp(which, "different") == 0);
        else if (strcmp(line, "each\n") == 0)
            failed = observe_each();
        else
            failed = fprintf(stderr, "observe_bench: no such command: %s", line);
        fflush(stdout);
    }
    return failed;
}

static void decided(void *user_data, const reglet_audit_record *record) {
    (void)user_data, (void)record;
}

static reglet_redactor *look_for_nothing(reglet_error **err) {
    reglet_redactor_options options = REGLET_REDACTOR_OPTIONS_INIT;
    options.no_builtin_rules = true;
    return reglet_redactor_new(&options, &nothing, err) ? NULL : nothing;
}

static int open_plugin(const char *way, const char *values, const char *capability) {
    /* The same plugins are measured under other names as well, which all may do what this one may. */
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    reglet_error *error = NULL;
    options.shared_grants = &capability;
    options.shared_grant_count = 1;
    options.log = heard;
    options.compiler = strcmp(way, "fast") == 0 ? REGLET_COMPILER_FAST : REGLET_COMPILER_OPTIMIZING;
    options.image_max_calls = strcmp(way, "plain") == 0 ? -1 : 0;
    options.prime_images = strcmp(way, "primed") == 0;
    if (strcmp(way, "bare") == 0 && !(options.redactor = look_for_nothing(&error)))
        return fail(error);
    options.audit = strcmp(way, "accounted") == 0 ? decided : NULL;
    if (reglet_runtime_new(&options, &runtime, &error) ||
        reglet_runtime_load_plugin_file(runtime, "measured", plugin_path, NULL, &plugin, &error) ||
        reglet_config_parse(values, strlen(values), &config, &error))
        return fail(error);
    return 0;
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr,
                "usage: observe_bench plain|image|primed|fast|bare|accounted PLUGIN CONFIG CAPABILITY\n");
        return 2;
    }
    plugin_path = argv[2];
    int failed = open_plugin(argv[1], argv[3], argv[4]) || serve();
    for (size_t i = 0; i < loaded.count; i++)
        reglet_plugin_unref(loaded.plugins[i]);
    reglet_config_free(config);
    reglet_plugin_unref(plugin);
    reglet_runtime_free(runtime);
    reglet_redactor_unref(nothing);
    return failed;
}
