/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/*
 * The log in memory, for tests and measurements. Entries and tiles are written
 * once and freed by truncate (start-up only) and close, so a reader needs the
 * lock to find one, not to look at it.
 */
struct memory_tile {
	uint8_t level;
	uint64_t index;
	struct hash node[TILE_WIDTH];
};

struct memory_envelope {
	struct store_link as_read; /* its copies of type and payload */
	size_t links;
};

struct memory_link {
	uint64_t id, index;
	struct hash signer;
	struct memory_envelope *envelope;
};

struct store {
	pthread_mutex_t lock;
	uint64_t identity;
	bool read_only;
	bool latched; /* the writer's own */
	struct bytes *entries;
	size_t size, cap;
	struct memory_tile **tiles;
	size_t tile_count, tile_cap;
	struct memory_envelope **envelopes;
	size_t envelope_count, envelope_cap;
	struct memory_link *links;
	size_t link_count, link_cap;
};

struct store_reader {
	struct store *store;
};

static bool
create(const char *dir, struct error *err)
{
	(void)dir;
	(void)err;
	return true;
}

static struct store *
open_store(const char *dir, bool read_only, struct error *err)
{
	static atomic_uint_least64_t opened;
	(void)dir;
	struct store *s = calloc(1, sizeof(*s));
	if (!s) {
		error_set(err, ERR_INTERNAL, "no memory for a store");
		return NULL;
	}
	pthread_mutex_init(&s->lock, NULL);
	s->identity = atomic_fetch_add(&opened, 1) + 1;
	s->read_only = read_only;
	return s;
}

static void
drop_entries(struct store *s, size_t size)
{
	while (s->size > size)
		free((void *)(uintptr_t)s->entries[--s->size].ptr);
}

static void
free_bytes(struct bytes *b)
{
	free((void *)(uintptr_t)b->ptr);
	*b = (struct bytes){0};
}

static void
envelope_free(struct memory_envelope *e)
{
	free_bytes(&e->as_read.type);
	free_bytes(&e->as_read.payload);
	free(e);
}

/* Links of entries >= size, and what only they spoke for. */
static void
drop_links(struct store *s, uint64_t size)
{
	size_t kept = 0;
	for (size_t i = 0; i < s->link_count; i++)
		if (s->links[i].index < size)
			s->links[kept++] = s->links[i];
		else
			s->links[i].envelope->links--;
	s->link_count = kept;
	kept = 0;
	for (size_t i = 0; i < s->envelope_count; i++)
		if (s->envelopes[i]->links > 0)
			s->envelopes[kept++] = s->envelopes[i];
		else
			envelope_free(s->envelopes[i]);
	s->envelope_count = kept;
}

