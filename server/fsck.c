/* SPDX-License-Identifier: Apache-2.0 */
#include "server/fsck.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/model/entry.h"
#include "core/tlog/frontier.h"
#include "server/fsck_links.h"
#include "server/lookup.h"

#define CHUNK	    4096 /* entries that one thread takes at a time */
#define WINDOW	    16	 /* chunks on their way */
#define MAX_THREADS 16
#define MAX_TOLD    100 /* problems that are told one by one */

#define INDEX_FAULTS 3 /* kinds there are */

/* An order-independent sum of row hashes: equal sums, equal sets. */
struct row_sum {
	uint64_t lane[2];
	uint64_t rows;
};

enum chunk_state { CHUNK_FREE, CHUNK_TAKEN, CHUNK_DONE };

/* What is known of CHUNK entries once a thread has read them. */
struct chunk {
	enum chunk_state state;
	uint64_t first;
	size_t count;
	struct hash leaves[CHUNK];
	struct row_sum rows; /* of entries below the index's marker */
	struct error bad;    /* the first entry that does not parse */
	size_t bad_count;
	struct error err; /* could not be read */
};

/* One level of tiles being filled. */
struct level {
	struct hash slot[TILE_WIDTH];
	unsigned count;
	uint64_t index;
};

struct fsck {
	const struct fsck_parts *p;
	struct fsck_result *out;
	uint64_t size;
	uint64_t secret[2];
	struct index_marker marker; /* what the index covers */

	pthread_mutex_t lock;
	pthread_cond_t changed;
	uint64_t next; /* first entry nobody has taken */
	bool stop;
	struct chunk *window; /* WINDOW of them; chunk n is at n % WINDOW */

	struct hasher hasher;
	struct frontier frontier;
	struct level levels[TILE_MAX_LEVEL + 1];
	struct store_reader *reader;
	struct row_sum rows;
	bool mending;	 /* the second time: tiles are written */
	bool root_sound; /* the entries give the signed root */
	uint64_t bad_tiles;
	char index_faults[INDEX_FAULTS][200]; /* told at the end */
	size_t index_fault_count;
};

