/* What is not files: streams, environment, clocks, random bytes, waiting, the end of a call, sockets. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/wasi_fixture.h"
#include "util/clock.h"

/* --- streams --- */

static void lines__are_split_and_told_apart(void **state) {
    struct world *world = *state;
    assert_int_equal(guest_write(world, 1, "one\ntw"), 0);
    assert_int_equal(guest_write(world, 2, "error\n"), 0);
    assert_int_equal(guest_write(world, 1, "o\n\nend"), 0);
    assert_string_equal(world->lines.data, "1:one\n2:error\n1:two\n1:\n");
    reglet__wasi_flush(world->wasi);
    assert_string_equal(world->lines.data, "1:one\n2:error\n1:two\n1:\n1:end\n");
    assert_int_equal(world->denials.size, 0);
}

static void lines__longer_ones_are_cut(void **state) {
    struct world *world = *state;
    static char text[2 * REGLET__MAX_LOG_LINE + 10];
    memset(text, 'x', sizeof text - 2);
    text[sizeof text - 2] = '\n';
    assert_int_equal(guest_write(world, 1, text), 0);
    const char *first = strchr(world->lines.data, '\n');
    assert_int_equal(first - world->lines.data, REGLET__MAX_LOG_LINE + 2);
    assert_string_equal(first + REGLET__MAX_LOG_LINE + 3, "\n1:xxxxxxxx\n");
    /* A line that is exactly as long as it may be is one line. */
    reglet__buf_clear(&world->lines);
    text[REGLET__MAX_LOG_LINE] = '\n';
    text[REGLET__MAX_LOG_LINE + 1] = '\0';
    assert_int_equal(guest_write(world, 1, text), 0);
    assert_int_equal(world->lines.size, REGLET__MAX_LOG_LINE + 3);
}

static void lines__a_flood_ends_the_call_at_the_limit(void **state) {
    struct world *world = *state;
    world->quotas.limits[REGLET__QUOTA_OUTPUT_BYTES] = 10;
    assert_int_equal(guest_write(world, 1, "1234\n"), 0);
    assert_int_equal(guest_write(world, 2, "1234\n"), 0);
    assert_int_equal(guest_write(world, 1, ""), 0);
    assert_int_equal(guest_write(world, 1, "5"), -1);
    assert_int_equal(world->guest->stop.status, REGLET_ERR_OUTPUT_LIMIT);
    assert_string_equal(
        world->guest->stop.message,
        "a_function passed max_output_bytes: more than 10 bytes written to stdout and stderr");
    assert_string_equal(world->lines.data, "1:1234\n2:1234\ncut:1 bytes written to stdout were cut off\n");
}

static void lines__what_fits_below_the_limit_is_handed_out(void **state) {
    struct world *world = *state;
    world->quotas.limits[REGLET__QUOTA_OUTPUT_BYTES] = 6;
    assert_int_equal(guest_write(world, 1, "1234\n5678\n"), -1);
    reglet__wasi_flush(world->wasi);
    assert_string_equal(world->lines.data, "1:1234\n1:5\ncut:4 bytes written to stdout were cut off\n");
}

static void stdin__is_empty(void **state) {
    struct world *world = *state;
    char content[16];
    assert_int_equal(guest_read(world, 0, content, sizeof content), 0);
    assert_int_equal(result_u32(world), 0);
    assert_int_equal(guest_write(world, 0, "x"), WASI_ENOTCAPABLE);
    assert_int_equal(guest_read(world, 1, content, sizeof content), WASI_ENOTCAPABLE);
    assert_int_equal(CALL(world, fd_seek, 0, 0, WASI_WHENCE_CUR, AT_RESULT), WASI_ENOTCAPABLE);
    assert_int_equal(CALL(world, fd_filestat_get, 1, AT_STAT), 0);
    assert_int_equal(world->guest->memory[AT_STAT + WASI_FILESTAT_TYPE], WASI_FILETYPE_CHARACTER_DEVICE);
}

/* --- arguments and environment --- */

/* What the guest got, joined by blanks. */
static const char *strings(struct world *world, uint32_t count) {
    static char out[512];
    size_t length = 0;
    out[0] = '\0';
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at;
        reglet__guest_read(world->guest, AT_LIST + 4 * i, &at, sizeof at);
        length += (size_t)snprintf(out + length, sizeof out - length, "%s ",
                                   (const char *)world->guest->memory + at);
    }
    return out;
}

