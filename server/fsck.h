/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_FSCK_H
#define MTLOG_SERVER_FSCK_H

#include "core/crypto/hash.h"
#include "server/store/index.h"
#include "server/store/store.h"

/* What the signed checkpoint says: the log must have this root at this size. */
struct fsck_head {
	uint64_t size;
	struct hash root;
};

/* What is to be examined; `index` may be NULL (not looked at). */
struct fsck_parts {
	const struct store_backend *backend;
	struct store *store;
	struct index_file *index;
	struct fsck_head head;
	unsigned threads; /* 0: as many as there are processors */
	bool repair;	  /* put right what is derived: tiles and index */
	/* one problem found, or mended; NUL-terminated sentence */
	void (*problem)(void *arg, const char *sentence, bool mended);
	/* called now and then */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *arg;
};

struct fsck_result {
	uint64_t entries;    /* in the store */
	uint64_t tiles;	     /* full tiles compared */
	uint64_t index_rows; /* rows compared */
	uint64_t envelopes;  /* kept, and held against their entries */
	uint64_t dropped;    /* by `mtlogd envelope drop`: no problem */
	uint64_t problems;   /* found */
	uint64_t mended;     /* of these */
};

/*
 * fsck_run reads every entry, parses it, recomputes every leaf hash, every full
 * tile of every level and the root at the signed size, and holds every row of
 * the index against the entries (order-independent sums of keyed row hashes, so
 * that omissions are found without a look-up per row). Every envelope is held
 * against the entries that log it. Entries and envelopes are never
 * changed: they are what everything else is derived from; and where they do not
 * give the signed root, nothing is.
 * False only when it could not finish (`err`); problems are in the result.
 */
bool fsck_run(const struct fsck_parts *parts, struct fsck_result *out,
    struct error *err) MUST_USE;

#endif
