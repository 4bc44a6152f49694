/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_COPY_H
#define MTLOG_SERVER_COPY_H

#include "server/fsck.h"
#include "server/tree.h"

/*
 * Filling a new log store with the entries of another, in batches, with every
 * tile recomputed: for backup and restore.
 */
struct copy {
	const struct store_backend *backend;
	struct store *store;
	struct tree *tree;
	struct tree_cursor cursor;
	struct bytes *leaves; /* of the batch that is being gathered */
	struct hash *hashes;
	size_t count;
	struct buf data;
};

/* copy_open begins on an empty store, or goes on behind what it holds. */
bool copy_open(struct copy *c, const struct store_backend *backend,
    struct store *store, struct error *err) MUST_USE;
void copy_release(struct copy *c);

/* copy_entry adds one entry; copy_flush makes all added ones durable. */
bool copy_entry(struct copy *c, struct bytes leaf, struct error *err) MUST_USE;
bool copy_flush(struct copy *c, struct error *err) MUST_USE;

/* copy_range adds entries [first, end) of another store. */
bool copy_range(struct copy *c, struct store_reader *from, uint64_t first,
    uint64_t end, struct error *err) MUST_USE;

/*
 * copy_links adds the links from entries below `end`, all of them copied and
 * flushed, with their envelopes. These are not looked at: fsck does that.
 */
bool copy_links(struct copy *c, struct store_reader *from, uint64_t end,
    struct error *err) MUST_USE;

/* copy_root is the root of the first `size` entries copied and flushed. */
bool copy_root(struct copy *c, uint64_t size, struct hash *out,
    struct error *err) MUST_USE;

#endif
