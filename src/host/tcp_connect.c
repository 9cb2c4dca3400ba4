#include "host/functions.h"
#include "host/request.h"

REGLET__HOST_FUNCTION(tcp_connect) {
    return reglet__host_fail(request, "internal", "ENOSYS", "not there yet");
}
REGLET__HOST_FUNCTION(net_connect) {
    return reglet__host_fail(request, "internal", "ENOSYS", "not there yet");
}
