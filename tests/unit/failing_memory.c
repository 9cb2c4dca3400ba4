#include "tests/unit/failing_memory.h"

#include <stdatomic.h>
#include <stdlib.h>

/* The linker puts these in the place of the code's own calls (--wrap). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *memory, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t size);

#ifndef REGLET_SANITIZED
/* C++ asks for memory by these; also in shared libraries, which find them here. Those of the sanitizers stay. */
void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow); /* operator new */
void *_ZnamRKSt9nothrow_t(size_t size, const void *nothrow); /* operator new[] */
#endif

static atomic_bool armed;
static atomic_long left; /* until the one that fails; below 0: it has failed */
static atomic_bool array_failed;

void memory_fail_at(long n) {
    atomic_store(&left, n);
    atomic_store(&array_failed, false);
    atomic_store(&armed, true);
}

bool memory_has_failed(void) {
    atomic_store(&armed, false);
    return atomic_load(&left) < 0;
}

bool memory_failed_for_an_array(void) {
    return atomic_load(&array_failed);
}

static bool this_one_fails(void) {
    return atomic_load(&armed) && atomic_fetch_sub(&left, 1) == 0;
}

void *__wrap_malloc(size_t size) {
    return this_one_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size) {
    return this_one_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size) {
    return this_one_fails() ? NULL : __real_realloc(memory, size);
}

char *__wrap_strdup(const char *text) {
    return this_one_fails() ? NULL : __real_strdup(text);
}

char *__wrap_strndup(const char *text, size_t size) {
    return this_one_fails() ? NULL : __real_strndup(text, size);
}

#ifndef REGLET_SANITIZED
void *_ZnwmRKSt9nothrow_t(size_t size, const void *nothrow) {
    (void)nothrow;
    return this_one_fails() ? NULL : __real_malloc(size ? size : 1);
}

void *_ZnamRKSt9nothrow_t(size_t size, const void *nothrow) {
    void *memory = _ZnwmRKSt9nothrow_t(size, nothrow);
    if (!memory)
        atomic_store(&array_failed, true);
    return memory;
}
#endif
