/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tlog/merkle.h"

#include <inttypes.h>

#define LEAF_PREFIX 0x00
#define NODE_PREFIX 0x01

/* SHA-256 of nothing. */
static const struct hash empty_root = {{
    0xe3,
    0xb0,
    0xc4,
    0x42,
    0x98,
    0xfc,
    0x1c,
    0x14,
    0x9a,
    0xfb,
    0xf4,
    0xc8,
    0x99,
    0x6f,
    0xb9,
    0x24,
    0x27,
    0xae,
    0x41,
    0xe4,
    0x64,
    0x9b,
    0x93,
    0x4c,
    0xa4,
    0x95,
    0x99,
    0x1b,
    0x78,
    0x52,
    0xb8,
    0x55,
}};

void
merkle_leaf(struct hasher *h, struct bytes entry, struct hash *out)
{
	static const uint8_t prefix = LEAF_PREFIX;

	sha256_two(h, bytes_of(&prefix, 1), entry, out);
}

void
merkle_node(struct hasher *h, const struct hash *left, const struct hash *right,
    struct hash *out)
{
	uint8_t in[1 + 2 * HASH_LEN];

	in[0] = NODE_PREFIX;
	memcpy(in + 1, left->b, HASH_LEN);
	memcpy(in + 1 + HASH_LEN, right->b, HASH_LEN);
	sha256(h, BYTES_OF(in), out);
}

void
merkle_empty_root(struct hash *out)
{
	*out = empty_root;
}

static bool
range_is_subtree(uint64_t from, uint64_t to)
{
	uint64_t width = 1;

	if (from >= to || to > TREE_MAX_SIZE)
		return false;
	while (width < to - from)
		width *= 2;
	return from % width == 0;
}

bool
merkle_range(struct hasher *h, const struct node_reader *nodes, uint64_t from,
    uint64_t to, struct hash *out, struct error *err)
{
	uint64_t count = to - from;
	struct hash sum;

	if (!range_is_subtree(from, to))
		return error_set(err, ERR_USAGE,
		    "leaves %" PRIu64 " to %" PRIu64 " are no subtree", from,
		    to);
	/* The binary digits of `count` are the perfect subtrees, and folding
	 * them from the right costs one hash each but the first. */
	for (uint64_t bits = count; bits != 0; bits &= bits - 1) {
		unsigned height = (unsigned)__builtin_ctzll(bits);
		struct node_place place = {
		    height, (from >> height) + (count >> height) - 1};
		struct hash node;

		if (!nodes->read(nodes->arg, place, &node, err))
			return false;
		if (bits == count)
			sum = node;
		else
			merkle_node(h, &node, &sum, &sum);
	}
	*out = sum;
	return hasher_ok(h, err);
}

bool
merkle_root(struct hasher *h, const struct node_reader *nodes, uint64_t size,
    struct hash *out, struct error *err)
{
	if (size == 0) {
		merkle_empty_root(out);
		return true;
	}
	return merkle_range(h, nodes, 0, size, out, err);
}
