/* Memory: where secrets lie, what happens where it cannot be locked, and every allocation that fails once. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "redact/redact.h"
#include "tests/unit/failing_memory.h"
#include "tests/unit/test.h"
#include "util/secret.h"
#include "util/sys.h"

int __real_reglet__sys_mlock(const void *memory, size_t size);
int __wrap_reglet__sys_mlock(const void *memory, size_t size);

static bool no_lock;
static const void *locked; /* the last one */

int __wrap_reglet__sys_mlock(const void *memory, size_t size) {
    if (no_lock) {
        errno = ENOMEM;
        return -1;
    }
    locked = memory;
    return __real_reglet__sys_mlock(memory, size);
}

int __real_munmap(void *memory, size_t size);
int __wrap_munmap(void *memory, size_t size);

static const char *watched; /* what must be gone before it is unmapped */
static bool was_wiped;

int __wrap_munmap(void *memory, size_t size) {
    if (memory == watched) {
        was_wiped = true;
        for (size_t i = 0; i < size; i++)
            was_wiped = was_wiped && watched[i] == 0;
    }
    return __real_munmap(memory, size);
}

/* Whether the mapping that begins at `memory` has a flag, as the kernel knows it. */
static bool has_flag(const void *memory, const char *flag) {
    char line[1024], start[32];
    bool inside = false, has = false;
    FILE *maps = fopen("/proc/self/smaps", "r");
    assert_non_null(maps);
    snprintf(start, sizeof start, "%lx-", (unsigned long)(uintptr_t)memory);
    while (fgets(line, sizeof line, maps)) {
        if (strncmp(line, start, strlen(start)) == 0)
            inside = true;
        else if (inside && strncmp(line, "VmFlags:", 8) == 0) {
            has = strstr(line, flag) != NULL;
            break;
        }
    }
    fclose(maps);
    return has;
}

static reglet_status make(reglet_redactor **out, reglet_error **error) {
    static const char *const patterns[] = {"tok_([a-z]+)", "key=(\\w+)"};
    static const reglet_secret secrets[] = {{"hunter22", 8}, {"correct horse", 13}};
    reglet_redactor_options options = REGLET_REDACTOR_OPTIONS_INIT;
    options.patterns = patterns;
    options.pattern_count = 2;
    options.secrets = secrets;
    options.secret_count = 2;
    options.hash_salt = "0123456789abcdef";
    options.hash_salt_size = 16;
    return reglet_redactor_new(&options, out, error);
}

static void secret__is_locked_and_not_dumped(void **state) {
    (void)state;
    void *memory = NULL;
    assert_int_equal(reglet__secret_new(10000, &memory, NULL), REGLET_OK);
    assert_true(has_flag(memory, " dd"));
#ifndef REGLET_SANITIZED /* sanitizers keep every page unlocked */
    assert_true(has_flag(memory, " lo"));
#endif
    memset(memory, 1, 10000);
    reglet__secret_free(memory, 10000);
    reglet__secret_free(NULL, 10000);
}

static void secret__is_wiped_before_it_is_given_back(void **state) {
    (void)state;
    void *memory = NULL;
    assert_int_equal(reglet__secret_new(10000, &memory, NULL), REGLET_OK);
    memset(memory, 's', 10000);
    watched = memory;
    reglet__secret_free(memory, 10000);
    watched = NULL;
    assert_true(was_wiped);
}

static void secret__values_and_salt_are_in_such_memory(void **state) {
    (void)state;
    reglet_redactor *redactor = NULL;
    locked = NULL;
    assert_int_equal(make(&redactor, NULL), REGLET_OK); /* the salt is locked last */
    assert_true(has_flag(locked, " dd"));
    assert_memory_equal(locked, "0123456789abcdef", 16);
    assert_int_equal(reglet_redactor_add_secret(redactor, "one more", 8, NULL), REGLET_OK);
    assert_true(has_flag(locked, " dd"));
    reglet_redactor_unref(redactor);
}

static void secret__that_cannot_be_locked_is_refused(void **state) {
    (void)state;
    reglet_redactor *redactor = NULL;
    reglet_error *error = NULL;
    assert_int_equal(make(&redactor, NULL), REGLET_OK);
    no_lock = true;
    assert_int_equal(reglet_redactor_add_secret(redactor, "one more", 8, &error), REGLET_ERR_IO);
    assert_int_equal(reglet_error_errno(error), ENOMEM);
    assert_non_null(strstr(reglet_error_message(error), "RLIMIT_MEMLOCK"));
    reglet_error_free(error);
    reglet_redactor_unref(redactor);
    redactor = NULL;
    error = NULL;
    assert_int_equal(make(&redactor, &error), REGLET_ERR_IO);
    assert_null(redactor);
    reglet_error_free(error);
    no_lock = false;
}

static bool plainly_replaced; /* a secret that no hash could be taken of without memory */

static reglet_status work(void) {
    static const char text[] = "tok_abc key=def hunter22 correct+horse \\u0068unter22 %68unter22";
    reglet_redactor *redactor = NULL;
    char *out = NULL;
    reglet_error *error = NULL;
    reglet_status status = make(&redactor, &error);
    if (status == REGLET_OK)
        status = reglet_redactor_add_secret(redactor, "one more", 8, &error);
    if (status == REGLET_OK)
        status = reglet_redactor_redact(redactor, text, sizeof text - 1, &out, NULL, &error);
    assert_int_equal(reglet_error_code(error), status);
    assert_true(status == REGLET_OK ? out && !strstr(out, "unter") && !strstr(out, "horse") : !out);
    plainly_replaced = out && strstr(out, "[REDACTED]");
    reglet_error_free(error);
    free(out);
    reglet_redactor_unref(redactor);
    return status;
}

static void memory__each_failing_allocation_is_reported_and_nothing_leaks(void **state) {
    (void)state;
    long count = 0;
    assert_int_equal(work(), REGLET_OK); /* what is there once in a process */
    for (bool failed = true; failed; count++) {
        memory_fail_at(count);
        reglet_status status = work();
        failed = memory_has_failed();
        bool unhashed = failed && status == REGLET_OK && plainly_replaced;
        if (status != (failed ? REGLET_ERR_NO_MEMORY : REGLET_OK) && !unhashed)
            fail_msg("allocation %ld %s, and the status is %s", count, failed ? "failed" : "was not needed",
                     reglet_status_name(status));
    }
    assert_in_range(count, 20, 300);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(secret__is_locked_and_not_dumped),
        cmocka_unit_test(secret__is_wiped_before_it_is_given_back),
        cmocka_unit_test(secret__values_and_salt_are_in_such_memory),
        cmocka_unit_test(secret__that_cannot_be_locked_is_refused),
        cmocka_unit_test(memory__each_failing_allocation_is_reported_and_nothing_leaks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
