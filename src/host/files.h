/*
 * files.h - what the functions on files share.
 */
#ifndef REGLET_HOST_FILES_H
#define REGLET_HOST_FILES_H

#include "host/request.h"

/*
 * Answers what a function of wasi/files.h returned. Of a denial the plugin learns no more than EACCES, the same whether
 * the file exists or not: the grant that would help is in the log.
 */
reglet_status reglet__host_fail_file(struct reglet__host_request *request, const char *verb, const char *path,
                                     int error);

#endif
