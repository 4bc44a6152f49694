/* SPDX-License-Identifier: Apache-2.0 */
#include "server/lookup_tail.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define NONE	     UINT64_MAX
#define IDLE_READERS 8
#define FIND_MAX     1000
#define FILTER_BITS  (1u << 26)
#define LATE_MAX     16384 /* rows out of order that start a flush */

/* A reader of the file, and the generation that its snapshot is of. */
struct reader {
	struct index_reader *index;
	uint64_t generation; /* NONE: it holds no snapshot */
};

struct lookup {
	struct index_file *file;
	pthread_mutex_t lock;
	pthread_cond_t wake, flushed;
	pthread_t thread;
	bool started, stopping, flush_asked;
	struct segment growing, moving;
	struct index_marker marker; /* complete up to here */
	uint64_t stored;	    /* and the file to here */
	uint64_t generation;
	struct error failure;
	struct reader readers[IDLE_READERS];
	size_t reader_count;

	/*
	 * A bit for each leaf there is, at its hash's place: almost every leaf
	 * that is looked up is new, and need not be searched in the file. What
	 * the file had at the start is read by a thread; it counts once that
	 * is done. Words are atomic.
	 */
	uint64_t *filter;
	pthread_t filler;
	bool filling, filled;
	atomic_bool closing;
};

void
lookup_digest_key(struct hasher *h, struct bytes digest, struct hash *out)
{
	if (digest.len == HASH_LEN)
		memcpy(out->b, digest.ptr, HASH_LEN);
	else
		sha256(h, digest, out);
}

void
lookup_keys_of(struct hasher *h, const struct entry *e, const struct hash *leaf,
    struct lookup_keys *out)
{
	out->leaf = *leaf;
	lookup_digest_key(h, e->digest, &out->digest);
	sha256(h, e->key.spki, &out->signer);
}

struct lookup *
lookup_open(struct index_file *file, struct error *err)
{
	struct lookup *l = calloc(1, sizeof(*l));

	if (!l) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	l->file = file;
	(void)pthread_mutex_init(&l->lock, NULL);
	(void)pthread_cond_init(&l->wake, NULL);
	(void)pthread_cond_init(&l->flushed, NULL);
	l->filter = calloc(FILTER_BITS / 64, sizeof(l->filter[0]));
	if ((l->filter || error_set(err, ERR_INTERNAL, "out of memory")) &&
	    index_marker(file, &l->marker, err)) {
		l->stored = l->marker.size;
		return l;
	}
	lookup_close(l);
	return NULL;
}

/* Not the bytes that the tables of the tail go by. */
static uint32_t
filter_bit(const struct hash *leaf)
{
	uint32_t x;

	memcpy(&x, leaf->b + 16, sizeof(x));
	return x % FILTER_BITS;
}

static void
filter_set(struct lookup *l, const struct hash *leaf)
{
	uint32_t bit = filter_bit(leaf);

	(void)__atomic_fetch_or(
	    &l->filter[bit / 64], UINT64_C(1) << bit % 64, __ATOMIC_RELAXED);
}

/* Under the lock: whether the file can have the leaf. */
static bool
filter_passes(const struct lookup *l, const struct hash *leaf)
{
	uint32_t bit = filter_bit(leaf);

	return !l->filled ||
	    (__atomic_load_n(&l->filter[bit / 64], __ATOMIC_RELAXED) >>
		    bit % 64 &
		1);
}

static bool
filter_row(void *arg, const struct index_row *row, struct error *err)
{
	struct lookup *l = arg;

	(void)err;
	if (row->kind == INDEX_LEAF)
		filter_set(l, &row->key);
	/* Leaves come first; what follows is not asked for. */
	return row->kind == INDEX_LEAF && !atomic_load(&l->closing);
}

/*
 * Damage does not go away, and an answer from beside it could be short: no more
 * is written, and the next start makes a new file.
 */
static void
note_damage(struct lookup *l, const struct error *err)
{
	struct error ignored = {0};

	if (strcmp(error_reason_name(err), "store-corrupt") != 0)
		return;
	(void)pthread_mutex_lock(&l->lock);
	if (l->failure.code == ERR_NONE)
		l->failure = *err;
	(void)pthread_cond_broadcast(&l->flushed);
	(void)pthread_mutex_unlock(&l->lock);
	(void)index_remove(l->file, &ignored);
}

static void *
filter_thread(void *arg)
{
	struct lookup *l = arg;
	struct error err = {0};
	struct index_reader *r = index_reader_open(l->file, &err);
	bool whole =
	    r && (index_scan(r, filter_row, l, &err) || err.code == ERR_NONE);

	index_reader_close(r);
	if (!whole)
		note_damage(l, &err);
	(void)pthread_mutex_lock(&l->lock);
	l->filled = whole && !atomic_load(&l->closing);
	(void)pthread_mutex_unlock(&l->lock);
	return NULL;
}

