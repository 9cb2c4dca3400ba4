/*
 * The first byte is a letter that names a function of the module "reglet_host"; the rest is the request's bytes, in which
 * each "$" stands for a temporary directory. A small letter asks where nothing is granted, a capital one where a few harmless
 * things are.
 *
 * Whatever the input is: the answer is a JSON object that cannot steer a terminal, and its error is of a known type, with one
 * clean line; a refusal is reported, with a grant that can be written; nothing is left open. Without grants nothing is
 * reached; with them, no file but the granted ones, and no server, because none listens there.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "abi/json.h"
#include "fuzz/fuzz.h"
#include "host/host.h"
#include "util/cleanup.h"
#include "util/text.h"

/* --- A guest that is an array ----------------------------------------------------------------------------- */

enum { REQUEST_AT = 16, INPUT_MAX = 1 << 20 };

/* What the engine would be. The array ends where the request does, and moves when a response is given. */
struct reglet__guest {
    unsigned char *memory;
    size_t size;
    const char *imported_name;
    void *states[REGLET__ROOM_COUNT];
    struct reglet__interrupt interrupt;
    struct reglet__stop stop;
};

void *reglet__guest_state(struct reglet__guest *guest, enum reglet__room room) {
    return guest->states[room];
}

const struct reglet__interrupt *reglet__guest_interrupt(struct reglet__guest *guest) {
    return &guest->interrupt;
}

const char *reglet__guest_imported_name(const struct reglet__guest *guest) {
    return guest->imported_name;
}

void *reglet__guest_memory(struct reglet__guest *guest, uint32_t address, uint64_t size) {
    return address > guest->size || size > guest->size - address ? NULL : guest->memory + address;
}

