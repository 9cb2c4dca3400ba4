#define _GNU_SOURCE
#include "util/secret.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "util/fail.h"
#include "util/sys.h"

/* In whole pages; 0 when that is more than there can be. */
static size_t rounded(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return size > SIZE_MAX - page ? 0 : (size + page - 1) / page * page;
}

static reglet_status fail_lock(reglet_error **err, size_t size, int error) {
    struct rlimit limit = {0};
    getrlimit(RLIMIT_MEMLOCK, &limit);
    return reglet__fail_errno(
        err, REGLET_ERR_IO, REGLET_DOMAIN_RUNTIME, error,
        "cannot lock %zu bytes of memory for secrets: %s; the limit on locked memory "
        "(RLIMIT_MEMLOCK, `ulimit -l`) is %llu bytes: raise it, or name fewer or shorter secrets",
        size, reglet__errno_text(error), (unsigned long long)limit.rlim_cur);
}

reglet_status reglet__secret_new(size_t size, void **out, reglet_error **err) {
    size_t length = rounded(size ? size : 1);
    void *memory =
        length ? mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) : MAP_FAILED;
    if (memory == MAP_FAILED)
        return reglet__fail_memory(err);
    if (reglet__sys_mlock(memory, length) == 0 && madvise(memory, length, MADV_DONTDUMP) == 0) {
        *out = memory;
        return REGLET_OK;
    }
    int error = errno;
    munmap(memory, length);
    return fail_lock(err, length, error);
}

void reglet__secret_free(void *memory, size_t size) {
    if (!memory)
        return;
    size_t length = rounded(size ? size : 1);
    explicit_bzero(memory, length);
    munmap(memory, length);
}
