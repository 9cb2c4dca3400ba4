/*
 * redaction.h - from the configuration file and the command line to a redactor.
 */
#ifndef CLI_REDACTION_H
#define CLI_REDACTION_H

#include "config_file.h"
#include "options.h"

/*
 * Makes the redactor that configuration and options ask for together; *out stays NULL where neither says anything, which
 * means the library's own. `secret_files` (NULL: nobody asks) gets the files that known secrets came from. Known secrets are taken from variables and files now. EXIT_OK; or EXIT_BAD_USAGE or EXIT_FAILED
 * with one line in *message, to be freed: what is wrong, and in which line.
 */
int redaction_make(const struct config_file *config, const struct options *options, reglet_redactor **out,
                   struct string_list *secret_files, char **message);

#endif
