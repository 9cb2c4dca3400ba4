/*
 * policy.h - what a plugin may do: parsed capabilities, and the decision on one request. Pure: no I/O at all.
 *
 * Parsing happens when a runtime is made (grants) and when a plugin was described (declarations); deciding
 * happens at every host call, on any thread, on a policy that no longer changes.
 */
#ifndef REGLET_POLICY_POLICY_H
#define REGLET_POLICY_POLICY_H

#include <reglet/error.h>

enum reglet__kind {
    REGLET__KIND_FS,
    REGLET__KIND_NETWORK,
    REGLET__KIND_ENV,
    REGLET__KIND_EXEC,
    REGLET__KIND_KV
};

/* One parsed capability. Immutable. */
struct reglet__capability;

/*
 * Parses `kind:pattern`. On failure REGLET_ERR_INVALID_GRANT, one line that says what was found and what
 * would be right, and the byte offset of the offending character in `text`.
 */
reglet_status reglet__capability_parse(const char *text, struct reglet__capability **out, reglet_error **err);
/* Reference counted, so that one resolved grant serves several policies; _free gives one reference back. */
struct reglet__capability *reglet__capability_ref(struct reglet__capability *capability);
void reglet__capability_free(struct reglet__capability *capability);
const char *reglet__capability_text(const struct reglet__capability *capability); /* as it was written */
enum reglet__kind reglet__capability_kind(const struct reglet__capability *capability);

/*
 * fs only. The part of the pattern up to the first segment with a wildcard, unescaped, as it was written:
 * what the runtime resolves in the file system once. A pattern that starts with "**" has the literal part
 * "/"; a relative one a relative literal part ("" when its first segment is a glob already). `*whole` says
 * whether there is no wildcard.
 */
const char *reglet__capability_fs_literal(const struct reglet__capability *capability, bool *whole);

/*
 * fs only. Puts the resolved literal part in place: an absolute path without ".", "..", "//" and symbolic
 * links. Must be done, for every fs grant and declaration, before it takes part in a decision; without it the
 * capability matches nothing. `links`: absolute real paths (parent resolved) of the symbolic links that the
 * literal part went through and that may therefore be looked at; copied. A literal part below /proc/self or
 * /proc/thread-self, or one that went through them, is accepted and never matches.
 * REGLET_ERR_INVALID_ARGUMENT for paths that are not as said here; REGLET_ERR_NO_MEMORY.
 */
reglet_status reglet__capability_fs_resolve(struct reglet__capability *capability, const char *literal,
                                            const char *const *links, size_t link_count);

/*
 * What is asked of a file. The path is always the kernel's real path of an opened object, never a guest's
 * string.
 *
 * Listing: a directory is opened for listing when it passes LOOK, whatever else is granted, and each of its
 * entries is shown only when it passes LOOK itself; "." and ".." always. READ is about content, and is never
 * needed to list: under a grant of /d alone, or of /d and one of its files, a list of /d is filtered as well.
 */
enum reglet__fs_access {
    REGLET__FS_READ,  /* read content */
    REGLET__FS_WRITE, /* change content, size, times; create, remove, rename */
    REGLET__FS_LOOK,  /* stat, walk through, list (filtered), readlink of a link inside a grant */
};

/* The answer to one request. A host function acts only on a decision that it holds in its hand. */
struct reglet__decision {
    bool allowed;
    bool way; /* LOOK only: allowed because a granted path may lie below it, so only if it is a directory.
                 A caller that finds it is none denies. */
    const char *rule;   /* the capability that allowed it, as written; the policy's; NULL when denied */
    const char *reason; /* static: why it was denied, for people; NULL when allowed */
    bool for_good;      /* denied, and no grant would change that: nobody should be told to write one */
};

/* The capabilities of one plugin: granted by name, shared by all plugins, declared by the plugin. */
struct reglet__policy;

reglet_status reglet__policy_new(struct reglet__policy **out);
void reglet__policy_free(struct reglet__policy *policy);

/* All take the capability over, also when they fail (REGLET_ERR_NO_MEMORY). */
reglet_status reglet__policy_grant(struct reglet__policy *policy, struct reglet__capability *capability);
reglet_status reglet__policy_share(struct reglet__policy *policy, struct reglet__capability *capability);
reglet_status reglet__policy_declare(struct reglet__policy *policy, struct reglet__capability *capability);
/* A declaration of a bare "*" or "**" covers everything of its kind. */
reglet_status reglet__policy_declare_all(struct reglet__policy *policy, enum reglet__kind kind);

/*
 * Real paths (files, and directories with all below them) that no grant matches, neither by a glob nor
 * exactly: the runtime's own. Directories above them cannot be written (moved, removed) either. The kernel
 * gives /proc/self as /proc/<pid>: whoever makes a policy protects that path too. Copied.
 * REGLET_ERR_INVALID_ARGUMENT, REGLET_ERR_NO_MEMORY.
 */
reglet_status reglet__policy_protect(struct reglet__policy *policy, const char *path);

/* Whether any grant of this kind exists: without one a request can be refused before anything is looked at.
 */
bool reglet__policy_has(const struct reglet__policy *policy, enum reglet__kind kind);

/*
 * A granted capability decides; a shared one only together with a declaration that covers the same request.
 * `path` is absolute, without "." and "..". `is_symlink`: the object is itself a symbolic link (opened with
 * O_NOFOLLOW): it can be looked at and, inside a glob grant, removed or renamed, but never read.
 */
struct reglet__decision reglet__policy_fs(const struct reglet__policy *policy, enum reglet__fs_access access,
                                          const char *path, bool is_symlink);

/*
 * Whether a directory may be moved with everything in it: one write grant covers it and all below it. Without
 * this, renaming a directory would carry files that are not granted to where they are.
 */
struct reglet__decision reglet__policy_fs_tree(const struct reglet__policy *policy, const char *path);

/*
 * Whether renaming would let a plugin read what it may only write: it may be read at `to` (NULL: anything may
 * be read there), and not where it is. A directory is judged with all below it.
 */
bool reglet__policy_fs_reveals(const struct reglet__policy *policy, const char *from, const char *to,
                               bool is_directory);

/*
 * Whether a symbolic link to be made at `link`, pointing at `target` (made absolute by the caller, "." and
 * ".." worked out), stays with both ends inside one and the same write grant.
 */
struct reglet__decision reglet__policy_fs_symlink(const struct reglet__policy *policy, const char *link,
                                                  const char *target);

/* A variable's name, exact, by prefix or all. */
struct reglet__decision reglet__policy_env(const struct reglet__policy *policy, const char *name);

/* Writes the capability that would allow a file access, such as "fs:read:/etc/hosts", globs escaped. NULL
 * without memory, and where no capability would help (/proc/self, devices). A character that no pattern can
 * spell (control characters, invalid UTF-8) becomes "?". To be freed with free(). */
char *reglet__policy_fs_suggest(enum reglet__fs_access access, const char *path);

#endif
