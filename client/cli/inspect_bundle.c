/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/inspect_parts.h"
#include "core/base/cleanup.h"
#include "core/model/bundle.h"
#include "core/model/manifest.h"
#include "core/model/statement.h"
#include "core/model/tle.h"

/* Bundles and the statements in them. */

#define FILES_SHOWN    20
#define SUBJECTS_SHOWN 20

static void
claim_manifest(struct report *r, const struct statement *s)
{
	struct manifest_files files;
	struct manifest m = {0};
	struct error why = {0};

	if (!(s->kind == STATEMENT_MODEL_V02
		    ? manifest_from_v02(s, &m, &why)
		    : manifest_parse(
			  s->predicate, &s->subjects[0].digest, &m, &why)) ||
	    !manifest_group(&m, &files, &why)) {
		report_claimf(r, "manifest", "cannot be read: %s", why.text);
		manifest_release(&m);
		return;
	}
	if (m.sharded)
		report_claimf(r, "hashed", "%s, in shards of %llu bytes",
		    content_algorithm_name(m.algorithm),
		    (unsigned long long)m.shard_size);
	else
		report_claimf(
		    r, "hashed", "%s", content_algorithm_name(m.algorithm));
	report_claimf(r, "files", "%zu", files.count);
	for (size_t i = 0; i < files.count && i < FILES_SHOWN; i++)
		report_claim(r, "  file", files.files[i].name);
	if (files.count > FILES_SHOWN)
		report_claimf(
		    r, "  files", "%zu more", files.count - FILES_SHOWN);
	for (size_t i = 0; i < m.ignored_count && i < FILES_SHOWN; i++)
		report_claim(r, "ignored", m.ignored[i]);
	manifest_release(&m);
}

static void
claim_subjects(struct report *r, const struct statement *s)
{
	for (size_t i = 0; i < s->subject_count && i < SUBJECTS_SHOWN; i++) {
		report_claim(r, "about", s->subjects[i].name);
		report_claim_hash(r, "  digest", &s->subjects[i].digest);
	}
	if (s->subject_count > SUBJECTS_SHOWN)
		report_claimf(
		    r, "about", "%zu more", s->subject_count - SUBJECTS_SHOWN);
}

static void
claim_side(struct report *r, const struct statement *s)
{
	claim_subjects(r, s);
	if (s->role.len > 0)
		report_claim(r, "role", s->role);
	if (s->reason.len > 0)
		report_claim(r, "reason", s->reason);
	if (s->comment.len > 0)
		report_claim(r, "comment", s->comment);
	if (s->kind == STATEMENT_REVOCATION)
		report_claimf(r, "earlier", "%s",
		    s->earlier_withdrawn ? "withdraw" : "keep");
	if (s->kind != STATEMENT_STATUS)
		return;
	report_claim(r, "log", s->log);
	report_claimf(r, "tree size", "%llu", (unsigned long long)s->tree_size);
	report_claim_time(r, "checked", s->checked);
	report_claimf(r, "complete", "%s", s->complete ? "yes" : "no");
	report_claimf(r, "withdrawn", "%zu", s->withdrawn_count);
	report_claimf(r, "revoked", "%zu", s->revoked_count);
}

static const char *
statement_words(enum statement_kind kind)
{
	switch (kind) {
	case STATEMENT_MODEL:
		return "a model's signature";
	case STATEMENT_MODEL_V02:
		return "a model's signature of model_signing 0.2";
	case STATEMENT_APPROVAL:
		return "an approval";
	case STATEMENT_WITHDRAWAL:
		return "a withdrawal";
	case STATEMENT_REVOCATION:
		return "a key revocation";
	case STATEMENT_STATUS:
		return "a status";
	}
	return "a statement";
}

static void
claim_statement(struct report *r, const struct envelope *e)
{
	struct statement s = {0};
	struct error why = {0};

	if (!statement_parse(e->payload, &s, &why)) {
		buf_put_str(&r->what, ", whose statement cannot be read");
		report_claimf(r, "statement", "%s", why.text);
		statement_release(&s);
		return;
	}
	buf_printf(&r->what, ": %s", statement_words(s.kind));
	if (s.kind == STATEMENT_MODEL) {
		report_claim(r, "name", s.subjects[0].name);
		if (s.version.len > 0)
			report_claim(r, "version", s.version);
		report_claim_hash(r, "root", &s.subjects[0].digest);
	}
	if (s.kind == STATEMENT_MODEL || s.kind == STATEMENT_MODEL_V02)
		claim_manifest(r, &s);
	else
		claim_side(r, &s);
	statement_release(&s);
}

static void
claim_material(struct report *r, const struct bundle *b)
{
	if (b->material == BUNDLE_KEY) {
		report_claimf(r, "signed with", "a key that is not in it");
		if (b->hint.len > 0)
			report_claim(r, "  hint", b->hint);
		return;
	}
	for (size_t i = 0; i < b->certificate_count; i++)
		inspect_certificate(r, b->certificates[i]);
}

static void
claim_entries(struct report *r, const struct bundle *b)
{
	if (b->entry_count == 0)
		report_computedf(r, "log entries", "none");
	for (size_t i = 0; i < b->entry_count; i++) {
		AUTO(tle) t = {0};
		struct error why = {0};

		if (!tle_parse(b->entries[i], &t, &why)) {
			report_claimf(r, "log entry",
			    "of a kind not read here: %s", why.text);
			continue;
		}
		report_claimf(
		    r, "log entry", "%llu", (unsigned long long)t.index);
		inspect_checkpoint(r, t.checkpoint);
	}
	if (b->timestamp_count > 0)
		report_computedf(r, "time stamps", "%zu", b->timestamp_count);
}

bool
inspect_bundle(struct report *r, struct bytes text, struct error *err)
{
	struct bundle b = {0};
	struct hash s;
	bool ok = bundle_parse(text, &b, err) &&
	    dsse_statement_digest(&b.envelope, &s, err);

	if (ok) {
		r->kind = "bundle";
		buf_printf(&r->what, "a Sigstore bundle v0.%u", b.version);
		report_computed_hash(r, "statement S", &s);
		claim_material(r, &b);
		if (bytes_equal(
			b.envelope.payload_type, BYTES_LIT(DSSE_IN_TOTO)))
			claim_statement(r, &b.envelope);
		else
			report_claim(
			    r, "payload type", b.envelope.payload_type);
		claim_entries(r, &b);
	}
	bundle_release(&b);
	return ok;
}
