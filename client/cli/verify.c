/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/cli/pinned.h"
#include "client/cli/verbs.h"
#include "client/lib/job.h"
#include "client/lib/policy_file.h"
#include "client/lib/policy_flags.h"
#include "core/base/cleanup.h"
#include "core/base/times.h"
#include "io/crypto_start.h"
#include "io/file.h"
#include "io/progress.h"

static const struct cli_option options[] = {
    {"--policy", "FILE", "what is trusted: mtlog-policy(5)", false},
    {"--policy-sha256", "HEX", "the policy must be this very file", false},
    {"--name", "NAME", "the model must be signed under this name", false},
    {"--version", "V", "and under this version", false},
    {"--key", "PEM", "without a policy: the signer's public key", false},
    {"--ca", "PEM", "without a policy: the signer's trust anchor", true},
    {"--identity", "S", "and a name in the certificate", false},
    {"--issuer", "URL", "and who vouched for that name", false},
    {"--any-identity", NULL, "or whatever name is in it", false},
    {"--trusted-root", "FILE", "or by Sigstore's rules, under this root",
	false},
    {"--log", "VKEY", "without a policy: a log that it may be in", true},
    {"--logged", "WORD", "offline (default), online, or off", false},
    {"--online", NULL, "ask the log what is new, with a policy too", false},
    {"--log-url", "URL", "where to ask it", false},
    CLI_PINS_OPTION,
    {"--signature", "FILE", "the bundle, if it lies elsewhere", false},
    {"--bundle", "FILE", "the same", false},
    {"--evidence", "PATH", "more statements: a bundle or a folder", true},
    {"--ignore", "PATH", "files below it need not be signed", true},
    {"--ignore-unsigned-files", NULL, "nor any others that are there", false},
    {"--file", "NAME", "look at this file of the manifest only", true},
    {"--state", "DIR", "remember, and refuse what is older", false},
    {"--at", "TIME", "judge as of this time (RFC 3339)", false},
    {"--threads", "N", "for hashing; else one a processor", false},
    {"--timeout", "MS", "for all that goes over the network", false},
    {"--allow-legacy-v0.2", NULL, "read model_signing 0.2, too", false},
    {"--json", NULL, "one line of JSON a model", false},
    {0},
};

/* What one command line says, for all its models. */
struct request {
	const struct cli_args *args;
	struct policy *policy;
	struct trust_root *root;
	struct verify_sigstore sigstore;
	struct job job;
	char *pins;
};

/* With a policy, a flag may ask for more and never for less. */
static bool
nothing_less(const struct cli_args *a, struct error *err)
{
	static const char *const less[] = {"--key", "--ca", "--identity",
	    "--issuer", "--any-identity", "--ignore", "--ignore-unsigned-files",
	    "--log", "--trusted-root"};
	const char *logged = cli_value(a, "--logged");

	for (size_t i = 0; i < sizeof(less) / sizeof(less[0]); i++)
		if (cli_values(a, less[i]))
			return error_set(err, ERR_USAGE,
			    "%s does not go with --policy: write it into the "
			    "policy",
			    less[i]);
	return !logged || strcmp(logged, "off") != 0 ||
	    error_set(err, ERR_USAGE,
		"--logged=off does not go with --policy: write `logged no` "
		"into the policy");
}

static bool
read_policy(struct request *q, const char *path, struct error *err)
{
	AUTO(buf) text = BUF_INIT(POLICY_MAX_LEN);

	if (!nothing_less(q->args, err) ||
	    !policy_file_read(
		path, cli_value(q->args, "--policy-sha256"), &text, err))
		return false;
	if (policy_parse(buf_bytes(&text), q->policy, err))
		return true;
	if (err->code != ERR_INTERNAL) {
		err->code = ERR_USAGE;
		err->reason = NULL;
	}
	return error_prefix(err, "%s", path);
}

/* --logged and --online: whether an entry is wanted, and the log asked. */
static bool
read_logged(struct request *q, bool *logged, struct error *err)
{
	const char *word = cli_value(q->args, "--logged");

	*logged = true;
	q->job.online = cli_flag(q->args, "--online");
	if (!word || strcmp(word, "offline") == 0)
		return true;
	if (strcmp(word, "online") == 0)
		return q->job.online = true;
	*logged = false;
	if (strcmp(word, "off") != 0)
		return error_set(err, ERR_USAGE,
		    "--logged is offline, online or off, not %s", word);
	return !q->job.online ||
	    error_set(err, ERR_USAGE,
		"--online asks the log, and --logged=off does not");
}

/* --trusted-root: signers and logs that a Sigstore instance vouches for. */
static bool
read_root(struct request *q, const char *path, struct error *err)
{
	AUTO(buf) text = BUF_INIT(TRUST_ROOT_MAX_LEN);

	if (!file_read(path, &text, err))
		return false;
	if (!trust_root_parse(buf_bytes(&text), q->root, err)) {
		err->code = err->code == ERR_INTERNAL ? err->code : ERR_USAGE;
		err->reason = NULL;
		return error_prefix(err, "%s", path);
	}
	q->sigstore = (struct verify_sigstore){
	    .root = q->root,
	    .identity = {.name = bytes_str(cli_value(q->args, "--identity")),
		.issuer = bytes_str(cli_value(q->args, "--issuer"))},
	};
	q->job.sigstore = &q->sigstore;
	if (cli_values(q->args, "--evidence"))
		return error_set(err, ERR_USAGE,
		    "--evidence goes with a policy, which says whose counts");
	return !q->job.online ||
	    error_set(err, ERR_USAGE,
		"--online asks a log that --log or --policy names");
}

