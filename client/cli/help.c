/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/verbs.h"
#include "core/base/nearest.h"

#define NAMES_MAX 64 /* topics and verbs */

static void
exit_codes(void)
{
	const char *reason;
	int code;

	(void)fputs(
	    "What to do next, in tens: 1x do not load, 2x tell the log's "
	    "auditors, 3x try\nlater, 4x mend something here. Of several "
	    "models the worst: 2x, 1x, 4x, 3x.\n\n",
	    stdout);
	for (code = 0; code < 100; code++) {
		const char *name = verdict_code_name(code);
		const char *between = "  ";
		int of;

		if (strcmp(name, "unknown") == 0)
			continue;
		(void)printf("%2d %s\n  ", code, name);
		for (size_t i = 0; verdict_reason_at(i, &reason, &of); i++) {
			if (of != code || strcmp(reason, name) == 0)
				continue;
			(void)printf("%s%s", between, reason);
			between = ", ";
		}
		(void)fputs("\n", stdout);
	}
}

static void
policy(void)
{
	(void)fputs(
	    "A policy file says what is trusted; see mtlog-policy(5). For one "
	    "team:\n\n"
	    "  log <the line that mtlogd init printed> https://log.example\n"
	    "  quorum none\n"
	    "  mtlog-policy 1\n"
	    "  signer ci key <of mtlog key show>\n"
	    "  model acme/*\n"
	    "    signed-by ci\n\n"
	    "The name must be asked for: mtlog verify --policy FILE --name "
	    "acme/r50 MODEL.\n",
	    stdout);
}

static void
formats(void)
{
	(void)fputs(
	    "model.sig             Sigstore bundle v0.3 with an OMS v1.0 "
	    "statement, as\n"
	    "                      model_signing writes and verifies it, and "
	    "log entries\n"
	    ".mtlog/*.sigstore.json  approvals, withdrawals, revocations, "
	    "statuses\n"
	    "*.tlog-proof          c2sp.org/tlog-proof: inclusion under a "
	    "checkpoint\n"
	    "log entry             Rekor v2 hashedrekord 0.0.2\n"
	    "checkpoint, tiles     c2sp.org/tlog-checkpoint, "
	    "c2sp.org/tlog-tiles\n"
	    "policy                c2sp.org/tlog-policy and our own lines\n"
	    "state.json            what --state remembers\n",
	    stdout);
}

static const char *const words[] = {"exit-codes", "policy", "formats", NULL};

/* Topics first, as their words are no verbs but one ("policy"). */
static bool
explain(const char *word)
{
	static void (*const topics[])(void) = {exit_codes, policy, formats};

	for (size_t i = 0; words[i]; i++)
		if (strcmp(word, words[i]) == 0) {
			topics[i]();
			return true;
		}
	for (size_t i = 0; cli_verbs[i]; i++)
		if (strcmp(word, cli_verbs[i]->name) == 0) {
			cli_usage(cli_verbs[i], stdout);
			return true;
		}
	return false;
}

static int
run(struct cli_args *a, struct error *err)
{
	const char *names[NAMES_MAX];
	const char *word = a->operand_count == 1 ? a->operands[0] : "";
	const char *near;
	size_t n = 0;

	if (a->operand_count == 0) {
		cli_usage_all(stdout);
		return VERDICT_ACCEPTED;
	}
	if (explain(word))
		return VERDICT_ACCEPTED;
	for (size_t i = 0; words[i]; i++)
		names[n++] = words[i];
	for (size_t i = 0; cli_verbs[i] && n + 1 < NAMES_MAX; i++)
		names[n++] = cli_verbs[i]->name;
	names[n] = NULL;
	near = nearest_word(bytes_str(word), names);
	(void)error_set(err, ERR_USAGE,
	    "say: mtlog help exit-codes|policy|formats, or a verb%s%s%s",
	    near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	return -1;
}

const struct cli_verb verb_help = {
    .name = "help",
    .arguments = "[VERB|exit-codes|policy|formats]",
    .summary = "Explain a topic, or what a verb takes",
    .run = run,
    .words = words,
};