static void args__are_handed_over(void **state) {
    struct world *world = *state;
    const char *const args[] = {"name", "", "a b"};
    world->options.args = args;
    world->options.arg_count = 3;
    assert_int_equal(CALL(world, args_sizes_get, AT_RESULT, AT_RESULT + 4), 0);
    assert_int_equal(result_u64(world, AT_RESULT), UINT64_C(10) << 32 | 3);
    assert_int_equal(CALL(world, args_get, AT_LIST, AT_BUFFER), 0);
    assert_string_equal(strings(world, 3), "name  a b ");
    assert_int_equal(CALL(world, args_get, AT_LIST, UINT32_MAX - 3), WASI_EFAULT);
    assert_int_equal(CALL(world, args_get, UINT32_MAX - 3, AT_BUFFER), WASI_EFAULT);
}

static void environ__shows_only_what_is_granted(void **state) {
    struct world *world = *state;
    const char *const environment[] = {"HOME=/root",   "AWS_KEY=x", "AWS_REGION=eu",
                                       "TOKEN=secret", "=odd",      "none"};
    const char *const extra[] = {"OWN=1", "AWS_KEY=own"};
    world->options.environment = environment;
    world->options.environment_count = ARRAY_LEN(environment);
    assert_int_equal(CALL(world, environ_sizes_get, AT_RESULT, AT_RESULT + 4), 0);
    assert_int_equal(result_u64(world, AT_RESULT), 0);
    world_grant(world, "env:AWS_*");
    world->options.extra_environment = extra;
    world->options.extra_environment_count = 2;
    world_start(world);
    assert_int_equal(CALL(world, environ_sizes_get, AT_RESULT, AT_RESULT + 4), 0);
    assert_int_equal(result_u32(world), 3);
    assert_int_equal(CALL(world, environ_get, AT_LIST, AT_BUFFER), 0);
    assert_string_equal(strings(world, 3), "OWN=1 AWS_KEY=own AWS_REGION=eu ");
}

/* --- clocks and random bytes --- */

static void clock__there_are_two(void **state) {
    struct world *world = *state;
    assert_int_equal(CALL(world, clock_time_get, 0, 0, AT_RESULT), 0);
    assert_in_range(result_u64(world, AT_RESULT), (uint64_t)reglet__wall_clock() - 1000000000,
                    (uint64_t)reglet__wall_clock());
    assert_int_equal(CALL(world, clock_time_get, 1, 0, AT_RESULT), 0);
    assert_int_equal(CALL(world, clock_res_get, 1, AT_RESULT), 0);
    assert_in_range(result_u64(world, AT_RESULT), 1, 1000000000);
    assert_int_equal(CALL(world, clock_time_get, 2, 0, AT_RESULT), WASI_EINVAL);
    assert_int_equal(CALL(world, clock_res_get, 3, AT_RESULT), WASI_EINVAL);
    assert_int_equal(CALL(world, clock_time_get, 0, 0, UINT32_MAX - 6), WASI_EFAULT);
}

static void random__fills_and_can_be_ended(void **state) {
    struct world *world = *state;
    enum { SIZE = 200000 };
    assert_int_equal(CALL(world, random_get, AT_BUFFER, SIZE), 0);
    uint64_t first = result_u64(world, AT_BUFFER), last = result_u64(world, AT_BUFFER + SIZE - 8);
    assert_true(first && last && first != last);
    assert_int_equal(result_u64(world, AT_BUFFER + SIZE), 0);
    assert_int_equal(CALL(world, random_get, UINT32_MAX - 2, 8), WASI_EFAULT);
    assert_int_equal(CALL(world, random_get, 0, 0), 0);
    world->guest->interrupt.deadline = 1;
    assert_int_equal(CALL(world, random_get, AT_BUFFER, SIZE), -1);
    assert_int_equal(world->guest->stop.status, REGLET_ERR_TIMEOUT);
}

/* --- waiting --- */

enum { AT_EVENTS = AT_BUFFER + 8192 };

static void put_clock(struct world *world, uint32_t index, uint32_t id, uint64_t timeout, bool absolute) {
    unsigned char *at = world->guest->memory + AT_BUFFER + index * WASI_SUBSCRIPTION_SIZE;
    memset(at, 0, WASI_SUBSCRIPTION_SIZE);
    at[0] = (unsigned char)(100 + index);
    memcpy(at + WASI_SUBSCRIPTION_CLOCK_ID, &id, 4);
    memcpy(at + WASI_SUBSCRIPTION_TIMEOUT, &timeout, 8);
    at[WASI_SUBSCRIPTION_FLAGS] = absolute;
}

