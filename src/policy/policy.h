/*
 * policy.h - what a plugin may do: parsed capabilities, and the decision on one request. Pure: no I/O at all.
 *
 * Parsing happens when a runtime is made (grants) and when a plugin was described (declarations); deciding
 * happens at every host call, on any thread, on a policy that no longer changes.
 */
#ifndef REGLET_POLICY_POLICY_H
#define REGLET_POLICY_POLICY_H

#include <reglet/capability.h>

#include "policy/endpoint.h"

enum reglet__kind {
    REGLET__KIND_FS,
    REGLET__KIND_NETWORK,
    REGLET__KIND_ENV,
    REGLET__KIND_EXEC,
    REGLET__KIND_KV
};

/* One parsed capability. Immutable, but for what is resolved before it takes part in a decision. */
struct reglet__capability;

/* A command with the arguments that it may have. Reference counted. */
struct reglet__command_pin;

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

/*
 * Whether a real path is one of these or lies below one; `by_name`: or what has that name may not be made, moved or
 * removed, because one of them lies below it. For who has something else than grants to allow by.
 */
bool reglet__policy_protects(const struct reglet__policy *policy, const char *path, bool by_name);

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

/* --- network ---
 *
 * Connecting takes two decisions: whether a rule allows host and port, before any name is looked up; and, for each
 * address of that host, whether it may be reached.
 */

/* Whether a rule allows the host, port and (http_request) URL, as the plugin wrote them. For an address (not a name) this
 * is the first half only: reglet__policy_address() is the other. */
struct reglet__decision reglet__policy_connect(const struct reglet__policy *policy,
                                               const struct reglet__endpoint *endpoint);

/* Whether this address of the endpoint may be reached: reglet__policy_connect() allows the endpoint, and the address is
 * public, `private` opens it, or a rule that allows the endpoint's port names it, or a CIDR around it that lies wholly in
 * the special range. The reason names the range. */
struct reglet__decision reglet__policy_address(const struct reglet__policy *policy,
                                               const struct reglet__endpoint *endpoint,
                                               const struct reglet__address *address);

/* Whether the system's resolver may be asked for a name by itself (dns_lookup): a rule allows that name, or any host, at
 * port 53. Looking up the name of a connection that reglet__policy_connect() allowed needs nothing more. */
struct reglet__decision reglet__policy_lookup(const struct reglet__policy *policy,
                                              const struct reglet__endpoint *endpoint);

/* --- commands --- */

/* A command, with what its file turned out to be. */
struct reglet__command_request {
    const char *asked; /* as the plugin wrote it: an absolute path, or a bare name */
    const char
        *place; /* absolute: real path of its directory, and its last component; that of a bare name as it was
                          found on the PATH */
    const char *file;        /* real path of the file that would be run */
    const char *const *args; /* without the command itself */
    size_t arg_count;
};

/*
 * Whether a grant could allow a command of this spelling, whatever its file is: asked before anything is looked at. What
 * is neither an absolute path nor a bare name (`./git`, ``, `a/b`) is denied for good.
 */
struct reglet__decision reglet__policy_exec_spelling(const struct reglet__policy *policy, const char *asked);

/*
 * Whether it may run. A path grant matches its file by that spelling (or another of the same place); a bare name that
 * name; a directory's grant what is in it by place and by file. Shells, interpreters and programs that run programs
 * run only by an exact grant or by `**`. Where arguments are pinned for the place, the file or the name, they decide alone.
 * A program that the plugin may write runs only by `**`.
 */
struct reglet__decision reglet__policy_exec(const struct reglet__policy *policy,
                                            const struct reglet__command_request *request);

/* exec only: what an absolute grant named when the runtime was made: its place and its file, as above (the real path of
 * the directory for both, where the grant is of one). Without it the grant is compared as it is written. Copied. REGLET_ERR_NO_MEMORY. */
reglet_status reglet__capability_exec_resolve(struct reglet__capability *capability, const char *place,
                                              const char *file);
/* exec only: the path to resolve (a directory where the grant is of one), or NULL for bare names and `**`. Borrowed. */
const char *reglet__capability_exec_path(const struct reglet__capability *capability);

/*
 * Grants a command with these arguments, and takes away every other: one glob for each argument, in which "/" is a
 * character like any other. `command` is what a grant has after "exec:", an exact path or a bare name. Copied.
 * REGLET_ERR_INVALID_GRANT, REGLET_ERR_NO_MEMORY.
 */
