#define _GNU_SOURCE
#include "host/accounts.h"

#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "util/clock.h"

enum { KEPT = 32 /* of each file, by number: two that meet push each other out */ };

/* What a file said about a number. */
struct account {
    bool known;
    uint32_t id;
    int64_t until;
    char name[REGLET__MAX_ACCOUNT_NAME]; /* "": it has none */
};

struct accounts {
    const char *path;
    /* The next line: 0, ENOENT at the end, or why it cannot be read. */
    int (*next)(FILE *file, char room[REGLET__MAX_ACCOUNT_LINE], uint32_t *id, const char **name);
    pthread_rwlock_t lock;
    struct account kept[KEPT];
};

static int next_user(FILE *file, char room[REGLET__MAX_ACCOUNT_LINE], uint32_t *id, const char **name) {
    struct passwd entry, *found = NULL;
    int error = fgetpwent_r(file, &entry, room, REGLET__MAX_ACCOUNT_LINE, &found);
    if (error == 0) {
        *id = entry.pw_uid;
        *name = entry.pw_name;
    }
    return error;
}

static int next_group(FILE *file, char room[REGLET__MAX_ACCOUNT_LINE], uint32_t *id, const char **name) {
    struct group entry, *found = NULL;
    int error = fgetgrent_r(file, &entry, room, REGLET__MAX_ACCOUNT_LINE, &found);
    if (error == 0) {
        *id = entry.gr_gid;
        *name = entry.gr_name;
    }
    return error;
}

static struct accounts users = {.path = "/etc/passwd", .next = next_user, .lock = PTHREAD_RWLOCK_INITIALIZER};
static struct accounts groups = {
    .path = "/etc/group", .next = next_group, .lock = PTHREAD_RWLOCK_INITIALIZER};

/* The first line with that number counts. False when the file could not be read so far: that may pass. */
static bool search(const struct accounts *accounts, struct account *account) {
    char room[REGLET__MAX_ACCOUNT_LINE];
    const char *name = NULL;
    uint32_t id = 0;
    FILE *file = fopen(accounts->path, "re");
    if (!file)
        return false;
    int error = accounts->next(file, room, &id, &name);
    while (error == 0 && id != account->id)
        error = accounts->next(file, room, &id, &name);
    if (error == 0 && strlen(name) < sizeof account->name)
        strcpy(account->name, name);
    fclose(file);
    return error == 0 || error == ENOENT;
}

static bool recall(struct accounts *accounts, struct account *account, int64_t now) {
    const struct account *kept = &accounts->kept[account->id % KEPT];
    pthread_rwlock_rdlock(&accounts->lock);
    bool valid = kept->known && kept->id == account->id && now < kept->until;
    if (valid)
        *account = *kept;
    pthread_rwlock_unlock(&accounts->lock);
    return valid;
}

static void keep(struct accounts *accounts, struct account *account, int64_t now) {
    account->known = true;
    account->until = now + REGLET__NS_PER_S;
    pthread_rwlock_wrlock(&accounts->lock);
    accounts->kept[account->id % KEPT] = *account;
    pthread_rwlock_unlock(&accounts->lock);
}

static bool name_of(struct accounts *accounts, uint32_t id, char out[REGLET__MAX_ACCOUNT_NAME]) {
    struct account account = {.id = id};
    int64_t now = reglet__now();
    if (!recall(accounts, &account, now) && search(accounts, &account))
        keep(accounts, &account, now);
    strcpy(out, account.name);
    return *out;
}

bool reglet__account_of_user(uid_t uid, char out[REGLET__MAX_ACCOUNT_NAME]) {
    return name_of(&users, uid, out);
}

bool reglet__account_of_group(gid_t gid, char out[REGLET__MAX_ACCOUNT_NAME]) {
    return name_of(&groups, gid, out);
}
