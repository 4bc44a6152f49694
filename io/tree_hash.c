/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "io/meter.h"
#include "io/tree_parts.h"
#include "io/workers.h"

/*
 * As much of a file at once as stays in a core's own cache, so that what read
 * has copied is hashed before it leaves it.
 */
#define BLOCK_SIZE ((size_t)256 << 10)

/* Pieces from this size on are begun first, the largest before all: a big one
 * begun last would leave the other processors idle. */
#define BIG_SIZE ((uint64_t)4 << 20)

/* What is worth a thread: to start one takes as long as to hash this much, and
 * to open a file as long as to hash that much. */
#define THREAD_BYTES ((uint64_t)1 << 20)
#define OPEN_BYTES   ((uint64_t)16 << 10)

/* What one thread has. */
struct hash_worker {
	unsigned index;
	struct content_hasher *hasher;
	uint8_t *block;
	/* The file that was opened last: its next shard needs no other. */
	struct bytes name;
	struct tree_source source;
	bool have, owned;
};

struct hash_job {
	const struct file_tree *tree;
	struct tree_piece *pieces;
	size_t count;
	const struct tree_hash_options *options;
	size_t *order; /* of work: indexes of pieces */
	atomic_size_t next;
	struct meter meter;
	unsigned threads;
	struct hash_worker *workers;
};

static void
close_file(struct hash_worker *w)
{
	if (w->have && w->owned)
		(void)close(w->source.fd);
	w->have = false;
}

