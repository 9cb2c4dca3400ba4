/*
 * The set of known values. All forms are sorted; where a text could begin one is found by its first four bytes, then by
 * halving: a place costs the logarithm of the number of forms and the length of what fits, however many values there are.
 */
#define _GNU_SOURCE
#include "redact/values.h"

#include <stdatomic.h>
#include <string.h>

#include "redact/spans.h"
#include "redact/value_forms.h"
#include "redact/value_views.h"
#include "util/fail.h"
#include "util/limits.h"
#include "util/secret.h"

enum { KEY_BYTES = 4, BITS_PER_FORM = 16, FILTER_BITS_MAX = 1 << 24 };

/* Forms that begin with the same four bytes. A `count` of 0 is an empty slot. */
struct slot {
    uint32_t key, first, count;
};

/* Sorted forms of one sort: those that are found as they are, or those that are found in either case. */
struct table {
    struct reglet__form *forms;
    size_t count;
    struct slot *slots; /* a hash table, of a power of two */
    size_t slot_count;
};

struct reglet__values {
    atomic_uint references;
    void *memory; /* locked; holds all below */
    size_t memory_size;
    reglet_secret *values;
    size_t count;
    struct table exact, hex;
    uint64_t *filter; /* bits, by the hash of the first four bytes in lower case */
    unsigned filter_shift;
    size_t longest; /* form */
    bool has_space; /* one of the values has: then + may stand for it */
};

static uint32_t load_key(const unsigned char *bytes) {
    uint32_t key;
    memcpy(&key, bytes, sizeof key);
    return key;
}

static uint32_t hash(uint32_t key) {
    return key * UINT32_C(0x9E3779B1);
}

/* Letters in lower case; some other characters are mixed up, which a filter may do. */
static uint32_t filter_key(uint32_t key) {
    return key | UINT32_C(0x20202020);
}

static unsigned char fold(unsigned char c) {
    return c >= 'A' && c <= 'F' ? (unsigned char)(c - 'A' + 'a') : c;
}

static void fold_key(const unsigned char *bytes, unsigned char out[KEY_BYTES]) {
    for (size_t i = 0; i < KEY_BYTES; i++)
        out[i] = fold(bytes[i]);
}

/* ---- making a set ---- */

static int compare_forms(const void *a, const void *b) {
    const struct reglet__form *x = a, *y = b;
    int order = memcmp(x->bytes, y->bytes, x->size < y->size ? x->size : y->size);
    return order ? order : x->size < y->size ? -1 : x->size > y->size;
}

static bool begins_with(const struct reglet__form *form, const struct reglet__form *prefix) {
    return form->size >= prefix->size && memcmp(form->bytes, prefix->bytes, prefix->size) == 0;
}

/* In order, the forms that one begins with are the one before it, or among those that that one begins with. */
static void link_parents(struct table *table) {
    for (size_t i = 1; i < table->count; i++) {
        uint32_t parent = (uint32_t)i - 1;
        while (parent != UINT32_MAX && !begins_with(&table->forms[i], &table->forms[parent]))
            parent = table->forms[parent].parent;
        table->forms[i].parent = parent;
    }
}

static struct slot *slot_of(const struct table *table, uint32_t key) {
    size_t at = hash(key) & (table->slot_count - 1);
    while (table->slots[at].count > 0 && table->slots[at].key != key)
        at = (at + 1) & (table->slot_count - 1);
    return &table->slots[at];
}

/* Sorts in place: qsort() may take memory from the heap for that, and leave secrets there. */
static void sort_forms(struct reglet__form *forms, size_t count) {
    for (size_t start = count / 2, end = count; end > 1;) {
        if (start > 0) {
            start--;
        } else {
            end--;
            struct reglet__form largest = forms[0];
            forms[0] = forms[end];
            forms[end] = largest;
        }
        for (size_t root = start, child; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && compare_forms(&forms[child], &forms[child + 1]) < 0)
                child++;
            if (compare_forms(&forms[root], &forms[child]) >= 0)
                break;
            struct reglet__form smaller = forms[root];
            forms[root] = forms[child];
            forms[child] = smaller;
        }
    }
}

