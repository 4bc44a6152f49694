/* SPDX-License-Identifier: Apache-2.0 */
#include "core/format/safetensors.h"

#include <stdlib.h>

#include "core/base/checked.h"
#include "core/base/json_reader.h"
#include "core/base/reader.h"

#define REASON "malformed-safetensors"

static const struct {
	const char *name;
	unsigned bits; /* of one element */
} dtypes[] = {
    {"BOOL", 8},
    {"U8", 8},
    {"I8", 8},
    {"F4", 4},
    {"F6_E2M3", 6},
    {"F6_E3M2", 6},
    {"F8_E4M3", 8},
    {"F8_E5M2", 8},
    {"F8_E8M0", 8},
    {"F8_E4M3FNUZ", 8},
    {"F8_E5M2FNUZ", 8},
    {"I16", 16},
    {"U16", 16},
    {"F16", 16},
    {"BF16", 16},
    {"I32", 32},
    {"U32", 32},
    {"F32", 32},
    {"I64", 64},
    {"U64", 64},
    {"F64", 64},
    {"C64", 64},
};

/* One run of the parser. */
struct parser {
	struct json_reader r;
	struct safetensors *out;
	size_t room, metadata_room;
	bool has_metadata;
	struct error *err;
};

static bool
syntax(struct error *err, const char *text)
{
	return error_reason(err, ERR_SYNTAX, REASON, "safetensors: %s", text);
}

