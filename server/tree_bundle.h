/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_TREE_BUNDLE_H
#define MTLOG_SERVER_TREE_BUNDLE_H

#include "server/tree.h"

/* tree_leaves_hash computes the leaf hashes of stored entries, as stored. */
bool tree_leaves_hash(struct tree_cursor *c, uint64_t first, uint64_t count,
    struct hash *out, struct error *err) MUST_USE;

#endif
