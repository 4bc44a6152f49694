/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tlog/proof.h"

#include <inttypes.h>

static bool
proof_add(struct hasher *h, const struct node_reader *nodes, uint64_t from,
    uint64_t to, struct proof *out, struct error *err)
{
	if (out->len == PROOF_MAX_HASHES)
		return error_set(err, ERR_LIMIT,
		    "the proof needs more than %d hashes", PROOF_MAX_HASHES);
	if (!merkle_range(h, nodes, from, to, &out->hashes[out->len], err))
		return false;
	out->len++;
	return true;
}

/* Adds the siblings met on the way from `node` to the root, bottom first. */
static bool
proof_climb(struct hasher *h, const struct node_reader *nodes,
    struct node_place node, uint64_t size, struct proof *out, struct error *err)
{
	uint64_t last = (size - 1) >> node.height;

	for (; last > 0; last >>= 1, node.height++, node.index >>= 1) {
		uint64_t from = (node.index ^ 1) << node.height;
		uint64_t to = from + ((uint64_t)1 << node.height);

		/* A node without a sibling rises to the next level as it is. */
		if (from >= size)
			continue;
		if (to > size)
			to = size;
		if (!proof_add(h, nodes, from, to, out, err))
			return false;
	}
	return true;
}

bool
proof_inclusion(struct hasher *h, const struct node_reader *nodes,
    uint64_t index, uint64_t size, struct proof *out, struct error *err)
{
	if (index >= size || size > TREE_MAX_SIZE)
		return error_set(err, ERR_USAGE,
		    "no leaf %" PRIu64 " in a tree of %" PRIu64, index, size);
	out->len = 0;
	return proof_climb(
	    h, nodes, (struct node_place){0, index}, size, out, err);
}

bool
proof_consistency(struct hasher *h, const struct node_reader *nodes,
    uint64_t old_size, uint64_t new_size, struct proof *out, struct error *err)
{
	struct node_place edge;

	if (old_size == 0 || old_size > new_size || new_size > TREE_MAX_SIZE)
		return error_set(err, ERR_USAGE,
		    "no consistency proof from size %" PRIu64 " to %" PRIu64,
		    old_size, new_size);
	out->len = 0;
	if (old_size == new_size)
		return true;
	/* The smallest perfect subtree at the old tree's right edge; when it is
	 * the whole old tree, the verifier has it already: its root. */
	edge.height = (unsigned)__builtin_ctzll(old_size);
	edge.index = (old_size >> edge.height) - 1;
	if (edge.index != 0 &&
	    !proof_add(h, nodes, edge.index << edge.height, old_size, out, err))
		return false;
	return proof_climb(h, nodes, edge, new_size, out, err);
}

/* A node and the last node of its level, on the way up (RFC 9162, 2.1.3.2). */
struct climb {
	uint64_t node;
	uint64_t last;
};

static void
climb_up(struct climb *c)
{
	c->node >>= 1;
	c->last >>= 1;
}

/* Goes to the parent; true if the sibling just left stands to the left. */
static bool
climb_step(struct climb *c)
{
	bool left = (c->node & 1) || c->node == c->last;

	while (left && c->node != 0 && !(c->node & 1))
		climb_up(c);
	climb_up(c);
	return left;
}

static bool
proof_len_ok(const struct proof *proof, struct error *err)
{
	if (proof->len > PROOF_MAX_HASHES)
		return error_set(err, ERR_USAGE,
		    "a proof has no more than %d hashes", PROOF_MAX_HASHES);
	return true;
}

bool
proof_verify_inclusion(struct hasher *h, uint64_t index, uint64_t size,
    const struct hash *leaf, const struct proof *proof, const struct hash *root,
    struct error *err)
{
	struct climb c = {index, size - 1};
	struct hash sum = *leaf;

	if (index >= size || size > TREE_MAX_SIZE)
		return error_set(err, ERR_USAGE,
		    "no leaf %" PRIu64 " in a tree of %" PRIu64, index, size);
	if (!proof_len_ok(proof, err))
		return false;
	for (size_t i = 0; i < proof->len; i++) {
		const struct hash *p = &proof->hashes[i];

		if (c.last == 0)
			return error_set(
			    err, ERR_BADSIG, "the inclusion proof is too long");
		if (climb_step(&c))
			merkle_node(h, p, &sum, &sum);
		else
			merkle_node(h, &sum, p, &sum);
	}
	if (c.last != 0)
		return error_set(
		    err, ERR_BADSIG, "the inclusion proof is too short");
	/* A failed hasher gives zeros, and so might a forged root. */
	if (!hasher_ok(h, err))
		return false;
	if (!hash_equal(&sum, root))
		return error_set(err, ERR_BADSIG,
		    "the inclusion proof leads to another root");
	return true;
}

static bool
verify_same_size(const struct hash *old_root, const struct hash *new_root,
    const struct proof *proof, struct error *err)
{
	if (proof->len != 0)
		return error_set(err, ERR_BADSIG,
		    "between equal sizes the consistency proof must be empty");
	if (!hash_equal(old_root, new_root))
		return error_set(
		    err, ERR_BADSIG, "two roots for one tree size");
	return true;
}

/* Folds proof->hashes[first, len) onto `*old_sum` and `*new_sum`. */
static bool
fold_consistency(struct hasher *h, struct climb c, size_t first,
    const struct proof *proof, struct hash *old_sum, struct hash *new_sum,
    struct error *err)
{
	for (size_t i = first; i < proof->len; i++) {
		const struct hash *p = &proof->hashes[i];

		if (c.last == 0)
			return error_set(err, ERR_BADSIG,
			    "the consistency proof is too long");
		if (climb_step(&c)) {
			merkle_node(h, p, old_sum, old_sum);
			merkle_node(h, p, new_sum, new_sum);
		} else {
			merkle_node(h, new_sum, p, new_sum);
		}
	}
	if (c.last != 0)
		return error_set(
		    err, ERR_BADSIG, "the consistency proof is too short");
	return hasher_ok(h, err);
}

bool
proof_verify_consistency(struct hasher *h, uint64_t old_size, uint64_t new_size,
    const struct hash *old_root, const struct hash *new_root,
    const struct proof *proof, struct error *err)
{
	struct climb c = {old_size - 1, new_size - 1};
	struct hash old_sum = *old_root, new_sum = *old_root;
	size_t first = 0;

	if (old_size == 0 || old_size > new_size || new_size > TREE_MAX_SIZE)
		return error_set(err, ERR_USAGE,
		    "no consistency proof from size %" PRIu64 " to %" PRIu64,
		    old_size, new_size);
	if (!proof_len_ok(proof, err))
		return false;
	if (old_size == new_size)
		return verify_same_size(old_root, new_root, proof, err);
	if (proof->len == 0)
		return error_set(
		    err, ERR_BADSIG, "the consistency proof is empty");
	/* A power of two is one subtree, whose hash is the old root. */
	if (old_size & (old_size - 1)) {
		old_sum = new_sum = proof->hashes[0];
		first = 1;
	}
	while (c.node & 1)
		climb_up(&c);
	if (!fold_consistency(h, c, first, proof, &old_sum, &new_sum, err))
		return false;
	if (!hash_equal(&old_sum, old_root))
		return error_set(err, ERR_BADSIG,
		    "the consistency proof does not lead to the old root");
	if (!hash_equal(&new_sum, new_root))
		return error_set(err, ERR_BADSIG,
		    "the consistency proof does not lead to the new root");
	return true;
}
