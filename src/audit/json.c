/* A record as one line of JSON. */
#include <stdlib.h>
#include <string.h>

#include "abi/json.h"
#include "audit/audit.h"
#include "util/clock.h"
#include "util/fail.h"
#include "util/options.h"

/* A record being written: the first failure stays. */
struct writer {
    struct reglet__arena arena;
    struct reglet__json *object; /* NULL without memory */
    char time[REGLET__RFC3339_SIZE];
};

static void put_text(struct writer *writer, const char *key, const char *text) {
    struct reglet__json *added =
        !writer->object ? NULL
        : text          ? reglet__json_add_text(&writer->arena, writer->object, key, text)
                        : reglet__json_add_literal(&writer->arena, writer->object, key, REGLET__JSON_NULL);
    writer->object = added ? writer->object : NULL;
}

static void put_number(struct writer *writer, const char *key, uint64_t number) {
    if (writer->object && !reglet__json_add_number(&writer->arena, writer->object, key, number))
        writer->object = NULL;
}

static void put_record(struct writer *writer, const reglet_audit_record *record) {
    reglet__rfc3339_format(record->time_ns, writer->time);
    put_text(writer, "time", writer->time);
    put_text(writer, "plugin", record->plugin);
    put_text(writer, "request_id", record->request_id);
    put_number(writer, "call", record->call);
    put_number(writer, "number", record->number);
    put_text(writer, "function", record->function);
    put_text(writer, "kind", record->kind);
    put_text(writer, "asked", record->asked);
    put_text(writer, "decision", record->allowed ? "allowed" : "denied");
    put_text(writer, "rule", record->rule);
    put_text(writer, "reason", record->reason);
    put_text(writer, "grant", record->grant);
    put_number(writer, "duration_ns", record->duration_ns > 0 ? (uint64_t)record->duration_ns : 0);
    put_number(writer, "bytes_in", record->bytes_in);
    put_number(writer, "bytes_out", record->bytes_out);
}

reglet_status reglet_audit_record_json(const reglet_audit_record *record, char **out, size_t *out_size,
                                       reglet_error **err) {
    reglet_audit_record known;
    if (!record || !out || !reglet__options_copy(&known, sizeof known, record))
        return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                            "audit_record_json: record or out is NULL, or the record has no struct_size");
    struct writer writer = {.arena = {NULL}};
    size_t size = 0;
    writer.object = reglet__json_new_object(&writer.arena);
    put_record(&writer, &known);
    const char *text = writer.object ? reglet__json_print(&writer.arena, writer.object, &size) : NULL;
    char *copy = text ? malloc(size + 1) : NULL;
    if (copy)
        memcpy(copy, text, size + 1);
    reglet__arena_free(&writer.arena);
    if (!copy)
        return reglet__fail_memory(err);
    *out = copy;
    if (out_size)
        *out_size = size;
    return REGLET_OK;
}
