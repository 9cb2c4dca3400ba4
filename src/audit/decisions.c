#define _GNU_SOURCE
#include "audit/decisions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/cleanup.h"
#include "util/clock.h"

struct reglet__kept_decisions {
    size_t count;
    struct reglet__decided items[];
};

char *reglet__decided_phrase(const struct reglet__decided *decided) {
    static const char *const verbs[][2] = {
        {"fs:read", "read "}, {"fs:write", "write "}, {"fs:look", "look at "}};
    const char *verb = "", *text = decided->phrase ? decided->phrase : decided->asked;
    char *phrase = NULL;
    for (size_t i = 0; i < ARRAY_LEN(verbs) && !decided->phrase && decided->kind; i++)
        if (strcmp(decided->kind, verbs[i][0]) == 0)
            verb = verbs[i][1];
    return asprintf(&phrase, "%s%s", verb, text) < 0 ? NULL : phrase;
}

static void hand_out(struct reglet__decisions *decisions, struct reglet__decided *item) {
    decisions->sink.decided(decisions->sink.user_data, item);
    free(item->texts);
}

/* Takes one out of the list, whose place the later ones fill. */
static struct reglet__decided take(struct reglet__decisions *decisions, size_t index) {
    struct reglet__decided taken = decisions->items[index];
    decisions->count--;
    memmove(&decisions->items[index], &decisions->items[index + 1],
            (decisions->count - index) * sizeof taken);
    if (decisions->serving == index + 1)
        decisions->serving = 0;
    else if (decisions->serving > index + 1)
        decisions->serving--;
    return taken;
}

static int64_t duration(const struct reglet__decisions *decisions) {
    return decisions->started ? reglet__now() - decisions->started : 0;
}

static void hand_out_first(struct reglet__decisions *decisions) {
    struct reglet__decided first = take(decisions, 0);
    first.duration_ns = duration(decisions);
    hand_out(decisions, &first);
}

void reglet__decisions_begin(struct reglet__decisions *decisions, const char *function) {
    if (!decisions || !decisions->sink.decided)
        return;
    decisions->function = function;
    decisions->started = decisions->sink.takes_allowed ? reglet__now() : 0;
}

void reglet__decisions_end(struct reglet__decisions *decisions) {
    if (!decisions || decisions->count == 0)
        return;
    int64_t took = duration(decisions);
    for (size_t i = 0; i < decisions->count; i++) {
        decisions->items[i].duration_ns = took;
        hand_out(decisions, &decisions->items[i]);
    }
    decisions->count = decisions->serving = 0;
}

/* Copies the texts into one piece of memory. Without memory a record without its texts is better than none. */
static void copy_texts(struct reglet__decided *item) {
    const char **texts[] = {&item->asked, &item->phrase, &item->grant};
    size_t sizes[ARRAY_LEN(texts)], total = 0;
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        sizes[i] = *texts[i] ? strlen(*texts[i]) + 1 : 0;
        total += sizes[i];
    }
    char *at = item->texts = malloc(total);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (at && sizes[i]) {
            *texts[i] = memcpy(at, *texts[i], sizes[i]);
            at += sizes[i];
        } else if (!item->texts) {
            *texts[i] = NULL;
        }
    }
    if (!item->texts)
        item->asked = item->phrase = "(out of memory)";
}

void reglet__decisions_add(struct reglet__decisions *decisions, const struct reglet__decided *decided) {
    if (!reglet__decisions_want(decisions, decided->decision.allowed))
        return;
    if (decisions->count == REGLET__REQUEST_DECISIONS)
        hand_out_first(decisions);
    struct reglet__decided *item = &decisions->items[decisions->count++];
    *item = *decided;
    item->function = decisions->function;
    item->started = decisions->started;
    item->bytes_in = item->bytes_out = 0;
    copy_texts(item);
    if (item->decision.allowed)
        decisions->serving = decisions->count;
}

void reglet__decisions_moved(struct reglet__decisions *decisions, uint64_t in, uint64_t out) {
    if (!decisions || decisions->serving == 0)
        return;
    decisions->items[decisions->serving - 1].bytes_in += in;
    decisions->items[decisions->serving - 1].bytes_out += out;
}

void reglet__decisions_drop(struct reglet__decisions *decisions, const char *kind, const char *asked) {
    for (size_t i = decisions ? decisions->count : 0; i > 0; i--) {
        const struct reglet__decided *item = &decisions->items[i - 1];
        if (strcmp(item->asked, asked) == 0 && (!kind || (item->kind && strcmp(item->kind, kind) == 0)))
            free(take(decisions, i - 1).texts);
    }
}

struct reglet__kept_decisions *reglet__decisions_keep(struct reglet__decisions *decisions) {
    if (!decisions || decisions->count == 0)
        return NULL;
    struct reglet__kept_decisions *kept = malloc(sizeof *kept + decisions->count * sizeof kept->items[0]);
    if (!kept)
        return NULL;
    int64_t took = duration(decisions);
    kept->count = 0;
    for (size_t i = 0; i < decisions->count;) {
        if (!decisions->items[i].decision.allowed) {
            i++;
            continue;
        }
        kept->items[kept->count] = take(decisions, i);
        kept->items[kept->count++].duration_ns = took;
    }
    return kept;
}

void reglet__decisions_close(struct reglet__decisions *decisions, struct reglet__kept_decisions *kept,
                             uint64_t bytes_in, uint64_t bytes_out) {
    if (!kept)
        return;
    for (size_t i = 0; i < kept->count; i++) {
        struct reglet__decided *item = &kept->items[i];
        bool writes = item->kind && strcmp(item->kind, "fs:write") == 0;
        item->bytes_in = writes ? 0 : bytes_in;
        item->bytes_out = writes ? bytes_out : 0;
        hand_out(decisions, item);
    }
    free(kept);
}
