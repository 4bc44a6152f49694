/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/manifest.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/encoding.h"
#include "core/base/json_reader.h"
#include "core/base/reader.h"
#include "core/model/manifest_parts.h"
#include "core/model/statement.h"

#define ARENA_SHARE 128 /* bytes that a resource may take: name and digest */
#define ARENA_LEAST (64u << 20)
#define SHARDED_MAX 64 /* bytes of "<hash>-sharded-<size>" */

/* What is read before it is known how it has to look. */
struct parse {
	struct json_reader r;
	struct manifest *m;
	struct bytes algorithm; /* of all resources */
	struct bytes method, hash_type;
	bool has_resources, has_serialization, has_shard_size, has_links;
};

static bool
bad(struct parse *p, const char *text)
{
	return json_reader_fail(&p->r, text);
}

bool
manifest_name_valid(struct bytes name)
{
	struct reader r = {name};
	struct bytes part;

	if (bytes_equal(name, BYTES_LIT(".")))
		return true;
	if (name.len == 0 || name.len > MANIFEST_NAME_MAX ||
	    name.ptr[name.len - 1] == '/' || !utf8_valid(name) ||
	    memchr(name.ptr, 0, name.len))
		return false;
	while (!reader_done(&r)) {
		if (!reader_until(&r, '/', &part)) {
			part = r.rest;
			r.rest = (struct bytes){0};
		}
		if (part.len == 0 || bytes_equal(part, BYTES_LIT(".")) ||
		    bytes_equal(part, BYTES_LIT("..")))
			return false;
	}
	return true;
}

static bool
make_room(struct manifest *m, struct error *err)
{
	size_t more = m->room < 64 ? 64 : m->room + m->room / 2;
	struct resource *longer;

	if (m->count >= MANIFEST_MAX_RESOURCES)
		return error_set(err, ERR_LIMIT,
		    "the manifest lists more than %d resources",
		    MANIFEST_MAX_RESOURCES);
	if (m->count < m->room)
		return true;
	longer = realloc(m->resources, more * sizeof(*longer));
	if (!longer)
		return error_set(err, ERR_INTERNAL, "out of memory");
	m->resources = longer;
	m->room = more;
	return true;
}

static bool
take_digest(struct parse *p, struct bytes hex, struct bytes *out)
{
	size_t n = hex.len / 2;
	uint8_t *raw;

	if (hex.len % 2 != 0 || (n != 32 && n != 64))
		return bad(p, "a digest has the wrong length");
	raw = arena_alloc(&p->m->storage, n, 1, p->r.err);
	if (!raw)
		return false;
	if (!hex_decode(hex, raw, n))
		return bad(p, "a digest is not lower-case hex");
	*out = bytes_of(raw, n);
	return true;
}

/* Unknown members of a descriptor are in-toto's, and say nothing here. */
static bool
read_resource(struct parse *p, struct resource *out)
{
	struct bytes name, hex = {0}, algorithm = {0};
	struct json_object o;
	bool ok = json_object_open(&p->r, &o);

	*out = (struct resource){0};
	while (ok && json_object_next(&p->r, &o, &name)) {
		if (bytes_equal(name, BYTES_LIT("name")))
			ok = json_reader_string(&p->r, &out->name);
		else if (bytes_equal(name, BYTES_LIT("algorithm")))
			ok = json_reader_string(&p->r, &algorithm);
		else if (bytes_equal(name, BYTES_LIT("digest")))
			ok = json_reader_string(&p->r, &hex);
		else
			ok = json_reader_skip(&p->r);
	}
	if (!ok || !json_reader_ok(&p->r))
		return false;
	if (out->name.len == 0 || hex.len == 0 || algorithm.len == 0)
		return bad(p, "a resource needs name, algorithm and digest");
	if (p->m->count == 0)
		p->algorithm = algorithm;
	if (!bytes_equal(p->algorithm, algorithm))
		return bad(p, "two resources have different algorithms");
	return take_digest(p, hex, &out->digest);
}

static bool
read_resources(struct parse *p)
{
	struct json_array a;
	bool ok = json_array_open(&p->r, &a);

	p->has_resources = true;
	while (ok && json_array_next(&p->r, &a)) {
		ok = make_room(p->m, p->r.err) &&
		    read_resource(p, &p->m->resources[p->m->count]);
		p->m->count += ok;
	}
	return ok && json_reader_ok(&p->r);
}

