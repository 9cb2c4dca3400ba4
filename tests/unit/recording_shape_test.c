/* What a recording knows of each function of preview1 is what the function is. */
#include "tests/unit/test.h"

#include <string.h>

#include "recording/shape.h"
#include "wasi/wasi.h"

static void every_function_of_wasi_has_one_row(void **state) {
    (void)state;
    assert_int_equal(reglet__shape_count, reglet__wasi_import_count);
    for (size_t i = 0; i < reglet__wasi_import_count; i++)
        assert_non_null(reglet__shape_find(reglet__wasi_imports[i].name));
    assert_null(reglet__shape_find("fd_nothing"));
}

static void parts_take_the_parameters_that_the_function_has(void **state) {
    (void)state;
    for (size_t i = 0; i < reglet__wasi_import_count; i++) {
        const struct reglet__import *import = &reglet__wasi_imports[i];
        const struct reglet__shape *shape = reglet__shape_find(import->name);
        unsigned slots = 0, parameters = (unsigned)(strchr(import->signature, '-') - import->signature);
        assert_true(parameters <= REGLET__MAX_SLOTS);
        if (shape->kind != SHAPE_IN_ORDER && shape->kind != SHAPE_CLOCK)
            continue;
        for (const struct reglet__part *part = shape->parts; part->kind != PART_END; part++)
            slots += reglet__part_slots(part->kind);
        if (slots != parameters)
            fail_msg("%s: %u parameters in its row, %u in its signature", import->name, slots, parameters);
    }
}

static void names_of_errors_lead_back_to_their_numbers(void **state) {
    (void)state;
    unsigned known = 0;
    for (uint32_t i = 0; i < 100; i++) {
        const char *name = reglet__preview1_errno_name(i);
        known += name != NULL;
        assert_true(!name || reglet__preview1_errno_number(name) == (int)i);
    }
    assert_true(known > 30);
    assert_int_equal(reglet__preview1_errno_number("EWHAT"), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_function_of_wasi_has_one_row),
        cmocka_unit_test(parts_take_the_parameters_that_the_function_has),
        cmocka_unit_test(names_of_errors_lead_back_to_their_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
