/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/stat.h>

#include "client/cli/policies.h"
#include "client/cli/proof_parts.h"
#include "client/lib/policy_flags.h"
#include "client/lib/sources.h"
#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/times.h"
#include "core/verify/verdict.h"
#include "io/file.h"

bool
proof_trust_read(
    const struct cli_args *a, struct proof_trust *out, struct error *err)
{
	const char *vkey = cli_value(a, "--vkey");
	const char *policy = cli_value(a, "--policy");

	if (vkey) {
		out->key = calloc(1, sizeof(*out->key));
		if (!out->key)
			return error_set(err, ERR_INTERNAL, "out of memory");
		if (!log_key_read(vkey, out->key, err))
			return false;
	}
	if (!policy)
		return true;
	out->policy = cli_policy_read(policy, err);
	out->quorum = calloc(1, sizeof(*out->quorum));
	if (out->policy && !out->quorum)
		return error_set(err, ERR_INTERNAL, "out of memory");
	return out->policy != NULL;
}

void
proof_trust_release(struct proof_trust *t)
{
	free(t->key);
	cli_policy_close(t->policy);
	free(t->quorum);
	*t = (struct proof_trust){0};
}

bool
proof_only(const struct cli_args *a, bool online, struct error *err)
{
	static const char *const of_log[] = {"--log", "--pins", "--timeout"};

	for (size_t i = 0; i < 3; i++)
		if (!online && cli_value(a, of_log[i]))
			return error_set(err, ERR_USAGE,
			    "%s is for proof export --index: no log is asked "
			    "here",
			    of_log[i]);
	return true;
}

bool
proof_check(struct proof_trust *t, const struct tlog_proof *p,
    struct bytes leaf, struct key_verifier *v, struct error *err)
{
	AUTO(hasher) h = {0};
	struct hash hash;

	if (!hasher_open(&h, err))
		return false;
	merkle_leaf(&h, leaf, &hash);
	if (!hasher_ok(&h, err) ||
	    (t->key &&
		!tlog_proof_verify(p, &hash, t->key, &h, v, &t->head, err)))
		return false;
	if (!t->policy)
		return true;
	if (!quorum_verify_proof(
		&t->policy->quorum, p, &hash, &h, v, t->quorum, err))
		return false;
	t->head = t->quorum->head;
	return true;
}

void
proof_put_witnesses(const struct proof_trust *t, bool json, struct buf *out)
{
	const struct quorum *q = t->policy ? &t->policy->quorum : NULL;
	bool first = true;

	if (json)
		buf_put_str(out, ",\"witnesses\":[");
	for (size_t i = 0; q && i < q->witness_count; i++) {
		if (((t->quorum->cosigned >> i) & 1) == 0)
			continue;
		if (json) {
			buf_put_str(out, first ? "" : ",");
			json_put_string(out, q->witnesses[i].name);
		} else {
			buf_put_str(out, first ? ", cosigned by " : ", ");
			escaped_put(out, q->witnesses[i].name);
		}
		first = false;
	}
	if (json)
		buf_put_u8(out, ']');
	if (!q || !t->quorum->dated) {
		buf_put_str(out, json ? ",\"existedBy\":null" : "");
		return;
	}
	buf_put_str(out, json ? ",\"existedBy\":\"" : ", existed by ");
	time_put(out, t->quorum->existed_by);
	buf_put_str(out, json ? "\"" : "");
}

bool
proof_bundle_read(const char *path, struct bundle *out, struct error *err)
{
	AUTO(buf) text = BUF_INIT(BUNDLE_MAX_LEN);
	struct stat st;
	char *within = NULL;
	bool ok;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
		within = signature_path(path, true);
		if (!within)
			return error_set(err, ERR_INTERNAL, "out of memory");
	}
	ok = file_read(within ? within : path, &text, err) &&
	    (bundle_parse(buf_bytes(&text), out, err) ||
		error_prefix(err, "%s", within ? within : path));
	free(within);
	return ok;
}

bool
proof_bundle_leaf(const struct bundle *b, const struct tle *t, struct buf *out,
    struct error *err)
{
	AUTO(entry) e = {0};

	if (!entry_parse(t->body, &e, err) ||
	    !bundle_leaf(b, e.verifier, out, err))
		return false;
	return bytes_equal(buf_bytes(out), t->body) ||
	    error_reason(err, ERR_BADSIG, "wrong-entry",
		"the bundle's entry %llu is not of what the bundle has signed",
		(unsigned long long)t->index);
}

