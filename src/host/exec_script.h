/*
 * exec_script.h - what a file is, told by its first bytes as the kernel tells it: a program, a script, or nothing that is run.
 */
#ifndef REGLET_HOST_EXEC_SCRIPT_H
#define REGLET_HOST_EXEC_SCRIPT_H

#include <stddef.h>

enum { REGLET__EXEC_HEAD = 256 }; /* bytes that the kernel looks at */

enum reglet__exec_kind {
    REGLET__EXEC_PROGRAM, /* ELF, for this machine */
    REGLET__EXEC_FOREIGN, /* ELF, for another machine, or no program */
    REGLET__EXEC_SCRIPT,  /* begins with #! */
    REGLET__EXEC_OTHER    /* what shells would take for a script, and binfmt_misc for whatever it was told */
};

/* `head`: the file's first bytes, REGLET__EXEC_HEAD of them unless it is shorter. */
enum reglet__exec_kind reglet__exec_kind(const char *head, size_t size);

/* The first line of a script. */
struct reglet__exec_script {
    char line[REGLET__EXEC_HEAD]; /* what the other two point into */
    const char *interpreter;
    const char *argument; /* all that follows it, as one; or NULL */
};

/* Parses the head of a SCRIPT. NULL, or what is wrong with it (static). */
const char *reglet__exec_script_parse(const char *head, size_t size, struct reglet__exec_script *out);

#endif
