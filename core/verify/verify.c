/* SPDX-License-Identifier: Apache-2.0 */
/*
 * THE verifier. The table `requirements` below is the ordered list of what a
 * model must fulfil; each function is one requirement. A failed one refuses,
 * and nothing after it is looked at.
 */
#include "core/verify/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/times.h"
#include "core/verify/verification.h"

#define PRINT(b) (int)(b).len, (const char *)(b).ptr

/* The requirement holds, and this is how. */
static bool __attribute__((format(printf, 2, 3)))
holds(struct verification *v, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	error_text(v->check->message, sizeof(v->check->message), format, ap);
	va_end(ap);
	return true;
}

/* Nobody asked for it. */
static bool
not_asked(struct verification *v, const char *why)
{
	v->check->result = CHECK_NOT_ASKED;
	return holds(v, "%s", why);
}

static bool
policy_in_force(struct verification *v, struct error *err)
{
	const struct policy *p = v->judge.policy;
	const struct verify_state *s = v->in->state;

	if (p->has_expires && v->in->now >= p->expires)
		return error_reason(err, ERR_DENIED, "policy-expired",
		    "the policy has expired; get the current one");
	if (s && p->serial < s->policy_serial)
		return error_reason(err, ERR_DENIED, "policy-rollback",
		    "the policy has serial %llu, and %llu was used before",
		    (unsigned long long)p->serial,
		    (unsigned long long)s->policy_serial);
	return holds(v, "in force");
}

static bool
bundle_form(struct verification *v, struct error *err)
{
	bool ok;

	if (v->in->bundle->len == 0)
		return error_reason(err, ERR_SYNTAX, "malformed-bundle",
		    "the signature file is empty");
	ok = claim_open(
	    &v->claim, "the signature", buf_bytes(v->in->bundle), err);
	/* A large model's is tens of megabytes, and now of no use. */
	buf_release(v->in->bundle);
	return ok && holds(v, "Sigstore bundle v0.%u", v->claim.bundle.version);
}

static bool
statement_type(struct verification *v, struct error *err)
{
	if (!claim_statement(&v->judge, &v->claim, err))
		return false;
	if (v->claim.statement.kind == STATEMENT_MODEL_V02) {
		if (!v->in->allow_v02)
			return error_reason(err, ERR_DENIED,
			    "wrong-statement-type",
			    "a statement of model_signing 0.2; "
			    "--allow-legacy-v0.2 would read it");
		v->out->weakened |= WEAK_LEGACY_V02;
		return holds(v, "model_signing 0.2");
	}
	if (v->claim.statement.kind != STATEMENT_MODEL)
		return error_reason(err, ERR_DENIED, "wrong-statement-type",
		    "the statement is no model's, but %s",
		    statement_kind_type(v->claim.statement.kind));
	return holds(v, "OMS model signature v1.0");
}

static bool
name_asked_for(struct verification *v, struct error *err)
{
	const struct statement *s = &v->claim.statement;
	const struct verify_input *in = v->in;

	if (in->asked_name.len > 0 &&
	    (s->subject_count != 1 ||
		!bytes_equal(in->asked_name, s->subjects[0].name)))
		return error_reason(err, ERR_DENIED, "wrong-name",
		    "the statement is not about the name %.*s",
		    PRINT(in->asked_name));
	if (in->asked_version.len > 0 &&
	    !bytes_equal(in->asked_version, s->version))
		return error_reason(err, ERR_DENIED, "wrong-name",
		    "the statement is not about version %.*s",
		    PRINT(in->asked_version));
	if (in->asked_name.len > 0)
		return holds(v, "%.*s", PRINT(in->asked_name));
	v->out->weakened |= WEAK_ANY_NAME;
	return not_asked(v, "any name will do");
}

static bool
rule_found(struct verification *v, struct error *err)
{
	v->rule = policy_rule_for(
	    v->judge.policy, v->claim.statement.subjects[0].name);
	if (!v->rule)
		return error_reason(err, ERR_DENIED, "no-rule",
		    "the policy has no rule for this name");
	v->check->line = v->rule->line;
	v->out->rule_line = v->rule->line;
	v->out->pattern = v->rule->pattern;
	return holds(v, "model %.*s", PRINT(v->rule->pattern));
}

