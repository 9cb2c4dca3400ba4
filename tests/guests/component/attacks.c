/*
 * attacks.c - what a hostile component tries: by the name in its config ({"do": "loop"}), or at once, where it is built with
 * INITIALIZES, DESCRIBES or SCHEMA set to a name.
 */
#define _GNU_SOURCE
#include "component/probe.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

typedef exports_reglet_plugin_plugin_evidence_t evidence_t;
static evidence_t evidence;

enum { MIB = 1 << 20, OUTSIDE = 0x7ffffff0 };

static uint8_t *at(uint32_t address) {
    return (uint8_t *)(uintptr_t)address;
}

static uint8_t *filled(size_t size, char with) {
    uint8_t *bytes = malloc(size);
    if (!bytes)
        abort();
    return memset(bytes, with, size);
}

/* ---- Time ---------------------------------------------------------------------------------------------------- */

static void loop(void) {
    for (volatile bool again = true; again;)
        ;
}

static void sleep_through_libc(void) {
    nanosleep(&(struct timespec){.tv_sec = 1000000}, NULL);
}

static void block(void) {
    wasi_io_poll_own_pollable_t pollable = wasi_clocks_monotonic_clock_subscribe_duration(UINT64_MAX);
    wasi_io_poll_method_pollable_block(wasi_io_poll_borrow_pollable(pollable));
}

static void poll_many(void) {
    static wasi_io_poll_borrow_pollable_t borrowed[100];
    wasi_io_poll_list_borrow_pollable_t list = {borrowed, 100};
    probe_list_u32_t ready;
    for (size_t i = 0; i < 100; i++)
        borrowed[i] =
            wasi_io_poll_borrow_pollable(wasi_clocks_monotonic_clock_subscribe_instant(UINT64_MAX - i));
    wasi_io_poll_poll(&list, &ready);
}

/* Two that are ready and one that is not. */
static void poll_ready(void) {
    wasi_io_poll_borrow_pollable_t list[3] = {
        wasi_io_poll_borrow_pollable(wasi_clocks_monotonic_clock_subscribe_duration(0)),
        wasi_io_poll_borrow_pollable(wasi_clocks_monotonic_clock_subscribe_duration(UINT64_MAX)),
        wasi_io_poll_borrow_pollable(wasi_io_streams_method_output_stream_subscribe(
            wasi_io_streams_borrow_output_stream(wasi_cli_stdout_get_stdout())))};
    probe_list_u32_t ready;
    wasi_io_poll_poll(&(wasi_io_poll_list_borrow_pollable_t){list, 3}, &ready);
    put_number("count", ready.len);
    put_number("first", ready.ptr[0]);
    put_number("second", ready.ptr[1]);
    put_bool("never", wasi_io_poll_method_pollable_ready(list[1]));
}

/* Ten milliseconds, and how many they were. */
static void nap(void) {
    uint64_t before = wasi_clocks_monotonic_clock_now();
    wasi_io_poll_method_pollable_block(
        wasi_io_poll_borrow_pollable(wasi_clocks_monotonic_clock_subscribe_duration(10000000)));
    put_bool("slept", wasi_clocks_monotonic_clock_now() - before >= 10000000);
    put_bool("resolution", wasi_clocks_monotonic_clock_resolution() > 0);
    wasi_clocks_wall_clock_datetime_t now;
    wasi_clocks_wall_clock_now(&now);
    put_bool("dated", now.seconds > 1700000000 && now.nanoseconds < 1000000000);
}

static void poll_nothing(void) {
    probe_list_u32_t ready;
    wasi_io_poll_poll(&(wasi_io_poll_list_borrow_pollable_t){0}, &ready);
}

static void ask_slowly(void) {
    text_t name = text("slow"), request = text("{}"), response;
    reglet_plugin_host_host_error_t error;
    reglet_plugin_host_call(&name, &request, &response, &error);
}

/* ---- Space --------------------------------------------------------------------------------------------------- */

static void grow(void) {
    while (__builtin_wasm_memory_grow(0, 16) != (size_t)-1)
        ;
    __builtin_trap();
}

static void grow_and_live(void) {
    put_bool("refused", __builtin_wasm_memory_grow(0, 60000) == (size_t)-1);
}

/* On the engine's stack alone: the one that C has in memory would run out first. */
static int64_t deeper(int64_t depth) {
    if (depth == INT64_MAX)
        return 0;
    int64_t below = deeper(depth + 1);
    __asm__ volatile("" : "+r"(below));
    return below + depth;
}

static void recurse(void) {
    put_number("depth", (uint64_t)deeper(0));
}

