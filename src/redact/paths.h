/*
 * paths.h - the operator's paths: which values of a structured text are secret whatever they are.
 *
 *     password               the value of that name, wherever it is: user.password, users[3].password
 *     db.credentials.*       everything directly under credentials under db
 *     items[*].token         the token of each element of items
 *     list[2]                the third element of list
 *     a.*.c                  * is any one name or index; [*] any index
 *     ["db.example"].token   a name with a character that has a meaning here, quoted; \" and \\ stand for " and \
 *
 * A path matches the last names of where a value is, whole names only, without regard to the case of ASCII letters.
 */
#ifndef REGLET_REDACT_PATHS_H
#define REGLET_REDACT_PATHS_H

#include <reglet/error.h>

struct reglet__redact_paths;

/*
 * INVALID_ARGUMENT: the path, the character (also as the error's offset) and what would be right; too many of them
 * (REGLET__MAX_REDACT_PATH_SEGMENTS). NO_MEMORY.
 */
reglet_status reglet__redact_paths_new(const char *const *paths, size_t count,
                                       struct reglet__redact_paths **out, reglet_error **err);
void reglet__redact_paths_free(struct reglet__redact_paths *paths); /* NULL is allowed */

/*
 * Walking a tree: a place is the segments of all paths that have matched on the way to a value, one bit each. Going one step
 * deeper costs a few operations for 64 segments, however deep the tree is and however many paths there are.
 */
size_t reglet__redact_paths_words(const struct reglet__redact_paths *paths); /* of one place */

/* The place of a member, of its name; of an element, of its index. `from` NULL: the root. True: a path ends here. */
bool reglet__redact_paths_enter(const struct reglet__redact_paths *paths, const uint64_t *from,
                                const char *name, size_t size, uint64_t *to);
bool reglet__redact_paths_enter_index(const struct reglet__redact_paths *paths, const uint64_t *from,
                                      size_t index, uint64_t *to);

/* Whether a path names a value of this name at the top, or of the names between its dots. */
bool reglet__redact_paths_name(const struct reglet__redact_paths *paths, const char *name);

#endif
