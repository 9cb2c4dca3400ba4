// reglet/capability.h - what a plugin may reach, in the words that operators write.
//
// A capability is written `kind:pattern`:
//
//   fs:read:/etc/ssh/**            a path or a glob; also fs:write:
//   network:outbound:443           ports, a host, host:port, a CIDR, a URL, `private` or `*`
//   env:AWS_*                      a name, a prefix and `*`, or `*`
//   exec:/usr/bin/git              an absolute path, a directory and `/` + `*`, a bare name, or `**`
//   kv:read:settings/*             also kv:write: and kv:read-write:
//
// docs/policy.md has the whole grammar and how each kind is decided.
#ifndef REGLET_CAPABILITY_H
#define REGLET_CAPABILITY_H

#include <reglet/error.h>

REGLET_BEGIN_DECLS

/**
 * Checks that a capability parses, as reglet_runtime_new() will demand of every grant.
 *
 * @param capability  the text, such as "fs:read:/etc/hosts"
 * @return REGLET_OK; REGLET_ERR_INVALID_GRANT with the offending character's offset in reglet_error_offset();
 *         REGLET_ERR_INVALID_ARGUMENT for NULL; REGLET_ERR_NO_MEMORY
 *
 * Does no I/O. Any thread.
 */
REGLET_API reglet_status reglet_capability_check(const char *capability, reglet_error **err);

/** How much harm a capability allows. */
typedef enum reglet_risk {
    REGLET_RISK_LOW = 0, /**< one thing, or few that matter little */
    REGLET_RISK_MEDIUM,  /**< the network, commands, what lies below /etc */
    REGLET_RISK_HIGH     /**< broad: all of a kind, a shell, a whole home directory, cloud credentials */
} reglet_risk;

/** "low", "medium", "high". */
REGLET_API const char *reglet_risk_name(reglet_risk risk);

/**
 * Says what a capability means, for people who are to grant it.
 *
 * @param capability  the text, such as "exec:/usr/bin/git"
 * @param risk        receives the risk; may be NULL
 * @param sentence    receives one sentence, such as "Run /usr/bin/git with any arguments.", to be freed with
 *                    reglet_free(); may be NULL
 * @return as reglet_capability_check(); outputs are untouched on failure
 *
 * Does no I/O. Any thread.
 */
REGLET_API reglet_status reglet_capability_explain(const char *capability, reglet_risk *risk, char **sentence,
                                                   reglet_error **err);

REGLET_END_DECLS

#endif
