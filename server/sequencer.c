/* SPDX-License-Identifier: Apache-2.0 */
#include "server/sequencer.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "io/clock.h"

/*
 * The life of a batch. Order matters more than anything else here:
 *
 *   take       what waits in the pool
 *   integrate  indexes, tiles that become full, the new root
 *   commit     one transaction, durable when it returns: entries, tiles, and
 *              the envelopes that came with them
 *   read back  the bytes as stored, through another connection, hashed again
 *              into a frontier of its own: both roots must be equal
 *   sign       the signer checks consistency with *its* last head, makes the
 *              guard durable, and only then gives the signature
 *   publish    the head for readers, the keys for look-ups
 *   finish     every submission hears its index
 *
 * A step that fails decides what the log does next: try again later (nothing
 * was written), start again (unknown), or latch (doubt).
 *
 * A batch may have no entry: envelopes of entries that are known. Then there is
 * nothing to sign, and the head stays.
 */

#define BATCH_MAX_BYTES (4u << 20)

struct batch {
	struct submission *chain;
	size_t count;
	uint64_t first;
	struct bytes *leaves;
	struct hash *hashes;
	struct lookup_keys *keys;
	size_t link_count;
	struct store_link *links;
	struct submission **linked; /* whose enclosure each link is */
	struct frontier frontier;   /* from what was read back */
	struct hash root;
	struct head *head;
	struct batch_report report;
};

enum aftermath { GO_ON, TRY_LATER, START_AGAIN, LATCH };

struct sequencer {
	struct sequencer_parts p;
	pthread_t thread;
	bool started;
	struct frontier frontier; /* of the last signed head */
	struct tree_cursor cursor;
	struct batch scratch; /* arrays of batch_max, kept between batches */
};

static void
take_entry(struct batch *b, struct submission *x)
{
	size_t i = b->count++;

	b->leaves[i] = buf_bytes(&x->leaf);
	b->hashes[i] = x->keys.leaf;
	b->keys[i] = x->keys;
	x->index = b->first + i;
}

static void
take_enclosure(struct batch *b, struct submission *x)
{
	size_t i = b->link_count++;

	b->links[i] = x->enclosure->link;
	b->linked[i] = x;
	if (b->links[i].index == ENCLOSURE_FIRST)
		b->links[i].index = x->index;
}

static void
take(struct sequencer *s, struct batch *b)
{
	uint64_t now;

	b->chain = pool_take(s->p.pool, s->p.batch_max, BATCH_MAX_BYTES,
	    s->p.gather_ms, &b->count);
	b->count = b->link_count = 0;
	b->first = tree_size(s->p.tree);
	now = clock_monotonic_ns();
	b->report = (struct batch_report){0};
	for (struct submission *x = b->chain; x; x = x->next) {
		if (!x->known)
			take_entry(b, x);
		if (x->enclosure)
			take_enclosure(b, x);
		if (now - x->queued_ns > b->report.oldest_wait)
			b->report.oldest_wait = now - x->queued_ns;
	}
	b->report.count = b->count;
}

static enum aftermath
integrate(struct sequencer *s, struct batch *b, struct error *err)
{
	if (!tree_append(s->p.tree, b->hashes, b->count, err))
		return TRY_LATER;
	return GO_ON;
}

/* Damage is doubt: a restart would go on beside it. */
static enum aftermath
of_store(const struct error *err)
{
	if (err->code == ERR_UNAVAILABLE)
		return TRY_LATER;
	return strcmp(error_reason_name(err), "store-corrupt") == 0
	    ? LATCH
	    : START_AGAIN;
}

static enum aftermath
commit(struct sequencer *s, struct batch *b, struct error *err)
{
	struct store_batch write = {
	    .first = b->first,
	    .count = b->count,
	    .leaves = b->leaves,
	    .link_count = b->link_count,
	    .links = b->links,
	};

	write.tile_count = tree_fresh(s->p.tree, &write.tiles);
	if (s->p.backend->append(s->p.store, &write, err)) {
		tree_commit(s->p.tree);
		return GO_ON;
	}
	tree_rollback(s->p.tree);
	return of_store(err);
}

