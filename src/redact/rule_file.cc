/*
 * rule_file.cc - gitleaks' TOML format, read with toml++. Keys are taken without regard to case, and unknown ones passed over, as
 * gitleaks does. No exception leaves this file.
 */
#define TOML_EXCEPTIONS          0
#define TOML_ENABLE_FORMATTERS   0
#define TOML_MAX_NESTED_VALUES   16
#define TOML_UNRELEASED_FEATURES 0
#include <cerrno>
#include <cmath>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <memory>
#include <strings.h>
#include <sys/stat.h>
#include <toml++/toml.h>
#include <unistd.h>
#include <vector>

extern "C" {
#include "redact/rule.h"
#include "util/fail.h"
#include "util/limits.h"
#include "util/sys.h"
}

namespace {

using Strings = std::vector<std::string>;

struct Exception {
    Strings regexes, words;
    Strings rules; /* that it is for; none: all */
    unsigned line = 0;
    decltype(reglet__rule_exception::target) target = reglet__rule_exception::REGLET__EXCEPT_SECRET;
    bool all = false;
};

struct Rule {
    std::string id, regex;
    Strings keywords;
    std::vector<Exception> exceptions;
    int64_t group = 0;
    double entropy = 0;
    bool runs_on = false;
    bool has_path = false;
};

/* One file, with what it extends. */
struct Document {
    std::vector<Rule> rules;
    std::vector<Exception> exceptions;
    Strings disabled;
    std::string path; /* of the file that is extended */
    unsigned path_line = 0;
    bool builtin = false; /* extends the built-in rules */
    Strings files;        /* absolute: those that it extends */
};

bool same(std::string_view a, const char *b) {
    return a.size() == std::strlen(b) && strncasecmp(a.data(), b, a.size()) == 0;
}

bool contains(const Strings &list, const std::string &text) {
    for (const std::string &item : list)
        if (item == text)
            return true;
    return false;
}

template <class T> void append(std::vector<T> &to, const std::vector<T> &from) {
    to.insert(to.end(), from.begin(), from.end());
}

const reglet__rule *find_builtin(const std::string &id) {
    for (size_t i = 0; i < reglet__builtin_rule_count; i++)
        if (id == reglet__builtin_rules[i].id)
            return &reglet__builtin_rules[i];
    return nullptr;
}

/* Reads one file. Each function is false after a failure, which is then in `status` and *err. */
class Reader {
  public:
    Reader(const char *name, reglet_error **err) : name_(name), err_(err) {}
    reglet_status status = REGLET_OK;

    bool read(std::string_view text, Document &out);
    bool fail(unsigned line, const std::string &what) {
        status = reglet__fail(err_, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME, "%s:%u: %s", name_,
                              line, what.c_str());
        return false;
    }

  private:
    bool read_rules(const toml::table &root, Document &out);
    bool read_rule(const toml::table &table, Document &out);
    bool read_exceptions(const toml::table &table, const std::string &whose, std::vector<Exception> &out);
    bool read_exception(const toml::table &table, const std::string &whose, std::vector<Exception> &out);
    bool read_condition(const toml::table &table, const std::string &whose, Exception &out);
    bool read_extend(const toml::table &root, Document &out);
    bool get_text(const toml::table &table, const char *key, std::string &out);
    bool get_texts(const toml::table &table, const char *key, Strings &out);
    bool get_flag(const toml::table &table, const char *key, bool &out);
    bool get_number(const toml::table &table, const char *key, double highest, double &out);
    bool take_text(const toml::node &node, const char *key, std::string &out);

    static const toml::node *get(const toml::table &table, const char *key) {
        for (auto &&[name, node] : table)
            if (same(name.str(), key))
                return &node;
        return nullptr;
    }
    static unsigned line_of(const toml::node &node) {
        return node.source().begin.line;
    }
    static std::string quoted(const char *key) {
        return std::string("`") + key + "`";
    }

