/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/history.h"

#include "core/base/cleanup.h"
#include "core/tlog/evidence.h"

static bool
compare(struct tiles *t, const struct history_head *smaller,
    const struct history_head *larger, bool *one, struct error *err)
{
	struct hash root;

	if (smaller->size == larger->size)
		root = larger->root;
	else if (smaller->size == 0)
		merkle_empty_root(&root);
	else if (!t)
		return error_set(err, ERR_INTERNAL, "no tiles to compare with");
	else if ((!tiles_stand_on(t, larger->size, &larger->root) &&
		     !tiles_head(t, larger->size, &larger->root, err)) ||
	    !tiles_root(t, smaller->size, &root, err))
		return false;
	*one = hash_equal(&root, &smaller->root);
	return true;
}

/* What cannot be shown to others is not said. */
static bool
prove(struct tiles *t, const struct history_head *smaller,
    const struct history_head *larger, struct history *h, struct error *err)
{
	AUTO(hasher) hasher = {0};
	struct evidence e = {
	    .key = *h->log, .smaller = smaller->note, .larger = larger->note};
	struct node_reader nodes = {0};
	struct key_verifier *verifier = key_verifier_open(err);
	bool ok;

	if (t)
		nodes = tiles_nodes(t);
	ok = verifier && hasher_open(&hasher, err) &&
	    evidence_make(&e, &nodes, &hasher, verifier, &h->evidence, err);
	key_verifier_close(verifier);
	return ok;
}

enum history_is
history_judge(struct tiles *t, struct history *h, struct error *why)
{
	bool swap = h->heads[0].size > h->heads[1].size, one = false;
	const struct history_head *smaller = &h->heads[swap];
	const struct history_head *larger = &h->heads[!swap];

	buf_init(&h->evidence, EVIDENCE_MAX_LEN);
	if (!compare(t, smaller, larger, &one, why))
		return t && tiles_gone(t) ? HISTORY_GONE : HISTORY_UNKNOWN;
	if (one)
		return HISTORY_ONE;
	return prove(t, smaller, larger, h, why) ? HISTORY_FORKED
						 : HISTORY_UNKNOWN;
}
