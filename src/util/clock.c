#define _GNU_SOURCE
#include "util/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int64_t read_clock(clockid_t id) {
    struct timespec ts = {0};
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * REGLET__NS_PER_S + ts.tv_nsec;
}

int64_t reglet__now(void) {
    return read_clock(CLOCK_MONOTONIC);
}

int64_t reglet__wall_clock(void) {
    return read_clock(CLOCK_REALTIME);
}

int64_t reglet__deadline_after_ms(int64_t milliseconds) {
    int64_t now = reglet__now();
    if (milliseconds < 0 || milliseconds > (REGLET__NEVER - now) / REGLET__NS_PER_MS)
        return REGLET__NEVER;
    return now + milliseconds * REGLET__NS_PER_MS;
}

size_t reglet__rfc3339_format(int64_t wall_clock_ns, char out[REGLET__RFC3339_SIZE]) {
    int64_t seconds = wall_clock_ns / REGLET__NS_PER_S, fraction = wall_clock_ns % REGLET__NS_PER_S;
    if (fraction < 0) {
        fraction += REGLET__NS_PER_S;
        seconds--;
    }
    time_t t = (time_t)seconds;
    struct tm tm;
    gmtime_r(&t, &tm);
    size_t length = strftime(out, REGLET__RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
    if (fraction)
        length +=
            (size_t)snprintf(out + length, REGLET__RFC3339_SIZE - length, ".%09lld", (long long)fraction);
    length += (size_t)snprintf(out + length, REGLET__RFC3339_SIZE - length, "Z");
    return length;
}

/* Reads exactly `digits` digits; -1 when they are not there. */
static int number(const char **at, const char *end, int digits) {
    int value = 0;
    for (int i = 0; i < digits; i++, (*at)++) {
        if (*at >= end || **at < '0' || **at > '9')
            return -1;
        value = value * 10 + (**at - '0');
    }
    return value;
}

static bool skip(const char **at, const char *end, const char *any_of) {
    if (*at >= end || !strchr(any_of, **at))
        return false;
    (*at)++;
    return true;
}

static bool valid_date(int year, int month, int day) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    if (year < 0 || month < 1 || month > 12 || day < 1)
        return false;
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return day <= days[month - 1] + (month == 2 && leap);
}

static bool read_fraction(const char **at, const char *end, int64_t *nanoseconds) {
    if (!skip(at, end, "."))
        return true;
    int digits = 0;
    int64_t unit = REGLET__NS_PER_S;
    for (; *at < end && **at >= '0' && **at <= '9'; (*at)++, digits++) {
        unit /= 10;
        *nanoseconds += unit * (**at - '0');
    }
    return digits >= 1 && digits <= 9;
}

/* The offset from UTC in seconds. */
static bool read_zone(const char **at, const char *end, int64_t *offset) {
    if (skip(at, end, "Zz"))
        return true;
    int sign = *at < end && **at == '-' ? -1 : 1;
    if (!skip(at, end, "+-"))
        return false;
    int hour = number(at, end, 2);
    bool colon = skip(at, end, ":");
    int minute = number(at, end, 2);
    *offset = sign * (hour * INT64_C(3600) + minute * INT64_C(60));
    return colon && hour >= 0 && hour <= 23 && minute >= 0 && minute <= 59;
}

static int64_t in_nanoseconds(int64_t seconds, int64_t nanoseconds) {
    int64_t sum = 0;
    if (__builtin_mul_overflow(seconds, REGLET__NS_PER_S, &sum) ||
        __builtin_add_overflow(sum, nanoseconds, &sum))
        return seconds < 0 ? INT64_MIN : INT64_MAX;
    return sum;
}

bool reglet__rfc3339_parse(const char *text, size_t size, int64_t *wall_clock_ns) {
    const char *at = text, *end = text + size;
    int64_t nanoseconds = 0, offset = 0;
    if (memchr(text, '\0', size))
        return false;
    int year = number(&at, end, 4);
    bool form = skip(&at, end, "-");
    int month = number(&at, end, 2);
    form = skip(&at, end, "-") && form;
    int day = number(&at, end, 2);
    form = skip(&at, end, "Tt") && form;
    int hour = number(&at, end, 2);
    form = skip(&at, end, ":") && form;
    int minute = number(&at, end, 2);
    form = skip(&at, end, ":") && form;
    int second = number(&at, end, 2);
    if (!form || !valid_date(year, month, day) || hour < 0 || hour > 23 || minute < 0 || minute > 59 ||
        second < 0 || second > 60 || !read_fraction(&at, end, &nanoseconds) ||
        !read_zone(&at, end, &offset) || at != end)
        return false;
    struct tm tm = {.tm_year = year - 1900,
                    .tm_mon = month - 1,
                    .tm_mday = day,
                    .tm_hour = hour,
                    .tm_min = minute,
                    .tm_sec = second};
    if (wall_clock_ns)
        *wall_clock_ns = in_nanoseconds((int64_t)timegm(&tm) - offset, nanoseconds);
    return true;
}
