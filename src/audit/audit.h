/*
 * audit.h - the audit of one call: decisions become records, redacted and clean, and go to the embedder's callback.
 */
#ifndef REGLET_AUDIT_AUDIT_H
#define REGLET_AUDIT_AUDIT_H

#include <reglet/audit.h>

#include "audit/decisions.h"
#include "redact/redact.h"
#include "util/buf.h"

/* Of one call, on its thread. What follows the first five is this room's. */
struct reglet__audit {
    reglet_audit_fn write;
    void *user_data;
    reglet_redactor *redactor; /* borrowed; NULL: there is no memory for one, and nothing is shown */
    const char *plugin;
    uint64_t call;  /* its number */
    bool observing; /* set by who began it */
    uint64_t number;
    struct reglet__buf raw, shown; /* the texts of one record, kept for the memory of the next */
    struct reglet__redact_spans spans;
};

void reglet__audit_begin(struct reglet__audit *audit, reglet_audit_fn write, void *user_data,
                         reglet_redactor *redactor, const char *plugin);
void reglet__audit_end(struct reglet__audit *audit);

/* Hands one decision to the callback. Texts that there is no memory for are replaced by a remark that says so. */
void reglet__audit_record(struct reglet__audit *audit, const char *request_id,
                          const struct reglet__decided *decided);

#endif
