/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/tiles.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/tlog/entries.h"
#include "core/tlog/proof.h"
#include "io/workers.h"

#define TILE_BYTES (TILE_WIDTH * HASH_LEN)
#define TILE_READ  (TILE_BYTES + 4096) /* so that too long a one is told */
#define LEVELS	   (TILE_MAX_LEVEL + 1)
#define KNOWN	   64 /* verified full tiles kept in memory */

/* A tile that was verified under the head. */
struct known {
	uint64_t used; /* 0: free */
	uint8_t level;
	uint64_t index;
	struct hash hashes[TILE_WIDTH];
};

/* The hashes of a level that no full tile has. */
struct edge {
	unsigned count;
	struct hash hashes[TILE_WIDTH];
};

struct tiles {
	struct tile_fetch *fetch;
	struct hasher hasher;
	struct key_verifier *verifier;
	bool has_head;
	uint64_t size;
	uint64_t clock; /* of `used` */
	struct edge edges[LEVELS];
	struct known known[KNOWN];
};

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

/* What the head implies and the log has not: it fails, the thing exists. */
static bool
missing(struct error *err)
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

	return (tile_fetch_get(t->fetch, 0, "/checkpoint", note, err) ||
		   missing(err)) &&
	    checkpoint_open(bytes_slice(buf_bytes(note), from, note->len), key,
		t->verifier, out, err);
}

static void
path_of(struct tile_place place, char out[TILE_PATH_MAX + 8])
{
	AUTO(buf) text = BUF_INIT(TILE_PATH_MAX);

	tile_path_format(place, &text);
	(void)snprintf(out, TILE_PATH_MAX + 8, "/tile/%.*s", (int)text.len,
	    (const char *)text.ptr);
}

/* Fetches a partial tile or bundle. Where it is gone, the full one is there,
 * and begins with it: `*full` then. */
static bool
fetch_partial(struct tiles *t, unsigned worker, struct tile_place place,
    struct buf *out, bool *full, struct error *err)
{
	struct error why = {0};
	char path[TILE_PATH_MAX + 8];

	*full = false;
	path_of(place, path);
	if (tile_fetch_get(t->fetch, worker, path, out, &why))
		return true;
	if (why.code != ERR_NOTFOUND) {
		if (err->code == ERR_NONE)
			*err = why;
		return false;
	}
	*full = true;
	place.width = TILE_WIDTH;
	path_of(place, path);
	buf_clear(out);
	return tile_fetch_get(t->fetch, worker, path, out, err) || missing(err);
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
		return false;
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
	if (tile.level >= LEVELS || first + count > t->edges[tile.level].count)
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
	t->size = size;
	/* They were verified under another head. */
	for (size_t i = 0; i < KNOWN; i++)
		t->known[i].used = 0;
	if (size > TREE_MAX_SIZE)
		return error_set(err, ERR_LIMIT, "the tree is too large");
	for (unsigned level = 0; level < LEVELS; level++)
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
	t->has_head = true;
	return true;
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
	char path[TILE_PATH_MAX + 8];

	path_of(place, path);
	if (tile_fetch_cached(t->fetch, path, &raw, &ignored)) {
		if (tile_is(&t->hasher, buf_bytes(&raw), want, out))
			return true;
		tile_fetch_forget(t->fetch, path);
	}
	buf_clear(&raw);
	if (!tile_fetch_get(t->fetch, 0, path, &raw, err))
		return missing(err);
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
	for (size_t i = 0; i < KNOWN; i++)
		if (t->known[i].used > 0 && t->known[i].level == level &&
		    t->known[i].index == index)
			return &t->known[i];
	return NULL;
}

static struct known *
oldest_known(struct tiles *t)
{
	struct known *oldest = &t->known[0];

	for (size_t i = 1; i < KNOWN; i++)
		if (t->known[i].used < oldest->used)
			oldest = &t->known[i];
	return oldest;
}

/* The verified hashes of a tile: how many, and where, until the next call. */
static const struct hash *
verified_tile(struct tiles *t, unsigned level, uint64_t index, unsigned *count,
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
		    verified_tile(t, level + 1, index / TILE_WIDTH, &n, err);
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
	hashes = verified_tile(t, tile.level, tile.index, &there, err);
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

	if (!t->has_head || size > t->size)
		return error_set(err, ERR_USAGE,
		    "no root of size %" PRIu64 " under this head", size);
	return merkle_root(&t->hasher, &nodes, size, out, err) &&
	    hasher_ok(&t->hasher, err);
}

/* --- the leaves --- */

/* The bundles below one tile of level 1, shared out to the workers. */
struct batch {
	struct tiles *t;
	const struct tiles_walk *how;
	uint64_t from, to;	       /* entries that are wanted */
	uint64_t end;		       /* of the bundles, */
	_Atomic(uint64_t) next;	       /* the next to take */
	struct hash roots[TILE_WIDTH]; /* of the full ones */
	uint64_t done;		       /* entries before this batch */
	_Atomic(uint64_t) entries;     /* of it that are done */
	atomic_bool failed;
	pthread_mutex_t lock;
	struct error err; /* under `lock` */
};

