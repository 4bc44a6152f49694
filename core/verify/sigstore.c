/* SPDX-License-Identifier: Apache-2.0 */
#include "core/verify/sigstore.h"

#include "core/base/json.h"
#include "core/identity/rekor_v1.h"
#include "core/identity/sct.h"
#include "core/identity/timestamp.h"
#include "core/model/tle.h"

#define MAX_TIMES (BUNDLE_MAX_ENTRIES + BUNDLE_MAX_TIMESTAMPS)

/* One bundle on its way. */
struct judgement {
	const struct sigstore *s;
	const struct bundle *b;
	struct certificate leaf;
	struct rekor_v1_subject subject;
	size_t time_count;
	uint64_t times[MAX_TIMES];
	/* Which authorities and logs of the root gave one, by number. */
	bool tsa_seen[TRUST_ROOT_MAX_AUTHORITIES];
	bool log_timed[TRUST_ROOT_MAX_LOGS];
	bool log_seen[TRUST_ROOT_MAX_LOGS];
	const struct trust_log *first_log;
	uint64_t first_index;
};

/* Names what failed where nothing nearer did; not where memory ran out. */
static bool
because(struct error *err, const char *reason)
{
	if (err->code != ERR_INTERNAL && !err->reason)
		err->reason = reason;
	return false;
}

static void
add_time(struct judgement *j, uint64_t time)
{
	j->times[j->time_count++] = time;
}

/* Only the first certificate of a chain counts. A root in it would be a trust
 * anchor that the signer brings along. */
static bool
chain_form_check(const struct bundle *b, struct error *err)
{
	struct certificate c;

	if (b->version >= 3)
		return error_reason(err, ERR_SYNTAX, "malformed-bundle",
		    "a Sigstore bundle of v0.3 has one certificate, no chain");
	for (size_t i = 1; i < b->certificate_count; i++) {
		if (!certificate_parse(b->certificates[i], &c, err))
			return false;
		if (c.self_issued)
			return error_reason(err, ERR_DENIED, "chain",
			    "the bundle contains a root certificate");
	}
	return true;
}

static bool
certificate_check(struct judgement *j, struct error *err)
{
	struct certificate *c = &j->leaf;

	if (j->b->material == BUNDLE_KEY || j->b->certificate_count == 0)
		return error_reason(err, ERR_DENIED, "wrong-signer",
		    "signed with a bare key: nobody's identity is in it");
	if (j->b->material == BUNDLE_CHAIN && !chain_form_check(j->b, err))
		return false;
	if (!certificate_parse(j->b->certificates[0], c, err))
		return false;
	if (!c->digital_signature || !c->code_signing)
		return error_reason(err, ERR_DENIED, "key-usage",
		    "the certificate is not for signing code");
	if (c->names_total != 1 || c->name_count != 1 || !c->names_critical)
		return error_reason(err, ERR_DENIED, "chain",
		    "the certificate does not have exactly one name, in a "
		    "critical extension");
	return true;
}

static bool
subject_init(struct judgement *j, struct error *err)
{
	const struct envelope *e = &j->b->envelope;
	uint8_t digest[DIGEST_MAX_LEN];

	if (!bytes_equal(e->payload_type, BYTES_LIT(DSSE_IN_TOTO)))
		return error_reason(err, ERR_DENIED, "wrong-statement-type",
		    "the payload is not an in-toto statement");
	if (!dsse_statement_digest(e, &j->subject.signed_bytes, err) ||
	    !digest_compute(DIGEST_SHA256, e->payload, digest, err))
		return false;
	memcpy(j->subject.payload.b, digest, HASH_LEN);
	j->subject.signature = e->signature;
	j->subject.certificate = j->b->certificates[0];
	return true;
}

/* The log with this ID; whether it is valid is asked when times are known. */
static bool
find_log(const struct trust_root *root, const struct hash *id, size_t *out,
    struct error *err)
{
	for (size_t i = 0; i < root->log_count; i++) {
		if (!root->logs[i].usable ||
		    !hash_equal(&root->logs[i].log_id, id))
			continue;
		*out = i;
		return true;
	}
	return error_reason(err, ERR_DENIED, "unknown-log",
	    "the entry is of a log that is not trusted");
}