static void trap(void) {
    __builtin_trap();
}

/* ---- Results that lie ---------------------------------------------------------------------------------------- */

static void raw_is(uint8_t *bytes, size_t size) {
    evidence.raw.is_some = true;
    evidence.raw.val = (text_t){bytes, size};
}

static void text_outside(void) {
    raw_is(at(OUTSIDE), 16);
}

static void text_past_end(void) {
    raw_is(at((uint32_t)__builtin_wasm_memory_size(0) * 65536 - 8), 16);
}

static void text_wraps(void) {
    raw_is(at(0xfffffff0), 0x30);
}

static void text_of_4_gib(void) {
    raw_is(at(16), 0xffffffff);
}

static void list_outside(void) {
    evidence.data.ptr = (void *)at(OUTSIDE);
    evidence.data.len = 1;
}

static void list_unaligned(void) {
    evidence.data.ptr = (void *)at(1025);
    evidence.data.len = 1;
}

/* 24 bytes each: 2^32 of them and a little more. */
static void list_wraps(void) {
    evidence.data.ptr = (void *)at(1024);
    evidence.data.len = 0x0aaaaaab;
}

static void list_of_4_gib(void) {
    evidence.data.ptr = (void *)at(1024);
    evidence.data.len = 0xffffffff;
}

/* A little memory told over and over. */
static void amplify_texts(void) {
    text_t *texts = malloc(10000 * sizeof *texts), mebibyte = {filled(MIB, 'a'), MIB};
    for (size_t i = 0; i < 10000; i++)
        texts[i] = mebibyte;
    put_texts("texts", texts, 10000);
}

static void amplify_lists(void) {
    value_t list = {.tag = REGLET_PLUGIN_TYPES_VALUE_LIST};
    list.val.list.len = 10000;
    list.val.list.ptr = calloc(list.val.list.len, sizeof *list.val.list.ptr);
    reglet_plugin_types_scalar_t *scalars = calloc(100000, sizeof *scalars);
    for (size_t i = 0; i < list.val.list.len; i++) {
        list.val.list.ptr[i].tag = REGLET_PLUGIN_TYPES_ITEM_LIST;
        list.val.list.ptr[i].val.list.ptr = scalars;
        list.val.list.ptr[i].val.list.len = 100000;
    }
    put("lists", list);
}

/* Below what may be handed over; as JSON each byte is six. */
static void amplify_escapes(void) {
    raw_is(filled(20 * MIB, '\x01'), 20 * MIB);
}

static void values_1500000(void) {
    value_t list = {.tag = REGLET_PLUGIN_TYPES_VALUE_LIST};
    list.val.list.len = 1500001;
    list.val.list.ptr = calloc(list.val.list.len, sizeof *list.val.list.ptr);
    for (size_t i = 0; i < list.val.list.len; i++)
        list.val.list.ptr[i].tag = REGLET_PLUGIN_TYPES_ITEM_BOOL;
    put("values", list);
}

static void text_of_2_mib(void) {
    put_text("text", (text_t){filled(2 * MIB, 'a'), 2 * MIB});
}

static void no_utf8(void) {
    put_text("text", text("a\xff\xc0\xaf"));
}

static void no_utf8_name(void) {
    put_bool("a\xed\xa0\x80", true);
}

static void tag_of_no_case(void) {
    put("value", (value_t){.tag = 99});
}

static void nan(void) {
    put_float("good", 1.5);
    put_float("bad", __builtin_nan(""));
}

static void infinity(void) {
    put_float("bad", __builtin_inf());
}

static void infinity_in_lists(void) {
    static reglet_plugin_types_scalar_t scalar = {.tag = REGLET_PLUGIN_TYPES_SCALAR_FLOAT};
    static reglet_plugin_types_item_t item = {.tag = REGLET_PLUGIN_TYPES_ITEM_LIST};
    value_t list = {.tag = REGLET_PLUGIN_TYPES_VALUE_LIST};
    scalar.val.float_ = -__builtin_inf();
    item.val.list.ptr = &scalar;
    item.val.list.len = 1;
    list.val.list.ptr = &item;
    list.val.list.len = 1;
    put("bad", list);
}

static void json_text(void) {
    put_json("bad", text("hello"));
}

static void json_empty(void) {
    put_json("bad", text(""));
}

static void json_two(void) {
    put_json("bad", text("{} {}"));
}

/* What would end the object around it. */
static void json_breaks_out(void) {
    put_json("bad", text("1},\"status\":true,\"x\":{\"y\":1"));
}

