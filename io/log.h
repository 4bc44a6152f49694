/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_LOG_H
#define MTLOG_IO_LOG_H

#include <stdbool.h>

/*
 * One line per event on standard error: an event's stable name and a sentence
 * or fields. As text (colours only on a terminal), as JSON, or with the prefix
 * that systemd's journal reads as a priority.
 */
enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON, LOG_FORMAT_JOURNAL };

/* log_setup may be called again at any time (a reload), from any thread. */
void log_setup(enum log_format format, enum log_level level);

/* log_wanted tells whether a level is written at all. */
bool log_wanted(enum log_level level);

/*
 * log_event writes one line with one write(2). Control characters are escaped.
 * At most 20 lines a second of one event (but for errors) are written; how many
 * were left out is said with the next.
 */
void log_event(enum log_level level, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
