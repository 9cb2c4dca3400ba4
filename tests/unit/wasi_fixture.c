#define _GNU_SOURCE
#include "tests/unit/wasi_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* --- the engine's side --- */

void *reglet__guest_state(struct reglet__guest *guest, enum reglet__room room) {
    return room == REGLET__ROOM_WASI ? guest->state : NULL;
}

const struct reglet__interrupt *reglet__guest_interrupt(struct reglet__guest *guest) {
    return &guest->interrupt;
}

void *reglet__guest_memory(struct reglet__guest *guest, uint32_t address, uint64_t size) {
    if (size > sizeof guest->memory || address > sizeof guest->memory - size)
        return NULL;
    return guest->memory + address;
}

bool reglet__guest_read(struct reglet__guest *guest, uint32_t address, void *out, uint32_t size) {
    void *memory = reglet__guest_memory(guest, address, size);
    if (memory)
        memcpy(out, memory, size);
    return memory != NULL;
}

bool reglet__guest_write(struct reglet__guest *guest, uint32_t address, const void *data, uint32_t size) {
    void *memory = reglet__guest_memory(guest, address, size);
    if (memory)
        memcpy(memory, data, size);
    return memory != NULL;
}

bool reglet__guest_write_u32(struct reglet__guest *guest, uint32_t address, uint32_t value) {
    return reglet__guest_write(guest, address, &value, sizeof value);
}

bool reglet__guest_write_u64(struct reglet__guest *guest, uint32_t address, uint64_t value) {
    return reglet__guest_write(guest, address, &value, sizeof value);
}

void reglet__guest_stop(struct reglet__guest *guest, reglet_status status, const char *format, ...) {
    if (guest->stop.status != REGLET_OK)
        return;
    guest->stop.status = status;
    va_list args;
    va_start(args, format);
    vsnprintf(guest->stop.message, sizeof guest->stop.message, format, args);
    va_end(args);
}

const char *reglet__guest_imported_name(const struct reglet__guest *guest) {
    (void)guest;
    return "a_function";
}

void reglet__guest_exit(struct reglet__guest *guest, uint32_t exit_code) {
    reglet__guest_stop(guest, REGLET_ERR_EXIT, "%s", "");
    guest->stop.exit_code = exit_code;
}

/* --- the world --- */

static void take_line(void *user_data, int stream, const char *text, size_t size) {
    struct world *world = user_data;
    reglet__buf_appendf(&world->lines, "%d:%.*s\n", stream, (int)size, text);
}

/* The temporary directory's own path is left out. */
static void take_allowed(struct world *world, const struct reglet__decided *decided) {
    size_t size = strlen(world->top);
    bool below = strncmp(decided->asked, world->top, size) == 0;
    reglet__buf_appendf(&world->allowed, "%s %s %s in %llu out %llu\n", decided->function, decided->kind,
                        below ? decided->asked + size : decided->asked, (unsigned long long)decided->bytes_in,
                        (unsigned long long)decided->bytes_out);
}

static void take_decision(void *user_data, const struct reglet__decided *decided) {
    struct world *world = user_data;
    if (decided->decision.allowed) {
        take_allowed(world, decided);
        return;
    }
    _cleanup_free_ char *phrase = reglet__decided_phrase(decided);
    assert_non_null(phrase);
    reglet__buf_appendf(&world->denials, "%s|%s|%s\n", phrase, decided->grant ? decided->grant : "",
                        decided->decision.reason);
}

static void take_cut(void *user_data, const char *line) {
    struct world *world = user_data;
    reglet__buf_appendf(&world->lines, "cut:%s\n", line);
}

int world_setup(void **state) {
    struct world *world = calloc(1, sizeof *world);
    assert_non_null(world);
    strcpy(world->top, "/tmp/reglet-wasi-XXXXXX");
    assert_non_null(mkdtemp(world->top));
    world->lines.max = world->denials.max = world->allowed.max = 1 << 24;
    world->guest = calloc(1, sizeof *world->guest);
    assert_non_null(world->guest);
    assert_int_equal(reglet__policy_new(&world->policy), REGLET_OK);
    assert_int_equal(reglet__wasi_host_get(&world->options.host, NULL), REGLET_OK);
    world->options.policy = world->policy;
    world->options.root_preopen = true;
    memset(world->quotas.limits, 0xff, sizeof world->quotas.limits); /* unlimited */
    world->quotas.limits[REGLET__QUOTA_OPEN_FILES] = REGLET__DEFAULT_OPEN_FILES;
    world->quotas.cut = take_cut;
    world->quotas.user_data = world;
    world->options.quotas = &world->quotas;
    world->options.sink = (struct reglet__wasi_sink){.line = take_line, .user_data = world};
    world->decisions.sink = (struct reglet__decided_sink){take_decision, world, true};
    world->options.decisions = &world->decisions;
    *state = world;
    return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)type;
    (void)ftw;
    return remove(path);
}

