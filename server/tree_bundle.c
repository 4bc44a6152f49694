/* SPDX-License-Identifier: Apache-2.0 */
#include "server/tree_bundle.h"

#include <stdlib.h>
#include <zlib.h>

#include "core/base/cleanup.h"
#include "core/tlog/entries.h"
#include "server/tree_private.h"

#define BUNDLE_MAX_LEN (TILE_WIDTH * (2 + ENTRY_MAX_LEN))
#define GZIP_WINDOW    (15 + 16) /* zlib: a gzip header around 32 KiB windows */

/* A verified entry bundle; `ends[i]` is where entry i ends in the bytes. */
struct bundle_block {
	struct cache_item item;
	bool gzip;
	unsigned count;
	uint32_t ends[TILE_WIDTH];
	struct buf data;
};

/* What one pass over stored entries needs to know. */
struct bundle_scan {
	struct tree_cursor *cursor;
	struct bundle_block *bundle;
	struct hash *hashes;
	uint64_t first;
};

static bool
hash_entry(void *arg, uint64_t index, struct bytes leaf, struct error *err)
{
	struct bundle_scan *s = arg;

	(void)err;
	merkle_leaf(&s->cursor->hasher, leaf, &s->hashes[index - s->first]);
	return true;
}

bool
tree_leaves_hash(struct tree_cursor *c, uint64_t first, uint64_t count,
    struct hash *out, struct error *err)
{
	struct bundle_scan s = {.cursor = c, .hashes = out, .first = first};
	struct store_reader *r = tree_reader_take(c->tree, err);
	bool ok;

	if (!r)
		return false;
	ok = c->tree->backend->read_entries(
	    r, first, count, hash_entry, &s, err);
	tree_reader_give(c->tree, r);
	return ok && hasher_ok(&c->hasher, err);
}

static bool
bundle_entry(void *arg, uint64_t index, struct bytes leaf, struct error *err)
{
	struct bundle_scan *s = arg;
	struct hash got, want;

	merkle_leaf(&s->cursor->hasher, leaf, &got);
	if (!tree_leaf(s->cursor, index, &want, err))
		return false;
	if (!hash_equal(&got, &want))
		return tree_mismatch(s->cursor->tree, err, "entry", index);
	entries_put(&s->bundle->data, leaf);
	s->bundle->ends[index - s->first] = (uint32_t)s->bundle->data.len;
	return buf_ok(&s->bundle->data, err);
}

static void
bundle_free(struct httpd_body *b)
{
	struct bundle_block *bundle = (struct bundle_block *)b;

	buf_release(&bundle->data);
	free(bundle);
}

static struct bundle_block *
bundle_new(uint64_t index, struct error *err)
{
	struct bundle_block *b = calloc(1, sizeof(*b));

	if (!b) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	b->item.body.refs = 1;
	b->item.body.free = bundle_free;
	b->item.kind = CACHE_BUNDLE;
	b->item.index = index;
	buf_init(&b->data, BUNDLE_MAX_LEN);
	return b;
}

static void
bundle_seal(struct bundle_block *b)
{
	b->item.body.data = buf_bytes(&b->data);
	b->item.bytes = sizeof(*b) + b->data.cap;
}

static struct bundle_block *
bundle_read(struct tree_cursor *c, struct tile_place place, struct error *err)
{
	struct bundle_block *b = bundle_new(place.index, err);
	struct bundle_scan s = {
	    .cursor = c,
	    .bundle = b,
	    .first = place.index * TILE_WIDTH,
	};
	struct store_reader *r;
	bool ok;

	if (!b)
		return NULL;
	b->count = place.width;
	r = tree_reader_take(c->tree, err);
	ok = r &&
	    c->tree->backend->read_entries(
		r, s.first, place.width, bundle_entry, &s, err);
	if (r)
		tree_reader_give(c->tree, r);
	if (!ok) {
		bundle_free(&b->item.body);
		return NULL;
	}
	bundle_seal(b);
	return b;
}

