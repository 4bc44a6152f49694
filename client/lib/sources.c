/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/sources.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/base/cleanup.h"
#include "core/model/manifest.h"
#include "io/file.h"

#define SUFFIX ".sigstore.json"

/* "models/r50/" is the folder models/r50. */
static int
trimmed(const char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		n--;
	return (int)n;
}

static char *
beside(const char *model, const char *suffix)
{
	char *out = NULL;

	return asprintf(&out, "%.*s%s", trimmed(model), model, suffix) < 0
	    ? NULL
	    : out;
}

char *
signature_path(const char *model, bool is_folder)
{
	return beside(model, is_folder ? "/model.sig" : ".sig");
}

char *
evidence_path(const char *model, bool is_folder)
{
	return beside(model, is_folder ? "/.mtlog" : ".mtlog");
}

/* Where a file is, or will be: its folder resolved, its own name as it is. */
static char *
resolved(const char *path)
{
	char *copy = strdup(path), *folder = NULL, *out = NULL;
	char *slash = copy ? strrchr(copy, '/') : NULL;

	if (copy && !slash)
		folder = realpath(".", NULL);
	if (slash) {
		*slash = '\0';
		folder = realpath(slash == copy ? "/" : copy, NULL);
	}
	if (folder)
		out = path_join(folder, slash ? slash + 1 : copy);
	free(folder);
	free(copy);
	return out;
}

bool
signature_within(
    const char *model, const char *signature, char **out, struct error *err)
{
	char *root = realpath(model, NULL);
	char *full = resolved(signature);
	bool memory = (root && full) || errno != ENOMEM;
	size_t n = root ? strlen(root) : 0;

	*out = NULL;
	if (root && full && strlen(full) > n &&
	    manifest_name_below(bytes_str(full), bytes_str(root))) {
		*out = strdup(full + n + 1);
		memory = *out != NULL;
	}
	free(full);
	free(root);
	return memory || error_set(err, ERR_INTERNAL, "out of memory");
}

void
evidence_list_release(struct evidence_list *l)
{
	for (size_t i = 0; i < l->count; i++) {
		buf_release(&l->texts[i]);
		free(l->names[i]);
	}
	*l = (struct evidence_list){0};
}

bool
evidence_add(struct evidence_list *l, const char *name, struct buf *text,
    struct error *err)
{
	char *copy;

	if (l->count == EVIDENCE_MAX)
		return error_reason(err, ERR_LIMIT, "malformed-bundle",
		    "more than %d bundles of evidence", EVIDENCE_MAX);
	copy = strdup(name);
	if (!copy)
		return error_set(err, ERR_INTERNAL, "out of memory");
	l->names[l->count] = copy;
	l->texts[l->count] = *text;
	*text = (struct buf){0}; /* transferred */
	l->items[l->count] =
	    (struct evidence_item){copy, buf_bytes(&l->texts[l->count])};
	l->count++;
	return true;
}

static bool
add_file(struct evidence_list *l, const char *path, struct error *err)
{
	AUTO(buf) text = BUF_INIT(EVIDENCE_FILE_MAX);

	return file_read(path, &text, err) && evidence_add(l, path, &text, err);
}

static int
is_bundle(const struct dirent *e)
{
	size_t n = strlen(e->d_name);

	return n > strlen(SUFFIX) && e->d_name[0] != '.' &&
	    strcmp(e->d_name + n - strlen(SUFFIX), SUFFIX) == 0;
}

static bool
add_folder(struct evidence_list *l, const char *path, struct error *err)
{
	struct dirent **found = NULL;
	int n = scandir(path, &found, is_bundle, alphasort);
	bool ok =
	    n >= 0 || error_set(err, ERR_IO, "%s cannot be read: %m", path);

	for (int i = 0; i < n; i++) {
		char *full = ok ? path_join(path, found[i]->d_name) : NULL;

		if (ok)
			ok = full
			    ? add_file(l, full, err)
			    : error_set(err, ERR_INTERNAL, "out of memory");
		free(full);
		free(found[i]);
	}
	free(found);
	return ok;
}

bool
evidence_add_path(
    struct evidence_list *l, const char *path, bool optional, struct error *err)
{
	struct stat st;

	if (stat(path, &st) != 0) {
		if (optional && (errno == ENOENT || errno == ENOTDIR))
			return true;
		return error_reason(err, ERR_NOTFOUND, "missing",
		    "%s cannot be read: %m", path);
	}
	return S_ISDIR(st.st_mode) ? add_folder(l, path, err)
				   : add_file(l, path, err);
}
