/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_CORE_VERIFY_CHANGES_H
#define MTLOG_TESTS_CORE_VERIFY_CHANGES_H

#include "tests/core/verify/changes_scan.h"
#include "tests/core/verify/scene.h"

/*
 * What can be wrong with a scene that is accepted: by requirement of verify.c,
 * changes that only this requirement refuses. The table is at the end.
 */

/* --- policy --- */

static void
policy_expired(struct scene *s)
{
	s->expires = NOW;
}

static void
policy_older(struct scene *s)
{
	s->serial = 6;
}

static void
policy_without_serial(struct scene *s)
{
	s->serial = 0;
}

/* --- bundle --- */

static void
empty_json(struct buf *json)
{
	json->len = 0;
}

static void
cut_json(struct buf *json)
{
	json->len--;
}

static void
trailing_json(struct buf *json)
{
	buf_put_str(json, "{}");
}

/* Replaces the first `from`, which must be there, with `to`. */
static void
replace(struct buf *json, const char *from, const char *to)
{
	AUTO(buf) old = BUF_INIT(BUNDLE_MAX_LEN);
	struct bytes all;
	size_t n = strlen(from);

	buf_put(&old, buf_bytes(json));
	all = buf_bytes(&old);
	for (size_t i = 0; i + n <= all.len; i++) {
		if (memcmp(all.ptr + i, from, n) != 0)
			continue;
		buf_clear(json);
		buf_put(json, bytes_slice(all, 0, i));
		buf_put_str(json, to);
		buf_put(json, bytes_slice(all, i + n, all.len));
		return;
	}
	fail_msg("no %s in the bundle", from);
}

static void
second_signature(struct buf *json)
{
	replace(
	    json, "\"signatures\":[", "\"signatures\":[{\"sig\":\"AAAA\"},");
}

static void
envelope_twice(struct buf *json)
{
	replace(json, "\"dsseEnvelope\":{",
	    "\"dsseEnvelope\":{},\"dsseEnvelope\":{");
}

static void
other_media_type(struct buf *json)
{
	replace(json, "v0.3+json", "v0.9+json");
}

static void
bundle_empty(struct scene *s)
{
	s->spoil_json = empty_json;
}

static void
bundle_cut(struct scene *s)
{
	s->spoil_json = cut_json;
}

static void
bundle_trailing(struct scene *s)
{
	s->spoil_json = trailing_json;
}

static void
bundle_two_signatures(struct scene *s)
{
	s->spoil_json = second_signature;
}

static void
bundle_duplicate(struct scene *s)
{
	s->spoil_json = envelope_twice;
}

static void
bundle_media_type(struct scene *s)
{
	s->spoil_json = other_media_type;
}

/* --- statement --- */

static void
payload_type(struct scene *s)
{
	s->payload_type = "text/plain";
}

#define HEX64 "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

static void
statement_approval(struct scene *s)
{
	s->payload =
	    BYTES_LIT("{\"_type\":\"https://in-toto.io/Statement/v1\","
		      "\"subject\":[{\"name\":\"" NAME "\",\"digest\":"
		      "{\"sha256\":\"" HEX64 "\"}}],\"predicateType\":"
		      "\"https://mtlog/approval/v1\","
		      "\"predicate\":{\"role\":\"r\",\"comment\":\"\"}}");
}

static void
statement_unknown(struct scene *s)
{
	s->payload = BYTES_LIT("{\"_type\":\"https://in-toto.io/Statement/v1\","
			       "\"subject\":[{\"name\":\"" NAME "\",\"digest\":"
			       "{\"sha256\":\"" HEX64 "\"}}],\"predicateType\":"
			       "\"https://model_signing/signature/v2.0\","
			       "\"predicate\":{}}");
}

static void
statement_old(struct scene *s)
{
	s->payload = BYTES_LIT(
	    "{\"_type\":\"https://in-toto.io/Statement/v1\","
	    "\"subject\":[{\"name\":\"" NAME "\",\"digest\":"
	    "{\"sha256\":\"" HEX64 "\"},\"annotations\":"
	    "{\"actual_hash_algorithm\":\"file-sha256\"}}],\"predicateType\":"
	    "\"https://model_signing/Digests/v0.1\","
	    "\"predicate\":{\"unused\":\"\"}}");
}

