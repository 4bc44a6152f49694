/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_TILES_H
#define MTLOG_CLIENT_LIB_TILES_H

#include "client/lib/tile_fetch.h"
#include "core/tlog/checkpoint.h"
#include "core/tlog/tile.h"

/*
 * A log as its tiles show it (c2sp.org/tlog-tiles), believed only as far as it
 * hashes into a head that the caller verified. Works with any log of that
 * kind: it asks for /checkpoint and /tile/… alone.
 *
 * What is verified when:
 *	checkpoint	origin and signature, by tiles_checkpoint;
 *	right edge	by tiles_head: each hash of a tile that is not full goes
 *			into the root that is computed of them;
 *	full tiles	when they are read, from the log or the cache: the root of
 *			one is a hash of the tile above it, verified before;
 *	entries		by tiles_walk, before they are handed out: their leaf
 *			hashes are those of the tile, full or at the edge.
 * Full tiles and full bundles are kept in the cache; one that does not hash to
 * what it must is fetched anew. Where a partial one is gone, the full one is
 * taken: it begins with it.
 *
 * One thread at a time, but for what tiles_walk says. All functions: ERR_BADSIG
 * reason "tile" or "leaf" where the log serves what does not hash into the
 * head; ERR_SYNTAX for what is none; else as tile_fetch_get. A tile that must
 * be there and is not is ERR_UNAVAILABLE "server-error", never "not found".
 */
struct tiles;

/* tiles_open takes `f`, which the caller closes after tiles_close. */
struct tiles *tiles_open(struct tile_fetch *f, struct error *err) MUST_USE;
void tiles_close(struct tiles *t);

/*
 * tiles_checkpoint fetches the log's newest checkpoint and verifies it with
 * `key`: origin and signature. The signed note is appended to `note`, and
 * `*out` borrows from there. It is not yet the head.
 */
bool tiles_checkpoint(struct tiles *t, const struct vkey *key, struct buf *note,
    struct checkpoint *out, struct error *err) MUST_USE;

/* tiles_head makes (size, root) what everything is verified against, and reads
 * the tree's right edge. On failure there is no head. */
bool tiles_head(struct tiles *t, uint64_t size, const struct hash *root,
    struct error *err) MUST_USE;

/* tiles_stand_on tells whether that is the head already. */
bool tiles_stand_on(
    const struct tiles *t, uint64_t size, const struct hash *root);

/* tiles_gone tells, after tiles_head or tiles_root failed, whether it was because
 * the log answers that it has not (404) what the head implies. */
bool tiles_gone(const struct tiles *t);

/* tiles_nodes reads verified nodes under the head: with it proof_inclusion and
 * proof_consistency make proofs between any sizes up to the head's that no
 * server need give, and frontier_read what a later audit goes on from. */
struct node_reader tiles_nodes(struct tiles *t);

/*
 * tiles_root computes the root of the first `size` <= head leaves. It is one of
 * this history: if a log signed another root for that size, it has forked.
 */
bool tiles_root(struct tiles *t, uint64_t size, struct hash *out,
    struct error *err) MUST_USE;

/* A run of entries within one bundle, verified. */
struct tiles_run {
	uint64_t first;	    /* index of the first entry */
	unsigned count;	    /* of entries, 1 to 256 */
	struct bytes bytes; /* u16 length, entry, …: entries_next reads it */
	const struct hash *leaves;
};

/* How the leaves are walked. */
struct tiles_walk {
	unsigned threads; /* 0: one a processor; 1: runs come in their order */
	bool all_tiles;	  /* fetch each level-0 tile and compare it, too */
	/* Called for each run, in the thread of `worker`; false ends the walk
	 * with its error. */
	bool (*run)(void *arg, unsigned worker, const struct tiles_run *run,
	    struct error *err);
	/* Called ten times a second at most by the caller's thread, with the
	 * entries that are done; may be NULL. */
	void (*progress)(void *arg, uint64_t done);
	/* Asked before each bundle, in any thread; true ends the walk without an
	 * error, behind the bundles that are begun. May be NULL. */
	bool (*enough)(void *arg);
	void *arg;
};

/*
 * tiles_walk goes through the entries [from, to) under the head, each bundle
 * fetched, hashed, and held against the verified tiles before `run` sees it.
 * Memory is one bundle a thread, whatever the size of the tree.
 */
bool tiles_walk(struct tiles *t, uint64_t from, uint64_t to,
    const struct tiles_walk *how, struct error *err) MUST_USE;

/* tiles_walk_some is tiles_walk from `*at`, which becomes where it ended: `to`,
 * or the end of a bundle if there was `enough`. On failure `*at` stays. */
bool tiles_walk_some(struct tiles *t, uint64_t *at, uint64_t to,
    const struct tiles_walk *how, struct error *err) MUST_USE;

#endif
