/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/scan_walk.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/tlog/entries.h"
#include "io/clock.h"

/* More than processors: what takes long is the way to the log. */
#define WORKERS 8
#define PART_NS UINT64_C(5000000000)

_Static_assert(WORKERS <= TILE_FETCH_WORKERS, "each has a connection");

struct walking {
	const struct scan_watch *watch;
	struct scan_catch *out;
	pthread_mutex_t lock; /* of `out` */
	void (*progress)(void *arg, uint64_t done);
	void *arg;
	uint64_t began; /* monotonic, ns */
};

void
scan_catch_release(struct scan_catch *c)
{
	free(c->list);
	buf_release(&c->leaves);
	*c = (struct scan_catch){0};
}

static bool
keep(struct scan_catch *c, uint64_t index, struct bytes leaf, struct error *err)
{
	size_t at = c->leaves.len;

	if (leaf.len > c->limit - at) {
		c->full = true;
		return error_set(err, ERR_LIMIT, "too many leaves of signers");
	}
	if (c->count == c->room) {
		size_t room = c->room > 0 ? 2 * c->room : 64;
		void *list = reallocarray(c->list, room, sizeof(*c->list));

		if (!list)
			return error_set(err, ERR_INTERNAL, "out of memory");
		c->list = list;
		c->room = room;
	}
	buf_put(&c->leaves, leaf);
	c->list[c->count++] = (struct scan_caught){index, at, leaf.len};
	return buf_ok(&c->leaves, err);
}

static bool
take_run(
    void *arg, unsigned worker, const struct tiles_run *run, struct error *err)
{
	struct walking *w = arg;
	struct reader r;

	(void)worker;
	reader_init(&r, run->bytes);
	for (unsigned i = 0; i < run->count; i++) {
		struct bytes leaf;
		bool ok;

		if (!entries_next(&r, &leaf, err))
			return error_set(
			    err, ERR_INTERNAL, "a run ends before its entries");
		if (!scan_watch_may(w->watch, leaf))
			continue;
		(void)pthread_mutex_lock(&w->lock);
		ok = keep(w->out, run->first + i, leaf, err);
		(void)pthread_mutex_unlock(&w->lock);
		if (!ok)
			return false;
	}
	return true;
}

static void
tell(void *arg, uint64_t done)
{
	const struct walking *w = arg;

	if (w->progress)
		w->progress(w->arg, done);
}

static bool
enough(void *arg)
{
	const struct walking *w = arg;

	return clock_monotonic_ns() - w->began >= PART_NS;
}

static int
by_index(const void *a, const void *b)
{
	const struct scan_caught *x = a, *y = b;

	return (x->index > y->index) - (x->index < y->index);
}

bool
scan_walk(struct tiles *t, const struct scan_watch *watch, uint64_t *at,
    uint64_t to, void (*progress)(void *arg, uint64_t done), void *arg,
    struct scan_catch *out, struct error *err)
{
	struct walking w = {.watch = watch,
	    .out = out,
	    .progress = progress,
	    .arg = arg,
	    .began = clock_monotonic_ns()};
	struct tiles_walk how = {.threads = WORKERS,
	    .run = take_run,
	    .progress = tell,
	    .enough = enough,
	    .arg = &w};
	bool ok;

	buf_init(&out->leaves, out->limit);
	(void)pthread_mutex_init(&w.lock, NULL);
	ok = tiles_walk_some(t, at, to, &how, err);
	(void)pthread_mutex_destroy(&w.lock);
	if (out->count > 0)
		qsort(out->list, out->count, sizeof(*out->list), by_index);
	return ok;
}
