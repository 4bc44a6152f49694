/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/cli/cli.h"
#include "client/cli/verbs.h"
#include "core/base/nearest.h"
#include "io/descriptors.h"

const struct cli_verb *const cli_verbs[] = {
    &verb_key,
    &verb_sign,
    &verb_publish,
    &verb_submit,
    &verb_verify,
    &verb_approve,
    &verb_withdraw,
    &verb_revoke_key,
    &verb_digest,
    &verb_diff,
    &verb_inspect,
    &verb_policy,
    &verb_search,
    &verb_log,
    &verb_get,
    &verb_proof,
    &verb_audit,
    &verb_monitor,
    &verb_scan,
    &verb_witness,
    &verb_help,
    &verb_completion,
    NULL,
};

#define COLUMN 14

void
cli_usage_all(FILE *out)
{
	(void)fputs("mtlog: sign and log models, and check them before they "
		    "are loaded\n\n",
	    out);
	for (size_t i = 0; cli_verbs[i]; i++)
		(void)fprintf(out, "  mtlog %-*s %s\n", COLUMN,
		    cli_verbs[i]->name, cli_verbs[i]->summary);
	(void)fputs("\n  mtlog VERB --help    what a verb takes\n"
		    "  mtlog help TOPIC     exit-codes, policy, formats\n"
		    "  mtlog --version\n",
	    out);
}

void
cli_usage(const struct cli_verb *verb, FILE *out)
{
	(void)fprintf(out, "usage: mtlog %s%s%s%s\n\n%s.\n", verb->name,
	    verb->options ? " [OPTION]..." : "", verb->arguments[0] ? " " : "",
	    verb->arguments, verb->summary);
	if (verb->details)
		(void)fprintf(out, "\n%s\n", verb->details);
	if (verb->options)
		(void)fputs("\n", out);
	for (size_t i = 0; verb->options && verb->options[i].name; i++) {
		const struct cli_option *o = &verb->options[i];
		int n = fprintf(out, "  %s%s%s%s", o->name,
		    o->argument ? " " : "", o->argument ? o->argument : "",
		    o->repeats ? "..." : "");

		(void)fprintf(out, "%*s%s\n", n < 30 ? 30 - n : 1, "", o->help);
	}
	(void)fprintf(out, "\nSee mtlog-%s(1).\n", verb->name);
}

static bool
is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static const struct cli_verb *
find(const char *word)
{
	const char *names[64];
	const char *near;
	size_t n = 0;

	for (; cli_verbs[n]; n++) {
		if (strcmp(cli_verbs[n]->name, word) == 0)
			return cli_verbs[n];
		names[n] = cli_verbs[n]->name;
	}
	names[n] = NULL;
	near = nearest_word(bytes_str(word), names);
	(void)fprintf(stderr,
	    "mtlog: there is no command \"%s\"%s%s%s; see mtlog --help\n", word,
	    near ? "; did you mean \"" : "", near ? near : "",
	    near ? "\"?" : "");
	return NULL;
}

static int
run(const struct cli_verb *verb, int argc, char **argv)
{
	struct cli_args args = {0};
	struct error err = {0};
	int code = -1;

	for (int i = 0; i < (verb->foreign && argc > 1 ? 1 : argc) &&
	     strcmp(argv[i], "--") != 0;
	     i++)
		if (is_help(argv[i])) {
			cli_usage(verb, stdout);
			return VERDICT_ACCEPTED;
		}
	if (cli_parse(verb, argc, argv, &args, &err))
		code = verb->run(&args, &err);
	cli_args_release(&args);
	if (err.code == ERR_NONE)
		return code < 0 ? VERDICT_INTERNAL : code;
	(void)fprintf(stderr, "mtlog %s: %s\n", verb->name, err.text);
	return (int)verdict_code_of(&err);
}

static int
dispatch(int argc, char **argv)
{
	const struct cli_verb *verb;

	if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
		(void)printf("mtlog %s\n", MTLOG_VERSION);
		return VERDICT_ACCEPTED;
	}
	if (argc < 2 || is_help(argv[1])) {
		cli_usage_all(argc < 2 ? stderr : stdout);
		return argc < 2 ? VERDICT_USAGE : VERDICT_ACCEPTED;
	}
	verb = find(argv[1]);
	return verb ? run(verb, argc - 2, argv + 2) : VERDICT_USAGE;
}

int
main(int argc, char **argv)
{
	int code;

	/* Before anything is opened, which could get such a number. */
	if (!descriptors_fill())
		return VERDICT_LOCAL_IO;
	/* A closed pipe is an error of a write, not a death. */
	(void)signal(SIGPIPE, SIG_IGN);
	code = dispatch(argc, argv);
	/* What nobody could read was not done. */
	if ((fflush(stdout) != 0 || ferror(stdout)) &&
	    code == VERDICT_ACCEPTED) {
		(void)fputs(
		    "mtlog: standard output cannot be written to\n", stderr);
		return VERDICT_LOCAL_IO;
	}
	return code;
}
