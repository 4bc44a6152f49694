/* SPDX-License-Identifier: Apache-2.0 */
#include "core/crypto/blake3.h"

#include "core/crypto/blake3_lanes.h"

/* Subtrees of at most so many chunks are hashed at once; a power of two. */
#define SUBTREE_MAX 256

/* What one compression takes; `block` may be shorter than BLAKE3_BLOCK_LEN. */
struct node {
	struct bytes block;
	uint64_t counter;
	uint32_t flags;
};

static uint32_t
load32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 |
	    (uint32_t)p[3] << 24;
}

static uint32_t
rotate(uint32_t n, unsigned by)
{
	return n >> by | n << (32 - by);
}

static inline void
mix(uint32_t *a, uint32_t *b, uint32_t *c, uint32_t *d, uint32_t x, uint32_t y)
{
	*a += *b + x;
	*d = rotate(*d ^ *a, 16);
	*c += *d;
	*b = rotate(*b ^ *c, 12);
	*a += *b + y;
	*d = rotate(*d ^ *a, 8);
	*c += *d;
	*b = rotate(*b ^ *c, 7);
}

static inline void
round_of(uint32_t s[16], const uint32_t m[16], const uint8_t at[16])
{
	mix(&s[0], &s[4], &s[8], &s[12], m[at[0]], m[at[1]]);
	mix(&s[1], &s[5], &s[9], &s[13], m[at[2]], m[at[3]]);
	mix(&s[2], &s[6], &s[10], &s[14], m[at[4]], m[at[5]]);
	mix(&s[3], &s[7], &s[11], &s[15], m[at[6]], m[at[7]]);
	mix(&s[0], &s[5], &s[10], &s[15], m[at[8]], m[at[9]]);
	mix(&s[1], &s[6], &s[11], &s[12], m[at[10]], m[at[11]]);
	mix(&s[2], &s[7], &s[8], &s[13], m[at[12]], m[at[13]]);
	mix(&s[3], &s[4], &s[9], &s[14], m[at[14]], m[at[15]]);
}

/* The paper's compression function, cut to its first half: `cv` becomes what
 * follows from it and one block. */
static void
compress(uint32_t cv[8], const struct node *n)
{
	static const uint32_t iv[8] = BLAKE3_IV;
	uint8_t padded[BLAKE3_BLOCK_LEN] = {0};
	uint32_t m[16], s[16];

	if (n->block.len > 0)
		memcpy(padded, n->block.ptr, n->block.len);
	for (size_t i = 0; i < 16; i++)
		m[i] = load32(padded + 4 * i);
	for (size_t i = 0; i < 8; i++)
		s[i] = cv[i];
	for (size_t i = 0; i < 4; i++)
		s[8 + i] = iv[i];
	s[12] = (uint32_t)n->counter;
	s[13] = (uint32_t)(n->counter >> 32);
	s[14] = (uint32_t)n->block.len;
	s[15] = n->flags;
	/* Unrolled, so that the words stay in registers. */
#pragma GCC unroll 7
	for (size_t i = 0; i < BLAKE3_ROUNDS; i++)
		round_of(s, m, blake3_schedule[i]);
	for (size_t i = 0; i < 8; i++)
		cv[i] = s[i] ^ s[8 + i];
}

/* Hashes one chunk (of any length up to a whole one) or one parent. `root` is
 * BLAKE3_ROOT or 0. */
static void
hash_one(struct bytes in, const struct node *of, uint32_t root, uint8_t *out)
{
	uint32_t cv[8] = BLAKE3_IV;
	struct node n = *of;

	if (!(n.flags & BLAKE3_PARENT))
		n.flags |= BLAKE3_CHUNK_START;
	while (in.len > BLAKE3_BLOCK_LEN) {
		n.block = bytes_slice(in, 0, BLAKE3_BLOCK_LEN);
		in = bytes_slice(in, BLAKE3_BLOCK_LEN, in.len);
		compress(cv, &n);
		n.flags = of->flags;
	}
	n.block = in;
	n.flags |= root;
	if (!(n.flags & BLAKE3_PARENT))
		n.flags |= BLAKE3_CHUNK_END;
	compress(cv, &n);
	for (size_t i = 0; i < 8; i++)
		blake3_store32(out + 4 * i, cv[i]);
}

/* A parent of two chaining values that stand side by side. */
static void
hash_parent(const uint8_t *pair, uint32_t root, uint8_t *out)
{
	const struct node parent = {.flags = BLAKE3_PARENT};

	hash_one(bytes_of(pair, (size_t)2 * BLAKE3_LEN), &parent, root, out);
}

