/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "client/cli/cli.h"
#include "core/base/cleanup.h"
#include "io/file.h"

#define VKEY_FILE_MAX 4096

static const struct {
	const char *name;
	cli_verb *run;
	const char *arguments;
	const char *help;
} verbs[] = {
    {"submit", cli_submit,
	"--log URL --vkey VKEY [--output FOLDER] [--json] FILE...",
	"log signed statements; verify each answer and keep its proof "
	"(FILE.tlog-proof). Safe to repeat"},
    {"proof", cli_proof, "verify --vkey VKEY --submission FILE PROOF",
	"check offline that a statement is in the log"},
};

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

/* Reasons first, then classes. */
int
cli_exit_of(const struct error *err)
{
	static const struct {
		const char *reason;
		int code;
	} by_reason[] = {
	    {"network", CLI_NETWORK},
	    {"throttled", CLI_THROTTLED},
	    {"rejected", CLI_REJECTED},
	    {"server-error", CLI_SERVER_ERROR},
	    {"inclusion", CLI_NOT_LOGGED},
	    {"wrong-entry", CLI_NOT_LOGGED},
	    {"log-signature", CLI_UNTRUSTED},
	};
	static const int by_class[] = {
	    [ERR_NONE] = CLI_OK,
	    [ERR_USAGE] = CLI_USAGE,
	    [ERR_LIMIT] = CLI_MALFORMED,
	    [ERR_SYNTAX] = CLI_MALFORMED,
	    [ERR_BADSIG] = CLI_NOT_LOGGED,
	    [ERR_DENIED] = CLI_LOCAL_IO,
	    [ERR_NOTFOUND] = CLI_LOCAL_IO,
	    [ERR_CONFLICT] = CLI_LOCAL_IO,
	    [ERR_UNAVAILABLE] = CLI_NETWORK,
	    [ERR_IO] = CLI_LOCAL_IO,
	    [ERR_INTERNAL] = CLI_INTERNAL,
	};

	for (size_t i = 0; i < sizeof(by_reason) / sizeof(by_reason[0]); i++)
		if (strcmp(error_reason_name(err), by_reason[i].reason) == 0)
			return by_reason[i].code;
	return by_class[err->code];
}

bool
cli_log_key(const char *word, struct vkey *out, struct error *err)
{
	AUTO(buf) text = BUF_INIT(VKEY_FILE_MAX);

	if (!word)
		return error_set(err, ERR_USAGE,
		    "--vkey VKEY is missing: the line that `mtlogd init` "
		    "printed, or a file with it");
	if (strchr(word, '+'))
		return vkey_parse(bytes_str(word), out, err) ||
		    error_prefix(err, "--vkey");
	if (!file_read(word, &text, err))
		return false;
	while (text.len > 0 && text.ptr[text.len - 1] == '\n')
		text.len--;
	return vkey_parse(buf_bytes(&text), out, err) ||
	    error_prefix(err, "%s", word);
}

bool
cli_submission(
    const char *path, struct buf *json, struct buf *leaf, struct error *err)
{
	AUTO(entry) e = {0};

	if (!file_read(path, json, err))
		return false;
	if (!entry_request_parse(buf_bytes(json), &e, err))
		return error_prefix(err, "%s", path);
	entry_format(&e, leaf);
	return buf_ok(leaf, err);
}

static void
usage(FILE *out)
{
	(void)fputs(
	    "mtlog: log signed models and check that they are logged\n\n", out);
	for (size_t i = 0; i < VERBS; i++)
		(void)fprintf(out, "  mtlog %-7s %s\n      %s\n", verbs[i].name,
		    verbs[i].arguments, verbs[i].help);
	(void)fputs("\n  mtlog --version\n\nSee mtlog(1).\n", out);
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
			(void)printf("usage: mtlog %s %s\n\n%s\n",
			    verbs[i].name, verbs[i].arguments, verbs[i].help);
			return CLI_OK;
		}
	code = verbs[i].run(argc, argv, &err);
	if (err.code == ERR_NONE)
		return code < 0 ? CLI_INTERNAL : code;
	(void)fprintf(stderr, "mtlog %s: %s\n", verbs[i].name, err.text);
	return cli_exit_of(&err);
}

int
main(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "--version") == 0) {
		(void)printf("mtlog %s\n", MTLOG_VERSION);
		return CLI_OK;
	}
	if (argc < 2 || is_help(argv[1])) {
		usage(argc < 2 ? stderr : stdout);
		return argc < 2 ? CLI_USAGE : CLI_OK;
	}
	for (size_t i = 0; i < VERBS; i++)
		if (strcmp(argv[1], verbs[i].name) == 0)
			return run(i, argc - 1, argv + 1);
	(void)fprintf(stderr,
	    "mtlog: there is no command \"%s\"; see mtlog --help\n", argv[1]);
	return CLI_USAGE;
}