static void json_nested(void) {
    text_t nested = {malloc(200000), 200000};
    memset(nested.ptr, '[', 100000);
    memset(nested.ptr + 100000, ']', 100000);
    put_json("bad", nested);
}

static void json_big_numbers(void) {
    put_json("bad", text("18446744073709551616"));
}

static void json_details(void) {
    evidence.status = false;
    evidence.error.is_some = true;
    evidence.error.val = (reglet_plugin_types_error_t){
        .code = text("E1"), .message = text("m"), .details = {true, text("{\"open\":")}};
}

static void json_line_breaks(void) {
    put_json("many", text(" [1,\n\t{\"a\" : \"\\u0000\\ud800\"}\r\n] "));
}

static void same_names(void) {
    put_number("a", 1);
    put_number("a", 2);
}

static void hostile_names(void) {
    put_number("\x1b]52;c;aGk=\x07\n\xe2\x80\xae", 1);
    put_number("\"},\"status\":false,{\"", 2);
    put_number("", 3);
}

/* ---- Ends ---------------------------------------------------------------------------------------------------- */

static void exit_0(void) {
    wasi_cli_exit_exit(&(wasi_cli_exit_result_void_void_t){.is_err = false});
}

static void exit_1(void) {
    wasi_cli_exit_exit(&(wasi_cli_exit_result_void_void_t){.is_err = true});
}

static void exit_42(void) {
    wasi_cli_exit_exit_with_code(42);
}

static void exit_of_libc(void) {
    _Exit(1);
}

/* ---- Floods -------------------------------------------------------------------------------------------------- */

static void write_to(wasi_cli_stdout_own_output_stream_t stream, uint8_t *bytes, size_t size) {
    wasi_io_streams_stream_error_t error;
    probe_list_u8_t list = {bytes, size};
    wasi_io_streams_method_output_stream_write(wasi_io_streams_borrow_output_stream(stream), &list, &error);
}

static void flood_stdout(void) {
    wasi_cli_stdout_own_output_stream_t out = wasi_cli_stdout_get_stdout();
    for (;;)
        write_to(out, (uint8_t *)"aaaaaaaaaa\n", 11);
}

static void flood_stderr(void) {
    wasi_cli_stderr_own_output_stream_t err = wasi_cli_stderr_get_stderr();
    for (;;)
        write_to(err, (uint8_t *)"aaaaaaaaaa\n", 11);
}

static void flood_line(void) {
    for (;;)
        if (write(STDOUT_FILENO, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 40) < 0)
            abort();
}

static void write_32_mib(void) {
    write_to(wasi_cli_stdout_get_stdout(), filled(32 * MIB, 'a'), 32 * MIB);
}

static void write_zeroes(void) {
    wasi_io_streams_stream_error_t error;
    wasi_io_streams_method_output_stream_blocking_write_zeroes_and_flush(
        wasi_io_streams_borrow_output_stream(wasi_cli_stdout_get_stdout()), UINT64_MAX, &error);
}

static void log_again(size_t size) {
    text_t message = {filled(size, 'a'), size};
    probe_list_tuple2_string_string_t none = {0};
    for (;;)
        reglet_plugin_host_log(REGLET_PLUGIN_HOST_LOG_LEVEL_INFO, &message, &none);
}

static void flood_log(void) {
    log_again(10);
}

static void flood_log_empty(void) {
    log_again(0);
}

static void flood_log_long(void) {
    log_again(65000);
}

static void random_of(uint64_t size) {
    probe_list_u8_t bytes;
    wasi_random_random_get_random_bytes(size, &bytes);
    put_number("bytes", bytes.len);
}

static void random_1000(void) {
    random_of(1000);
}

static void random_4_gib(void) {
    random_of((uint64_t)4 << 30);
}

static void random_all(void) {
    random_of(UINT64_MAX);
}

static void pollables_2000(void) {
    for (size_t i = 0; i < 2000; i++)
        wasi_clocks_monotonic_clock_subscribe_duration(i);
}

static void pollables_given_back(void) {
    for (size_t i = 0; i < 20000; i++)
        wasi_io_poll_pollable_drop_own(wasi_clocks_monotonic_clock_subscribe_duration(i));
}

/* A handle for each stream, of which the host keeps nothing: the engine's own table is what fills. */
static void streams_forever(void) {
    for (;;)
        wasi_cli_stdout_get_stdout();
}

static void handle_of_nobody(void) {
    wasi_io_poll_method_pollable_block((wasi_io_poll_borrow_pollable_t){12345});
}