static const struct policy_deny *
denied(struct verification *v, enum policy_deny_kind kind,
    const struct hash *digest)
{
	const struct policy *p = v->judge.policy;

	for (size_t i = 0; i < p->deny_count; i++)
		if (p->denies[i].kind == kind &&
		    hash_equal(&p->denies[i].digest, digest))
			return &p->denies[i];
	return NULL;
}

static bool
refuse_denied(struct verification *v, const struct policy_deny *d,
    const char *what, struct error *err)
{
	v->check->line = d->line;
	return error_reason(err, ERR_DENIED, "denied",
	    "the policy denies this %s (line %u)", what, d->line);
}

static bool
statement_not_denied(struct verification *v, struct error *err)
{
	const struct policy_deny *d =
	    denied(v, DENY_STATEMENT, &v->claim.digest);

	return d ? refuse_denied(v, d, "statement", err)
		 : holds(v, "the statement is not denied");
}

/* Keys and certificates are never taken for each other. */
static bool
material_kind(struct verification *v, struct error *err)
{
	const struct policy *p = v->judge.policy;
	bool certificate = v->claim.bundle.material != BUNDLE_KEY;

	for (size_t i = 0; i < p->credential_count; i++)
		if (party_set_has(
			&v->rule->signed_by, p->credentials[i].party) &&
		    (p->credentials[i].kind != POLICY_KEY) == certificate)
			return holds(
			    v, certificate ? "certificate" : "public key");
	return error_reason(err, ERR_DENIED, "wrong-signer",
	    certificate
		? "the bundle has a certificate, and the rule trusts keys only"
		: "the bundle is signed with a key, and the rule trusts "
		  "certificates only");
}

static bool
signature_good(struct verification *v, struct error *err)
{
	const struct policy_deny *d;

	if (!claim_signature(&v->judge, &v->claim, err))
		return false;
	d = denied(v, DENY_KEY, &v->claim.key_digest);
	return d ? refuse_denied(v, d, "key", err)
		 : holds(v, "%s over the exact payload",
		       key_algorithm_name(v->claim.key.algorithm));
}

static bool
signer_allowed(struct verification *v, struct error *err)
{
	v->check->line = v->rule->signed_by_line;
	if (!claim_signer(&v->judge, &v->claim, &v->rule->signed_by, err))
		return false;
	verification_signer(v);
	return holds(v, "%.*s", PRINT(v->out->party));
}

static bool
entry_is_ours(struct verification *v, struct error *err)
{
	v->check->line = v->rule->logged_line;
	if (!claim_entry(&v->judge, &v->claim, err))
		return false;
	if (v->claim.has_entry)
		return holds(v, "the leaf is this bundle's");
	if (v->rule->logged)
		return error_reason(err, ERR_DENIED, "no-entry",
		    "the signature is not logged; its publisher can log it: "
		    "mtlog submit");
	return not_asked(v, "no log entry, and none is asked for");
}

static bool
entry_included(struct verification *v, struct error *err)
{
	if (!v->claim.has_entry)
		return not_asked(v, "no log entry");
	return claim_inclusion(&v->judge, &v->claim, err) &&
	    holds(v, "entry %llu of a tree of %llu",
		(unsigned long long)v->claim.entry.index,
		(unsigned long long)v->claim.entry.size);
}

static bool
checkpoint_trusted(struct verification *v, struct error *err)
{
	struct error why = {0};

	if (!v->rule->logged)
		v->out->weakened |= WEAK_LOGGED_OFF;
	if (!v->claim.has_entry)
		return not_asked(v, "no log entry");
	if (!claim_checkpoint(&v->judge, &v->claim, &why)) {
		/* A log that nobody named matters only where one is wanted. */
		if (!v->rule->logged && why.reason &&
		    strcmp(why.reason, "unknown-log") == 0)
			return not_asked(v, "the entry's log is not asked");
		*err = why;
		return false;
	}
	verification_log(v);
	return holds(v, "signed by %.*s", PRINT(v->out->origin));
}

static bool
quorum_reached(struct verification *v, struct error *err)
{
	if (!v->claim.logged)
		return not_asked(v, "no log is asked");
	if (!claim_quorum(&v->claim, err))
		return false;
	if (v->judge.policy->quorum.kind == QUORUM_NONE) {
		v->out->weakened |= WEAK_NO_QUORUM;
		return not_asked(v, "the policy wants no witness");
	}
	return holds(v, "%zu witnesses", v->out->witness_count);
}

