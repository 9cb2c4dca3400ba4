#include "table.h"

#include "term.h"

#include <json-c/json.h>
#include <string.h>

enum {
    TEXT_LINES = 100,
    JSON_DEPTH = 128 /* the library lets no more than 100 pass */
};

void table_add(struct table *table, const char *text, size_t size) {
    string_list_add(&table->cells, term_clean_short(text, size));
}

void table_add_text(struct table *table, const char *text) {
    table_add(table, text, strlen(text));
}

void table_add_row(struct table *table, const char *name, const char *value) {
    if (!value)
        return;
    table_add_text(table, name);
    table_add_text(table, value);
}

static void add_member(struct table *table, const char *name, struct json_object *value) {
    _cleanup_free_ char *indented = format_text("  %s", name);
    table_add_text(table, indented);
    if (json_object_is_type(value, json_type_string)) {
        table_add(table, json_object_get_string(value), (size_t)json_object_get_string_len(value));
        return;
    }
    size_t size;
    const char *text = json_object_to_json_string_length(
        value, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &size);
    if (!text)
        out_of_memory();
    table_add(table, text, size);
}

void table_add_members(struct table *table, const char *json, size_t size) {
    struct json_tokener *parser = json_tokener_new_ex(JSON_DEPTH);
    struct json_object *object = parser ? json_tokener_parse_ex(parser, json, (int)size) : NULL;
    if (!object)
        out_of_memory(); /* the library has printed this text: nothing is wrong with it */
    json_object_object_foreach(object, name, value) {
        add_member(table, name, value);
    }
    json_object_put(object);
    json_tokener_free(parser);
}

void table_add_lines(struct table *table, const char *name, const char *text, size_t size) {
    const char *end = text + size;
    for (int line = 0; text < end; line++) {
        if (line == TEXT_LINES) {
            _cleanup_free_ char *rest = format_text("… (%zu more bytes)", (size_t)(end - text));
            table_add_row(table, "", rest);
            return;
        }
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        table_add_text(table, line == 0 ? name : "");
        table_add(table, text, (size_t)((stop ? stop : end) - text));
        text = stop ? stop + 1 : end;
    }
}

static size_t column_width(const struct table *table, size_t column) {
    size_t widest = 0;
    for (size_t i = column; i < table->cells.count; i += table->columns) {
        size_t width = term_width(table->cells.items[i]);
        widest = width > widest ? width : widest;
    }
    return widest;
}

void table_print(const struct table *table, FILE *out) {
    size_t columns = table->columns;
    size_t *widths = allocate(columns * sizeof *widths);
    for (size_t column = 0; column < columns; column++)
        widths[column] = column_width(table, column);
    for (size_t row = 0; row + columns <= table->cells.count; row += columns) {
        size_t owed = 0; /* spaces that only a further cell makes necessary */
        for (size_t column = 0; column < columns; column++) {
            const char *cell = table->cells.items[row + column];
            if (*cell)
                fprintf(out, "%*s%s", (int)owed, "", cell);
            owed = (*cell ? 0 : owed) + widths[column] - term_width(cell) + 2;
        }
        putc('\n', out);
    }
    free(widths);
}

void table_clear(struct table *table) {
    string_list_clear(&table->cells);
}
