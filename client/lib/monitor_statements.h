/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_MONITOR_STATEMENTS_H
#define MTLOG_CLIENT_LIB_MONITOR_STATEMENTS_H

#include "core/base/buf.h"
#include "core/base/error.h"

/* Part of monitor.c; nobody else includes it. */

#define MONITOR_AT_ONCE 16 /* statements of a log that are held in memory */
#define MONITOR_WORKERS 8  /* of them being fetched */

/* Fetches the statements of a log's entries, several at once: a log far away
 * would take a day for what it has in an hour. */
struct monitor_log;
struct statements;

/* A statement that is wanted, and what came of it. */
struct statement_wanted {
	struct bytes digest; /* of the entry, raw */
	struct buf payload;  /* the caller's, with its limit */
	bool there;	     /* false without `err`: the log does not have it */
	struct error err;    /* it could not be asked */
};

/* statements_open: `log` must outlive it; `timeout_ms` bounds each one. */
struct statements *statements_open(const struct monitor_log *log,
    unsigned timeout_ms, struct error *err) MUST_USE;
void statements_close(struct statements *s);

/* statements_get asks for all of a list, in its order. Once one could not be
 * asked for, those behind it may have ERR_UNAVAILABLE "cancelled". */
void statements_get(
    struct statements *s, struct statement_wanted *list, size_t n);

/* statements_cancel ends what is under way, and all that follows. Any thread
 * may call it. */
void statements_cancel(struct statements *s);

#endif