static bool
times_agree(struct verification *v, struct error *err)
{
	if (!claim_times(&v->judge, &v->claim, err))
		return false;
	if (!v->claim.timed)
		return not_asked(
		    v, "no witness or authority says when it was signed");
	verification_times(v);
	return holds(v, "signed before %s", v->existed_by);
}

static bool
certificate_good(struct verification *v, struct error *err)
{
	if (!v->claim.has_leaf)
		return not_asked(v, "signed with a key");
	if (!claim_certificate(&v->judge, &v->claim, err))
		return false;
	for (size_t i = 0; i < v->claim.candidate_count; i++)
		if (v->claim.candidates[i]->kind == POLICY_CERT_ANY)
			v->out->weakened |= WEAK_ANY_IDENTITY;
	return holds(
	    v, "valid %s", v->claim.timed ? "when it was signed" : "now");
}

static bool
within_limits(struct verification *v, struct error *err)
{
	if (!claim_limits(&v->judge, &v->claim, err))
		return false;
	verification_signer(v);
	return holds(v, "the credential is in force");
}

static bool
not_refused(struct verification *v, struct error *err)
{
	if (!evidence_open(&v->judge, v->in->evidence, v->in->evidence_count,
		&v->evidence, err) ||
	    !evidence_not_refused(
		&v->judge, &v->evidence, v->rule, &v->claim, err))
		return false;
	return holds(v, "no withdrawal or revocation among %zu statements",
	    v->evidence.count);
}

static bool
approved(struct verification *v, struct error *err)
{
	if (v->rule->approval_count == 0)
		return not_asked(v, "the rule wants no approval");
	v->check->line = v->rule->approvals[0].line;
	return evidence_approved(
		   &v->judge, &v->evidence, v->rule, &v->claim, err) &&
	    holds(v, "by all who are asked");
}

static bool
current_enough(struct verification *v, struct error *err)
{
	v->check->line = v->rule->fresh_line;
	if (v->in->online && !v->in->current)
		return error_reason(
		    err, ERR_UNAVAILABLE, "network", "the log gave no answer");
	if (v->in->current && !verification_online(v, err))
		return false;
	switch (v->rule->fresh) {
	case FRESH_NOT_ASKED:
		break;
	case FRESH_ONLINE:
		return verification_fresh_online(v, err) &&
		    holds(v, "%s", v->current);
	case FRESH_SCAN:
		return verification_fresh_scan(v, err) &&
		    holds(v, "%s", v->current);
	case FRESH_STATUS:
		return verification_fresh_status(v, err) &&
		    holds(v, "%s", v->current);
	}
	if (v->in->current)
		return holds(v, "%s", v->current);
	return not_asked(v, "whether it is still current was not asked");
}

static bool
no_rollback(struct verification *v, struct error *err)
{
	if (!v->in->state)
		return not_asked(v, "no state is kept");
	return verification_memory(v, err) &&
	    holds(v, "nothing newer was accepted before");
}

static bool
manifest_well_formed(struct verification *v, struct error *err)
{
	const struct statement *s = &v->claim.statement;

	if (!verification_manifest(v, err))
		return false;
	v->out->has_root = s->kind == STATEMENT_MODEL;
	if (v->out->has_root)
		v->out->root = s->subjects[0].digest;
	for (size_t i = 0; i < v->manifest.count; i++) {
		const struct policy_deny *d;
		struct hash digest;

		if (v->manifest.resources[i].digest.len != HASH_LEN)
			continue;
		memcpy(digest.b, v->manifest.resources[i].digest.ptr, HASH_LEN);
		d = denied(v, DENY_FILE, &digest);
		if (d)
			return refuse_denied(v, d, "file", err);
	}
	return holds(v, "%zu files", v->files.count);
}