static void put_fd(struct world *world, uint32_t index, uint8_t type, uint32_t fd) {
    unsigned char *at = world->guest->memory + AT_BUFFER + index * WASI_SUBSCRIPTION_SIZE;
    memset(at, 0, WASI_SUBSCRIPTION_SIZE);
    at[0] = (unsigned char)(100 + index);
    at[WASI_SUBSCRIPTION_TAG] = type;
    memcpy(at + WASI_SUBSCRIPTION_FD, &fd, 4);
}

static int wait_for(struct world *world, uint32_t count) {
    return CALL(world, poll_oneoff, AT_BUFFER, AT_EVENTS, count, AT_RESULT);
}

/* The event's userdata and error. */
static void assert_event(struct world *world, uint32_t index, uint64_t userdata, unsigned error) {
    uint32_t at = AT_EVENTS + index * WASI_EVENT_SIZE;
    assert_int_equal(result_u64(world, at), userdata);
    assert_int_equal(world->guest->memory[at + WASI_EVENT_ERROR], error);
}

static void poll__sleeps_as_long_as_asked(void **state) {
    struct world *world = *state;
    int64_t before = reglet__now();
    put_clock(world, 0, WASI_CLOCK_MONOTONIC, 30 * REGLET__NS_PER_MS, false);
    put_clock(world, 1, WASI_CLOCK_REALTIME, (uint64_t)(reglet__wall_clock() + 60 * REGLET__NS_PER_S), true);
    put_clock(world, 2, WASI_CLOCK_MONOTONIC, UINT64_MAX, false);
    assert_int_equal(wait_for(world, 3), 0);
    assert_int_equal(result_u32(world), 1);
    assert_event(world, 0, 100, WASI_SUCCESS);
    assert_in_range(reglet__now() - before, 30 * REGLET__NS_PER_MS, 5 * REGLET__NS_PER_S);
    put_clock(world, 0, WASI_CLOCK_REALTIME, 1, true);
    assert_int_equal(wait_for(world, 1), 0);
    assert_int_equal(result_u32(world), 1);
}

static void poll__sleep_past_the_deadline_ends_the_call(void **state) {
    struct world *world = *state;
    put_clock(world, 0, WASI_CLOCK_MONOTONIC, 3600 * (uint64_t)REGLET__NS_PER_S, false);
    world_start(world);
    world->guest->interrupt.deadline = reglet__deadline_after_ms(20);
    assert_int_equal(wait_for(world, 1), -1);
    assert_int_equal(world->guest->stop.status, REGLET_ERR_TIMEOUT);
}

static void *cancel_soon(void *token) {
    usleep(20000);
    reglet_cancel_token_cancel(token);
    return NULL;
}

static void poll__cancel_ends_a_sleep_without_end(void **state) {
    struct world *world = *state;
    reglet_cancel_token *token;
    pthread_t thread;
    assert_int_equal(reglet_cancel_token_new(&token, NULL), REGLET_OK);
    put_clock(world, 0, WASI_CLOCK_MONOTONIC, UINT64_MAX, false);
    world_start(world);
    world->guest->interrupt.token = token;
    assert_int_equal(pthread_create(&thread, NULL, cancel_soon, token), 0);
    assert_int_equal(wait_for(world, 1), -1);
    assert_int_equal(world->guest->stop.status, REGLET_ERR_CANCELLED);
    pthread_join(thread, NULL);
    world->guest->interrupt.token = NULL;
    reglet_cancel_token_unref(token);
}

static void poll__descriptors_that_are_ready_or_bad_answer_at_once(void **state) {
    struct world *world = *state;
    uint32_t fd;
    host_write(world, "file", "12345");
    world_grant(world, "fs:read:$/file");
    assert_int_equal(guest_open(world, ROOT, "$/file", 0, READ_RIGHTS, 0, &fd), 0);
    put_clock(world, 0, WASI_CLOCK_MONOTONIC, 3600 * (uint64_t)REGLET__NS_PER_S, false);
    put_fd(world, 1, WASI_EVENT_FD_READ, 0);
    put_fd(world, 2, WASI_EVENT_FD_WRITE, 1);
    put_fd(world, 3, WASI_EVENT_FD_READ, 77);
    put_fd(world, 4, WASI_EVENT_FD_READ, fd);
    put_fd(world, 5, WASI_EVENT_FD_READ, 1);
    put_clock(world, 6, 2, 0, false);
    assert_int_equal(wait_for(world, 7), 0);
    assert_int_equal(result_u32(world), 6);
    assert_event(world, 0, 101, WASI_SUCCESS);
    assert_event(world, 1, 102, WASI_SUCCESS);
    assert_event(world, 2, 103, WASI_EBADF);
    assert_event(world, 3, 104, WASI_SUCCESS);
    assert_int_equal(result_u64(world, AT_EVENTS + 3 * WASI_EVENT_SIZE + WASI_EVENT_NBYTES), 5);
    assert_event(world, 4, 105, WASI_ENOTCAPABLE);
    assert_event(world, 5, 106, WASI_EINVAL);
}

