/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/tensors.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/crypto/content.h"
#include "core/format/safetensors.h"
#include "core/verify/verdict.h"

#define BLOCK (1u << 20) /* bytes read at a time */

/* Two files being compared; 0 is before, 1 after. */
struct comparison {
	const struct tensor_file *file[2];
	struct buf head[2];
	struct safetensors s[2];
	struct content_hasher *hasher;
	uint8_t *block;
	bool json;
	struct buf *out;
	size_t shown;
};

/* A tensor of one side, with what its bytes hash to. */
struct tensor {
	const struct safetensors_tensor *t; /* NULL: not there */
	uint8_t digest[CONTENT_DIGEST_MAX];
};

static bool
read_at(const struct tensor_file *f, uint64_t at, uint8_t *out, size_t n,
    struct error *err)
{
	while (n > 0) {
		ssize_t got = pread(f->fd, out, n, (off_t)at);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set(err, ERR_IO, "reading tensors: %m");
		if (got == 0)
			return error_reason(err, ERR_CONFLICT,
			    "changed-while-read", "the file shrank meanwhile");
		out += got;
		at += (uint64_t)got;
		n -= (size_t)got;
	}
	return true;
}

static bool
read_head(struct comparison *c, unsigned side, struct error *err)
{
	const struct tensor_file *f = c->file[side];
	uint8_t prefix[SAFETENSORS_PREFIX_LEN];
	size_t have =
	    f->size < sizeof(prefix) ? (size_t)f->size : sizeof(prefix);
	struct buf *head = &c->head[side];
	uint8_t *place;
	size_t n;

	if (!read_at(f, 0, prefix, have, err) ||
	    !safetensors_head_len(bytes_of(prefix, have), f->size, &n, err))
		return false;
	buf_init(head, n);
	place = buf_reserve(head, n);
	if (!place)
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (!read_at(f, 0, place, n, err))
		return false;
	buf_grow(head, n);
	return safetensors_parse(buf_bytes(head), f->size, &c->s[side], err);
}

static bool
hash_tensor(
    struct comparison *c, unsigned side, struct tensor *t, struct error *err)
{
	uint64_t at = c->s[side].data + t->t->begin;
	uint64_t left = t->t->end - t->t->begin;

	content_begin(c->hasher);
	while (left > 0) {
		size_t n = left < BLOCK ? (size_t)left : BLOCK;

		if (!read_at(c->file[side], at, c->block, n, err))
			return false;
		content_put(c->hasher, bytes_of(c->block, n));
		at += n;
		left -= n;
	}
	return content_end(c->hasher, t->digest, err);
}

static bool
same(const struct tensor *a, const struct tensor *b)
{
	size_t n = content_digest_len(CONTENT_SHA256);

	/* Shapes are arrays of the same length, or not compared. */
	return a->t && b->t && strcmp(a->t->dtype, b->t->dtype) == 0 &&
	    a->t->rank == b->t->rank &&
	    (a->t->rank == 0 ||
		memcmp(a->t->shape, b->t->shape,
		    a->t->rank * sizeof(*a->t->shape)) == 0) &&
	    bytes_equal(bytes_of(a->digest, n), bytes_of(b->digest, n));
}

static void
put_shape(const struct safetensors_tensor *t, struct buf *out)
{
	buf_put_u8(out, '[');
	for (size_t i = 0; i < t->rank; i++) {
		if (i > 0)
			buf_put_u8(out, ',');
		buf_put_decimal(out, t->shape[i]);
	}
	buf_put_u8(out, ']');
}

static void
put_digest(const struct tensor *t, struct buf *out)
{
	hex_put(out, bytes_of(t->digest, content_digest_len(CONTENT_SHA256)));
}

static void
put_tensor_json(const char *name, const struct tensor *t, struct buf *out)
{
	buf_printf(out, ",\"%s\":", name);
	if (!t->t) {
		buf_put_str(out, "null");
		return;
	}
	buf_printf(out, "{\"dtype\":\"%s\",\"shape\":", t->t->dtype);
	put_shape(t->t, out);
	buf_put_str(out, ",\"sha256\":\"");
	put_digest(t, out);
	buf_put_str(out, "\"}");
}

static void
put_tensor_text(char sign, const struct tensor *t, struct buf *out)
{
	if (!t->t)
		return;
	buf_printf(out, "      %c %s ", sign, t->t->dtype);
	put_shape(t->t, out);
	buf_put_str(out, " sha256:");
	put_digest(t, out);
	buf_put_u8(out, '\n');
}

static void
show_tensor(struct comparison *c, struct bytes name,
    const struct tensor *before, const struct tensor *after)
{
	if (c->json) {
		buf_put_str(c->out, c->shown++ ? ",{\"name\":" : "{\"name\":");
		json_put_string(c->out, name);
		put_tensor_json("before", before, c->out);
		put_tensor_json("after", after, c->out);
		buf_put_u8(c->out, '}');
		return;
	}
	c->shown++;
	buf_put_str(c->out, "    tensor ");
	escaped_put(c->out, name);
	buf_put_u8(c->out, '\n');
	put_tensor_text('-', before, c->out);
	put_tensor_text('+', after, c->out);
}

