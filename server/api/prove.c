/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/prove.h"

#include "core/model/tle.h"

bool
prove_inclusion(struct tree_cursor *c, const struct head *head, uint64_t index,
    struct bytes leaf, struct proof *out, struct error *err)
{
	struct node_reader nodes = tree_nodes(c);
	struct error why = {0};
	struct hash hash;

	merkle_leaf(&c->hasher, leaf, &hash);
	if (!proof_inclusion(&c->hasher, &nodes, index, head->size, out, err))
		return false;
	return proof_verify_inclusion(&c->hasher, index, head->size, &hash, out,
		   &head->root, &why) ||
	    error_reason(err, ERR_INTERNAL, "proof-failed",
		"the inclusion proof of entry %llu does not verify: %s",
		(unsigned long long)index, why.text);
}

bool
prove_entry(struct tree_cursor *c, const struct hash *log_id,
    const struct head *head, uint64_t index, struct bytes leaf, struct buf *out,
    struct error *err)
{
	struct tle t = {
	    .index = index,
	    .log_id = *log_id,
	    .size = head->size,
	    .root = head->root,
	    .checkpoint = buf_bytes(&head->note),
	    .body = leaf,
	};

	if (!prove_inclusion(c, head, index, leaf, &t.proof, err))
		return false;
	tle_format(&t, out);
	return buf_ok(out, err);
}