static void
close_store(struct store *s)
{
	if (!s)
		return;
	drop_entries(s, 0);
	drop_links(s, 0);
	free(s->envelopes);
	free(s->links);
	for (size_t i = 0; i < s->tile_count; i++)
		free(s->tiles[i]);
	free(s->entries);
	free(s->tiles);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static bool
get_size(struct store *s, uint64_t *out, struct error *err)
{
	(void)err;
	pthread_mutex_lock(&s->lock);
	*out = s->size;
	pthread_mutex_unlock(&s->lock);
	return true;
}

static bool
identity(struct store *s, uint64_t *out, struct error *err)
{
	(void)err;
	*out = s->identity;
	return true;
}

static bool
no_memory(struct error *err)
{
	return error_set(err, ERR_INTERNAL, "no memory for the store");
}

static bool
may_write(const struct store *s, struct error *err)
{
	if (s->read_only)
		return error_reason(err, ERR_IO, "store-read-only",
		    "the store was opened for reading");
	if (s->latched)
		return error_reason(err, ERR_IO, "store-unknown",
		    "an earlier write failed: the program has to restart");
	return true;
}

/* Room for `more` items of `item` bytes in an array. */
static bool
grow(void **array, size_t *cap, size_t count, size_t more, size_t item)
{
	if (count + more <= *cap)
		return true;
	size_t want = (count + more) * 2;
	void *p = reallocarray(*array, want, item);
	if (!p)
		return false;
	*array = p;
	*cap = want;
	return true;
}

static struct memory_tile *
find_tile(const struct store *s, uint8_t level, uint64_t index)
{
	/* the newest are asked for most */
	for (size_t i = s->tile_count; i-- > 0;)
		if (s->tiles[i]->index == index && s->tiles[i]->level == level)
			return s->tiles[i];
	return NULL;
}

static bool
set_tile(struct store *s, const struct store_tile *tile)
{
	struct memory_tile *t = find_tile(s, tile->level, tile->index);
	if (!t) {
		void *array = s->tiles;
		if (!grow(
			&array, &s->tile_cap, s->tile_count, 1, sizeof(void *)))
			return false;
		s->tiles = array;
		t = calloc(1, sizeof(*t));
		if (!t)
			return false;
		s->tiles[s->tile_count++] = t;
		t->level = tile->level;
		t->index = tile->index;
	}
	memcpy(t->node, tile->hashes, sizeof(t->node));
	return true;
}

static void
drop_tiles(struct store *s, uint64_t size)
{
	size_t kept = 0;
	for (size_t i = 0; i < s->tile_count; i++) {
		struct memory_tile *t = s->tiles[i];
		unsigned shift = TILE_HEIGHT * (t->level + 1u);
		if (shift < 64 && t->index < size >> shift)
			s->tiles[kept++] = t;
		else
			free(t);
	}
	s->tile_count = kept;
}

static bool
add_entry(struct store *s, struct bytes leaf)
{
	uint8_t *copy = malloc(leaf.len + 1);
	if (!copy)
		return false;
	if (leaf.len)
		memcpy(copy, leaf.ptr, leaf.len);
	s->entries[s->size++] = bytes_of(copy, leaf.len);
	return true;
}

static struct memory_envelope *
find_envelope(const struct store *s, struct bytes digest)
{
	for (size_t i = 0; i < s->envelope_count; i++) {
		const struct store_link *l = &s->envelopes[i]->as_read;
		if (bytes_equal(digest, hash_bytes(&l->s)) ||
		    bytes_equal(digest, BYTES_OF(l->sha384)) ||
		    bytes_equal(digest, BYTES_OF(l->sha512)))
			return s->envelopes[i];
	}
	return NULL;
}

static bool
copy_bytes(struct bytes in, struct bytes *out)
{
	uint8_t *copy = malloc(in.len + 1);
	if (!copy)
		return false;
	if (in.len)
		memcpy(copy, in.ptr, in.len);
	*out = bytes_of(copy, in.len);
	return true;
}

static struct memory_envelope *
add_envelope(struct store *s, const struct store_link *l)
{
	void *array = s->envelopes;
	struct memory_envelope *e = calloc(1, sizeof(*e));
	if (!e ||
	    !grow(&array, &s->envelope_cap, s->envelope_count, 1,
		sizeof(void *))) {
		free(e);
		return NULL;
	}
	s->envelopes = array;
	e->as_read = *l;
	e->as_read.type = e->as_read.payload = (struct bytes){0};
	if (!l->dropped &&
	    (!copy_bytes(l->type, &e->as_read.type) ||
		!copy_bytes(l->payload, &e->as_read.payload))) {
		envelope_free(e);
		return NULL;
	}
	s->envelopes[s->envelope_count++] = e;
	return e;
}

static const struct memory_link *
find_link(const struct store *s, const struct memory_envelope *e,
    const struct hash *signer)
{
	for (size_t i = 0; i < s->link_count; i++)
		if (s->links[i].envelope == e &&
		    hash_equal(&s->links[i].signer, signer))
			return &s->links[i];
	return NULL;
}

static bool
add_link(struct store *s, const struct store_batch *b, struct store_link *l)
{
	void *array = s->links;
	struct memory_envelope *e = find_envelope(s, hash_bytes(&l->s));
	l->id = 0;
	if (l->index >= b->first + b->count ||
	    !grow(&array, &s->link_cap, s->link_count, 1, sizeof(*s->links)))
		return false;
	s->links = array;
	if (!e)
		e = add_envelope(s, l);
	if (!e)
		return false;
	if ((e->as_read.dropped && !l->dropped) || find_link(s, e, &l->signer))
		return true;
	l->id = s->link_count > 0 ? s->links[s->link_count - 1].id + 1 : 1;
	s->links[s->link_count++] =
	    (struct memory_link){l->id, l->index, l->signer, e};
	e->links++;
	return true;
}

static bool
add_all(struct store *s, const struct store_batch *b)
{
	void *array = s->entries;
	if (!grow(&array, &s->cap, s->size, b->count, sizeof(*s->entries)))
		return false;
	s->entries = array;
	for (size_t i = 0; i < b->count; i++)
		if (!add_entry(s, b->leaves[i]))
			return false;
	for (size_t i = 0; i < b->tile_count; i++)
		if (!set_tile(s, &b->tiles[i]))
			return false;
	for (size_t i = 0; i < b->link_count; i++)
		if (!add_link(s, b, &b->links[i]))
			return false;
	return true;
}

static bool
append(struct store *s, const struct store_batch *b, struct error *err)
{
	if (!may_write(s, err))
		return false;
	pthread_mutex_lock(&s->lock);
	size_t size = s->size, links = s->link_count;
	bool follows = b->first == size;
	bool ok = follows && add_all(s, b);
	if (!ok) {
		drop_entries(s, size);
		drop_tiles(s, size);
		while (s->link_count > links)
			s->links[--s->link_count].envelope->links--;
		drop_links(s, size);
	}
	pthread_mutex_unlock(&s->lock);
	s->latched = !ok;
	if (!follows)
		return error_set(err, ERR_INTERNAL,
		    "append at %llu to a log of %zu",
		    (unsigned long long)b->first, size);
	return ok || no_memory(err);
}

static bool
truncate_to(struct store *s, uint64_t size, struct error *err)
{
	if (!may_write(s, err))
		return false;
	pthread_mutex_lock(&s->lock);
	if (size < s->size)
		drop_entries(s, (size_t)size);
	drop_tiles(s, size);
	drop_links(s, size);
	pthread_mutex_unlock(&s->lock);
	return true;
}

static bool
nothing_to_do(struct store *s, struct error *err)
{
	return may_write(s, err);
}

static bool
put_tile(struct store *s, const struct store_tile *tile, struct error *err)
{
	if (!may_write(s, err))
		return false;
	pthread_mutex_lock(&s->lock);
	bool ok = set_tile(s, tile);
	pthread_mutex_unlock(&s->lock);
	return ok || no_memory(err);
}

static bool
absent(struct error *err)
{
	return error_reason(err, ERR_NOTFOUND, "no-such-envelope",
	    "the log keeps no such envelope");
}

static bool
drop_envelope(struct store *s, const struct hash *digest, struct error *err)
{
	if (!may_write(s, err))
		return false;
	pthread_mutex_lock(&s->lock);
	struct memory_envelope *e = find_envelope(s, hash_bytes(digest));
	bool found = e && !e->as_read.dropped;
	if (found) {
		free_bytes(&e->as_read.type);
		free_bytes(&e->as_read.payload);
		e->as_read.dropped = true;
	}
	pthread_mutex_unlock(&s->lock);
	return found || absent(err);
}

static struct store_reader *
reader_open(struct store *s, struct error *err)
{
	struct store_reader *r = calloc(1, sizeof(*r));
	if (!r)
		no_memory(err);
	else
		r->store = s;
	return r;
}

static void
reader_close(struct store_reader *r)
{
	free(r);
}

static bool
missing(struct error *err, const char *what, uint64_t index)
{
	return error_reason(err, ERR_IO, "store-missing",
	    "the store has no %s %llu", what, (unsigned long long)index);
}

static bool
read_entries(struct store_reader *r, uint64_t first, uint64_t count,
    bool (*each)(
	void *arg, uint64_t index, struct bytes leaf, struct error *err),
    void *arg, struct error *err)
{
	struct store *s = r->store;
	for (uint64_t i = 0; i < count; i++) {
		pthread_mutex_lock(&s->lock);
		bool found = first + i < s->size && first + i >= first;
		struct bytes leaf = {0};
		if (found)
			leaf = s->entries[first + i];
		pthread_mutex_unlock(&s->lock);
		if (!found)
			return missing(err, "entry", first + i);
		if (!each(arg, first + i, leaf, err))
			return false;
	}
	return true;
}

static bool
read_tile(struct store_reader *r, uint8_t level, uint64_t index,
    struct hash out[TILE_WIDTH], struct error *err)
{
	pthread_mutex_lock(&r->store->lock);
	const struct memory_tile *t = find_tile(r->store, level, index);
	if (t)
		memcpy(out, t->node, sizeof(t->node));
	pthread_mutex_unlock(&r->store->lock);
	return t || missing(err, "tile", index);
}

static bool
linked_below(
    const struct store *s, const struct memory_envelope *e, uint64_t size)
{
	for (size_t i = 0; i < s->link_count; i++)
		if (s->links[i].envelope == e && s->links[i].index < size)
			return true;
	return false;
}

static bool
read_envelope(struct store_reader *r, struct bytes digest, uint64_t size,
    struct store_envelope *out, struct error *err)
{
	struct store *s = r->store;
	pthread_mutex_lock(&s->lock);
	struct memory_envelope *e = find_envelope(s, digest);
	bool found = e && linked_below(s, e, size);
	bool dropped = found && e->as_read.dropped;
	if (found && !dropped && out) {
		buf_put(&out->type, e->as_read.type);
		buf_put(&out->payload, e->as_read.payload);
	}
	pthread_mutex_unlock(&s->lock);
	if (dropped)
		return error_reason(err, ERR_NOTFOUND, "envelope-dropped",
		    "the operator of the log dropped this envelope");
	return found
	    ? !out || (buf_ok(&out->type, err) && buf_ok(&out->payload, err))
	    : absent(err);
}

static bool
look_up_link(struct store_reader *r, const struct hash *digest,
    const struct hash *signer, uint64_t *index, struct error *err)
{
	struct store *s = r->store;
	pthread_mutex_lock(&s->lock);
	struct memory_envelope *e = find_envelope(s, hash_bytes(digest));
	const struct memory_link *l = e ? find_link(s, e, signer) : NULL;
	if (l)
		*index = l->index;
	pthread_mutex_unlock(&s->lock);
	return l || absent(err);
}

static bool
read_links(struct store_reader *r, uint64_t after,
    bool (*each)(void *arg, const struct store_link *link, struct error *err),
    void *arg, struct error *err)
{
	struct store *s = r->store;
	for (size_t i = 0;; i++) {
		struct store_link link = {0};
		pthread_mutex_lock(&s->lock);
		bool found = i < s->link_count;
		if (found) {
			link = s->links[i].envelope->as_read;
			link.id = s->links[i].id;
			link.index = s->links[i].index;
			link.signer = s->links[i].signer;
		}
		pthread_mutex_unlock(&s->lock);
		if (!found)
			return true;
		if (link.id > after && !each(arg, &link, err))
			return false;
	}
}

static bool
count_envelopes(
    struct store_reader *r, struct store_envelopes *out, struct error *err)
{
	struct store *s = r->store;
	(void)err;
	*out = (struct store_envelopes){0};
	pthread_mutex_lock(&s->lock);
	for (size_t i = 0; i < s->envelope_count; i++) {
		out->dropped += s->envelopes[i]->as_read.dropped;
		out->kept += !s->envelopes[i]->as_read.dropped;
		out->alone += s->envelopes[i]->links == 0;
	}
	pthread_mutex_unlock(&s->lock);
	return true;
}

const struct store_backend store_memory = {
    .name = "memory",
    .create = create,
    .open = open_store,
    .close = close_store,
    .size = get_size,
    .identity = identity,
    .append = append,
    .truncate = truncate_to,
    .settle = nothing_to_do,
    .compact = nothing_to_do,
    .put_tile = put_tile,
    .drop_envelope = drop_envelope,
    .reader_open = reader_open,
    .reader_close = reader_close,
    .read_entries = read_entries,
    .read_tile = read_tile,
    .read_envelope = read_envelope,
    .find_link = look_up_link,
    .read_links = read_links,
    .count_envelopes = count_envelopes,
};
