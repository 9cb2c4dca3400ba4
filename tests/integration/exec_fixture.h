/*
 * exec_fixture.h - a directory with programs and scripts of the test's own, and a plugin that runs them.
 */
#ifndef REGLET_TESTS_INTEGRATION_EXEC_FIXTURE_H
#define REGLET_TESTS_INTEGRATION_EXEC_FIXTURE_H

#include "tests/integration/servers.h"

/* cmocka's: a new directory with the program `probe` in it; and its end, with the runtime and the plugin. */
int exec_set_up(void **state);
int exec_tear_down(void **state);

/* The path of a file in the directory; the last eight stay valid. */
const char *in_dir(const char *name);

/* Puts a copy of the probe there, or a file with this text. */
void put_probe(const char *name);
void put_file(const char *name, int mode, const char *text);

/* Makes the runtime with these capabilities, up to a NULL, granted to the guest `relay`, and loads it. In the text "@"
 * stands for the directory. */
void grant(const char *capability, ...) __attribute__((sentinel));
/* The same with options, whose grants are set here. */
void grant_with(reglet_runtime_options *options, const char *capability, ...) __attribute__((sentinel));

extern reglet_plugin *plugin; /* what grant() loaded */
extern struct events events;  /* what it said */

/* Runs a command by its name in the directory, with arguments in JSON ("'a','b'"), and members that follow ("'dir':'/'");
 * returns the response, to be freed. A name with a slash in front is that path, one with a "!" that bare name. */
char *run(const char *name, const char *args, const char *more);

/* Runs it, and fails unless the response has this member. */
void expect_run(const char *name, const char *args, const char *pointer, const char *expected);

/* Runs it without arguments, and fails unless it is denied with a message that holds `part`. */
void expect_denied(const char *name, const char *part);

/* Processes that run a program of the directory now. */
unsigned running(void);

/* Open descriptors of this process. */
unsigned descriptors(void);

#endif