bool
lookup_add(struct lookup *l, const struct lookup_batch *b, struct error *err)
{
	struct segment *s = &l->growing;
	bool ok;

	(void)pthread_mutex_lock(&l->lock);
	ok = s->count + l->moving.count + batch_rows(b) <=
		(size_t)LOOKUP_TAIL_MAX * LOOKUP_ROWS ||
	    error_reason(err, ERR_UNAVAILABLE, "index-behind",
		"the lookup index is behind; try again in a while");
	ok = ok && segment_add(s, b, err);
	for (size_t i = 0; ok && i < b->count; i++)
		filter_set(l, &b->keys[i].leaf);
	if (ok) {
		uint64_t links = l->marker.links;

		l->marker = b->marker;
		if (b->marker.links == LOOKUP_LINKS_SAME)
			l->marker.links = links;
		s->marker = l->marker;
		if (s->count >= LOOKUP_FLUSH_ENTRIES * LOOKUP_ROWS ||
		    s->late_count >= LATE_MAX)
			(void)pthread_cond_signal(&l->wake);
	}
	(void)pthread_mutex_unlock(&l->lock);
	return ok;
}

/* Moves one segment into the file; the lock is not held meanwhile. */
static bool
flush(struct lookup *l, struct error *err)
{
	struct index_row *copy;
	struct segment *m = &l->moving;
	size_t bytes = m->count * sizeof(*copy);

	/* index_append sorts in place, and lookups still read these rows. */
	copy = malloc(bytes ? bytes : 1);
	if (!copy)
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (m->count > 0)
		memcpy(copy, m->rows, bytes);
	if (!index_append(l->file, copy, m->count, &m->marker, err)) {
		free(copy);
		return false;
	}
	free(copy);
	return index_compact(l->file, err);
}

static void
rest(struct reader *r)
{
	index_reader_rest(r->index);
	r->generation = NONE;
}

/* Under the lock. A snapshot that is held would make the file's write-ahead
 * log grow while it is written to. */
static void
rest_all(struct lookup *l)
{
	for (size_t i = 0; i < l->reader_count; i++)
		rest(&l->readers[i]);
}

static void *
flush_thread(void *arg)
{
	struct lookup *l = arg;

	(void)pthread_mutex_lock(&l->lock);
	for (;;) {
		struct error err = {0};
		bool ok;

		while (!l->stopping && !l->flush_asked &&
		    l->growing.count < LOOKUP_FLUSH_ENTRIES * LOOKUP_ROWS &&
		    l->growing.late_count < LATE_MAX)
			(void)pthread_cond_wait(&l->wake, &l->lock);
		if (l->stopping)
			break;
		l->flush_asked = false;
		if (l->growing.count > 0 && l->failure.code == ERR_NONE) {
			rest_all(l);
			l->moving = l->growing;
			l->growing = (struct segment){0};
			(void)pthread_mutex_unlock(&l->lock);
			ok = flush(l, &err);
			(void)pthread_mutex_lock(&l->lock);
			if (ok) {
				l->stored = l->moving.marker.size;
				segment_release(&l->moving);
				l->generation++;
			} else {
				l->failure = err;
			}
		}
		(void)pthread_cond_broadcast(&l->flushed);
		if (l->failure.code != ERR_NONE)
			break;
	}
	(void)pthread_mutex_unlock(&l->lock);
	return NULL;
}

bool
lookup_start(struct lookup *l, struct error *err)
{
	if (pthread_create(&l->thread, NULL, flush_thread, l) != 0)
		return error_set(err, ERR_INTERNAL, "cannot start a thread");
	l->started = true;
	/* Without it every look-up goes to the file. */
	l->filling = pthread_create(&l->filler, NULL, filter_thread, l) == 0;
	return true;
}

void
lookup_flush_now(struct lookup *l)
{
	uint64_t until;

	(void)pthread_mutex_lock(&l->lock);
	/* What is on its way has to arrive, too. */
	until = l->generation + (l->moving.count > 0) + (l->growing.count > 0);
	l->flush_asked = l->growing.count > 0;
	(void)pthread_cond_signal(&l->wake);
	while (l->generation < until && l->failure.code == ERR_NONE)
		(void)pthread_cond_wait(&l->flushed, &l->lock);
	(void)pthread_mutex_unlock(&l->lock);
}

void
lookup_close(struct lookup *l)
{
	if (!l)
		return;
	if (l->started) {
		(void)pthread_mutex_lock(&l->lock);
		l->stopping = true;
		(void)pthread_cond_signal(&l->wake);
		(void)pthread_mutex_unlock(&l->lock);
		(void)pthread_join(l->thread, NULL);
	}
	atomic_store(&l->closing, true);
	if (l->filling)
		(void)pthread_join(l->filler, NULL);
	free(l->filter);
	for (size_t i = 0; i < l->reader_count; i++)
		index_reader_close(l->readers[i].index);
	segment_release(&l->growing);
	segment_release(&l->moving);
	(void)pthread_cond_destroy(&l->wake);
	(void)pthread_cond_destroy(&l->flushed);
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
}