struct read_back {
	struct sequencer *s;
	struct batch *b;
};

static bool
rehash(void *arg, uint64_t index, struct bytes leaf, struct error *err)
{
	struct read_back *r = arg;
	struct hasher *h = &r->s->cursor.hasher;
	struct hash got;

	merkle_leaf(h, leaf, &got);
	if (!hash_equal(&got, &r->b->hashes[index - r->b->first]))
		return error_reason(err, ERR_INTERNAL, "store-corrupt",
		    "entry %llu reads back with other bytes than were written",
		    (unsigned long long)index);
	frontier_append(h, &r->b->frontier, &got);
	return true;
}

/* The envelope as stored must be what was signed. */
static bool
envelope_sound(struct sequencer *s, struct store_reader *reader,
    const struct store_link *link, struct error *err)
{
	struct store_envelope e = {
	    BUF_INIT(ENVELOPE_TYPE_MAX), BUF_INIT(ENVELOPE_MAX_LEN)};
	struct store_link got = {0};
	bool ok = s->p.backend->read_envelope(
		      reader, hash_bytes(&link->s), UINT64_MAX, &e, err) &&
	    envelope_link(&s->cursor.hasher, buf_bytes(&e.type),
		buf_bytes(&e.payload), NULL, &got, err);

	if (ok && !hash_equal(&got.s, &link->s))
		ok = error_reason(err, ERR_INTERNAL, "store-corrupt",
		    "the envelope of entry %llu reads back with other bytes",
		    (unsigned long long)link->index);
	buf_release(&e.type);
	buf_release(&e.payload);
	return ok;
}

/* Those that were written now; of the others nothing is promised. */
static bool
envelopes_sound(struct sequencer *s, struct store_reader *reader,
    const struct batch *b, struct error *err)
{
	for (size_t i = 0; i < b->link_count; i++)
		if (b->links[i].id > 0 &&
		    !envelope_sound(s, reader, &b->links[i], err))
			return false;
	return true;
}

static enum aftermath
read_back(struct sequencer *s, struct batch *b, struct error *err)
{
	struct hasher *h = &s->cursor.hasher;
	struct read_back r = {s, b};
	struct node_reader nodes = tree_nodes(&s->cursor);
	struct store_reader *reader = tree_reader_take(s->p.tree, err);
	struct hash root;
	bool ok;

	b->frontier = s->frontier;
	ok = reader &&
	    s->p.backend->read_entries(
		reader, b->first, b->count, rehash, &r, err) &&
	    envelopes_sound(s, reader, b, err);
	if (reader)
		tree_reader_give(s->p.tree, reader);
	if (!ok)
		return err->code == ERR_INTERNAL || of_store(err) == LATCH
		    ? LATCH
		    : START_AGAIN;
	frontier_root(h, &b->frontier, &b->root);
	if (!merkle_root(h, &nodes, b->frontier.size, &root, err) ||
	    !hasher_ok(h, err))
		return LATCH;
	if (!hash_equal(&root, &b->root)) {
		(void)error_reason(err, ERR_INTERNAL, "root-mismatch",
		    "two ways to compute the root of size %llu disagree",
		    (unsigned long long)b->frontier.size);
		return LATCH;
	}
	return GO_ON;
}

static enum aftermath
sign(struct sequencer *s, struct batch *b, struct error *err)
{
	AUTO(buf) note = BUF_INIT(GUARD_NOTE_MAX);
	struct node_reader nodes = tree_nodes(&s->cursor);
	uint64_t size = b->frontier.size;
	struct proof proof = {0};

	if (b->count == 0) {
		b->head = head_current(s->p.heads);
		return GO_ON;
	}
	if (s->frontier.size > 0 &&
	    !proof_consistency(
		&s->cursor.hasher, &nodes, s->frontier.size, size, &proof, err))
		return LATCH;
	if (!signer_sign(s->p.signer, size, &b->root, &proof,
		s->p.store_identity, &note, err))
		return err->code == ERR_BADSIG || err->code == ERR_DENIED
		    ? LATCH
		    : START_AGAIN;
	b->head = head_new(size, &b->root, buf_bytes(&note));
	if (!b->head) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return START_AGAIN;
	}
	s->frontier = b->frontier;
	return GO_ON;
}

