/* SPDX-License-Identifier: Apache-2.0 */
#include "core/verify/verification.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/times.h"
#include "core/model/manifest.h"

struct verification *
verification_open(
    const struct verify_input *in, struct verdict *out, struct error *err)
{
	struct verification *v = calloc(1, sizeof(*v));
	const struct policy *p = in->policy;

	if (!v) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	v->in = in;
	v->out = out;
	v->judge.policy = p;
	v->judge.now = in->now;
	v->judge.allow_v02 = in->allow_v02;
	v->judge.verifier = key_verifier_open(err);
	out->model = in->model;
	out->asked_name = in->asked_name;
	out->asked_version = in->asked_version;
	out->has_policy = p->has_digest;
	out->policy = p->digest;
	out->serial = p->serial;
	out->expires = p->has_expires ? p->expires : 0;
	if (!v->judge.verifier || !hasher_open(&v->judge.hasher, err)) {
		verification_close(v);
		return NULL;
	}
	return v;
}

void
verification_close(struct verification *v)
{
	if (!v)
		return;
	evidence_release(&v->evidence);
	manifest_release(&v->manifest);
	claim_release(&v->claim);
	hasher_release(&v->judge.hasher);
	key_verifier_close(v->judge.verifier);
	free(v);
}

/* A copy that lives as long as the verdict. Without memory it is lost, and the
 * verdict with it: a state would remember a model without its name. */
static struct bytes
keep(struct verification *v, struct bytes text)
{
	struct error ignored = {0};
	struct bytes copy = {0};

	if (!arena_dup(&v->out->storage, text, &copy, &ignored))
		v->lost = true;
	return copy;
}

static const char *
kind_of(enum certificate_name_kind kind)
{
	static const char *const names[] = {
	    [CERTIFICATE_EMAIL] = "email",
	    [CERTIFICATE_URI] = "uri",
	    [CERTIFICATE_DNS] = "dns",
	    [CERTIFICATE_OTHER] = "other",
	};

	return names[kind];
}

void
verification_signer(struct verification *v)
{
	const struct claim *c = &v->claim;
	const struct policy_credential *p = c->candidates[0];
	struct verdict *out = v->out;

	out->party = v->judge.policy->parties[p->party];
	out->signer_kind = c->has_leaf ? "cert" : "key";
	out->has_key = true;
	out->key = c->key_digest;
	out->has_statement = true;
	out->statement = c->digest;
	if (c->statement.subject_count == 1)
		out->name = keep(v, c->statement.subjects[0].name);
	out->version = keep(v, c->statement.version);
	if (p->kind == POLICY_CERT) {
		out->identity_kind = kind_of(p->name.kind);
		out->identity = p->name.value;
	} else if (c->has_leaf && c->leaf.name_count > 0) {
		out->identity_kind = kind_of(c->leaf.names[0].kind);
		out->identity = keep(v, c->leaf.names[0].value);
	}
	if (c->has_leaf)
		out->issuer = keep(v, c->leaf.oidc_issuer);
}

bool
verification_sigstore(struct verification *v, struct error *err)
{
	const struct verify_sigstore *want = v->in->sigstore;
	struct sigstore s = {
	    .root = want->root,
	    .identity = want->identity,
	    .verifier = v->judge.verifier,
	    .hasher = &v->judge.hasher,
	};
	struct verdict *out = v->out;
	struct claim *c = &v->claim;

	if (!sigstore_verify(&s, &c->bundle, &v->sigstore, err))
		return false;
	c->has_leaf = true;
	c->leaf = v->sigstore.leaf;
	c->key = c->leaf.key;
	sha256(&v->judge.hasher, c->key.spki, &c->key_digest);
	out->party = want->identity.name;
	out->signer_kind = "cert";
	out->has_key = true;
	out->key = c->key_digest;
	out->has_statement = true;
	out->statement = c->digest;
	out->name = keep(v, c->statement.subjects[0].name);
	out->version = keep(v, c->statement.version);
	out->identity_kind = kind_of(c->leaf.names[0].kind);
	out->identity = want->identity.name;
	out->issuer = want->identity.issuer;
	return hasher_ok(&v->judge.hasher, err);
}

/* The newest tree head that may be remembered. */
static void
believe(
    struct verification *v, const struct checkpoint *head, struct bytes note)
{
	v->out->head_size = head->size;
	v->out->head_root = head->root;
	v->out->head_note = keep(v, note);
}