    const char *name_;
    reglet_error **err_;
    size_t strings_ = 0;
};

bool Reader::take_text(const toml::node &node, const char *key, std::string &out) {
    const auto *text = node.as_string();
    if (!text)
        return fail(line_of(node), quoted(key) + " is no text: write it in quotes");
    out = text->get();
    if (out.find('\0') != std::string::npos)
        return fail(line_of(node), quoted(key) + " holds a NUL: write it as \\x00 in a regex");
    if (++strings_ > REGLET__MAX_RULE_FILE_TEXTS)
        return fail(line_of(node),
                    "more than " + std::to_string(REGLET__MAX_RULE_FILE_TEXTS) + " texts in one file");
    return true;
}

bool Reader::get_text(const toml::table &table, const char *key, std::string &out) {
    const toml::node *node = get(table, key);
    return !node || take_text(*node, key, out);
}

bool Reader::get_texts(const toml::table &table, const char *key, Strings &out) {
    const toml::node *node = get(table, key);
    std::string text;
    if (!node)
        return true;
    if (!node->is_array() && !take_text(*node, key, text))
        return false;
    if (!node->is_array()) {
        out.push_back(text);
        return true;
    }
    for (const toml::node &item : *node->as_array()) {
        if (!take_text(item, key, text))
            return false;
        if (text.empty()) /* it would be found everywhere */
            return fail(line_of(item), "an empty text in " + quoted(key) + ": leave it out");
        out.push_back(text);
    }
    return true;
}

bool Reader::get_flag(const toml::table &table, const char *key, bool &out) {
    const toml::node *node = get(table, key);
    if (node && !node->is_boolean())
        return fail(line_of(*node), quoted(key) + " is neither true nor false");
    if (node)
        out = node->as_boolean()->get();
    return true;
}

bool Reader::get_number(const toml::table &table, const char *key, double highest, double &out) {
    const toml::node *node = get(table, key);
    if (!node)
        return true;
    std::optional<double> number = node->value<double>();
    if (!number || !std::isfinite(*number) || *number < 0 || *number > highest)
        return fail(line_of(*node), quoted(key) + " is no number from 0 to " + std::to_string((int)highest));
    out = *number;
    return true;
}

bool Reader::read_condition(const toml::table &table, const std::string &whose, Exception &out) {
    std::string condition, target;
    if (!get_text(table, "condition", condition) || !get_text(table, "regexTarget", target))
        return false;
    out.all = same(condition, "AND") || condition == "&&";
    if (!out.all && !condition.empty() && !same(condition, "OR") && condition != "||")
        return fail(out.line,
                    "the allowlist of " + whose + " has the condition \"" + condition + "\": AND or OR");
    if (target == "match")
        out.target = reglet__rule_exception::REGLET__EXCEPT_MATCH;
    else if (target == "line")
        out.target = reglet__rule_exception::REGLET__EXCEPT_LINE;
    else if (!target.empty() && target != "secret")
        return fail(out.line, "the allowlist of " + whose + " has the regexTarget \"" + target +
                                  "\": secret, match or line");
    return true;
}

/*
 * Paths and commits are unknown here and never match. So an allowlist that wants one of several things does without them, and
 * one that wants all of them lets nothing through.
 */
bool Reader::read_exception(const toml::table &table, const std::string &whose, std::vector<Exception> &out) {
    Exception exception;
    Strings places;
    exception.line = line_of(table);
    if (!read_condition(table, whose, exception) || !get_texts(table, "regexes", exception.regexes) ||
        !get_texts(table, "stopwords", exception.words) || !get_texts(table, "paths", places) ||
        !get_texts(table, "commits", places) || !get_texts(table, "targetRules", exception.rules))
        return false;
    bool empty = exception.regexes.empty() && exception.words.empty();
    if (empty && places.empty())
        return fail(exception.line,
                    "the allowlist of " + whose + " is empty: give it regexes, stopwords, paths or commits");
    if (!empty && (places.empty() || !exception.all))
        out.push_back(exception);
    return true;
}

/* [allowlist] and [[allowlists]]. */
bool Reader::read_exceptions(const toml::table &table, const std::string &whose,
                             std::vector<Exception> &out) {
    const toml::node *old = get(table, "allowlist"), *lists = get(table, "allowlists");
    if (old && lists)
        return fail(line_of(*old), whose + " has an allowlist and allowlists: write allowlists only");
    const toml::node *node = old ? old : lists;
    if (!node)
        return true;
    if (node->is_table())
        return read_exception(*node->as_table(), whose, out);
    if (!node->is_array())
        return fail(line_of(*node), "the allowlist of " + whose + " is no table");
    for (const toml::node &item : *node->as_array()) {
        if (!item.is_table())
            return fail(line_of(item), "the allowlist of " + whose + " is no table");
        if (!read_exception(*item.as_table(), whose, out))
            return false;
    }
    return true;
}

bool Reader::read_rule(const toml::table &table, Document &out) {
    Rule rule;
    std::string path;
    double group = 0;
    bool helper = false; /* only a condition of other rules */
    if (!get_text(table, "id", rule.id))
        return false;
    if (rule.id.find_first_not_of(" \t") == std::string::npos)
        return fail(line_of(table), "a rule without an id");
    rule.has_path = get(table, "path") != nullptr;
    if (!get_text(table, "regex", rule.regex) || !get_text(table, "path", path) ||
        !get_number(table, "secretGroup", REGLET__MAX_RULE_GROUP, group) ||
        !get_number(table, "entropy", 8, rule.entropy) || !get_texts(table, "keywords", rule.keywords) ||
        !get_flag(table, "skipReport", helper) ||
        !read_exceptions(table, "rule `" + rule.id + "`", rule.exceptions))
        return false;
    if (group != std::floor(group))
        return fail(line_of(table), "rule `" + rule.id + "`: `secretGroup` is no whole number");
    rule.group = (int64_t)group;
    if (rule.regex.empty() && !rule.has_path && !out.builtin && out.path.empty())
        return fail(line_of(table), "rule `" + rule.id + "` has neither a regex nor a path: give it a regex");
    if (!helper)
        out.rules.push_back(std::move(rule));
    return true;
}

bool Reader::read_rules(const toml::table &root, Document &out) {
    const toml::node *rules = get(root, "rules");
    if (!rules)
        return true;
    if (!rules->is_array())
        return fail(line_of(*rules), "`rules` is no list of tables: write [[rules]]");
    if (rules->as_array()->size() > REGLET__MAX_REDACT_PATTERNS)
        return fail(line_of(*rules), "more than " + std::to_string(REGLET__MAX_REDACT_PATTERNS) + " rules");
    for (const toml::node &item : *rules->as_array()) {
        if (!item.is_table())
            return fail(line_of(item), "`rules` is no list of tables: write [[rules]]");
        if (!read_rule(*item.as_table(), out))
            return false;
    }
    return true;
}

bool Reader::read_extend(const toml::table &root, Document &out) {
    const toml::node *extend = get(root, "extend");
    if (!extend)
        return true;
    if (!extend->is_table())
        return fail(line_of(*extend), "`extend` is no table: write [extend]");
    const toml::table &table = *extend->as_table();
    out.path_line = line_of(*extend);
    if (!get_flag(table, "useDefault", out.builtin) || !get_text(table, "path", out.path) ||
        !get_texts(table, "disabledRules", out.disabled))
        return false;
    if (out.builtin && !out.path.empty())
        return fail(out.path_line, "`extend` has useDefault and a path: only one can be extended");
    return true;
}

bool Reader::read(std::string_view text, Document &out) {
    toml::parse_result parsed = toml::parse(text);
    if (!parsed) {
        const toml::parse_error &error = parsed.error();
        return fail(error.source().begin.line, "not TOML: " + std::string(error.description()));
    }
    const toml::table &root = parsed.table();
    return read_extend(root, out) && read_rules(root, out) &&
           read_exceptions(root, "all rules", out.exceptions);
}

/* --- extending --- */

Rule from_builtin(const reglet__rule &rule) {
    Rule out;
    out.id = rule.id;
    out.regex = rule.regex;
    out.group = rule.group;
    out.entropy = rule.entropy;
    out.runs_on = rule.runs_on;
    for (const char *const *word = rule.keywords; word && *word; word++)
        out.keywords.push_back(*word);
    for (size_t i = 0; i < rule.exception_count; i++) {
        const reglet__rule_exception &from = rule.exceptions[i];
        Exception exception;
        for (const char *const *regex = from.regexes; regex && *regex; regex++)
            exception.regexes.push_back(*regex);
        for (const char *const *word = from.words; word && *word; word++)
            exception.words.push_back(*word);
        exception.target = from.target;
        exception.all = from.all;
        out.exceptions.push_back(exception);
    }
    return out;
}

/* What a rule says goes before what the rule of the same name says that it extends; lists are added. */
void extend_rule(Rule &rule, const Rule &base) {
    if (rule.regex.empty()) {
        rule.regex = base.regex;
        rule.runs_on = base.runs_on;
    }
    rule.entropy = rule.entropy > 0 ? rule.entropy : base.entropy;
    rule.group = rule.group > 0 ? rule.group : base.group;
    append(rule.keywords, base.keywords);
    append(rule.exceptions, base.exceptions);
}

Rule *find_rule(Document &document, const std::string &id) {
    for (Rule &rule : document.rules)
        if (rule.id == id)
            return &rule;
    return nullptr;
}

void extend_with_builtin(Document &document) {
    for (Rule &rule : document.rules) {
        const reglet__rule *base = find_builtin(rule.id);
        if (!base || contains(document.disabled, rule.id))
            continue;
        extend_rule(rule, from_builtin(*base));
        document.disabled.push_back(rule.id); /* as it stands in this file, it takes the other's place */
    }
}

void extend_with(Document &document, const Document &base) {
    size_t own = document.rules.size();
    for (const Rule &rule : base.rules) {
        if (contains(document.disabled, rule.id))
            continue;
        bool known = false;
        for (size_t i = 0; i < own; i++) {
            if (document.rules[i].id != rule.id)
                continue;
            extend_rule(document.rules[i], rule);
            known = true;
        }
        if (!known)
            document.rules.push_back(rule);
    }
    append(document.exceptions, base.exceptions);
    append(document.disabled, base.disabled);
    document.builtin = base.builtin;
}

/* Allowlists with targetRules become those of the rules. Of a default that is not ours there may be names we do not have. */
bool aim_exceptions(Document &document, Reader &reader) {
    std::vector<Exception> global;
    for (const Exception &exception : document.exceptions) {
        if (exception.rules.empty())
            global.push_back(exception);
        for (const std::string &id : exception.rules) {
            const reglet__rule *builtin = document.builtin ? find_builtin(id) : nullptr;
            if (!find_rule(document, id) && builtin && !contains(document.disabled, id)) {
                document.rules.push_back(from_builtin(*builtin));
                document.disabled.push_back(id);
            }
            bool found = false;
            for (Rule &rule : document.rules)
                if (rule.id == id) {
                    rule.exceptions.push_back(exception);
                    found = true;
                }
            if (!found && !document.builtin)
                return reader.fail(exception.line,
                                   "an allowlist is for the rule `" + id + "`, which is not there");
        }
    }
    document.exceptions.swap(global);
    return true;
}

/* --- handing out --- */

struct Memory {
    std::deque<std::string> texts;
    std::deque<std::vector<const char *>> lists;
    std::deque<std::vector<reglet__rule_exception>> exceptions;
    std::vector<reglet__rule> rules;

