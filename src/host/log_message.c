#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/abi.h"
#include "host/functions.h"
#include "host/host.h"
#include "util/cleanup.h"
#include "util/limits.h"

/* Each message is an event, however few bytes it has. */
static bool count(struct reglet__guest *guest, const struct reglet__host *host, uint32_t size) {
    if (reglet__quota_take(host->quotas, guest, REGLET__QUOTA_LOG_MESSAGES, 1) == REGLET_OK &&
        reglet__quota_take(host->quotas, guest, REGLET__QUOTA_LOG_BYTES, size) == REGLET_OK)
        return true;
    reglet__quota_cut(host->quotas, "a log message of %u bytes was cut off", size);
    return false;
}

/*
 * A copy of the request; of one that is too long only that it was. A request that is not there is logged as just that: logging
 * is no reason to end a call.
 */
static char *copy_request(struct reglet__guest *guest, uint64_t packed, uint32_t *size, bool *instead) {
    uint32_t address = (uint32_t)(packed >> 32), length = (uint32_t)packed;
    const char *bytes = reglet__guest_memory(guest, address, length);
    char notice[128];
    *instead = !bytes || length > REGLET__MAX_LOG_REQUEST;
    if (!bytes)
        snprintf(notice, sizeof notice, "(a log request of %u bytes at %u, outside memory)", length, address);
    else if (*instead)
        snprintf(notice, sizeof notice, "(a log request of %u bytes is not shown: it may have %d)", length,
                 REGLET__MAX_LOG_REQUEST);
    if (*instead) {
        bytes = notice;
        length = (uint32_t)strlen(notice);
    }
    *size = length;
    char *copy = malloc(length + 1);
    if (copy)
        memcpy(copy, bytes, length);
    return copy;
}

static bool out_of_memory(struct reglet__guest *guest) {
    reglet__guest_stop(guest, REGLET_ERR_NO_MEMORY, "out of memory");
    return false;
}

/* I -> nothing. A packed request {level, message, attrs, context}. */
bool reglet__host_log_message(struct reglet__guest *guest, union reglet__slot *slots) {
    struct reglet__host *host = reglet__guest_state(guest, REGLET__ROOM_HOST);
    uint32_t size = 0, taken = (uint32_t)slots[0].u64;
    bool instead = false;
    _cleanup_free_ char *bytes = copy_request(guest, slots[0].u64, &size, &instead);
    if (!bytes)
        return out_of_memory(guest);
    if (!count(guest, host, taken < REGLET__MAX_LOG_REQUEST ? taken : REGLET__MAX_LOG_REQUEST))
        return false;
    struct reglet__log_request request;
    const struct reglet__screen *screen = instead || !host->screen.replace ? NULL : &host->screen;
    if (reglet__log_request_parse(bytes, size, screen, &request) != REGLET_OK)
        return out_of_memory(guest);
    reglet_log_event event = {.struct_size = sizeof event,
                              .level = request.level,
                              .source = REGLET_LOG_PLUGIN,
                              .request_id = request.request_id,
                              .message = request.message,
                              .attrs = request.attrs,
                              .attr_count = request.attr_count};
    host->log(host->user_data, &event);
    reglet__log_request_free(&request);
    return true;
}
