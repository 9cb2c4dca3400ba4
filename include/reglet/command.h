/*
 * reglet/command.h - running a WASI command (a module with _start) under the same grants as a plugin.
 */
#ifndef REGLET_COMMAND_H
#define REGLET_COMMAND_H

#include <reglet/plugin.h>

REGLET_BEGIN_DECLS

/** A directory of the host that the command may read and write, with everything below it. */
typedef struct reglet_preopen {
    const char *host_path;  /**< an existing directory */
    const char *guest_path; /**< what the command calls it: "/" or a name; NULL: as host_path */
} reglet_preopen;

/** How a command is run. All zero (but struct_size): no arguments, no environment, no files, empty stdin. */
typedef struct reglet_command_options {
    size_t struct_size; /**< sizeof(reglet_command_options); REGLET_COMMAND_OPTIONS_INIT sets it */
    const reglet_call_options *call;
    const char *const *args; /**< arguments after the name; args[0] of the guest is the plugin's name */
    size_t arg_count;
    const char *const *env; /**< "NAME=value"; besides what env grants let through, and before it */
    size_t env_count;
    const reglet_preopen *preopens;
    size_t preopen_count;
    bool inherit_stdio; /**< pass descriptors 0, 1 and 2 of this process through; else as for plugins */
} reglet_command_options;

#define REGLET_COMMAND_OPTIONS_INIT REGLET_STRUCT_INIT(reglet_command_options)

/**
 * Runs the _start of a loaded module in a fresh instance and waits for its end. With an fs grant for its name
 * there is also a preopened "/", held by the grants; in the preopens everything is allowed but what no grant reaches either:
 * protected_paths and the directory of compiled code, and moving or removing a directory that holds one of them.
 *
 * @param out_exit_code  receives the command's exit code, 0 to 2^32-1, when it ended by itself
 * @return REGLET_OK when it ended by itself, whatever its code; any code of "a call that ran" or "limits" but
 *         REGLET_ERR_EXIT; REGLET_ERR_DENIED (a preopen is, or lies below, what no grant reaches); REGLET_ERR_IO (a preopen cannot be opened, or no descriptor is left to wait with for its
 *         turn); REGLET_ERR_CLOSED; REGLET_ERR_THREAD_STACK; REGLET_ERR_INVALID_ARGUMENT; REGLET_ERR_NO_MEMORY
 */
REGLET_API reglet_status reglet_plugin_run_command(reglet_plugin *plugin,
                                                   const reglet_command_options *options,
                                                   uint32_t *out_exit_code, reglet_error **err);

REGLET_END_DECLS

#endif
