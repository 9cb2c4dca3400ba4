#include "policy/internal.h"

enum reglet__program reglet__program_of(const char *file_name) {
    (void)file_name;
    return REGLET__PROGRAM_ANYTHING;
}

bool reglet__runs_programs(const char *file_name) {
    return reglet__program_of(file_name) != REGLET__PROGRAM_PLAIN;
}