static void index_table(struct reglet__values *values, struct table *table) {
    sort_forms(table->forms, table->count);
    link_parents(table);
    for (size_t i = 0; i < table->count; i++) {
        uint32_t key = load_key(table->forms[i].bytes);
        struct slot *slot = slot_of(table, key);
        if (slot->count++ == 0) {
            slot->key = key;
            slot->first = (uint32_t)i;
        }
        uint32_t bit = hash(filter_key(key)) >> values->filter_shift;
        values->filter[bit / 64] |= UINT64_C(1) << bit % 64;
        if (table->forms[i].size > values->longest)
            values->longest = table->forms[i].size;
    }
}

static void add_forms(struct reglet__values *values, uint32_t index, unsigned char **memory) {
    const reglet_secret *value = &values->values[index];
    struct reglet__form forms[REGLET__FORMS];
    size_t count = reglet__forms_write(value->bytes, value->size, index, *memory, forms);
    for (size_t i = 0; i < count; i++) {
        struct table *table = forms[i].kind == REGLET__FORM_HEX ? &values->hex : &values->exact;
        table->forms[table->count++] = forms[i];
    }
    /* The plain form is the first, and is the copy that the set keeps. */
    values->values[index].bytes = forms[0].bytes;
    values->has_space = values->has_space || memchr(forms[0].bytes, ' ', value->size);
    *memory += reglet__forms_size(value->size);
}

static size_t power_of_two(size_t least) {
    size_t power = 64;
    while (power < least)
        power *= 2;
    return power;
}

/* Parts of one block, each aligned; taken twice: once to learn the size, once to hand them out. */
struct block {
    unsigned char *memory;
    size_t used;
};

static void *take(struct block *block, size_t size) {
    void *part = block->memory ? block->memory + block->used : NULL;
    block->used += (size + 15) & ~(size_t)15;
    return part;
}

static void lay_out(struct reglet__values *values, struct block *block, size_t count) {
    size_t filter_bits = power_of_two(REGLET__FORMS * BITS_PER_FORM * count);
    if (filter_bits > FILTER_BITS_MAX)
        filter_bits = FILTER_BITS_MAX;
    values->values = take(block, count * sizeof *values->values);
    values->exact.slot_count = power_of_two(2 * (REGLET__FORMS - 1) * count);
    values->hex.slot_count = power_of_two(2 * count);
    values->exact.forms = take(block, (REGLET__FORMS - 1) * count * sizeof *values->exact.forms);
    values->hex.forms = take(block, count * sizeof *values->hex.forms);
    values->exact.slots = take(block, values->exact.slot_count * sizeof *values->exact.slots);
    values->hex.slots = take(block, values->hex.slot_count * sizeof *values->hex.slots);
    values->filter = take(block, filter_bits / 8);
    values->filter_shift = 32 - (unsigned)__builtin_ctzll(filter_bits);
}

