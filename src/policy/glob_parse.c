#include <stdlib.h>
#include <string.h>

#include "policy/glob.h"
#include "util/cleanup.h"
#include "util/fail.h"
#include "util/limits.h"
#include "util/text.h"

/* What is known while one segment is read. */
struct compiler {
    struct reglet__glob *glob;
    struct reglet__parse parse; /* `end` is the segment's end */
    char *name;                 /* behind the literal part: receives the segment unescaped */
    size_t name_size;
    size_t first_node;
    bool wildcard;
    bool in_braces;
    size_t brace;   /* where the braces were opened */
    unsigned fork;  /* the last alternative's FORK */
    unsigned jumps; /* chain of JUMPs to be pointed behind the braces: node number + 1, 0 ends it */
};

void reglet__glob_free(struct reglet__glob *glob) {
    if (!glob)
        return;
    free(glob->literal);
    free(glob->segments);
    free(glob->nodes);
    free(glob->ranges);
    free(glob);
}
REGLET_DEFINE_CLEANUP(struct reglet__glob *, reglet__glob_free);

/* Room for the worst pattern of `size` bytes, so that nothing grows later: at most two nodes come of a byte
 * ("," in braces), and an END of each segment. */
static struct reglet__glob *glob_new(size_t size) {
    _cleanup_(reglet__glob_free_p)
    struct reglet__glob *glob = calloc(1, sizeof *glob);
    if (!glob)
        return NULL;
    glob->literal = calloc(1, size + 1);
    glob->segments = calloc(size, sizeof *glob->segments);
    glob->nodes = calloc(2 * size + 1, sizeof *glob->nodes);
    glob->ranges = calloc(size, sizeof *glob->ranges);
    if (!glob->literal || !glob->segments || !glob->nodes || !glob->ranges)
        return NULL;
    return take_ptr(glob);
}

static unsigned here(const struct compiler *compiler) {
    return (unsigned)(compiler->glob->node_count - compiler->first_node);
}

static struct reglet__glob_node *node(const struct compiler *compiler, unsigned number) {
    return &compiler->glob->nodes[compiler->first_node + number];
}

static void emit(struct compiler *compiler, enum reglet__glob_op op, unsigned value, unsigned count) {
    compiler->glob->nodes[compiler->glob->node_count++] = (struct reglet__glob_node){op, value, count};
    if (op != REGLET__GLOB_CHAR && op != REGLET__GLOB_END)
        compiler->wildcard = true;
}

/* One character, after its backslash if it has one. The text is known to be valid UTF-8. */
static reglet_status character(struct compiler *compiler, unsigned *out) {
    struct reglet__parse *parse = &compiler->parse;
    if (reglet__parse_peek(parse) == '\\') {
        parse->at++;
        if (parse->at == parse->end)
            return reglet__parse_refuse(parse, parse->at - 1,
                                        "a backslash escapes the character after it, and there is none; "
                                        "a \"/\" cannot be escaped");
    }
    parse->at += reglet__utf8_decode(parse->text + parse->at, parse->end - parse->at, out);
    return REGLET_OK;
}

static reglet_status literal_character(struct compiler *compiler) {
    unsigned code_point = 0;
    reglet_status status = character(compiler, &code_point);
    if (status != REGLET_OK)
        return status;
    size_t from = compiler->parse.at;
    do
        from--;
    while ((compiler->parse.text[from] & 0xC0) == 0x80);
    size_t size = compiler->parse.at - from;
    memcpy(compiler->name + compiler->name_size, compiler->parse.text + from, size);
    compiler->name_size += size;
    emit(compiler, REGLET__GLOB_CHAR, code_point, 0);
    return REGLET_OK;
}

static reglet_status star(struct compiler *compiler) {
    struct reglet__parse *parse = &compiler->parse;
    if (parse->at + 1 < parse->end && parse->text[parse->at + 1] == '*')
        return reglet__parse_refuse(parse, parse->at,
                                    "\"**\" is a whole segment, as in /a/**/b; within one write \"*\"");
    parse->at++;
    emit(compiler, REGLET__GLOB_STAR, 0, 0);
    return REGLET_OK;
}

static reglet_status set_member(struct compiler *compiler, bool first, unsigned *out) {
    struct reglet__parse *parse = &compiler->parse;
    char c = reglet__parse_peek(parse);
    if (c == '[')
        return reglet__parse_refuse(parse, parse->at,
                                    "'[' inside a set is written \"\\[\"; named classes do not exist");
    bool last = parse->at + 1 < parse->end && parse->text[parse->at + 1] == ']';
    if (c == '-' && !first && !last)
        return reglet__parse_refuse(parse, parse->at,
                                    "'-' stands between two characters, first, last, or as \"\\-\"");
    return character(compiler, out);
}