static int
compare(struct bytes a, struct bytes b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;

	return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static bool
diff_tensors(struct comparison *c, struct error *err)
{
	const struct safetensors *a = &c->s[0], *b = &c->s[1];
	size_t i = 0, k = 0;

	while (i < a->count || k < b->count) {
		struct tensor before = {0}, after = {0};
		struct bytes name = {0};
		int order = i == a->count ? 1
		    : k == b->count
		    ? -1
		    : compare(a->tensors[i].name, b->tensors[k].name);

		if (order >= 0) {
			after.t = &b->tensors[k++];
			name = after.t->name;
		}
		if (order <= 0) {
			before.t = &a->tensors[i++];
			name = before.t->name;
		}
		if ((before.t && !hash_tensor(c, 0, &before, err)) ||
		    (after.t && !hash_tensor(c, 1, &after, err)))
			return false;
		if (!same(&before, &after))
			show_tensor(c, name, &before, &after);
	}
	return true;
}

static void
put_value_json(
    const char *name, const struct safetensors_metadata *m, struct buf *out)
{
	buf_printf(out, ",\"%s\":", name);
	if (m)
		json_put_string(out, m->value);
	else
		buf_put_str(out, "null");
}

static void
put_value_text(char sign, const struct safetensors_metadata *m, struct buf *out)
{
	if (!m)
		return;
	buf_printf(out, "      %c ", sign);
	escaped_put(out, m->value);
	buf_put_u8(out, '\n');
}

static void
show_metadata(struct comparison *c, struct bytes key,
    const struct safetensors_metadata *before,
    const struct safetensors_metadata *after)
{
	if (c->json) {
		buf_put_str(c->out, c->shown++ ? ",{\"key\":" : "{\"key\":");
		json_put_string(c->out, key);
		put_value_json("before", before, c->out);
		put_value_json("after", after, c->out);
		buf_put_u8(c->out, '}');
		return;
	}
	c->shown++;
	buf_put_str(c->out, "    metadata ");
	escaped_put(c->out, key);
	buf_put_u8(c->out, '\n');
	put_value_text('-', before, c->out);
	put_value_text('+', after, c->out);
}

static void
diff_metadata(struct comparison *c)
{
	const struct safetensors *a = &c->s[0], *b = &c->s[1];
	size_t i = 0, k = 0;

	while (i < a->metadata_count || k < b->metadata_count) {
		const struct safetensors_metadata *x = NULL, *y = NULL;
		struct bytes key = {0};
		int order = i == a->metadata_count ? 1
		    : k == b->metadata_count
		    ? -1
		    : compare(a->metadata[i].key, b->metadata[k].key);

		if (order >= 0) {
			y = &b->metadata[k++];
			key = y->key;
		}
		if (order <= 0) {
			x = &a->metadata[i++];
			key = x->key;
		}
		if (!x || !y || !bytes_equal(x->value, y->value))
			show_metadata(c, key, x, y);
	}
}

static bool
diff_all(struct comparison *c, struct error *err)
{
	size_t shown;

	if (c->json)
		buf_put_str(c->out, "\"tensors\":[");
	if (!diff_tensors(c, err))
		return false;
	shown = c->shown;
	c->shown = 0;
	if (c->json)
		buf_put_str(c->out, "],\"metadata\":[");
	diff_metadata(c);
	if (c->json)
		buf_put_u8(c->out, ']');
	else if (shown + c->shown == 0)
		buf_put_str(c->out,
		    "    the same tensors and metadata, laid out "
		    "otherwise\n");
	return true;
}

static void
say_unreadable(struct comparison *c, unsigned side, const struct error *why)
{
	if (c->json) {
		buf_printf(c->out, "\"unreadable\":\"%s\",\"message\":",
		    side == 0 ? "before" : "after");
		json_put_string(c->out, bytes_str(why->text));
		return;
	}
	buf_printf(c->out, "    no tensors compared, %s the change: %s\n",
	    side == 0 ? "before" : "after", why->text);
}

static bool
compare_files(struct comparison *c, struct error *err)
{
	for (unsigned side = 0; side < 2; side++) {
		struct error why = {0};

		if (read_head(c, side, &why))
			continue;
		if (why.code != ERR_SYNTAX && why.code != ERR_LIMIT) {
			*err = why;
			return false;
		}
		say_unreadable(c, side, &why);
		return true;
	}
	c->hasher = content_hasher_open(CONTENT_SHA256, err);
	if (!c->hasher)
		return false;
	c->block = malloc(BLOCK);
	if (!c->block)
		return error_set(err, ERR_INTERNAL, "out of memory");
	return diff_all(c, err);
}

bool
tensors_diff(const struct tensor_file *before, const struct tensor_file *after,
    bool json, struct buf *out, struct error *err)
{
	struct comparison c = {
	    .file = {before, after}, .json = json, .out = out};
	bool ok = compare_files(&c, err);

	for (unsigned side = 0; side < 2; side++) {
		safetensors_release(&c.s[side]);
		buf_release(&c.head[side]);
	}
	content_hasher_close(c.hasher);
	free(c.block);
	return ok;
}
