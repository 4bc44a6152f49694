/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_LOOKUP_H
#define MTLOG_SERVER_LOOKUP_H

#include "core/model/entry.h"
#include "server/store/index.h"

/*
 * Which entries have this leaf, digest or signer: the not yet indexed tail in
 * memory, then one snapshot of the index file. A thread of its own moves the
 * tail into the file in large sorted batches. An acknowledged entry is never
 * missed: a row leaves memory only after the file has it.
 */
#define LOOKUP_FLUSH_ENTRIES 65536   /* entries that start a flush */
#define LOOKUP_TAIL_MAX	     1000000 /* entries in memory before we refuse */
#define LOOKUP_ROWS	     3	     /* rows an entry */

/* The keys of one entry, in the order of enum index_kind. */
struct lookup_keys {
	struct hash leaf;
	struct hash digest;
	struct hash signer;
};

/* lookup_keys_of computes them; `leaf` is the canonical leaf's hash. */
void lookup_keys_of(struct hasher *h, const struct entry *e,
    const struct hash *leaf, struct lookup_keys *out);

/* lookup_digest_key: the key under which a raw digest of 32, 48 or 64 bytes is
 * indexed. */
void lookup_digest_key(struct hasher *h, struct bytes digest, struct hash *out);

/* What one batch adds: its entries, and rows of links (ascending by index, or
 * below `first`: an entry that got its envelope later). */
struct lookup_batch {
	uint64_t first;
	const struct lookup_keys *keys;
	size_t count;
	const struct index_row *rows;
	size_t row_count;
	struct index_marker marker; /* what all is complete for then */
};

/* As index_marker.links of a batch: as many as before. */
#define LOOKUP_LINKS_SAME UINT64_MAX

struct lookup;

/* lookup_open: `file` outlives the lookup. lookup_start begins flushing. */
struct lookup *lookup_open(struct index_file *file, struct error *err) MUST_USE;
bool lookup_start(struct lookup *l, struct error *err) MUST_USE;

/* lookup_close flushes nothing (the tail is replayed at the next start). */
void lookup_close(struct lookup *l);

/*
 * lookup_add takes a batch into the tail, under the head that covers it. One
 * caller at a time, in order.
 * ERR_UNAVAILABLE reason "index-behind" when the tail is full.
 */
bool lookup_add(
    struct lookup *l, const struct lookup_batch *b, struct error *err) MUST_USE;

/* lookup_tail counts entries in memory (or as much in other rows);
 * lookup_stored is the size that the file is complete for; lookup_generation
 * counts the completed flushes; lookup_failed tells why flushing stopped
 * (false: it did not). */
size_t lookup_tail(struct lookup *l);
uint64_t lookup_stored(struct lookup *l);
uint64_t lookup_generation(struct lookup *l);
bool lookup_failed(struct lookup *l, struct error *err);

/* lookup_flush_now has what is in memory now moved into the file, whatever its
 * size, and waits for that (or for a failure). */
void lookup_flush_now(struct lookup *l);

/*
 * lookup_find merges tail and file: up to `max` indexes, ascending from `from`,
 * or descending with `newest_first`; complete up to the size in `*complete`.
 */
bool lookup_find(struct lookup *l, enum index_kind kind, const struct hash *key,
    uint64_t from, bool newest_first, size_t max, uint64_t *out, size_t *count,
    uint64_t *complete, struct error *err) MUST_USE;

#endif
