/*
 * table.h - aligned columns for people. Every cell is cleaned and shortened on its way in.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "util.h"

/* Cells row by row, `columns` to a row. */
struct table {
    size_t columns;
    struct string_list cells;
};

void table_add(struct table *table, const char *text, size_t size);
void table_add_text(struct table *table, const char *text);

/* Rows of a table with two columns. A row whose value is NULL is left out. */
void table_add_row(struct table *table, const char *name, const char *value);
/* Each member of a JSON object that the library gave as a row, indented below the row before; nested values as JSON. */
void table_add_members(struct table *table, const char *json, size_t size);
/* Text of several lines, each in its own row, the first beside the name. */
void table_add_lines(struct table *table, const char *name, const char *text, size_t size);

void table_print(const struct table *table, FILE *out);
void table_clear(struct table *table);

#endif