static void poll__malformed_requests_are_refused(void **state) {
    struct world *world = *state;
    put_clock(world, 0, 0, 0, false);
    assert_int_equal(wait_for(world, 0), WASI_EINVAL);
    assert_int_equal(wait_for(world, REGLET__MAX_SUBSCRIPTIONS + 1), WASI_EINVAL);
    assert_int_equal(wait_for(world, UINT32_MAX), WASI_EINVAL);
    assert_int_equal(CALL(world, poll_oneoff, UINT32_MAX - 8, AT_EVENTS, 1, AT_RESULT), WASI_EFAULT);
    assert_int_equal(CALL(world, poll_oneoff, AT_BUFFER, UINT32_MAX - 8, 1, AT_RESULT), WASI_EFAULT);
    put_fd(world, 0, 3, 0);
    assert_int_equal(wait_for(world, 1), WASI_EINVAL);
}

/* --- inherited descriptors --- */

/* Puts a pipe's end in the place of a standard descriptor; returns what was there. */
static int replace(int standard, int end) {
    int saved = fcntl(standard, F_DUPFD_CLOEXEC, 3);
    assert_true(saved >= 0 && dup2(end, standard) == standard);
    return saved;
}

static void restore(int standard, int saved) {
    dup2(saved, standard);
    close(saved);
}

static void inherited__a_read_that_never_comes_ends_at_the_deadline(void **state) {
    struct world *world = *state;
    int ends[2];
    char content[8];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    int saved = replace(0, ends[0]);
    world->options.inherit_stdio = true;
    world_start(world);
    world->guest->interrupt.deadline = reglet__deadline_after_ms(20);
    int ended = guest_read(world, 0, content, sizeof content);
    int status = world->guest->stop.status;
    world_start(world);
    put_fd(world, 0, WASI_EVENT_FD_READ, 0);
    put_clock(world, 1, WASI_CLOCK_MONOTONIC, 1000000, false);
    int polled = wait_for(world, 2);
    uint64_t first = result_u64(world, AT_EVENTS);
    bool written = write(ends[1], "abc", 3) == 3;
    int again = wait_for(world, 2);
    uint64_t bytes = result_u64(world, AT_EVENTS + WASI_EVENT_NBYTES);
    int read = guest_read(world, 0, content, sizeof content);
    restore(0, saved);
    close(ends[0]);
    close(ends[1]);
    assert_int_equal(ended, -1);
    assert_int_equal(status, REGLET_ERR_TIMEOUT);
    assert_int_equal(polled, 0);
    assert_int_equal(first, 101);
    assert_true(written && again == 0);
    assert_int_equal(bytes, 3);
    assert_int_equal(read, 0);
    assert_string_equal(content, "abc");
}

static void inherited__a_write_that_nobody_takes_ends_at_the_deadline(void **state) {
    struct world *world = *state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    uint32_t part[2] = {AT_BUFFER, 1 << 20};
    reglet__guest_write(world->guest, AT_LIST, part, sizeof part);
    int saved = replace(2, ends[1]);
    world->options.inherit_stdio = true;
    world_start(world);
    world->guest->interrupt.deadline = reglet__deadline_after_ms(20);
    int ended = CALL(world, fd_write, 2, AT_LIST, 1, AT_RESULT);
    close(ends[0]);
    world_start(world);
    int broken = CALL(world, fd_write, 2, AT_LIST, 1, AT_RESULT);
    restore(2, saved);
    close(ends[1]);
    assert_int_equal(ended, -1);
    assert_int_equal(broken, WASI_EPIPE);
}

/* --- the rest --- */

static void proc__exit_ends_the_call_with_its_code(void **state) {
    struct world *world = *state;
    assert_int_equal(CALL(world, proc_exit, 3000000000), -1);
    assert_int_equal(world->guest->stop.status, REGLET_ERR_EXIT);
    assert_int_equal(world->guest->stop.exit_code, 3000000000);
    assert_int_equal(CALL(world, proc_raise, 9), WASI_ENOTSUP);
    assert_int_equal(CALL(world, sched_yield, 0), 0);
}