/* Who was not asked to read 0.2 does not take its way of signing, either. */
static void
signed_the_old_way(struct scene *s)
{
	s->v02 = true;
}

static void
signed_the_old_way_allowed(struct scene *s)
{
	s->v02 = s->allow_v02 = true;
}

static void
statement_malformed(struct scene *s)
{
	s->payload = BYTES_LIT("{\"_type\":");
}

/* --- name, rule, denied, material --- */

static void
other_name(struct scene *s)
{
	s->asked_name = NAME "2";
}

static void
longer_name(struct scene *s)
{
	s->asked_name = NAME "/";
}

static void
other_version(struct scene *s)
{
	s->asked_version = "1.1";
}

static void
no_rule(struct scene *s)
{
	s->pattern = "acme/prod";
}

static void
denied_statement(struct scene *s)
{
	s->deny_what = NULL;
}

static void
key_for_certificates(struct scene *s)
{
	s->with = WITH_KEY;
}

static void
certificate_for_keys(struct scene *s)
{
	s->credential = WITH_KEY;
}

/* --- signature --- */

static void
last_bit(struct bundle *b)
{
	/* The views are of buffers of the scene's own. */
	((uint8_t *)(uintptr_t)
		b->envelope.signature.ptr)[b->envelope.signature.len - 1] ^= 1;
}

/* The version "1.0" becomes "1.1". */
static void
other_payload(struct bundle *b)
{
	uint8_t *p = (uint8_t *)(uintptr_t)b->envelope.payload.ptr;
	const char *text = "\"version\":\"1.0";

	for (size_t i = 0; i + 14 < b->envelope.payload.len; i++)
		if (memcmp(p + i, text, 14) == 0)
			p[i + 13] = '1';
}

static void
no_signature(struct bundle *b)
{
	b->envelope.signature = BYTES_LIT("0");
}

static void
other_hint(struct bundle *b)
{
	b->hint = BYTES_LIT(HEX64);
}

/* Nothing but the clock dates the signature, which is good now as well. */
static void
undated(struct scene *s)
{
	s->until = 0;
	s->leaf.until = NOW + DAY;
}

/* No log is of use, and nothing wants one that need not. */
static void
logless(struct scene *s)
{
	undated(s);
	s->below = 0;
	s->approved_by = NULL;
	s->online = false;
	s->current_more = UINT64_MAX;
}

/* All that a rule for keys leaves of the scene. */
static void
by_key(struct scene *s)
{
	s->with = WITH_KEY;
	s->credential = WITH_KEY;
}

static void
signature_spoiled(struct scene *s)
{
	/* Not logged, so that no later requirement sees the difference. */
	logless(s);
	s->no_entry = true;
	s->logged = "no";
	s->spoil_bundle = last_bit;
}

static void
signature_short(struct scene *s)
{
	signature_spoiled(s);
	s->spoil_bundle = no_signature;
}

static void
payload_changed(struct scene *s)
{
	signature_spoiled(s);
	s->spoil_bundle = other_payload;
	s->asked_version = "1.1";
}

static void
signature_of_key(struct scene *s)
{
	by_key(s);
	s->spoil_bundle = last_bit;
}

static void
hint_of_another(struct scene *s)
{
	by_key(s);
	s->spoil_bundle = other_hint;
}

static void
by_eve(struct scene *s)
{
	by_key(s);
	s->by = EVE;
	s->no_hint = true;
}

static void
denied_key(struct scene *s)
{
	s->deny = "key";
	s->deny_what = &s->parties->ids[CI];
}

/* --- signer --- */

static void
by_alice(struct scene *s)
{
	by_key(s);
	s->by = ALICE;
	s->approved_by = NULL;
}

static void
other_identity(struct scene *s)
{
	s->identity = "email:ci@acme.example.org";
}

static void
other_kind_of_identity(struct scene *s)
{
	s->identity = "dns:ci@acme.example";
}

static void
issuer_wanted(struct scene *s)
{
	s->identity = IDENTITY " issuer https://issuer.example";
}

/* --- entry, inclusion, checkpoint, quorum --- */

static void
no_entry(struct scene *s)
{
	logless(s);
	s->no_entry = true;
}