/* The rows of the links that are new, and the last link's number. */
static bool
link_rows(const struct batch *b, struct lookup_batch *add, struct error *err)
{
	struct index_row *rows;
	size_t n = 0;

	for (size_t i = 0; i < b->link_count; i++)
		if (b->links[i].id > 0) {
			n += b->linked[i]->enclosure->catalog.count;
			add->marker.links = b->links[i].id;
		}
	if (n == 0)
		return true;
	rows = calloc(n, sizeof(*rows));
	if (!rows)
		return error_set(err, ERR_INTERNAL, "out of memory");
	add->rows = rows;
	for (size_t i = 0; i < b->link_count; i++) {
		const struct catalog *c = &b->linked[i]->enclosure->catalog;

		for (size_t k = 0; b->links[i].id > 0 && k < c->count; k++)
			rows[add->row_count++] = (struct index_row){
			    c->keys[k].kind, c->keys[k].key, b->links[i].index};
	}
	return true;
}

static enum aftermath
publish(struct sequencer *s, struct batch *b, struct error *err)
{
	struct lookup_batch add = {
	    .first = b->first,
	    .keys = b->keys,
	    .count = b->count,
	    .marker = {b->head->size, b->head->root, LOOKUP_LINKS_SAME},
	};
	bool ok = link_rows(b, &add, err);

	/* Who finds an index in the look-up must also find a head over it; who
	 * does not find it yet joins the leaf in flight. */
	if (b->count > 0) {
		if (s->p.signed_head)
			s->p.signed_head(s->p.arg, b->head);
		httpd_body_hold(&b->head->body);
		head_publish(s->p.heads, b->head);
	}
	ok = ok && lookup_add(s->p.lookup, &add, err);
	free((void *)(uintptr_t)add.rows);
	return ok ? GO_ON : START_AGAIN;
}

static void
finish(struct sequencer *s, struct batch *b, const struct error *err)
{
	for (struct submission *x = b->chain; x; x = x->next) {
		x->err = *err;
		x->enclosed = x->enclosure && err->code == ERR_NONE;
		if (err->code == ERR_NONE) {
			x->head = b->head;
			httpd_body_hold(&b->head->body);
		}
	}
	pool_finish(s->p.pool, b->chain);
	head_release(b->head);
	b->head = NULL;
	tree_cursor_rest(&s->cursor);
}

/* The steps that write and sign, each timed. */
static const struct {
	enum aftermath (*run)(
	    struct sequencer *, struct batch *, struct error *);
	size_t took; /* where in batch_report */
} steps[] = {
    {integrate, offsetof(struct batch_report, integrate)},
    {commit, offsetof(struct batch_report, commit)},
    {read_back, offsetof(struct batch_report, read_back)},
    {sign, offsetof(struct batch_report, sign)},
    {publish, offsetof(struct batch_report, publish)},
};

static enum aftermath
run_steps(struct sequencer *s, struct batch *b, struct error *err)
{
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		uint64_t start = clock_monotonic_ns();
		enum aftermath a = steps[i].run(s, b, err);
		uint64_t took = clock_monotonic_ns() - start;

		memcpy((char *)&b->report + steps[i].took, &took, sizeof(took));
		if (a != GO_ON)
			return a;
	}
	return GO_ON;
}

/* What the log is from now on; and what those in the batch are told. */
static void
stop_taking(struct sequencer *s, enum aftermath a, struct error *err)
{
	struct error why = *err;

	if (a == LATCH) {
		health_set(s->p.health, HEALTH_LATCHED, true,
		    "the log takes no new entries: %s. Reads go on. Stop it, "
		    "run `mtlogd fsck`, and see mtlogd(8), RECOVERY",
		    why.text);
		s->p.alarm(s->p.arg, "log-latched", &why);
	} else {
		health_set(s->p.health, HEALTH_RESTARTING, true,
		    "the server restarts because it does not know what was "
		    "stored (%s); submit again, it is safe",
		    error_reason_name(&why));
		s->p.alarm(s->p.arg, "restarting", &why);
	}
	*err = (struct error){0};
	(void)health_writable(s->p.health, err);
}

