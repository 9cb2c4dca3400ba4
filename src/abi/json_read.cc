/*
 * json_read.cc - JSON, read with simdjson (On-Demand) into our tree. simdjson finds the tokens and decodes strings; numbers stay
 * text. What it refuses, and whatever is large before it begins, passes the scan, which knows the limits, and says what is wrong and where.
 * Nothing here throws, and every allocation is checked.
 */
#define SIMDJSON_EXCEPTIONS         0
#define SIMDJSON_DEVELOPMENT_CHECKS 0 /* it would not survive a failed allocation of theirs */
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <simdjson.h>

extern "C" {
#include "abi/json_scan.h"
#include "util/limits.h"
#include "util/text.h"
}

namespace {

using simdjson::error_code;
namespace ondemand = simdjson::ondemand;

struct Free {
    void operator()(void *memory) const {
        std::free(memory);
    }
};
template <class T> using Block = std::unique_ptr<T[], Free>;

template <class T> Block<T> make_block(size_t count) {
    return Block<T>(count <= SIZE_MAX / sizeof(T) ? static_cast<T *>(std::malloc(count * sizeof(T)))
                                                  : nullptr);
}

/* --- The text ------------------------------------------------------------------------------------------------ */

/* What is read: valid UTF-8, with room behind it into which simdjson may look. */
struct Text {
    Block<char> bytes;
    size_t size = 0;
};

/* Copies, each invalid byte becoming U+FFFD. False without memory. */
bool copy(const char *from, size_t size, Text &to) {
    bool valid = reglet__utf8_valid(from, size);
    to.bytes = make_block<char>((valid ? size : reglet__utf8_repair_size(size)) + simdjson::SIMDJSON_PADDING);
    if (!to.bytes)
        return false;
    to.size = size;
    if (!valid)
        to.size = reglet__utf8_repair(from, size, to.bytes.get());
    else if (size)
        std::memcpy(to.bytes.get(), from, size);
    std::memset(to.bytes.get() + to.size, 0, simdjson::SIMDJSON_PADDING);
    return true;
}

/* The surrogate that \uXXXX at `at` stands for, or 0. */
unsigned surrogate_at(const char *at, const char *end) {
    unsigned code = 0;
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return 0;
    for (int i = 2; i < 6; i++) {
        const char *digits = "0123456789abcdefABCDEF", *digit = at[i] ? std::strchr(digits, at[i]) : nullptr;
        if (!digit)
            return 0;
        code = code << 4 | static_cast<unsigned>(digit - digits < 16 ? digit - digits : digit - digits - 6);
    }
    return code >= 0xD800 && code < 0xE000 ? code : 0;
}

/* Escapes of surrogates that make no pair become those of U+FFFD: simdjson refuses some and lets others pass. */
void mend_surrogates(Text &text) {
    char *at = text.bytes.get(), *end = at + text.size;
    while ((at = static_cast<char *>(std::memchr(at, '\\', static_cast<size_t>(end - at)))) &&
           end - at >= 2) {
        unsigned first = surrogate_at(at, end);
        if (first >= 0xD800 && first < 0xDC00 && surrogate_at(at + 6, end) >= 0xDC00)
            at += 12;
        else if (first)
            at = std::copy_n("\\uFFFD", 6, at);
        else
            at += 2;
    }
}

/* --- The tree ------------------------------------------------------------------------------------------------ */

/* A member and its place among all of them, for sorting. */
struct Member {
    reglet__json *node;
    size_t place;
};

bool same_key(const reglet__json *a, const reglet__json *b) {
    return a->key_size == b->key_size && std::memcmp(a->key, b->key, a->key_size) == 0;
}

bool in_order(const Member &a, const Member &b) {
    int order =
        a.node->key_size == b.node->key_size ? std::memcmp(a.node->key, b.node->key, a.node->key_size) : 0;
    return a.node->key_size != b.node->key_size ? a.node->key_size < b.node->key_size
           : order                              ? order < 0
                                                : a.place < b.place;
}

/* The later one's value goes to the earlier one's place; the later one has no key any more. */
void replace(reglet__json *earlier, reglet__json *later) {
    const reglet__json place = *earlier;
    *earlier = *later;
    earlier->key = place.key;
    earlier->next = place.next;
    later->key = nullptr;
}

bool replace_among_few(reglet__json *object) {
    bool replaced = false;
    for (reglet__json *member = object->first; member; member = member->next)
        for (reglet__json *later = member->next; member->key && later; later = later->next)
            if (later->key && same_key(member, later)) {
                replace(member, later);
                replaced = true;
            }
    return replaced;
}

/* Sorted, so that no choice of keys takes long. */
error_code replace_among_many(reglet__json *object, size_t count, bool &replaced) {
    Block<Member> members = make_block<Member>(count);
    if (!members)
        return simdjson::MEMALLOC;
    size_t place = 0;
    for (reglet__json *node = object->first; node; node = node->next, place++)
        members[place] = Member{node, place};
    std::sort(members.get(), members.get() + count, in_order);
    for (size_t i = 0, first = 0; i < count; i++) {
        if (i == 0 || !same_key(members[first].node, members[i].node)) {
            first = i;
        } else {
            replace(members[first].node, members[i].node);
            replaced = true;
        }
    }
    return simdjson::SUCCESS;
}

/* Of members with the same key the last value stays, in the place of the first. */
error_code drop_doubles(reglet__json *object, size_t count) {
    enum { FEW = 16 };
    bool replaced = false;
    if (count <= FEW)
        replaced = replace_among_few(object);
    else if (error_code error = replace_among_many(object, count, replaced))
        return error;
    for (reglet__json **link = &object->first; replaced && *link;)
        if ((*link)->key)
            link = &(*link)->next;
        else
            *link = (*link)->next;
    return simdjson::SUCCESS;
}

class Reader {
  public:
    Reader(const Text &text, reglet__arena *arena) : text_(text), arena_(arena) {}
    error_code read(reglet__json *root);

