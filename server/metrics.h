/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_METRICS_H
#define MTLOG_SERVER_METRICS_H

#include "core/base/buf.h"
#include "server/admit.h"
#include "server/httpd.h"
#include "server/sequencer.h"
#include "server/witness_collect.h"

/*
 * Counters of the running server, without locks on the way of a request, and
 * their text for Prometheus (exposition format 0.0.4).
 */
struct metrics;

/* metrics_open also opens what tells about the process: call it before the
 * sandbox. metrics_close is NULL-safe. */
struct metrics *metrics_open(struct error *err) MUST_USE;
void metrics_close(struct metrics *m);

/*
 * What happened: a batch, a submission, an answer of a route. Any thread.
 * Reasons and routes are string literals and few: of each the first 63 have a
 * count of their own, the rest "other".
 */
void metrics_batch(struct metrics *m, const struct batch_report *r);
void metrics_admit(struct metrics *m, const struct admit_report *r);
void metrics_route(struct metrics *m, const char *route, unsigned status);

/* What is true now, asked for when the page is made. */
struct metrics_now {
	uint64_t sequenced;  /* entries with an index */
	uint64_t integrated; /* entries in the committed tree */
	uint64_t signed_size, cosigned_size;
	uint64_t uncosigned;	/* entries that wait for witnesses */
	uint64_t uncosigned_ns; /* how long the oldest has */
	uint64_t quorum_time;	/* of the last quorum, in seconds since
					1970 */
	size_t witness_count;
	struct witness_stats witnesses[QUORUM_MAX_WITNESSES];
	size_t queue_entries, queue_bytes, admission;
	size_t index_tail;
	uint64_t index_size; /* entries that the index file covers */
	uint64_t index_flushes;
	uint64_t wal_bytes;
	uint64_t disk_free;
	size_t cache_bytes;
	struct httpd_stats http;
	bool writable;
	const char *reason; /* why not; "" or NULL when writable */
	const char *sandbox, *signer_sandbox, *config_reader_sandbox;
};

/* metrics_render appends the page. */
void metrics_render(
    struct metrics *m, const struct metrics_now *now, struct buf *out);

#endif
