/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/descriptors.h"

static bool
add_pair(struct arguments *out, const char *name, size_t name_len,
    const char *value, struct error *err)
{
	char *pair = NULL;

	if (out->flag_count == COMMAND_FLAGS_MAX)
		return error_set(err, ERR_USAGE, "too many options");
	if (asprintf(&pair, "%.*s=%s", (int)name_len, name, value) < 0)
		return error_set(err, ERR_INTERNAL, "out of memory");
	out->flags[out->flag_count++] = pair;
	return true;
}

/* The place of an option in the command's own list; -1 if it is not there. */
static int
own_option(const struct arguments *a, const char *name, size_t len)
{
	for (int i = 0; a->own && a->own[i]; i++)
		if (strcspn(a->own[i], "=") == len &&
		    strncmp(a->own[i], name, len) == 0)
			return i;
	return -1;
}

static bool
add_own(struct arguments *out, int own, const char *value, struct error *err)
{
	const char *spelling = out->own[own];

	if (spelling[strlen(spelling) - 1] != '*')
		for (size_t i = 0; i < out->given_count; i++)
			if (out->given[i].own == own)
				return error_set(err, ERR_USAGE,
				    "--%.*s is given twice",
				    (int)strcspn(spelling, "="), spelling);
	if (out->given_count == COMMAND_FLAGS_MAX)
		return error_set(err, ERR_USAGE, "too many options");
	out->given[out->given_count].own = own;
	out->given[out->given_count++].value = value;
	return true;
}

/* One option; `*used` says how many words it took. */
static bool
read_option(
    struct arguments *out, char **argv, int left, int *used, struct error *err)
{
	const char *name = argv[0] + 2, *value = strchr(name, '=');
	size_t len = value ? (size_t)(value - name) : strlen(name);
	int own = own_option(out, name, len);

	*used = 1;
	if (own >= 0 && !strchr(out->own[own], '=')) {
		if (value)
			return error_set(err, ERR_USAGE,
			    "--%.*s takes no value", (int)len, name);
		return add_own(out, own, "", err);
	}
	if (value) {
		value++;
	} else if (left < 2) {
		return error_set(
		    err, ERR_USAGE, "--%.*s wants a value", (int)len, name);
	} else {
		value = argv[1];
		*used = 2;
	}
	if (own >= 0)
		return add_own(out, own, value, err);
	if (len == 3 && strncmp(name, "dir", 3) == 0)
		out->dir = value;
	else if (len == 6 && strncmp(name, "config", 6) == 0)
		out->config = value;
	else
		return add_pair(out, name, len, value, err);
	return true;
}

/* An option, or an operand where there may be some; false without an error: no
 * option. */
static bool
read_word(
    struct arguments *out, char **argv, int left, int *used, struct error *err)
{
	int operand = own_option(out, COMMAND_OPERANDS, 1);

	if (strncmp(argv[0], "--", 2) == 0 && argv[0][2])
		return read_option(out, argv, left, used, err);
	*used = 1;
	return operand >= 0 && add_own(out, operand, argv[0], err);
}

bool
arguments_read(int argc, char **argv, const char *const *own,
    struct arguments *out, struct error *err)
{
	int used;

	*out = (struct arguments){.own = own};
	for (int i = 1; i < argc; i += used) {
		if (!read_word(out, argv + i, argc - i, &used, err))
			return err->code == ERR_NONE
			    ? error_set(err, ERR_USAGE,
				  "\"%s\" is not an option; see %s %s --help",
				  argv[i], program_invocation_short_name,
				  argv[0])
			    : false;
	}
	if (!out->dir)
		return error_set(err, ERR_USAGE,
		    "--dir DIR is missing: the folder to work in");
	return true;
}

void
arguments_release(struct arguments *a)
{
	for (size_t i = 0; i < a->flag_count; i++)
		free((void *)(uintptr_t)a->flags[i]);
	a->flag_count = 0;
}

const char *
arguments_next(const struct arguments *a, const char *name, size_t *at)
{
	int own = own_option(a, name, strlen(name));

	while (*at < a->given_count) {
		size_t i = (*at)++;

		if (a->given[i].own == own)
			return a->given[i].value;
	}
	return NULL;
}

const char *
arguments_value(const struct arguments *a, const char *name)
{
	size_t at = 0;

	return arguments_next(a, name, &at);
}

bool
command_config(const struct arguments *a, struct config *out, struct error *err)
{
	if (!config_load(a->dir, a->config, a->flags, out, err))
		return err->code == ERR_NOTFOUND
		    ? error_prefix(err,
			  "%s is not the folder of a log (mtlogd init makes "
			  "one)",
			  a->dir)
		    : false;
	log_setup(
	    (enum log_format)out->log_format, (enum log_level)out->log_level);
	return true;
}

/* The program around its commands. */

static void
usage(const struct command_table *t, FILE *out)
{
	(void)fprintf(out, "%s: %s\n\n", t->program, t->about);
	for (size_t i = 0; i < t->count; i++)
		(void)fprintf(out, "  %s %-8s %s\n      %s\n", t->program,
		    t->commands[i].name, t->commands[i].arguments,
		    t->commands[i].help);
	(void)fprintf(out, "\n  %s --version\n\n%s\n", t->program, t->see);
}

static bool
is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
	    strcmp(word, "help") == 0;
}

static int
run(const struct command_table *t, const struct command *c, int argc,
    char **argv)
{
	struct error err = {0};
	int code;

	for (int a = 1; a < argc; a++)
		if (is_help(argv[a])) {
			(void)printf("usage: %s %s %s\n\n%s\n", t->program,
			    c->name, c->arguments, c->help);
			return 0;
		}
	code = c->run(argc, argv, &err);
	if (err.code != ERR_NONE)
		(void)fprintf(
		    stderr, "%s %s: %s\n", t->program, c->name, err.text);
	if (err.code == ERR_USAGE || err.code == ERR_SYNTAX)
		return EXIT_USAGE;
	return code < 0 ? EXIT_FOUND : code;
}

static int
dispatch(const struct command_table *t, int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
		(void)printf("%s %s\n", t->program, MTLOG_VERSION);
		return 0;
	}
	if (argc < 2 || is_help(argv[1])) {
		usage(t, argc < 2 ? stderr : stdout);
		return argc < 2 ? EXIT_USAGE : 0;
	}
	for (size_t i = 0; i < t->count; i++)
		if (strcmp(argv[1], t->commands[i].name) == 0)
			return run(t, &t->commands[i], argc - 1, argv + 1);
	(void)fprintf(stderr, "%s: there is no command \"%s\"; see %s --help\n",
	    t->program, argv[1], t->program);
	return EXIT_USAGE;
}

int
command_main(const struct command_table *t, int argc, char **argv)
{
	int code;

	/* Before anything is opened, which could get such a number. */
	if (!descriptors_fill())
		return EXIT_FOUND;
	code = dispatch(t, argc, argv);
	if ((fflush(stdout) != 0 || ferror(stdout)) && code == 0) {
		(void)fprintf(stderr,
		    "%s: standard output cannot be written to\n", t->program);
		return EXIT_FOUND;
	}
	return code;
}