static void handle_of_another_kind(void) {
    wasi_cli_stdout_own_output_stream_t out = wasi_cli_stdout_get_stdout();
    wasi_io_poll_method_pollable_block((wasi_io_poll_borrow_pollable_t){out.__handle});
}

static void handle_dropped_twice(void) {
    wasi_io_poll_own_pollable_t pollable = wasi_clocks_monotonic_clock_subscribe_duration(0);
    wasi_io_poll_pollable_drop_own(pollable);
    wasi_io_poll_pollable_drop_own(pollable);
}

/* ---- Requests ------------------------------------------------------------------------------------------------ */

static void ask_env(uint8_t *bytes, size_t size) {
    text_t name = {bytes, size};
    probe_option_string_t value;
    reglet_plugin_host_host_error_t error;
    reglet_plugin_host_env_get(&name, &value, &error);
}

static void request_outside(void) {
    ask_env(at(OUTSIDE), 16);
}

static void request_wraps(void) {
    ask_env(at(0xfffffff0), 0x30);
}

static void request_no_utf8(void) {
    ask_env((uint8_t *)"\xff\xfe", 2);
}

static void request_of_100_mib(void) {
    ask_env(filled(100 * MIB, 'a'), 100 * MIB);
}

static void request_amplified(void) {
    reglet_plugin_host_command_t command = {.command = text("/bin/true")};
    reglet_plugin_host_command_output_t output;
    reglet_plugin_host_host_error_t error;
    command.args.len = 10000;
    command.args.ptr = malloc(10000 * sizeof *command.args.ptr);
    text_t mebibyte = {filled(MIB, 'a'), MIB};
    for (size_t i = 0; i < 10000; i++)
        command.args.ptr[i] = mebibyte;
    reglet_plugin_host_exec_run(&command, &output, &error);
}

/* Below what may be handed over at once; as JSON each byte is six. */
static void request_of_escapes(void) {
    text_t message = {filled(20 * MIB, '\x01'), 20 * MIB};
    probe_list_tuple2_string_string_t none = {0};
    reglet_plugin_host_log(REGLET_PLUGIN_HOST_LOG_LEVEL_INFO, &message, &none);
}

static void request_of_no_enum(void) {
    text_t message = text("m");
    probe_list_tuple2_string_string_t none = {0};
    reglet_plugin_host_log(200, &message, &none);
}

/* ---- What is not there --------------------------------------------------------------------------------------- */

static void look_around(void) {
    probe_list_tuple2_string_string_t environment;
    probe_list_string_t arguments;
    probe_list_u8_t read;
    uint64_t skipped = 0;
    text_t directory;
    wasi_io_streams_stream_error_t error;
    wasi_cli_stdin_own_input_stream_t in = wasi_cli_stdin_get_stdin();
    wasi_cli_environment_get_environment(&environment);
    wasi_cli_environment_get_arguments(&arguments);
    put_number("environment", environment.len);
    put_number("arguments", arguments.len);
    put_bool("directory", wasi_cli_environment_initial_cwd(&directory));
    put_bool("stdin", wasi_io_streams_method_input_stream_read(wasi_io_streams_borrow_input_stream(in), 10,
                                                               &read, &error));
    put_number("stdin_error", error.tag);
    put_bool("skipped", wasi_io_streams_method_input_stream_blocking_skip(
                            wasi_io_streams_borrow_input_stream(in), 10, &skipped, &error));
    put_bool("spliced", wasi_io_streams_method_output_stream_splice(
                            wasi_io_streams_borrow_output_stream(wasi_cli_stdout_get_stdout()),
                            wasi_io_streams_borrow_input_stream(in), 10, &skipped, &error));
}

static void open_socket(void) {
    wasi_sockets_tcp_create_socket_own_tcp_socket_t socket;
    wasi_sockets_tcp_create_socket_error_code_t code = 0;
    wasi_sockets_instance_network_instance_network();
    put_bool("socket", wasi_sockets_tcp_create_socket_create_tcp_socket(0, &socket, &code));
    put_number("code", code);
}

static void open_file(void) {
    FILE *file = fopen("/etc/passwd", "r");
    put_bool("file", file != NULL);
    put_bool("variable", getenv("HOME") != NULL);
}

/* ---- Speech -------------------------------------------------------------------------------------------------- */