size_t
lookup_tail(struct lookup *l)
{
	size_t n;

	(void)pthread_mutex_lock(&l->lock);
	n = (l->growing.count + l->moving.count) / LOOKUP_ROWS;
	(void)pthread_mutex_unlock(&l->lock);
	return n;
}

uint64_t
lookup_stored(struct lookup *l)
{
	uint64_t n;

	(void)pthread_mutex_lock(&l->lock);
	n = l->stored;
	(void)pthread_mutex_unlock(&l->lock);
	return n;
}

uint64_t
lookup_generation(struct lookup *l)
{
	uint64_t n;

	(void)pthread_mutex_lock(&l->lock);
	n = l->generation;
	(void)pthread_mutex_unlock(&l->lock);
	return n;
}

bool
lookup_failed(struct lookup *l, struct error *err)
{
	bool failed;

	(void)pthread_mutex_lock(&l->lock);
	failed = l->failure.code != ERR_NONE;
	if (failed)
		*err = l->failure;
	(void)pthread_mutex_unlock(&l->lock);
	return failed;
}

static bool
reader_open(struct lookup *l, struct reader *r, struct error *err)
{
	struct error why = {0};

	r->generation = NONE;
	r->index = index_reader_open(l->file, &why);
	if (!r->index && why.code == ERR_NOTFOUND)
		/* The file went when a flush failed; readers that are open go
		 * on. What cannot be looked up is not absent. */
		(void)error_reason(err, ERR_UNAVAILABLE, "index-behind",
		    "the lookup index cannot be read until the server is "
		    "started again");
	else if (!r->index)
		*err = why;
	return r->index != NULL;
}

/* Between two flushes one snapshot serves all look-ups of a reader: what it
 * has not, is in memory. */
static bool
reader_refresh(struct reader *r, uint64_t generation, struct error *err)
{
	if (r->generation == generation)
		return true;
	rest(r);
	if (generation == NONE)
		return true;
	if (!index_reader_hold(r->index, err))
		return false;
	r->generation = generation;
	return true;
}

/* Under the lock: the generation that a snapshot taken from now on may stand
 * for, or NONE while rows are on their way. */
static uint64_t
quiet_generation(const struct lookup *l)
{
	return l->moving.count == 0 ? l->generation : NONE;
}

static void
reader_give(struct lookup *l, struct reader *r)
{
	(void)pthread_mutex_lock(&l->lock);
	if (r->generation != quiet_generation(l))
		rest(r);
	if (l->reader_count < IDLE_READERS) {
		l->readers[l->reader_count++] = *r;
		r->index = NULL;
	}
	(void)pthread_mutex_unlock(&l->lock);
	if (r->index)
		index_reader_close(r->index);
}

/* Adds what the file has, and gives the reader back. */
static bool
stored_find(struct lookup *l, struct reader *r, uint64_t generation,
    enum index_kind kind, const struct hash *key, struct window *w,
    struct error *err)
{
	uint64_t stored[FIND_MAX], marker;
	size_t n = 0;
	bool ok = reader_refresh(r, generation, err) &&
	    index_find(r->index, kind, key, w->from, w->newest_first, w->max,
		stored, &n, &marker, err);

	if (ok)
		reader_give(l, r);
	else
		index_reader_close(r->index);
	for (size_t i = 0; ok && i < n; i++)
		window_add(w, stored[i]);
	return ok;
}

bool
lookup_find(struct lookup *l, enum index_kind kind, const struct hash *key,
    uint64_t from, bool newest_first, size_t max, uint64_t *out, size_t *count,
    uint64_t *complete, struct error *err)
{
	const struct segment *const segments[] = {&l->growing, &l->moving};
	struct window w = {out, 0, max, from, newest_first};
	uint64_t generation;
	struct reader r = {0};
	bool stored;

	if (max > FIND_MAX)
		return error_set(err, ERR_USAGE, "at most %d", FIND_MAX);
	/* Memory first: what moves to the file meanwhile is then seen twice,
	 * never missed. */
	(void)pthread_mutex_lock(&l->lock);
	segments_find(segments, kind, key, &w);
	*complete = l->marker.size;
	generation = quiet_generation(l);
	stored = kind != INDEX_LEAF || filter_passes(l, key);
	if (stored && l->reader_count > 0)
		r = l->readers[--l->reader_count];
	(void)pthread_mutex_unlock(&l->lock);
	if (stored && !r.index && !reader_open(l, &r, err))
		return false;
	if (stored && !stored_find(l, &r, generation, kind, key, &w, err)) {
		note_damage(l, err);
		return false;
	}
	*count = w.count;
	return true;
}
