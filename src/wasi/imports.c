#include "util/cleanup.h"
#include "wasi/functions.h"
#include "wasi/wasi.h"

#define IMPORT(name, signature, effect)                                                                      \
    {"wasi_snapshot_preview1", #name, signature, reglet__preview1_##name, REGLET__##effect},

const struct reglet__import reglet__wasi_imports[] = {WASI_FUNCTIONS(IMPORT)};
const size_t reglet__wasi_import_count = ARRAY_LEN(reglet__wasi_imports);