static void
note_log(struct judgement *j, size_t log, uint64_t index)
{
	if (!j->first_log) {
		j->first_log = &j->s->root->logs[log];
		j->first_index = index;
	}
	j->log_seen[log] = true;
}

static bool
seen_twice(struct error *err)
{
	return error_reason(err, ERR_DENIED, "wrong-entry",
	    "two entries of one log: each log has it once");
}

/* What each version of the bundle must bring (client-spec). */
static bool
v1_form_check(
    const struct judgement *j, const struct rekor_v1 *e, struct error *err)
{
	if (j->b->version >= 2 ? e->has_proof : e->promise.len > 0)
		return true;
	return error_reason(err, ERR_DENIED, "inclusion",
	    "the log entry has no %s",
	    j->b->version >= 2 ? "inclusion proof" : "promise of the log");
}

static bool
v1_entry_check(struct judgement *j, struct bytes json, struct error *err)
{
	const struct sigstore *s = j->s;
	AUTO(rekor_v1) e = {0};
	size_t log = 0;

	if (!rekor_v1_parse(json, &e, err) || !v1_form_check(j, &e, err) ||
	    !find_log(s->root, &e.log_id, &log, err))
		return false;
	if (j->log_seen[log])
		return seen_twice(err);
	if (!rekor_v1_verify(
		&e, &s->root->logs[log], s->hasher, s->verifier, err) ||
	    !rekor_v1_match(&e, &j->subject, err))
		return false;
	note_log(j, log, e.index);
	if (e.promise.len > 0) {
		add_time(j, e.time);
		j->log_timed[log] = true;
	}
	return true;
}

static bool
v2_entry_check(struct judgement *j, struct bytes json, struct error *err)
{
	const struct sigstore *s = j->s;
	AUTO(buf) leaf = BUF_INIT(TLE_MAX_LEN);
	AUTO(tle) e = {0};
	struct checkpoint c;
	struct vkey key;
	size_t log = 0;

	if (!tle_parse(json, &e, err))
		return because(err, "malformed-bundle");
	if (!find_log(s->root, &e.log_id, &log, err))
		return false;
	if (j->log_seen[log])
		return seen_twice(err);
	if (!trust_log_vkey(&s->root->logs[log], &key, err))
		return because(err, "unknown-log");
	if (!bundle_leaf(j->b, j->b->certificates[0], &leaf, err)) {
		err->reason = NULL;
		return because(err, "malformed-bundle");
	}
	if (!checkpoint_open(e.checkpoint, &key, s->verifier, &c, err)) {
		/* Not signed by the log at all is no better than wrongly. */
		if (err->code == ERR_NOTFOUND)
			err->code = ERR_BADSIG;
		return because(err, "log-signature");
	}
	if (!tle_verify(
		&e, &key, buf_bytes(&leaf), s->hasher, s->verifier, err))
		return because(err, "inclusion");
	note_log(j, log, e.index);
	return true;
}

/* Rekor v2 has one kind of entry; all else is a v1 log's, or nothing. */
static bool
is_v2(struct bytes json)
{
	AUTO_PTR(json_t) root = NULL;
	struct error ignored = {0};
	const json_t *kind;

	if (!json_parse(json, TLE_MAX_LEN, &root, &ignored))
		return false;
	kind = json_object_get(root, "kindVersion");
	return bytes_equal(json_text(json_object_get(kind, "kind")),
		   BYTES_LIT("hashedrekord")) &&
	    bytes_equal(json_text(json_object_get(kind, "version")),
		BYTES_LIT("0.0.2"));
}