static bool
run_batch(struct sequencer *s, struct batch *b)
{
	struct error err = {0};
	enum aftermath a;

	if (!health_writable(s->p.health, &err)) {
		finish(s, b, &err);
		return true;
	}
	if (s->p.may_write(s->p.arg, &err)) {
		a = run_steps(s, b, &err);
	} else if (err.code == ERR_UNAVAILABLE || err.code == ERR_DENIED) {
		finish(s, b, &err);
		return true;
	} else {
		a = START_AGAIN; /* the disk may be in a state unknown */
	}
	if (a == TRY_LATER)
		s->p.alarm(s->p.arg, "not-stored", &err);
	if (a == LATCH || a == START_AGAIN)
		stop_taking(s, a, &err);
	b->report.size = s->frontier.size;
	if (a == GO_ON)
		s->p.report(s->p.arg, &b->report);
	finish(s, b, &err);
	if (a == GO_ON && !s->p.backend->compact(s->p.store, &err)) {
		a = of_store(&err) == LATCH ? LATCH : START_AGAIN;
		stop_taking(s, a, &err);
	}
	if (a == START_AGAIN)
		s->p.restart(s->p.arg);
	return a == GO_ON || a == TRY_LATER;
}

static void *
sequencer_thread(void *arg)
{
	struct sequencer *s = arg;
	struct batch *b = &s->scratch;
	bool running = true;

	for (;;) {
		take(s, b);
		if (!b->chain)
			return NULL;
		if (running) {
			running = run_batch(s, b);
		} else {
			struct error err = {0};

			(void)health_writable(s->p.health, &err);
			finish(s, b, &err);
		}
	}
}

struct sequencer *
sequencer_open(const struct sequencer_parts *parts, struct error *err)
{
	struct sequencer *s = calloc(1, sizeof(*s));
	struct node_reader nodes;
	struct head *last;
	bool ok;

	if (!s) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	s->p = *parts;
	s->scratch.leaves = calloc(parts->batch_max, sizeof(struct bytes));
	s->scratch.hashes = calloc(parts->batch_max, sizeof(struct hash));
	s->scratch.keys = calloc(parts->batch_max, sizeof(struct lookup_keys));
	s->scratch.links = calloc(parts->batch_max, sizeof(struct store_link));
	s->scratch.linked =
	    calloc(parts->batch_max, sizeof(struct submission *));
	ok = s->scratch.leaves && s->scratch.hashes && s->scratch.keys &&
	    s->scratch.links && s->scratch.linked;
	if (!ok)
		(void)error_set(err, ERR_INTERNAL, "out of memory");
	ok = ok && tree_cursor_open(&s->cursor, parts->tree, err);
	/* Without a head the log is latched and nothing is ever appended. */
	last = ok ? head_current(parts->heads) : NULL;
	if (last) {
		nodes = tree_nodes(&s->cursor);
		ok = frontier_read(&nodes, last->size, &s->frontier, err);
		head_release(last);
	}
	if (!ok) {
		sequencer_close(s);
		return NULL;
	}
	return s;
}

bool
sequencer_start(struct sequencer *s, struct error *err)
{
	if (pthread_create(&s->thread, NULL, sequencer_thread, s) != 0)
		return error_set(err, ERR_INTERNAL, "cannot start a thread");
	s->started = true;
	return true;
}

void
sequencer_close(struct sequencer *s)
{
	if (!s)
		return;
	if (s->started) {
		pool_stop(s->p.pool);
		(void)pthread_join(s->thread, NULL);
	}
	tree_cursor_release(&s->cursor);
	free(s->scratch.leaves);
	free(s->scratch.hashes);
	free(s->scratch.keys);
	free(s->scratch.links);
	free(s->scratch.linked);
	free(s);
}
