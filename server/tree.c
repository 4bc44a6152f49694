/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tree.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "server/tree_bundle.h"
#include "server/tree_private.h"

/* Where row `r` (nodes of height r within a tile) begins in tile_block.node. */
static size_t
row_start(unsigned r)
{
	return 512u - (512u >> r);
}

static void
tile_free(struct httpd_body *b)
{
	free(b);
}

static struct tile_block *
tile_new(uint8_t level, uint64_t index)
{
	struct tile_block *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->item.body = (struct httpd_body){
	    .data = bytes_of(t->node, TILE_WIDTH * HASH_LEN),
	    .refs = 1,
	    .free = tile_free,
	};
	t->item.kind = CACHE_TILE;
	t->item.level = level;
	t->item.index = index;
	t->item.bytes = sizeof(*t);
	return t;
}

/* Writes slot `pos` and every inner node that it completes. */
static void
tile_set(struct hasher *h, struct tile_block *t, unsigned pos,
    const struct hash *hash)
{
	t->node[pos] = *hash;
	for (unsigned r = 0; r < TILE_HEIGHT && (pos & 1); r++, pos >>= 1)
		merkle_node(h, &t->node[row_start(r) + pos - 1],
		    &t->node[row_start(r) + pos],
		    &t->node[row_start(r + 1) + pos / 2]);
}

static const struct hash *
tile_root(const struct tile_block *t)
{
	return &t->node[row_start(TILE_HEIGHT)];
}

struct tree *
tree_open(const struct store_backend *backend, struct store *store,
    size_t cache_budget, struct error *err)
{
	struct tree *t = calloc(1, sizeof(*t));

	if (!t) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	t->backend = backend;
	t->store = store;
	(void)pthread_mutex_init(&t->lock, NULL);
	t->cache = cache_open(cache_budget, err);
	if (!t->cache || !hasher_open(&t->hasher, err)) {
		tree_close(t);
		return NULL;
	}
	return t;
}

static void
growing_drop(struct tree *t, unsigned level)
{
	if (t->growing[level])
		httpd_body_release(&t->growing[level]->item.body);
	t->growing[level] = NULL;
}

void
tree_close(struct tree *t)
{
	if (!t)
		return;
	for (unsigned l = 0; l <= TILE_MAX_LEVEL; l++)
		growing_drop(t, l);
	for (size_t i = 0; i < t->reader_count; i++)
		t->backend->reader_close(t->readers[i]);
	cache_close(t->cache);
	hasher_release(&t->hasher);
	free(t->fresh);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}

uint64_t
tree_size(const struct tree *t)
{
	return t->size;
}

size_t
tree_fresh(const struct tree *t, const struct store_tile **out)
{
	*out = t->fresh;
	return t->fresh_count;
}

/* A tile became full: into the cache, pinned, and onto the store's list. */
static bool
tile_completed(struct tree *t, struct tile_block *tile, struct error *err)
{
	if (t->fresh_count == t->fresh_cap) {
		size_t cap = t->fresh_cap ? t->fresh_cap * 2 : 16;
		struct store_tile *p = realloc(t->fresh, cap * sizeof(*p));

		if (!p)
			return error_set(err, ERR_INTERNAL, "out of memory");
		t->fresh = p;
		t->fresh_cap = cap;
	}
	t->fresh[t->fresh_count++] = (struct store_tile){
	    .level = tile->item.level,
	    .index = tile->item.index,
	    .hashes = tile->item.body.data.ptr,
	};
	tile->item.pinned = true;
	cache_put(t->cache, &tile->item);
	return true;
}

static bool
append_at(struct tree *t, unsigned level, uint64_t index,
    const struct hash *hash, struct error *err)
{
	struct hash carry = *hash;

	for (; level <= TILE_MAX_LEVEL; level++, index /= TILE_WIDTH) {
		unsigned pos = (unsigned)(index % TILE_WIDTH);
		struct tile_block *tile = t->growing[level];

		if (!tile) {
			tile = tile_new((uint8_t)level, index / TILE_WIDTH);
			if (!tile)
				return error_set(
				    err, ERR_INTERNAL, "out of memory");
			(void)pthread_mutex_lock(&t->lock);
			t->growing[level] = tile;
			(void)pthread_mutex_unlock(&t->lock);
		}
		tile_set(&t->hasher, tile, pos, &carry);
		if (pos != TILE_WIDTH - 1)
			return true;
		carry = *tile_root(tile);
		if (!tile_completed(t, tile, err))
			return false;
		(void)pthread_mutex_lock(&t->lock);
		growing_drop(t, level);
		(void)pthread_mutex_unlock(&t->lock);
	}
	return true;
}

