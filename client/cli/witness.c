/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/verbs.h"

#define PROGRAM "mtlog-witness"

/* The path of the program that lies beside this one, malloc'd. */
static char *
beside_us(struct error *err)
{
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash, *out = NULL;

	if (n > 0) {
		self[n] = '\0';
		slash = strrchr(self, '/');
		if (slash) {
			slash[1] = '\0';
			if (asprintf(&out, "%s%s", self, PROGRAM) < 0)
				out = NULL;
		}
	}
	if (!out)
		(void)error_set(err, ERR_IO,
		    "cannot tell where this program lies; start %s itself",
		    PROGRAM);
	return out;
}

/*
 * The witness is a program of its own, so that a loader that verifies does not
 * bring a database and an HTTP server with it.
 */
static int
run(struct cli_args *args, struct error *err)
{
	char *path = beside_us(err);
	char **argv;

	if (!path)
		return -1;
	argv = calloc(args->operand_count + 2, sizeof(*argv));
	if (!argv) {
		free(path);
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return -1;
	}
	argv[0] = path;
	for (size_t i = 0; i < args->operand_count; i++)
		argv[i + 1] = (char *)(uintptr_t)args->operands[i];
	(void)execv(path, argv);
	(void)error_set(err, ERR_IO,
	    "cannot start %s: %s; it is installed beside mtlog", path,
	    strerror(errno));
	free(argv);
	free(path);
	return -1;
}

static const char *const commands[] = {
    "init", "serve", "add-log", "status", "evidence", NULL};

static const struct cli_option options[] = {
    {"--dir", "DIR", "the witness's folder", false},
    {"--name", "NAME", "init: what the witness is called", false},
    {"--listen", "ADDR:PORT", "init, serve: where it listens", false},
    {"--metrics-listen", "ADDR:PORT", "serve: where its metrics are", false},
    {"--trusted-proxy", "ADDR", "serve: whose X-Forwarded-For counts", true},
    {"--log-format", "FORMAT", "serve: text, json or journal", false},
    {"--url", "URL", "add-log: where the log is read", false},
    {"--per-day", "N", "add-log: how often it may grow", false},
    {"--replace", NULL, "add-log: what was said before is void", false},
    {"--json", NULL, "status: for programs", false},
    {"--output", "FOLDER", "evidence: where the files go", false},
    {0},
};

const struct cli_verb verb_witness = {
    .name = "witness",
    .arguments = "init|serve|add-log|status|evidence [ARGUMENT]...",
    .summary = "Cosign the checkpoints of logs (runs mtlog-witness)",
    .details = "All that follows is handed to mtlog-witness, which lies beside "
	       "mtlog. `mtlog witness\nserve --help` and its like say which "
	       "options each command takes.",
    .run = run,
    .options = options,
    .foreign = true,
    .words = commands,
};
