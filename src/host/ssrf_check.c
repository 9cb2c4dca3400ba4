#include "host/functions.h"
#include "host/request.h"

REGLET__HOST_FUNCTION(ssrf_check) {
    return reglet__host_fail(request, "internal", "ENOSYS", "not there yet");
}