static void
entry_of_another(struct scene *s)
{
	s->entry_of_evidence = true;
}

static void
other_body(struct tle *t)
{
	t->body.len--;
}

static void
entry_cut(struct scene *s)
{
	s->spoil_entry = other_body;
}

/* Unlogged models are judged by what is in their bundle, too. */
static void
made_up_entry(struct scene *s)
{
	s->logged = "no";
	s->entry_of_evidence = true;
}

static void
hash_flipped(struct tle *t)
{
	t->proof.hashes[0].b[31] ^= 1;
}

static void
next_index(struct tle *t)
{
	t->index++;
}

static void
hash_missing(struct tle *t)
{
	t->proof.len--;
}

static void
other_root(struct tle *t)
{
	t->root.b[0] ^= 1;
}

static void
other_size(struct tle *t)
{
	t->size--;
}

static void
proof_flipped(struct scene *s)
{
	s->spoil_entry = hash_flipped;
}

static void
proof_index(struct scene *s)
{
	s->spoil_entry = next_index;
	s->below = 0;
}

static void
proof_short(struct scene *s)
{
	s->spoil_entry = hash_missing;
}

static void
proof_root(struct scene *s)
{
	s->spoil_entry = other_root;
}

static void
proof_size(struct scene *s)
{
	s->spoil_entry = other_size;
}

static void
log_unknown(struct scene *s)
{
	logless(s);
	s->knows_log = false;
	s->knows_other_log = true;
}

/* The last `"` ends a note of one line's worth of base64 each. */
static uint8_t spoiled_note[NOTE_MAX_LEN];

static void
spoil_line(struct tle *t, const char *name)
{
	size_t n = strlen(name);

	memcpy(spoiled_note, t->checkpoint.ptr, t->checkpoint.len);
	for (size_t i = t->checkpoint.len - n; i > 0; i--)
		if (memcmp(spoiled_note + i, name, n) == 0) {
			/* Within the signature, behind name and key ID. */
			uint8_t *c = &spoiled_note[i + n + 40];

			*c = *c == 'A' ? 'B' : 'A';
			t->checkpoint.ptr = spoiled_note;
			return;
		}
	fail_msg("%s has not signed", name);
}

static void
spoil_log_line(struct tle *t)
{
	spoil_line(t, "\xe2\x80\x94 " ORIGIN);
}

static void
spoil_witness_line(struct tle *t)
{
	spoil_line(t, "\xe2\x80\x94 w3.example");
}

static void
log_forged(struct scene *s)
{
	s->spoil_entry = spoil_log_line;
}

static void
witness_forged(struct scene *s)
{
	s->cosigned[2] = SIGNED;
	s->spoil_entry = spoil_witness_line;
}

static void
quorum_of_one(struct scene *s)
{
	s->approved_by = NULL;
	undated(s);
	s->cosigned[1] = 0;
}

static void
quorum_of_none(struct scene *s)
{
	s->approved_by = NULL;
	undated(s);
	s->cosigned[0] = s->cosigned[1] = 0;
}

/* --- time, certificate, limits --- */

static void
witnesses_ahead(struct scene *s)
{
	undated(s);
	s->approved_by = NULL;
	s->cosigned[0] = s->cosigned[1] = NOW + CLAIM_CLOCK_SKEW + 1;
}

static void
garbage_token(struct bundle *b)
{
	b->timestamps[b->timestamp_count++] = BYTES_LIT("0\x03\x02\x01");
}

static void
stamp_garbage(struct scene *s)
{
	s->spoil_bundle = garbage_token;
}

static void
chain_to_another(struct scene *s)
{
	s->anchor = OTHER_ROOT;
}

static void
chain_of_ci(struct scene *s)
{
	s->leaf.issuer = CI;
}

static void
certificate_ended(struct scene *s)
{
	s->leaf.until = SIGNED - 1;
}

static void
certificate_begins(struct scene *s)
{
	s->leaf.from = SIGNED + 1;
}

static void
certificate_of_server(struct scene *s)
{
	s->leaf.usage = "serverAuth";
}

static void
certificate_before_ca(struct scene *s)
{
	s->leaf.from = s->root.from - 1;
}

