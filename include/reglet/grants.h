/*
 * reglet/grants.h - what a plugin declares, what it was granted, and what would be decided.
 */
#ifndef REGLET_GRANTS_H
#define REGLET_GRANTS_H

#include <reglet/plugin.h>

REGLET_BEGIN_DECLS

/** One capability, declared by a plugin or granted to it. */
typedef struct reglet_capability_view {
    const char *capability; /**< as it was written, "kind:pattern"; control characters made visible */
    const char *sentence;   /**< what it means, for people; for one that does not parse: why not */
    reglet_risk risk;       /**< LOW when it does not parse: it allows nothing */
    bool valid;             /**< it parses; a grant always does */
    bool broad;             /**< all of a kind, a shell, …, or one of the runtime's broad_patterns */
    bool shared;            /**< a grant for all plugins: it applies where the plugin declares it too */
    const char *granted_by; /**< of a declaration: the grant that certainly covers all of it, or NULL */
} reglet_capability_view;

/** What one plugin declares and is granted. */
typedef struct reglet_grants {
    size_t struct_size; /**< size of the structure that the library filled in */
    const reglet_capability_view *declared;
    size_t declared_count;
    const reglet_capability_view *granted;
    size_t granted_count;
    const char *sha256; /**< of the module, 64 hexadecimal digits: what a configuration pins */
} reglet_grants;

/**
 * Lists what a plugin declares and what it is granted. It may have to run the plugin's description, which happens without
 * any grant. A module that has no description has declared nothing.
 *
 * @param call  for the case that it has to run; may be NULL
 * @param out   receives the lists, to be freed with reglet_grants_free(); they outlive plugin and runtime; untouched on
 *              failure
 * @return as reglet_plugin_describe()
 */
REGLET_API reglet_status reglet_plugin_grants(reglet_plugin *plugin, const reglet_call_options *call,
                                              const reglet_grants **out, reglet_error **err);

/** Frees. NULL is allowed. Any thread. */
REGLET_API void reglet_grants_free(const reglet_grants *grants);

/** What would be decided on a request. */
typedef struct reglet_decision {
    size_t struct_size; /**< size of the structure that the library filled in */
    bool allowed;
    const char *asked;  /**< the request */
    const char *rule;   /**< the grant that allows it; NULL when denied */
    const char *reason; /**< one sentence: why it is allowed or denied */
    const char *grant;  /**< denied: the capability that would allow it, or NULL where none would */
} reglet_decision;

/**
 * Says what would be decided if the plugin asked for something, and by which rule; nothing is opened, resolved by DNS,
 * connected to or run. (A file's path and a command are resolved on the file system as it is now. With grants for all plugins, or at level
 * strict, the plugin is asked once what it declares.)
 *
 * @param request  one thing, written as a capability: "fs:read:/etc/hosts", "network:outbound:example.org:443", a URL
 *                 ("network:outbound:https://example.org/v1"), "env:HOME", "exec:/usr/bin/git", "kv:read:a". For the
 *                 name of a host the decision is on name and port; its addresses are judged when it is connected to.
 *                 A command is asked for without arguments; the interpreter of a script is a command of its own
 * @param call     may be NULL
 * @param out      receives the decision, to be freed with reglet_decision_free(); untouched on failure
 * @return REGLET_OK, also when it would be denied; REGLET_ERR_INVALID_GRANT (the request asks for no single thing, with the
 *         offset of the character); otherwise as reglet_plugin_describe()
 */
REGLET_API reglet_status reglet_plugin_ask(reglet_plugin *plugin, const char *request,
                                           const reglet_call_options *call, const reglet_decision **out,
                                           reglet_error **err);

/** Frees. NULL is allowed. Any thread. */
REGLET_API void reglet_decision_free(const reglet_decision *decision);

REGLET_END_DECLS

#endif
