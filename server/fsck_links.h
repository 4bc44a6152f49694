/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_FSCK_LINKS_H
#define MTLOG_SERVER_FSCK_LINKS_H

#include "server/fsck.h"

/* The part of fsck that holds envelopes against the entries that log them. */
struct fsck_links {
	const struct store_backend *backend;
	struct store *store;
	uint64_t size;	/* entries there are */
	uint64_t known; /* links that the index covers */
	/* one row that the index must have */
	void (*row)(void *arg, enum index_kind kind, const struct hash *key,
	    uint64_t index);
	/* one problem; NUL-terminated sentence */
	void (*problem)(void *arg, const char *sentence);
	void *arg;
	struct store_envelopes found; /* set */
};

/*
 * fsck_links_run reads every link with its envelope and its entry: the digests
 * are recomputed, the entry's must be among them, its signer the link's, and
 * the statement one that is kept. Of a dropped envelope the digests stand for
 * themselves. False only when it could not finish.
 */
bool fsck_links_run(struct fsck_links *l, struct error *err) MUST_USE;

#endif
