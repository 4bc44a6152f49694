/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_LOOKUP_TAIL_H
#define MTLOG_SERVER_LOOKUP_TAIL_H

#include "server/lookup.h"

/* The look-up's tail in memory; for lookup.c alone, which has the lock. */

/*
 * Part of the tail: rows in the order they came, and a hash table of chains.
 * Two exist: one that grows, and one on its way into the file.
 */
struct segment {
	struct index_row *rows;
	uint32_t *next; /* chain of each row, newest first */
	uint32_t *heads;
	size_t count, cap, table;   /* `table` is a power of two */
	struct index_marker marker; /* what the last row made complete */
	/* Rows of entries that were there before: in no chain, because chains
	 * have the newest entry first. */
	uint32_t *late;
	size_t late_count;
};

/* segment_add takes a batch's rows (not its marker); nothing but memory can be
 * in the way. segment_release frees all. */
bool segment_add(struct segment *s, const struct lookup_batch *b,
    struct error *err) MUST_USE;
void segment_release(struct segment *s);

/* batch_rows is how many rows a batch adds. */
static inline size_t
batch_rows(const struct lookup_batch *b)
{
	return b->count * LOOKUP_ROWS + b->row_count;
}

/* A window of results, kept sorted, of at most `max`. */
struct window {
	uint64_t *out;
	size_t count, max;
	uint64_t from;
	bool newest_first;
};

/* window_add puts an index in its place, if it has one. */
void window_add(struct window *w, uint64_t index);

/* segments_find fills an empty window with what the segments have, the newer
 * one first. */
void segments_find(const struct segment *const segments[2],
    enum index_kind kind, const struct hash *key, struct window *w);

#endif