bool
tree_append(
    struct tree *t, const struct hash *leaves, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		if (!append_at(t, 0, t->size, &leaves[i], err)) {
			t->size++;
			tree_rollback(t);
			return false;
		}
		t->size++;
	}
	if (!hasher_ok(&t->hasher, err)) {
		tree_rollback(t);
		return false;
	}
	return true;
}

void
tree_commit(struct tree *t)
{
	for (size_t i = 0; i < t->fresh_count; i++) {
		struct cache_item *item = cache_get(
		    t->cache, CACHE_TILE, t->fresh[i].level, t->fresh[i].index);

		if (!item)
			continue;
		cache_unpin(t->cache, item);
		httpd_body_release(&item->body);
	}
	t->fresh_count = 0;
	t->committed = t->size;
}

void
tree_rollback(struct tree *t)
{
	(void)pthread_mutex_lock(&t->lock);
	for (unsigned l = 0; l <= TILE_MAX_LEVEL; l++) {
		uint64_t count = t->committed >> (TILE_HEIGHT * l);
		uint64_t index = count / TILE_WIDTH;

		if (t->growing[l] && t->growing[l]->item.index != index)
			growing_drop(t, l);
		if (t->growing[l] || count % TILE_WIDTH == 0)
			continue;
		/* The tile was completed by what is now taken back. */
		t->growing[l] = (struct tile_block *)cache_take(
		    t->cache, CACHE_TILE, (uint8_t)l, index);
		if (t->growing[l])
			t->growing[l]->item.pinned = false;
	}
	(void)pthread_mutex_unlock(&t->lock);
	for (size_t i = 0; i < t->fresh_count; i++) {
		struct cache_item *item = cache_take(
		    t->cache, CACHE_TILE, t->fresh[i].level, t->fresh[i].index);

		if (item)
			httpd_body_release(&item->body);
	}
	t->fresh_count = 0;
	t->size = t->committed;
}

bool
tree_corrupt(const struct tree *t)
{
	return atomic_load(&t->corrupt);
}

size_t
tree_cache_bytes(struct tree *t)
{
	return cache_bytes(t->cache);
}

struct store_reader *
tree_reader_take(struct tree *t, struct error *err)
{
	struct store_reader *r = NULL;

	(void)pthread_mutex_lock(&t->lock);
	if (t->reader_count > 0)
		r = t->readers[--t->reader_count];
	(void)pthread_mutex_unlock(&t->lock);
	return r ? r : t->backend->reader_open(t->store, err);
}

void
tree_reader_give(struct tree *t, struct store_reader *r)
{
	(void)pthread_mutex_lock(&t->lock);
	if (t->reader_count < TREE_READERS) {
		t->readers[t->reader_count++] = r;
		r = NULL;
	}
	(void)pthread_mutex_unlock(&t->lock);
	if (r)
		t->backend->reader_close(r);
}

bool
tree_cursor_open(struct tree_cursor *c, struct tree *t, struct error *err)
{
	*c = (struct tree_cursor){.tree = t};
	return hasher_open(&c->hasher, err);
}

void
tree_cursor_rest(struct tree_cursor *c)
{
	for (unsigned l = 0; l <= TILE_MAX_LEVEL; l++) {
		if (c->held[l])
			httpd_body_release(&c->held[l]->item.body);
		c->held[l] = NULL;
	}
}

void
tree_cursor_release(struct tree_cursor *c)
{
	tree_cursor_rest(c);
	hasher_release(&c->hasher);
}

static struct tile_block *
tile_find(struct tree *t, unsigned level, uint64_t index)
{
	struct tile_block *tile = NULL;

	(void)pthread_mutex_lock(&t->lock);
	if (t->growing[level] && t->growing[level]->item.index == index) {
		tile = t->growing[level];
		httpd_body_hold(&tile->item.body);
	}
	(void)pthread_mutex_unlock(&t->lock);
	if (!tile)
		tile = (struct tile_block *)cache_get(
		    t->cache, CACHE_TILE, (uint8_t)level, index);
	return tile;
}

bool
tree_mismatch(
    struct tree *t, struct error *err, const char *what, uint64_t index)
{
	atomic_store(&t->corrupt, true);
	return error_reason(err, ERR_INTERNAL, "store-corrupt",
	    "%s %llu does not match the tree: the stored bytes changed", what,
	    (unsigned long long)index);
}

/* Reads a full tile and its inner nodes; its root is not yet checked. */
static struct tile_block *
tile_read(
    struct tree_cursor *c, unsigned level, uint64_t index, struct error *err)
{
	struct tree *t = c->tree;
	struct tile_block *tile = tile_new((uint8_t)level, index);
	struct store_reader *r;
	bool ok;

