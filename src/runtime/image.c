/*
 * What every instance does before it observes (`_start`, `_initialize`) is done once: the first call leaves an image of
 * its instance behind, from which later ones start.
 *
 * Nothing is shared but what the image was, and the image belongs to one version under one name, so to one set of grants.
 * What is random or a time in it would stay so for ever: it is made anew after some time, and after some calls.
 */
#include <reglet/plugin.h>

#include "runtime/internal.h"
#include "util/cleanup.h"
#include "util/fail.h"
#include "util/limits.h"

REGLET_DEFINE_CLEANUP(reglet_error *, reglet_error_free);

void reglet__kept_image_take(struct visit *visit, struct reglet__image **expired) {
    struct kept_image *kept = &visit->version->kept;
    visit->renewals = kept->renewals;
    if (!kept->start.image)
        return;
    if (kept->calls_left == 0 || reglet__now() >= kept->until) {
        *expired = take_ptr(kept->start.image);
        return;
    }
    kept->calls_left--;
    visit->start = kept->start;
    reglet__image_ref(visit->start.image);
}

static bool has_image(const struct visit *visit) {
    pthread_mutex_lock(&visit->plugin->lock);
    bool has = visit->version->kept.start.image != NULL;
    pthread_mutex_unlock(&visit->plugin->lock);
    return has;
}

/* Takes the image over. It is of the time before, when somebody asked for a new one after this call began. */
static void keep(const struct visit *visit, struct start start) {
    const struct limits *limits = &visit->plugin->runtime->limits;
    struct kept_image *kept = &visit->version->kept;
    pthread_mutex_lock(&visit->plugin->lock);
    if (kept->renewals == visit->renewals) {
        struct reglet__image *old = kept->start.image;
        kept->start = start;
        kept->until = reglet__deadline_after_ms((int64_t)limits->image_age_ms);
        kept->calls_left = limits->image_calls;
        start.image = old;
    }
    pthread_mutex_unlock(&visit->plugin->lock);
    reglet__image_unref(start.image);
}

/* Half of what the call has left, so that it is not the plugin's first use of everything that ends it. */
static int64_t priming_ends(const struct visit *visit, bool *whole) {
    int64_t now = reglet__now(), most = REGLET__MAX_PRIME_MS * REGLET__NS_PER_MS,
            left = visit->interrupt.deadline - now;
    *whole = left / 2 >= most;
    return now + (*whole ? most : left / 2);
}

/* Replaces the image by one that is primed, where there can be one. */
static void prime(const struct visit *visit, struct start *start) {
    struct visit primes = *visit;
    struct start primed = {0};
    bool had_time = false;
    primes.start = *start;
    primes.interrupt.deadline = priming_ends(visit, &had_time);
    reglet_status status = reglet__call_prime(&primes, &primed);
    if (status == REGLET_OK) {
        reglet__image_unref(start->image);
        *start = primed;
    } else if (status != REGLET_ERR_CANCELLED && (status != REGLET_ERR_TIMEOUT || had_time)) {
        atomic_store(&visit->version->kept.unprimed, true);
    }
}

/* For want of descriptors or memory it is tried again, and that is said; for another reason there will be none. */
static void note_failure(const struct visit *visit, reglet_status status, const reglet_error *error) {
    struct kept_image *kept = &visit->version->kept;
    if (status != REGLET_ERR_NO_MEMORY && !reglet__errno_may_pass(reglet_error_errno(error))) {
        atomic_store(&kept->refused, true);
        return;
    }
    atomic_store(&kept->not_before, reglet__deadline_after_ms(REGLET__TRY_AGAIN_MS));
    if (!atomic_exchange(&kept->said, true))
        reglet__runtime_say(visit->plugin->runtime, REGLET_LOG_WARN, visit->plugin->name,
                            "no image can be taken now, calls initialise until one can: %s",
                            reglet_error_message(error));
}

/* A plugin that has no image for what it does works as well, only slower. */
static void take(const struct visit *visit, struct reglet__guest *guest) {
    struct kept_image *kept = &visit->version->kept;
    struct start start = {0};
    _cleanup_(reglet_error_free_p)
    reglet_error *error = NULL;
    if (reglet__module_no_image(visit->module) || reglet__guest_reached(guest) ||
        !reglet__wasi_left(reglet__guest_state(guest, REGLET__ROOM_WASI), &start.left)) {
        atomic_store(&kept->refused, true);
        return;
    }
    reglet_status status = reglet__guest_image(guest, &start.image, &error);
    if (status != REGLET_OK) {
        note_failure(visit, status, error);
        return;
    }
    if (visit->plugin->runtime->limits.prime_images && !atomic_load(&kept->unprimed))
        prime(visit, &start);
    keep(visit, start);
}

void reglet__visit_initialised(const struct visit *visit, struct reglet__guest *guest) {
    struct kept_image *kept = &visit->version->kept;
    if (visit->plugin->runtime->limits.image_calls == 0 || atomic_load(&kept->refused) ||
        reglet__now() < atomic_load(&kept->not_before) || atomic_exchange(&kept->taking, true))
        return;
    if (!has_image(visit)) /* another call may have left one since this one began */
        take(visit, guest);
    atomic_store(&kept->taking, false);
}

/* What was not possible is tried again as well. */
void reglet_plugin_renew_image(reglet_plugin *plugin) {
    if (!plugin)
        return;
    pthread_mutex_lock(&plugin->lock);
    struct kept_image *kept = &plugin->version->kept;
    struct reglet__image *old = take_ptr(kept->start.image);
    kept->renewals++;
    atomic_store(&kept->refused, false);
    atomic_store(&kept->not_before, 0);
    atomic_store(&kept->unprimed, false);
    pthread_mutex_unlock(&plugin->lock);
    reglet__image_unref(old);
}

void reglet__kept_image_clear(struct kept_image *kept) {
    reglet__image_unref(kept->start.image);
}
