/* SPDX-License-Identifier: Apache-2.0 */
#include "io/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/encoding.h"
#include "io/clock.h"

#define TEXT_MAX   2048
#define TAIL_ROOM  64 /* for what ends a line, cut or not */
#define KINDS	   64 /* events told apart by the rate limit */
#define KIND_NAME  40
#define SECOND_NS  1000000000u
#define LEFT_EVENT "lines-left-out"

static const struct {
	const char *name, *colour, *journal;
} levels[] = {
    [LOG_LEVEL_ERROR] = {"error", "\033[31m", "<3>"},
    [LOG_LEVEL_WARN] = {"warn", "\033[33m", "<4>"},
    [LOG_LEVEL_INFO] = {"info", "", "<6>"},
    [LOG_LEVEL_DEBUG] = {"debug", "\033[2m", "<7>"},
};

/* The process has one standard error, so it has one log. */
static atomic_int format_now = LOG_FORMAT_TEXT;
static atomic_int level_now = LOG_LEVEL_INFO;
static atomic_int terminal = -1; /* not looked yet */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct kind {
	char name[KIND_NAME];
	uint64_t seen_ns; /* when tokens were last given */
	uint64_t tokens;  /* in billionths of a line */
	uint64_t left_out;
} kinds[KINDS]; /* the last one serves all that have no place */

/* A line under way. Once something did not fit, nothing more is put. */
struct line {
	size_t len;
	bool cut;
	bool in_string; /* of JSON, or a quoted value */
	bool json;
	char data[LOG_LINE_MAX];
};

static void
look_for_terminal(void)
{
	const char *plain = getenv("NO_COLOR");
	int is = isatty(STDERR_FILENO) == 1 && (!plain || !plain[0]);

	atomic_store(&terminal, is);
}

void
log_setup(enum log_format format, enum log_level level)
{
	atomic_store(&format_now, (int)format);
	atomic_store(&level_now, (int)level);
	if (atomic_load(&terminal) < 0)
		look_for_terminal();
}

bool
log_wanted(enum log_level level)
{
	return (int)level <= atomic_load(&level_now);
}

/* The event's place; an unused one is taken for it. The lock is held. */
static struct kind *
kind_of(const char *event)
{
	size_t i = 0;

	while (i < KINDS - 1 && kinds[i].name[0] &&
	    strncmp(kinds[i].name, event, KIND_NAME - 1) != 0)
		i++;
	if (!kinds[i].name[0]) {
		(void)snprintf(kinds[i].name, KIND_NAME, "%s",
		    i < KINDS - 1 ? event : "others");
		kinds[i].tokens = LOG_BURST * (uint64_t)SECOND_NS;
		kinds[i].seen_ns = clock_monotonic_ns();
	}
	return &kinds[i];
}

/* Whether a line may go out; `*left_out` counts those that did not. */
static bool
within_rate(enum log_level level, const char *event, uint64_t *left_out)
{
	uint64_t now = clock_monotonic_ns();
	uint64_t rate = level == LOG_LEVEL_DEBUG ? LOG_RATE_DEBUG : LOG_RATE;
	struct kind *k;
	uint64_t passed;
	bool ok;

	(void)pthread_mutex_lock(&lock);
	k = kind_of(event);
	/* Another thread may have read the clock later and come here first. */
	passed = now > k->seen_ns ? now - k->seen_ns : 0;
	if (passed > LOG_BURST * (uint64_t)SECOND_NS)
		passed = LOG_BURST * (uint64_t)SECOND_NS;
	k->tokens += passed * rate;
	if (k->tokens > LOG_BURST * (uint64_t)SECOND_NS)
		k->tokens = LOG_BURST * (uint64_t)SECOND_NS;
	if (now > k->seen_ns)
		k->seen_ns = now;
	ok = k->tokens >= SECOND_NS;
	if (ok) {
		k->tokens -= SECOND_NS;
		*left_out = k->left_out;
		k->left_out = 0;
	} else {
		k->left_out++;
	}
	(void)pthread_mutex_unlock(&lock);
	return ok;
}

static void
put(struct line *l, const char *data, size_t len)
{
	if (l->cut || len > sizeof(l->data) - TAIL_ROOM - l->len) {
		l->cut = true;
		return;
	}
	memcpy(l->data + l->len, data, len);
	l->len += len;
}