void
verification_log(struct verification *v)
{
	const struct quorum *q = &v->judge.policy->quorum;
	const struct quorum_result *r = &v->claim.head;
	struct verdict *out = v->out;

	out->origin = vkey_name(&q->logs[r->log].key);
	out->index = v->claim.entry.index;
	out->size = r->head.size;
	believe(v, &r->head, v->claim.entry.checkpoint);
	out->witness_count = 0;
	for (size_t i = 0; i < q->witness_count; i++)
		if ((r->cosigned >> i & 1) != 0)
			out->witnesses[out->witness_count++] =
			    q->witnesses[i].name;
}

void
verification_times(struct verification *v)
{
	AUTO(buf) text = BUF_INIT(sizeof(v->existed_by) - 1);

	time_put(&text, v->claim.time);
	v->lost |= text.failed;
	(void)snprintf(v->existed_by, sizeof(v->existed_by), "%.*s",
	    (int)text.len, (const char *)text.ptr);
	v->out->existed_by = v->claim.time;
	v->out->dated = true;
	if (v->claim.logged && v->claim.head.dated)
		v->out->fresh_since = v->claim.head.fresh_since;
}

static bool
not_fresh(struct error *err, const char *text)
{
	return error_reason(err, ERR_DENIED, "no-fresh-status", "%s", text);
}

/* "41 s", "12 min", "3 h", "5 d". */
static void
age_text(uint64_t seconds, char out[32])
{
	static const struct {
		uint64_t unit;
		const char *name;
	} units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (seconds >= 2 * units[i].unit) {
			(void)snprintf(out, 32, "%llu %s",
			    (unsigned long long)(seconds / units[i].unit),
			    units[i].name);
			return;
		}
	(void)snprintf(out, 32, "%llu s", (unsigned long long)seconds);
}

static uint64_t
age_of(const struct verification *v, uint64_t time)
{
	return v->in->now > time ? v->in->now - time : 0;
}

static bool
extends_ours(
    struct verification *v, const struct checkpoint *head, struct error *err)
{
	const struct checkpoint *ours = &v->claim.head.head;

	if (!v->claim.logged)
		return not_fresh(err, "the model's statement is not logged");
	if (!bytes_equal(head->origin, ours->origin))
		return error_reason(err, ERR_DENIED, "unknown-log",
		    "the checkpoint shown is another log's");
	if (head->size < ours->size)
		return not_fresh(
		    err, "the log shows an older tree than that of the bundle");
	if (proof_verify_consistency(&v->judge.hasher, ours->size, head->size,
		&ours->root, &head->root, &v->in->current->proof, err))
		return true;
	err->reason = "inconsistent";
	return false;
}

/* "current: no withdrawal shown by LOG (not proven), size N[, AGE old]". */
static void
say_online(struct verification *v, const struct quorum_result *r, uint64_t age)
{
	char old[32];

	age_text(age, old);
	(void)snprintf(v->current, sizeof(v->current),
	    "current: no withdrawal shown by %.*s (not proven), size "
	    "%llu%s%s%s",
	    (int)r->head.origin.len, (const char *)r->head.origin.ptr,
	    (unsigned long long)r->head.size, r->dated ? ", " : "",
	    r->dated ? old : "", r->dated ? " old" : "");
}

bool
verification_online(struct verification *v, struct error *err)
{
	struct quorum_result r = {0};
	AUTO(note) note = {0};

	if (!note_parse(v->in->current->checkpoint, &note, err) ||
	    !quorum_verify(
		&v->judge.policy->quorum, &note, v->judge.verifier, &r, err) ||
	    !extends_ours(v, &r.head, err))
		return false;
	if (r.dated && r.fresh_since > v->in->now + CLAIM_CLOCK_SKEW)
		return error_reason(err, ERR_DENIED, "clock",
		    "the log's witnesses are ahead of this machine's clock; "
		    "set the clock");
	believe(v, &r.head, v->in->current->checkpoint);
	v->out->current_by = "online";
	v->out->current_proven = "shown";
	v->out->current_size = r.head.size;
	v->out->current_age = r.dated ? age_of(v, r.fresh_since) : 0;
	v->out->fresh_since = r.dated ? r.fresh_since : 0;
	say_online(v, &r, v->out->current_age);
	return true;
}

static bool
young(struct verification *v, struct error *err)
{
	if (v->out->current_age <= v->rule->fresh_seconds)
		return true;
	return error_reason(err, ERR_DENIED, "no-fresh-status",
	    "what is known of the log is %llu s old; the rule wants at most "
	    "%llu s",
	    (unsigned long long)v->out->current_age,
	    (unsigned long long)v->rule->fresh_seconds);
}

