/*
 * decisions.h - the one way in which a decision leaves a room.
 *
 * A room that was answered by the policy adds the decision to those of the request that is being served. When the request
 * is over, they go to the call's sink together, with how long it took and what was moved; one about an open file goes when the
 * file is closed. The log's denials and the audit are both made of that.
 */
#ifndef REGLET_AUDIT_DECISIONS_H
#define REGLET_AUDIT_DECISIONS_H

#include "policy/policy.h"

/* What is told of one decision. Texts are as the plugin or the kernel has them: neither redacted nor clean. */
struct reglet__decided {
    const char *function; /* static, or the module's */
    const char *kind;     /* "fs:read"; NULL: `asked` is a whole capability, which has its kind in it */
    const char *asked;    /* "/etc/hosts" */
    const char
        *phrase; /* the same for people, "read /etc/hosts"; NULL: the verb of a kind fs:… and `asked` */
    const char *grant; /* denied: what would allow it, or NULL */
    struct reglet__decision decision;
    bool is_question;    /* what would be decided: a refusal is an answer, and no denial */
    int64_t started;     /* reglet__now(), when its request came; 0: nobody wants to know */
    int64_t duration_ns; /* of its request */
    uint64_t bytes_in, bytes_out;
    void *texts; /* what holds asked, phrase and grant, where they are copies */
};

/* What was asked, for people; NULL without memory. To be freed with free(). */
char *reglet__decided_phrase(const struct reglet__decided *decided);

/* Where decisions go. Called on the call's thread. */
struct reglet__decided_sink {
    void (*decided)(void *user_data, const struct reglet__decided *decided); /* NULL: nobody wants them */
    void *user_data;
    bool takes_allowed; /* and not denials alone */
};

enum {
    REGLET__REQUEST_DECISIONS =
        8 /* that wait for the end of their request; with more of them the oldest goes first */
};

/* Those of the request that a call is in. Part of the call; all zero but the sink. */
struct reglet__decisions {
    struct reglet__decided_sink sink;
    const char *function;
    int64_t started;
    size_t count;
    size_t serving; /* 1 + the one whose bytes are moved now; 0: none */
    struct reglet__decided items[REGLET__REQUEST_DECISIONS];
};

/* All of these do nothing where `decisions` is NULL. */

/* A request begins, and ends: then what was decided on it is handed out. */
void reglet__decisions_begin(struct reglet__decisions *decisions, const char *function);
void reglet__decisions_end(struct reglet__decisions *decisions);

/* Whether such a decision is wanted: asked where telling it takes more than the decision itself. */
static inline bool reglet__decisions_want(const struct reglet__decisions *decisions, bool allowed) {
    return decisions && decisions->sink.decided && (!allowed || decisions->sink.takes_allowed);
}

/*
 * Adds one. Of `decided`, kind, asked, phrase, grant, decision and is_question are taken; the texts are copied. An allowed one
 * is what bytes are moved for from now on.
 */
void reglet__decisions_add(struct reglet__decisions *decisions, const struct reglet__decided *decided);

/* Adds to the bytes of the one that is being served. */
void reglet__decisions_moved(struct reglet__decisions *decisions, uint64_t in, uint64_t out);

/* Takes back what was added of this kind (NULL: of any) on this thing: a later decision on it is what counts. */
void reglet__decisions_drop(struct reglet__decisions *decisions, const char *kind, const char *asked);

/* What was allowed, kept until something that it opened is closed. NULL is an empty one. */
struct reglet__kept_decisions;
/* Takes what was allowed out of the request. NULL where there is nothing, or no memory: then it goes out with the request. */
struct reglet__kept_decisions *reglet__decisions_keep(struct reglet__decisions *decisions);
/* Hands it out: what was read goes to reading, what was written to writing. Frees. */
void reglet__decisions_close(struct reglet__decisions *decisions, struct reglet__kept_decisions *kept,
                             uint64_t bytes_in, uint64_t bytes_out);

#endif