reglet_status reglet__guest_give(struct reglet__guest *guest, const void *data, uint32_t size,
                                 uint32_t *address, uint32_t *exit_code, reglet_error **err) {
    (void)exit_code;
    (void)err;
    unsigned char *moved = malloc(guest->size + size);
    REQUIRE(moved);
    memcpy(moved, guest->memory, guest->size);
    memcpy(moved + guest->size, data, size);
    free(guest->memory);
    guest->memory = moved;
    *address = (uint32_t)guest->size;
    guest->size += size;
    return REGLET_OK;
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

/* For functions of preview1, which nobody calls here. */
bool reglet__guest_read(struct reglet__guest *guest, uint32_t address, void *out, uint32_t size) {
    (void)guest, (void)address, (void)out, (void)size;
    abort();
}

bool reglet__guest_write(struct reglet__guest *guest, uint32_t address, const void *data, uint32_t size) {
    (void)guest, (void)address, (void)data, (void)size;
    abort();
}

bool reglet__guest_write_u32(struct reglet__guest *guest, uint32_t address, uint32_t value) {
    return reglet__guest_write(guest, address, &value, sizeof value);
}

bool reglet__guest_write_u64(struct reglet__guest *guest, uint32_t address, uint64_t value) {
    return reglet__guest_write(guest, address, &value, sizeof value);
}

void reglet__guest_exit(struct reglet__guest *guest, uint32_t exit_code) {
    (void)guest, (void)exit_code;
    abort();
}

/* --- The surroundings ------------------------------------------------------------------------------------- */

/* Made once, for all inputs. */
static struct {
    char top[64]; /* a temporary directory's real path */
    char readable[80], writable[80];
    struct reglet__host_setup *setup;
    struct reglet__policy *nothing, *something;
    const struct reglet__wasi_host *wasi_host;
} world;

static const char *const environment[] = {"HOME=/home/\xFF\x1B[2J", "PATH=/usr/bin:/bin", "SECRET=s"};

/* A function of an embedding program: {"key"} -> {"key"}. */
static reglet_status kv_ask(void *user_data, reglet_host_call *call) {
    (void)user_data;
    struct reglet__json_fault fault;
    struct reglet__json *root = NULL;
    _cleanup_arena_ struct reglet__arena arena = {0};
    size_t size = 0;
    const char *bytes = reglet_host_call_request(call, &size);
    REQUIRE(reglet__json_read(&arena, bytes, size, &root, &fault) == REGLET_OK);
    const struct reglet__json *key = reglet__json_get(root, "key");
    if (!key || key->type != REGLET__JSON_STRING)
        return REGLET_OK; /* asks for nothing */
    if (strlen(key->text) != key->size)
        return reglet_host_call_fail(call, "validation", "EINVAL", key->text);
    return reglet_host_call_ask(call, key->text);
}

static reglet_status kv_serve(void *user_data, reglet_host_call *call) {
    (void)user_data;
    return reglet_host_call_respond(call, "{\"served\":true}", strlen("{\"served\":true}"));
}

static void grant(const char *kind, const char *pattern) {
    char text[256];
    struct reglet__capability *parsed = NULL;
    snprintf(text, sizeof text, "%s%s", kind, pattern);
    REQUIRE(reglet__capability_parse(text, &parsed, NULL) == REGLET_OK);
    if (reglet__capability_kind(parsed) == REGLET__KIND_FS)
        REQUIRE(reglet__wasi_resolve_grant(parsed, "/", NULL) == REGLET_OK);
    REQUIRE(reglet__policy_grant(world.something, parsed) == REGLET_OK);
}

static void write_readable(void) {
    FILE *file = fopen(world.readable, "we");
    REQUIRE(file && fputs("what may be read", file) >= 0 && fclose(file) == 0);
}

static void remove_top(void) {
    unlink(world.readable);
    unlink(world.writable);
    rmdir(world.top);
}

static void make_world(void) {
    strcpy(world.top, "/tmp/reglet-fuzz-XXXXXX");
    REQUIRE(mkdtemp(world.top));
    snprintf(world.readable, sizeof world.readable, "%s/r", world.top);
    snprintf(world.writable, sizeof world.writable, "%s/w", world.top);
    write_readable();
    REQUIRE(atexit(remove_top) == 0);

    reglet_host_function function = REGLET_HOST_FUNCTION_INIT;
    function.name = "kv";
    function.kind = "kv";
    function.ask = kv_ask;
    function.serve = kv_serve;
    const struct reglet__host_setup_options options = {
        .host_version = "0", .nameservers = "127.0.0.1:1", .functions = &function, .function_count = 1};
    REQUIRE(reglet__host_setup_new(&options, &world.setup, NULL) == REGLET_OK);
    REQUIRE(reglet__wasi_host_get(&world.wasi_host, NULL) == REGLET_OK);
    REQUIRE(reglet__policy_new(&world.nothing) == REGLET_OK);
    REQUIRE(reglet__policy_new(&world.something) == REGLET_OK);
    grant("env:", "HOME");
    grant("fs:read:", world.readable);
    grant("fs:write:", world.writable);
    grant("kv:read:", "**");
    grant("network:outbound:", "127.0.0.1:1"); /* nothing listens there */
    grant("network:outbound:", "*.example:1"); /* no name is known there */
}

/* --- What must hold --------------------------------------------------------------------------------------- */

/* One request and what became of it. */
struct visit {
    const char *function;
    bool granted;
    unsigned reports;
    const struct reglet__json *request; /* or NULL: it is none */
};

static void require_clean(const char *text, size_t size) {
    for (size_t i = 0, length; i < size; i += length) {
        unsigned c = 0;
        length = reglet__utf8_decode(text + i, size - i, &c);
        REQUIRE(length > 0 && !reglet__steers_a_terminal(c));
    }
}

static void require_clean_string(const char *text) {
    REQUIRE(text);
    require_clean(text, strlen(text));
}

static void on_log(void *user_data, reglet_log_event *event) {
    (void)user_data;
    require_clean_string(event->message);
    if (event->request_id)
        require_clean_string(event->request_id);
    for (size_t i = 0; i < event->attr_count; i++) {
        require_clean_string(event->attrs[i].key);
        require_clean_string(event->attrs[i].type);
        require_clean_string(event->attrs[i].value);
    }
}

static void on_decided(void *user_data, const struct reglet__decided *decided) {
    struct visit *visit = user_data;
    struct reglet__capability *capability = NULL;
    REQUIRE(decided->function && decided->asked && decided->duration_ns >= 0);
    REQUIRE(decided->decision.allowed == !decided->decision.reason);
    REQUIRE(!decided->decision.allowed || visit->granted);
    if (decided->decision.allowed || decided->is_question)
        return;
    visit->reports++;
    require_clean_string(decided->decision.reason);
    if (decided->grant)
        REQUIRE(reglet__capability_parse(decided->grant, &capability, NULL) == REGLET_OK);
    reglet__capability_free(capability);
}

static void on_line(void *user_data, int stream, const char *text, size_t size) {
    (void)user_data, (void)stream, (void)text, (void)size;
    abort(); /* nothing writes to stdout */
}

static const char *member_text(const struct reglet__json *object, const char *key) {
    const struct reglet__json *value = reglet__json_get(object, key);
    REQUIRE(value && value->type == REGLET__JSON_STRING && value->size > 0);
    require_clean(value->text, value->size);
    return value->text;
}

static void check_error(const struct visit *visit, const struct reglet__json *error) {
    static const char *const types[] = {"network",    "timeout",   "config", "capability", "ssrf_protection",
                                        "validation", "execution", "exec",   "panic",      "internal"};
    bool known = false;
    const char *type = member_text(error, "type");
    member_text(error, "message");
    member_text(error, "code");
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        known |= strcmp(types[i], type) == 0;
    REQUIRE(known);
    bool refused = strcmp(type, "capability") == 0 || strcmp(type, "ssrf_protection") == 0;
    REQUIRE(!refused || visit->reports > 0);
}

static bool is_true(const struct reglet__json *object, const char *key) {
    const struct reglet__json *value = reglet__json_get(object, key);
    return value && value->type == REGLET__JSON_TRUE;
}

/* A file was reached: that one, whatever the path looks like. */
static void require_path(const struct visit *visit, const char *allowed) {
    char real[PATH_MAX];
    REQUIRE(visit->granted && realpath(member_text(visit->request, "path"), real));
    REQUIRE(strcmp(real, allowed) == 0);
}

/* What was looked at is a granted file, or leads to one. */
static void require_way(const struct visit *visit) {
    char real[PATH_MAX];
    REQUIRE(visit->granted && realpath(member_text(visit->request, "path"), real));
    size_t size = strcmp(real, "/") == 0 ? 0 : strlen(real);
    bool way = strncmp(world.top, real, size) == 0 && strchr("/", world.top[size]);
    REQUIRE(way || strcmp(real, world.readable) == 0 || strcmp(real, world.writable) == 0);
}

static void check_reach(const struct visit *visit, const struct reglet__json *response) {
    static const char *const never[] = {"exit_code", "stdout",      "status_code",
                                        "banner",    "tls_version", "data"};
    static const char *const granted[] = {"records", "mx_records", "served", "found", "value", "resolved_ip"};
    for (size_t i = 0; i < ARRAY_LEN(never); i++)
        REQUIRE(!reglet__json_get(response, never[i]));
    for (size_t i = 0; i < ARRAY_LEN(granted); i++)
        REQUIRE(visit->granted || !reglet__json_get(response, granted[i]));
    REQUIRE(!is_true(response, "connected"));
    if (reglet__json_get(response, "content"))
        require_path(visit, world.readable);
    if (reglet__json_get(response, "written"))
        require_path(visit, world.writable);
    if (is_true(response, "exists"))
        require_way(visit);
    if (reglet__json_get(response, "found"))
        REQUIRE(strcmp(member_text(visit->request, "name"), "HOME") == 0);
}

static void check_response(const struct visit *visit, const char *text, size_t size) {
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__json_fault fault;
    struct reglet__json *response = NULL;
    require_clean(text, size);
    REQUIRE(reglet__json_read(&arena, text, size, &response, &fault) == REGLET_OK);
    REQUIRE(response->type == REGLET__JSON_OBJECT);
    const struct reglet__json *error = reglet__json_get(response, "error");
    if (error)
        check_error(visit, error);
    bool only_tells = strcmp(visit->function, "ssrf_check") == 0;
    REQUIRE(error || visit->granted || (only_tells && reglet__json_get(response, "allowed")));
    REQUIRE(visit->granted || !is_true(response, "allowed"));
    check_reach(visit, response);
}

static unsigned count_entries(const char *path) {
    _cleanup_closed_ DIR *directory = opendir(path);
    unsigned count = 0;
    REQUIRE(directory);
    while (readdir(directory))
        count++;
    return count;
}

/* The granted file as it was; the other one may have been written, and nothing stands beside them. */
static void check_files(void) {
    struct stat st;
    REQUIRE(stat(world.readable, &st) == 0 && st.st_size == (off_t)strlen("what may be read"));
    unlink(world.writable);
    REQUIRE(count_entries(world.top) == 3); /* with "." and ".." */
}

/* --- One input -------------------------------------------------------------------------------------------- */

/* By the letters from "a" on; what an input means stays when a function is added at the end. */
static const char *const functions[] = {"dns_lookup", "env_get",     "exec_command", "exec_run",
                                        "fs_read",    "fs_stat",     "fs_write",     "http_request",
                                        "kv",         "log_message", "net_connect",  "smtp_connect",
                                        "ssrf_check", "tcp_connect", "not_there"};

static const struct reglet__import *find_import(const char *name) {
    const struct reglet__import *import = reglet__host_imports;
    while (import->name && strcmp(import->name, name) != 0)
        import++;
    return import; /* the last one has no name, and serves every other */
}

static void require_all_named(void) {
    for (size_t i = 0; i < reglet__host_import_count; i++) {
        bool named = !reglet__host_imports[i].name;
        for (size_t j = 0; j < ARRAY_LEN(functions) && !named; j++)
            named = strcmp(functions[j], reglet__host_imports[i].name) == 0;
        REQUIRE(named);
    }
}

/* Puts the request, with the directory for each "$", into the guest's memory. */
static void put_request(struct reglet__guest *guest, const uint8_t *data, size_t size) {
    size_t top_size = strlen(world.top);
    guest->memory = malloc(REQUEST_AT + size * top_size + 1);
    REQUIRE(guest->memory);
    memset(guest->memory, 0, REQUEST_AT);
    guest->size = REQUEST_AT;
    for (size_t i = 0; i < size; i++) {
        bool mark = data[i] == '$';
        memcpy(guest->memory + guest->size, mark ? (const void *)world.top : &data[i], mark ? top_size : 1);
        guest->size += mark ? top_size : 1;
    }
    guest->memory = realloc(guest->memory, guest->size); /* so that a read past the end is seen */
    REQUIRE(guest->memory);
}

static void call(struct reglet__guest *guest, struct visit *visit) {
    const struct reglet__import *import = find_import(visit->function);
    uint32_t size = (uint32_t)(guest->size - REQUEST_AT);
    union reglet__slot slot = {.u64 = (uint64_t)REQUEST_AT << 32 | size};
    bool answers = import->signature[strlen(import->signature) - 1] != '>';
    guest->imported_name = visit->function;
    /* Without grants nothing waits, so that only a fault could make it last. */
    guest->interrupt.deadline = reglet__deadline_after_ms(visit->granted ? 50 : 20000);
    bool goes_on = import->function(guest, &slot);
    REQUIRE(goes_on == (guest->stop.status == REGLET_OK));
    REQUIRE(goes_on || (visit->granted && guest->stop.status == REGLET_ERR_TIMEOUT &&
                        reglet__interrupt_check(&guest->interrupt) == REGLET_ERR_TIMEOUT));
    if (!goes_on || !answers)
        return;
    uint32_t address = (uint32_t)(slot.u64 >> 32), length = (uint32_t)slot.u64;
    const char *response = reglet__guest_memory(guest, address, length);
    REQUIRE(response && length > 0);
    check_response(visit, response, length);
}

static void visit_function(const char *function, bool granted, const uint8_t *data, size_t size) {
    _cleanup_arena_ struct reglet__arena arena = {0};
    struct reglet__json_fault fault;
    struct reglet__json *request = NULL;
    struct visit visit = {.function = function, .granted = granted};
    const struct reglet__policy *policy = granted ? world.something : world.nothing;
    struct reglet__quotas quotas = {.used = {0}};
    memset(quotas.limits, 0xff, sizeof quotas.limits); /* unlimited */
    struct reglet__decisions decisions = {.sink = {on_decided, &visit, true}};
    const struct reglet__wasi_options options = {.host = world.wasi_host,
                                                 .policy = policy,
                                                 .root_preopen = true,
                                                 .quotas = &quotas,
                                                 .sink = {on_line, &visit},
                                                 .decisions = &decisions};
    struct reglet__host host = {.setup = world.setup,
                                .policy = policy,
                                .plugin = "fuzz",
                                .environment = environment,
                                .environment_count = ARRAY_LEN(environment),
                                .quotas = &quotas,
                                .log = on_log,
                                .user_data = &visit,
                                .decisions = &decisions};
    REQUIRE(reglet__wasi_new(&options, &host.wasi) == REGLET_OK);
    struct reglet__guest guest = {.states = {[REGLET__ROOM_WASI] = host.wasi, [REGLET__ROOM_HOST] = &host}};
    put_request(&guest, data, size);
    if (reglet__json_read(&arena, (const char *)guest.memory + REQUEST_AT, guest.size - REQUEST_AT, &request,
                          &fault) == REGLET_OK)
        visit.request = request;
    call(&guest, &visit);
    free(guest.memory);
    reglet__wasi_free(host.wasi);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!world.setup) {
        make_world();
        require_all_named();
    }
    if (size == 0 || size > INPUT_MAX)
        return 0;
    enum { CASE = 0x20 };
    const char *function = functions[((data[0] | CASE) - (unsigned)'a') % ARRAY_LEN(functions)];
    unsigned open_before = count_entries("/proc/self/fd");
    visit_function(function, !(data[0] & CASE), data + 1, size - 1);
    REQUIRE(count_entries("/proc/self/fd") == open_before);
    check_files();
    return 0;
}