static reglet_status set_range(struct compiler *compiler, bool first) {
    struct reglet__parse *parse = &compiler->parse;
    size_t start = parse->at;
    unsigned low = 0, high = 0;
    reglet_status status = set_member(compiler, first, &low);
    if (status != REGLET_OK)
        return status;
    high = low;
    bool range =
        parse->at + 1 < parse->end && parse->text[parse->at] == '-' && parse->text[parse->at + 1] != ']';
    if (range) {
        parse->at++;
        status = set_member(compiler, false, &high);
        if (status != REGLET_OK)
            return status;
    }
    if (high < low)
        return reglet__parse_refuse(parse, start,
                                    "the range runs backwards; the lower character comes first");
    compiler->glob->ranges[compiler->glob->range_count++] = (struct reglet__glob_range){low, high};
    return REGLET_OK;
}

static reglet_status set(struct compiler *compiler) {
    struct reglet__parse *parse = &compiler->parse;
    size_t start = parse->at++;
    bool negated = reglet__parse_take(parse, "!") || reglet__parse_take(parse, "^");
    size_t first_member = parse->at, first_range = compiler->glob->range_count;
    while (parse->at < parse->end && reglet__parse_peek(parse) != ']') {
        reglet_status status = set_range(compiler, parse->at == first_member);
        if (status != REGLET_OK)
            return status;
    }
    if (parse->at == parse->end)
        return reglet__parse_refuse(parse, start,
                                    "'[' needs a ']' in the same segment; itself it is \"\\[\"");
    if (parse->at == first_member)
        return reglet__parse_refuse(parse, start, "the set is empty; ']' in a set is written \"\\]\"");
    parse->at++;
    emit(compiler, negated ? REGLET__GLOB_NOT_SET : REGLET__GLOB_SET, (unsigned)first_range,
         (unsigned)(compiler->glob->range_count - first_range));
    return REGLET_OK;
}

static reglet_status open_braces(struct compiler *compiler) {
    struct reglet__parse *parse = &compiler->parse;
    if (compiler->in_braces)
        return reglet__parse_refuse(parse, parse->at, "braces do not nest; '{' itself is written \"\\{\"");
    compiler->in_braces = true;
    compiler->brace = parse->at++;
    if (reglet__parse_peek(parse) == '}')
        return reglet__parse_refuse(parse, parse->at, "the braces are empty; write {a,b}");
    compiler->fork = here(compiler);
    emit(compiler, REGLET__GLOB_FORK, 0, 0);
    return REGLET_OK;
}

static void next_alternative(struct compiler *compiler) {
    unsigned jump = here(compiler);
    emit(compiler, REGLET__GLOB_JUMP, compiler->jumps, 0);
    compiler->jumps = jump + 1;
    node(compiler, compiler->fork)->value = here(compiler);
    compiler->fork = here(compiler);
    emit(compiler, REGLET__GLOB_FORK, 0, 0);
    compiler->parse.at++;
}

static reglet_status close_braces(struct compiler *compiler) {
    if (!compiler->in_braces)
        return reglet__parse_refuse(&compiler->parse, compiler->parse.at,
                                    "'}' closes nothing; itself it is written \"\\}\"");
    node(compiler, compiler->fork)->value = compiler->fork + 1; /* the last one has no other */
    while (compiler->jumps) {
        struct reglet__glob_node *jump = node(compiler, compiler->jumps - 1);
        compiler->jumps = jump->value;
        jump->value = here(compiler);
    }
    compiler->in_braces = false;
    compiler->parse.at++;
    return REGLET_OK;
}

static reglet_status token(struct compiler *compiler) {
    struct reglet__parse *parse = &compiler->parse;
    switch (reglet__parse_peek(parse)) {
    case '*': return star(compiler);
    case '?':
        parse->at++;
        emit(compiler, REGLET__GLOB_ANY, 0, 0);
        return REGLET_OK;
    case '[': return set(compiler);
    case ']':
        return reglet__parse_refuse(parse, parse->at, "']' closes nothing; itself it is written \"\\]\"");
    case '{': return open_braces(compiler);
    case '}': return close_braces(compiler);
    case ',':
        if (!compiler->in_braces)
            return literal_character(compiler);
        next_alternative(compiler);
        return REGLET_OK;
    default: return literal_character(compiler);
    }
}