static void sock__there_are_none(void **state) {
    struct world *world = *state;
    assert_int_equal(CALL(world, sock_accept, 1, 0, AT_RESULT), WASI_ENOTSOCK);
    assert_int_equal(CALL(world, sock_recv, ROOT, 0, 0, 0, 0, 0), WASI_ENOTSOCK);
    assert_int_equal(CALL(world, sock_send, 50, 0, 0, 0, 0), WASI_EBADF);
    assert_int_equal(CALL(world, sock_shutdown, 0, 0), WASI_ENOTSOCK);
}

static void imports__every_function_is_there_once(void **state) {
    (void)state;
    assert_int_equal(reglet__wasi_import_count, 46);
    for (size_t i = 0; i < reglet__wasi_import_count; i++) {
        const struct reglet__import *import = &reglet__wasi_imports[i];
        assert_string_equal(import->module, "wasi_snapshot_preview1");
        assert_non_null(strstr(import->signature, "->"));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(import->name, reglet__wasi_imports[j].name);
    }
}

/* Every function that reaches for a file is refused without a grant, whatever it is asked. */
static void imports__without_a_grant_nothing_outside_is_reached(void **state) {
    struct world *world = *state;
    uint32_t size = put_path(world, AT_PATH, "$/x"), other = put_path(world, AT_OTHER_PATH, "$/y");
    host_write(world, "x", "x");
    assert_int_equal(CALL(world, path_open, ROOT, 0, AT_PATH, size, 0, 2, 0, 0, AT_RESULT), WASI_EACCES);
    assert_int_equal(CALL(world, path_create_directory, ROOT, AT_PATH, size), WASI_EACCES);
    assert_int_equal(CALL(world, path_remove_directory, ROOT, AT_PATH, size), WASI_EACCES);
    assert_int_equal(CALL(world, path_unlink_file, ROOT, AT_PATH, size), WASI_EACCES);
    assert_int_equal(CALL(world, path_filestat_get, ROOT, 0, AT_PATH, size, AT_STAT), WASI_EACCES);
    assert_int_equal(CALL(world, path_filestat_set_times, ROOT, 0, AT_PATH, size, 0, 0, 1), WASI_EACCES);
    assert_int_equal(CALL(world, path_readlink, ROOT, AT_PATH, size, AT_BUFFER, 10, AT_RESULT), WASI_EACCES);
    assert_int_equal(CALL(world, path_link, ROOT, 0, AT_PATH, size, ROOT, AT_OTHER_PATH, other), WASI_EACCES);
    assert_int_equal(CALL(world, path_rename, ROOT, AT_PATH, size, ROOT, AT_OTHER_PATH, other), WASI_EACCES);
    assert_int_equal(CALL(world, path_symlink, AT_PATH, size, ROOT, AT_OTHER_PATH, other), WASI_EACCES);
    assert_int_equal(CALL(world, fd_readdir, ROOT, AT_BUFFER, 100, 0, AT_RESULT), WASI_EACCES);
    assert_int_equal(CALL(world, fd_filestat_set_times, ROOT, 0, 0, 1), WASI_EACCES);
    assert_string_equal(host_read(world, "x"), "x");
    assert_false(host_exists(world, "y"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        test(lines__are_split_and_told_apart),
        test(lines__longer_ones_are_cut),
        test(lines__a_flood_ends_the_call_at_the_limit),
        test(lines__what_fits_below_the_limit_is_handed_out),
        test(stdin__is_empty),
        test(args__are_handed_over),
        test(environ__shows_only_what_is_granted),
        test(clock__there_are_two),
        test(random__fills_and_can_be_ended),
        test(poll__sleeps_as_long_as_asked),
        test(poll__sleep_past_the_deadline_ends_the_call),
        test(poll__cancel_ends_a_sleep_without_end),
        test(poll__descriptors_that_are_ready_or_bad_answer_at_once),
        test(poll__malformed_requests_are_refused),
        test(inherited__a_read_that_never_comes_ends_at_the_deadline),
        test(inherited__a_write_that_nobody_takes_ends_at_the_deadline),
        test(proc__exit_ends_the_call_with_its_code),
        test(sock__there_are_none),
        test(imports__every_function_is_there_once),
        test(imports__without_a_grant_nothing_outside_is_reached),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
