/* SPDX-License-Identifier: Apache-2.0 */
#include "core/verify/claim.h"

#include "core/crypto/pem.h"
#include "core/identity/timestamp.h"
#include "core/identity/x509_chain.h"

void
claim_release(struct claim *c)
{
	bundle_release(&c->bundle);
	statement_release(&c->statement);
	tle_release(&c->entry);
}

bool
claim_open(
    struct claim *c, const char *source, struct bytes json, struct error *err)
{
	c->source = source;
	return bundle_parse(json, &c->bundle, err);
}

bool
claim_statement(struct judge *j, struct claim *c, struct error *err)
{
	const struct envelope *e = &c->bundle.envelope;

	(void)j;
	if (!bytes_equal(e->payload_type, BYTES_LIT(DSSE_IN_TOTO)))
		return error_reason(err, ERR_DENIED, "wrong-statement-type",
		    "the envelope does not hold an in-toto statement");
	return statement_parse(e->payload, &c->statement, err) &&
	    dsse_statement_digest(e, &c->digest, err);
}

/* The signature with one key, in the one way that it may be made. */
static bool
verify_with(struct judge *j, struct claim *c, const struct public_key *key,
    struct error *err)
{
	if (c->statement.kind == STATEMENT_MODEL_V02 && j->allow_v02)
		return dsse_verify_v02(
		    &c->bundle.envelope, key, j->verifier, err);
	return dsse_verify(&c->bundle.envelope, key, j->verifier, err);
}

static bool
hint_names(struct judge *j, const struct claim *c,
    const struct policy_credential *credential)
{
	char hint[2 * HASH_LEN + 1];

	if (c->bundle.hint.len == 0)
		return true;
	key_hint(&j->hasher, credential->spki, hint);
	return bytes_equal(c->bundle.hint, bytes_str(hint));
}

/* The bundle has no key in it: the policy's are tried, those that the hint
 * names where there is one. */
static bool
signature_by_key(struct judge *j, struct claim *c, struct error *err)
{
	size_t keys = 0, tried = 0;

	for (size_t i = 0; i < j->policy->credential_count; i++) {
		const struct policy_credential *p = &j->policy->credentials[i];
		struct error why = {0};

		if (p->kind != POLICY_KEY)
			continue;
		keys++;
		if (!hint_names(j, c, p)) {
			if (!hasher_ok(&j->hasher, err))
				return false;
			continue;
		}
		tried++;
		if (public_key_parse(p->spki, &c->key, &why) &&
		    verify_with(j, c, &c->key, &why)) {
			c->key_digest = p->key;
			return true;
		}
		/* Forged is an answer; that nothing could be asked is not. */
		if (why.code == ERR_INTERNAL) {
			*err = why;
			return false;
		}
	}
	/* A hint that could not be computed names nobody. */
	if (!hasher_ok(&j->hasher, err))
		return false;
	if (keys == 0)
		return error_reason(err, ERR_DENIED, "wrong-signer",
		    "the bundle is signed with a key, and only certificates "
		    "are trusted here");
	if (tried == 0)
		return error_reason(err, ERR_BADSIG, "hint-mismatch",
		    "the bundle names another key than those that are trusted");
	return error_reason(err, ERR_BADSIG, "signature",
	    tried == 1 ? "the signature was not made with the trusted key over "
			 "these bytes"
		       : "the signature was made with none of the trusted keys "
			 "over these bytes");
}

static bool
signature_by_certificate(struct judge *j, struct claim *c, struct error *err)
{
	if (!certificate_parse(c->bundle.certificates[0], &c->leaf, err))
		return false;
	c->has_leaf = true;
	c->key = c->leaf.key;
	sha256(&j->hasher, c->key.spki, &c->key_digest);
	return hasher_ok(&j->hasher, err) && verify_with(j, c, &c->key, err);
}

bool
claim_signature(struct judge *j, struct claim *c, struct error *err)
{
	return c->bundle.material == BUNDLE_KEY
	    ? signature_by_key(j, c, err)
	    : signature_by_certificate(j, c, err);
}

static bool
is_credential(const struct claim *c, const struct policy_credential *p)
{
	if (p->kind == POLICY_KEY)
		return !c->has_leaf && hash_equal(&p->key, &c->key_digest);
	if (!c->has_leaf)
		return false;
	switch (p->kind) {
	case POLICY_CERT_KEY:
		return hash_equal(&p->key, &c->key_digest);
	case POLICY_CERT:
		return certificate_has_name(
			   &c->leaf, p->name.kind, p->name.value) &&
		    (p->issuer.len == 0 ||
			bytes_equal(p->issuer, c->leaf.oidc_issuer));
	case POLICY_CERT_ANY:
		return true;
	case POLICY_KEY:
		break;
	}
	return false;
}

bool
claim_signer(struct judge *j, struct claim *c, const struct party_set *parties,
    struct error *err)
{
	const struct policy *p = j->policy;
	const struct policy_credential *other = NULL;

	c->candidate_count = 0;
	for (size_t i = 0; i < p->credential_count; i++) {
		const struct policy_credential *one = &p->credentials[i];

		if (!is_credential(c, one))
			continue;
		if (!party_set_has(parties, one->party))
			other = one;
		else if (c->candidate_count < CLAIM_MAX_CANDIDATES)
			c->candidates[c->candidate_count++] = one;
	}
	if (c->candidate_count > 0)
		return true;
	if (other)
		return error_reason(err, ERR_DENIED, "wrong-signer",
		    "signed by %.*s, whom the rule does not name",
		    (int)p->parties[other->party].len,
		    (const char *)p->parties[other->party].ptr);
	return error_reason(err, ERR_DENIED, "wrong-signer",
	    c->has_leaf ? "the certificate's names are none of those that are "
			  "trusted"
			: "the key is none of those that are trusted");
}