static bool
write_proof(const struct cli_args *a, const struct tle *t, struct error *err)
{
	AUTO(buf) text = BUF_INIT(TLOG_PROOF_MAX_LEN);
	const char *path = cli_value(a, "--output");
	struct tlog_proof p = cli_entry_proof(t);

	tlog_proof_format(&p, &text);
	if (!buf_ok(&text, err))
		return false;
	return path ? file_write(path, buf_bytes(&text), 0644, err)
		    : cli_print(buf_bytes(&text), err);
}

/* Without a key at least the hashes must lead to the checkpoint's root. */
static bool
leads_to_root(const struct tlog_proof *p, struct bytes leaf, struct error *err)
{
	AUTO(hasher) h = {0};
	AUTO(note) n = {0};
	struct checkpoint head;
	struct hash hash;

	if (!hasher_open(&h, err) || !note_parse(p->checkpoint, &n, err) ||
	    !checkpoint_parse(n.text, &head, err))
		return false;
	merkle_leaf(&h, leaf, &hash);
	return tlog_proof_verify_inclusion(p, &hash, &head, &h, err);
}

static bool
entry_holds(struct proof_trust *trust, const struct bundle *b,
    const struct tle *t, struct key_verifier *v, struct error *err)
{
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	struct tlog_proof p = cli_entry_proof(t);

	if (!proof_bundle_leaf(b, t, &leaf, err))
		return false;
	if (trust->key || trust->policy)
		return proof_check(trust, &p, buf_bytes(&leaf), v, err);
	return leads_to_root(&p, buf_bytes(&leaf), err);
}

/* The one entry that holds; of several, which one is for the caller to say. */
static bool
choose(struct proof_trust *trust, const struct bundle *b, struct tle *out,
    struct error *err)
{
	struct key_verifier *v = key_verifier_open(err);
	struct error why = {0};
	bool found = false;

	if (!v)
		return false;
	(void)error_reason(&why, ERR_BADSIG, "no-entry",
	    "there is no entry of a log in the bundle");
	for (size_t i = 0; i < b->entry_count && err->code == ERR_NONE; i++) {
		AUTO(tle) t = {0};
		struct error no = {0};

		if (!tle_parse(b->entries[i], &t, &no) ||
		    !entry_holds(trust, b, &t, v, &no)) {
			why = no;
		} else if (found) {
			(void)error_set(err, ERR_USAGE,
			    "the bundle has entries of several logs: say "
			    "which one with --vkey");
		} else {
			*out = t;
			t = (struct tle){0}; /* handed over */
			found = true;
		}
	}
	key_verifier_close(v);
	if (!found && err->code == ERR_NONE)
		*err = why;
	return err->code == ERR_NONE;
}

static bool
from_bundle(const struct cli_args *a, const char *path, struct error *err)
{
	AUTO(proof_trust) trust = {0};
	AUTO(bundle) b = {0};
	AUTO(tle) t = {0};

	if (!proof_only(a, false, err) || !proof_trust_read(a, &trust, err) ||
	    !proof_bundle_read(path, &b, err) || !choose(&trust, &b, &t, err))
		return false;
	if (!trust.key && !trust.policy)
		(void)fputs("mtlog proof: no --vkey or --policy, so whether "
			    "the log signed the checkpoint was not verified\n",
		    stderr);
	return write_proof(a, &t, err);
}

static bool
from_log(const struct cli_args *a, struct error *err)
{
	struct cli_reading r = {0};
	struct cli_entry e = {0};
	uint64_t index;
	bool ok = cli_number(a, "--index", 0, &index, err) &&
	    cli_reading_open(a, &r, err) &&
	    cli_entry_read(&r, index, &e, err) && write_proof(a, &e.t, err);

	cli_entry_release(&e);
	cli_reading_close(&r);
	return ok;
}

int
proof_export(struct cli_args *a, struct error *err)
{
	bool online = cli_value(a, "--index") != NULL;
	bool ok;

	if (cli_value(a, "--submission") || cli_value(a, "--bundle") ||
	    cli_value(a, "--leaf") || a->operand_count != (online ? 1u : 2u)) {
		(void)error_set(err, ERR_USAGE,
		    "say: mtlog proof export MODEL|BUNDLE, or mtlog proof "
		    "export --index N");
		return -1;
	}
	ok = online ? from_log(a, err) : from_bundle(a, a->operands[1], err);
	return ok ? VERDICT_ACCEPTED : -1;
}