static int
compare(struct bytes a, struct bytes b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;

	return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

static int
by_name(const void *a, const void *b)
{
	const struct safetensors_tensor *x = a, *y = b;

	return compare(x->name, y->name);
}

static int
by_key(const void *a, const void *b)
{
	const struct safetensors_metadata *x = a, *y = b;

	return compare(x->key, y->key);
}

struct range {
	uint64_t begin, end;
};

static int
by_place(const void *a, const void *b)
{
	const struct range *x = a, *y = b;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	return (x->end > y->end) - (x->end < y->end);
}

static bool
take(struct json_reader *r, char c)
{
	if (json_reader_next(r) != c)
		return false;
	r->rest = bytes_slice(r->rest, 1, r->rest.len);
	return true;
}

/*
 * The next member of an object that may have more of them than json_object
 * remembers; what stands twice is found by sorting. False at the end.
 */
static bool
next_member(struct json_reader *r, bool *begun, struct bytes *name)
{
	if (!json_reader_ok(r) || take(r, '}'))
		return false;
	if (*begun && !take(r, ','))
		return json_reader_fail(r, "no comma or brace after a member");
	*begun = true;
	if (!json_reader_string(r, name))
		return false;
	return take(r, ':') ||
	    json_reader_fail(r, "no colon after a member's name");
}

/* Digits and nothing else: 1e3 and 1.0 are read differently elsewhere. */
static bool
read_number(struct json_reader *r, uint64_t *out)
{
	struct bytes text;

	return json_reader_raw(r, &text) &&
	    (decimal_parse(text, out) ||
		json_reader_fail(r, "a size or offset is no plain decimal"));
}

static bool
read_shape(struct parser *p, struct safetensors_tensor *t)
{
	uint64_t dims[SAFETENSORS_RANK_MAX];
	struct json_array a;
	uint64_t *copy;

	if (!json_array_open(&p->r, &a))
		return false;
	while (json_array_next(&p->r, &a)) {
		if (t->rank == SAFETENSORS_RANK_MAX)
			return error_reason(p->err, ERR_LIMIT, REASON,
			    "safetensors: a shape of more than %d numbers",
			    SAFETENSORS_RANK_MAX);
		if (!read_number(&p->r, &dims[t->rank++]))
			return false;
	}
	if (!json_reader_ok(&p->r))
		return false;
	copy = arena_alloc(&p->out->storage, t->rank, sizeof(*copy), p->err);
	if (!copy)
		return false;
	if (t->rank > 0)
		memcpy(copy, dims, t->rank * sizeof(*copy));
	t->shape = copy;
	return true;
}

static bool
read_offsets(struct json_reader *r, struct safetensors_tensor *t)
{
	struct json_array a;
	uint64_t at[2];
	size_t n = 0;

	if (!json_array_open(r, &a))
		return false;
	while (json_array_next(r, &a))
		if (n == 2 || !read_number(r, &at[n++]))
			return json_reader_fail(r, "data_offsets are two");
	if (!json_reader_ok(r))
		return false;
	if (n != 2 || at[0] > at[1])
		return json_reader_fail(
		    r, "data_offsets are a beginning and an end");
	t->begin = at[0];
	t->end = at[1];
	return true;
}

static bool
read_dtype(struct json_reader *r, struct safetensors_tensor *t, unsigned *bits)
{
	struct bytes word;

	if (!json_reader_string(r, &word))
		return false;
	for (size_t i = 0; i < sizeof(dtypes) / sizeof(dtypes[0]); i++)
		if (bytes_equal(word, bytes_str(dtypes[i].name))) {
			t->dtype = dtypes[i].name;
			*bits = dtypes[i].bits;
			return true;
		}
	return json_reader_fail(r, "an unknown dtype");
}

/* The bytes of a tensor are as many as its dtype and shape make. */
static bool
size_fits(const struct safetensors_tensor *t, unsigned bits, struct error *err)
{
	uint64_t n = bits;

	for (size_t i = 0; i < t->rank; i++)
		if (!checked_mul_u64(n, t->shape[i], &n))
			return syntax(err, "a shape is too large");
	if (n % 8 != 0 || n / 8 != t->end - t->begin)
		return syntax(err,
		    "a tensor's range is not as long as its dtype and shape "
		    "make it");
	return true;
}

static bool
read_tensor(struct parser *p, struct safetensors_tensor *t)
{
	bool dtype = false, shape = false, offsets = false;
	struct json_reader *r = &p->r;
	struct json_object o;
	struct bytes name;
	unsigned bits = 0;
	bool ok = json_object_open(r, &o);

	while (ok && json_object_next(r, &o, &name))
		if (bytes_equal(name, BYTES_LIT("dtype")))
			ok = dtype = read_dtype(r, t, &bits);
		else if (bytes_equal(name, BYTES_LIT("shape")))
			ok = shape = read_shape(p, t);
		else if (bytes_equal(name, BYTES_LIT("data_offsets")))
			ok = offsets = read_offsets(r, t);
		else
			ok = json_reader_fail(
			    r, "an unknown member of a tensor");
	if (!ok || !json_reader_ok(r))
		return false;
	if (!dtype || !shape || !offsets)
		return json_reader_fail(
		    r, "a tensor has dtype, shape and data_offsets");
	return size_fits(t, bits, p->err);
}

/* Room for one more element; what there is doubles, so it stays in proportion
 * to what was read. */
static bool
grow(void **list, size_t count, size_t *room, size_t size, struct error *err)
{
	size_t more = *room ? *room * 2 : 16;
	void *longer;

	if (count < *room)
		return true;
	longer = reallocarray(*list, more, size);
	if (!longer)
		return error_set(err, ERR_INTERNAL, "out of memory");
	*list = longer;
	*room = more;
	return true;
}

static bool
add_tensor(struct parser *p, struct bytes name)
{
	struct safetensors *s = p->out;
	struct safetensors_tensor t = {.name = name};
	void *list = s->tensors;

	if (!read_tensor(p, &t) ||
	    !grow(&list, s->count, &p->room, sizeof(t), p->err))
		return false;
	s->tensors = list;
	s->tensors[s->count++] = t;
	return true;
}

static bool
read_metadata(struct parser *p)
{
	struct safetensors *s = p->out;
	struct safetensors_metadata m;
	bool begun = false;

	if (p->has_metadata)
		return json_reader_fail(&p->r, "__metadata__ stands twice");
	p->has_metadata = true;
	if (!take(&p->r, '{'))
		return json_reader_fail(&p->r, "__metadata__ is no object");
	while (next_member(&p->r, &begun, &m.key)) {
		void *list = s->metadata;

		if (!json_reader_string(&p->r, &m.value) ||
		    !grow(&list, s->metadata_count, &p->metadata_room,
			sizeof(m), p->err))
			return false;
		s->metadata = list;
		s->metadata[s->metadata_count++] = m;
	}
	return json_reader_ok(&p->r);
}

static bool
read_header(struct parser *p)
{
	bool begun = false, ok = true;
	struct bytes name;

	/* Other readers find the header by this very byte. */
	if (p->r.rest.ptr[0] != '{' || !take(&p->r, '{'))
		return json_reader_fail(&p->r, "the header is no JSON object");
	while (ok && next_member(&p->r, &begun, &name))
		ok = bytes_equal(name, BYTES_LIT("__metadata__"))
		    ? read_metadata(p)
		    : add_tensor(p, name);
	if (!ok || !json_reader_ok(&p->r))
		return false;
	for (struct bytes rest = p->r.rest; rest.ptr && rest.len > 0;
	     rest = bytes_slice(rest, 1, rest.len))
		if (rest.ptr[0] != ' ')
			return json_reader_fail(
			    &p->r, "something else than spaces follows it");
	return true;
}

static bool
nothing_twice(struct safetensors *s, struct error *err)
{
	if (s->count > 0)
		qsort(s->tensors, s->count, sizeof(*s->tensors), by_name);
	if (s->metadata_count > 0)
		qsort(s->metadata, s->metadata_count, sizeof(*s->metadata),
		    by_key);
	for (size_t i = 1; i < s->count; i++)
		if (by_name(&s->tensors[i - 1], &s->tensors[i]) == 0)
			return syntax(err, "a tensor stands twice");
	for (size_t i = 1; i < s->metadata_count; i++)
		if (by_key(&s->metadata[i - 1], &s->metadata[i]) == 0)
			return syntax(err, "a key of __metadata__ twice");
	return true;
}

/* The tensors' ranges are all of the data, one after the other. */
static bool
covers(const struct safetensors *s, uint64_t size, struct error *err)
{
	struct range *order;
	uint64_t at = 0;
	bool ok = true;

	order = calloc(s->count ? s->count : 1, sizeof(*order));
	if (!order)
		return error_set(err, ERR_INTERNAL, "out of memory");
	for (size_t i = 0; i < s->count; i++)
		order[i] =
		    (struct range){s->tensors[i].begin, s->tensors[i].end};
	if (s->count > 0)
		qsort(order, s->count, sizeof(*order), by_place);
	for (size_t i = 0; ok && i < s->count; i++) {
		ok = order[i].begin == at;
		at = order[i].end;
	}
	free(order);
	if (!ok)
		return syntax(err, "a hole or an overlap between tensors");
	return at == size ||
	    syntax(err,
		at < size ? "the file goes on after the last tensor"
			  : "the file ends before the last tensor does");
}

bool
safetensors_head_len(
    struct bytes prefix, uint64_t file_size, size_t *out, struct error *err)
{
	uint64_t n = 0;

	if (prefix.len < SAFETENSORS_PREFIX_LEN ||
	    file_size < SAFETENSORS_PREFIX_LEN)
		return syntax(err, "shorter than 8 bytes");
	for (size_t i = SAFETENSORS_PREFIX_LEN; i-- > 0;)
		n = n << 8 | prefix.ptr[i];
	if (n > SAFETENSORS_HEADER_MAX)
		return error_reason(err, ERR_LIMIT, REASON,
		    "safetensors: a header of more than %d bytes",
		    SAFETENSORS_HEADER_MAX);
	if (n > file_size - SAFETENSORS_PREFIX_LEN)
		return syntax(err, "the header is longer than the file");
	if (n < 2)
		return syntax(err, "no header");
	*out = SAFETENSORS_PREFIX_LEN + (size_t)n;
	return true;
}

bool
safetensors_parse(struct bytes head, uint64_t file_size,
    struct safetensors *out, struct error *err)
{
	struct parser p = {.out = out, .err = err};
	struct bytes text;
	size_t len;

	*out = (struct safetensors){0};
	if (!safetensors_head_len(head, file_size, &len, err))
		return false;
	if (head.len < len)
		return error_set(
		    err, ERR_USAGE, "safetensors: only a part of the header");
	text = bytes_slice(head, SAFETENSORS_PREFIX_LEN, len);
	out->data = len;
	/* No number takes less than two bytes of text, and 8 here. */
	arena_init(&out->storage, 8 * text.len + 4096);
	json_reader_init(&p.r, text, &out->storage, err);
	if (read_header(&p) && nothing_twice(out, err) &&
	    covers(out, file_size - len, err))
		return true;
	safetensors_release(out);
	if (err->code == ERR_SYNTAX || err->code == ERR_LIMIT)
		err->reason = REASON;
	return false;
}

void
safetensors_release(struct safetensors *s)
{
	free(s->tensors);
	free(s->metadata);
	arena_release(&s->storage);
	*s = (struct safetensors){0};
}
