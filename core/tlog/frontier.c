/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tlog/frontier.h"

#include <inttypes.h>

void
frontier_append(struct hasher *h, struct frontier *f, const struct hash *leaf)
{
	struct hash carry = *leaf;
	unsigned height = 0;

	/* A binary increment: two subtrees of one size make the next larger. */
	for (; f->size >> height & 1; height++)
		merkle_node(h, &f->node[height], &carry, &carry);
	f->node[height] = carry;
	f->size++;
}

void
frontier_root(struct hasher *h, const struct frontier *f, struct hash *out)
{
	struct hash sum;

	merkle_empty_root(&sum);
	for (uint64_t bits = f->size; bits != 0; bits &= bits - 1) {
		const struct hash *node = &f->node[__builtin_ctzll(bits)];

		if (bits == f->size)
			sum = *node;
		else
			merkle_node(h, node, &sum, &sum);
	}
	*out = sum;
}

bool
frontier_read(const struct node_reader *nodes, uint64_t size,
    struct frontier *out, struct error *err)
{
	struct frontier f = {.size = size};

	if (size > TREE_MAX_SIZE)
		return error_set(err, ERR_USAGE,
		    "a tree has no more than %" PRIu64 " entries",
		    TREE_MAX_SIZE);
	for (uint64_t bits = size; bits != 0; bits &= bits - 1) {
		unsigned height = (unsigned)__builtin_ctzll(bits);
		struct node_place place = {height, (size >> height) - 1};

		if (!nodes->read(nodes->arg, place, &f.node[height], err))
			return false;
	}
	*out = f;
	return true;
}
