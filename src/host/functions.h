/*
 * functions.h - the functions of the module "reglet_host", each defined in the file of its name.
 */
#ifndef REGLET_HOST_FUNCTIONS_H
#define REGLET_HOST_FUNCTIONS_H

#include "engine/guest.h"

#define DECLARE(name) bool reglet__host_##name(struct reglet__guest *guest, union reglet__slot *slots)

DECLARE(dns_lookup);
DECLARE(env_get);
DECLARE(exec_command);
DECLARE(fs_read);
DECLARE(fs_stat);
DECLARE(fs_write);
DECLARE(http_request);
DECLARE(log_message);
DECLARE(net_connect);
DECLARE(smtp_connect);
DECLARE(ssrf_check);
DECLARE(tcp_connect);
DECLARE(custom); /* a function of the embedder's, by the name that was imported */

#undef DECLARE

#endif