static bool
read_ignored(struct parse *p)
{
	struct manifest *m = p->m;
	struct json_array a;
	struct bytes path;
	bool ok;

	m->ignored = arena_alloc(
	    &m->storage, MANIFEST_MAX_IGNORED, sizeof(*m->ignored), p->r.err);
	ok = m->ignored && json_array_open(&p->r, &a);
	while (ok && json_array_next(&p->r, &a)) {
		if (m->ignored_count == MANIFEST_MAX_IGNORED)
			return error_set(p->r.err, ERR_LIMIT,
			    "more than %d ignored paths", MANIFEST_MAX_IGNORED);
		ok = json_reader_string(&p->r, &path);
		if (ok &&
		    (bytes_equal(path, BYTES_LIT(".")) ||
			!manifest_name_valid(path)))
			return bad(p,
			    "an ignored path is not a relative path below the "
			    "model");
		if (ok)
			m->ignored[m->ignored_count++] = path;
	}
	return ok && json_reader_ok(&p->r);
}

static bool
read_serialization(struct parse *p)
{
	struct manifest *m = p->m;
	struct json_object o;
	struct bytes name;
	bool ok = json_object_open(&p->r, &o);

	p->has_serialization = true;
	while (ok && json_object_next(&p->r, &o, &name)) {
		if (bytes_equal(name, BYTES_LIT("method"))) {
			ok = json_reader_string(&p->r, &p->method);
		} else if (bytes_equal(name, BYTES_LIT("hash_type"))) {
			ok = json_reader_string(&p->r, &p->hash_type);
		} else if (bytes_equal(name, BYTES_LIT("allow_symlinks"))) {
			p->has_links = true;
			ok = json_reader_bool(&p->r, &m->allow_symlinks);
		} else if (bytes_equal(name, BYTES_LIT("shard_size"))) {
			p->has_shard_size = true;
			ok = json_reader_integer(&p->r, &m->shard_size);
		} else if (bytes_equal(name, BYTES_LIT("ignore_paths"))) {
			ok = read_ignored(p);
		} else {
			ok = bad(p, "serialization has an unknown member");
		}
	}
	return ok && json_reader_ok(&p->r);
}

static bool
read_predicate(struct parse *p)
{
	struct json_object o;
	struct bytes name;
	bool ok = json_object_open(&p->r, &o);

	while (ok && json_object_next(&p->r, &o, &name)) {
		if (bytes_equal(name, BYTES_LIT("resources")))
			ok = read_resources(p);
		else if (bytes_equal(name, BYTES_LIT("serialization")))
			ok = read_serialization(p);
		else
			ok = bad(p, "the predicate has an unknown member");
	}
	if (!ok || !json_reader_end(&p->r))
		return false;
	return (p->has_resources && p->has_serialization) ||
	    bad(p, "the predicate needs resources and serialization");
}

static bool
check_serialization(struct parse *p)
{
	struct manifest *m = p->m;

	m->sharded = bytes_equal(p->method, BYTES_LIT("shards"));
	if (!m->sharded && !bytes_equal(p->method, BYTES_LIT("files")))
		return bad(
		    p, "the serialization method is not files or shards");
	if (!content_algorithm_find(p->hash_type, &m->algorithm))
		return bad(p, "the hash_type is not sha256, blake2b or blake3");
	if (!p->has_links)
		return bad(p, "allow_symlinks is missing");
	if (m->sharded != p->has_shard_size ||
	    (m->sharded && m->shard_size == 0))
		return bad(p,
		    "shard_size goes with the method shards, and is at least "
		    "1");
	return m->count > 0 || bad(p, "the manifest lists no file");
}

/* The serialization's own word, or "sha256-sharded-1000": how a release of the
 * reference implementation wrote shards. */
static bool
check_algorithm(struct parse *p)
{
	struct manifest *m = p->m;
	char sharded[SHARDED_MAX];

	if (!bytes_equal(p->algorithm, p->hash_type)) {
		(void)snprintf(sharded, sizeof(sharded), "%s-sharded-%llu",
		    content_algorithm_name(m->algorithm),
		    (unsigned long long)m->shard_size);
		if (!m->sharded ||
		    !bytes_equal(p->algorithm, bytes_str(sharded)))
			return bad(p,
			    "the resources' algorithm is not the "
			    "serialization's");
	}
	for (size_t i = 0; i < m->count; i++)
		if (m->resources[i].digest.len !=
		    content_digest_len(m->algorithm))
			return bad(p, "a digest has the wrong length");
	return true;
}