int world_teardown(void **state) {
    struct world *world = *state;
    reglet__wasi_free(world->wasi);
    reglet__policy_free(world->policy);
    nftw(world->top, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    reglet__buf_free(&world->lines);
    reglet__buf_free(&world->denials);
    reglet__buf_free(&world->allowed);
    free(world->guest);
    free(world);
    return 0;
}

/* Puts `top` in for "$". */
static void expand(const char *text, const char *top, char *out, size_t size) {
    const char *mark = strchr(text, '$');
    int before = mark ? (int)(mark - text) : (int)strlen(text);
    int length = snprintf(out, size, "%.*s%s%s", before, text, mark ? top : "", mark ? mark + 1 : "");
    assert_in_range(length, 0, size - 1);
}

void world_grant(struct world *world, const char *capability) {
    char text[512];
    struct reglet__capability *parsed;
    expand(capability, world->top, text, sizeof text);
    assert_int_equal(reglet__capability_parse(text, &parsed, NULL), REGLET_OK);
    if (reglet__capability_kind(parsed) == REGLET__KIND_FS)
        assert_int_equal(reglet__wasi_resolve_grant(parsed, "/", NULL), REGLET_OK);
    assert_int_equal(reglet__policy_grant(world->policy, parsed), REGLET_OK);
}

void world_start(struct world *world) {
    reglet__wasi_free(world->wasi);
    world->wasi = NULL;
    assert_int_equal(reglet__wasi_new(&world->options, &world->wasi), REGLET_OK);
    world->guest->state = world->wasi;
    world->guest->interrupt.deadline = reglet__deadline_after_ms(20000);
    world->guest->stop = (struct reglet__stop){.status = REGLET_OK};
}

const char *host_path(struct world *world, const char *path) {
    static char full[512];
    snprintf(full, sizeof full, "%s/%s", world->top, path);
    return full;
}

void host_mkdir(struct world *world, const char *path) {
    assert_int_equal(mkdir(host_path(world, path), 0755), 0);
}

void host_write(struct world *world, const char *path, const char *content) {
    FILE *file = fopen(host_path(world, path), "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

void host_symlink(struct world *world, const char *target, const char *path) {
    char text[512];
    expand(target, world->top, text, sizeof text);
    assert_int_equal(symlink(text, host_path(world, path)), 0);
}

char *host_read(struct world *world, const char *path) {
    static char content[256];
    memset(content, 0, sizeof content);
    _cleanup_fd_ int fd = open(host_path(world, path), O_RDONLY | O_CLOEXEC);
    if (fd >= 0)
        assert_true(read(fd, content, sizeof content - 1) >= 0);
    return content;
}

bool host_exists(struct world *world, const char *path) {
    struct stat st;
    return lstat(host_path(world, path), &st) == 0;
}

/* --- the guest's side --- */

int call(struct world *world, reglet__host_function function, const uint64_t args[9]) {
    union reglet__slot slots[9];
    if (!world->wasi)
        world_start(world);
    for (size_t i = 0; i < ARRAY_LEN(slots); i++)
        slots[i].u64 = args[i];
    return function(world->guest, slots) ? slots[0].i32 : -1;
}

uint32_t put_path(struct world *world, uint32_t address, const char *path) {
    char text[8192];
    expand(path, world->top + 1, text, sizeof text);
    uint32_t size = (uint32_t)strlen(text);
    assert_true(reglet__guest_write(world->guest, address, text, size));
    return size;
}

uint32_t result_u32(struct world *world) {
    uint32_t value = 0;
    assert_true(reglet__guest_read(world->guest, AT_RESULT, &value, sizeof value));
    return value;
}

uint64_t result_u64(struct world *world, uint32_t address) {
    uint64_t value = 0;
    assert_true(reglet__guest_read(world->guest, address, &value, sizeof value));
    return value;
}

int guest_open(struct world *world, uint32_t directory, const char *path, uint32_t oflags, uint64_t rights,
               uint32_t fdflags, uint32_t *fd) {
    uint32_t size = put_path(world, AT_PATH, path);
    int error = CALL(world, path_open, directory, WASI_LOOKUP_SYMLINK_FOLLOW, AT_PATH, size, oflags, rights,
                     WASI_RIGHTS_ALL, fdflags, AT_RESULT);
    *fd = result_u32(world);
    return error;
}

static void put_buffer(struct world *world, uint32_t size) {
    uint32_t list[2] = {AT_BUFFER, size};
    assert_true(reglet__guest_write(world->guest, AT_LIST, list, sizeof list));
}

int guest_write(struct world *world, uint32_t fd, const char *text) {
    put_buffer(world, (uint32_t)strlen(text));
    assert_true(reglet__guest_write(world->guest, AT_BUFFER, text, (uint32_t)strlen(text)));
    return CALL(world, fd_write, fd, AT_LIST, 1, AT_RESULT);
}

int guest_read(struct world *world, uint32_t fd, char *out, size_t size) {
    put_buffer(world, (uint32_t)size - 1);
    memset(out, 0, size);
    int error = CALL(world, fd_read, fd, AT_LIST, 1, AT_RESULT);
    if (!error)
        assert_true(reglet__guest_read(world->guest, AT_BUFFER, out, result_u32(world)));
    return error;
}

int guest_read_path(struct world *world, const char *path, char *out, size_t size) {
    uint32_t fd;
    memset(out, 0, size);
    int error = guest_open(world, ROOT, path, 0, READ_RIGHTS, 0, &fd);
    if (error)
        return error;
    error = guest_read(world, fd, out, size);
    assert_int_equal(CALL(world, fd_close, fd), 0);
    return error;
}

int guest_stat(struct world *world, const char *path, bool follow) {
    uint32_t size = put_path(world, AT_PATH, path);
    return CALL(world, path_filestat_get, ROOT, follow ? WASI_LOOKUP_SYMLINK_FOLLOW : 0, AT_PATH, size,
                AT_STAT);
}

int guest_one(struct world *world, reglet__host_function function, const char *path) {
    uint32_t size = put_path(world, AT_PATH, path);
    return call(world, function, (const uint64_t[9]){ROOT, AT_PATH, size});
}

int guest_rename(struct world *world, const char *from, const char *to) {
    uint32_t size = put_path(world, AT_PATH, from), other = put_path(world, AT_OTHER_PATH, to);
    return CALL(world, path_rename, ROOT, AT_PATH, size, ROOT, AT_OTHER_PATH, other);
}

int guest_link(struct world *world, const char *from, const char *to) {
    uint32_t size = put_path(world, AT_PATH, from), other = put_path(world, AT_OTHER_PATH, to);
    return CALL(world, path_link, ROOT, 0, AT_PATH, size, ROOT, AT_OTHER_PATH, other);
}

int guest_symlink(struct world *world, const char *target, const char *path) {
    uint32_t size = put_path(world, AT_PATH, target), other = put_path(world, AT_OTHER_PATH, path);
    return CALL(world, path_symlink, AT_PATH, size, ROOT, AT_OTHER_PATH, other);
}

int guest_readlink(struct world *world, const char *path, char *out, size_t size) {
    uint32_t length = put_path(world, AT_PATH, path);
    memset(out, 0, size);
    int error = CALL(world, path_readlink, ROOT, AT_PATH, length, AT_BUFFER, size - 1, AT_RESULT);
    if (!error)
        assert_true(reglet__guest_read(world->guest, AT_BUFFER, out, result_u32(world)));
    return error;
}

static int compare(const void *a, const void *b) {
    return strcmp(a, b);
}

/* Takes the whole entries out of one buffer; returns the cookie behind the last one. */
static uint64_t take_entries(struct world *world, uint32_t used, uint64_t cookie, char names[][256],
                             size_t *count) {
    const unsigned char *memory = world->guest->memory + AT_BUFFER;
    for (uint32_t at = 0; at + WASI_DIRENT_SIZE <= used;) {
        uint32_t length;
        memcpy(&length, memory + at + WASI_DIRENT_NAMLEN, sizeof length);
        if (at + WASI_DIRENT_SIZE + length > used)
            break;
        memcpy(&cookie, memory + at, sizeof cookie);
        assert_in_range(length, 1, 255);
        memcpy(names[*count], memory + at + WASI_DIRENT_SIZE, length);
        names[(*count)++][length] = '\0';
        at += WASI_DIRENT_SIZE + length;
    }
    return cookie;
}

int guest_list(struct world *world, uint32_t fd, uint32_t step, char *out, size_t size) {
    static char names[2048][256];
    size_t count = 0, length = 0;
    uint64_t cookie = 0;
    for (;;) {
        int error = CALL(world, fd_readdir, fd, AT_BUFFER, step, cookie, AT_RESULT);
        if (error)
            return error;
        assert_in_range(result_u32(world), 0, step);
        cookie = take_entries(world, result_u32(world), cookie, names, &count);
        if (result_u32(world) < step)
            break;
    }
    qsort(names, count, sizeof names[0], compare);
    out[0] = '\0';
    for (size_t i = 0; i < count && length < size; i++)
        length += (size_t)snprintf(out + length, size - length, "%s ", names[i]);
    return 0;
}
