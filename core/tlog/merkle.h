/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_TLOG_MERKLE_H
#define MTLOG_CORE_TLOG_MERKLE_H

#include "core/crypto/hash.h"

/* Largest number of entries: sizes travel as int64 in Sigstore's JSON. */
#define TREE_MAX_SIZE ((uint64_t)INT64_MAX)

/*
 * Merkle tree hashes of RFC 6962 section 2.1: a leaf is H(00 || entry), a node
 * H(01 || left || right), the empty tree H(""). `out` may be `left` or `right`.
 */
void merkle_leaf(struct hasher *h, struct bytes entry, struct hash *out);
void merkle_node(struct hasher *h, const struct hash *left,
    const struct hash *right, struct hash *out);
void merkle_empty_root(struct hash *out);

/*
 * A node by place: `height` 0 is the leaves; node (height, index) is the root
 * of the perfect subtree over leaves [index << height, (index+1) << height).
 */
struct node_place {
	unsigned height;
	uint64_t index;
};

/*
 * Where hashes of perfect subtrees come from. `read` fills `out` or fails with
 * `err`; it is only asked for nodes that are complete in the tree at hand.
 */
struct node_reader {
	bool (*read)(void *arg, struct node_place place, struct hash *out,
	    struct error *err);
	void *arg;
};

/*
 * merkle_range computes the root of leaves [from, to): a subtree of the RFC's
 * tree, so `from` is a multiple of the least power of two >= to - from, and
 * only the right end may be ragged. Reads one node per perfect subtree.
 * ERR_USAGE, ERR_INTERNAL; else what `nodes` says.
 */
bool merkle_range(struct hasher *h, const struct node_reader *nodes,
    uint64_t from, uint64_t to, struct hash *out, struct error *err) MUST_USE;

/* merkle_root computes the root of the first `size` leaves (0 allowed). */
bool merkle_root(struct hasher *h, const struct node_reader *nodes,
    uint64_t size, struct hash *out, struct error *err) MUST_USE;

#endif
