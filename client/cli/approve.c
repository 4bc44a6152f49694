/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/cosigned.h"
#include "client/cli/issue.h"
#include "client/cli/verbs.h"
#include "client/lib/job.h"
#include "client/lib/policy_file.h"
#include "client/lib/policy_flags.h"
#include "client/lib/sources.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "io/progress.h"

#define KEY_SHOWN   8	  /* bytes of the key's digest in a comment */
#define COMMENT_MAX 65536 /* more than a statement may have: it says so */

static const struct cli_option options[] = {
    CLI_ISSUE_OPTIONS,
    {"--role", "TEXT", "as what: a label, the key decides", false},
    {"--comment", "TEXT", "to whoever reads it", false},
    {"--policy", "FILE", "what the model must meet, approvals apart", false},
    {"--policy-sha256", "HEX", "the policy must be this very file", false},
    {"--signer", "PEM", "without a policy: the model's signer", false},
    {"--ca", "PEM", "without a policy: the signer's trust anchor", true},
    {"--identity", "S", "and a name in the certificate", false},
    {"--any-identity", NULL, "or whatever name is in it", false},
    {"--name", "NAME", "the model must be signed under this name", false},
    {"--signature", "FILE", "the bundle, if it lies elsewhere", false},
    {0},
};

/* An approver is one of those that the policy waits for, and looks at what lies
 * here: others' approvals, and news of the log, are the loader's business. */
static void
ask_for_less(struct policy *p)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		p->rules[i].approval_count = 0;
		p->rules[i].fresh = FRESH_NOT_ASKED;
	}
}

static bool
of_policy(const struct cli_args *a, const char *path, struct policy *p,
    struct error *err)
{
	static const char *const others[] = {
	    "--signer", "--ca", "--identity", "--any-identity"};
	AUTO(buf) text = BUF_INIT(POLICY_MAX_LEN);

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (cli_values(a, others[i]))
			return error_set(err, ERR_USAGE,
			    "%s does not go with --policy", others[i]);
	if (!policy_file_read(
		path, cli_value(a, "--policy-sha256"), &text, err))
		return false;
	if (!policy_parse(buf_bytes(&text), p, err)) {
		if (err->code != ERR_INTERNAL) {
			err->code = ERR_USAGE;
			err->reason = NULL;
		}
		return error_prefix(err, "%s", path);
	}
	ask_for_less(p);
	return true;
}

static bool
read_trust(const struct cli_args *a, struct policy *p, struct error *err)
{
	const char *path = cli_value(a, "--policy");
	struct policy_flags flags = {
	    .key = cli_value(a, "--signer"),
	    .cas = cli_values(a, "--ca"),
	    .identity = cli_value(a, "--identity"),
	    .any_identity = cli_flag(a, "--any-identity"),
	};

	if (path)
		return of_policy(a, path, p, err);
	if (cli_value(a, "--policy-sha256"))
		return error_set(
		    err, ERR_USAGE, "--policy-sha256 goes with --policy");
	if (!flags.key && !flags.cas)
		return error_set(err, ERR_USAGE,
		    "nobody should approve what was not verified: say whose "
		    "model it is, --policy FILE, --signer PEM or --ca PEM");
	return policy_of_flags(&flags, p, err);
}

/* Nothing is approved but what a full verification accepted. */
static bool
verify_model(const struct cli_args *a, const struct policy *p,
    struct verdict *v, struct error *err)
{
	struct progress bar;
	struct job job = {
	    .policy = p,
	    .dirfd = AT_FDCWD,
	    .path = a->operands[0],
	    .name = cli_value(a, "--name"),
	    .signature = cli_value(a, "--signature"),
	    .timeout_ms = JOB_TIMEOUT_MS,
	    .ignores_count = !cli_value(a, "--policy"),
	    .progress = progress_update,
	    .progress_arg = &bar,
	};
	bool ok;

	progress_init(&bar, STDERR_FILENO);
	ok = job_run(&job, v, NULL) && v->code == VERDICT_ACCEPTED;
	progress_release(&bar);
	if (ok)
		return true;
	return error_reason(err, ERR_DENIED, v->reason,
	    "not approved, because the model is refused: %s", v->message);
}

