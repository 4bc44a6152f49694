/* SPDX-License-Identifier: Apache-2.0 */
#include "io/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/cleanup.h"
#include "core/base/json.h"

#define TEXT_MAX 1024
#define LINE_MAX 8192
#define KINDS 64	   /* events told apart by the rate limit */
#define PER_SECOND 20

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
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct {
	time_t second;
	unsigned written, left_out;
} rates[KINDS];

void
log_setup(enum log_format format, enum log_level level)
{
	atomic_store(&format_now, (int)format);
	atomic_store(&level_now, (int)level);
}

bool
log_wanted(enum log_level level)
{
	return (int)level <= atomic_load(&level_now);
}

static size_t
kind_of(const char *event)
{
	uint32_t x = 2166136261u;

	while (*event)
		x = (x ^ (uint8_t)*event++) * 16777619u;
	return x % KINDS;
}

/* Whether the line may go out; `*left_out` counts those that did not. */
static bool
within_rate(enum log_level level, const char *event, time_t now,
    unsigned *left_out)
{
	size_t k = kind_of(event);
	bool ok;

	(void)pthread_mutex_lock(&lock);
	if (rates[k].second != now) {
		rates[k].second = now;
		rates[k].written = 0;
	}
	ok = level == LOG_LEVEL_ERROR || rates[k].written < PER_SECOND;
	if (ok) {
		rates[k].written++;
		*left_out = rates[k].left_out;
		rates[k].left_out = 0;
	} else {
		rates[k].left_out++;
	}
	(void)pthread_mutex_unlock(&lock);
	return ok;
}

static void
put_escaped(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if ((uint8_t)*text < 0x20 || *text == 0x7f)
			buf_printf(out, "\\x%02x", (uint8_t)*text);
		else
			buf_put_u8(out, (uint8_t)*text);
	}
}

static void
put_time(struct buf *out, const struct timespec *now)
{
	char text[32];
	struct tm tm;

	(void)gmtime_r(&now->tv_sec, &tm);
	(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(out, "%s.%03ldZ", text, now->tv_nsec / 1000000);
}

static void
put_json(struct buf *out, enum log_level level, const char *event,
    const char *text, const struct timespec *now)
{
	buf_put_str(out, "{\"time\":\"");
	put_time(out, now);
	buf_printf(out, "\",\"level\":\"%s\",\"event\":", levels[level].name);
	json_put_string(out, bytes_str(event));
	buf_put_str(out, ",\"text\":");
	json_put_string(out, bytes_str(text));
	buf_put_u8(out, '}');
}

static void
put_text(struct buf *out, enum log_level level, const char *event,
    const char *text, const struct timespec *now)
{
	bool colour = isatty(STDERR_FILENO) && levels[level].colour[0];

	put_time(out, now);
	buf_printf(out, " %s%-5s%s %s ", colour ? levels[level].colour : "",
	    levels[level].name, colour ? "\033[0m" : "", event);
	put_escaped(out, text);
}

void
log_event(enum log_level level, const char *event, const char *format, ...)
{
	AUTO(buf) line = BUF_INIT(LINE_MAX);
	char text[TEXT_MAX];
	unsigned left_out = 0;
	struct timespec now;
	va_list ap;
	int how = atomic_load(&format_now);

	if (!log_wanted(level))
		return;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (!within_rate(level, event, now.tv_sec, &left_out))
		return;
	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (left_out > 0)
		(void)snprintf(text + strnlen(text, TEXT_MAX - 40), 40,
		    " (%u more left out)", left_out);
	if (how == LOG_FORMAT_JSON) {
		put_json(&line, level, event, text, &now);
	} else if (how == LOG_FORMAT_JOURNAL) {
		buf_printf(&line, "%s%s ", levels[level].journal, event);
		put_escaped(&line, text);
	} else {
		put_text(&line, level, event, text, &now);
	}
	buf_put_u8(&line, '\n');
	if (!line.failed)
		(void)!write(STDERR_FILENO, line.ptr, line.len);
}