/* "<path>:<start>:<end>": the last two colons count, a path may have some. */
static bool
split_shard(struct parse *p, struct resource *r)
{
	size_t at[2], n = r->name.len;

	for (size_t i = 0; i < 2; i++) {
		while (n > 0 && r->name.ptr[n - 1] != ':')
			n--;
		if (n == 0)
			return bad(p, "a shard is not named path:start:end");
		at[i] = --n;
	}
	if (!decimal_parse(bytes_slice(r->name, at[1] + 1, at[0]), &r->start) ||
	    !decimal_parse(
		bytes_slice(r->name, at[0] + 1, r->name.len), &r->end) ||
	    r->start >= r->end || r->start % p->m->shard_size != 0 ||
	    r->end - r->start > p->m->shard_size)
		return bad(p, "a shard's start and end are no shard's");
	r->name = bytes_slice(r->name, 0, at[1]);
	return true;
}

static bool
check_names(struct parse *p)
{
	struct manifest *m = p->m;

	/* By the whole name, with a shard's numbers in it. */
	m->name_order = true;
	for (size_t i = 1; m->name_order && i < m->count; i++)
		m->name_order = manifest_names_compare(m->resources[i - 1].name,
				    m->resources[i].name) < 0;
	for (size_t i = 0; i < m->count; i++) {
		struct resource *r = &m->resources[i];

		if (m->sharded && !split_shard(p, r))
			return false;
		if (!manifest_name_valid(r->name))
			return bad(p,
			    "a resource's name is no relative path below the "
			    "model");
	}
	return true;
}

static bool
check_root(struct parse *p, const struct hash *root)
{
	struct hash got;

	if (!manifest_root(p->m, &got, p->r.err))
		return false;
	return hash_equal(&got, root) ||
	    error_reason(p->r.err, ERR_BADSIG, "root-mismatch",
		"the statement's root digest is not that of its resources");
}

/* Duplicates and gaps are found where files are put together. */
static bool
check_files(struct parse *p)
{
	struct manifest_files files;

	return manifest_group(p->m, &files, p->r.err);
}

bool
manifest_parse(struct bytes predicate, const struct hash *root,
    struct manifest *out, struct error *err)
{
	struct parse p = {.m = out};
	struct error why = {0};

	*out = (struct manifest){
	    .storage = ARENA_INIT(2 * predicate.len + ARENA_LEAST)};
	json_reader_init(&p.r, predicate, &out->storage, &why);
	if (read_predicate(&p) && check_serialization(&p) &&
	    check_algorithm(&p) && check_names(&p) && check_root(&p, root) &&
	    check_files(&p))
		return true;
	if (why.code != ERR_INTERNAL && !why.reason) {
		why.reason = "malformed-statement";
		(void)error_prefix(&why, "the manifest is malformed");
	}
	manifest_release(out);
	if (err->code == ERR_NONE)
		*err = why;
	return false;
}

void
manifest_init(struct manifest *m, enum content_algorithm algorithm)
{
	*m = (struct manifest){.algorithm = algorithm};
	arena_init(&m->storage,
	    (size_t)MANIFEST_MAX_RESOURCES * (ARENA_SHARE + MANIFEST_NAME_MAX));
}

bool
manifest_add(struct manifest *m, const struct resource *r, struct error *err)
{
	struct resource copy = *r;

	if (!make_room(m, err))
		return false;
	if (!arena_dup(&m->storage, r->name, &copy.name, err) ||
	    !arena_dup(&m->storage, r->digest, &copy.digest, err))
		return false;
	m->resources[m->count++] = copy;
	m->files = (struct manifest_files){0};
	return true;
}

static bool
add_subjects(struct manifest *m, const struct statement *s, struct error *err)
{
	for (size_t i = 0; i < s->subject_count; i++) {
		struct resource r = {
		    .name = s->subjects[i].name,
		    .digest = hash_bytes(&s->subjects[i].digest),
		};

		if (!manifest_name_valid(r.name))
			return error_reason(err, ERR_SYNTAX,
			    "malformed-statement",
			    "the manifest is malformed: a subject's name is no "
			    "relative path below the model");
		if (!manifest_add(m, &r, err))
			return false;
	}
	return true;
}

bool
manifest_from_v02(
    const struct statement *s, struct manifest *out, struct error *err)
{
	struct manifest_files files;

	manifest_init(out, CONTENT_SHA256);
	if (add_subjects(out, s, err) && manifest_group(out, &files, err))
		return true;
	manifest_release(out);
	return false;
}

void
manifest_release(struct manifest *m)
{
	free(m->resources);
	arena_release(&m->storage);
	*m = (struct manifest){0};
}
