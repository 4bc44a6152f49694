/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_CLI_CLI_H
#define MTLOG_CLIENT_CLI_CLI_H

#include <stdio.h>

#include "core/base/buf.h"
#include "core/verify/verdict.h"

/* One option of a verb. `argument` is its word in help texts; NULL: a flag. */
struct cli_option {
	const char *name; /* "--key" */
	const char *argument;
	const char *help;
	bool repeats;
};

#define CLI_MAX_OPTIONS 32

struct cli_args;

/*
 * A verb: what it is called, takes and does. `run` gives an exit code (enum
 * verdict_code), or -1 with `err`. Help, completions and the checks of the
 * manuals are all made of this.
 */
struct cli_verb {
	const char *name;
	const char *arguments; /* after the options: "MODEL" */
	const char *summary;   /* one line */
	const char *details;   /* more, for its --help; may be NULL */
	int (*run)(struct cli_args *args, struct error *err);
	const struct cli_option *options; /* a zero one ends them; NULL: none */
	/* NULL-ended names of what its first operand may be, or NULL */
	const char *const *words;
	/* Another program's: every word is handed to it as an operand, and the
	 * options are told, not taken. */
	bool foreign;
};

extern const struct cli_verb *const cli_verbs[]; /* NULL ends them */

/* What was written on the command line. */
struct cli_args {
	const struct cli_verb *verb;
	const char **values[CLI_MAX_OPTIONS]; /* NULL-ended, by option */
	size_t counts[CLI_MAX_OPTIONS];
	const char **operands; /* NULL-ended */
	size_t operand_count;
};

/*
 * cli_parse takes argv[0..argc) after the verb apart: --name value, --name=value,
 * `--` ends the options, "-" is an operand. ERR_USAGE for an unknown option (the
 * nearest is suggested), a missing value, or one that is there twice.
 */
bool cli_parse(const struct cli_verb *verb, int argc, char **argv,
    struct cli_args *out, struct error *err) MUST_USE;
void cli_args_release(struct cli_args *a);

/* What the word that is a verb's first operand stands for. */
typedef int cli_word_run(struct cli_args *args, struct error *err);

/* cli_run_word runs the one of `runs` that the first operand names; they are in
 * the order of the verb's words. ERR_USAGE says which there are, and which is
 * nearest. */
int cli_run_word(
    struct cli_args *a, cli_word_run *const *runs, struct error *err);

/* cli_value is an option's only value, or NULL; cli_values all of them,
 * NULL-ended, or NULL; cli_flag whether it is there. `name` must be one of the
 * verb's options. */
const char *cli_value(const struct cli_args *a, const char *name);
const char *const *cli_values(const struct cli_args *a, const char *name);
bool cli_flag(const struct cli_args *a, const char *name);

/* cli_need is cli_value, but ERR_USAGE names what is missing. */
const char *cli_need(
    const struct cli_args *a, const char *name, struct error *err);

/* cli_number reads an option in decimal; `otherwise` if it is not there. */
bool cli_number(const struct cli_args *a, const char *name, uint64_t otherwise,
    uint64_t *out, struct error *err) MUST_USE;

/* cli_usage_all prints what verbs there are, cli_usage a verb's help. */
void cli_usage_all(FILE *out);
void cli_usage(const struct cli_verb *verb, FILE *out);

/* cli_colour tells whether to paint what goes to `out`: a terminal, and neither
 * NO_COLOR nor TERM=dumb. */
bool cli_colour(FILE *out);

/* cli_confirm asks on the terminal and takes "y" or "yes"; without one, or with
 * `yes`, it does not ask. ERR_USAGE where nobody can be asked, ERR_DENIED
 * "rejected" for no. */
bool cli_confirm(const char *question, bool yes, struct error *err) MUST_USE;

/* cli_print writes text to standard output; ERR_IO. */
bool cli_print(struct bytes text, struct error *err) MUST_USE;

#endif