reglet_status reglet__command_pin_parse(const char *command, const char *const *args, size_t arg_count,
                                        struct reglet__command_pin **out, reglet_error **err);
void reglet__command_pin_free(struct reglet__command_pin *pin); /* gives a reference back */
struct reglet__command_pin *reglet__command_pin_ref(struct reglet__command_pin *pin);
const char *
reglet__command_pin_path(const struct reglet__command_pin *pin); /* to resolve; NULL for a bare name */
/* For a bare name too, where it was found: then the pin holds for that file under every name. It always holds for every
 * program of that name. */
reglet_status reglet__command_pin_resolve(struct reglet__command_pin *pin, const char *place,
                                          const char *file);
const char *
reglet__command_pin_text(const struct reglet__command_pin *pin); /* "exec:/usr/bin/git [--version]" */
/* HIGH, and broad: a program that runs any other, with an argument that is a pattern. Else MEDIUM, as all commands. */
reglet_risk reglet__command_pin_risk(const struct reglet__command_pin *pin);
/* Takes the pin over, also when it fails. */
reglet_status reglet__policy_pin_command(struct reglet__policy *policy, struct reglet__command_pin *pin);

/* Whether a program of this file name (a last path component) is a shell, an interpreter, or runs other programs,
 * whatever version suffix it has. */
bool reglet__runs_programs(const char *file_name);

/* --- keys, and what embedders add --- */

/* A key of a store, read or (with `write`) written. */
struct reglet__decision reglet__policy_kv(const struct reglet__policy *policy, bool write, const char *key);

/*
 * The decision on a request written as a capability that asks for one thing: "kv:read:settings/a", "env:HOME",
 * "network:outbound:example.org:443" (first half only for a name; both for an address), a URL, "exec:/usr/bin/git" (by its
 * spelling; place and file the same). Not for fs, which needs the object's real path. REGLET_ERR_INVALID_GRANT: it asks for
 * no single thing, with the offset of the character.
 */
reglet_status reglet__policy_ask(const struct reglet__policy *policy, const char *request,
                                 struct reglet__decision *out, reglet_error **err);

/* --- levels --- */

/* Strict: a request must match a grant and a declaration; otherwise a grant is enough. Standard until it is set. */
void reglet__policy_set_strict(struct reglet__policy *policy, bool strict);

/* --- what a capability means, for people --- */

/* How much harm it allows. What is broad by the operator's own patterns is REGLET_RISK_HIGH besides: whoever has them asks
 * reglet__capability_is_broad(). */
reglet_risk reglet__capability_risk(const struct reglet__capability *capability);

/* Whether it is broad: taken in by policy, or spelled like one of the operator's own patterns. */
bool reglet__capability_is_broad(const struct reglet__capability *capability, const char *const *patterns,
                                 size_t pattern_count);

/* One sentence: "Read the file /etc/hosts.", "Connect to any host at port 443, but not to private addresses.", "Run
 * /usr/bin/git with any arguments.". NULL without memory; to be freed with free(). */
char *reglet__capability_sentence(const struct reglet__capability *capability);

/*
 * The grant under which everything that `declared` asks for is certainly allowed, as written; NULL when there is none or
 * that cannot be told (two globs that overlap, say).
 */
const char *reglet__policy_covering(const struct reglet__policy *policy,
                                    const struct reglet__capability *declared);

/* The capability that would allow a request, as it would be written. NULL without memory, and where none would help. */
char *
reglet__policy_connect_suggest(const struct reglet__endpoint *endpoint); /* network:outbound:host:port */
char *reglet__policy_address_suggest(
    const struct reglet__endpoint *endpoint,
    const struct reglet__address *address); /* network:outbound:private, or the address */
char *reglet__policy_lookup_suggest(const struct reglet__endpoint *endpoint);
char *reglet__policy_exec_suggest(const struct reglet__command_request *request);
char *reglet__policy_env_suggest(const char *name);
char *reglet__policy_kv_suggest(bool write, const char *key);

/* Writes the capability that would allow a file access, such as "fs:read:/etc/hosts", globs escaped. NULL
 * without memory, and where no capability would help (/proc/self, devices). A character that no pattern can
 * spell (control characters, invalid UTF-8) becomes "?". To be freed with free(). */
char *reglet__policy_fs_suggest(enum reglet__fs_access access, const char *path);

#endif
