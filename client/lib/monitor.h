/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_MONITOR_H
#define MTLOG_CLIENT_LIB_MONITOR_H

#include "client/lib/tile_fetch.h"
#include "core/tlog/quorum.h"

#define MONITOR_MAX_LOGS     64
#define MONITOR_MAX_COMPARED 64

/*
 * Follows logs: each new checkpoint is held against the newest one seen before,
 * each new entry against the rules (core/policy/watch.h), and the log's history
 * against what others saw of it. What is found is an event
 * (schema/json/event.schema.json), written into a journal before anything else
 * is, and told from there: see journal.h for what is promised. The state is a
 * folder:
 *
 *	lock				held while a monitor runs
 *	journal
 *	<hex SHA-256 of the origin>/
 *		state.json		the newest verified head, and how far the
 *					entries were read
 *		checkpoint		that head, for others to compare with
 *		evidence-<id>.txt	a fork: core/tlog/evidence.h
 *
 * A folder of checkpoints is laid out as a witness serves its own, so that a
 * web server over it makes a `--compare` for others.
 */
struct monitor;

/* A log to follow. `source` and `envelope` stand in for its server in tests;
 * several statements are asked for at once. */
struct monitor_log {
	struct vkey key; /* its name is the origin */
	const char *url;
	struct bytes pin; /* a note of it that was seen before; empty: none */
	struct tile_source source;
	bool (*envelope)(
	    void *arg, struct bytes digest, struct buf *out, struct error *err);
	void *arg;
};

/* What a monitor is told. Texts must outlive it. */
struct monitor_options {
	const char *state; /* folder; made if it is not there */
	const char *rules; /* file; read again in each round */
	size_t log_count;
	const struct monitor_log *logs;
	size_t compared_count;
	const char *const *compared; /* URL, file or folder */
	/* Whose witnesses must have cosigned what a log shows; NULL: none. */
	const struct quorum *quorum;
	const char *hook; /* program; NULL: none */
	unsigned hook_ms;
	const char *feed, *metrics; /* files; NULL: none */
	unsigned timeout_ms;	    /* of one request */
	uint64_t stalled_after;	    /* seconds; 0: never */
	bool only_new;		    /* begin with what a log has now */
	bool json;		    /* what is told on `output` */
	int output;		    /* descriptor */
	/* Called for what is no event but for a person to know, by one thread
	 * at a time: `log` is an origin, or NULL. */
	void (*trouble)(void *arg, const char *log, const struct error *err);
	/* May be NULL; asked several times a second by the caller's thread:
	 * true ends all, also what waits for a log or a reader. */
	bool (*stop)(void *arg);
	void *arg;
	int64_t (*now)(void); /* NULL: the system's clock; any thread */
};

/* monitor_open: NULL with ERR_USAGE, also for the rules; ERR_UNAVAILABLE
 * "locked"; ERR_DENIED "unknown-log" for an origin that had another key;
 * ERR_IO. */
struct monitor *monitor_open(const struct monitor_options *o, struct error *err)
    MUST_USE;
void monitor_close(struct monitor *m);

/*
 * monitor_round asks each log once, all at the same time, takes in what is new,
 * and tells it. `*code`
 * is what to exit with (enum verdict_code): 0 nothing new; 20 a fork or a
 * rollback that the log will not explain, 21 what contradicts a checkpoint, 22
 * events, 23 stalled; else of what failed, the worst. False with `err`: it
 * cannot go on (its own files cannot be written); what was found is not lost.
 */
bool monitor_round(struct monitor *m, int *code, struct error *err) MUST_USE;

/*
 * monitor_follow goes on until it is stopped. Each log is asked every `seconds`,
 * whatever the others do, and after as much time (5 s at least) of reading
 * entries its head is looked at before it is read on: a slow log delays nobody,
 * not even what it shows itself. `round` (may be NULL) is called about once in
 * that time with what there was. True once it was stopped; else as above.
 */
bool monitor_follow(struct monitor *m, unsigned seconds,
    void (*round)(void *arg, int code), struct error *err) MUST_USE;

#endif
