/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/proof_parts.h"
#include "client/cli/submission.h"
#include "client/cli/verbs.h"
#include "client/lib/policy_flags.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/times.h"
#include "core/tlog/entries.h"
#include "io/file.h"

#define OUTPUT_MAX (1u << 20)

static const struct cli_option options[] = {
    CLI_READ_OPTIONS,
    {"--submission", "FILE", "verify: the submission that must be in the log",
	false},
    {"--bundle", "FILE", "verify: the bundle or model whose entry it must be",
	false},
    {"--leaf", "FILE", "verify: the leaf, as mtlog get --raw has it", false},
    {"--index", "N", "export: this entry, from the log", false},
    {"--output", "FILE", "export: where the proof goes; else it is printed",
	false},
    {"--json", NULL, "verify: one line of JSON", false},
    {0},
};

static bool
of_submission(const char *path, struct buf *leaf, struct error *err)
{
	AUTO(buf) json = BUF_INIT(ENTRY_REQUEST_MAX);

	return submission_read(path, &json, leaf, err);
}

/* The leaf of the entry that the bundle has with this index. */
static bool
of_bundle(const char *path, uint64_t index, struct buf *leaf, struct error *err)
{
	AUTO(bundle) b = {0};

	if (!proof_bundle_read(path, &b, err))
		return false;
	for (size_t i = 0; i < b.entry_count; i++) {
		AUTO(tle) t = {0};
		struct error no = {0};

		if (tle_parse(b.entries[i], &t, &no) && t.index == index)
			return proof_bundle_leaf(&b, &t, leaf, err);
	}
	return error_reason(err, ERR_BADSIG, "no-entry",
	    "%s has no entry %llu of a log", path, (unsigned long long)index);
}

/* What must be in the log, by whichever option says it. */
static bool
read_leaf(const struct cli_args *a, uint64_t index, struct buf *leaf,
    struct error *err)
{
	const char *submission = cli_value(a, "--submission");
	const char *bundle = cli_value(a, "--bundle");
	const char *raw = cli_value(a, "--leaf");

	if (!!submission + !!bundle + !!raw != 1)
		return error_set(err, ERR_USAGE,
		    "say what must be in the log: --submission FILE, --bundle "
		    "FILE or --leaf FILE");
	if (submission)
		return of_submission(submission, leaf, err);
	return bundle ? of_bundle(bundle, index, leaf, err)
		      : file_read(raw, leaf, err);
}

/*
 * A proof without its signature being good would be a proof of little. But a
 * leaf that was given as it is may be of a log of something else: it is proven
 * to be there, and `*opaque`.
 */
static bool
is_genuine(
    struct bytes leaf, struct key_verifier *v, bool *opaque, struct error *err)
{
	AUTO(entry) e = {0};
	struct error why = {0};

	if (entry_parse(leaf, &e, &why)) {
		*opaque = false;
		return entry_verify(&e, v, err);
	}
	*opaque = *opaque && (why.code == ERR_SYNTAX || why.code == ERR_LIMIT);
	if (!*opaque)
		*err = why;
	return *opaque;
}

static void
put_verified(const struct tlog_proof *p, const struct proof_trust *t, bool json,
    struct buf *out)
{
	const struct checkpoint *head = &t->head;

	if (!json) {
		buf_printf(out, "entry %llu of %.*s (tree of %llu)",
		    (unsigned long long)p->index, (int)head->origin.len,
		    (const char *)head->origin.ptr,
		    (unsigned long long)head->size);
		proof_put_witnesses(t, false, out);
		buf_put_u8(out, '\n');
		return;
	}
	buf_put_str(out, "{\"log\":");
	json_put_string(out, head->origin);
	buf_printf(out, ",\"index\":\"%llu\",\"size\":\"%llu\",\"root\":\"",
	    (unsigned long long)p->index, (unsigned long long)head->size);
	hex_put(out, hash_bytes(&head->root));
	buf_put_u8(out, '"');
	proof_put_witnesses(t, true, out);
	buf_put_str(out, "}\n");
}

static bool
verify_leaf(const struct cli_args *a, struct bytes text, struct proof_trust *t,
    struct error *err)
{
	AUTO(buf) leaf = BUF_INIT(ENTRY_MAX_LEN);
	AUTO(buf) out = BUF_INIT(OUTPUT_MAX);
	struct key_verifier *v = key_verifier_open(err);
	struct tlog_proof p;
	bool opaque = cli_value(a, "--leaf") != NULL;
	bool ok = v && tlog_proof_parse(text, &p, err) &&
	    read_leaf(a, p.index, &leaf, err) &&
	    is_genuine(buf_bytes(&leaf), v, &opaque, err) &&
	    proof_check(t, &p, buf_bytes(&leaf), v, err);

	key_verifier_close(v);
	if (!ok)
		return false;
	if (opaque)
		(void)fputs("mtlog proof: the leaf is of no signature; that it "
			    "is in the log is all that was verified\n",
		    stderr);
	put_verified(&p, t, cli_flag(a, "--json"), &out);
	return buf_ok(&out, err) && cli_print(buf_bytes(&out), err);
}

static int
verify(struct cli_args *a, struct error *err)
{
	AUTO(buf) text = BUF_INIT(TLOG_PROOF_MAX_LEN);
	AUTO(proof_trust) trust = {0};
	bool ok;

	if (a->operand_count != 2) {
		(void)error_set(
		    err, ERR_USAGE, "say: mtlog proof verify … PROOF");
		return -1;
	}
	ok = (proof_only(a, false, err) && proof_trust_read(a, &trust, err)) &&
	    (trust.key || trust.policy ||
		error_set(err, ERR_USAGE,
		    "say which log is trusted: --vkey VKEY or --policy "
		    "FILE")) &&
	    file_read(a->operands[1], &text, err) &&
	    verify_leaf(a, buf_bytes(&text), &trust, err);
	return ok ? VERDICT_ACCEPTED : -1;
}

static const char *const words[] = {"export", "verify", NULL};

static int
run(struct cli_args *a, struct error *err)
{
	static cli_word_run *const runs[] = {proof_export, verify};

	return cli_run_word(a, runs, err);
}

const struct cli_verb verb_proof = {
    .name = "proof",
    .arguments = "export [MODEL|BUNDLE] | verify PROOF",
    .summary = "Check offline that something is in a log, or export its proof",
    .details =
	"A proof is a file as c2sp.org/tlog-proof has it: index, hashes and\n"
	"signed checkpoint. export takes it out of a bundle, or with --index\n"
	"from the log. verify needs the proof, what must be in the log\n"
	"(--submission, --bundle or --leaf), and --vkey or --policy.",
    .run = run,
    .options = options,
    .words = words,
};
