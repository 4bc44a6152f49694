/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <unistd.h>

#include "client/cli/cli.h"

bool
cli_colour(FILE *out)
{
	const char *none = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(fileno(out)) && (!none || !*none) &&
	    (!term || strcmp(term, "dumb") != 0);
}

bool
cli_confirm(const char *question, bool yes, struct error *err)
{
	char answer[16];

	if (yes)
		return true;
	if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO))
		return error_set(err, ERR_USAGE,
		    "nobody is there to be asked: say --yes to go on");
	(void)fprintf(stderr, "%s [y/N] ", question);
	(void)fflush(stderr);
	if (fgets(answer, sizeof(answer), stdin) &&
	    (strcmp(answer, "y\n") == 0 || strcmp(answer, "yes\n") == 0))
		return true;
	return error_reason(err, ERR_DENIED, "rejected", "nothing was sent");
}

bool
cli_print(struct bytes text, struct error *err)
{
	if ((text.len == 0 ||
		fwrite(text.ptr, 1, text.len, stdout) == text.len) &&
	    fflush(stdout) == 0)
		return true;
	return error_set(
	    err, ERR_IO, "standard output cannot be written to: %m");
}
