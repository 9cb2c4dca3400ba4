#define _GNU_SOURCE
#include "batch_progress.h"

#include "log.h"

#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { REDRAW_MS = 100, BAR_WIDTH = 20 };

/* One for the process, as its terminal is. What is drawn is guarded by stderr's own lock, under which every other line is
 * written too. */
static struct progress {
    const struct batch_output *output; /* NULL: there is none */
    uint64_t input_bytes;
    double started;
    double measured; /* when `rate` was taken, of the time since then */
    unsigned long long measured_done;
    double rate;
    int width; /* of what is drawn */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stop;
    bool stopped;
} progress = {.lock = PTHREAD_MUTEX_INITIALIZER};

double batch_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Spaces, which every terminal knows. */
static void wipe(void) {
    if (progress.width > 0)
        fprintf(stderr, "\r%*s\r", progress.width, "");
    progress.width = 0;
}

void batch_progress_hide(void) {
    if (!progress.output)
        return;
    flockfile(stderr);
    wipe();
}

void batch_progress_show(void) {
    if (progress.output)
        funlockfile(stderr);
}

static void measure(double now, unsigned long long done) {
    double elapsed = now - progress.measured;
    bool first = progress.measured <= progress.started; /* until there is a whole second */
    if (elapsed > 0 && (first || elapsed >= 1))
        progress.rate = (double)(done - progress.measured_done) / elapsed;
    if (elapsed >= 1) {
        progress.measured = now;
        progress.measured_done = done;
    }
}

static char *bar_text(void) {
    uint64_t total = progress.input_bytes, done = progress.output->input_bytes;
    if (total == 0)
        return copy_text("", 0);
    if (done > total) /* the file has grown */
        done = total;
    int filled = (int)((double)done / (double)total * BAR_WIDTH);
    return format_text("[%.*s%.*s] %3d%%  ", filled, "####################", BAR_WIDTH - filled,
                       "....................", (int)((double)done / (double)total * 100));
}

static int columns(void) {
    struct winsize size = {0};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

/* Never as wide as the terminal: in its last column the line would wrap. */
static void draw(void) {
    unsigned long long failed = progress.output->failed, done = progress.output->ran + failed;
    double now = batch_clock();
    measure(now, done);
    unsigned seconds = (unsigned)(now - progress.started);
    _cleanup_free_ char *bar = bar_text();
    _cleanup_free_ char *text = format_text("%s%llu done, %llu failed, %.0f/s, %u:%02u", bar, done, failed,
                                            progress.rate, seconds / 60, seconds % 60);
    int width = (int)strlen(text), most = columns() - 1;
    width = width < most ? width : most;
    _cleanup_free_ char *line =
        format_text("\r%.*s%*s", width, text, progress.width > width ? progress.width - width : 0, "");
    fputs(line, stderr);
    progress.width = progress.width > width ? progress.width : width;
}

static void *redraw(void *unused) {
    (void)unused;
    struct timespec next;
    clock_gettime(CLOCK_MONOTONIC, &next);
    pthread_mutex_lock(&progress.lock);
    while (!progress.stopped) {
        next.tv_nsec += REDRAW_MS * 1000000L;
        next.tv_sec += next.tv_nsec / 1000000000L;
        next.tv_nsec %= 1000000000L;
        if (pthread_cond_timedwait(&progress.stop, &progress.lock, &next) == 0)
            continue;
        flockfile(stderr);
        draw();
        funlockfile(stderr);
        clock_gettime(CLOCK_MONOTONIC, &next); /* a terminal that stood still is not caught up with */
    }
    pthread_mutex_unlock(&progress.lock);
    return NULL;
}

void batch_progress_start(const struct batch_output *output, uint64_t input_bytes) {
    if (!isatty(STDERR_FILENO))
        return;
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&progress.stop, &clock);
    pthread_condattr_destroy(&clock);
    progress.output = output;
    progress.input_bytes = input_bytes;
    progress.started = progress.measured = batch_clock();
    if (pthread_create(&progress.thread, NULL, redraw, NULL) == 0)
        log_set_wipe(wipe);
    else
        progress.output = NULL; /* a batch without it is a batch */
}

void batch_progress_stop(void) {
    if (!progress.output)
        return;
    pthread_mutex_lock(&progress.lock);
    progress.stopped = true;
    pthread_cond_signal(&progress.stop);
    pthread_mutex_unlock(&progress.lock);
    pthread_join(progress.thread, NULL);
    flockfile(stderr);
    wipe();
    funlockfile(stderr);
    log_set_wipe(NULL);
    progress.output = NULL;
}
