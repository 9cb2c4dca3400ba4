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

/* The year, month and day of a day since 1970. An era is 400 years; a year begins in March, so that it ends with its leap day. */
static void date_of(int64_t days, int64_t date[3]) {
    enum { DAYS_BEFORE_1970 = 719468, ERA = 146097, CENTURY = 36524, FOUR_YEARS = 1461 };
    days += DAYS_BEFORE_1970;
    int64_t era = (days >= 0 ? days : days - ERA + 1) / ERA, day = days - era * ERA;
    int64_t year = (day - day / (FOUR_YEARS - 1) + day / CENTURY - day / (ERA - 1)) / 365;
    day -= 365 * year + year / 4 - year / 100;
    int64_t month = (5 * day + 2) / 153; /* five months have 153 days */
    date[2] = day - (153 * month + 2) / 5 + 1;
    date[1] = month < 10 ? month + 3 : month - 9;
    date[0] = year + era * 400 + (date[1] <= 2);
}

static char *put_number(char *at, int64_t value, int digits) {
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        at[i] = (char)('0' + value % 10);
    return at + digits;
}

/* By hand: gmtime_r() takes a lock that all threads share, and this is done in every call. */
size_t reglet__rfc3339_format(int64_t wall_clock_ns, char out[REGLET__RFC3339_SIZE]) {
    int64_t seconds = wall_clock_ns / REGLET__NS_PER_S, fraction = wall_clock_ns % REGLET__NS_PER_S;
    seconds -= fraction < 0;
    fraction += fraction < 0 ? REGLET__NS_PER_S : 0;
    int64_t days = seconds / 86400, rest = seconds % 86400;
    days -= rest < 0;
    rest += rest < 0 ? 86400 : 0;
    int64_t date[3];
    date_of(days, date);
    const struct {
        int64_t value;
        int digits;
        char end;
    } parts[] = {{date[0], 4, '-'},        {date[1], 2, '-'},   {date[2], 2, 'T'}, {rest / 3600, 2, ':'},
                 {rest / 60 % 60, 2, ':'}, {rest % 60, 2, '.'}, {fraction, 9, 'Z'}};
    char *at = out;
    for (size_t i = 0; i < sizeof parts / sizeof *parts - (fraction == 0); i++) {
        at = put_number(at, parts[i].value, parts[i].digits);
        *at++ = parts[i].end;
    }
    at[-1] = 'Z';
    *at = '\0';
    return (size_t)(at - out);
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
