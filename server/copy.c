/* SPDX-License-Identifier: Apache-2.0 */
#include "server/copy.h"

#include <stdlib.h>

#define BATCH	    1024
#define BATCH_BYTES (4u << 20)
#define CACHE	    (4u << 20)

bool
copy_open(struct copy *c, const struct store_backend *backend,
    struct store *store, struct error *err)
{
	uint64_t size;

	*c = (struct copy){.backend = backend, .store = store};
	buf_init(&c->data, BATCH_BYTES + UINT16_MAX);
	c->leaves = calloc(BATCH, sizeof(*c->leaves));
	c->hashes = calloc(BATCH, sizeof(*c->hashes));
	if (!c->leaves || !c->hashes)
		return error_set(err, ERR_INTERNAL, "out of memory");
	/* Room for a whole batch from the start: leaves point into it. */
	if (!buf_reserve(&c->data, BATCH_BYTES + UINT16_MAX))
		return error_set(err, ERR_INTERNAL, "out of memory");
	c->tree = tree_open(backend, store, CACHE, err);
	return c->tree && backend->size(store, &size, err) &&
	    tree_load(c->tree, size, err) &&
	    tree_cursor_open(&c->cursor, c->tree, err);
}

void
copy_release(struct copy *c)
{
	if (c->tree)
		tree_cursor_release(&c->cursor);
	tree_close(c->tree);
	free(c->leaves);
	free(c->hashes);
	buf_release(&c->data);
	*c = (struct copy){0};
}

bool
copy_flush(struct copy *c, struct error *err)
{
	struct store_batch b = {
	    .first = tree_size(c->tree),
	    .count = c->count,
	    .leaves = c->leaves,
	};

	if (c->count == 0)
		return true;
	if (!tree_append(c->tree, c->hashes, c->count, err))
		return false;
	b.tile_count = tree_fresh(c->tree, &b.tiles);
	if (!c->backend->append(c->store, &b, err)) {
		tree_rollback(c->tree);
		return false;
	}
	tree_commit(c->tree);
	c->count = 0;
	buf_clear(&c->data);
	return c->backend->compact(c->store, err);
}

bool
copy_entry(struct copy *c, struct bytes leaf, struct error *err)
{
	size_t at;

	/* Still full when a flush has failed. */
	if (c->count == BATCH && !copy_flush(c, err))
		return false;
	at = c->data.len;
	buf_put(&c->data, leaf);
	if (!buf_ok(&c->data, err))
		return false;
	c->leaves[c->count] = bytes_slice(buf_bytes(&c->data), at, c->data.len);
	merkle_leaf(&c->cursor.hasher, leaf, &c->hashes[c->count]);
	c->count++;
	if (c->count < BATCH && c->data.len < BATCH_BYTES)
		return true;
	return copy_flush(c, err);
}

static bool
each(void *arg, uint64_t index, struct bytes leaf, struct error *err)
{
	(void)index;
	return copy_entry(arg, leaf, err);
}

bool
copy_range(struct copy *c, struct store_reader *from, uint64_t first,
    uint64_t end, struct error *err)
{
	return c->backend->read_entries(
		   from, first, end - first, each, c, err) &&
	    copy_flush(c, err);
}

struct links {
	struct copy *copy;
	uint64_t end;
};

static bool
each_link(void *arg, const struct store_link *link, struct error *err)
{
	struct links *l = arg;
	struct copy *c = l->copy;
	struct store_link add = *link;
	struct store_batch b = {
	    .first = tree_size(c->tree), .link_count = 1, .links = &add};

	if (link->index >= l->end)
		return true;
	return c->backend->append(c->store, &b, err) &&
	    c->backend->compact(c->store, err);
}

bool
copy_links(
    struct copy *c, struct store_reader *from, uint64_t end, struct error *err)
{
	struct links l = {c, end};

	return c->backend->read_links(from, 0, each_link, &l, err);
}

bool
copy_root(struct copy *c, uint64_t size, struct hash *out, struct error *err)
{
	struct node_reader nodes = tree_nodes(&c->cursor);

	if (size > tree_size(c->tree))
		return error_set(err, ERR_USAGE,
		    "only %llu entries have been copied",
		    (unsigned long long)tree_size(c->tree));
	return merkle_root(&c->cursor.hasher, &nodes, size, out, err) &&
	    hasher_ok(&c->cursor.hasher, err);
}
