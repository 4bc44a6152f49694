/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/inspect_parts.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/tlog/evidence.h"
#include "core/tlog/tlog_proof.h"

/* Things of a log: proofs, notes, checkpoints, keys. */

static void
claim_signatures(struct report *r, const struct note *n)
{
	for (size_t i = 0; i < n->signature_count; i++) {
		const struct note_signature *s = &n->signatures[i];
		AUTO(buf) text = BUF_INIT(NOTE_NAME_MAX + 64);

		buf_put(&text, s->name);
		buf_printf(&text, " (key ID %08x, %zu bytes)", s->key_id,
		    s->signature.len);
		report_claim(r, "signature by", buf_bytes(&text));
	}
}

static void
claim_head(struct report *r, const struct checkpoint *c)
{
	report_claim(r, "log", c->origin);
	report_claimf(r, "tree size", "%llu", (unsigned long long)c->size);
	report_claim_hash(r, "root hash", &c->root);
	if (c->extensions.len > 0)
		report_claim(r, "extensions", c->extensions);
}

void
inspect_checkpoint(struct report *r, struct bytes text)
{
	AUTO(note) n = {0};
	struct error why = {0};
	struct checkpoint c;

	if (!note_parse(text, &n, &why) ||
	    !checkpoint_parse(n.text, &c, &why)) {
		report_claimf(r, "checkpoint", "cannot be read: %s", why.text);
		return;
	}
	claim_head(r, &c);
	claim_signatures(r, &n);
}

bool
inspect_note(struct report *r, struct bytes text, struct error *err)
{
	AUTO(note) n = {0};
	struct error why = {0};
	struct checkpoint c;

	if (!note_parse(text, &n, err))
		return false;
	if (checkpoint_parse(n.text, &c, &why)) {
		r->kind = "checkpoint";
		buf_put_str(&r->what, "a checkpoint: a log's signed tree head");
		claim_head(r, &c);
	} else {
		r->kind = "note";
		buf_put_str(&r->what, "a signed note, of no kind known here");
		report_claim(r, "text", n.text);
	}
	claim_signatures(r, &n);
	return true;
}

bool
inspect_proof(struct report *r, struct bytes text, struct error *err)
{
	struct tlog_proof p;

	if (!tlog_proof_parse(text, &p, err))
		return false;
	r->kind = "proof";
	buf_put_str(&r->what,
	    "a proof that something is in a log (mtlog proof verify)");
	report_claimf(r, "entry", "%llu", (unsigned long long)p.index);
	report_computedf(r, "hashes", "%zu", p.proof.len);
	if (p.extra.len > 0)
		report_computedf(
		    r, "extra", "%zu digits of base64", p.extra.len);
	inspect_checkpoint(r, p.checkpoint);
	return true;
}

/* The one thing that stands for itself: only the log could make it. */
static bool
check_evidence(struct report *r, const struct evidence *e, struct error *err)
{
	struct key_verifier *verifier = key_verifier_open(err);
	AUTO(hasher) h = {0};
	struct error why = {0};

	if (!verifier || !hasher_open(&h, err)) {
		key_verifier_close(verifier);
		return false;
	}
	r->verified = evidence_verify(e, &e->key, &h, verifier, NULL, &why);
	key_verifier_close(verifier);
	if (r->verified) {
		report_computedf(r, "fork",
		    "proven: whoever holds the key below signed both heads, "
		    "and they contradict each other");
		return true;
	}
	r->code = VERDICT_BAD_SIGNATURE;
	report_computedf(r, "fork", "NOT proven: %s", why.text);
	return why.code != ERR_INTERNAL ||
	    error_set(err, why.code, "%s", why.text);
}

bool
inspect_evidence(struct report *r, struct bytes text, struct error *err)
{
	AUTO(buf) key = BUF_INIT(4096);
	struct evidence e;

	if (!evidence_parse(text, &e, err) || !check_evidence(r, &e, err))
		return false;
	r->kind = "evidence";
	buf_put_str(&r->what, "evidence that a log forked");
	vkey_format(&e.key, &key);
	report_computed(r, "key", buf_bytes(&key));
	report_claimf(r, "smaller head", "%s", "");
	inspect_checkpoint(r, e.smaller);
	report_claimf(r, "larger head", "%s", "");
	inspect_checkpoint(r, e.larger);
	return true;
}

bool
inspect_vkey(struct report *r, struct bytes text, struct error *err)
{
	struct vkey v;
	const char *type = "of a kind not known here";

	if (!vkey_parse(text, &v, err))
		return false;
	r->kind = "vkey";
	buf_put_str(&r->what, "a key of a log or witness, whose ID fits it");
	switch (v.type) {
	case NOTE_ED25519:
		type = "Ed25519";
		break;
	case NOTE_ECDSA:
		type = "ECDSA";
		break;
	case NOTE_COSIGNATURE:
		type = "Ed25519, of a witness";
		break;
	case NOTE_MLDSA44:
		type = "ML-DSA-44, of a witness";
		break;
	}
	report_computedf(r, "type", "%s", type);
	report_computedf(r, "key ID", "%08x", v.key_id);
	report_claim(r, "name", vkey_name(&v));
	return true;
}