/* Without a witnessed time the clock's counts. */
static void
certificate_ended_since(struct scene *s)
{
	s->quorum = "none";
	s->until = 0;
	s->fresh = NULL;
}

static void
until_passed(struct scene *s)
{
	s->until = SIGNED;
}

static void
until_passed_key(struct scene *s)
{
	by_key(s);
	s->until = SIGNED;
}

static void
above_below(struct scene *s)
{
	s->below = MODEL_INDEX;
}

/* --- withdrawn, approvals --- */

static void
withdrawn(struct scene *s)
{
	s->evidence[3].of_other = false;
}

static void
withdrawn_unlogged(struct scene *s)
{
	withdrawn(s);
	s->evidence[3].unlogged = true;
}

/* A certificate that has ended since withdraws all the same. */
static void
withdrawn_by_certificate(struct scene *s)
{
	s->evidence[3] = (struct scene_evidence){.kind = STATEMENT_WITHDRAWAL,
	    .by = CI,
	    .certified = true,
	    .unlogged = true};
}

/* The signer need not be on the line; an approver need not, either. */
static void
withdrawn_by_signer(struct scene *s)
{
	by_key(s);
	s->withdrawn_by = NULL;
	s->evidence[3].by = CI;
	s->evidence[3].of_other = false;
}

static void
withdrawn_by_approver(struct scene *s)
{
	s->withdrawn_by = NULL;
	s->evidence[3].by = BOB;
	s->evidence[3].of_other = false;
}

static void
key_revoked(struct scene *s)
{
	s->evidence[3] = (struct scene_evidence){
	    .kind = STATEMENT_REVOCATION, .by = WATCHER, .earlier = true};
}

static void
key_revoked_unlogged(struct scene *s)
{
	s->evidence[3] = (struct scene_evidence){
	    .kind = STATEMENT_REVOCATION, .by = WATCHER, .unlogged = true};
}

static void
key_revoked_itself(struct scene *s)
{
	by_key(s);
	s->withdrawn_by = NULL;
	s->evidence[3] = (struct scene_evidence){
	    .kind = STATEMENT_REVOCATION, .by = CI, .earlier = true};
}

static void
not_approved(struct scene *s)
{
	s->evidence[0].kind = 0;
}

static void
too_few_approvals(struct scene *s)
{
	s->approved_by = "all alice bob";
}

static void
approval_of_another(struct scene *s)
{
	s->evidence[0].of_other = true;
}

static void
approval_of_another_name(struct scene *s)
{
	s->evidence[0].of_name_only = true;
}

static void
approval_unlogged(struct scene *s)
{
	s->evidence[0].unlogged = true;
}

static void
approval_forged(struct scene *s)
{
	s->evidence[0].spoiled = true;
}

static void
approval_by_eve(struct scene *s)
{
	s->evidence[0].by = EVE;
}

static void
approval_by_watcher(struct scene *s)
{
	s->evidence[0].by = WATCHER;
}

static void
approval_by_signer(struct scene *s)
{
	by_key(s);
	s->approved_by = "any ci bob";
	s->evidence[0].by = CI;
}

static void
one_approver_twice(struct scene *s)
{
	s->approved_by = "2 alice bob";
	s->evidence[2] = s->evidence[0];
}

static void
withdrawal_as_approval(struct scene *s)
{
	s->evidence[0].kind = STATEMENT_WITHDRAWAL;
	s->evidence[0].of_other = true;
}

/* --- current, rollback --- */

static void
log_silent(struct scene *s)
{
	s->current_more = UINT64_MAX;
}

static void
log_forked(struct scene *s)
{
	s->current_forked = true;
}

static void
log_forked_now(struct scene *s)
{
	s->current_forked = true;
	s->current_more = 0;
}

static void
log_another(struct scene *s)
{
	s->knows_other_log = true;
	s->current_log = OTHER_LOG;
}

static void
log_unknown_now(struct scene *s)
{
	s->current_log = OTHER_LOG;
}

static void
current_quorum(struct scene *s)
{
	s->current_cosigned[0] = 0;
}

static void
current_ahead(struct scene *s)
{
	s->current_cosigned[0] = s->current_cosigned[2] =
	    NOW + CLAIM_CLOCK_SKEW + 1;
}

static void
no_status(struct scene *s)
{
	s->evidence[1].kind = 0;
}