static bool same(const reglet_secret *a, const reglet_secret *b) {
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

/* Whether secrets[i] is in the old set, or before itself in the list. */
static bool known(const struct reglet__values *old, const reglet_secret *secrets, size_t i) {
    for (size_t j = 0; old && j < old->count; j++)
        if (same(&old->values[j], &secrets[i]))
            return true;
    for (size_t j = 0; j < i; j++)
        if (same(&secrets[j], &secrets[i]))
            return true;
    return false;
}

/* What the new set consists of: pointers into the old one and to what is given. */
struct members {
    reglet_secret *items;
    size_t count, bytes; /* bytes of all forms; 0 is too many */
};

static bool collect(struct members *members, const struct reglet__values *old, const reglet_secret *secrets,
                    size_t count) {
    size_t old_count = old ? old->count : 0;
    members->items = count < UINT32_MAX / REGLET__FORMS - old_count
                         ? calloc(old_count + count + 1, sizeof *secrets)
                         : NULL;
    if (!members->items)
        return false;
    for (size_t i = 0; i < old_count + count; i++) {
        const reglet_secret *item = i < old_count ? &old->values[i] : &secrets[i - old_count];
        size_t size = reglet__forms_size(item->size);
        if (i >= old_count && known(old, secrets, i - old_count))
            continue;
        if (size == 0 || __builtin_add_overflow(members->bytes, size, &members->bytes) ||
            members->bytes > SIZE_MAX / 2)
            return false;
        members->items[members->count++] = *item;
    }
    return true;
}

static reglet_status fill(struct reglet__values *values, const struct members *members, reglet_error **err) {
    struct block block = {0};
    lay_out(values, &block, members->count);
    values->memory_size = block.used + members->bytes;
    reglet_status status = reglet__secret_new(values->memory_size, &values->memory, err);
    if (status != REGLET_OK)
        return status;
    block = (struct block){.memory = values->memory};
    lay_out(values, &block, members->count);
    unsigned char *next = block.memory + block.used;
    for (; values->count < members->count; values->count++) {
        values->values[values->count] = members->items[values->count];
        add_forms(values, (uint32_t)values->count, &next);
    }
    index_table(values, &values->exact);
    index_table(values, &values->hex);
    return REGLET_OK;
}

reglet_status reglet__values_new(const struct reglet__values *old, const reglet_secret *secrets, size_t count,
                                 struct reglet__values **out, reglet_error **err) {
    struct members members = {0};
    struct reglet__values *values = calloc(1, sizeof *values);
    reglet_status status = REGLET_ERR_NO_MEMORY;
    if (values && collect(&members, old, secrets, count))
        status = fill(values, &members, err);
    else
        reglet__fail_memory(err);
    free(members.items);
    if (status != REGLET_OK) {
        free(values);
        return status;
    }
    atomic_init(&values->references, 1);
    *out = values;
    return REGLET_OK;
}

struct reglet__values *reglet__values_ref(struct reglet__values *values) {
    atomic_fetch_add_explicit(&values->references, 1, memory_order_relaxed);
    return values;
}

void reglet__values_unref(struct reglet__values *values) {
    if (!values || atomic_fetch_sub_explicit(&values->references, 1, memory_order_acq_rel) != 1)
        return;
    reglet__secret_free(values->memory, values->memory_size);
    free(values);
}

/* ---- looking for values ---- */

/* How many bytes a form and the text have in common, at most all of the form. */
static size_t common(const struct reglet__form *form, const unsigned char *text, size_t size) {
    size_t limit = form->size < size ? form->size : size, i = 0;
    if (form->kind == REGLET__FORM_HEX) {
        while (i < limit && form->bytes[i] == fold(text[i]))
            i++;
        return i;
    }
    for (uint64_t a, b; i + sizeof a <= limit; i += sizeof a) {
        memcpy(&a, form->bytes + i, sizeof a);
        memcpy(&b, text + i, sizeof b);
        if (a != b)
            break;
    }
    while (i < limit && form->bytes[i] == text[i])
        i++;
    return i;
}

static bool is_above(const struct reglet__form *form, const unsigned char *text, size_t size, size_t shared) {
    if (shared == form->size)
        return false;
    return shared == size ||
           form->bytes[shared] > (form->kind == REGLET__FORM_HEX ? fold(text[shared]) : text[shared]);
}

/* The longest form that the text begins with. */
static const struct reglet__form *look_up(const struct table *table, const unsigned char *text, size_t size,
                                          uint32_t key) {
    const struct slot *slot = slot_of(table, key);
    size_t low = slot->first, high = low + slot->count, shared = 0;
    while (low < high) { /* the first form above the text */
        size_t middle = low + (high - low) / 2;
        size_t length = common(&table->forms[middle], text, size);
        if (is_above(&table->forms[middle], text, size, length)) {
            high = middle;
        } else {
            low = middle + 1;
            shared = length;
        }
    }
    /* The one below it, or the longest of those that it begins with and that the text has as well. */
    if (low == slot->first)
        return NULL;
    const struct reglet__form *form = &table->forms[low - 1];
    while (form->size > shared) {
        if (form->parent == UINT32_MAX)
            return NULL;
        form = &table->forms[form->parent];
    }
    return form;
}

static const struct reglet__form *longer(const struct reglet__form *a, const struct reglet__form *b) {
    return !a || (b && b->size > a->size) ? b : a;
}

static const struct reglet__form *form_at(const struct reglet__values *values, const unsigned char *text,
                                          size_t size) {
    uint32_t key = load_key(text);
    uint32_t bit = hash(filter_key(key)) >> values->filter_shift;
    if (!(values->filter[bit / 64] >> bit % 64 & 1))
        return NULL;
    unsigned char folded[KEY_BYTES];
    fold_key(text, folded);
    return longer(look_up(&values->exact, text, size, key),
                  look_up(&values->hex, text, size, load_key(folded)));
}

static bool is_base64(unsigned char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
           c == '/' || c == '-' || c == '_';
}

struct place {
    size_t start, end;
};

/* With the characters of base64 before and behind that hold a few bits of the value. */
static struct place place_of(const struct reglet__form *form, const unsigned char *text, size_t size,
                             size_t at) {
    struct place place = {at, at + form->size};
    if (form->open_start && place.start > 0 && is_base64(text[place.start - 1]))
        place.start--;
    if (form->open_end && place.end < size && is_base64(text[place.end]))
        place.end++;
    return place;
}

static reglet_status find_in_text(const struct reglet__values *values, const unsigned char *text, size_t size,
                                  struct reglet__redact_spans *spans) {
    reglet_status status = REGLET_OK;
    for (size_t at = 0; at + KEY_BYTES <= size && status == REGLET_OK; at++) {
        const struct reglet__form *form = form_at(values, text + at, size - at);
        if (!form)
            continue;
        struct place place = place_of(form, text, size, at);
        status = reglet__redact_spans_add(spans, place.start, place.end, REGLET__REDACT_RULE_SECRET);
    }
    return status;
}

static reglet_status find_in_view(const struct reglet__values *values, const struct reglet__view *view,
                                  struct reglet__redact_spans *spans) {
    reglet_status status = REGLET_OK;
    for (size_t at = 0; at + KEY_BYTES <= view->size && status == REGLET_OK; at++) {
        const struct reglet__form *form = form_at(values, view->bytes + at, view->size - at);
        if (!form)
            continue;
        struct place place = place_of(form, view->bytes, view->size, at);
        status = reglet__redact_spans_add(spans, reglet__view_start(view, place.start),
                                          reglet__view_end(view, place.end), REGLET__REDACT_RULE_SECRET);
    }
    return status;
}

static reglet_status find_escaped(const struct reglet__values *values, enum reglet__escapes escapes,
                                  const char *text, size_t size, struct reglet__redact_spans *spans) {
    struct reglet__view view;
    reglet_status status = reglet__view_open(&view, escapes, text, size, values->longest);
    while (status == REGLET_OK && reglet__view_next(&view))
        status = find_in_view(values, &view, spans);
    reglet__view_close(&view);
    return status;
}

reglet_status reglet__values_find(const struct reglet__values *values, const char *text, size_t size,
                                  struct reglet__redact_spans *spans) {
    reglet_status status = find_in_text(values, (const unsigned char *)text, size, spans);
    if (status == REGLET_OK)
        status = find_escaped(values, REGLET__ESCAPES_JSON, text, size, spans);
    if (status == REGLET_OK)
        status = find_escaped(values, REGLET__ESCAPES_URL, text, size, spans);
    if (status == REGLET_OK && values->has_space)
        status = find_escaped(values, REGLET__ESCAPES_FORM, text, size, spans);
    return status;
}

static void identify_plain(const struct reglet__values *values, const unsigned char *text, size_t size,
                           reglet_secret *out) {
    for (size_t at = 0; at < 2 && at + KEY_BYTES <= size; at++) {
        const struct reglet__form *form = form_at(values, text + at, size - at);
        if (!form)
            continue;
        struct place place = place_of(form, text, size, at);
        if (place.start != 0 || place.end != size)
            continue;
        *out = values->values[form->value];
        return;
    }
}

static reglet_status identify_escaped(const struct reglet__values *values, enum reglet__escapes escapes,
                                      const char *text, size_t size, reglet_secret *out) {
    struct reglet__view view;
    reglet_status status = reglet__view_open(&view, escapes, text, size, values->longest);
    if (status == REGLET_OK && reglet__view_next(&view) && reglet__view_start(&view, 0) == 0 &&
        reglet__view_end(&view, view.size) == size)
        identify_plain(values, view.bytes, view.size, out);
    reglet__view_close(&view);
    return status;
}

reglet_status reglet__values_identify(const struct reglet__values *values, const char *text, size_t size,
                                      reglet_secret *out) {
    static const enum reglet__escapes escapes[] = {REGLET__ESCAPES_JSON, REGLET__ESCAPES_URL,
                                                   REGLET__ESCAPES_FORM};
    reglet_status status = REGLET_OK;
    *out = (reglet_secret){0};
    identify_plain(values, (const unsigned char *)text, size, out);
    for (size_t i = 0; i < ARRAY_LEN(escapes) && !out->bytes && status == REGLET_OK; i++)
        status = identify_escaped(values, escapes[i], text, size, out);
    return status;
}