static bool
entries_check(struct judgement *j, struct error *err)
{
	if (j->b->entry_count == 0)
		return error_reason(err, ERR_DENIED, "no-entry",
		    "the bundle has no entry of a log");
	for (size_t i = 0; i < j->b->entry_count; i++) {
		struct bytes json = j->b->entries[i];

		if (!(is_v2(json) ? v2_entry_check(j, json, err)
				  : v1_entry_check(j, json, err)))
			return false;
	}
	return hasher_ok(j->s->hasher, err);
}

/* One token by one authority, whose own certificate comes first. */
static bool
token_by(const struct trust_authority *a, struct bytes token,
    struct bytes message, uint64_t *time, struct error *err)
{
	struct chain chain = {
	    .anchor_count = 1,
	    .anchors = &a->certificates[a->certificate_count - 1],
	    .intermediate_count =
		a->certificate_count > 2 ? a->certificate_count - 2 : 0,
	    .intermediates = &a->certificates[1],
	    .leaf = a->certificates[0],
	};
	size_t anchor;

	if (!timestamp_verify_by(token, message, &chain, time, &anchor, err))
		return false;
	return trust_period_has(&a->valid, *time) ||
	    error_reason(err, ERR_DENIED, "timestamp",
		"time stamp: the authority is not trusted for its time");
}

static bool
token_check(struct judgement *j, struct bytes token, struct error *err)
{
	const struct trust_root *root = j->s->root;
	struct error last = {0};

	for (size_t i = 0; i < root->tsa_count; i++) {
		struct error why = {0};
		uint64_t time;

		if (!token_by(&root->tsas[i], token, j->b->envelope.signature,
			&time, &why)) {
			last = why;
			continue;
		}
		j->tsa_seen[i] = true;
		add_time(j, time);
		return true;
	}
	if (last.code == ERR_NONE)
		return error_reason(err, ERR_DENIED, "timestamp",
		    "no authority of time stamps is trusted");
	if (err->code == ERR_NONE)
		*err = last;
	return false;
}

static bool
tokens_check(struct judgement *j, struct error *err)
{
	for (size_t i = 0; i < j->b->timestamp_count; i++)
		if (!token_check(j, j->b->timestamps[i], err))
			return false;
	return j->time_count > 0 ||
	    error_reason(err, ERR_DENIED, "no-verified-time",
		"nothing says when the signature was made");
}

static bool
valid_at_all(const struct judgement *j, const struct trust_period *p)
{
	for (size_t i = 0; i < j->time_count; i++)
		if (!trust_period_has(p, j->times[i]))
			return false;
	return true;
}

/* The root may list one key with several periods. */
static bool
log_is_valid(const struct judgement *j, const struct trust_log *log)
{
	const struct trust_root *root = j->s->root;

	for (size_t i = 0; i < root->log_count; i++) {
		const struct trust_log *same = &root->logs[i];

		if (same->usable && hash_equal(&same->log_id, &log->log_id) &&
		    bytes_equal(same->key.spki, log->key.spki) &&
		    valid_at_all(j, &same->valid))
			return true;
	}
	return false;
}

/* A key that was retired, or not yet in use, proves nothing. */
static bool
logs_check(const struct judgement *j, struct error *err)
{
	const struct trust_root *root = j->s->root;

	for (size_t i = 0; i < root->log_count; i++)
		if (j->log_seen[i] && !log_is_valid(j, &root->logs[i]))
			return error_reason(err, ERR_DENIED, "unknown-log",
			    "the log %.*s is not trusted for that time",
			    (int)root->logs[i].name.len,
			    (const char *)root->logs[i].name.ptr);
	return true;
}

/* The whole chain at every time; `*issuer` is who issued the leaf. */
static bool
chain_by(const struct judgement *j, const struct trust_authority *a,
    struct bytes *issuer, struct error *err)
{
	struct chain chain = {
	    .anchor_count = 1,
	    .anchors = &a->certificates[a->certificate_count - 1],
	    .intermediate_count = a->certificate_count - 1,
	    .intermediates = a->certificates,
	    .leaf = j->leaf.der,
	};
	struct chain_path path = {0};

