/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/model/manifest_parts.h"

#define SUFFIX_MAX 48 /* bytes of ":<start>:<end>" */

/* What is done with a manifest that has been read or made. */

static int
compare_numbers(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int
compare_files(const void *a, const void *b, void *arg)
{
	const struct resource *list = arg;
	const struct resource *x = &list[*(const size_t *)a];
	const struct resource *y = &list[*(const size_t *)b];
	int c = manifest_names_compare(x->name, y->name);

	return c != 0 ? c : compare_numbers(x->start, y->start);
}

static bool
malformed(struct error *err, const char *text)
{
	return error_reason(err, ERR_SYNTAX, "malformed-statement",
	    "the manifest is malformed: %s", text);
}

/* The indexes of all resources, by name and shard: mostly as they stand. */
static size_t *
file_order(struct manifest *m, struct error *err)
{
	size_t *order = arena_alloc(&m->storage, m->count, sizeof(*order), err);
	bool sorted = true;

	for (size_t i = 0; order && i < m->count; i++) {
		order[i] = i;
		sorted = sorted &&
		    (i == 0 ||
			compare_files(&order[i - 1], &order[i], m->resources) <
			    0);
	}
	if (order && !sorted)
		qsort_r(order, m->count, sizeof(*order), compare_files,
		    m->resources);
	return order;
}

/* One more resource in file order: another shard of the file, or a new one. */
static bool
take_resource(const struct manifest *m, struct manifest_files *out, size_t at,
    struct error *err)
{
	const struct resource *r = &m->resources[out->order[at]];
	struct manifest_file *f =
	    out->count > 0 ? &out->files[out->count - 1] : NULL;

	if (!f || !bytes_equal(f->name, r->name)) {
		if (m->sharded && r->start != 0)
			return malformed(
			    err, "a file's first shard is missing");
		out->files[out->count++] =
		    (struct manifest_file){r->name, at, 1, r->end};
		return true;
	}
	if (!m->sharded || r->start < f->size)
		return malformed(err, "a name is listed twice");
	/* Starts are multiples of the shard's size: all but the last are full.
	 */
	if (r->start != f->size)
		return malformed(err, "a shard is missing");
	f->shards++;
	f->size = r->end;
	return true;
}

/* The first file, from `low` on, that does not sort before "<folder>/". */
static size_t
first_below(const struct manifest_files *f, size_t low, struct bytes folder)
{
	size_t high = f->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct bytes name = f->files[middle].name;

		if (bytes_starts(name, folder) && name.len > folder.len
			? name.ptr[folder.len] < '/'
			: manifest_names_compare(name, folder) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool
manifest_name_below(struct bytes name, struct bytes folder)
{
	return bytes_starts(name, folder) &&
	    (name.len == folder.len || name.ptr[folder.len] == '/');
}

/* "." is the model itself, and a name that is another's folder no file. */
static bool
no_file_in_file(const struct manifest_files *f, struct error *err)
{
	for (size_t i = 0; i < f->count; i++) {
		struct bytes name = f->files[i].name;
		size_t at;

		if (f->count > 1 && bytes_equal(name, BYTES_LIT(".")))
			return malformed(err, "\".\" is listed beside others");
		/* All that begins with a name stands right behind it. */
		if (i + 1 == f->count ||
		    !bytes_starts(f->files[i + 1].name, name))
			continue;
		at = first_below(f, i + 1, name);
		if (at < f->count &&
		    manifest_name_below(f->files[at].name, name))
			return malformed(
			    err, "a file is listed as a folder, too");
	}
	return true;
}

bool
manifest_group(
    struct manifest *m, struct manifest_files *out, struct error *err)
{
	struct manifest_files f = {0};

	if (m->files.count > 0) {
		*out = m->files;
		return true;
	}
	f.order = file_order(m, err);
	f.files = f.order
	    ? arena_alloc(&m->storage, m->count, sizeof(*f.files), err)
	    : NULL;
	if (!f.files)
		return false;
	for (size_t i = 0; i < m->count; i++)
		if (!take_resource(m, &f, i, err))
			return false;
	if (!no_file_in_file(&f, err))
		return false;
	*out = m->files = f;
	return true;
}

const struct manifest_file *
manifest_files_find(const struct manifest_files *f, struct bytes name)
{
	size_t low = 0, high = f->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int c = manifest_names_compare(f->files[middle].name, name);

		if (c == 0)
			return &f->files[middle];
		if (c < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* A shard's numbers, as they stand behind its file's name. */
static struct bytes
shard_suffix(const struct resource *r, char room[SUFFIX_MAX])
{
	int n = snprintf(room, SUFFIX_MAX, ":%llu:%llu",
	    (unsigned long long)r->start, (unsigned long long)r->end);

	return bytes_of(room, (size_t)n);
}

static int
compare_plain(const void *a, const void *b)
{
	const struct resource *x = a, *y = b;

	return manifest_names_compare(x->name, y->name);
}

/* The byte at `at` of a name with its numbers; -1 behind its end. */
static int
listed_byte(struct bytes name, struct bytes suffix, size_t at)
{
	if (at < name.len)
		return name.ptr[at];
	at -= name.len;
	return at < suffix.len ? suffix.ptr[at] : -1;
}

static int
compare_shards(const void *a, const void *b)
{
	char room_x[SUFFIX_MAX], room_y[SUFFIX_MAX];
	const struct resource *x = a, *y = b;
	struct bytes s, t;
	size_t at = x->name.len < y->name.len ? x->name.len : y->name.len;
	int c = manifest_names_compare(
	    bytes_slice(x->name, 0, at), bytes_slice(y->name, 0, at));

	if (c != 0)
		return c;
	s = shard_suffix(x, room_x);
	t = shard_suffix(y, room_y);
	for (; c == 0 && listed_byte(x->name, s, at) >= 0; at++)
		c = listed_byte(x->name, s, at) - listed_byte(y->name, t, at);
	return c != 0 ? c : -(listed_byte(y->name, t, at) >= 0);
}

void
manifest_sort(struct manifest *m)
{
	qsort(m->resources, m->count, sizeof(*m->resources),
	    m->sharded ? compare_shards : compare_plain);
	m->name_order = true;
	m->files = (struct manifest_files){0};
}

bool
manifest_root(const struct manifest *m, struct hash *out, struct error *err)
{
	struct content_hasher *h = content_hasher_open(CONTENT_SHA256, err);
	uint8_t digest[CONTENT_DIGEST_MAX];
	bool ok;

	if (!h)
		return false;
	content_begin(h);
	for (size_t i = 0; i < m->count; i++)
		content_put(h, m->resources[i].digest);
	ok = content_end(h, digest, err);
	content_hasher_close(h);
	if (ok)
		memcpy(out->b, digest, HASH_LEN);
	return ok;
}

static void
put_resource(
    const struct manifest *m, const struct resource *r, struct buf *out)
{
	char room[SUFFIX_MAX];

	buf_put_str(out, "{\"name\":");
	json_put_string(out, r->name);
	/* The numbers go before the quote that ends the name. */
	if (m->sharded && !out->failed) {
		out->len--;
		buf_put(out, shard_suffix(r, room));
		buf_put_u8(out, '"');
	}
	buf_put_str(out, ",\"algorithm\":\"");
	buf_put_str(out, content_algorithm_name(m->algorithm));
	buf_put_str(out, "\",\"digest\":\"");
	hex_put(out, r->digest);
	buf_put_str(out, "\"}");
}

void
manifest_format(const struct manifest *m, struct buf *out)
{
	buf_put_str(out, "{\"resources\":[");
	for (size_t i = 0; i < m->count; i++) {
		if (i > 0)
			buf_put_u8(out, ',');
		put_resource(m, &m->resources[i], out);
	}
	buf_printf(out,
	    "],\"serialization\":{\"method\":\"%s\",\"hash_type\":\"%s\"",
	    m->sharded ? "shards" : "files",
	    content_algorithm_name(m->algorithm));
	if (m->sharded)
		buf_printf(out, ",\"shard_size\":%llu",
		    (unsigned long long)m->shard_size);
	buf_printf(out, ",\"allow_symlinks\":%s,\"ignore_paths\":[",
	    m->allow_symlinks ? "true" : "false");
	for (size_t i = 0; i < m->ignored_count; i++) {
		if (i > 0)
			buf_put_u8(out, ',');
		json_put_string(out, m->ignored[i]);
	}
	buf_put_str(out, "]}}");
}

bool
manifest_ignores(const struct manifest *m, struct bytes path)
{
	static const char *const defaults[] = {
	    ".git", ".gitignore", ".gitattributes", ".github"};

	for (size_t i = 0; i < sizeof(defaults) / sizeof(defaults[0]); i++)
		if (manifest_name_below(path, bytes_str(defaults[i])))
			return true;
	for (size_t i = 0; i < m->ignored_count; i++)
		if (manifest_name_below(path, m->ignored[i]))
			return true;
	return false;
}
