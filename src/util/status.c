#include <reglet/base.h>
#include <stdlib.h>

#include <reglet/runtime.h>

const char *reglet_status_name(reglet_status status) {
    switch (status) {
    case REGLET_OK: return "ok";
    case REGLET_ERR_INVALID_ARGUMENT: return "invalid_argument";
    case REGLET_ERR_NO_MEMORY: return "no_memory";
    case REGLET_ERR_INVALID_GRANT: return "invalid_grant";
    case REGLET_ERR_INVALID_CONFIG: return "invalid_config";
    case REGLET_ERR_IO: return "io";
    case REGLET_ERR_UNSUPPORTED: return "unsupported";
    case REGLET_ERR_THREAD_STACK: return "thread_stack";
    case REGLET_ERR_CLOSED: return "closed";
    case REGLET_ERR_NOT_LOADED: return "not_loaded";
    case REGLET_ERR_NAME_TAKEN: return "name_taken";
    case REGLET_ERR_INVALID_MODULE: return "invalid_module";
    case REGLET_ERR_UNKNOWN_IMPORT: return "unknown_import";
    case REGLET_ERR_SIGNATURE: return "signature";
    case REGLET_ERR_MODULE_SIZE: return "module_size";
    case REGLET_ERR_PIN_MISMATCH: return "pin_mismatch";
    case REGLET_ERR_MISSING_EXPORT: return "missing_export";
    case REGLET_ERR_TRAP: return "trap";
    case REGLET_ERR_EXIT: return "exit";
    case REGLET_ERR_TIMEOUT: return "timeout";
    case REGLET_ERR_CANCELLED: return "cancelled";
    case REGLET_ERR_BAD_OUTPUT: return "bad_output";
    case REGLET_ERR_PLUGIN: return "plugin";
    case REGLET_ERR_DENIED: return "denied";
    case REGLET_ERR_MEMORY_LIMIT: return "memory_limit";
    case REGLET_ERR_TABLE_LIMIT: return "table_limit";
    case REGLET_ERR_STACK_LIMIT: return "stack_limit";
    case REGLET_ERR_RESULT_LIMIT: return "result_limit";
    case REGLET_ERR_REPLAY: return "replay";
    case REGLET_ERR_OUTPUT_LIMIT: return "output_limit";
    case REGLET_ERR_LOG_LIMIT: return "log_limit";
    case REGLET_ERR_HOST_CALL_LIMIT: return "host_call_limit";
    case REGLET_ERR_NETWORK_LIMIT: return "network_limit";
    case REGLET_ERR_COMMAND_LIMIT: return "command_limit";
    case REGLET_ERR_FILE_LIMIT: return "file_limit";
    case REGLET_ERR_INTERNAL: return "internal";
    }
    return "unknown";
}

const char *reglet_version(void) {
    return REGLET_VERSION_STRING;
}

void reglet_free(void *memory) {
    free(memory);
}
