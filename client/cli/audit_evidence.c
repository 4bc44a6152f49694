/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/audit_evidence.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/lib/fork.h"
#include "io/file.h"

#define PLACES	   3
#define FOLDER_MAX 4096

/* The folder that a file is in, with no slash at its end but for "/". */
static void
folder_of(const char *path, char *out, size_t room)
{
	const char *slash = strrchr(path, '/');
	size_t len = slash ? (size_t)(slash - path) : 0;

	if (!slash)
		(void)snprintf(out, room, ".");
	else
		(void)snprintf(out, room, "%.*s", len > 0 ? (int)len : 1, path);
}

bool
cli_evidence_open(struct cli_evidence *e, const char *said, const char *state,
    struct error *err)
{
	char folder[FOLDER_MAX];
	struct stat st;

	*e = (struct cli_evidence){.said = said, .state = state};
	if (!said)
		return true;
	if (strlen(said) >= FOLDER_MAX)
		return error_set(err, ERR_USAGE, "--evidence is too long");
	if (stat(said, &st) == 0 && S_ISDIR(st.st_mode))
		return error_reason(err, ERR_IO, "permission",
		    "--evidence %s is a folder", said);
	folder_of(said, folder, sizeof(folder));
	return faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0 ||
	    error_reason(err, ERR_IO, "permission",
		"--evidence %s could not be written: %m", said);
}

/* The folders to try, the best one first; NULL: none. */
static const char *
place(const struct cli_evidence *e, unsigned n, char *room, size_t len)
{
	const char *temporary = getenv("TMPDIR");

	if (n == 0)
		return ".";
	if (n == 1 && e->state) {
		folder_of(e->state, room, len);
		return room;
	}
	if (n == 2)
		return temporary && temporary[0] == '/' &&
			strlen(temporary) < FOLDER_MAX
		    ? temporary
		    : "/tmp";
	return NULL;
}

/* `why`: of the first place that would not do, even if another one does. */
static bool
write_somewhere(struct cli_evidence *e, struct bytes text, struct error *why)
{
	char folder[FOLDER_MAX];

	for (unsigned n = 0; n < PLACES; n++) {
		const char *at = place(e, n, folder, sizeof(folder));
		struct error no = {0};
		char *path = NULL;
		bool written;

		if (!at)
			continue;
		written = fork_write(at, text, &path, &no);
		if (!written && why->code == ERR_NONE)
			*why = no;
		/* Here it needs no folder before its name. */
		(void)snprintf(e->path, sizeof(e->path), "%s",
		    !written	 ? ""
			: n == 0 ? path + strlen("./")
				 : path);
		free(path);
		if (written)
			return true;
	}
	return false;
}

void
cli_evidence_write(struct cli_evidence *e, struct bytes text)
{
	struct error why = {0};

	if (text.len == 0)
		return;
	if (e->said) {
		(void)snprintf(e->path, sizeof(e->path), "%s", e->said);
		if (file_write(e->path, text, 0644, &why))
			return;
	}
	if (!write_somewhere(e, text, &why)) {
		(void)fprintf(stderr,
		    "mtlog audit: %s; there is no file with the evidence, keep "
		    "what follows:\n",
		    why.text);
		(void)fwrite(text.ptr, 1, text.len, stderr);
	} else if (why.code != ERR_NONE) {
		(void)fprintf(stderr,
		    "mtlog audit: %s; the evidence is in %s\n", why.text,
		    e->path);
	}
}