static void speak(void) {
    wasi_cli_stdout_own_output_stream_t out = wasi_cli_stdout_get_stdout();
    uint64_t room = 0;
    wasi_io_streams_stream_error_t error;
    wasi_io_streams_method_output_stream_check_write(wasi_io_streams_borrow_output_stream(out), &room,
                                                     &error);
    put_bool("room", room > 0);
    write_to(out, (uint8_t *)"half ", 5);
    write_to(wasi_cli_stderr_get_stderr(), (uint8_t *)"on stderr\n", 10);
    write_to(out, (uint8_t *)"a line\nno end", 13);
}

/* ---- All of them --------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*attack)(void);
} attacks[] = {
#define ATTACK(name)                                                                                         \
    { #name, name }
    ATTACK(amplify_escapes),
    ATTACK(amplify_lists),
    ATTACK(amplify_texts),
    ATTACK(ask_slowly),
    ATTACK(block),
    ATTACK(exit_0),
    ATTACK(exit_1),
    ATTACK(exit_42),
    ATTACK(exit_of_libc),
    ATTACK(flood_line),
    ATTACK(flood_log),
    ATTACK(flood_log_empty),
    ATTACK(flood_log_long),
    ATTACK(flood_stderr),
    ATTACK(flood_stdout),
    ATTACK(grow),
    ATTACK(grow_and_live),
    ATTACK(handle_dropped_twice),
    ATTACK(handle_of_another_kind),
    ATTACK(handle_of_nobody),
    ATTACK(hostile_names),
    ATTACK(infinity),
    ATTACK(infinity_in_lists),
    ATTACK(json_big_numbers),
    ATTACK(json_breaks_out),
    ATTACK(json_details),
    ATTACK(json_empty),
    ATTACK(json_line_breaks),
    ATTACK(json_nested),
    ATTACK(json_text),
    ATTACK(json_two),
    ATTACK(list_of_4_gib),
    ATTACK(list_outside),
    ATTACK(list_unaligned),
    ATTACK(list_wraps),
    ATTACK(look_around),
    ATTACK(loop),
    ATTACK(nan),
    ATTACK(nap),
    ATTACK(no_utf8),
    ATTACK(no_utf8_name),
    ATTACK(open_file),
    ATTACK(open_socket),

    ATTACK(poll_many),
    ATTACK(poll_nothing),
    ATTACK(poll_ready),
    ATTACK(pollables_2000),
    ATTACK(pollables_given_back),
    ATTACK(random_1000),
    ATTACK(random_4_gib),
    ATTACK(random_all),
    ATTACK(recurse),
    ATTACK(request_amplified),
    ATTACK(request_no_utf8),
    ATTACK(request_of_100_mib),
    ATTACK(request_of_escapes),
    ATTACK(request_of_no_enum),
    ATTACK(request_outside),
    ATTACK(request_wraps),
    ATTACK(same_names),
    ATTACK(sleep_through_libc),
    ATTACK(speak),
    ATTACK(streams_forever),
    ATTACK(tag_of_no_case),
    ATTACK(text_of_2_mib),
    ATTACK(text_of_4_gib),
    ATTACK(text_outside),
    ATTACK(text_past_end),
    ATTACK(text_wraps),
    ATTACK(trap),
    ATTACK(values_1500000),
    ATTACK(write_32_mib),
    ATTACK(write_zeroes),
};

static void attack(text_t name) {
    for (size_t i = 0; i < sizeof attacks / sizeof *attacks; i++)
        if (is(name, attacks[i].name)) {
            attacks[i].attack();
            return;
        }
    put_text("unknown", name);
}

#ifdef INITIALIZES
__attribute__((constructor)) static void initialize(void) {
    attack(text(INITIALIZES));
}
#endif

void exports_reglet_plugin_plugin_describe(exports_reglet_plugin_plugin_plugin_info_t *out) {
#ifdef DESCRIBES
    attack(text(DESCRIBES));
#endif
    *out = (exports_reglet_plugin_plugin_plugin_info_t){text("attacks"), text("1.0.0"), text("Attacks"), {0}};
}

void exports_reglet_plugin_plugin_schema(exports_reglet_plugin_plugin_config_schema_t *out) {
#ifdef SCHEMA
    attack(text(SCHEMA));
#endif
    *out = (exports_reglet_plugin_plugin_config_schema_t){0};
}

bool exports_reglet_plugin_plugin_observe(exports_reglet_plugin_plugin_config_t *config,
                                          exports_reglet_plugin_plugin_evidence_t *out,
                                          exports_reglet_plugin_plugin_error_t *failed) {
    (void)failed;
    config_values = config->values;
    evidence.status = true;
    evidence.timestamp = config_text("timestamp");
    attack(config_text("do"));
    if (found.len)
        evidence.data = found;
    *out = evidence;
    return true;
}
