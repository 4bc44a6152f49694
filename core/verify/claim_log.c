/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/cleanup.h"
#include "core/model/entry.h"
#include "core/tlog/merkle.h"
#include "core/verify/claim.h"

static bool
of_known_log(struct judge *j, const struct tle *t)
{
	const struct quorum *q = &j->policy->quorum;
	struct error ignored = {0};
	struct checkpoint head;
	AUTO(note) note = {0};

	if (!note_parse(t->checkpoint, &note, &ignored) ||
	    !checkpoint_parse(note.text, &head, &ignored))
		return false;
	for (size_t i = 0; i < q->log_count; i++)
		if (bytes_equal(head.origin, vkey_name(&q->logs[i].key)))
			return true;
	return false;
}

/* One entry of the bundle: the leaf is built here, so nothing that a log said
 * about it is believed. */
static bool
take_entry(struct judge *j, struct claim *c, struct bytes json,
    struct bytes leaf, struct error *err)
{
	AUTO(tle) t = {0};

	if (!tle_parse(json, &t, err)) {
		err->reason = "wrong-entry";
		return false;
	}
	if (!bytes_equal(t.body, leaf))
		return error_reason(err, ERR_BADSIG, "wrong-entry",
		    "the log entry in the bundle is about another signature");
	if (c->has_entry && !of_known_log(j, &t))
		return true;
	tle_release(&c->entry);
	c->entry = t;
	t = (struct tle){0}; /* transferred */
	c->has_entry = true;
	return true;
}

bool
claim_entry(struct judge *j, struct claim *c, struct error *err)
{
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	const struct bundle *b = &c->bundle;

	if (b->entry_count == 0)
		return true;
	if (!bundle_leaf(b, c->has_leaf ? b->certificates[0] : c->key.spki,
		&leaf, err) ||
	    !buf_ok(&leaf, err))
		return false;
	for (size_t i = 0; i < b->entry_count; i++)
		if (!take_entry(j, c, b->entries[i], buf_bytes(&leaf), err))
			return false;
	merkle_leaf(&j->hasher, buf_bytes(&leaf), &c->entry_leaf);
	return hasher_ok(&j->hasher, err);
}

bool
claim_inclusion(struct judge *j, struct claim *c, struct error *err)
{
	const struct tle *t = &c->entry;
	struct checkpoint head;
	AUTO(note) note = {0};

	if (!note_parse(t->checkpoint, &note, err) ||
	    !checkpoint_parse(note.text, &head, err)) {
		err->reason = "inclusion";
		return false;
	}
	if (head.size != t->size || !hash_equal(&head.root, &t->root))
		return error_reason(err, ERR_BADSIG, "inclusion",
		    "size or root of the proof are not the checkpoint's");
	if (!proof_verify_inclusion(&j->hasher, t->index, head.size,
		&c->entry_leaf, &t->proof, &head.root, err)) {
		err->reason = "inclusion";
		return false;
	}
	return true;
}

bool
claim_checkpoint(struct judge *j, struct claim *c, struct error *err)
{
	AUTO(note) note = {0};
	struct error why = {0};

	c->quorum = (struct error){0};
	if (!note_parse(c->entry.checkpoint, &note, err))
		return false;
	c->logged = quorum_verify(
	    &j->policy->quorum, &note, j->verifier, &c->head, &why);
	if (!c->logged && why.reason && strcmp(why.reason, "quorum") == 0) {
		/* The log's own signature is good: that much is known. */
		c->logged = true;
		c->quorum = why;
	}
	if (c->logged)
		return true;
	*err = why;
	return false;
}

bool
claim_quorum(const struct claim *c, struct error *err)
{
	if (c->quorum.code == ERR_NONE)
		return true;
	*err = c->quorum;
	return false;
}
