/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_TREE_H
#define MTLOG_SERVER_TREE_H

#include "core/tlog/proof.h"
#include "core/tlog/tile.h"
#include "server/cache.h"
#include "server/store/store.h"

/*
 * The log's tree as the server holds it: the growing tiles of the right edge in
 * memory, everything else in the store behind a cache. What comes from the
 * store is hashed against the right edge before anyone sees it.
 *
 * One writer (the sequencer) appends; any thread reads below a size that was
 * published after the append. Slots of a growing tile are written once, so
 * readers of smaller sizes need no lock for them.
 */
struct tree;

/* tree_open: an empty tree over `store`. The store outlives the tree. */
struct tree *tree_open(const struct store_backend *backend, struct store *store,
    size_t cache_budget, struct error *err) MUST_USE;
void tree_close(struct tree *t);

/* tree_load builds the right edge for `size` entries from the store. The root
 * proves it: compare it with a signed one. Before any other thread. */
bool tree_load(struct tree *t, uint64_t size, struct error *err) MUST_USE;

/* The writer's side. tree_size counts appended leaves, committed or not. */
uint64_t tree_size(const struct tree *t);

/*
 * tree_append adds leaf hashes. Tiles that become full are kept, pinned, until
 * tree_commit; tree_fresh lists them for the store. ERR_INTERNAL: no memory,
 * and nothing was appended.
 */
bool tree_append(struct tree *t, const struct hash *leaves, size_t count,
    struct error *err) MUST_USE;
size_t tree_fresh(const struct tree *t, const struct store_tile **out);

/* tree_commit: the store has everything. tree_rollback: it has not; the tree is
 * as after the last commit. */
void tree_commit(struct tree *t);
void tree_rollback(struct tree *t);

/* tree_corrupt is true once something from the store did not match its hash. */
bool tree_corrupt(const struct tree *t);

/* tree_cache_bytes is what the cache holds now. */
size_t tree_cache_bytes(struct tree *t);

/*
 * A reading thread's place in the tree: a hasher, a store reader when needed,
 * the tiles used last. One per thread or per call; release it.
 */
struct tree_cursor {
	struct tree *tree;
	struct hasher hasher;
	struct tile_block *held[TILE_MAX_LEVEL + 1];
};
bool tree_cursor_open(struct tree_cursor *c, struct tree *t, struct error *err)
    MUST_USE;
void tree_cursor_release(struct tree_cursor *c);

/* tree_cursor_rest gives up the tiles held, not the hasher. */
void tree_cursor_rest(struct tree_cursor *c);

/* tree_nodes reads complete nodes through `c`. */
struct node_reader tree_nodes(struct tree_cursor *c);

/*
 * tree_tile gives the hash tile `place` (which must exist in a published size)
 * with a reference for the caller; send its first 32 * width bytes.
 * ERR_INTERNAL reason "tile-corrupt" when the store's bytes do not match.
 */
bool tree_tile(struct tree_cursor *c, struct tile_place place,
    struct httpd_body **out, struct error *err) MUST_USE;

/*
 * tree_bundle gives the entry bundle `place` and in `*len` how many of its
 * bytes make `place.width` entries. With `gzip` (full bundles only) the
 * compressed form. Entries are checked against the level-0 tile.
 */
bool tree_bundle(struct tree_cursor *c, struct tile_place place, bool gzip,
    struct httpd_body **out, size_t *len, struct error *err) MUST_USE;

/* tree_entry appends the bytes of one entry, checked against its leaf hash. */
bool tree_entry(struct tree_cursor *c, uint64_t index, struct buf *out,
    struct error *err) MUST_USE;

/* Store readers, shared by threads: take one, give it back. */
struct store_reader *tree_reader_take(struct tree *t, struct error *err);
void tree_reader_give(struct tree *t, struct store_reader *r);

#endif
