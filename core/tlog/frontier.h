/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_TLOG_FRONTIER_H
#define MTLOG_CORE_TLOG_FRONTIER_H

#include "core/tlog/merkle.h"

/*
 * The right edge of a tree, all that appending needs: node[k] is the root of
 * the perfect subtree of 2^k leaves that ends the prefix in which bit k of
 * `size` is set; other slots are unused. `{0}` is the empty tree.
 */
struct frontier {
	uint64_t size;
	struct hash node[63];
};

/* frontier_append adds one leaf hash. The caller keeps size < TREE_MAX_SIZE. */
void frontier_append(
    struct hasher *h, struct frontier *f, const struct hash *leaf);

/* frontier_root is the tree's root; H("") when empty. */
void frontier_root(
    struct hasher *h, const struct frontier *f, struct hash *out);

/* frontier_read builds the frontier of the first `size` leaves. */
bool frontier_read(const struct node_reader *nodes, uint64_t size,
    struct frontier *out, struct error *err) MUST_USE;

#endif
