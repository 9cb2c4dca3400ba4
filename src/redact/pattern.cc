#include "redact/pattern.h"

#include <re2/re2.h>

#include <algorithm>
#include <cstring>
#include <new>

struct reglet__pattern {
    reglet__pattern(const char *regex, const RE2::Options &options) : re(regex, options) {}
    RE2 re;
};

namespace {

/* Of a pattern with more groups the later ones are not looked at: then the whole match counts. */
constexpr int kMaxGroups = 31;

RE2::Options options() {
    RE2::Options options;
    options.set_encoding(RE2::Options::EncodingLatin1);
    options.set_log_errors(false);
    return options;
}

void copy_reason(const std::string &from, char *to) {
    size_t length = std::min<size_t>(from.size(), REGLET__PATTERN_REASON_SIZE - 1);
    std::memcpy(to, from.data(), length);
    to[length] = '\0';
}

/* The group that is the secret; the whole match is number 0. */
int secret_of(const re2::StringPiece *groups, int count, unsigned wanted) {
    if (wanted > 0)
        return wanted < static_cast<unsigned>(count) && !groups[wanted].empty() ? static_cast<int>(wanted)
                                                                                : 0;
    for (int i = 1; i < count; i++)
        if (!groups[i].empty())
            return i;
    return 0;
}

} // namespace

extern "C" enum reglet__pattern_result reglet__pattern_new(const char *regex, struct reglet__pattern **out,
                                                           char reason[REGLET__PATTERN_REASON_SIZE]) try {
    reglet__pattern *pattern = new reglet__pattern(regex, options());
    if (pattern->re.ok()) {
        *out = pattern;
        return REGLET__PATTERN_YES;
    }
    copy_reason(pattern->re.error(), reason);
    delete pattern;
    return REGLET__PATTERN_NO;
} catch (...) {
    return REGLET__PATTERN_NO_MEMORY;
}

extern "C" void reglet__pattern_free(struct reglet__pattern *pattern) {
    delete pattern;
}

extern "C" enum reglet__pattern_result reglet__pattern_find(const struct reglet__pattern *pattern,
                                                            const char *text, size_t size, size_t from,
                                                            size_t to, unsigned group,
                                                            struct reglet__pattern_match *out) try {
    re2::StringPiece groups[kMaxGroups + 1];
    int count = 1 + std::min(pattern->re.NumberOfCapturingGroups(), kMaxGroups);
    if (!pattern->re.Match(re2::StringPiece(text, size), from, to, RE2::UNANCHORED, groups, count))
        return REGLET__PATTERN_NO;
    const re2::StringPiece &secret = groups[secret_of(groups, count, group)];
    out->start = static_cast<size_t>(groups[0].data() - text);
    out->end = out->start + groups[0].size();
    out->secret_start = static_cast<size_t>(secret.data() - text);
    out->secret_end = out->secret_start + secret.size();
    return REGLET__PATTERN_YES;
} catch (...) {
    return REGLET__PATTERN_NO_MEMORY;
}

extern "C" unsigned reglet__pattern_groups(const struct reglet__pattern *pattern) {
    return static_cast<unsigned>(pattern->re.NumberOfCapturingGroups());
}