static void
status_old(struct scene *s)
{
	s->evidence[1].age = DAY + 1;
}

static void
status_ahead(struct scene *s)
{
	s->evidence[1].age = (uint64_t)0 - CLAIM_CLOCK_SKEW - 1;
}

static void
status_by_alice(struct scene *s)
{
	s->evidence[1].by = ALICE;
}

static void
status_incomplete(struct scene *s)
{
	s->evidence[1].incomplete = true;
}

static void
status_of_another_log(struct scene *s)
{
	s->evidence[1].log = "other.example";
}

static void
status_before_model(struct scene *s)
{
	s->evidence[1].tree_size = MODEL_INDEX;
}

static void
status_of_another(struct scene *s)
{
	s->evidence[1].of_name_only = true;
}

static void
status_newer(struct scene *s)
{
	s->evidence[1].of_other = true;
}

static void
status_withdraws(struct scene *s)
{
	s->evidence[1].withdraws = true;
}

static void
status_revokes(struct scene *s)
{
	s->evidence[1].revokes = true;
}

static void
status_withdraws_approval(struct scene *s)
{
	s->evidence[1].withdraws_approval = true;
}

static void
status_revokes_approver(struct scene *s)
{
	s->evidence[1].revokes_approval = true;
}

static void
never_online(struct scene *s)
{
	s->online = false;
	s->current_more = UINT64_MAX;
	s->fresh = "1h online";
}

static void
online_too_old(struct scene *s)
{
	s->fresh = "1h online";
	s->current_cosigned[0] = s->current_cosigned[2] = NOW - 3601;
}

static void
never_scanned(struct scene *s)
{
	s->fresh = "1h scan";
}

static void
entry_before_last(struct scene *s)
{
	s->memory.last_index = MODEL_INDEX + 1;
}

static void
entry_replaced(struct scene *s)
{
	s->memory.last_index = MODEL_INDEX;
}

static void
tree_replaced(struct scene *s)
{
	s->memory.pin_size = MODEL_INDEX + 1 + SCENE_EVIDENCE;
}

static void
memory_lost(struct scene *s)
{
	s->recall_fails = true;
}

/* --- manifest, files, unsigned, hold --- */

static void
root_of_others(struct scene *s)
{
	s->wrong_root = true;
}

static void
file_twice(struct scene *s)
{
	s->file = "config.json";
}

static void
file_above(struct scene *s)
{
	s->file = "../weights";
}

/* Of the two bytes "{}". */
static const struct hash config = {
    {0x44, 0x13, 0x6f, 0xa3, 0x55, 0xb3, 0x67, 0x8a, 0x11, 0x46, 0xad, 0x16,
	0xf7, 0xe8, 0x64, 0x9e, 0x94, 0xfb, 0x4f, 0xc2, 0x1f, 0xe7, 0x7e, 0x83,
	0x10, 0xc0, 0x60, 0xf6, 0x1c, 0xaa, 0xff, 0x8a}};

static void
denied_file(struct scene *s)
{
	s->deny = "file";
	s->deny_what = &config;
}

static void
file_changed(struct scene *s)
{
	s->disk.changed = 1;
}

static void
file_missing(struct scene *s)
{
	s->disk.missing = 1;
}

static void
file_unchecked(struct scene *s)
{
	s->disk.unchecked = 1;
}

static void
nothing_listed(struct scene *s)
{
	s->disk.none_listed = true;
}

static void
disk_fails(struct scene *s)
{
	s->disk.fails = true;
}

static void
file_unsigned(struct scene *s)
{
	s->disk.unsigned_files = 1;
}

static void
held_less(struct scene *s)
{
	s->disk.hold = HOLD_LEASE;
}

static void
held_less_than_asked(struct scene *s)
{
	s->hold = HOLD_COPY;
}