    const char *keep(const std::string &text) {
        return texts.emplace_back(text).c_str();
    }
    const char *const *keep(const Strings &list) {
        if (list.empty())
            return nullptr;
        std::vector<const char *> &kept = lists.emplace_back();
        for (const std::string &text : list)
            kept.push_back(keep(text));
        kept.push_back(nullptr);
        return kept.data();
    }
    const std::vector<reglet__rule_exception> &keep(const std::vector<Exception> &list) {
        std::vector<reglet__rule_exception> &kept = exceptions.emplace_back();
        for (const Exception &from : list) {
            reglet__rule_exception to = {};
            to.regexes = keep(from.regexes);
            to.words = keep(from.words);
            to.target = from.target;
            to.all = from.all;
            kept.push_back(to);
        }
        return kept;
    }
    void keep(const Rule &from) {
        reglet__rule to = {};
        to.id = keep(from.id);
        to.regex = keep(from.regex);
        to.keywords = keep(from.keywords);
        to.group = (unsigned)from.group;
        to.entropy = from.entropy;
        to.runs_on = from.runs_on;
        const std::vector<reglet__rule_exception> &excepted = keep(from.exceptions);
        to.exceptions = excepted.data();
        to.exception_count = excepted.size();
        rules.push_back(to);
    }
};

void hand_out(const Document &document, reglet__rule_file *out) {
    auto memory = std::make_unique<Memory>();
    for (const Rule &rule : document.rules)
        if (!rule.regex.empty()) /* else it looks at paths, or extends a default rule that is not ours */
            memory->keep(rule);
    const std::vector<reglet__rule_exception> &global = memory->keep(document.exceptions);
    *out = {};
    out->files = memory->keep(document.files);
    out->disabled = document.builtin ? memory->keep(document.disabled) : nullptr;
    out->rules = memory->rules.data();
    out->count = memory->rules.size();
    out->exceptions = global.data();
    out->exception_count = global.size();
    out->memory = memory.release();
}

/* --- files --- */

struct Descriptor {
    int fd = -1;
    ~Descriptor() {
        if (fd >= 0)
            close(fd);
    }
};

reglet_status cannot_read(const char *path, int error_number, reglet_error **err) {
    return reglet__fail_errno(err, REGLET_ERR_IO, REGLET_DOMAIN_RUNTIME, error_number,
                              "the rule file %s cannot be read: %s", path, reglet__errno_text(error_number));
}

reglet_status too_large(const char *path, reglet_error **err) {
    return reglet__fail(err, REGLET_ERR_INVALID_ARGUMENT, REGLET_DOMAIN_RUNTIME,
                        "the rule file %s is larger than %d bytes", path, (int)REGLET__MAX_RULE_FILE_BYTES);
}

std::string absolute(const char *path) {
    if (path[0] == '/')
        return path;
    std::unique_ptr<char, decltype(&std::free)> here(getcwd(nullptr, 0), &std::free);
    return here ? std::string(here.get()) + "/" + path : path;
}

/* Whoever can write the rules decides what is shown. */
reglet_status check_trust(const char *path, const struct stat &st, reglet_error **err) {
    if (!S_ISREG(st.st_mode))
        return reglet__fail(err, REGLET_ERR_IO, REGLET_DOMAIN_RUNTIME,
                            "the rule file %s cannot be read: it is no regular file", path);
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return reglet__fail(err, REGLET_ERR_IO, REGLET_DOMAIN_RUNTIME,
                            "the rule file %s belongs to another user (uid %lu), who would decide what is "
                            "secret; copy it, or chown it to yourself",
                            path, (unsigned long)st.st_uid);
    if (st.st_mode & (S_IWGRP | S_IWOTH))
        return reglet__fail(err, REGLET_ERR_IO, REGLET_DOMAIN_RUNTIME,
                            "the rule file %s can be written by others (mode %04o): run chmod go-w on it",
                            path, (unsigned)(st.st_mode & 07777));
    return REGLET_OK;
}

reglet_status read_file(const char *path, std::string &out, reglet_error **err) {
    Descriptor file;
    struct stat st;
    /* O_NONBLOCK: opening a FIFO must not wait for a writer. It changes nothing for a file. */
    file.fd = reglet__sys_openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK, 0);
    if (file.fd < 0 || fstat(file.fd, &st) != 0)
        return cannot_read(path, errno, err);
    reglet_status trusted = check_trust(path, st, err);
    if (trusted != REGLET_OK)
        return trusted;
    for (char piece[4096];;) {
        ssize_t n = read(file.fd, piece, sizeof piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return cannot_read(path, errno, err);
        if (n == 0)
            return REGLET_OK;
        out.append(piece, (size_t)n);
        if (out.size() > REGLET__MAX_RULE_FILE_BYTES)
            return too_large(path, err);
    }
}

std::string beside(const char *name, const std::string &path) {
    const char *slash = std::strrchr(name, '/');
    return path[0] == '/' || !slash ? path : std::string(name, slash + 1) + path;
}

/* `depth`: how many files extend this one. */
reglet_status parse(const char *name, std::string_view text, int depth, Document &out, reglet_error **err) {
    Reader reader(name, err);
    if (text.size() > REGLET__MAX_RULE_FILE_BYTES)
        return too_large(name, err);
    if (!reader.read(text, out))
        return reader.status;
    if (!out.path.empty()) {
        Document base;
        std::string more, path = beside(name, out.path);
        if (depth >= REGLET__MAX_RULE_FILE_DEPTH) {
            reader.fail(out.path_line, "`extend` goes more than " +
                                           std::to_string(REGLET__MAX_RULE_FILE_DEPTH) + " files deep");
            return reader.status;
        }
        reglet_status status = read_file(path.c_str(), more, err);
        if (status == REGLET_OK)
            status = parse(path.c_str(), more, depth + 1, base, err);
        if (status != REGLET_OK)
            return status;
        extend_with(out, base);
        out.files.push_back(absolute(path.c_str()));
        out.files.insert(out.files.end(), base.files.begin(), base.files.end());
    }
    if (depth == 0 && out.builtin)
        extend_with_builtin(out);
    if (depth == 0)
        aim_exceptions(out, reader);
    return reader.status;
}

} // namespace

extern "C" reglet_status reglet__rule_file_parse(const char *name, const char *text, size_t size,
                                                 struct reglet__rule_file *out, reglet_error **err) try {
    Document document;
    document.files.push_back(absolute(name));
    reglet_status status = parse(name, std::string_view(text, size), 0, document, err);
    if (status == REGLET_OK)
        hand_out(document, out);
    return status;
} catch (...) {
    return reglet__fail_memory(err);
}

extern "C" reglet_status reglet__rule_file_read(const char *path, struct reglet__rule_file *out,
                                                reglet_error **err) try {
    std::string text;
    reglet_status status = read_file(path, text, err);
    return status == REGLET_OK ? reglet__rule_file_parse(path, text.data(), text.size(), out, err) : status;
} catch (...) {
    return reglet__fail_memory(err);
}

extern "C" void reglet__rule_file_clear(struct reglet__rule_file *file) {
    delete static_cast<Memory *>(file->memory);
    *file = {};
}
