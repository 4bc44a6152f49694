/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/tiles_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/tlog/proof.h"

struct tiles *
tiles_open(struct tile_fetch *f, struct error *err)
{
	struct tiles *t = calloc(1, sizeof(*t));

	if (!t) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	t->fetch = f;
	t->verifier = key_verifier_open(err);
	if (!t->verifier || !hasher_open(&t->hasher, err)) {
		tiles_close(t);
		return NULL;
	}
	return t;
}

void
tiles_close(struct tiles *t)
{
	if (!t)
		return;
	hasher_release(&t->hasher);
	key_verifier_close(t->verifier);
	free(t);
}

/* --- what a log must have --- */

bool
tile_missing(struct error *err)
{
	if (err->code == ERR_NOTFOUND) {
		err->code = ERR_UNAVAILABLE;
		err->reason = "server-error";
	}
	return false;
}

bool
tiles_checkpoint(struct tiles *t, const struct vkey *key, struct buf *note,
    struct checkpoint *out, struct error *err)
{
	size_t from = note->len;

	return tile_fetch_checkpoint(t->fetch, note, err) &&
	    checkpoint_open(bytes_slice(buf_bytes(note), from, note->len), key,
		t->verifier, out, err);
}

void
tile_url(struct tile_place place, char out[TILE_URL])
{
	AUTO(buf) text = BUF_INIT(TILE_PATH_MAX);

	tile_path_format(place, &text);
	(void)snprintf(
	    out, TILE_URL, "/tile/%.*s", (int)text.len, (const char *)text.ptr);
}

static bool
fetch_partial(struct tiles *t, unsigned worker, struct tile_place place,
    struct buf *out, bool *full, struct error *err)
{
	struct error why = {0};
	char path[TILE_URL];

	*full = false;
	tile_url(place, path);
	if (tile_fetch_get(t->fetch, worker, path, out, &why))
		return true;
	if (why.code != ERR_NOTFOUND) {
		if (err->code == ERR_NONE)
			*err = why;
		return false;
	}
	*full = true;
	place.width = TILE_WIDTH;
	tile_url(place, path);
	buf_clear(out);
	return tile_fetch_get(t->fetch, worker, path, out, err);
}

bool
tile_fetch_partial(struct tiles *t, unsigned worker, struct tile_place place,
    struct buf *out, bool *full, struct error *err)
{
	return fetch_partial(t, worker, place, out, full, err) ||
	    tile_missing(err);
}

/* Not for the threads of a walk. */
static bool
gone(struct tiles *t, struct error *err)
{
	t->gone = err->code == ERR_NOTFOUND;
	return tile_missing(err);
}

bool
tiles_gone(const struct tiles *t)
{
	return t->gone;
}

/* --- the right edge --- */

static bool
read_edge(struct tiles *t, unsigned level, struct error *err)
{
	struct edge *e = &t->edges[level];
	struct tile_place place = {.level = (uint8_t)level};
	uint64_t hashes = t->size >> (TILE_HEIGHT * level);
	AUTO(buf) raw = BUF_INIT(TILE_READ);
	bool full;

	e->count = (unsigned)(hashes % TILE_WIDTH);
	if (e->count == 0)
		return true;
	place.index = hashes / TILE_WIDTH;
	place.width = e->count;
	if (!fetch_partial(t, 0, place, &raw, &full, err))
		return gone(t, err);
	if (raw.len != (full ? TILE_BYTES : e->count * HASH_LEN))
		return error_reason(err, ERR_SYNTAX, "tile",
		    "tile %u/%" PRIu64 " has %zu bytes", level, place.index,
		    raw.len);
	memcpy(e->hashes, raw.ptr, e->count * HASH_LEN);
	return true;
}

/* The nodes of the edge alone: one for each bit of the size. */
static bool
edge_node(
    void *arg, struct node_place place, struct hash *out, struct error *err)
{
	struct tiles *t = arg;
	struct tile_place tile;
	unsigned first, count;

	tile_of_node(place, &tile, &first, &count);
	if (tile.level >= TILE_LEVELS ||
	    first + count > t->edges[tile.level].count)
		return error_set(err, ERR_INTERNAL, "no node of the edge");
	tile_fold(&t->hasher, &t->edges[tile.level].hashes[first], count, out);
	return true;
}

bool
tiles_head(
    struct tiles *t, uint64_t size, const struct hash *root, struct error *err)
{
	struct node_reader edge = {edge_node, t};
	struct hash got;

	t->has_head = false;
	t->gone = false;
	t->size = size;
	/* They were verified under another head. */
	for (size_t i = 0; i < TILE_KNOWN; i++)
		t->known[i].used = 0;
	if (size > TREE_MAX_SIZE)
		return error_set(err, ERR_LIMIT, "the tree is too large");
	for (unsigned level = 0; level < TILE_LEVELS; level++)
		if (!read_edge(t, level, err))
			return false;
	if (!merkle_root(&t->hasher, &edge, size, &got, err) ||
	    !hasher_ok(&t->hasher, err))
		return false;
	if (!hash_equal(&got, root))
		return error_reason(err, ERR_BADSIG, "tile",
		    "the log's tiles do not hash to the root of its "
		    "checkpoint of size %" PRIu64,
		    size);
	t->root = got;
	t->has_head = true;
	return true;
}

