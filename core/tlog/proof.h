/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_TLOG_PROOF_H
#define MTLOG_CORE_TLOG_PROOF_H

#include "core/tlog/merkle.h"

#define PROOF_MAX_HASHES 63

/* An inclusion or consistency proof: hashes in the order of RFC 6962. */
struct proof {
	size_t len;
	struct hash hashes[PROOF_MAX_HASHES];
};

/* proof_inclusion builds PATH(index, D[0:size]) (RFC 6962 section 2.1.1).
 * ERR_USAGE unless index < size <= TREE_MAX_SIZE; else what `nodes` says. */
bool proof_inclusion(struct hasher *h, const struct node_reader *nodes,
    uint64_t index, uint64_t size, struct proof *out, struct error *err)
    MUST_USE;

/* proof_consistency builds PROOF(old, D[new]) (RFC 6962 section 2.1.2).
 * ERR_USAGE unless 0 < old <= new <= TREE_MAX_SIZE. ERR_LIMIT where 64 hashes
 * are needed, which takes more than 2^62 entries. */
bool proof_consistency(struct hasher *h, const struct node_reader *nodes,
    uint64_t old_size, uint64_t new_size, struct proof *out, struct error *err)
    MUST_USE;

/* proof_verify_inclusion: `leaf` is the leaf *hash*. ERR_BADSIG, ERR_USAGE. */
bool proof_verify_inclusion(struct hasher *h, uint64_t index, uint64_t size,
    const struct hash *leaf, const struct proof *proof, const struct hash *root,
    struct error *err) MUST_USE;

/* proof_verify_consistency: old size 0 is an error here, even from 0 to 0;
 * equal sizes want an empty proof and equal roots. ERR_BADSIG, ERR_USAGE. */
bool proof_verify_consistency(struct hasher *h, uint64_t old_size,
    uint64_t new_size, const struct hash *old_root, const struct hash *new_root,
    const struct proof *proof, struct error *err) MUST_USE;

#endif
