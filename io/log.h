/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_LOG_H
#define MTLOG_IO_LOG_H

#include <stdbool.h>
#include <stdint.h>

/*
 * One line per event on standard error: an event's stable name and a sentence
 * or fields. As text (colours only on a terminal), as JSON, or with the prefix
 * that systemd's journal reads as a priority.
 */
enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON, LOG_FORMAT_JOURNAL };

/* A line is never longer: what does not fit is left out, and "..." says so. */
#define LOG_LINE_MAX 4096

/*
 * Lines of one event: this many at once, then two a second (twenty of a debug
 * event), so that a flood of requests is no flood of lines.
 */
#define LOG_BURST      20
#define LOG_RATE       2
#define LOG_RATE_DEBUG 20

/* log_setup may be called again at any time (a reload), from any thread. The
 * first call also looks whether standard error is a terminal. */
void log_setup(enum log_format format, enum log_level level);

/* log_wanted tells whether a level is written at all. */
bool log_wanted(enum log_level level);

/*
 * log_event writes one line with one write(2) and allocates nothing. Control
 * characters are escaped. Beyond the rate of its event the line is left out;
 * how many were is said with the next.
 */
void log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* One field. Names are literals of lower-case letters, digits, '-' and '_'. */
struct log_field {
	const char *name;
	const char *text; /* NULL: it is a number */
	uint64_t number;
};

#define LOG_TEXT(name, value)	((struct log_field){(name), (value), 0})
#define LOG_NUMBER(name, value) ((struct log_field){(name), NULL, (value)})

/*
 * log_fields is log_event with fields: key=value, quoted where a value could be
 * taken for something else, and members of their own in JSON:
 * log_fields(LOG_LEVEL_INFO, "batch", LOG_NUMBER("entries", n));
 * log_write is what stands behind it.
 */
#define log_fields(level, event, ...)                                          \
	log_write((level), (event), (const struct log_field[]){__VA_ARGS__},   \
	    sizeof((const struct log_field[]){__VA_ARGS__}) /                  \
		sizeof(struct log_field))
void log_write(enum log_level level, const char *event,
    const struct log_field *fields, unsigned long count);

/* log_tick says what was left out of floods that have ended. Call it about
 * once a second. */
void log_tick(void);

#endif