static bool
files_as_signed(struct verification *v, struct error *err)
{
	const struct verdict_files *f = &v->out->files;

	if (!v->in->files.check)
		return not_asked(v, "the bundle alone was judged");
	v->wanted_hold = v->in->hold;
	/* A caller may want more than the policy, and less only where the
	 * policy is silent. */
	if (v->in->hold != HOLD_NONE &&
	    (v->in->hold_of_rule ||
		(v->rule->hold_line > 0 && v->rule->hold > v->in->hold)))
		v->wanted_hold = v->rule->hold;
	if (!v->in->files.check(v->in->files.arg, &v->manifest, &v->files,
		v->wanted_hold, v->out, err))
		return false;
	if (f->changed_count > 0)
		return error_reason(err, ERR_BADSIG, "file-changed",
		    "%llu files are not as signed, first %.*s",
		    (unsigned long long)f->changed_count,
		    PRINT(f->changed[0].name));
	if (f->missing_count > 0)
		return error_reason(err, ERR_BADSIG, "file-missing",
		    "%llu files are missing, first %.*s",
		    (unsigned long long)f->missing_count, PRINT(f->missing[0]));
	if (v->in->files_chosen)
		v->out->weakened |= WEAK_FILES_CHOSEN;
	else if (f->checked != f->listed || f->listed == 0)
		return error_set(err, ERR_INTERNAL,
		    "%llu of %llu files were checked: a defect",
		    (unsigned long long)f->checked,
		    (unsigned long long)f->listed);
	return holds(v, "%llu of %llu, byte for byte",
	    (unsigned long long)f->checked, (unsigned long long)f->listed);
}

static bool
nothing_unsigned(struct verification *v, struct error *err)
{
	const struct verdict_files *f = &v->out->files;

	v->check->line = v->rule->unsigned_line;
	if (!v->in->files.check)
		return not_asked(v, "the bundle alone was judged");
	if (v->rule->unsigned_ignored) {
		v->out->weakened |= WEAK_UNSIGNED_IGNORED;
		return not_asked(v, "unsigned files are ignored");
	}
	if (f->unsigned_count > 0)
		return error_reason(err, ERR_DENIED, "file-unsigned",
		    "%llu files are not signed, first %.*s",
		    (unsigned long long)f->unsigned_count,
		    PRINT(f->unsigned_files[0]));
	if (f->ignored_count == 0)
		return holds(v, "no other file is there");
	v->out->weakened |= WEAK_UNSIGNED_IGNORED;
	return holds(v, "%llu other files, under ignored paths only",
	    (unsigned long long)f->ignored_count);
}

static bool
held(struct verification *v, struct error *err)
{
	v->check->line = v->rule->hold_line;
	if (!v->in->files.check)
		return not_asked(v, "the bundle alone was judged");
	if (v->in->hold == HOLD_NONE)
		return not_asked(v, "the files are not handed out");
	if (v->out->hold < v->wanted_hold)
		return error_reason(err, ERR_UNAVAILABLE, "hold-unavailable",
		    "the files can be held by %s only, and %s is wanted",
		    hold_strength_name(v->out->hold),
		    hold_strength_name(v->wanted_hold));
	if (v->out->hold == HOLD_OPEN)
		v->out->weakened |= WEAK_HOLD_OPEN;
	return holds(v, "%s", hold_strength_name(v->out->hold));
}

/* --- in place of a policy's signers: Sigstore's rules --------------------- */

static bool
material_by_sigstore(struct verification *v, struct error *err)
{
	return v->claim.bundle.material != BUNDLE_KEY
	    ? holds(v, "certificate")
	    : error_reason(err, ERR_DENIED, "wrong-signer",
		  "the bundle is signed with a key, and Sigstore vouches for "
		  "certificates only");
}

/* They are one whole: what fails of them fails here, under its own reason. */
static bool
signature_by_sigstore(struct verification *v, struct error *err)
{
	const struct policy_deny *d;

	if (!verification_sigstore(v, err))
		return false;
	d = denied(v, DENY_KEY, &v->claim.key_digest);
	return d ? refuse_denied(v, d, "key", err)
		 : holds(v, "%s over the exact payload",
		       key_algorithm_name(v->claim.key.algorithm));
}

static bool
signer_by_sigstore(struct verification *v, struct error *err)
{
	(void)err;
	return holds(v, "%.*s", PRINT(v->out->party));
}

static bool
entry_by_sigstore(struct verification *v, struct error *err)
{
	(void)err;
	return holds(v, "entry %llu of %.*s",
	    (unsigned long long)v->sigstore.index,
	    PRINT(v->sigstore.log->name));
}

