#define _POSIX_C_SOURCE 200809L
/*
 * How late a deadline can be: a guest fills its whole memory in one instruction, which nothing can interrupt.
 * Prints the time from the deadline to the end of the call, beside that of a guest that loops in small steps.
 */
#include <reglet.h>
#include <stdio.h>
#include <time.h>

static double now_ms(void) {
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* Milliseconds from the deadline to the end; negative when something else than the deadline ended the call. */
static double lateness(reglet_runtime *runtime, const char *guest) {
    char path[4096];
    reglet_plugin *plugin = NULL;
    reglet_result *result = NULL;
    reglet_error *error = NULL;
    reglet_call_options call = REGLET_CALL_OPTIONS_INIT;
    call.timeout_ms = 5;
    snprintf(path, sizeof path, "%s/%s.wasm", REGLET_GUEST_DIR, guest);
    double late = -1, begin = 0;
    reglet_status status = reglet_runtime_load_plugin_file(runtime, guest, path, NULL, &plugin, &error);
    if (status == REGLET_OK) {
        begin = now_ms();
        status = reglet_plugin_observe(plugin, NULL, &call, &result, &error);
    }
    if (status != REGLET_OK)
        fprintf(stderr, "%s: %s\n", guest, reglet_error_message(error));
    else if (reglet_result_error_code(result) == REGLET_ERR_TIMEOUT)
        late = now_ms() - begin - (double)call.timeout_ms;
    else
        fprintf(stderr, "%s: %s\n", guest, reglet_result_json(result, NULL));
    reglet_error_free(error);
    reglet_result_free(result);
    reglet_plugin_unref(plugin);
    return late;
}

int main(void) {
    static const char *const guests[] = {"loop_observe", "bulk_fill_256_mib", "bulk_fill_4_gib"};
    reglet_runtime_options options = REGLET_RUNTIME_OPTIONS_INIT;
    options.memory_limit_mib = -1;
    reglet_runtime *runtime = NULL;
    if (reglet_runtime_new(&options, &runtime, NULL) != REGLET_OK)
        return 1;
    int failed = 0;
    for (size_t i = 0; i < sizeof guests / sizeof *guests; i++) {
        double late = lateness(runtime, guests[i]);
        failed |= late < 0;
        printf("%-20s %10.1f ms after its deadline\n", guests[i], late);
    }
    reglet_runtime_free(runtime);
    return failed;
}
