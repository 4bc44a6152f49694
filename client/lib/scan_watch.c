/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/scan_watch.h"

#include <stdlib.h>

#include "core/base/encoding.h"

#define KEYS_MAX (16u << 20) /* bytes of base64 of a policy's keys */

bool
scan_watch_open(
    const struct policy *p, struct scan_watch *out, struct error *err)
{
	size_t *ends = calloc(p->credential_count + 1, sizeof(*ends));
	size_t from = 0;

	*out = (struct scan_watch){
	    .policy = p,
	    .keys = calloc(p->credential_count + 1, sizeof(*out->keys)),
	    .texts = BUF_INIT(KEYS_MAX),
	};
	for (size_t i = 0; ends && i < p->credential_count; i++) {
		if (p->credentials[i].kind != POLICY_KEY) {
			out->certificates = true;
			continue;
		}
		base64_put(&out->texts, p->credentials[i].spki);
		ends[out->key_count++] = out->texts.len;
	}
	if (!ends || !out->keys || !buf_ok(&out->texts, err)) {
		free(ends);
		scan_watch_close(out);
		return error_set(err, ERR_INTERNAL, "out of memory");
	}
	for (size_t i = 0; i < out->key_count; from = ends[i++])
		out->keys[i] =
		    bytes_slice(buf_bytes(&out->texts), from, ends[i]);
	free(ends);
	return true;
}

void
scan_watch_close(struct scan_watch *w)
{
	free(w->keys);
	buf_release(&w->texts);
	*w = (struct scan_watch){0};
}

/* What follows `before` in a leaf, up to the next quotation mark. */
static struct bytes
word_after(struct bytes leaf, struct bytes before)
{
	const uint8_t *at = memmem(leaf.ptr, leaf.len, before.ptr, before.len);
	const uint8_t *end;

	if (!at)
		return (struct bytes){0};
	at += before.len;
	end = memchr(at, '"', leaf.len - (size_t)(at - leaf.ptr));
	return bytes_of(at, end ? (size_t)(end - at) : 0);
}

bool
scan_watch_may(const struct scan_watch *w, struct bytes leaf)
{
	struct bytes key =
	    word_after(leaf, BYTES_LIT("\"publicKey\":{\"rawBytes\":\""));

	for (size_t i = 0; i < w->key_count; i++)
		if (bytes_equal(key, w->keys[i]))
			return true;
	return w->certificates && key.len == 0 &&
	    word_after(leaf, BYTES_LIT("\"x509Certificate\":{\"rawBytes\":\""))
		.len > 0;
}

static bool
read_signer(
    struct judge *j, const struct entry *e, struct claim *c, struct error *err)
{
	struct party_set all;

	memset(&all, 0xff, sizeof(all));
	c->key = e->key;
	sha256(&j->hasher, e->key.spki, &c->key_digest);
	if (e->is_certificate) {
		if (!certificate_parse(e->verifier, &c->leaf, err))
			return false;
		c->has_leaf = true;
		c->bundle.material = BUNDLE_CERTIFICATE;
		c->bundle.certificate_count = 1;
		c->bundle.certificates[0] = e->verifier;
		c->timed = true;
		c->time = c->leaf.not_before;
	}
	return hasher_ok(&j->hasher, err) && claim_signer(j, c, &all, err) &&
	    entry_verify(e, j->verifier, err);
}

/*
 * Whether a chain that the leaf does not show could lead to the credential's
 * CA, given why it alone does not. Anybody can log a certificate that could: to
 * name a CA that issues leaves only is how a policy gets rid of those.
 */
static bool
could_lead(struct judge *j, const struct claim *c,
    const struct policy_credential *p, const struct error *why, bool *could,
    struct error *err)
{
	struct certificate ca;

	*could = false;
	if (why->code == ERR_INTERNAL) {
		*err = *why;
		return false;
	}
	if (strcmp(error_reason_name(why), "chain") != 0)
		return true; /* its usage, its CA's end: no chain mends that */
	if (!certificate_parse(j->policy->cas[p->ca].der, &ca, err))
		return false;
	*could = !ca.issues_leaves_only && c->leaf.not_before >= ca.not_before;
	return true;
}

/* Each credential by itself: one that is decided says nothing of another. */
static bool
judge_chains(
    struct judge *j, struct claim *c, enum scan_whose *whose, struct error *err)
{
	const struct policy_credential *may[CLAIM_MAX_CANDIDATES] = {0};
	struct claim one = *c;
	size_t n = 0, undecided = 0;

	for (size_t i = 0; i < c->candidate_count; i++) {
		struct error why = {0};
		bool could;

		one.candidate_count = 1;
		one.candidates[0] = c->candidates[i];
		if (claim_certificate(j, &one, &why)) {
			c->candidates[n++] = c->candidates[i];
			continue;
		}
		if (!could_lead(j, c, c->candidates[i], &why, &could, err))
			return false;
		if (could)
			may[undecided++] = c->candidates[i];
	}
	*whose = n > 0	    ? SCAN_OURS
	    : undecided > 0 ? SCAN_UNDECIDED
			    : SCAN_NOBODYS;
	for (size_t i = 0; *whose == SCAN_UNDECIDED && i < undecided; i++)
		c->candidates[n++] = may[i];
	c->candidate_count = n;
	return true;
}

static bool
judge_signer(struct judge *j, const struct entry *e, struct claim *c,
    enum scan_whose *whose, struct error *err)
{
	if (!read_signer(j, e, c, err))
		return false;
	*whose = SCAN_OURS;
	return !c->has_leaf || judge_chains(j, c, whose, err);
}

bool
scan_watch_judge(struct judge *j, const struct entry *e, struct claim *c,
    enum scan_whose *whose, struct error *err)
{
	/* What fails is looked at once more, as in claim_refusing: memory that
	 * ran out unnoticed would overlook a leaf. */
	for (unsigned i = 0; i < 2; i++) {
		struct error why = {0};

		*c = (struct claim){.source = "a leaf"};
		*whose = SCAN_NOBODYS;
		if (!judge_signer(j, e, c, whose, &why))
			*whose = SCAN_NOBODYS;
		if (*whose == SCAN_OURS)
			return true;
		if (why.code == ERR_INTERNAL) {
			*err = why;
			return false;
		}
	}
	return true;
}
