/*
 * reglet.h - run plugins that you do not trust, under capabilities that you grant.
 *
 * A plugin is a WebAssembly module that describes itself, gives the schema of its configuration, and
 * observes: it looks at a file, a port, a certificate, and returns evidence. Whatever it reaches for outside
 * itself is decided by the grants of the runtime it is loaded in. The shortest way through the library:
 *
 *     reglet_runtime_new()            grants and limits
 *     reglet_runtime_load_plugin()    compiles once per name
 *     reglet_plugin_observe()         a fresh instance for each call, one deadline, one cancel token
 *     reglet_result_json()            evidence, or why there is none
 *
 * WHAT THIS LIBRARY DOES TO YOUR PROCESS
 *
 * - Signals. The engine installs handlers for SIGSEGV, SIGILL and SIGFPE when the first runtime is made,
 *   which turn faults of guest code into errors; any other fault goes on to the handler that was there
 *   before. Install your own handlers for these before, and chain if you install later. Signal masks are
 *   never changed.
 * - Signal stacks. Each thread that makes a call gets an alternate signal stack of 256 KiB, freed with the
 *   thread.
 * - Threads. All of them block every signal. One for the process ticks while calls are in flight (every 2 ms), sleeps
 *   otherwise, and gives idle memory back. Each load of a module that the process has no code of starts one, which finds or
 *   makes that code; while it compiles, the compiler has as many more as the process may use processors (or as
 *   RAYON_NUM_THREADS says), at nice 5. Where that code is the fast compiler's, the first observation starts another one,
 *   which 20 ms after the answer looks for a file of optimised code and otherwise begins the optimising compiler, on half
 *   of the processors (one at least) and at nice 5 as well, unless nobody uses the module by then. Calls that begin after
 *   that is done run on the optimised code. A compilation cannot be interrupted, and one that nobody waits for any more
 *   goes on; the options `compiler` and `cache_mode` (reglet/runtime.h) say what is compiled, and when.
 * - Stack. A thread that makes a call needs 768 KiB of stack that is free: 512 KiB for the guest and 256 KiB
 *   for the host. A call on a thread with less is refused with REGLET_ERR_THREAD_STACK.
 * - fork. Forking a process that uses the library and calling exec in the child is safe: every descriptor is
 *   close-on-exec, but for a pair of sockets that libcurl 7.88 makes for the time of an HTTP request. In a child
 *   that does not exec, no function of this library may be called, and it ends by _exit().
 * - The end. Before a program calls exit() or returns from main(), it gives its plugins back (reglet_plugin_unref()) and
 *   then frees its runtimes: reglet_runtime_free() waits for threads of the library that read a module, which uses OpenSSL,
 *   and that takes itself apart in exit(); and for those that look for a file of compiled code or write one, which would be
 *   compiled for nothing. It does not wait for compilers: a process can end while they work. Ending by _exit() or a signal
 *   is safe at any moment; a file that is just being written is lost then.
 * - Files. Compiled code is kept in files (mode 0600) of the directory $XDG_CACHE_HOME/reglet, else $HOME/.cache/reglet,
 *   which is made (mode 0700) by the first load; both variables are looked at when a runtime is made, and ignored in a
 *   set-user-ID program. At most 2 GiB are kept, those used least recently go. Files are mapped for as long as the code is
 *   in use: whoever cuts one short ends the process by SIGBUS, and whoever can write one runs code in it, so that only
 *   files are used that nobody but this user can write (SECURITY.md). reglet_cache_options names another directory and
 *   limit, or none (`memory_only`); a runtime with REGLET_CACHE_NONE neither reads nor writes files. Whatever is wrong with
 *   files is a log event of level warn, and no load or call fails for it. No grant lets a plugin reach the directory of its
 *   runtime or the default one.
 * - Descriptors. Three for the process: its procfs, to find the real path of what a plugin opened, its root, and its page
 *   map. For each cache with files, its directory, from the first load on. For each load while it waits, one, and one more
 *   for the file that it loads from. That file stays open until nothing will be compiled of it any more, which is when the
 *   optimised code is there; a module that was loaded from memory stays in memory as long. For each module whose code was
 *   mapped, the file of that code. For each module what its memory starts from, which may be that file once more; for each
 *   plugin whose calls start from an image that image, and for a moment the one before. So a plugin holds up to four for
 *   as long as it is loaded. One for each call that waits for its turn. For calls in flight, what plugins have open. One for
 *   each cancel token that something slept on.
 * - Processes. A command that a plugin may run has a process of the library's between it and this one, which ends with
 *   the call. It is no child that wait() or waitpid(-1) would see, and raises no SIGCHLD. It is forked without exec: for as
 *   long as the command runs, it holds a copy-on-write picture of this process.
 * - Network. Only what plugins were granted. No proxy, .netrc, resolver option or TLS setting of the environment counts.
 * - Memory. 4 GiB of address space, not memory, is reserved for each call in flight, and for up to 256 idle ones in the
 *   process, which keep the pages that calls write, 4 MiB at the most each and 128 MiB together, and are given back after
 *   10 to 15 seconds without use, or at once where addresses are short. What a plugin's memory starts from is in memory
 *   once besides, however many calls use it: its data, and for the image what it wrote while it initialised, 128 MiB at the
 *   most each. The image is a file in memory (memfd), sealed against writing; so is the data, unless the code came from a
 *   file: then it is mapped from there, like the code. Out of memory is an error code here; the engine's compiler aborts
 *   the process instead.
 * - simdjson. The first JSON that is read chooses simdjson's code for the whole process, by the processor alone.
 * - OpenSSL and libcurl. The first http_request of a plugin initialises libcurl (curl_global_init()), for good, and
 *   with it OpenSSL's default context: it reads the configuration that OPENSSL_CONF names, and opens, for
 *   nothing of ours, the file that SSLKEYLOGFILE names. A program that uses libcurl itself and threads calls
 *   curl_global_init() before, as it must anyway.
 * - Unloading. The shared library stays mapped once loaded: dlclose() does not unload it.
 * - It never prints, exits, aborts on your input, changes the environment, the locale or the working
 *   directory. The engine aborts the process on a bug of its own.
 *
 * THREADS
 *
 * A function may be called from any thread, and at the same time as any other, unless its comment says
 * otherwise. Objects that are not synchronised (reglet_config) say so.
 *
 * OWNERSHIP
 *
 * What a function writes to an `out` argument belongs to the caller, who gives it back with the function that
 * the comment names. What a getter returns is borrowed from the object it was asked of. Outputs are untouched
 * when a function fails.
 */
#ifndef REGLET_H
#define REGLET_H

#include <reglet/audit.h>
#include <reglet/base.h>
#include <reglet/cache.h>
#include <reglet/cancel.h>
#include <reglet/capability.h>
#include <reglet/command.h>
#include <reglet/config.h>
#include <reglet/error.h>
#include <reglet/grants.h>
#include <reglet/host_function.h>
#include <reglet/inspect.h>
#include <reglet/log.h>
#include <reglet/metrics.h>
#include <reglet/plugin.h>
#include <reglet/recording.h>
#include <reglet/redactor.h>
#include <reglet/result.h>
#include <reglet/runtime.h>

#endif
