/*
 * declared.h - what a plugin declares, side by side with what it is granted.
 */
#ifndef CLI_DECLARED_H
#define CLI_DECLARED_H

#include "session.h"

/* Whether a declaration is granted as a whole. UNKNOWN: in part perhaps; the patterns do not tell. */
enum covered { COVERED_NO, COVERED_YES, COVERED_UNKNOWN };

struct declared {
    const reglet_capability_view *view;
    char *capability; /* as the plugin wrote it, with every character */
    bool grantable;   /* it parses: a configuration may hold it */
    enum covered covered;
    char *granted_by; /* the grant, when it is covered */
};

struct declared_list {
    const reglet_grants *grants;
    struct declared *items;
    size_t count;
};

/* EXIT_OK; or EXIT_FAILED after one line on standard error. After either: declared_clear(). */
int declared_read(const struct session *session, const struct options *options, struct declared_list *out);
void declared_clear(struct declared_list *list);

#endif
