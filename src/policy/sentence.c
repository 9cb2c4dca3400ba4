#include <string.h>

#include "policy/internal.h"
#include "util/text.h"

char *reglet__capability_sentence(const struct reglet__capability *capability) {
    return reglet__clean_line_dup(capability->text, strlen(capability->text));
}
