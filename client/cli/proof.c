/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/submission.h"
#include "client/cli/verbs.h"
#include "client/lib/policy_flags.h"
#include "core/base/cleanup.h"
#include "core/tlog/tlog_proof.h"
#include "io/file.h"

#define PROOF_LIMIT 65536

static const struct cli_option options[] = {
    {"--vkey", "VKEY", "the log's key, or a file with it", false},
    {"--submission", "FILE", "what must be in the log", false},
    {0},
};

/* Whether `proof` shows that the submission in `path` is in the log. */
static bool
verify(const char *path, const char *proof, const struct vkey *log,
    struct error *err)
{
	AUTO(buf) json = BUF_INIT(ENTRY_REQUEST_MAX);
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(buf) text = BUF_INIT(PROOF_LIMIT);
	AUTO(hasher) h = {0};
	AUTO(entry) e = {0};
	struct key_verifier *v = key_verifier_open(err);
	struct checkpoint head;
	struct tlog_proof p;
	struct hash hash;
	bool ok = v && hasher_open(&h, err) &&
	    submission_read(path, &json, &leaf, err) &&
	    entry_parse(buf_bytes(&leaf), &e, err) &&
	    entry_verify(&e, v, err) && file_read(proof, &text, err) &&
	    tlog_proof_parse(buf_bytes(&text), &p, err);

	if (ok) {
		merkle_leaf(&h, buf_bytes(&leaf), &hash);
		ok = tlog_proof_verify(&p, &hash, log, &h, v, &head, err);
	}
	if (ok)
		(void)printf("%s is entry %llu of %s (tree of %llu)\n", path,
		    (unsigned long long)p.index, log->name,
		    (unsigned long long)head.size);
	key_verifier_close(v);
	return ok;
}

static int
run(struct cli_args *a, struct error *err)
{
	const char *vkey, *submission;
	struct vkey log;

	if (a->operand_count != 2 || strcmp(a->operands[0], "verify") != 0) {
		(void)error_set(
		    err, ERR_USAGE, "say: mtlog proof verify … PROOF");
		return -1;
	}
	vkey = cli_need(a, "--vkey", err);
	submission = vkey ? cli_need(a, "--submission", err) : NULL;
	if (!submission || !log_key_read(vkey, &log, err) ||
	    !verify(submission, a->operands[1], &log, err))
		return -1;
	return VERDICT_ACCEPTED;
}

static const char *const words[] = {"verify", NULL};

const struct cli_verb verb_proof = {
    .name = "proof",
    .arguments = "verify PROOF",
    .summary = "Check offline that a statement is in the log",
    .run = run,
    .options = options,
    .words = words,
};
