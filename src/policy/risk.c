#include "policy/internal.h"

reglet_risk reglet__capability_risk(const struct reglet__capability *capability) {
    (void)capability;
    return REGLET_RISK_HIGH;
}

bool reglet__capability_is_broad(const struct reglet__capability *capability, const char *const *patterns,
                                 size_t pattern_count) {
    (void)capability;
    (void)patterns;
    (void)pattern_count;
    return true;
}
