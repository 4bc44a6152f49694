/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_API_PROVE_H
#define MTLOG_SERVER_API_PROVE_H

#include "server/head.h"
#include "server/tree.h"

/*
 * prove_inclusion builds the proof of `leaf` at `index` under `head` and
 * verifies it against the signed root: ERR_INTERNAL reason "proof-failed".
 */
bool prove_inclusion(struct tree_cursor *c, const struct head *head,
    uint64_t index, struct bytes leaf, struct proof *out, struct error *err)
    MUST_USE;

/*
 * prove_entry appends the TransparencyLogEntry of `leaf` at `index` under
 * `head`. The inclusion proof is built from the tree and verified against the
 * signed root before a byte is written: ERR_INTERNAL reason "proof-failed".
 */
bool prove_entry(struct tree_cursor *c, const struct hash *log_id,
    const struct head *head, uint64_t index, struct bytes leaf, struct buf *out,
    struct error *err) MUST_USE;

#endif
