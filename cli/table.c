#include "table.h"

#include "term.h"

#include <string.h>

enum {
    CELL_BYTES = 400, /* more of one value is not read by people; --format json has it all */
    TEXT_LINES = 100
};

void table_add(struct table *table, const char *text, size_t size) {
    size_t shown = size;
    if (size > CELL_BYTES)
        for (shown = CELL_BYTES; (text[shown] & 0xC0) == 0x80 && shown > CELL_BYTES - 4;)
            shown--; /* not in the middle of a character */
    char *cell = term_clean(text, shown);
    if (shown < size) {
        char *shortened = format_text("%s… (%zu bytes)", cell, size);
        free(cell);
        cell = shortened;
    }
    string_list_add(&table->cells, cell);
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

void table_add_members(struct table *table, struct json_text object) {
    struct json_text name, value;
    while (json_next_member(&object, &name, &value)) {
        size_t name_size, value_size;
        _cleanup_free_ char *readable_name = json_readable(name, &name_size);
        _cleanup_free_ char *readable_value = json_readable(value, &value_size);
        _cleanup_free_ char *indented = allocate(name_size + 2);
        memset(indented, ' ', 2);
        memcpy(indented + 2, readable_name, name_size); /* a name may hold NUL bytes */
        table_add(table, indented, name_size + 2);
        table_add(table, readable_value, value_size);
    }
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
