/* SPDX-License-Identifier: Apache-2.0 */
#include "server/recover.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/model/entry.h"
#include "core/tlog/checkpoint.h"
#include "server/catalog.h"

/*
 * Database against guard, at start:
 *
 *   guard missing, bad or foreign          latch; only `init` makes a guard
 *   a copy of it missing or unreadable     latch
 *   database of another inode (a copy)     latch
 *   shorter than the guard's head          latch; the database is not touched
 *   root at the guard's size differs       latch; the database is not touched
 *   equal                                  publish the guard's checkpoint
 *   longer, the tail re-hashes             roll forward: sign the new head
 *   longer, the tail is unsound            delete the tail: never signed,
 *                                          never acknowledged
 */

struct recovery {
	const struct recover_parts *p;
	struct recovered *out;
	struct checkpoint guard; /* borrows from hello->state.note */
	uint64_t stored;	 /* entries in the database */
	uint64_t identity;
};

static bool say(struct recovery *r, enum recover_case found, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

static bool
say(struct recovery *r, enum recover_case found, const char *format, ...)
{
	va_list ap;

	r->out->found = found;
	va_start(ap, format);
	(void)vsnprintf(r->out->sentence, sizeof(r->out->sentence), format, ap);
	va_end(ap);
	return true;
}

static bool
guard_head(struct recovery *r, struct error *err)
{
	const struct guard_state *s = &r->p->hello->state;

	r->out->head = head_new(
	    r->guard.size, &r->guard.root, bytes_of(s->note, s->note_len));
	if (!r->out->head)
		return error_set(err, ERR_INTERNAL, "out of memory");
	return true;
}

/* The checkpoint in the guard; the signer has verified its signature. */
static bool
read_guard(struct recovery *r, struct error *err)
{
	const struct guard_state *s = &r->p->hello->state;
	AUTO(note) note = {0};

	return note_parse(bytes_of(s->note, s->note_len), &note, err) &&
	    checkpoint_parse(note.text, &r->guard, err);
}

struct tail {
	struct recovery *r;
	struct hasher hasher;
	struct error bad;
};

static bool
tail_entry(void *arg, uint64_t index, struct bytes leaf, struct error *err)
{
	struct tail *t = arg;
	AUTO(entry) e = {0};
	struct hash hash;

	if (!entry_parse(leaf, &e, &t->bad)) {
		(void)error_prefix(
		    &t->bad, "entry %llu", (unsigned long long)index);
		return error_set(err, ERR_SYNTAX, "%s", t->bad.text);
	}
	merkle_leaf(&t->hasher, leaf, &hash);
	return tree_append(t->r->p->tree, &hash, 1, err);
}

/* Tiles that the tail completed must be in the database, and be the same. */
static bool
tail_tiles(struct recovery *r, struct store_reader *reader, struct error *err)
{
	const struct store_tile *tiles;
	size_t n = tree_fresh(r->p->tree, &tiles);
	struct hash stored[TILE_WIDTH];

	for (size_t i = 0; i < n; i++) {
		if (!r->p->backend->read_tile(
			reader, tiles[i].level, tiles[i].index, stored, err))
			return false;
		if (!bytes_equal(BYTES_OF(stored),
			bytes_of(tiles[i].hashes, sizeof(stored))))
			return error_set(err, ERR_INTERNAL,
			    "tile %u/%llu does not match its entries",
			    tiles[i].level, (unsigned long long)tiles[i].index);
	}
	return true;
}

/* Appends the stored tail to the tree; false (and a rolled back tree) if any
 * of it is unsound. */
static bool
load_tail(struct recovery *r, struct error *err)
{
	struct tail t = {.r = r};
	struct store_reader *reader = tree_reader_take(r->p->tree, err);
	bool ok;

	ok = reader && hasher_open(&t.hasher, err) &&
	    r->p->backend->read_entries(reader, r->guard.size,
		r->stored - r->guard.size, tail_entry, &t, err) &&
	    tail_tiles(r, reader, err) && hasher_ok(&t.hasher, err);
	if (reader)
		tree_reader_give(r->p->tree, reader);
	hasher_release(&t.hasher);
	if (ok)
		tree_commit(r->p->tree);
	else
		tree_rollback(r->p->tree);
	return ok;
}

static bool
cut_tail(struct recovery *r, const struct error *why, struct error *err)
{
	r->out->dropped = r->stored - r->guard.size;
	if (!r->p->backend->truncate(r->p->store, r->guard.size, err))
		return false;
	(void)say(r, RECOVER_CUT_TAIL,
	    "dropped %llu entries that were never signed or acknowledged: %s",
	    (unsigned long long)r->out->dropped, why->text);
	return true;
}

static bool
sign_forward(struct recovery *r, struct error *err)
{
	AUTO(buf) note = BUF_INIT(GUARD_NOTE_MAX);
	AUTO(tree_cursor) c = {0};
	struct node_reader nodes;
	struct proof proof = {0};
	struct hash root;

	if (!tree_cursor_open(&c, r->p->tree, err))
		return false;
	nodes = tree_nodes(&c);
	if (!merkle_root(&c.hasher, &nodes, r->stored, &root, err))
		return false;
	if (r->guard.size > 0 &&
	    !proof_consistency(
		&c.hasher, &nodes, r->guard.size, r->stored, &proof, err))
		return false;
	if (!signer_sign(r->p->signer, r->stored, &root, &proof, r->identity,
		&note, err))
		return false;
	head_release(r->out->head);
	r->out->head = head_new(r->stored, &root, buf_bytes(&note));
	if (!r->out->head)
		return error_set(err, ERR_INTERNAL, "out of memory");
	return say(r, RECOVER_FORWARD,
	    "signed %llu entries that were stored before the last stop",
	    (unsigned long long)(r->stored - r->guard.size));
}

/* The tree at the guard's size, if its root is the signed one. */
static bool
load_signed(struct recovery *r, struct error *err)
{
	AUTO(tree_cursor) c = {0};
	struct node_reader nodes;
	struct hash root;

	if (!tree_load(r->p->tree, r->guard.size, err) ||
	    !tree_cursor_open(&c, r->p->tree, err))
		return false;
	nodes = tree_nodes(&c);
	if (!merkle_root(&c.hasher, &nodes, r->guard.size, &root, err))
		return false;
	if (!hash_equal(&root, &r->guard.root))
		return error_set(err, ERR_INTERNAL,
		    "the database has another root at size %llu than the "
		    "checkpoint that was signed",
		    (unsigned long long)r->guard.size);
	return true;
}

static bool
sound_guard(struct recovery *r)
{
	const struct signer_hello *hello = r->p->hello;

	if (hello->guard != SIGNER_GUARD_OK)
		return !say(r, RECOVER_LATCH, "guard: %s", hello->note_error);
	if (r->identity != hello->state.store_identity)
		return !say(r, RECOVER_LATCH,
		    "the database is a copy: another file than the one the "
		    "guard was written for. Use `mtlogd restore`");
	return true;
}

/* In doubt about the guard or the file: what was certainly signed can still be
 * shown, if it is there. */
static void
serve_signed(struct recovery *r)
{
	enum signer_guard guard = r->p->hello->guard;
	struct error none = {0};

	if ((guard == SIGNER_GUARD_OK || guard == SIGNER_GUARD_ROLLBACK ||
		guard == SIGNER_GUARD_COPY) &&
	    read_guard(r, &none) && r->stored >= r->guard.size &&
	    load_signed(r, &none))
		(void)guard_head(r, &none);
}

/* Makes what was read durable. A full disk is no doubt: reads can go on. */
static bool
settle(struct recovery *r, struct error *err)
{
	struct error why = {0};

	if (r->p->backend->settle(r->p->store, &why))
		return true;
	r->out->unsettled = why.code == ERR_UNAVAILABLE;
	return r->out->unsettled || error_set(err, why.code, "%s", why.text);
}

/* What others know of this log, before it signs. True: it may. */
static bool
ask(struct recovery *r, struct error *why)
{
	return !r->p->ask || r->p->ask(r->p->arg, r->out->head, why);
}

/* Nothing was signed; what was is shown. */
static bool
not_signed(struct recovery *r, const struct error *why)
{
	r->out->unasked = why->code == ERR_UNAVAILABLE;
	return say(r, RECOVER_LATCH, "%s", why->text);
}

/* The disk failed; rows that are not there are an unsound tail instead. */
static bool
unreadable(const struct error *why)
{
	return why->code == ERR_IO &&
	    strcmp(error_reason_name(why), "store-missing") != 0;
}

static bool
compare(const struct recover_parts *p, struct recovered *out, struct error *err)
{
	struct recovery r = {.p = p, .out = out};
	struct error why = {0}, unasked = {0};
	bool may_sign;

	*out = (struct recovered){.found = RECOVER_LATCH};
	if (!p->backend->size(p->store, &r.stored, err) ||
	    !p->backend->identity(p->store, &r.identity, err))
		return false;
	if (!sound_guard(&r)) {
		serve_signed(&r);
		return true;
	}
	if (!read_guard(&r, err))
		return false;
	if (r.stored < r.guard.size)
		return say(&r, RECOVER_LATCH,
		    "the database has %llu entries, fewer than the %llu of the "
		    "last signed checkpoint. Copy log.db and log.db-wal aside "
		    "before anything else, then use `mtlogd restore`",
		    (unsigned long long)r.stored,
		    (unsigned long long)r.guard.size);
	if (!load_signed(&r, &why))
		return say(&r, RECOVER_LATCH,
		    "%s. Copy log.db and log.db-wal aside before anything "
		    "else, then use `mtlogd restore`",
		    why.text);
	if (!settle(&r, err) || !guard_head(&r, err))
		return false;
	may_sign = ask(&r, &unasked);
	if (!may_sign && unasked.code != ERR_UNAVAILABLE)
		return not_signed(&r, &unasked);
	if (r.stored == r.guard.size)
		return say(&r, RECOVER_EQUAL, "%llu entries",
		    (unsigned long long)r.stored);
	if (out->unsettled)
		return say(&r, RECOVER_LATCH,
		    "the disk is full, and entries wait to be signed; the "
		    "server starts again when there is space");
	if (p->hello->state.frozen) {
		(void)error_set(&why, ERR_DENIED,
		    "the log was frozen before they were signed");
		return cut_tail(&r, &why, err);
	}
	if (!may_sign)
		return not_signed(&r, &unasked);
	if (!load_tail(&r, &why))
		return unreadable(&why)
		    ? say(&r, RECOVER_LATCH, "cannot read: %s", why.text)
		    : cut_tail(&r, &why, err);
	return sign_forward(&r, err);
}

bool
recover_log(
    const struct recover_parts *p, struct recovered *out, struct error *err)
{
	if (compare(p, out, err))
		return true;
	head_release(out->head);
	out->head = NULL;
	return false;
}

#define REPLAY_SLICE 16384 /* entries whose keys are gathered at once */

struct replay {
	struct lookup_keys *keys;
	struct tree_cursor *cursor;
	uint64_t first;
	uint64_t links; /* that the index knows; the others come later */
};

static bool
replay_entry(void *arg, uint64_t index, struct bytes leaf, struct error *err)
{
	struct replay *r = arg;
	AUTO(entry) e = {0};
	struct hash hash;

	if (!entry_parse(leaf, &e, err))
		return error_prefix(
		    err, "entry %llu", (unsigned long long)index);
	merkle_leaf(&r->cursor->hasher, leaf, &hash);
	lookup_keys_of(
	    &r->cursor->hasher, &e, &hash, &r->keys[index - r->first]);
	return true;
}

static bool
replay_slice(const struct recover_parts *p, struct replay *r, uint64_t count,
    struct error *err)
{
	struct store_reader *reader = tree_reader_take(p->tree, err);
	struct node_reader nodes = tree_nodes(r->cursor);
	struct lookup_batch add = {
	    .first = r->first,
	    .keys = r->keys,
	    .count = (size_t)count,
	    .marker = {.size = r->first + count, .links = r->links},
	};
	bool ok;

	if (!reader)
		return false;
	ok = p->backend->read_entries(
	    reader, r->first, count, replay_entry, r, err);
	tree_reader_give(p->tree, reader);
	return ok &&
	    merkle_root(&r->cursor->hasher, &nodes, add.marker.size,
		&add.marker.root, err) &&
	    lookup_add(p->lookup, &add, err);
}

/* Whether the index was built on this log's tree. */
static bool
marker_sound(const struct recover_parts *p, struct tree_cursor *c,
    const struct head *head, struct index_marker *m, bool *sound,
    struct error *err)
{
	struct node_reader nodes = tree_nodes(c);
	struct hash root;

	if (!index_marker(p->index, m, err))
		return false;
	*sound = m->size <= head->size;
	if (!*sound || m->size == 0)
		return true;
	if (!merkle_root(&c->hasher, &nodes, m->size, &root, err))
		return false;
	*sound = hash_equal(&root, &m->root);
	return true;
}

/* Rows of links that are gathered before the look-up gets them. */
#define LINK_ROWS 16384

/* The links that the index does not know yet. */
struct link_replay {
	const struct recover_parts *p;
	struct tree_cursor *cursor;
	const struct head *head;
	struct index_row *rows;
	size_t count;
	uint64_t done; /* links up to here are among the rows, or added */
	bool gap;      /* one was left out: nothing after it is done */
};

static bool
links_add(struct link_replay *r, struct error *err)
{
	struct lookup_batch add = {
	    .first = r->head->size,
	    .rows = r->rows,
	    .row_count = r->count,
	    .marker = {r->head->size, r->head->root, r->done},
	};

	r->count = 0;
	if (!lookup_add(r->p->lookup, &add, err))
		return false;
	if (lookup_tail(r->p->lookup) >= LOOKUP_FLUSH_ENTRIES)
		lookup_flush_now(r->p->lookup);
	return true;
}

/* What is unsound is fsck's to tell: a start does not fail for it. */
static bool
replay_link(void *arg, const struct store_link *link, struct error *err)
{
	struct link_replay *r = arg;
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(catalog) c = {0};
	AUTO(entry) e = {0};
	struct error why = {0};

	if (link->index >= r->head->size) {
		r->gap = true;
		return true;
	}
	if (!tree_entry(r->cursor, link->index, &leaf, err))
		return false;
	if (!link->dropped && entry_parse(buf_bytes(&leaf), &e, &why) &&
	    catalog_read(
		&r->cursor->hasher, link->type, link->payload, &e, &c, &why)) {
		if (r->count + c.count > LINK_ROWS && !links_add(r, err))
			return false;
		for (size_t i = 0; i < c.count; i++)
			r->rows[r->count++] = (struct index_row){
			    c.keys[i].kind, c.keys[i].key, link->index};
	}
	if (!r->gap)
		r->done = link->id;
	return true;
}

static bool
replay_links(const struct recover_parts *p, struct tree_cursor *c,
    const struct head *head, uint64_t after, struct error *err)
{
	struct link_replay r = {
	    .p = p, .cursor = c, .head = head, .done = after};
	struct store_reader *reader = tree_reader_take(p->tree, err);
	bool ok;

	if (!reader)
		return false;
	r.rows = calloc(LINK_ROWS, sizeof(*r.rows));
	ok = r.rows
	    ? p->backend->read_links(reader, after, replay_link, &r, err)
	    : error_set(err, ERR_INTERNAL, "out of memory");
	tree_reader_give(p->tree, reader);
	ok = ok && (r.done == after || links_add(&r, err));
	free(r.rows);
	return ok;
}

bool
recover_index(
    const struct recover_parts *p, const struct head *head, struct error *err)
{
	AUTO(tree_cursor) c = {0};
	struct replay r = {.cursor = &c};
	struct index_marker marker;
	bool sound, ok = true;

	if (!tree_cursor_open(&c, p->tree, err) ||
	    !marker_sound(p, &c, head, &marker, &sound, err))
		return false;
	if (!sound) {
		if (!index_reset(p->index, err))
			return false;
		marker = (struct index_marker){0};
	}
	r.first = marker.size;
	r.links = marker.links;
	r.keys = calloc(REPLAY_SLICE, sizeof(*r.keys));
	if (!r.keys)
		return error_set(err, ERR_INTERNAL, "out of memory");
	while (ok && r.first < head->size) {
		uint64_t left = head->size - r.first;
		uint64_t count = left < REPLAY_SLICE ? left : REPLAY_SLICE;

		ok = replay_slice(p, &r, count, err);
		r.first += count;
		if (ok && lookup_tail(p->lookup) >= LOOKUP_FLUSH_ENTRIES)
			lookup_flush_now(p->lookup);
	}
	free(r.keys);
	return ok && replay_links(p, &c, head, marker.links, err);
}