	for (size_t i = 0; i < j->time_count; i++) {
		chain.time = j->times[i];
		if (!chain_find(&chain, CHAIN_CODE_SIGNING, &path, err))
			return false;
		/* At all times by the same one. */
		if (i > 0 && !bytes_equal(*issuer, path.certificates[1]))
			return error_reason(err, ERR_DENIED, "chain",
			    "the certificate has different issuers at "
			    "different times");
		*issuer = path.certificates[1];
	}
	return true;
}

static bool
authority_check(
    const struct judgement *j, struct certificate *issuer, struct error *err)
{
	const struct trust_root *root = j->s->root;
	struct error kept = {0};

	for (size_t i = 0; i < root->ca_count; i++) {
		struct error why = {0};
		struct bytes der = {0};

		if (!valid_at_all(j, &root->cas[i].valid))
			continue;
		if (chain_by(j, &root->cas[i], &der, &why))
			return certificate_parse(der, issuer, err);
		/* Says more than that another one did not issue it. */
		if (kept.code == ERR_NONE || why.code == ERR_INTERNAL ||
		    strcmp(error_reason_name(&kept), "chain") == 0)
			kept = why;
	}
	if (kept.code == ERR_NONE)
		return error_reason(err, ERR_DENIED, "chain",
		    "no authority of certificates is trusted for that time");
	if (err->code == ERR_NONE)
		*err = kept;
	return false;
}

static bool
identity_check(const struct judgement *j, struct error *err)
{
	const struct sigstore_identity *want = &j->s->identity;
	const struct certificate_name *name = &j->leaf.names[0];

	if (want->name.len == 0 || want->issuer.len == 0)
		return error_set(
		    err, ERR_USAGE, "a name and an issuer must be asked for");
	if ((want->kind != 0 && want->kind != name->kind) ||
	    !bytes_equal(want->name, name->value))
		return error_reason(err, ERR_DENIED, "wrong-signer",
		    "signed by %.*s", (int)name->value.len,
		    (const char *)name->value.ptr);
	return bytes_equal(want->issuer, j->leaf.oidc_issuer) ||
	    error_reason(err, ERR_DENIED, "wrong-signer",
		"the signer's identity is from issuer %.*s",
		(int)j->leaf.oidc_issuer.len,
		(const char *)j->leaf.oidc_issuer.ptr);
}

static void
result_fill(const struct judgement *j, struct sigstore_result *out)
{
	*out = (struct sigstore_result){
	    .leaf = j->leaf,
	    .earliest = j->times[0],
	    .latest = j->times[0],
	    .log = j->first_log,
	    .index = j->first_index,
	};
	for (size_t i = 1; i < j->time_count; i++) {
		if (j->times[i] < out->earliest)
			out->earliest = j->times[i];
		if (j->times[i] > out->latest)
			out->latest = j->times[i];
	}
	for (size_t i = 0; i < TRUST_ROOT_MAX_LOGS; i++) {
		out->log_count += j->log_seen[i];
		out->time_sources += j->log_timed[i];
	}
	for (size_t i = 0; i < TRUST_ROOT_MAX_AUTHORITIES; i++)
		out->time_sources += j->tsa_seen[i];
}

bool
sigstore_verify(const struct sigstore *s, const struct bundle *b,
    struct sigstore_result *out, struct error *err)
{
	struct judgement j = {.s = s, .b = b};
	struct certificate issuer = {0};

	if (!certificate_check(&j, err) || !subject_init(&j, err) ||
	    !entries_check(&j, err) || !tokens_check(&j, err) ||
	    !logs_check(&j, err) || !authority_check(&j, &issuer, err) ||
	    !sct_verify(&j.leaf, issuer.key.spki, s->root->ct_log_count,
		s->root->ct_logs, s->verifier, err) ||
	    !identity_check(&j, err) ||
	    !dsse_verify(&b->envelope, &j.leaf.key, s->verifier, err))
		return false;
	result_fill(&j, out);
	return true;
}
