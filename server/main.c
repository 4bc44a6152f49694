/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "server/command.h"

static const struct {
	const char *name;
	command_run *run;
	const char *arguments;
	const char *help;
} commands[] = {
    {"init", cmd_init,
	"--dir DIR --origin NAME [--listen ADDR:PORT]\n"
	"                    [--key-type ed25519|p256] [--follows OLD-DIR]",
	"make DIR with a new key, database and configuration; print the "
	"log's vkey"},
    {"serve", cmd_serve, "--dir DIR [--listen ADDR:PORT] [--KEY VALUE]...",
	"serve the log until TERM"},
    {"check", cmd_check, "--dir DIR [--list-keys]",
	"check the configuration and say what would be served"},
    {"status", cmd_status, "--dir DIR [--json]",
	"say how the log is: sizes, readiness, what confines it"},
    {"fsck", cmd_fsck, "--dir DIR [--repair] [--json]",
	"recompute everything from the entries; 0 if all is right"},
    {"backup", cmd_backup, "--dir DIR --to FOLDER",
	"copy the entries up to one signed checkpoint, beside a running "
	"server"},
    {"restore", cmd_restore,
	"--dir DIR --from-backup FOLDER [--key PEM]\n"
	"                    [--guard FILE]... [--from URL] [--seen FILE]...\n"
	"                    [--read-only]",
	"make a log again out of a backup, if that is safe"},
    {"envelope", cmd_envelope, "drop S --dir DIR --yes",
	"erase the envelope S for ever, but not that it was there"},
    {"freeze", cmd_freeze, "--dir DIR --yes",
	"end the log for ever: nothing new is signed"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void
usage(FILE *out)
{
	(void)fputs(
	    "mtlogd: a transparency log server for signed models\n\n", out);
	for (size_t i = 0; i < COMMANDS; i++)
		(void)fprintf(out, "  mtlogd %-8s %s\n      %s\n",
		    commands[i].name, commands[i].arguments, commands[i].help);
	(void)fputs("\n  mtlogd --version\n\nSee mtlogd(8) and "
		    "mtlogd.conf(5).\n",
	    out);
}

static bool
is_help(const char *word)
{
	return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
	    strcmp(word, "help") == 0;
}

static int
run(size_t i, int argc, char **argv)
{
	struct error err = {0};
	int code;

	for (int a = 1; a < argc; a++)
		if (is_help(argv[a])) {
			(void)printf("usage: mtlogd %s %s\n\n%s\n",
			    commands[i].name, commands[i].arguments,
			    commands[i].help);
			return 0;
		}
	code = commands[i].run(argc, argv, &err);
	if (err.code != ERR_NONE)
		(void)fprintf(
		    stderr, "mtlogd %s: %s\n", commands[i].name, err.text);
	if (err.code == ERR_USAGE || err.code == ERR_SYNTAX)
		return EXIT_USAGE;
	return code < 0 ? EXIT_FOUND : code;
}

int
main(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
		(void)printf("mtlogd %s\n", MTLOG_VERSION);
		return 0;
	}
	if (argc < 2 || is_help(argv[1])) {
		usage(argc < 2 ? stderr : stdout);
		return argc < 2 ? EXIT_USAGE : 0;
	}
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return run(i, argc - 1, argv + 1);
	(void)fprintf(stderr,
	    "mtlogd: there is no command \"%s\"; see mtlogd --help\n", argv[1]);
	return EXIT_USAGE;
}