/* The file of `p`, which may be that of the piece before. */
static bool
open_file(struct hash_job *j, struct hash_worker *w, struct tree_piece *p)
{
	const struct tree_hash_options *o = j->options;
	struct stat st;

	if (w->have && bytes_equal(w->name, p->name))
		return true;
	close_file(w);
	w->owned = !o->source;
	w->name = p->name;
	if (o->source) {
		w->have =
		    o->source(o->source_arg, p->name, &w->source, &p->fault);
		return w->have;
	}
	w->source =
	    (struct tree_source){.fd = file_tree_open_file(j->tree, p->name,
				     o->links, &st, &p->fault)};
	if (w->source.fd < 0)
		return false;
	w->source.size = (uint64_t)st.st_size;
	if (w->source.size > BLOCK_SIZE)
		(void)posix_fadvise(w->source.fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	w->have = true;
	return true;
}

ssize_t
tree_read_at(int fd, void *to, size_t len, uint64_t at)
{
	ssize_t n;

	do
		n = pread(fd, to, len, (off_t)at);
	while (n < 0 && errno == EINTR);
	return n;
}

/*
 * Hashes [at, end) of the source; with `beyond` a block may show more than
 * that, which is how a file is seen to have grown.
 */
static bool
read_piece(struct hash_job *j, struct hash_worker *w, uint64_t at, uint64_t end,
    bool beyond, struct tree_piece *p)
{
	static const struct tree_fault changed = {
	    ERR_CONFLICT, "changed-while-read", 0};

	for (;;) {
		uint64_t left = end - at;
		size_t want =
		    beyond || left > BLOCK_SIZE ? BLOCK_SIZE : (size_t)left;
		ssize_t n;

		if (want == 0)
			return true;
		n = tree_read_at(
		    w->source.fd, w->block, want, w->source.offset + at);
		if (n < 0 || (n == 0 ? left > 0 : (uint64_t)n > left)) {
			p->fault = n < 0 ? tree_fault_of(errno) : changed;
			return false;
		}
		content_put(w->hasher, bytes_of(w->block, (size_t)n));
		at += (uint64_t)n;
		p->size += (uint64_t)n;
		if (!meter_add(&j->meter, w->index, (uint64_t)n))
			return false;
		/* A file's short read is its end. */
		if (at == end && (size_t)n < want)
			return true;
	}
}

static void
hash_piece(struct hash_job *j, struct hash_worker *w, struct tree_piece *p)
{
	bool whole = p->end == 0;
	struct error err = {0};
	uint64_t end;

	p->size = 0;
	if (!whole && p->start > p->end) {
		p->fault = (struct tree_fault){ERR_USAGE, NULL, EINVAL};
		return;
	}
	if (!open_file(j, w, p))
		return;
	p->file_size = w->source.size;
	end = whole ? w->source.size : p->end;
	if (end > w->source.size) {
		p->fault = (struct tree_fault){ERR_CONFLICT, "file-changed", 0};
		return;
	}
	content_begin(w->hasher);
	if (!read_piece(j, w, whole ? 0 : p->start, end, whole && w->owned, p))
		return;
	if (content_end(w->hasher, p->digest, &err))
		p->fault = (struct tree_fault){0};
	else
		p->fault = (struct tree_fault){err.code, err.reason, 0};
}

static void
work(void *arg, unsigned i)
{
	struct hash_job *j = arg;
	struct hash_worker *w = &j->workers[i];

	while (!meter_stopped(&j->meter)) {
		size_t at = atomic_fetch_add(&j->next, 1);
		struct tree_piece *p;

		if (at >= j->count)
			break;
		p = &j->pieces[j->order[at]];
		meter_begin(&j->meter, i, &p->name);
		hash_piece(j, w, p);
	}
	meter_begin(&j->meter, i, NULL);
	close_file(w);
}

static void
idle(void *arg)
{
	struct hash_job *j = arg;

	meter_tell(&j->meter, false);
}

static int
by_size(const void *a, const void *b, void *arg)
{
	const struct tree_piece *pieces = arg;
	const size_t *x = a, *y = b;
	uint64_t p = pieces[*x].size, q = pieces[*y].size;

	if (p != q)
		return p < q ? 1 : -1;
	return *x < *y ? -1 : 1;
}

/* Big pieces by size, then all others as they were given. */
static void
make_order(struct hash_job *j)
{
	/* Until a piece is done it has no digest. */
	static const struct tree_fault cancelled = {
	    ERR_UNAVAILABLE, "cancelled", 0};
	size_t big = 0, at;

	for (size_t i = 0; i < j->count; i++) {
		j->pieces[i].fault = cancelled;
		if (j->pieces[i].size >= BIG_SIZE)
			j->order[big++] = i;
	}
	qsort_r(j->order, big, sizeof(*j->order), by_size, j->pieces);
	at = big;
	for (size_t i = 0; i < j->count; i++)
		if (j->pieces[i].size < BIG_SIZE)
			j->order[at++] = i;
}

static bool
prepare(struct hash_job *j, struct error *err)
{
	j->order = reallocarray(NULL, j->count, sizeof(*j->order));
	j->workers = aligned_alloc(_Alignof(struct hash_worker),
	    j->threads * sizeof(struct hash_worker));
	if (j->workers)
		memset(j->workers, 0, j->threads * sizeof(*j->workers));
	if (!j->workers || !j->order)
		return error_set(err, ERR_INTERNAL, "out of memory");
	make_order(j);
	for (unsigned i = 0; i < j->threads; i++) {
		struct hash_worker *w = &j->workers[i];

		w->index = i;
		w->block = aligned_alloc(4096, BLOCK_SIZE);
		if (!w->block)
			return error_set(err, ERR_INTERNAL, "out of memory");
		w->hasher = content_hasher_open(j->options->algorithm, err);
		if (!w->hasher)
			return false;
	}
	return true;
}

static void
job_release(struct hash_job *j)
{
	for (unsigned i = 0; j->workers && i < j->threads; i++) {
		content_hasher_close(j->workers[i].hasher);
		free(j->workers[i].block);
	}
	free(j->workers);
	free(j->order);
}

static unsigned
threads_for(const struct tree_piece *pieces, size_t count, unsigned wanted)
{
	uint64_t bytes = 0, worth;

	if (wanted > 0)
		return workers_count(wanted, count);
	for (size_t i = 0; i < count && bytes < UINT64_MAX / 2; i++)
		bytes += pieces[i].size + OPEN_BYTES;
	worth = 1 + bytes / (2 * THREAD_BYTES);
	return workers_count(0, worth < count ? (size_t)worth : count);
}

bool
tree_hash(const struct file_tree *t, struct tree_piece *pieces, size_t count,
    const struct tree_hash_options *options, struct error *err)
{
	struct hash_job j = {
	    .tree = t, .pieces = pieces, .count = count, .options = options};
	bool ok = true;

	meter_init(&j.meter, options->progress, options->arg, options->total);
	if (count > 0) {
		j.threads = threads_for(pieces, count, options->threads);
		ok = prepare(&j, err);
		if (ok)
			workers_run(j.threads, work, idle, &j);
	}
	if (ok)
		meter_tell(&j.meter, true);
	job_release(&j);
	if (ok && meter_stopped(&j.meter))
		return error_reason(err, ERR_UNAVAILABLE, "cancelled",
		    "stopped before everything was read");
	return ok;
}