bool
tiles_stand_on(const struct tiles *t, uint64_t size, const struct hash *root)
{
	return t->has_head && t->size == size && hash_equal(&t->root, root);
}

/* --- full tiles --- */

static bool
tile_is(struct hasher *h, struct bytes raw, const struct hash *want,
    struct hash out[TILE_WIDTH])
{
	struct hash got;

	if (raw.len != TILE_BYTES)
		return false;
	memcpy(out, raw.ptr, TILE_BYTES);
	tile_fold(h, out, TILE_WIDTH, &got);
	return !h->failed && hash_equal(&got, want);
}

static bool
load_full(struct tiles *t, struct tile_place place, const struct hash *want,
    struct hash out[TILE_WIDTH], struct error *err)
{
	AUTO(buf) raw = BUF_INIT(TILE_READ);
	struct error ignored = {0};
	char path[TILE_URL];

	tile_url(place, path);
	if (tile_fetch_cached(t->fetch, path, &raw, &ignored)) {
		if (tile_is(&t->hasher, buf_bytes(&raw), want, out))
			return true;
		tile_fetch_forget(t->fetch, path);
	}
	buf_clear(&raw);
	if (!tile_fetch_get(t->fetch, 0, path, &raw, err))
		return gone(t, err);
	if (raw.len != TILE_BYTES)
		return error_reason(
		    err, ERR_SYNTAX, "tile", "%s has %zu bytes", path, raw.len);
	if (!tile_is(&t->hasher, buf_bytes(&raw), want, out))
		return hasher_ok(&t->hasher, err) &&
		    error_reason(err, ERR_BADSIG, "tile",
			"%s is not the tile that the log's checkpoint of size "
			"%" PRIu64 " has there",
			path, t->size);
	tile_fetch_keep(t->fetch, path, buf_bytes(&raw));
	return true;
}

static struct known *
find_known(struct tiles *t, unsigned level, uint64_t index)
{
	for (size_t i = 0; i < TILE_KNOWN; i++)
		if (t->known[i].used > 0 && t->known[i].level == level &&
		    t->known[i].index == index)
			return &t->known[i];
	return NULL;
}

static struct known *
oldest_known(struct tiles *t)
{
	struct known *oldest = &t->known[0];

	for (size_t i = 1; i < TILE_KNOWN; i++)
		if (t->known[i].used < oldest->used)
			oldest = &t->known[i];
	return oldest;
}

const struct hash *
tiles_verified(struct tiles *t, unsigned level, uint64_t index, unsigned *count,
    struct error *err)
{
	uint64_t hashes = t->size >> (TILE_HEIGHT * level);
	const struct hash *above;
	struct hash want, loaded[TILE_WIDTH];
	unsigned n;
	struct known *k;

	if (index == hashes / TILE_WIDTH) {
		*count = t->edges[level].count;
		return t->edges[level].hashes;
	}
	if (level >= TILE_MAX_LEVEL || index > hashes / TILE_WIDTH) {
		(void)error_set(err, ERR_INTERNAL, "no such tile");
		return NULL;
	}
	*count = TILE_WIDTH;
	k = find_known(t, level, index);
	if (!k) {
		/* No deeper than there are levels. */
		above =
		    tiles_verified(t, level + 1, index / TILE_WIDTH, &n, err);
		if (!above)
			return NULL;
		want = above[index % TILE_WIDTH];
		if (!load_full(t,
			(struct tile_place){(uint8_t)level, index, TILE_WIDTH},
			&want, loaded, err))
			return NULL;
		k = oldest_known(t);
		k->level = (uint8_t)level;
		k->index = index;
		memcpy(k->hashes, loaded, sizeof(loaded));
	}
	k->used = ++t->clock;
	return k->hashes;
}

static bool
read_node(
    void *arg, struct node_place place, struct hash *out, struct error *err)
{
	struct tiles *t = arg;
	struct tile_place tile;
	unsigned first, count, there;
	const struct hash *hashes;

	tile_of_node(place, &tile, &first, &count);
	if (!t->has_head || tile.level > TILE_MAX_LEVEL)
		return error_set(err, ERR_INTERNAL, "no such node");
	hashes = tiles_verified(t, tile.level, tile.index, &there, err);
	if (!hashes)
		return false;
	if (first + count > there)
		return error_set(err, ERR_INTERNAL, "no such node");
	tile_fold(&t->hasher, &hashes[first], count, out);
	return hasher_ok(&t->hasher, err);
}

struct node_reader
tiles_nodes(struct tiles *t)
{
	return (struct node_reader){read_node, t};
}

bool
tiles_root(struct tiles *t, uint64_t size, struct hash *out, struct error *err)
{
	struct node_reader nodes = tiles_nodes(t);

	t->gone = false;
	if (!t->has_head || size > t->size)
		return error_set(err, ERR_USAGE,
		    "no root of size %" PRIu64 " under this head", size);
	return merkle_root(&t->hasher, &nodes, size, out, err) &&
	    hasher_ok(&t->hasher, err);
}
