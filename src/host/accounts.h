/*
 * accounts.h - the names of users and groups.
 *
 * They come from the files in /etc alone: the name service would load modules into this process, and some of them ask
 * servers, for as long as those take. A name is at most a second old: reading both files costs more than all else that
 * a plugin asks of a file.
 */
#ifndef REGLET_HOST_ACCOUNTS_H
#define REGLET_HOST_ACCOUNTS_H

#include <stdbool.h>
#include <sys/types.h>

#include "util/limits.h"

/* Copies the name out; false when there is none. Any thread. */
bool reglet__account_of_user(uid_t uid, char out[REGLET__MAX_ACCOUNT_NAME]);
bool reglet__account_of_group(gid_t gid, char out[REGLET__MAX_ACCOUNT_NAME]);

#endif
