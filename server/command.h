/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_COMMAND_H
#define MTLOG_SERVER_COMMAND_H

#include "server/config.h"

/* Exit codes of mtlogd, as in mtlogd(8). */
#define EXIT_FOUND 1 /* fsck: something is wrong; others: it failed */
#define EXIT_USAGE 2

#define COMMAND_FLAGS_MAX 64

/*
 * A command line taken apart: `--name value` and `--name=value` pairs as
 * "name=value" (config keys among them), `--name` switches of the command's
 * own. Nothing else is allowed.
 */
struct arguments {
	const char *dir;			  /* --dir */
	const char *config;			  /* --config, or NULL */
	const char *flags[COMMAND_FLAGS_MAX + 1]; /* config keys, NULL-ended */
	size_t flag_count;
	const char *const *own; /* see arguments_read */
	struct {
		int own; /* place in `own` */
		const char *value;
	} given[COMMAND_FLAGS_MAX];
	size_t given_count;
};

/* In `own`: words that are no options are taken, under the name "@". */
#define COMMAND_OPERANDS "@=*"

/*
 * arguments_read takes `argv` apart; `own` are the options that only this
 * command has, NULL-ended: "to=" wants a value, "seen=*" may be repeated,
 * "repair" is a switch. ERR_USAGE.
 */
bool arguments_read(int argc, char **argv, const char *const *own,
    struct arguments *out, struct error *err) MUST_USE;
void arguments_release(struct arguments *a);

/* arguments_value is the value of own option `name` ("" for a switch), NULL if
 * it was not given; arguments_next is the next one from `*at` on (0 first). */
const char *arguments_value(const struct arguments *a, const char *name);
const char *arguments_next(
    const struct arguments *a, const char *name, size_t *at);

/* command_config loads the configuration for --dir (which must be given). */
bool command_config(
    const struct arguments *a, struct config *out, struct error *err) MUST_USE;

/* One command: its exit code, or -1 with `err` set. */
typedef int command_run(int argc, char **argv, struct error *err);

struct command {
	const char *name;
	command_run *run;
	const char *arguments;
	const char *help;
};

/* A program that is a list of commands. `see` names its manuals. */
struct command_table {
	const char *program;
	const char *about;
	const struct command *commands;
	size_t count;
	const char *see;
};

/* command_main is such a program's main: help, version, one command; its exit
 * code. */
int command_main(const struct command_table *t, int argc, char **argv);

/* Those of mtlogd. */
command_run cmd_init, cmd_serve, cmd_check, cmd_fsck, cmd_backup, cmd_restore,
    cmd_freeze, cmd_status, cmd_envelope;

#endif