  private:
    template <class Value> error_code read_value(Value &value, reglet__json *to);
    error_code read_object(ondemand::object object, reglet__json *to);
    error_code read_array(ondemand::array array, reglet__json *to);
    error_code read_number(std::string_view text, reglet__json *to);
    error_code read_key(ondemand::field &field, reglet__json *to);
    error_code read_string(ondemand::raw_json_string string, const char **text, uint32_t *size);
    error_code copy(std::string_view from, const char **text, uint32_t *size);

    const Text &text_;
    reglet__arena *arena_;
    ondemand::parser parser_{REGLET__MAX_RESULT_BYTES};
    Block<uint8_t> scratch_; /* for strings with escapes, when there is one */
    unsigned depth_ = 0;
};

error_code Reader::copy(std::string_view from, const char **text, uint32_t *size) {
    *text = reglet__arena_copy(arena_, from.data(), from.size());
    *size = static_cast<uint32_t>(from.size());
    return *text ? simdjson::SUCCESS : simdjson::MEMALLOC;
}

/* The parser's own memory for strings may be missing: simdjson 3.0 does not look whether it got it. */
error_code Reader::read_string(ondemand::raw_json_string string, const char **text, uint32_t *size) {
    const char *start = string.raw(), *end = start;
    std::string_view decoded;
    while (*end != '"' && *end != '\\') /* that it ends is known */
        end++;
    if (*end == '"')
        return copy(std::string_view(start, static_cast<size_t>(end - start)), text, size);
    if (!scratch_ && !(scratch_ = make_block<uint8_t>(text_.size + simdjson::SIMDJSON_PADDING)))
        return simdjson::MEMALLOC;
    uint8_t *out = scratch_.get();
    if (error_code error = parser_.unescape(string, out).get(decoded))
        return error;
    return copy(decoded, text, size);
}

error_code Reader::read_key(ondemand::field &field, reglet__json *to) {
    error_code error = read_string(field.key(), &to->key, &to->key_size);
    return error || !std::memchr(to->key, '\0', to->key_size) ? error : simdjson::STRING_ERROR;
}

error_code Reader::read_object(ondemand::object object, reglet__json *to) {
    to->type = REGLET__JSON_OBJECT;
    reglet__json **link = &to->first;
    size_t count = 0;
    for (auto found : object) {
        ondemand::field field;
        if (error_code error = std::move(found).get(field))
            return error;
        reglet__json *member = *link =
            static_cast<reglet__json *>(reglet__arena_alloc(arena_, sizeof *member));
        if (!member)
            return simdjson::MEMALLOC;
        if (error_code error = read_key(field, member))
            return error;
        ondemand::value value = field.value();
        if (error_code error = read_value(value, member))
            return error;
        link = &member->next;
        count++;
    }
    return drop_doubles(to, count);
}

error_code Reader::read_array(ondemand::array array, reglet__json *to) {
    to->type = REGLET__JSON_ARRAY;
    reglet__json **link = &to->first;
    for (auto found : array) {
        ondemand::value value;
        if (error_code error = std::move(found).get(value))
            return error;
        *link = static_cast<reglet__json *>(reglet__arena_alloc(arena_, sizeof **link));
        if (!*link)
            return simdjson::MEMALLOC;
        if (error_code error = read_value(value, *link))
            return error;
        link = &(*link)->next;
    }
    return simdjson::SUCCESS;
}

error_code Reader::read_number(std::string_view text, reglet__json *to) {
    size_t at = 0;
    if ((text[0] != '-' && (text[0] < '0' || text[0] > '9')) ||
        reglet__json_number_fault(text.data(), text.size(), &at))
        return simdjson::NUMBER_ERROR;
    to->type = REGLET__JSON_NUMBER;
    return copy(text == "-0" ? "0" : text, &to->text, &to->size);
}

/* A token, which begins at a value, and has space behind it. */
std::string_view trimmed(std::string_view token) {
    size_t last = token.find_last_not_of(" \t\r\n");
    return token.substr(0, last + 1);
}

template <class Value> error_code Reader::read_value(Value &value, reglet__json *to) {
    std::string_view token;
    if (error_code error = simdjson::simdjson_result<std::string_view>(value.raw_json_token()).get(token))
        return error;
    token = trimmed(token);
    if (token.empty())
        return simdjson::EMPTY;
    if (token[0] == '{' || token[0] == '[') {
        if (depth_ == REGLET__JSON_DEPTH)
            return simdjson::DEPTH_ERROR;
        depth_++;
        ondemand::object object;
        ondemand::array array;
        error_code error = token[0] == '{' ? value.get_object().get(object) : value.get_array().get(array);
        if (!error)
            error = token[0] == '{' ? read_object(object, to) : read_array(array, to);
        depth_--;
        return error;
    }
    if (token[0] == '"') {
        ondemand::raw_json_string string;
        to->type = REGLET__JSON_STRING;
        if (error_code error = value.get_raw_json_string().get(string))
            return error;
        return read_string(string, &to->text, &to->size);
    }
    if (token == "null" || token == "true" || token == "false") {
        to->type = token == "null"   ? REGLET__JSON_NULL
                   : token == "true" ? REGLET__JSON_TRUE
                                     : REGLET__JSON_FALSE;
        return simdjson::SUCCESS;
    }
    return read_number(token, to);
}

/* --- The whole ----------------------------------------------------------------------------------------------- */

/* The best code for this processor; else the library would ask the environment which one to take (SIMDJSON_FORCE_IMPLEMENTATION). */
bool choose_implementation() {
    for (const simdjson::implementation *implementation : simdjson::get_available_implementations())
        if (implementation->supported_by_runtime_system()) {
            simdjson::get_active_implementation() = implementation;
            break;
        }
    return true;
}

error_code Reader::read(reglet__json *root) {
    static const bool chosen = choose_implementation();
    const char *begin = text_.bytes.get(), *end = begin + text_.size;
    ondemand::document document;
    std::string_view first;
    (void)chosen;
    error_code error = parser_.allocate(text_.size, REGLET__JSON_DEPTH + 1);
    if (!error)
        error = parser_.iterate(begin, text_.size, text_.size + simdjson::SIMDJSON_PADDING).get(document);
    if (!error)
        error = document.raw_json_token().get(first);
    if (!error)
        error = read_value(document, root);
    if (error)
        return error;
    bool whole = root->type == REGLET__JSON_ARRAY || root->type == REGLET__JSON_OBJECT
                     ? document.current_location().error() == simdjson::OUT_OF_BOUNDS
                     : first.data() + first.size() == end;
    return whole ? simdjson::SUCCESS : simdjson::TAPE_ERROR;
}

reglet_status read(reglet__arena *arena, const Text &text, reglet__json **out, reglet__json_fault *fault) {
    enum { SMALL = 64 << 10 }; /* that no limit can be passed in, but for depth */
    if (text.size > REGLET__MAX_RESULT_BYTES) {
        *fault = {"larger than the host takes", REGLET__MAX_RESULT_BYTES, text.size};
        return REGLET_ERR_BAD_OUTPUT;
    }
    if (text.size > SMALL && !reglet__json_scan(text.bytes.get(), text.size, fault))
        return REGLET_ERR_BAD_OUTPUT;
    reglet__json *root = static_cast<reglet__json *>(reglet__arena_alloc(arena, sizeof *root));
    if (!root)
        return REGLET_ERR_NO_MEMORY;
    Reader reader(text, arena);
    error_code error = reader.read(root);
    if (error == simdjson::MEMALLOC)
        return REGLET_ERR_NO_MEMORY;
    if (error) {
        if (reglet__json_scan(text.bytes.get(), text.size,
                              fault)) /* they should never disagree; if so, it is refused */
            *fault = {"it cannot be read", 0, text.size};
        return REGLET_ERR_BAD_OUTPUT;
    }
    *out = root;
    return REGLET_OK;
}

} // namespace

extern "C" reglet_status reglet__json_read(reglet__arena *arena, const char *bytes, size_t size,
                                           reglet__json **out, reglet__json_fault *fault) {
    Text text;
    *fault = {nullptr, 0, 0};
    if (size > REGLET__MAX_RESULT_BYTES) {
        *fault = {"larger than the host takes", REGLET__MAX_RESULT_BYTES, size};
        return REGLET_ERR_BAD_OUTPUT;
    }
    if (!copy(bytes, size, text))
        return REGLET_ERR_NO_MEMORY;
    mend_surrogates(text);
    return read(arena, text, out, fault);
}