static bool
time_by_sigstore(struct verification *v, struct error *err)
{
	AUTO(buf) text = BUF_INIT(32);

	(void)err;
	time_put(&text, v->sigstore.latest);
	return holds(v, "signed before %.*s", PRINT(text));
}

static bool
said_by_sigstore(struct verification *v, struct error *err)
{
	(void)err;
	return holds(v, "by the trusted root");
}

static bool
quorum_by_sigstore(struct verification *v, struct error *err)
{
	(void)err;
	v->out->weakened |= WEAK_NO_QUORUM;
	return not_asked(v, "Sigstore's rules want no witness");
}

static bool
limits_by_sigstore(struct verification *v, struct error *err)
{
	(void)err;
	return not_asked(v, "the trusted root limits its own authorities");
}

static bool
not_refused_by_sigstore(struct verification *v, struct error *err)
{
	(void)err;
	return not_asked(v, "who may withdraw is for a policy to say");
}

static const struct {
	const char *name;
	bool (*holds)(struct verification *v, struct error *err);
	/* where Sigstore's rules stand for the policy's; NULL: the same */
	bool (*sigstore)(struct verification *v, struct error *err);
} requirements[] = {
    {"policy", policy_in_force, NULL},
    {"bundle", bundle_form, NULL},
    {"statement", statement_type, NULL},
    {"name", name_asked_for, NULL},
    {"rule", rule_found, NULL},
    {"denied", statement_not_denied, NULL},
    {"material", material_kind, material_by_sigstore},
    {"signature", signature_good, signature_by_sigstore},
    {"signer", signer_allowed, signer_by_sigstore},
    {"entry", entry_is_ours, entry_by_sigstore},
    {"inclusion", entry_included, said_by_sigstore},
    {"checkpoint", checkpoint_trusted, said_by_sigstore},
    {"quorum", quorum_reached, quorum_by_sigstore},
    {"time", times_agree, time_by_sigstore},
    {"certificate", certificate_good, said_by_sigstore},
    {"limits", within_limits, limits_by_sigstore},
    {"withdrawn", not_refused, not_refused_by_sigstore},
    {"approvals", approved, NULL},
    {"current", current_enough, NULL},
    {"rollback", no_rollback, NULL},
    {"manifest", manifest_well_formed, NULL},
    {"files", files_as_signed, NULL},
    {"unsigned", nothing_unsigned, NULL},
    {"hold", held, NULL},
};

#define REQUIREMENTS (sizeof(requirements) / sizeof(requirements[0]))

_Static_assert(REQUIREMENTS <= VERDICT_MAX_CHECKS, "a check for each");

const char *
verify_requirement(size_t i)
{
	return i < REQUIREMENTS ? requirements[i].name : NULL;
}

static bool
row_holds(struct verification *v, size_t i, struct error *err)
{
	return v->in->sigstore && requirements[i].sigstore
	    ? requirements[i].sigstore(v, err)
	    : requirements[i].holds(v, err);
}

/* True if every requirement holds, or nobody asked for it. */
static bool
all_hold(struct verification *v, struct error *err)
{
	for (size_t i = 0; i < REQUIREMENTS; i++)
		v->out->checks[i].name = requirements[i].name;
	v->out->check_count = REQUIREMENTS;
	for (size_t i = 0; i < REQUIREMENTS; i++) {
		v->check = &v->out->checks[i];
		if (!row_holds(v, i, err)) {
			v->check->result = CHECK_FAIL;
			v->check->reason = error_reason_name(err);
			(void)snprintf(v->check->message,
			    sizeof(v->check->message), "%s", err->text);
			return false;
		}
		if (v->check->result == CHECK_NOT_REACHED)
			v->check->result = CHECK_PASS;
	}
	if (v->lost)
		return error_set(err, ERR_INTERNAL, "out of memory");
	return hasher_ok(&v->judge.hasher, err);
}

bool
verify(const struct verify_input *in, struct verdict *out)
{
	struct error err = {0};
	struct verification *v = verification_open(in, out, &err);
	bool ok = v && all_hold(v, &err);

	if (ok) {
		out->code = VERDICT_ACCEPTED; /* the only place */
		out->reason = NULL;
	} else {
		verdict_refuse(out, &err);
	}
	verification_close(v);
	return ok;
}