static bool
read_trust(struct request *q, struct error *err)
{
	const struct cli_args *a = q->args;
	const char *path = cli_value(a, "--policy");
	const char *root = cli_value(a, "--trusted-root");
	struct policy_flags flags = {
	    .key = cli_value(a, "--key"),
	    .cas = cli_values(a, "--ca"),
	    .identity = cli_value(a, "--identity"),
	    .issuer = cli_value(a, "--issuer"),
	    .any_identity = cli_flag(a, "--any-identity"),
	    .sigstore = root != NULL,
	    .logs = cli_values(a, "--log"),
	    .unsigned_ignored = cli_flag(a, "--ignore-unsigned-files"),
	};

	if (!read_logged(q, &flags.logged, err))
		return false;
	/* A log that is asked is asked by TLS. */
	if (!q->job.online)
		crypto_start_short();
	q->job.policy = q->policy;
	if (path)
		return read_policy(q, path, err);
	if (cli_value(a, "--policy-sha256"))
		return error_set(
		    err, ERR_USAGE, "--policy-sha256 goes with --policy");
	q->job.ignores_count = true;
	q->job.ignored = cli_values(a, "--ignore");
	return policy_of_flags(&flags, q->policy, err) &&
	    (!root || read_root(q, root, err));
}

static bool
read_numbers(struct request *q, struct error *err)
{
	const char *at = cli_value(q->args, "--at");
	uint64_t threads, timeout;

	if (!cli_number(q->args, "--threads", 0, &threads, err) ||
	    !cli_number(q->args, "--timeout", JOB_TIMEOUT_MS, &timeout, err))
		return false;
	if (threads > TREE_MAX_THREADS || timeout == 0 || timeout > 3600000)
		return error_set(err, ERR_USAGE,
		    "--threads is at most %d, --timeout 1 to 3600000",
		    TREE_MAX_THREADS);
	q->job.threads = (unsigned)threads;
	q->job.timeout_ms = (unsigned)timeout;
	q->job.has_now = at != NULL;
	return !at || time_parse(bytes_str(at), &q->job.now) ||
	    error_set(err, ERR_USAGE,
		"--at %s is no time; write 2026-11-25T12:00:00Z", at);
}

static bool
read_request(struct request *q, struct error *err)
{
	const struct cli_args *a = q->args;
	const char *bundle = cli_value(a, "--bundle");

	q->job.dirfd = AT_FDCWD;
	q->job.name = cli_value(a, "--name");
	q->job.version = cli_value(a, "--version");
	q->job.signature = cli_value(a, "--signature");
	if (bundle && q->job.signature)
		return error_set(err, ERR_USAGE,
		    "say --signature or --bundle, which are the same");
	if (bundle)
		q->job.signature = bundle;
	q->job.evidence = cli_values(a, "--evidence");
	q->job.state = cli_value(a, "--state");
	q->job.log_url = cli_value(a, "--log-url");
	q->job.files = cli_values(a, "--file");
	q->job.allow_v02 = cli_flag(a, "--allow-legacy-v0.2");
	if (a->operand_count == 0)
		return error_set(
		    err, ERR_USAGE, "say which model: mtlog verify … MODEL");
	if (q->job.signature && a->operand_count > 1)
		return error_set(err, ERR_USAGE,
		    "--signature is one model's, and there are %zu",
		    a->operand_count);
	if (!cli_pins_path(a, &q->pins, err))
		return false;
	q->job.pins = q->pins;
	return read_trust(q, err) && read_numbers(q, err);
}

static bool
print_verdict(const struct verdict *v, bool json, struct error *err)
{
	AUTO(buf) text = BUF_INIT(VERDICT_JSON_MAX);

	if (json) {
		verdict_json(v, &text);
		buf_put_u8(&text, '\n');
	} else {
		verdict_text(v, cli_colour(stdout), &text);
	}
	return buf_ok(&text, err) && cli_print(buf_bytes(&text), err);
}

static bool
verify_one(struct request *q, const char *path, int *code, struct error *err)
{
	struct verdict *v = malloc(sizeof(*v));
	struct progress bar;
	bool ok;

	if (!v)
		return error_set(err, ERR_INTERNAL, "out of memory");
	verdict_init(v);
	progress_init(&bar, STDERR_FILENO);
	q->job.path = path;
	q->job.progress = progress_update;
	q->job.progress_arg = &bar;
	if (!job_run(&q->job, v, NULL) && v->code == VERDICT_ACCEPTED)
		v->code = VERDICT_INTERNAL;
	progress_release(&bar);
	*code = verdict_worse(*code, (int)v->code);
	ok = print_verdict(v, cli_flag(q->args, "--json"), err);
	verdict_release(v);
	free(v);
	return ok;
}

static int
run(struct cli_args *a, struct error *err)
{
	struct request q = {
	    .args = a,
	    .policy = calloc(1, sizeof(*q.policy)),
	    .root = calloc(1, sizeof(*q.root)),
	};
	int code = VERDICT_ACCEPTED;
	bool ok;

	if (!q.policy || !q.root) {
		free(q.policy);
		free(q.root);
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return -1;
	}
	ok = read_request(&q, err);
	for (size_t i = 0; ok && i < a->operand_count; i++)
		ok = verify_one(&q, a->operands[i], &code, err);
	policy_release(q.policy);
	free(q.policy);
	trust_root_release(q.root);
	free(q.root);
	free(q.pins);
	return ok ? code : -1;
}

const struct cli_verb verb_verify = {
    .name = "verify",
    .arguments = "MODEL...",
    .summary = "Check a model before it is loaded; refuse what is not as asked",
    .details =
	"Offline, and without opening a file before its signature, signer and\n"
	"log entry are good. Exit code 0 only if every check that was asked\n"
	"for held; see mtlog help exit-codes.",
    .run = run,
    .options = options,
};
