#include "declared.h"

#include "command.h"

#include <string.h>

/* What two capabilities have in common when they are about the same: "fs:read", "env", … */
static size_t kind_size(const char *capability) {
    size_t size = strcspn(capability, ":");
    bool has_two = strncmp(capability, "fs:", 3) == 0; /* reading says nothing of writing */
    return has_two ? 3 + strcspn(capability + 3, ":") : size;
}

static bool has_grant_of_its_kind(const reglet_grants *grants, const char *capability) {
    size_t size = kind_size(capability);
    for (size_t i = 0; i < grants->granted_count; i++) {
        const char *granted = grants->granted[i].capability;
        if (kind_size(granted) == size && strncmp(granted, capability, size) == 0)
            return true;
    }
    return false;
}

static bool starts_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

/* Whether the decision on it as a request is the whole answer: not where more lies below a URL, and not for a pattern, which
 * would be asked for as a file of that name. */
static bool is_one_request(const char *capability) {
    bool is_url = starts_with(capability, "network:") && strstr(capability, "://");
    bool is_pattern = starts_with(capability, "fs:") && strpbrk(capability, "*?[{\\");
    return !is_url && !is_pattern;
}

/* What the library did not find granted is not: for one command, where no arguments are pinned. */
static bool is_certain(const struct session *session, const char *capability) {
    const struct config_plugin *plugin =
        config_file_plugin(&session->config, reglet_plugin_name(session->plugin));
    return !strchr(capability, '*') && (!plugin || plugin->exec_pin_count == 0);
}

/* What the library certainly knows stands in `granted_by`. A declaration of one thing is asked for; a pattern is not granted
 * where nothing of its kind is. */
static reglet_status judge(const struct session *session, const reglet_grants *grants,
                           struct declared *declared, reglet_error **err) {
    const char *known = declared->view->granted_by;
    if (known) {
        declared->covered = COVERED_YES;
        declared->granted_by = copy_text(known, strlen(known));
        return REGLET_OK;
    }
    if (!declared->view->valid || !has_grant_of_its_kind(grants, declared->capability))
        return REGLET_OK;
    bool is_command = starts_with(declared->capability, "exec:");
    if (is_command && is_certain(session, declared->capability))
        return REGLET_OK;
    declared->covered = COVERED_UNKNOWN;
    if (is_command || !declared->grantable || !is_one_request(declared->capability))
        return REGLET_OK;
    const reglet_decision *decision = NULL;
    _cleanup_error_ reglet_error *error = NULL;
    reglet_status status =
        reglet_plugin_ask(session->plugin, declared->capability, &session->call, &decision, &error);
    if (status == REGLET_ERR_INVALID_GRANT || status == REGLET_ERR_UNSUPPORTED)
        return REGLET_OK; /* it is about many things, or there are no files here */
    if (status != REGLET_OK) {
        *err = error;
        error = NULL;
        return status;
    }
    declared->covered = decision->allowed ? COVERED_YES : COVERED_NO;
    if (decision->allowed)
        declared->granted_by = copy_text(decision->rule, strlen(decision->rule));
    reglet_decision_free(decision);
    return REGLET_OK;
}

static reglet_status read_list(const struct session *session, struct declared_list *list,
                               reglet_error **err) {
    const reglet_description *description = NULL;
    reglet_status status = reglet_plugin_grants(session->plugin, &session->call, &list->grants, err);
    if (status != REGLET_OK || list->grants->declared_count == 0)
        return status;
    /* The views are for people; what goes into a configuration has every character as it was. */
    status = reglet_plugin_describe(session->plugin, &session->call, &description, err);
    if (status != REGLET_OK)
        return status;
    list->items = allocate(list->grants->declared_count * sizeof *list->items);
    for (size_t i = 0; status == REGLET_OK && i < list->grants->declared_count; i++) {
        const reglet_declared_capability *wanted = &description->capabilities[i];
        struct declared *declared = &list->items[list->count++];
        declared->view = &list->grants->declared[i];
        declared->capability = format_text("%s:%s", wanted->kind, wanted->pattern);
        declared->grantable = reglet_capability_check(declared->capability, NULL) == REGLET_OK;
        status = judge(session, list->grants, declared, err);
    }
    reglet_description_free(description);
    return status;
}

int declared_read(const struct session *session, const struct options *options, struct declared_list *out) {
    _cleanup_error_ reglet_error *error = NULL;
    *out = (struct declared_list){0};
    if (read_list(session, out, &error) == REGLET_OK)
        return EXIT_OK;
    complain_error(options->command->name, error);
    return EXIT_FAILED;
}

void declared_clear(struct declared_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].capability);
        free(list->items[i].granted_by);
    }
    free(list->items);
    reglet_grants_free(list->grants);
    *list = (struct declared_list){0};
}
