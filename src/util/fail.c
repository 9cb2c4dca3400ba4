#define _GNU_SOURCE
#include "util/fail.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/text.h"

enum { MESSAGE_MAX = 4096 };

struct reglet_error {
    reglet_status code;
    reglet_domain domain;
    int error_number;
    ptrdiff_t offset;
    const char *message; /* right behind the structure, static, or … */
    char *reworded;      /* … this; else NULL */
};

/* What is handed out when there is no memory for an error; reglet_error_free() knows it. */
static const reglet_error no_memory = {
    REGLET_ERR_NO_MEMORY, REGLET_DOMAIN_RUNTIME, 0, -1, "out of memory", NULL};

static reglet_error *static_error(void) {
    return (reglet_error *)(uintptr_t)&no_memory;
}

REGLET_PRINTF(6, 0)
static void make(reglet_error **err, reglet_status code, reglet_domain domain, int error_number,
                 ptrdiff_t offset, const char *format, va_list args) {
    if (!err)
        return;
    char text[MESSAGE_MAX];
    reglet__format_line_va(text, sizeof text, format, args);
    size_t size = reglet__clean_line_size(strlen(text));
    reglet_error *error = malloc(sizeof *error + size);
    if (!error) {
        *err = static_error();
        return;
    }
    error->code = code;
    error->domain = domain;
    error->error_number = error_number;
    error->offset = offset;
    char *message = (char *)(error + 1);
    reglet__clean_line(text, strlen(text), message, size);
    error->message = message;
    error->reworded = NULL;
    *err = error;
}

reglet_status reglet__fail(reglet_error **err, reglet_status code, reglet_domain domain, const char *format,
                           ...) {
    va_list args;
    va_start(args, format);
    make(err, code, domain, 0, -1, format, args);
    va_end(args);
    return code;
}

reglet_status reglet__fail_errno(reglet_error **err, reglet_status code, reglet_domain domain,
                                 int error_number, const char *format, ...) {
    va_list args;
    va_start(args, format);
    make(err, code, domain, error_number, -1, format, args);
    va_end(args);
    return code;
}

reglet_status reglet__fail_at(reglet_error **err, reglet_status code, reglet_domain domain, size_t offset,
                              const char *format, ...) {
    va_list args;
    va_start(args, format);
    make(err, code, domain, 0, (ptrdiff_t)offset, format, args);
    va_end(args);
    return code;
}

reglet_status reglet__fail_memory(reglet_error **err) {
    if (err)
        *err = static_error();
    return REGLET_ERR_NO_MEMORY;
}

bool reglet__errno_may_pass(int error_number) {
    return error_number == EMFILE || error_number == ENFILE || error_number == ENOMEM;
}

const char *reglet__errno_text(int error_number) {
    const char *text = strerrordesc_np(error_number);
    return text ? text : "unknown error";
}

reglet_status reglet_error_code(const reglet_error *error) {
    return error ? error->code : REGLET_OK;
}

reglet_domain reglet_error_domain(const reglet_error *error) {
    return error ? error->domain : REGLET_DOMAIN_RUNTIME;
}

const char *reglet_error_message(const reglet_error *error) {
    return error ? error->message : "";
}

int reglet_error_errno(const reglet_error *error) {
    return error ? error->error_number : 0;
}

ptrdiff_t reglet_error_offset(const reglet_error *error) {
    return error ? error->offset : -1;
}

void reglet__error_reword(reglet_error *error, const char *message) {
    static const char lost[] = "(lost: out of memory)";
    if (error == &no_memory)
        return;
    char *copy = strdup(message);
    free(error->reworded);
    error->reworded = copy;
    error->message = copy ? copy : lost;
}

void reglet_error_free(reglet_error *error) {
    if (!error || error == &no_memory)
        return;
    free(error->reworded);
    free(error);
}