/* Hashes `n` inputs to `out`, as many at once as there are lanes. */
static void
hash_many(struct blake3_inputs in, size_t n, uint8_t *out)
{
	const struct blake3_lanes *wide = blake3_lanes_list();
	size_t len = in.blocks * BLAKE3_BLOCK_LEN;

	while (n > 0) {
		size_t done = 1;

		while (wide->lanes > n)
			wide++;
		if (wide->lanes > 0) {
			wide->hash(&in, out);
			done = wide->lanes;
		} else {
			struct node one = {
			    .counter = in.counter, .flags = in.flags};

			hash_one(bytes_of(in.ptr, len), &one, 0, out);
		}
		n -= done;
		in.ptr += done * len;
		in.counter += in.counted ? done : 0;
		out += done * BLAKE3_LEN;
	}
}

/* The chaining value of `n` whole chunks, a power of two, that are not all of
 * the input. */
static void
hash_subtree(const uint8_t *ptr, size_t n, uint64_t counter, uint8_t *out)
{
	uint8_t values[SUBTREE_MAX * BLAKE3_LEN];
	struct blake3_inputs chunks = {
	    .ptr = ptr,
	    .blocks = BLAKE3_CHUNK_LEN / BLAKE3_BLOCK_LEN,
	    .counter = counter,
	    .counted = true,
	    .first = BLAKE3_CHUNK_START,
	    .last = BLAKE3_CHUNK_END,
	};
	struct blake3_inputs pairs = {
	    .ptr = values, .blocks = 1, .flags = BLAKE3_PARENT};

	hash_many(chunks, n, values);
	while (n > 1) {
		n /= 2;
		hash_many(pairs, n, values);
	}
	memcpy(out, values, BLAKE3_LEN);
}

/* Adds a full subtree of `n` chunks, after which more input follows: so
 * whatever parent it completes is not the root. */
static void
push(struct blake3_tree *t, const uint8_t *ptr, size_t n)
{
	hash_subtree(ptr, n, t->chunks, t->values[t->depth]);
	t->chunks += n;
	t->depth++;
	for (uint64_t after = t->chunks / n; after % 2 == 0; after /= 2) {
		t->depth--;
		hash_parent(
		    t->values[t->depth - 1], 0, t->values[t->depth - 1]);
	}
}

/* Adds full subtrees of at most `max` and at least `min` chunks (powers of two)
 * while the input is longer than `min`. */
static void
push_all(struct blake3_tree *t, struct bytes *in, size_t max, size_t min)
{
	while (in->len > min * BLAKE3_CHUNK_LEN) {
		size_t n = max;

		while (n > min &&
		    (t->chunks % n != 0 || in->len <= n * BLAKE3_CHUNK_LEN))
			n /= 2;
		push(t, in->ptr, n);
		*in = bytes_slice(*in, n * BLAKE3_CHUNK_LEN, in->len);
	}
}

void
blake3_init(struct blake3 *b)
{
	b->tree.chunks = 0;
	b->tree.depth = 0;
	b->held = 0;
}

void
blake3_put(struct blake3 *b, struct bytes in)
{
	const size_t least = BLAKE3_HELD_LEN / BLAKE3_CHUNK_LEN;

	while (in.len > 0) {
		size_t n;

		if (b->held == BLAKE3_HELD_LEN) {
			push(&b->tree, b->bytes, least);
			b->held = 0;
		}
		if (b->held == 0)
			push_all(&b->tree, &in, SUBTREE_MAX, least);
		n = BLAKE3_HELD_LEN - b->held;
		if (n > in.len)
			n = in.len;
		memcpy(b->bytes + b->held, in.ptr, n);
		b->held += n;
		in = bytes_slice(in, n, in.len);
	}
}

void
blake3_end(const struct blake3 *b, uint8_t out[BLAKE3_LEN])
{
	struct blake3_tree t = b->tree;
	struct bytes rest = bytes_of(b->bytes, b->held);
	struct node last = {0};
	uint8_t pair[2 * BLAKE3_LEN];

	push_all(&t, &rest, BLAKE3_HELD_LEN / BLAKE3_CHUNK_LEN, 1);
	last.counter = t.chunks;
	hash_one(rest, &last, t.depth == 0 ? BLAKE3_ROOT : 0, out);
	for (size_t i = t.depth; i > 0; i--) {
		memcpy(pair, t.values[i - 1], BLAKE3_LEN);
		memcpy(pair + BLAKE3_LEN, out, BLAKE3_LEN);
		hash_parent(pair, i == 1 ? BLAKE3_ROOT : 0, out);
	}
}