	if (!tile) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	r = tree_reader_take(t, err);
	ok = r &&
	    t->backend->read_tile(r, (uint8_t)level, index, tile->node, err);
	if (r)
		tree_reader_give(t, r);
	if (!ok) {
		free(tile);
		return NULL;
	}
	for (unsigned i = 1; i < TILE_WIDTH; i += 2) {
		struct hash slot = tile->node[i];

		tile_set(&c->hasher, tile, i, &slot);
	}
	return tile;
}

/* The tile with a reference for the caller, from wherever it is. */
static struct tile_block *
tile_get(
    struct tree_cursor *c, unsigned level, uint64_t index, struct error *err)
{
	struct tree *t = c->tree;
	struct tile_block *tile = tile_find(t, level, index);
	struct hash want;

	if (tile)
		return tile;
	/* The parent's slot proves it; the right edge ends the recursion. */
	if (level == TILE_MAX_LEVEL) {
		(void)error_set(
		    err, ERR_INTERNAL, "no tile above level %u", level);
		return NULL;
	}
	tile = tile_get(c, level + 1, index / TILE_WIDTH, err);
	if (!tile)
		return NULL;
	want = tile->node[index % TILE_WIDTH];
	httpd_body_release(&tile->item.body);
	tile = tile_read(c, level, index, err);
	if (!tile)
		return NULL;
	if (!hash_equal(tile_root(tile), &want)) {
		free(tile);
		(void)tree_mismatch(t, err, "tile", index);
		return NULL;
	}
	cache_put(t->cache, &tile->item);
	return tile;
}

/* The tile, kept by the cursor: proofs ask for the same few again and again. */
static struct tile_block *
tile_hold(
    struct tree_cursor *c, unsigned level, uint64_t index, struct error *err)
{
	struct tile_block *tile = c->held[level];

	if (tile && tile->item.index == index)
		return tile;
	tile = tile_get(c, level, index, err);
	if (!tile)
		return NULL;
	if (c->held[level])
		httpd_body_release(&c->held[level]->item.body);
	c->held[level] = tile;
	return tile;
}

static bool
node_read(
    void *arg, struct node_place place, struct hash *out, struct error *err)
{
	struct tree_cursor *c = arg;
	unsigned level = place.height / TILE_HEIGHT;
	unsigned r = place.height % TILE_HEIGHT;
	uint64_t first = place.index << r;
	struct tile_block *tile = tile_hold(c, level, first / TILE_WIDTH, err);

	if (!tile)
		return false;
	*out = tile->node[row_start(r) + (first % TILE_WIDTH >> r)];
	return true;
}

struct node_reader
tree_nodes(struct tree_cursor *c)
{
	return (struct node_reader){.read = node_read, .arg = c};
}

bool
tree_tile(struct tree_cursor *c, struct tile_place place,
    struct httpd_body **out, struct error *err)
{
	struct tile_block *tile = tile_get(c, place.level, place.index, err);

	if (!tile)
		return false;
	*out = &tile->item.body;
	return true;
}

bool
tree_leaf(
    struct tree_cursor *c, uint64_t index, struct hash *out, struct error *err)
{
	return node_read(c, (struct node_place){0, index}, out, err);
}

/* Fills the growing tile of `level` from the tiles below it, or the entries. */
static bool
load_level(struct tree *t, struct tree_cursor *c, unsigned level, uint64_t size,
    struct error *err)
{
	uint64_t count = size >> (TILE_HEIGHT * level);
	uint64_t first = count - count % TILE_WIDTH;
	struct tile_block *tile;

	if (first == count)
		return true;
	tile = tile_new((uint8_t)level, first / TILE_WIDTH);
	if (!tile)
		return error_set(err, ERR_INTERNAL, "out of memory");
	t->growing[level] = tile;
	if (level == 0)
		return tree_leaves_hash(
		    c, first, count - first, tile->node, err);
	for (uint64_t i = first; i < count; i++) {
		struct tile_block *below = tile_read(c, level - 1, i, err);

		if (!below)
			return false;
		tile->node[i % TILE_WIDTH] = *tile_root(below);
		free(below);
	}
	return true;
}

bool
tree_load(struct tree *t, uint64_t size, struct error *err)
{
	AUTO(tree_cursor) c = {0};

	if (!tree_cursor_open(&c, t, err))
		return false;
	for (unsigned l = 0; l <= TILE_MAX_LEVEL; l++) {
		uint64_t count = size >> (TILE_HEIGHT * l);

		growing_drop(t, l);
		if (!load_level(t, &c, l, size, err))
			return false;
		for (unsigned i = 0; t->growing[l] && i < count % TILE_WIDTH;
		     i++) {
			struct hash slot = t->growing[l]->node[i];

			tile_set(&c.hasher, t->growing[l], i, &slot);
		}
	}
	t->size = t->committed = size;
	return hasher_ok(&c.hasher, err);
}