static struct bundle_block *
bundle_compress(const struct bundle_block *plain, struct error *err)
{
	struct bundle_block *b = bundle_new(plain->item.index, err);
	z_stream z = {0};
	uint8_t *out;
	uLong bound;

	if (!b)
		return NULL;
	b->count = plain->count;
	b->gzip = true;
	if (deflateInit2(&z, 1, Z_DEFLATED, GZIP_WINDOW, 8,
		Z_DEFAULT_STRATEGY) != Z_OK) {
		bundle_free(&b->item.body);
		(void)error_set(err, ERR_INTERNAL, "zlib does not start");
		return NULL;
	}
	bound = deflateBound(&z, (uLong)plain->data.len);
	out = buf_reserve(&b->data, (size_t)bound);
	z.next_in = plain->data.ptr;
	z.avail_in = (uInt)plain->data.len;
	z.next_out = out;
	z.avail_out = (uInt)bound;
	if (!out || deflate(&z, Z_FINISH) != Z_STREAM_END) {
		(void)deflateEnd(&z);
		bundle_free(&b->item.body);
		(void)error_set(err, ERR_INTERNAL, "zlib does not finish");
		return NULL;
	}
	buf_grow(&b->data, (size_t)z.total_out);
	(void)deflateEnd(&z);
	b->ends[b->count - 1] = (uint32_t)b->data.len;
	bundle_seal(b);
	return b;
}

/* In the cache the compressed form is "level" 1 of the same index. */
static struct bundle_block *
bundle_get(struct tree_cursor *c, struct tile_place place, struct error *err)
{
	struct cache *cache = c->tree->cache;
	struct bundle_block *b = (struct bundle_block *)cache_get(
	    cache, CACHE_BUNDLE, 0, place.index);

	if (b && b->count >= place.width)
		return b;
	if (b)
		httpd_body_release(&b->item.body);
	b = bundle_read(c, place, err);
	if (b)
		cache_put(cache, &b->item);
	return b;
}

static struct bundle_block *
bundle_get_gzip(
    struct tree_cursor *c, struct tile_place place, struct error *err)
{
	struct cache *cache = c->tree->cache;
	struct bundle_block *plain, *b;

	b = (struct bundle_block *)cache_get(
	    cache, CACHE_BUNDLE, 1, place.index);
	if (b)
		return b;
	plain = bundle_get(c, place, err);
	if (!plain)
		return NULL;
	b = bundle_compress(plain, err);
	httpd_body_release(&plain->item.body);
	if (!b)
		return NULL;
	b->item.level = 1;
	cache_put(cache, &b->item);
	return b;
}

bool
tree_bundle(struct tree_cursor *c, struct tile_place place, bool gzip,
    struct httpd_body **out, size_t *len, struct error *err)
{
	struct bundle_block *b =
	    gzip ? bundle_get_gzip(c, place, err) : bundle_get(c, place, err);

	if (!b)
		return false;
	*out = &b->item.body;
	*len = b->ends[place.width - 1];
	return true;
}

struct entry_copy {
	struct tree_cursor *cursor;
	struct buf *out;
};

static bool
copy_entry(void *arg, uint64_t index, struct bytes leaf, struct error *err)
{
	struct entry_copy *e = arg;
	struct hash got, want;

	merkle_leaf(&e->cursor->hasher, leaf, &got);
	if (!tree_leaf(e->cursor, index, &want, err))
		return false;
	if (!hash_equal(&got, &want))
		return tree_mismatch(e->cursor->tree, err, "entry", index);
	buf_put(e->out, leaf);
	return buf_ok(e->out, err);
}

bool
tree_entry(
    struct tree_cursor *c, uint64_t index, struct buf *out, struct error *err)
{
	struct entry_copy e = {.cursor = c, .out = out};
	struct store_reader *r = tree_reader_take(c->tree, err);
	bool ok;

	if (!r)
		return false;
	ok = c->tree->backend->read_entries(r, index, 1, copy_entry, &e, err);
	tree_reader_give(c->tree, r);
	return ok;
}