static void problem(struct fsck *f, bool mended, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void
problem(struct fsck *f, bool mended, const char *format, ...)
{
	char sentence[500];
	va_list ap;

	f->out->problems++;
	f->out->mended += mended;
	if (f->out->problems > MAX_TOLD)
		return;
	va_start(ap, format);
	(void)vsnprintf(sentence, sizeof(sentence), format, ap);
	va_end(ap);
	f->p->problem(f->p->arg, sentence, mended);
}

static void index_fault(struct fsck *f, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Whether it will be mended is known when everything has been read. */
static void
index_fault(struct fsck *f, const char *format, ...)
{
	va_list ap;

	if (f->index_fault_count == INDEX_FAULTS)
		return;
	va_start(ap, format);
	(void)vsnprintf(f->index_faults[f->index_fault_count++],
	    sizeof(f->index_faults[0]), format, ap);
	va_end(ap);
}

static void
row_add(const struct fsck *f, struct row_sum *sum, enum index_kind kind,
    const struct hash *key, uint64_t index)
{
	uint64_t words[6];

	memcpy(words, key->b, HASH_LEN);
	words[4] = index;
	words[5] = (uint64_t)kind;
	for (size_t lane = 0; lane < 2; lane++) {
		uint64_t x = f->secret[lane];

		for (size_t i = 0; i < 6; i++) {
			x = (x ^ words[i]) * 0xff51afd7ed558ccdu;
			x ^= x >> 33;
		}
		sum->lane[lane] += x * 0xc4ceb9fe1a85ec53u;
	}
	sum->rows++;
}

/* What a reading thread needs for one chunk. */
struct reading {
	struct fsck *f;
	struct chunk *c;
	struct hasher hasher;
};

static bool
read_entry(void *arg, uint64_t index, struct bytes leaf, struct error *err)
{
	struct reading *r = arg;
	AUTO(entry) e = {0};
	struct lookup_keys keys;
	struct error bad = {0};
	struct hash *hash = &r->c->leaves[index - r->c->first];

	(void)err;
	merkle_leaf(&r->hasher, leaf, hash);
	if (!entry_parse(leaf, &e, &bad)) {
		(void)error_prefix(
		    &bad, "entry %llu", (unsigned long long)index);
		if (r->c->bad_count++ == 0)
			r->c->bad = bad;
		return true;
	}
	if (index >= r->f->marker.size)
		return true;
	lookup_keys_of(&r->hasher, &e, hash, &keys);
	row_add(r->f, &r->c->rows, INDEX_LEAF, &keys.leaf, index);
	row_add(r->f, &r->c->rows, INDEX_DIGEST, &keys.digest, index);
	row_add(r->f, &r->c->rows, INDEX_SIGNER, &keys.signer, index);
	return true;
}

/* The next chunk to read, when there is room for it; NULL at the end. */
static struct chunk *
chunk_take(struct fsck *f)
{
	struct chunk *c;

	for (;;) {
		if (f->stop || f->next >= f->size)
			return NULL;
		c = &f->window[f->next / CHUNK % WINDOW];
		if (c->state == CHUNK_FREE)
			break;
		(void)pthread_cond_wait(&f->changed, &f->lock);
	}
	c->state = CHUNK_TAKEN;
	c->first = f->next;
	c->count =
	    f->size - f->next < CHUNK ? (size_t)(f->size - f->next) : CHUNK;
	c->rows = (struct row_sum){0};
	c->bad = c->err = (struct error){0};
	c->bad_count = 0;
	f->next += c->count;
	return c;
}

static void *
reading_thread(void *arg)
{
	struct fsck *f = arg;
	struct reading r = {.f = f};
	struct error err = {0};
	struct store_reader *reader =
	    f->p->backend->reader_open(f->p->store, &err);

	if (reader && !hasher_open(&r.hasher, &err)) {
		f->p->backend->reader_close(reader);
		reader = NULL;
	}
	(void)pthread_mutex_lock(&f->lock);
	while ((r.c = chunk_take(f))) {
		(void)pthread_mutex_unlock(&f->lock);
		if (reader)
			(void)(f->p->backend->read_entries(reader, r.c->first,
				   r.c->count, read_entry, &r, &r.c->err) &&
			    hasher_ok(&r.hasher, &r.c->err));
		else
			r.c->err = err;
		(void)pthread_mutex_lock(&f->lock);
		r.c->state = CHUNK_DONE;
		(void)pthread_cond_broadcast(&f->changed);
	}
	(void)pthread_mutex_unlock(&f->lock);
	hasher_release(&r.hasher);
	if (reader)
		f->p->backend->reader_close(reader);
	return NULL;
}

static bool
check_tile(struct fsck *f, unsigned level, struct error *err)
{
	struct level *l = &f->levels[level];
	struct hash stored[TILE_WIDTH];
	struct error why = {0};
	bool same;

	f->out->tiles++;
	same = f->p->backend->read_tile(
		   f->reader, (uint8_t)level, l->index, stored, &why) &&
	    bytes_equal(BYTES_OF(stored), BYTES_OF(l->slot));
	if (same)
		return true;
	f->bad_tiles++;
	if (f->mending) {
		struct store_tile tile = {
		    .level = (uint8_t)level,
		    .index = l->index,
		    .hashes = l->slot[0].b,
		};

		if (!f->p->backend->put_tile(f->p->store, &tile, err))
			return false;
	}
	if (f->mending || !f->p->repair)
		problem(f, f->mending, "tile %u/%llu %s", level,
		    (unsigned long long)l->index,
		    why.code == ERR_NONE ? "does not match the entries"
					 : why.text);
	return true;
}

/* The root of a subtree into its tile, and that one compared once it is full.
 */
static bool
tile_put(
    struct fsck *f, unsigned level, const struct hash *root, struct error *err)
{
	struct level *l = &f->levels[level];

	l->slot[l->count++] = *root;
	if (l->count < TILE_WIDTH)
		return true;
	if (!check_tile(f, level, err))
		return false;
	l->count = 0;
	l->index++;
	return true;
}

/* frontier_append, which passes by every hash that the tiles have. */
static bool
append_leaf(struct fsck *f, const struct hash *leaf, struct error *err)
{
	struct frontier *t = &f->frontier;
	struct hash carry = *leaf;
	unsigned height = 0;

	for (;; height++) {
		if (height % TILE_HEIGHT == 0 &&
		    !tile_put(f, height / TILE_HEIGHT, &carry, err))
			return false;
		if (!(t->size >> height & 1))
			break;
		merkle_node(&f->hasher, &t->node[height], &carry, &carry);
	}
	t->node[height] = carry;
	t->size++;
	return true;
}

static void
check_roots(struct fsck *f)
{
	const struct fsck_head *head = &f->p->head;
	bool at_head = f->frontier.size == head->size;
	bool at_marker = f->frontier.size == f->marker.size;
	struct hash root;

	if (!at_head && !at_marker)
		return;
	frontier_root(&f->hasher, &f->frontier, &root);
	if (f->mending)
		return; /* known from the first time */
	if (at_head)
		f->root_sound = hash_equal(&root, &head->root);
	if (at_head && !f->root_sound)
		problem(f, false,
		    "the entries do not give the signed root at size %llu",
		    (unsigned long long)head->size);
	if (!at_marker || !f->p->index || f->marker.size == 0 ||
	    hash_equal(&root, &f->marker.root))
		return;
	index_fault(f, "the lookup index was built on another tree");
}

static bool
merge_chunk(struct fsck *f, struct chunk *c, struct error *err)
{
	if (c->err.code != ERR_NONE) {
		*err = c->err;
		return false;
	}
	if (c->bad_count > 0 && !f->mending) {
		problem(f, false, "%s", c->bad.text);
		if (c->bad_count > 1)
			problem(f, false,
			    "and %zu more of entries %llu to %llu",
			    c->bad_count - 1, (unsigned long long)c->first,
			    (unsigned long long)(c->first + c->count - 1));
		f->out->problems += c->bad_count > 2 ? c->bad_count - 2 : 0;
	}
	for (size_t i = 0; i < c->count; i++) {
		if (!append_leaf(f, &c->leaves[i], err))
			return false;
		check_roots(f);
	}
	f->rows.lane[0] += c->rows.lane[0];
	f->rows.lane[1] += c->rows.lane[1];
	f->rows.rows += c->rows.rows;
	return hasher_ok(&f->hasher, err);
}

/* Takes the chunks in order from whoever has read them. */
static bool
merge_all(struct fsck *f, struct error *err)
{
	bool ok = true;

	for (uint64_t at = 0; ok && at < f->size; at += CHUNK) {
		struct chunk *c = &f->window[at / CHUNK % WINDOW];

		(void)pthread_mutex_lock(&f->lock);
		while (c->state != CHUNK_DONE || c->first != at)
			(void)pthread_cond_wait(&f->changed, &f->lock);
		(void)pthread_mutex_unlock(&f->lock);
		ok = merge_chunk(f, c, err);
		(void)pthread_mutex_lock(&f->lock);
		c->state = CHUNK_FREE;
		f->stop = !ok;
		(void)pthread_cond_broadcast(&f->changed);
		(void)pthread_mutex_unlock(&f->lock);
		if (f->p->progress && !f->mending)
			f->p->progress(f->p->arg, f->frontier.size, f->size);
	}
	return ok;
}

static bool
scan_entries(struct fsck *f, struct error *err)
{
	pthread_t threads[MAX_THREADS];
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned want =
	    f->p->threads ? f->p->threads : (unsigned)(cpus > 0 ? cpus : 1);
	unsigned started = 0;
	bool ok;

	f->window = calloc(WINDOW, sizeof(*f->window));
	if (!f->window)
		return error_set(err, ERR_INTERNAL, "out of memory");
	while (started < want && started < MAX_THREADS &&
	    pthread_create(&threads[started], NULL, reading_thread, f) == 0)
		started++;
	ok = started > 0
	    ? merge_all(f, err)
	    : error_set(err, ERR_INTERNAL, "cannot start a thread");
	for (unsigned i = 0; i < started; i++)
		(void)pthread_join(threads[i], NULL);
	free(f->window);
	return ok;
}

/* The index, read beside the entries by a thread of its own. */
struct index_scan {
	const struct fsck *f;
	struct row_sum rows;
	uint64_t beyond;
	pthread_t thread;
	bool started;
	struct error err;
};

static bool
scan_row(void *arg, const struct index_row *row, struct error *err)
{
	struct index_scan *c = arg;

	(void)err;
	row_add(c->f, &c->rows, row->kind, &row->key, row->index);
	c->beyond += row->index >= c->f->marker.size;
	return true;
}

static void *
scan_index(void *arg)
{
	struct index_scan *c = arg;
	struct index_reader *r = index_reader_open(c->f->p->index, &c->err);

	if (r)
		(void)!index_scan(r, scan_row, c, &c->err);
	index_reader_close(r);
	return NULL;
}

static bool
index_scan_start(struct index_scan *c, struct error *err)
{
	c->started = pthread_create(&c->thread, NULL, scan_index, c) == 0;
	return c->started ||
	    error_set(err, ERR_INTERNAL, "cannot start a thread");
}

static void
index_scan_end(struct index_scan *c)
{
	if (c->started)
		(void)pthread_join(c->thread, NULL);
	c->started = false;
}

/* Whether the index holds exactly the rows of the entries it covers. */
static bool
check_index(struct fsck *f, struct index_scan *c, struct error *err)
{
	bool same, mend;

	index_scan_end(c);
	if (c->err.code != ERR_NONE) {
		*err = c->err;
		return false;
	}
	f->out->index_rows = c->rows.rows;
	same = c->rows.rows == f->rows.rows &&
	    c->rows.lane[0] == f->rows.lane[0] &&
	    c->rows.lane[1] == f->rows.lane[1];
	if (!same || c->beyond > 0)
		index_fault(f,
		    "the lookup index has %llu rows where the entries give "
		    "%llu, or other ones",
		    (unsigned long long)c->rows.rows,
		    (unsigned long long)f->rows.rows);
	mend = f->p->repair && f->root_sound;
	for (size_t i = 0; i < f->index_fault_count; i++)
		problem(f, mend, "%s", f->index_faults[i]);
	/* The next start fills it again from the entries. */
	return f->index_fault_count == 0 || !mend ||
	    index_reset(f->p->index, err);
}

static void
link_row(
    void *arg, enum index_kind kind, const struct hash *key, uint64_t index)
{
	struct fsck *f = arg;

	row_add(f, &f->rows, kind, key, index);
}

static void
link_problem(void *arg, const char *sentence)
{
	problem(arg, false, "%s", sentence);
}

static bool
check_links(struct fsck *f, struct error *err)
{
	struct fsck_links l = {
	    .backend = f->p->backend,
	    .store = f->p->store,
	    .size = f->size,
	    .known = f->marker.links,
	    .row = link_row,
	    .problem = link_problem,
	    .arg = f,
	};
	bool ok = fsck_links_run(&l, err);

	f->out->envelopes = l.found.kept;
	f->out->dropped = l.found.dropped;
	return ok;
}

static bool
begin(struct fsck *f, struct error *err)
{
	const struct fsck_parts *p = f->p;

	if (!p->backend->size(p->store, &f->size, err) ||
	    !hasher_open(&f->hasher, err))
		return false;
	f->out->entries = f->size;
	if (f->size < p->head.size)
		problem(f, false,
		    "the log has %llu entries, fewer than the %llu of its "
		    "signed checkpoint",
		    (unsigned long long)f->size,
		    (unsigned long long)p->head.size);
	if (p->index && !index_marker(p->index, &f->marker, err))
		return false;
	if (f->marker.size > f->size)
		index_fault(f,
		    "the lookup index covers %llu entries, more than there are",
		    (unsigned long long)f->marker.size);
	f->reader = p->backend->reader_open(p->store, err);
	return f->reader &&
	    (getrandom(f->secret, sizeof(f->secret), 0) ==
		    (ssize_t)sizeof(f->secret) ||
		error_set(err, ERR_INTERNAL, "no random numbers"));
}

/*
 * Once more over the entries, writing the tiles that they give. Not when they
 * do not give what was signed: then the tiles may be all that is left of what
 * was there.
 */
static bool
mend_tiles(struct fsck *f, struct error *err)
{
	if (!f->root_sound) {
		problem(f, false,
		    "%llu tiles do not match the entries; they are left as "
		    "they are, because it is the entries that are wrong",
		    (unsigned long long)f->bad_tiles);
		return true;
	}
	f->mending = true;
	f->next = 0;
	f->out->tiles = 0;
	f->frontier = (struct frontier){0};
	memset(f->levels, 0, sizeof(f->levels));
	f->rows = (struct row_sum){0};
	return scan_entries(f, err);
}

bool
fsck_run(
    const struct fsck_parts *parts, struct fsck_result *out, struct error *err)
{
	struct fsck f = {.p = parts, .out = out};
	struct index_scan index = {.f = &f};
	bool ok;

	*out = (struct fsck_result){0};
	(void)pthread_mutex_init(&f.lock, NULL);
	(void)pthread_cond_init(&f.changed, NULL);
	ok = begin(&f, err);
	if (ok)
		check_roots(&f);
	ok = ok && (!parts->index || index_scan_start(&index, err)) &&
	    scan_entries(&f, err) &&
	    (!parts->repair || f.bad_tiles == 0 || mend_tiles(&f, err)) &&
	    check_links(&f, err) &&
	    (!parts->index || check_index(&f, &index, err));
	index_scan_end(&index);
	if (f.reader)
		parts->backend->reader_close(f.reader);
	hasher_release(&f.hasher);
	(void)pthread_cond_destroy(&f.changed);
	(void)pthread_mutex_destroy(&f.lock);
	return ok;
}