/* What a worker has of its own. */
struct reading {
	struct batch *b;
	unsigned worker;
	struct hasher h;
	struct buf raw, tile;
	struct hash leaves[TILE_WIDTH];
};

/* Hashes `count` entries; `*len` is how many bytes they take. */
static bool
hash_entries(struct reading *r, uint64_t bundle, unsigned count, size_t *len,
    struct error *err)
{
	struct reader in;

	reader_init(&in, buf_bytes(&r->raw));
	for (unsigned i = 0; i < count; i++) {
		struct bytes entry = {0};

		if (!entries_next(&in, &entry, err)) {
			(void)error_set(err, ERR_SYNTAX,
			    "it has %u entries instead of %u", i, count);
			err->reason = "leaf";
			return error_prefix(err, "bundle %" PRIu64, bundle);
		}
		merkle_leaf(&r->h, entry, &r->leaves[i]);
	}
	*len = r->raw.len - in.rest.len;
	return hasher_ok(&r->h, err);
}

/* Is it what the tree has there? */
static bool
bundle_is(struct reading *r, uint64_t bundle, unsigned count, size_t *len,
    struct error *err)
{
	const struct edge *edge = &r->b->t->edges[0];
	struct hash root;
	bool same;

	if (!hash_entries(r, bundle, count, len, err))
		return false;
	if (count == TILE_WIDTH) {
		if (*len != r->raw.len)
			return error_reason(err, ERR_SYNTAX, "leaf",
			    "bundle %" PRIu64 " goes on after 256 entries",
			    bundle);
		tile_fold(&r->h, r->leaves, TILE_WIDTH, &root);
		same = hash_equal(&root, &r->b->roots[bundle % TILE_WIDTH]);
	} else {
		same = bytes_equal(
		    bytes_of(r->leaves, count * sizeof(struct hash)),
		    bytes_of(edge->hashes, count * sizeof(struct hash)));
	}
	if (!hasher_ok(&r->h, err))
		return false;
	return same ||
	    error_reason(err, ERR_BADSIG, "leaf",
		"bundle %" PRIu64 " is not what the log's checkpoint of size "
		"%" PRIu64 " has there",
		bundle, r->b->t->size);
}

static bool
read_full(struct reading *r, uint64_t bundle, size_t *len, struct error *err)
{
	struct tile_fetch *f = r->b->t->fetch;
	struct error ignored = {0};
	char path[TILE_PATH_MAX + 8];

	path_of((struct tile_place){TILE_ENTRIES, bundle, TILE_WIDTH}, path);
	if (tile_fetch_cached(f, path, &r->raw, &ignored)) {
		if (bundle_is(r, bundle, TILE_WIDTH, len, &ignored))
			return true;
		tile_fetch_forget(f, path);
	}
	buf_clear(&r->raw);
	if (!tile_fetch_get(f, r->worker, path, &r->raw, err))
		return missing(err);
	if (!bundle_is(r, bundle, TILE_WIDTH, len, err))
		return false;
	tile_fetch_keep(f, path, buf_bytes(&r->raw));
	return true;
}

static bool
read_partial(struct reading *r, uint64_t bundle, unsigned count, size_t *len,
    struct error *err)
{
	bool full;

	return fetch_partial(r->b->t, r->worker,
		   (struct tile_place){TILE_ENTRIES, bundle, count}, &r->raw,
		   &full, err) &&
	    bundle_is(r, bundle, count, len, err) &&
	    (full || *len == r->raw.len ||
		error_reason(err, ERR_SYNTAX, "leaf",
		    "bundle %" PRIu64 " goes on after %u entries", bundle,
		    count));
}

/* The tile that others read instead of the entries says the same. */
static bool
same_tile(struct reading *r, uint64_t index, struct error *err)
{
	char path[TILE_PATH_MAX + 8];

	buf_clear(&r->tile);
	path_of((struct tile_place){0, index, TILE_WIDTH}, path);
	if (!tile_fetch_get(r->b->t->fetch, r->worker, path, &r->tile, err))
		return missing(err);
	return bytes_equal(buf_bytes(&r->tile),
		   bytes_of(r->leaves, sizeof(r->leaves))) ||
	    error_reason(err, ERR_BADSIG, "tile",
		"%s is not the tile that the log's checkpoint of size "
		"%" PRIu64 " has there",
		path, r->b->t->size);
}

/* Hands out what is wanted of a bundle that was verified. */
static bool
hand_out(struct reading *r, uint64_t bundle, unsigned count, size_t len,
    struct error *err)
{
	uint64_t begin = bundle * TILE_WIDTH;
	unsigned from = r->b->from > begin ? (unsigned)(r->b->from - begin) : 0;
	unsigned to =
	    r->b->to < begin + count ? (unsigned)(r->b->to - begin) : count;
	struct tiles_run run = {begin + from, to - from, {0}, &r->leaves[from]};
	struct bytes all = bytes_slice(buf_bytes(&r->raw), 0, len), entry;
	struct reader in;
	size_t start = 0, stop = len;