static reglet_status check_dots(const struct compiler *compiler, size_t start) {
    bool dots = (compiler->name_size == 1 || compiler->name_size == 2) &&
                memcmp(compiler->name, "..", compiler->name_size) == 0;
    if (dots && !compiler->wildcard)
        return reglet__parse_refuse(&compiler->parse, start,
                                    "\"%.*s\" is no segment of a pattern; write the path that is meant",
                                    (int)compiler->name_size, compiler->name);
    return REGLET_OK;
}

/* Compiles the segment from parse->at to parse->end to nodes, and its text to `name`. */
static reglet_status segment(struct compiler *compiler) {
    while (compiler->parse.at < compiler->parse.end) {
        reglet_status status = token(compiler);
        if (status != REGLET_OK)
            return status;
    }
    if (compiler->in_braces)
        return reglet__parse_refuse(&compiler->parse, compiler->brace,
                                    "'{' needs a '}' in the same segment; itself it is \"\\{\"");
    emit(compiler, REGLET__GLOB_END, 0, 0);
    return REGLET_OK;
}

/* Reads one segment: into the literal part as long as there was no wildcard, behind it from then on. */
static reglet_status add_segment(struct reglet__glob *glob, const struct reglet__parse *parse) {
    if (reglet__parse_rest_is(parse, "**")) {
        glob->segments[glob->segment_count++].any_depth = true;
        return REGLET_OK;
    }
    size_t literal_size = strlen(glob->literal);
    bool separate = literal_size > 0 && glob->literal[literal_size - 1] != '/';
    struct compiler compiler = {.glob = glob,
                                .parse = *parse,
                                .name = glob->literal + literal_size + separate,
                                .first_node = glob->node_count};
    reglet_status status = segment(&compiler);
    if (status == REGLET_OK)
        status = check_dots(&compiler, parse->at);
    if (status != REGLET_OK)
        return status;
    if (compiler.wildcard || glob->segment_count > 0) {
        memset(compiler.name, 0, compiler.name_size);
        glob->segments[glob->segment_count++] = (struct reglet__glob_segment){
            .first_node = compiler.first_node, .node_count = glob->node_count - compiler.first_node};
    } else {
        if (separate)
            glob->literal[literal_size] = '/';
        glob->node_count = compiler.first_node;
    }
    return REGLET_OK;
}

static reglet_status add_segments(struct reglet__glob *glob, struct reglet__parse *parse) {
    for (;;) {
        struct reglet__parse segment = *parse;
        segment.end = reglet__parse_find(parse, '/');
        if (segment.at == segment.end)
            return reglet__parse_refuse(parse, parse->at,
                                        "a segment is empty; write one \"/\" between two names and none at "
                                        "the end");
        reglet_status status = add_segment(glob, &segment);
        if (status != REGLET_OK)
            return status;
        parse->at = segment.end;
        if (parse->at == parse->end)
            return REGLET_OK;
        parse->at++;
    }
}

reglet_status reglet__glob_parse(struct reglet__parse *parse, struct reglet__glob **out) {
    reglet_status status = reglet__parse_check_length(parse);
    if (status != REGLET_OK)
        return status;
    _cleanup_(reglet__glob_free_p)
    struct reglet__glob *glob = glob_new(parse->end - parse->at + 1);
    if (!glob)
        return reglet__fail_memory(parse->err);
    if (reglet__parse_take(parse, "/"))
        glob->literal[0] = '/';
    bool root = glob->literal[0] == '/' && parse->at == parse->end;
    if (!root)
        status = add_segments(glob, parse);
    if (status == REGLET_OK)
        *out = take_ptr(glob);
    return status;
}

reglet_status reglet__glob_parse_text(struct reglet__parse *parse, struct reglet__glob **out) {
    if (parse->end - parse->at > REGLET__MAX_PATTERN)
        return reglet__parse_refuse(parse, parse->at + REGLET__MAX_PATTERN, "a pattern has at most %d bytes",
                                    REGLET__MAX_PATTERN);
    _cleanup_(reglet__glob_free_p)
    struct reglet__glob *glob = glob_new(parse->end - parse->at + 1);
    if (!glob)
        return reglet__fail_memory(parse->err);
    struct compiler compiler = {.glob = glob, .parse = *parse, .name = glob->literal};
    reglet_status status = segment(&compiler);
    if (status != REGLET_OK)
        return status;
    glob->segments[glob->segment_count++] = (struct reglet__glob_segment){.node_count = glob->node_count};
    *out = take_ptr(glob);
    return REGLET_OK;
}
