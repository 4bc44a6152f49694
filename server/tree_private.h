/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_TREE_PRIVATE_H
#define MTLOG_SERVER_TREE_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/tree.h"

/* What tree.c and tree_bundle.c share and nobody else sees. */

/*
 * A hash tile with its inner nodes: 256 slots, then 128 nodes of height 1, …,
 * one root. The slots come first so that they are the tile as it is served.
 */
struct tile_block {
	struct cache_item item;
	struct hash node[2 * TILE_WIDTH - 1];
};

#define TREE_READERS 8 /* idle store readers that are kept */

struct tree {
	const struct store_backend *backend;
	struct store *store;
	struct cache *cache;
	struct hasher hasher; /* the writer's */
	uint64_t size, committed;
	struct store_tile *fresh;
	size_t fresh_count, fresh_cap;
	atomic_bool corrupt;
	pthread_mutex_t lock; /* growing[] as pointers, readers[] */
	struct tile_block *growing[TILE_MAX_LEVEL + 1];
	struct store_reader *readers[TREE_READERS];
	size_t reader_count;
};

/* tree_mismatch marks the store as corrupt and sets `err`; returns false. */
bool tree_mismatch(
    struct tree *t, struct error *err, const char *what, uint64_t index);

/* tree_leaf reads one leaf hash of the tree. */
bool tree_leaf(struct tree_cursor *c, uint64_t index, struct hash *out,
    struct error *err) MUST_USE;

#endif