/* Keeps the candidates that `keep` says yes to; the last no stays in `err`. */
static bool
narrow(struct judge *j, struct claim *c,
    bool (*keep)(struct judge *, struct claim *,
	const struct policy_credential *, struct error *),
    struct error *err)
{
	struct error why = {0};
	size_t n = 0;

	for (size_t i = 0; i < c->candidate_count; i++) {
		struct error no = {0};

		if (keep(j, c, c->candidates[i], &no))
			c->candidates[n++] = c->candidates[i];
		else
			why = no;
	}
	c->candidate_count = n;
	if (n > 0)
		return true;
	*err = why;
	return false;
}

static bool
chain_at(struct judge *j, const struct claim *c,
    const struct policy_credential *p, uint64_t time, struct error *err)
{
	struct chain chain = {
	    .anchor_count = 1,
	    .anchors = &j->policy->cas[p->ca].der,
	    .intermediate_count = c->bundle.certificate_count - 1,
	    .intermediates = c->bundle.certificates + 1,
	    .leaf = c->bundle.certificates[0],
	    .time = time,
	};
	struct certificate ca;
	size_t anchor;

	if (!chain_verify(&chain, CHAIN_CODE_SIGNING, &anchor, err) ||
	    !certificate_parse(chain.anchors[0], &ca, err))
		return false;
	/* Who issued it was not there yet: dates that nobody can vouch for. */
	return c->leaf.not_before >= ca.not_before ||
	    error_reason(err, ERR_DENIED, "chain",
		"the certificate begins before the CA that it leads to");
}

static bool
keep_chain(struct judge *j, struct claim *c, const struct policy_credential *p,
    struct error *err)
{
	return chain_at(j, c, p, c->timed ? c->time : j->now, err);
}

bool
claim_certificate(struct judge *j, struct claim *c, struct error *err)
{
	return !c->has_leaf || narrow(j, c, keep_chain, err);
}

static bool
keep_limits(struct judge *j, struct claim *c, const struct policy_credential *p,
    struct error *err)
{
	uint64_t time = c->timed ? c->time : j->now;

	if (p->has_until && time >= p->until)
		return error_reason(err, ERR_DENIED, "expired",
		    "the signer counts only until an earlier time (line %u)",
		    p->line);
	if (p->below_origin.len == 0)
		return true;
	if (!c->logged || !bytes_equal(c->head.head.origin, p->below_origin) ||
	    c->entry.index >= p->below)
		return error_reason(err, ERR_DENIED, "wrong-signer",
		    "the signer counts only with an entry of %.*s below %llu "
		    "(line %u)",
		    (int)p->below_origin.len, (const char *)p->below_origin.ptr,
		    (unsigned long long)p->below, p->line);
	return true;
}

bool
claim_limits(struct judge *j, struct claim *c, struct error *err)
{
	return narrow(j, c, keep_limits, err);
}

/* A token of an authority that nobody named says nothing; one that is wrong
 * about these bytes is a forgery. */
static bool
token_time(
    struct judge *j, struct claim *c, struct bytes token, struct error *err)
{
	struct bytes anchors[POLICY_MAX_CAS];
	struct error why = {0};
	uint64_t time = 0;
	size_t anchor;

	for (size_t i = 0; i < j->policy->ca_count; i++)
		anchors[i] = j->policy->cas[i].der;
	if (!timestamp_verify(token, c->bundle.envelope.signature,
		j->policy->ca_count, anchors, 0, NULL, &time, &anchor, &why)) {
		if (why.code == ERR_DENIED)
			return true;
		*err = why;
		return false;
	}
	if (!c->timed || time < c->time)
		c->time = time;
	c->timed = true;
	return true;
}

bool
claim_times(struct judge *j, struct claim *c, struct error *err)
{
	if (c->logged && c->head.dated) {
		c->timed = true;
		c->time = c->head.existed_by;
	}
	for (size_t i = 0; i < c->bundle.timestamp_count; i++)
		if (!token_time(j, c, c->bundle.timestamps[i], err))
			return false;
	if (c->timed && c->time > j->now + CLAIM_CLOCK_SKEW)
		return error_reason(err, ERR_DENIED, "clock",
		    "the signature's time is %llu s ahead of this machine's "
		    "clock; set the clock",
		    (unsigned long long)(c->time - j->now));
	return true;
}

static bool
keep_chain_ever(struct judge *j, struct claim *c,
    const struct policy_credential *p, struct error *err)
{
	return chain_at(j, c, p, c->leaf.not_before, err);
}

static bool
refusing(struct judge *j, struct claim *c, struct error *err)
{
	struct party_set all;

	memset(&all, 0xff, sizeof(all));
	return claim_signature(j, c, err) && claim_signer(j, c, &all, err) &&
	    (!c->has_leaf || narrow(j, c, keep_chain_ever, err));
}

bool
claim_refusing(struct judge *j, struct claim *c, struct error *err)
{
	struct error first = {0};

	if (refusing(j, c, &first))
		return true;
	if (first.code != ERR_INTERNAL)
		return refusing(j, c, err);
	*err = first;
	return false;
}

size_t
claim_party(const struct claim *c)
{
	return c->candidates[0]->party;
}
