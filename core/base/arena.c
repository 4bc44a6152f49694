/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/arena.h"

#include <stdlib.h>

#include "core/base/checked.h"

#define ALIGNMENT _Alignof(max_align_t)
#define CHUNK_MIN 4096
#define CHUNK_MAX (1u << 20)

/* The first of a list is the one that is being filled. */
struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size; /* of `bytes` */
	_Alignas(max_align_t) uint8_t bytes[];
};

void
arena_init(struct arena *a, size_t limit)
{
	*a = (struct arena){.limit = limit};
}

void
arena_release(struct arena *a)
{
	while (a->chunks) {
		struct arena_chunk *next = a->chunks->next;

		free(a->chunks);
		a->chunks = next;
	}
	a->used = 0;
}

/* Chunks grow with what is there already, so that small users stay small. */
static size_t
chunk_size(const struct arena *a)
{
	if (a->used < CHUNK_MIN)
		return CHUNK_MIN;
	return a->used < CHUNK_MAX ? a->used : CHUNK_MAX;
}

/* The chunk that takes `need` bytes; NULL: no memory. */
static struct arena_chunk *
chunk_for(struct arena *a, size_t need)
{
	size_t size = chunk_size(a), whole;
	bool alone = need > size;
	struct arena_chunk *c = a->chunks;

	if (c && c->size - c->used >= need)
		return c;
	if (alone)
		size = need;
	if (!checked_add_size(sizeof(*c), size, &whole))
		return NULL;
	c = calloc(1, whole);
	if (!c)
		return NULL;
	c->size = size;
	/* What has a chunk of its own leaves the other's rest to be filled. */
	if (alone && a->chunks) {
		c->next = a->chunks->next;
		a->chunks->next = c;
	} else {
		c->next = a->chunks;
		a->chunks = c;
	}
	return c;
}

void *
arena_alloc(struct arena *a, size_t count, size_t size, struct error *err)
{
	struct arena_chunk *c;
	size_t n, total;
	void *out;

	if (!checked_mul_size(count, size, &n) ||
	    !checked_add_size(n, ALIGNMENT - 1, &n) ||
	    !checked_add_size(a->used, n & ~(ALIGNMENT - 1), &total) ||
	    total > a->limit) {
		(void)error_set(err, ERR_LIMIT,
		    "larger than %zu bytes once it is read", a->limit);
		return NULL;
	}
	n &= ~(ALIGNMENT - 1);
	c = chunk_for(a, n);
	if (!c) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	out = c->bytes + c->used;
	c->used += n;
	a->used = total;
	return out;
}

bool
arena_dup(
    struct arena *a, struct bytes in, struct bytes *out, struct error *err)
{
	uint8_t *copy = arena_alloc(a, in.len, 1, err);

	if (!copy)
		return false;
	if (in.len > 0)
		memcpy(copy, in.ptr, in.len);
	*out = bytes_of(copy, in.len);
	return true;
}