/* All of it or nothing; the program's own short texts. */
static void __attribute__((format(printf, 2, 3)))
put_format(struct line *l, const char *format, ...)
{
	char text[128];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n > 0)
		put(l, text,
		    (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

/* Length of the well-formed UTF-8 character at `s`, 0 if there is none. */
static size_t
character(const char *s)
{
	uint8_t lead = (uint8_t)s[0];
	size_t len = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

	if (strnlen(s, len) < len || !utf8_valid(bytes_of(s, len)))
		return 0;
	return len;
}

/*
 * What must not reach a terminal as it is: control characters (C1 too), line
 * separators, and what turns the direction of writing.
 */
static bool
is_control(const char *s, size_t len)
{
	const uint8_t *u = (const uint8_t *)s;

	if (len == 1)
		return u[0] < 0x20 || u[0] == 0x7f;
	if (len == 2)
		return u[0] == 0xc2 && u[1] < 0xa0;
	if (len == 3 && u[0] == 0xe2 && u[1] == 0x80)
		return (u[2] >= 0xa8 && u[2] <= 0xae) || u[2] == 0x8e ||
		    u[2] == 0x8f;
	return len == 3 && u[0] == 0xe2 && u[1] == 0x81 && u[2] >= 0xa6 &&
	    u[2] <= 0xa9;
}

/* JSON has no \x: there it is a backslash, escaped, and xNN. */
static void
put_byte(struct line *l, uint8_t byte)
{
	put_format(l, "%s\\x%02x", l->json ? "\\" : "", byte);
}

/* A text with escapes \xNN and \\, and in quotes \" too. */
static void
put_escaped(struct line *l, const char *text, bool quoted)
{
	while (*text && !l->cut) {
		size_t len = character(text);

		if (len == 0 || is_control(text, len)) {
			if (len == 0)
				len = 1;
			for (size_t i = 0; i < len; i++)
				put_byte(l, (uint8_t)text[i]);
		} else if (*text == '\\') {
			put_format(l, l->json ? "\\\\\\\\" : "\\\\");
		} else if (*text == '"' && quoted) {
			put(l, "\\\"", 2);
		} else {
			put(l, text, len);
		}
		text += len;
	}
}

/* `before` up to and including the opening quote. */
static void
put_quoted(
    struct line *l, const char *before, const char *name, const char *text)
{
	if (l->cut)
		return;
	put_format(l, "%s%s%s\"", before, name,
	    l->json	  ? "\":"
		: name[0] ? "="
			  : "");
	l->in_string = !l->cut;
	put_escaped(l, text, true);
	put(l, "\"", 1);
	l->in_string = l->in_string && l->cut;
}

/* Computed here, because gmtime_r reads the time zone's file at first. */
static void
put_time(struct line *l)
{
	struct timespec now;
	int64_t days, era_day, year, of_year, month;
	unsigned second;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	/* Days since 0000-03-01, in eras of 400 years. */
	days = now.tv_sec / 86400 + 719468;
	second = (unsigned)(now.tv_sec % 86400);
	era_day = days % 146097;
	year = (era_day - era_day / 1460 + era_day / 36524 - era_day / 146096) /
	    365;
	of_year = era_day - (365 * year + year / 4 - year / 100);
	month = (5 * of_year + 2) / 153;
	year += days / 146097 * 400 + (month >= 10);
	put_format(l, "%04d-%02d-%02dT%02u:%02u:%02u.%03ldZ", (int)year,
	    (int)(month < 10 ? month + 3 : month - 9),
	    (int)(of_year - (153 * month + 2) / 5 + 1), second / 3600,
	    second / 60 % 60, second % 60, now.tv_nsec / 1000000);
}

static void
line_begin(struct line *l, enum log_level level, const char *event)
{
	int format = atomic_load(&format_now);
	const char *colour = levels[level].colour;

	l->len = 0;
	l->cut = l->in_string = false;
	l->json = format == LOG_FORMAT_JSON;
	if (format == LOG_FORMAT_JOURNAL) {
		put_format(l, "%s", levels[level].journal);
		put_escaped(l, event, false);
		return;
	}
	if (l->json) {
		put_format(l, "{\"time\":\"");
		put_time(l);
		put_format(l, "\",\"level\":\"%s\"", levels[level].name);
		put_quoted(l, ",\"", "event", event);
		return;
	}
	if (atomic_load(&terminal) < 0)
		look_for_terminal();
	if (atomic_load(&terminal) == 0)
		colour = "";
	put_time(l);
	put_format(l, " %s%-5s%s ", colour, levels[level].name,
	    colour[0] ? "\033[0m" : "");
	put_escaped(l, event, false);
}

/* What ends a line has its own room, so that a cut loses no count. */
static void
line_end(struct line *l, uint64_t left_out)
{
	char end[TAIL_ROOM];
	char more[40] = "";
	int n;

	if (left_out > 0)
		(void)snprintf(more, sizeof(more),
		    l->json ? ",\"left_out\":%llu" : " (%llu more left out)",
		    (unsigned long long)left_out);
	n = snprintf(end, sizeof(end), "%s%s%s%s\n",
	    l->cut && (l->in_string || !l->json) ? "..." : "",
	    l->in_string ? "\"" : "", more, l->json ? "}" : "");
	if (n > 0) {
		memcpy(l->data + l->len, end, (size_t)n);
		l->len += (size_t)n;
	}
	/* If standard error is gone there is no one to tell. */
	(void)!write(STDERR_FILENO, l->data, l->len);
}

void
log_event(enum log_level level, const char *event, const char *format, ...)
{
	struct line line;
	char text[TEXT_MAX];
	uint64_t left_out = 0;
	va_list ap;
	int n;

	if (!log_wanted(level) || !within_rate(level, event, &left_out))
		return;
	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n >= (int)sizeof(text))
		memcpy(text + sizeof(text) - 4, "...", 4);
	line_begin(&line, level, event);
	if (line.json) {
		put_quoted(&line, ",\"", "text", text);
	} else {
		put(&line, " ", 1);
		put_escaped(&line, text, false);
	}
	line_end(&line, left_out);
}

/* Whether a value, bare, could be taken for something else. */
static bool
needs_quotes(const char *text)
{
	if (!*text)
		return true;
	for (; *text; text++)
		if ((uint8_t)*text <= ' ' || (uint8_t)*text >= 0x7f ||
		    *text == '"' || *text == '=' || *text == '\\')
			return true;
	return false;
}

static void
put_field(struct line *l, const struct log_field *f)
{
	const char *before = l->json ? ",\"" : " ";

	if (!f->text)
		put_format(l, "%s%s%s%llu", before, f->name,
		    l->json ? "\":" : "=", (unsigned long long)f->number);
	else if (l->json || needs_quotes(f->text))
		put_quoted(l, before, f->name, f->text);
	else {
		put_format(l, "%s%s=", before, f->name);
		put_escaped(l, f->text, false);
	}
}

void
log_write(enum log_level level, const char *event,
    const struct log_field *fields, unsigned long count)
{
	struct line line;
	uint64_t left_out = 0;

	if (!log_wanted(level) || !within_rate(level, event, &left_out))
		return;
	line_begin(&line, level, event);
	for (unsigned long i = 0; i < count; i++)
		put_field(&line, &fields[i]);
	line_end(&line, left_out);
}

/* The next event whose flood is over; its count is taken. */
static bool
take_left_out(size_t *at, char name[KIND_NAME], uint64_t *count)
{
	uint64_t now = clock_monotonic_ns();
	bool found = false;

	(void)pthread_mutex_lock(&lock);
	for (; *at < KINDS && !found; (*at)++) {
		struct kind *k = &kinds[*at];

		if (k->left_out == 0 || now < k->seen_ns + SECOND_NS)
			continue;
		memcpy(name, k->name, KIND_NAME);
		*count = k->left_out;
		k->left_out = 0;
		found = true;
	}
	(void)pthread_mutex_unlock(&lock);
	return found;
}

void
log_tick(void)
{
	const struct log_field *fields;
	struct line line;
	char name[KIND_NAME];
	uint64_t count = 0;
	size_t at = 0;

	while (take_left_out(&at, name, &count)) {
		if (!log_wanted(LOG_LEVEL_WARN))
			continue;
		fields = (const struct log_field[]){
		    LOG_TEXT("of", name), LOG_NUMBER("count", count)};
		line_begin(&line, LOG_LEVEL_WARN, LEFT_EVENT);
		put_field(&line, &fields[0]);
		put_field(&line, &fields[1]);
		line_end(&line, 0);
	}
}
