#define _GNU_SOURCE
#include "command.h"
#include "session.h"
#include "table.h"
#include "term.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

/* ---- list ---- */

struct list {
    struct table table;
    size_t count;
    uint64_t bytes;
    bool json;
};

static void time_text(int64_t ms, char *out, size_t size) {
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    if (!gmtime_r(&seconds, &parts) || strftime(out, size, "%Y-%m-%dT%H:%M:%SZ", &parts) == 0)
        snprintf(out, size, "?");
}

static bool add_entry(void *user_data, const reglet_cache_entry *entry) {
    struct list *list = user_data;
    char used[32];
    time_text(entry->used_ms, used, sizeof used);
    list->bytes += entry->bytes;
    if (list->json) {
        printf("%s{\"sha256\":\"%s\",\"compiler\":", list->count ? "," : "", entry->sha256);
        printf(*entry->compiler ? "\"%s\"" : "null", entry->compiler);
        printf(",\"bytes\":%" PRIu64 ",\"used\":\"%s\"}", entry->bytes, used);
    } else {
        _cleanup_free_ char *size = size_text(entry->bytes);
        const char *cells[] = {entry->sha256, *entry->compiler ? entry->compiler : "of another version", size,
                               used};
        for (size_t i = 0; i < ARRAY_LEN(cells); i++)
            table_add_text(&list->table, cells[i]);
    }
    list->count++;
    return true;
}

static reglet_status list_files(reglet_cache *cache, const struct options *options, reglet_error **err) {
    struct list list = {.table = {.columns = 4}, .json = options_format(options) == FORMAT_JSON};
    if (list.json)
        putchar('[');
    reglet_status status = reglet_cache_list(cache, add_entry, &list, err);
    _cleanup_free_ char *size = size_text(list.bytes);
    if (list.json)
        fputs("]\n", stdout);
    else
        table_print(&list.table, stdout);
    if (!list.json && status == REGLET_OK)
        printf("%zu %s, %s\n", list.count, list.count == 1 ? "file" : "files", size);
    table_clear(&list.table);
    return status;
}

/* ---- prune, clear, path ---- */

static reglet_status prune(reglet_cache *cache, const reglet_cache_prune_options *how, reglet_error **err) {
    reglet_cache_pruned pruned = {0, 0};
    reglet_status status = reglet_cache_prune(cache, how, &pruned, err);
    _cleanup_free_ char *size = size_text(pruned.bytes);
    if (status == REGLET_OK)
        printf("removed %" PRIu64 " %s, %s\n", pruned.files, pruned.files == 1 ? "file" : "files", size);
    return status;
}

static reglet_status prune_files(reglet_cache *cache, const struct options *options, reglet_error **err) {
    reglet_cache_prune_options how = REGLET_CACHE_PRUNE_OPTIONS_INIT;
    how.max_age_ms = options->older_than_ms;
    how.max_bytes = options->max_size;
    return prune(cache, &how, err);
}

static reglet_status clear_files(reglet_cache *cache, const struct options *options, reglet_error **err) {
    reglet_cache_prune_options how = REGLET_CACHE_PRUNE_OPTIONS_INIT;
    (void)options;
    how.all = true;
    return prune(cache, &how, err);
}

static reglet_status print_path(reglet_cache *cache, const struct options *options, reglet_error **err) {
    (void)options, (void)err;
    puts(reglet_cache_directory(cache));
    return REGLET_OK;
}

static const struct {
    const char *name;
    reglet_status (*run)(reglet_cache *cache, const struct options *options, reglet_error **err);
} actions[] = {{"list", list_files}, {"prune", prune_files}, {"clear", clear_files}, {"path", print_path}};

static int run(const struct options *options) {
    _cleanup_error_ reglet_error *error = NULL;
    const char *word = options->operands.items[0];
    size_t action = 0;
    while (action < ARRAY_LEN(actions) && strcmp(actions[action].name, word) != 0)
        action++;
    if (action == ARRAY_LEN(actions))
        return bad_usage(options->command, "\"%s\" should be list, prune, clear or path", word);
    if (strcmp(word, "prune") != 0 && (options->older_than_ms || options->max_size))
        return bad_usage(options->command, "--older-than and --max-size are for prune");
    reglet_cache *cache = NULL;
    reglet_status status = cache_open(options, &cache, &error);
    if (status == REGLET_OK && !reglet_cache_directory(cache)) {
        complain(options->command->name,
                 "neither XDG_CACHE_HOME nor HOME says where it is; give --cache-dir");
        reglet_cache_unref(cache);
        return EXIT_FAILED;
    }
    if (status == REGLET_OK)
        status = actions[action].run(cache, options, &error);
    reglet_cache_unref(cache);
    if (status != REGLET_OK)
        complain_error(options->command->name, error);
    return status == REGLET_OK ? EXIT_OK : EXIT_FAILED;
}

const struct command command_cache = {
    .name = "cache",
    .bit = COMMAND_CACHE,
    .synopsis = "list|prune|clear|path",
    .summary = "compiled code that is kept on disk",
    .details = "Plugins are compiled once; the machine code is kept in files of your own, and\n"
               "later runs map it. They can be removed at any time: what is missing is compiled\n"
               "again.\n"
               "\n"
               "  list     the files, the one used last first: the SHA-256 of the module, the\n"
               "           compiler, the size, and when it was used\n"
               "  prune    remove what this version cannot use, and what the options say\n"
               "  clear    remove all of them\n"
               "  path     print the directory\n",
    .example = "  reglet cache list\n"
               "  reglet cache prune --older-than 720h --max-size 500M\n",
    .operand = "list, prune, clear or path",
    .run = run,
};