/*
 * Two approvals that say the same are one statement, whoever signs it: with one
 * of them the other would be withdrawn. So each says which key it is of.
 */
static bool
put_comment(const struct issuer *who, struct buf *out, struct error *err)
{
	const char *given = cli_value(who->args, "--comment");
	AUTO(hasher) h = {0};
	struct hash key;

	if (!hasher_open(&h, err))
		return false;
	sha256(&h, buf_bytes(&who->who.signer.spki), &key);
	if (given && given[0])
		buf_printf(out, "%s ", given);
	buf_put_str(out, "[key ");
	hex_put(out, bytes_slice(hash_bytes(&key), 0, KEY_SHOWN));
	buf_put_u8(out, ']');
	return hasher_ok(&h, err) && buf_ok(out, err);
}

static bool
issue(struct issuer *who, const struct verdict *v, struct error *err)
{
	const struct cli_args *a = who->args;
	const char *role = cli_value(a, "--role");
	AUTO(buf) comment = BUF_INIT(COMMENT_MAX);
	struct statement_subject subject = {v->name, v->statement};
	struct statement s = {
	    .kind = STATEMENT_APPROVAL,
	    .subject_count = 1,
	    .subjects = &subject,
	    .role = role ? bytes_str(role) : (struct bytes){0},
	};
	AUTO(buf) what = BUF_INIT(4096);
	struct issued out = {0};
	struct stat st;
	char *folder;
	bool ok;

	if (!put_comment(who, &comment, err))
		return false;
	s.comment = buf_bytes(&comment);
	buf_put_str(&what, "  your approval of ");
	escaped_put(&what, v->name);
	buf_put_str(&what, ", statement ");
	hex_put(&what, hash_bytes(&v->statement));
	buf_put_str(&what, "\n");
	buf_put_u8(&what, '\0');
	folder = stat(a->operands[0], &st) == 0
	    ? evidence_path(a->operands[0], S_ISDIR(st.st_mode))
	    : NULL;
	ok = folder || error_set(err, ERR_IO, "%s is gone", a->operands[0]);
	ok = ok && buf_ok(&what, err) &&
	    issue_sign(who, "approval", &s, &out, err) &&
	    issue_log(
		who, (const char *)what.ptr, issue_verifier(who), &out, err) &&
	    issue_write(who, &out, folder, err);
	issued_release(&out);
	free(folder);
	return ok;
}

static bool
approve(const struct cli_args *a, struct policy *p, struct verdict *v,
    struct error *err)
{
	struct issuer who = {0};
	bool ok;

	if (a->operand_count != 1)
		return error_set(
		    err, ERR_USAGE, "say which model: mtlog approve … MODEL");
	ok = read_trust(a, p, err) && issuer_open(a, true, &who, err) &&
	    verify_model(a, p, v, err) && issue(&who, v, err) &&
	    cosigned_end(&who.log, err);
	issuer_close(&who);
	return ok;
}

static int
run(struct cli_args *a, struct error *err)
{
	struct policy *p = calloc(1, sizeof(*p));
	struct verdict *v = malloc(sizeof(*v));
	bool ok = false;

	if (p && v) {
		verdict_init(v);
		ok = approve(a, p, v, err);
		verdict_release(v);
		policy_release(p);
	} else {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
	}
	free(v);
	free(p);
	return ok ? VERDICT_ACCEPTED : -1;
}

const struct cli_verb verb_approve = {
    .name = "approve",
    .arguments = "MODEL",
    .summary = "Verify a model, then sign and log that you approve of it",
    .details =
	"First the model is verified as mtlog verify does, files and all: with "
	"the\n"
	"lines of --policy (without approved-by and fresh), or as signed by\n"
	"--signer or under --ca, logged or not. The approval names that very\n"
	"statement and is kept in MODEL/.mtlog (MODEL.mtlog for a file).",
    .run = run,
    .options = options,
};
