/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/tiles_parts.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/tlog/entries.h"
#include "io/workers.h"

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
	char path[TILE_URL];

	tile_url((struct tile_place){TILE_ENTRIES, bundle, TILE_WIDTH}, path);
	if (tile_fetch_cached(f, path, &r->raw, &ignored)) {
		if (bundle_is(r, bundle, TILE_WIDTH, len, &ignored))
			return true;
		tile_fetch_forget(f, path);
	}
	buf_clear(&r->raw);
	if (!tile_fetch_get(f, r->worker, path, &r->raw, err))
		return tile_missing(err);
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

	return tile_fetch_partial(r->b->t, r->worker,
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
	char path[TILE_URL];

	buf_clear(&r->tile);
	tile_url((struct tile_place){0, index, TILE_WIDTH}, path);
	if (!tile_fetch_get(r->b->t->fetch, r->worker, path, &r->tile, err))
		return tile_missing(err);
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
	while (!atomic_load(&b->failed) &&
	    (!b->how->enough || !b->how->enough(b->how->arg))) {
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
	const struct hash *roots = tiles_verified(b->t, 1, group, &count, err);

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

/* Bundles are begun in their order, and what is begun is done: all before the
 * next one were walked. */
static uint64_t
reached(const struct batch *b, uint64_t from, uint64_t to)
{
	uint64_t next = atomic_load(&b->next), at;

	at = (next < b->end ? next : b->end) * TILE_WIDTH;
	if (at < from)
		return from;
	return at < to ? at : to;
}

bool
tiles_walk(struct tiles *t, uint64_t from, uint64_t to,
    const struct tiles_walk *how, struct error *err)
{
	return tiles_walk_some(t, &from, to, how, err);
}

bool
tiles_walk_some(struct tiles *t, uint64_t *at, uint64_t to,
    const struct tiles_walk *how, struct error *err)
{
	struct batch *b;
	uint64_t last, from = *at;
	bool ok = true, whole = true;

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
	     ok && whole && group * TILE_WIDTH < last; group++) {
		ok = walk_group(b, group, last, err);
		whole = atomic_load(&b->next) >= b->end;
	}
	if (ok)
		*at = reached(b, from, to);
	(void)pthread_mutex_destroy(&b->lock);
	free(b);
	return ok;
}
