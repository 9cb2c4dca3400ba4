/* What a decision costs that goes to an audit callback which does nothing: from the room that made it to the callback's return. */
#include <stdio.h>

#include "audit/audit.h"
#include "util/cleanup.h"
#include "util/clock.h"

enum { TIMES = 200000, ROUNDS = 5 };

static void do_nothing(void *user_data, const reglet_audit_record *record) {
    (void)user_data, (void)record;
}

static void take(void *user_data, const struct reglet__decided *decided) {
    reglet__audit_record(user_data, "request-1", decided);
}

/* Nanoseconds for one decision. */
static double measure(struct reglet__decisions *decisions) {
    static const char *const paths[] = {"/etc/ssh/sshd_config", "/var/lib/dpkg/status",
                                        "/usr/share/zoneinfo/Europe/Berlin"};
    int64_t begun = reglet__now();
    for (int i = 0; i < TIMES; i++) {
        const struct reglet__decided decided = {.kind = "fs:read",
                                                .asked = paths[i % (int)ARRAY_LEN(paths)],
                                                .decision = {.allowed = true, .rule = "fs:read:/**"}};
        reglet__decisions_begin(decisions, "path_open");
        reglet__decisions_add(decisions, &decided);
        reglet__decisions_end(decisions);
    }
    return (double)(reglet__now() - begun) / TIMES;
}

int main(void) {
    reglet_redactor *redactor = NULL;
    if (reglet__redactor_default(&redactor, NULL) != REGLET_OK)
        return 1;
    struct reglet__audit audit;
    struct reglet__decisions heard = {.sink = {take, &audit, true}},
                             unheard = {.sink = {take, &audit, false}};
    reglet__audit_begin(&audit, do_nothing, NULL, redactor, "plugin");
    double best = 1e9, without = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        double one = measure(&heard), other = measure(&unheard);
        best = one < best ? one : best;
        without = other < without ? other : without;
    }
    printf("a decision: %.0f ns with an audit callback, %.1f ns without\n", best, without);
    reglet__audit_end(&audit);
    reglet_redactor_unref(redactor);
    return 0;
}