/* Each: the row, what is changed, and the words of the refusal. */
static const struct {
	const char *row;
	void (*change)(struct scene *s);
	enum verdict_code code;
	const char *reason;
} refusals[] = {
    {"policy", policy_expired, VERDICT_CLOCK, "policy-expired"},
    {"policy", policy_older, VERDICT_CLOCK, "policy-rollback"},
    {"policy", policy_without_serial, VERDICT_CLOCK, "policy-rollback"},
    {"bundle", bundle_empty, VERDICT_NO_USABLE_SIGNATURE, "malformed-bundle"},
    {"bundle", bundle_cut, VERDICT_NO_USABLE_SIGNATURE, "malformed-bundle"},
    {"bundle", bundle_trailing, VERDICT_NO_USABLE_SIGNATURE,
	"malformed-bundle"},
    {"bundle", bundle_two_signatures, VERDICT_NO_USABLE_SIGNATURE,
	"malformed-bundle"},
    {"bundle", bundle_duplicate, VERDICT_NO_USABLE_SIGNATURE,
	"malformed-bundle"},
    {"bundle", bundle_media_type, VERDICT_NO_USABLE_SIGNATURE,
	"malformed-bundle"},
    {"statement", payload_type, VERDICT_NO_USABLE_SIGNATURE,
	"wrong-statement-type"},
    {"statement", statement_approval, VERDICT_NO_USABLE_SIGNATURE,
	"wrong-statement-type"},
    {"statement", statement_unknown, VERDICT_NO_USABLE_SIGNATURE,
	"wrong-statement-type"},
    {"statement", statement_old, VERDICT_NO_USABLE_SIGNATURE,
	"wrong-statement-type"},
    {"statement", statement_malformed, VERDICT_NO_USABLE_SIGNATURE,
	"malformed-statement"},
    {"name", other_name, VERDICT_NOT_ALLOWED, "wrong-name"},
    {"name", longer_name, VERDICT_NOT_ALLOWED, "wrong-name"},
    {"name", other_version, VERDICT_NOT_ALLOWED, "wrong-name"},
    {"rule", no_rule, VERDICT_NOT_ALLOWED, "no-rule"},
    {"denied", denied_statement, VERDICT_NOT_ALLOWED, "denied"},
    {"material", key_for_certificates, VERDICT_NOT_ALLOWED, "wrong-signer"},
    {"material", certificate_for_keys, VERDICT_NOT_ALLOWED, "wrong-signer"},
    {"signature", signature_spoiled, VERDICT_BAD_SIGNATURE, "signature"},
    {"signature", signature_short, VERDICT_BAD_SIGNATURE, "signature"},
    {"signature", payload_changed, VERDICT_BAD_SIGNATURE, "signature"},
    {"signature", signed_the_old_way, VERDICT_BAD_SIGNATURE, "signature"},
    {"signature", signed_the_old_way_allowed, VERDICT_BAD_SIGNATURE,
	"signature"},
    {"signature", signature_of_key, VERDICT_BAD_SIGNATURE, "signature"},
    {"signature", hint_of_another, VERDICT_BAD_SIGNATURE, "hint-mismatch"},
    {"signature", by_eve, VERDICT_BAD_SIGNATURE, "signature"},
    {"signature", denied_key, VERDICT_NOT_ALLOWED, "denied"},
    {"signer", by_alice, VERDICT_NOT_ALLOWED, "wrong-signer"},
    {"signer", other_identity, VERDICT_NOT_ALLOWED, "wrong-signer"},
    {"signer", other_kind_of_identity, VERDICT_NOT_ALLOWED, "wrong-signer"},
    {"signer", issuer_wanted, VERDICT_NOT_ALLOWED, "wrong-signer"},
    {"entry", no_entry, VERDICT_NOT_LOGGED, "no-entry"},
    {"entry", entry_of_another, VERDICT_NOT_LOGGED, "wrong-entry"},
    {"entry", entry_cut, VERDICT_NOT_LOGGED, "wrong-entry"},
    {"entry", made_up_entry, VERDICT_NOT_LOGGED, "wrong-entry"},
    {"inclusion", proof_flipped, VERDICT_NOT_LOGGED, "inclusion"},
    {"inclusion", proof_index, VERDICT_NOT_LOGGED, "inclusion"},
    {"inclusion", proof_short, VERDICT_NOT_LOGGED, "inclusion"},
    {"inclusion", proof_root, VERDICT_NOT_LOGGED, "inclusion"},
    {"inclusion", proof_size, VERDICT_NOT_LOGGED, "inclusion"},
    {"checkpoint", log_unknown, VERDICT_UNTRUSTED_CHECKPOINT, "unknown-log"},
    {"checkpoint", log_forged, VERDICT_UNTRUSTED_CHECKPOINT, "log-signature"},
    {"checkpoint", witness_forged, VERDICT_UNTRUSTED_CHECKPOINT, "cosignature"},
    {"quorum", quorum_of_one, VERDICT_UNTRUSTED_CHECKPOINT, "quorum"},
    {"quorum", quorum_of_none, VERDICT_UNTRUSTED_CHECKPOINT, "quorum"},
    {"time", witnesses_ahead, VERDICT_CLOCK, "clock"},
    {"time", stamp_garbage, VERDICT_BAD_TIME_OR_CHAIN, "timestamp"},
    {"certificate", chain_to_another, VERDICT_BAD_TIME_OR_CHAIN, "chain"},
    {"certificate", chain_of_ci, VERDICT_BAD_TIME_OR_CHAIN, "chain"},
    {"certificate", certificate_ended, VERDICT_BAD_TIME_OR_CHAIN, "expired"},
    {"certificate", certificate_begins, VERDICT_BAD_TIME_OR_CHAIN,
	"not-yet-valid"},
    {"certificate", certificate_of_server, VERDICT_BAD_TIME_OR_CHAIN,
	"key-usage"},
    {"certificate", certificate_before_ca, VERDICT_BAD_TIME_OR_CHAIN, "chain"},
    {"certificate", certificate_ended_since, VERDICT_BAD_TIME_OR_CHAIN,
	"expired"},
    {"limits", until_passed, VERDICT_BAD_TIME_OR_CHAIN, "expired"},
    {"limits", until_passed_key, VERDICT_BAD_TIME_OR_CHAIN, "expired"},
    {"limits", above_below, VERDICT_NOT_ALLOWED, "wrong-signer"},
    {"withdrawn", withdrawn, VERDICT_NOT_CURRENT, "withdrawn"},
    {"withdrawn", withdrawn_unlogged, VERDICT_NOT_CURRENT, "withdrawn"},
    {"withdrawn", withdrawn_by_certificate, VERDICT_NOT_CURRENT, "withdrawn"},
    {"withdrawn", withdrawn_by_signer, VERDICT_NOT_CURRENT, "withdrawn"},
    {"withdrawn", withdrawn_by_approver, VERDICT_NOT_CURRENT, "withdrawn"},
    {"withdrawn", key_revoked, VERDICT_NOT_CURRENT, "key-revoked"},
    {"withdrawn", key_revoked_unlogged, VERDICT_NOT_CURRENT, "key-revoked"},
    {"withdrawn", key_revoked_itself, VERDICT_NOT_CURRENT, "key-revoked"},
    {"approvals", not_approved, VERDICT_NOT_ALLOWED, "approval-missing"},
    {"approvals", too_few_approvals, VERDICT_NOT_ALLOWED, "approval-missing"},
    {"approvals", approval_of_another, VERDICT_NOT_ALLOWED, "approval-missing"},
    {"approvals", approval_of_another_name, VERDICT_NOT_ALLOWED,
	"approval-missing"},
    {"approvals", approval_unlogged, VERDICT_NOT_ALLOWED, "approval-missing"},
    {"approvals", approval_forged, VERDICT_NOT_ALLOWED, "approval-missing"},
    {"approvals", approval_by_eve, VERDICT_NOT_ALLOWED, "approval-missing"},
    {"approvals", approval_by_watcher, VERDICT_NOT_ALLOWED, "approval-missing"},
    {"approvals", approval_by_signer, VERDICT_NOT_ALLOWED, "approval-missing"},
    {"approvals", one_approver_twice, VERDICT_NOT_ALLOWED, "approval-missing"},
    {"approvals", withdrawal_as_approval, VERDICT_NOT_ALLOWED,
	"approval-missing"},
    {"current", log_silent, VERDICT_NETWORK, "network"},
    {"current", log_forked, VERDICT_LOG_FORK, "inconsistent"},
    {"current", log_forked_now, VERDICT_LOG_FORK, "inconsistent"},
    {"current", log_another, VERDICT_UNTRUSTED_CHECKPOINT, "unknown-log"},
    {"current", log_unknown_now, VERDICT_UNTRUSTED_CHECKPOINT, "unknown-log"},
    {"current", current_quorum, VERDICT_UNTRUSTED_CHECKPOINT, "quorum"},
    {"current", current_ahead, VERDICT_CLOCK, "clock"},
    {"current", no_status, VERDICT_NOT_CURRENT, "no-fresh-status"},
    {"current", status_old, VERDICT_NOT_CURRENT, "status-expired"},
    {"current", status_ahead, VERDICT_CLOCK, "clock"},
    {"current", status_by_alice, VERDICT_NOT_CURRENT, "no-fresh-status"},
    {"current", status_incomplete, VERDICT_NOT_CURRENT, "no-fresh-status"},
    {"current", status_of_another_log, VERDICT_NOT_CURRENT, "no-fresh-status"},
    {"current", status_before_model, VERDICT_NOT_CURRENT, "no-fresh-status"},
    {"current", status_of_another, VERDICT_NOT_CURRENT, "no-fresh-status"},
    {"current", status_newer, VERDICT_NOT_CURRENT, "superseded"},
    {"current", status_withdraws, VERDICT_NOT_CURRENT, "withdrawn"},
    {"current", status_revokes, VERDICT_NOT_CURRENT, "key-revoked"},
    {"current", status_withdraws_approval, VERDICT_NOT_CURRENT, "withdrawn"},
    {"current", status_revokes_approver, VERDICT_NOT_CURRENT, "withdrawn"},
    {"current", never_online, VERDICT_NOT_CURRENT, "no-fresh-status"},
    {"current", online_too_old, VERDICT_NOT_CURRENT, "no-fresh-status"},
    {"current", never_scanned, VERDICT_NOT_CURRENT, "no-fresh-status"},
    {"current", scan_of_another_log, VERDICT_NOT_CURRENT, "no-fresh-status"},
    {"current", scan_before_model, VERDICT_NOT_CURRENT, "no-fresh-status"},
    {"current", scan_ahead, VERDICT_CLOCK, "clock"},
    {"current", scan_old, VERDICT_NOT_CURRENT, "no-fresh-status"},
    {"current", scan_undated, VERDICT_NOT_CURRENT, "no-fresh-status"},
    {"current", scan_of_other_signers, VERDICT_NOT_CURRENT, "no-fresh-status"},
    {"current", scan_incomplete, VERDICT_NOT_CURRENT, "no-fresh-status"},
    {"current", scan_found_newer, VERDICT_NOT_CURRENT, "superseded"},
    {"current", scan_found_nothing, VERDICT_NOT_CURRENT, "superseded"},
    {"rollback", entry_before_last, VERDICT_NOT_CURRENT, "rollback"},
    {"rollback", entry_replaced, VERDICT_LOG_FORK, "inconsistent"},
    {"rollback", tree_replaced, VERDICT_LOG_FORK, "inconsistent"},
    {"rollback", memory_lost, VERDICT_LOCAL_IO, "permission"},
    {"manifest", root_of_others, VERDICT_CONTENT_MISMATCH, "root-mismatch"},
    {"manifest", file_twice, VERDICT_NO_USABLE_SIGNATURE,
	"malformed-statement"},
    {"manifest", file_above, VERDICT_NO_USABLE_SIGNATURE,
	"malformed-statement"},
    {"manifest", denied_file, VERDICT_NOT_ALLOWED, "denied"},
    {"files", file_changed, VERDICT_CONTENT_MISMATCH, "file-changed"},
    {"files", file_missing, VERDICT_CONTENT_MISMATCH, "file-missing"},
    {"files", file_unchecked, VERDICT_INTERNAL, "internal"},
    {"files", nothing_listed, VERDICT_INTERNAL, "internal"},
    {"files", disk_fails, VERDICT_LOCAL_IO, "too-many-files"},
    {"unsigned", file_unsigned, VERDICT_CONTENT_MISMATCH, "file-unsigned"},
    {"hold", held_less, VERDICT_HOLD_UNAVAILABLE, "hold-unavailable"},
    {"hold", held_less_than_asked, VERDICT_HOLD_UNAVAILABLE,
	"hold-unavailable"},
};

#define REFUSALS (sizeof(refusals) / sizeof(refusals[0]))

#endif
