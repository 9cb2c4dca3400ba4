/*
 * audit.h - what becomes of the library's audit records: lines of a file (--audit), a table (--explain), or what to learn
 * from (--learn).
 */
#ifndef CLI_AUDIT_H
#define CLI_AUDIT_H

#include "options.h"

/* One record that was kept. */
struct audited {
    char *function, *kind, *asked;
    bool allowed;
    char *rule, *reason, *grant; /* or NULL */
    int64_t duration_ns;
    uint64_t bytes_in, bytes_out;
};

struct audit;

/*
 * What the options ask for; *out is NULL when that is nothing. The file is made if it is not there, readable by this user
 * alone, and lines are added to it. EXIT_BAD_USAGE after one line on standard error.
 */
int audit_open(const struct options *options, struct audit **out);

/* When a line cannot be written, that is said once, and the token is cancelled: nothing more is done. */
void audit_cancels(struct audit *audit, reglet_cancel_token *token);

/* A reglet_audit_fn; its user data is a struct audit. Any thread. */
void audit_record(void *user_data, const reglet_audit_record *record);

/* The records of observations that were kept, in their order, for --explain and --learn; at most AUDIT_KEPT, and how many more there were. */
enum { AUDIT_KEPT = 10000 };
const struct audited *audit_kept(const struct audit *audit, size_t *count, uint64_t *left_out);

/* Frees. `code`, or EXIT_FAILED when lines were lost. NULL is allowed. */
int audit_close(struct audit *audit, int code);

#endif
