/*
 * What every instance does before it observes (`_start`, `_initialize`) is done once: the first call leaves an image of
 * its instance behind, from which later ones start.
 *
 * Nothing is shared but what the image was, and the image belongs to one version under one name, so to one set of grants.
 * What is random or a time in it would stay so for ever: it is made anew after some time, and after some calls.
 */
#include "runtime/internal.h"
#include "util/cleanup.h"

struct reglet__image *reglet__kept_image(struct version *version, struct reglet__image **expired) {
    struct kept_image *kept = &version->kept;
    if (!kept->image)
        return NULL;
    if (kept->calls_left > 0 && reglet__now() < kept->until) {
        kept->calls_left--;
        return reglet__image_ref(kept->image);
    }
    *expired = take_ptr(kept->image);
    return NULL;
}

static bool has_image(const struct visit *visit) {
    pthread_mutex_lock(&visit->plugin->lock);
    bool has = visit->version->kept.image != NULL;
    pthread_mutex_unlock(&visit->plugin->lock);
    return has;
}

static void keep(const struct visit *visit, struct reglet__image *image) {
    const struct limits *limits = &visit->plugin->runtime->limits;
    struct kept_image *kept = &visit->version->kept;
    pthread_mutex_lock(&visit->plugin->lock);
    struct reglet__image *old = kept->image;
    kept->image = image;
    kept->until = reglet__deadline_after_ms((int64_t)limits->image_age_ms);
    kept->calls_left = limits->image_calls;
    pthread_mutex_unlock(&visit->plugin->lock);
    reglet__image_unref(old);
}

/* Quietly: a plugin without an image works as well, only slower. */
static void refuse(const struct visit *visit, const char *reason) {
    atomic_store(&visit->version->kept.refused, reason);
}

static void take(const struct visit *visit, struct reglet__guest *guest) {
    struct reglet__image *image = NULL;
    const char *reached = reglet__guest_reached(guest), *missing = reglet__module_no_image(visit->module);
    if (missing)
        refuse(visit, missing);
    else if (reached)
        refuse(visit, reached);
    else if (reglet__guest_image(guest, &image, NULL) == REGLET_OK)
        keep(visit, image);
    else
        refuse(visit, "it takes more memory than there is, or than an image may have");
}

void reglet__visit_initialised(const struct visit *visit, struct reglet__guest *guest) {
    struct kept_image *kept = &visit->version->kept;
    if (visit->plugin->runtime->limits.image_calls == 0 || atomic_load(&kept->refused) ||
        atomic_exchange(&kept->taking, true))
        return;
    if (!has_image(visit)) /* another call may have left one since this one began */
        take(visit, guest);
    atomic_store(&kept->taking, false);
}

void reglet__kept_image_clear(struct kept_image *kept) {
    reglet__image_unref(kept->image);
}