	reader_init(&in, all);
	for (unsigned i = 0; i < to; i++) {
		if (i == from)
			start = len - in.rest.len;
		if (!entries_next(&in, &entry, err))
			return error_set(err, ERR_INTERNAL, "no entry");
		stop = len - in.rest.len;
	}
	run.bytes = bytes_slice(all, start, stop);
	if (!r->b->how->run(r->b->how->arg, r->worker, &run, err))
		return false;
	(void)atomic_fetch_add(&r->b->entries, run.count);
	return true;
}

static bool
read_bundle(struct reading *r, uint64_t bundle, struct error *err)
{
	uint64_t left = r->b->t->size - bundle * TILE_WIDTH;
	size_t len = 0;

	buf_clear(&r->raw);
	if (left < TILE_WIDTH)
		return read_partial(r, bundle, (unsigned)left, &len, err) &&
		    hand_out(r, bundle, (unsigned)left, len, err);
	return read_full(r, bundle, &len, err) &&
	    (!r->b->how->all_tiles || same_tile(r, bundle, err)) &&
	    hand_out(r, bundle, TILE_WIDTH, len, err);
}

static void
batch_fail(struct batch *b, const struct error *why)
{
	atomic_store(&b->failed, true);
	(void)pthread_mutex_lock(&b->lock);
	if (b->err.code == ERR_NONE)
		b->err = *why;
	(void)pthread_mutex_unlock(&b->lock);
}

static void
report(void *arg)
{
	struct batch *b = arg;

	if (b->how->progress)
		b->how->progress(
		    b->how->arg, b->done + atomic_load(&b->entries));
}

static void
work(void *arg, unsigned worker)
{
	struct batch *b = arg;
	struct reading *r = calloc(1, sizeof(*r));
	struct error err = {0};

	if (!r) {
		(void)error_set(&err, ERR_INTERNAL, "out of memory");
		batch_fail(b, &err);
		return;
	}
	r->b = b;
	r->worker = worker;
	buf_init(&r->raw, TILE_FETCH_MAX);
	buf_init(&r->tile, TILE_READ);
	if (!hasher_open(&r->h, &err))
		batch_fail(b, &err);
	while (!atomic_load(&b->failed)) {
		uint64_t bundle = atomic_fetch_add(&b->next, 1);

		if (bundle >= b->end)
			break;
		if (!read_bundle(r, bundle, &err))
			batch_fail(b, &err);
		if (worker == 0)
			report(b);
	}
	buf_release(&r->raw);
	buf_release(&r->tile);
	hasher_release(&r->h);
	free(r);
}

/* The bundles below tile 1/`group` that are wanted; from there on, `*at`. */
static bool
walk_group(struct batch *b, uint64_t group, uint64_t last, struct error *err)
{
	uint64_t begin = group * TILE_WIDTH, first = b->from / TILE_WIDTH;
	unsigned count, threads;
	const struct hash *roots = verified_tile(b->t, 1, group, &count, err);

	if (!roots)
		return false;
	memcpy(b->roots, roots, count * sizeof(*roots));
	atomic_store(&b->next, first > begin ? first : begin);
	b->end = last < begin + TILE_WIDTH ? last : begin + TILE_WIDTH;
	b->done += atomic_exchange(&b->entries, 0);
	threads = workers_count(
	    b->how->threads, (size_t)(b->end - atomic_load(&b->next)));
	if (threads > TILE_FETCH_WORKERS)
		threads = TILE_FETCH_WORKERS;
	workers_run(threads, work, report, b);
	if (!atomic_load(&b->failed))
		return true;
	*err = b->err;
	return false;
}

bool
tiles_walk(struct tiles *t, uint64_t from, uint64_t to,
    const struct tiles_walk *how, struct error *err)
{
	struct batch *b;
	uint64_t last;
	bool ok = true;

	if (!t->has_head || from > to || to > t->size)
		return error_set(err, ERR_USAGE, "no such entries");
	if (from == to)
		return true;
	b = calloc(1, sizeof(*b));
	if (!b)
		return error_set(err, ERR_INTERNAL, "out of memory");
	b->t = t;
	b->how = how;
	b->from = from;
	b->to = to;
	(void)pthread_mutex_init(&b->lock, NULL);
	last = (to + TILE_WIDTH - 1) / TILE_WIDTH;
	for (uint64_t group = from / TILE_WIDTH / TILE_WIDTH;
	     ok && group * TILE_WIDTH < last; group++)
		ok = walk_group(b, group, last, err);
	(void)pthread_mutex_destroy(&b->lock);
	free(b);
	return ok;
}