bool
verification_fresh_online(struct verification *v, struct error *err)
{
	if (!v->in->current)
		return not_fresh(err,
		    "the rule wants the log to be asked; verify with --online");
	if (v->out->fresh_since == 0)
		return not_fresh(
		    err, "no witness says how old the log's checkpoint is");
	return young(v, err);
}

bool
verification_fresh_scan(struct verification *v, struct error *err)
{
	const struct verify_scan *s = v->in->scan;
	char old[32];

	if (!s)
		return not_fresh(err,
		    "the rule wants a scan of the whole log, and none is at "
		    "hand: mtlog scan makes it, --state DIR finds it");
	if (!v->claim.logged ||
	    !bytes_equal(s->origin, v->claim.head.head.origin))
		return not_fresh(err, "the scan is of another log");
	if (s->size <= v->claim.entry.index)
		return not_fresh(err, "the scan ends before the model's entry");
	if (s->time > v->in->now + CLAIM_CLOCK_SKEW)
		return error_reason(err, ERR_DENIED, "clock",
		    "the scan is from the future; set the clock");
	if (!s->dated)
		return not_fresh(err,
		    "no witness says how old the checkpoint of the scan is");
	if (!s->covers)
		return not_fresh(err,
		    "the scan did not look for all signers of this policy; "
		    "scan again with it");
	if (!s->complete)
		return error_reason(err, ERR_DENIED, "no-fresh-status",
		    "the scan is incomplete: %llu entries of our signers are "
		    "without their envelope, first entry %llu",
		    (unsigned long long)s->missing,
		    (unsigned long long)s->missing_first);
	if (!s->has_newest || !hash_equal(&s->newest, &v->claim.digest))
		return error_reason(err, ERR_DENIED, "superseded",
		    "the scan found a newer statement of this name");
	v->out->current_by = "scan";
	v->out->current_proven = "proven";
	v->out->current_size = s->size;
	v->out->current_age = age_of(v, s->time);
	age_text(v->out->current_age, old);
	(void)snprintf(v->current, sizeof(v->current),
	    "current: proven up to size %llu, %s old",
	    (unsigned long long)s->size, old);
	return young(v, err);
}

bool
verification_fresh_status(struct verification *v, struct error *err)
{
	const struct claim *status;
	struct bytes party;
	char old[32];

	if (!evidence_status(
		&v->judge, &v->evidence, v->rule, &v->claim, &status, err))
		return false;
	party = v->judge.policy->parties[claim_party(status)];
	v->out->current_by = "status";
	v->out->current_proven = "stated";
	v->out->current_size = status->statement.tree_size;
	v->out->current_age = age_of(v, status->statement.checked);
	age_text(v->out->current_age, old);
	(void)snprintf(v->current, sizeof(v->current),
	    "current: stated by %.*s for size %llu, %s old", (int)party.len,
	    (const char *)party.ptr, (unsigned long long)v->out->current_size,
	    old);
	return true;
}

static bool
contradicts(struct error *err, const char *text)
{
	return error_reason(err, ERR_CONFLICT, "inconsistent", "%s", text);
}

bool
verification_memory(struct verification *v, struct error *err)
{
	const struct verify_state *s = v->in->state;
	const struct claim *c = &v->claim;
	struct verify_memory m = {0};

	if (!c->logged)
		return true;
	if (!s->recall(s->arg, c->head.head.origin,
		c->statement.subjects[0].name, &m, err))
		return false;
	if (m.has_pin && c->head.head.size == m.pin_size &&
	    !hash_equal(&c->head.head.root, &m.pin_root))
		return contradicts(err,
		    "the log signed another tree of this size before: it "
		    "forked; keep both checkpoints");
	if (!m.has_last)
		return true;
	if (c->entry.index == m.last_index &&
	    !hash_equal(&m.last_statement, &c->digest))
		return contradicts(err,
		    "the log had another statement at this index before: it "
		    "forked; keep both bundles");
	if (c->entry.index < m.last_index)
		return error_reason(err, ERR_DENIED, "rollback",
		    "entry %llu is older than entry %llu, which was accepted "
		    "for this name before",
		    (unsigned long long)c->entry.index,
		    (unsigned long long)m.last_index);
	return true;
}

bool
verification_manifest(struct verification *v, struct error *err)
{
	const struct statement *s = &v->claim.statement;

	if (s->kind == STATEMENT_MODEL_V02
		? !manifest_from_v02(s, &v->manifest, err)
		: !manifest_parse(
		      s->predicate, &s->subjects[0].digest, &v->manifest, err))
		return false;
	return manifest_group(&v->manifest, &v->files, err);
}
