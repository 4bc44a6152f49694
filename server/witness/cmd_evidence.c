/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "io/file.h"
#include "server/witness/commands.h"
#include "server/witness/cosigner.h"
#include "server/witness/kept.h"

/* What `evidence` takes out of the database, and where it puts it. */
struct taking {
	const char *folder;
	char *logs;
	struct kept_reader r;
	struct hasher hasher;
	size_t written;
};

/* Files are for others: readable by everybody. */
static bool
put_file(struct taking *t, const char *name, const char *end,
    struct bytes contents, struct error *err)
{
	char *path = NULL;
	bool ok;

	if (asprintf(&path, "%s/%s%s", t->folder, name, end) < 0)
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok = file_write(path, contents, 0644, err);
	if (ok)
		(void)printf("%s\n", path);
	free(path);
	return ok;
}

static bool
make_folder(const struct taking *t, struct error *err)
{
	struct error why = {0};

	return t->written > 0 || folder_create(t->folder, 0755, &why) ||
	    why.code == ERR_CONFLICT ||
	    error_set(err, why.code, "%s", why.text);
}

static bool
put(struct taking *t, const char *origin, const struct kept *k,
    struct error *err)
{
	if (!make_folder(t, err))
		return false;
	t->written++;
	if (k->proves)
		return put_file(t, k->name, "", buf_bytes(&k->text), err);
	(void)fprintf(stderr,
	    "mtlog-witness: %s, size %llu: what is kept does not stand alone: "
	    "%s. Here are the two notes as they are\n",
	    origin, (unsigned long long)k->size, k->why.text);
	return put_file(t, k->name, ".cosigned.note", buf_bytes(&k->fork.ours),
		   err) &&
	    put_file(t, k->name, ".other.note", buf_bytes(&k->fork.note), err);
}

static bool
take_forks(struct taking *t, const struct witness_head *head, struct error *err)
{
	struct witness_log log;
	struct error why = {0};
	struct hash after;
	bool found = true;

	if (!witness_log_load(t->logs, &head->log, &t->hasher, &log, &why)) {
		if (why.code != ERR_NOTFOUND)
			return error_set(err, why.code, "%s", why.text);
		log = (struct witness_log){0};
	}
	for (bool first = true; found; first = false) {
		AUTO(kept) k = {0};

		if (!kept_next(&t->r, &head->log, &log, first ? NULL : &after,
			&k, &found, err) ||
		    (found && !put(t, head->origin, &k, err)))
			return false;
		after = k.fork.root;
	}
	return true;
}

/* Whatever is kept is of a log that was cosigned. */
static bool
take_all(struct taking *t, struct error *err)
{
	struct hash after;
	bool found = true;

	for (bool first = true; found; first = false) {
		AUTO(witness_head) head = {0};

		if (!witness_store_next(t->r.store, first ? NULL : &after,
			&head, &found, err) ||
		    (found && !take_forks(t, &head, err)))
			return false;
		after = head.log;
	}
	if (t->written == 0)
		(void)fprintf(stderr, "No evidence of a fork is kept.\n");
	return true;
}

static bool
take(struct taking *t, const char *dir, struct error *err)
{
	char *db = path_join(dir, WITNESS_DB_FOLDER);
	struct vkey witness;
	bool ok;

	t->logs = path_join(dir, WITNESS_LOG_FOLDER);
	ok = (db && t->logs) || error_set(err, ERR_INTERNAL, "out of memory");
	ok = ok && cosigner_vkey_read(dir, &witness, err) &&
	    hasher_open(&t->hasher, err);
	t->r.hasher = &t->hasher;
	if (ok)
		t->r.verifier = key_verifier_open(err);
	/* For reading: beside one that runs, too. */
	if (t->r.verifier)
		t->r.store = witness_store_open(db, true, err);
	free(db);
	return t->r.store && take_all(t, err);
}

int
witness_evidence(int argc, char **argv, struct error *err)
{
	static const char *const own[] = {"output=", NULL};
	struct taking t = {0};
	struct arguments a;
	bool ok = witness_arguments(argc, argv, own, &a, err);

	if (ok)
		t.folder = arguments_value(&a, "output");
	if (!t.folder)
		t.folder = ".";
	ok = ok && take(&t, a.dir, err);
	witness_store_close(t.r.store);
	key_verifier_close(t.r.verifier);
	hasher_release(&t.hasher);
	free(t.logs);
	arguments_release(&a);
	return ok ? 0 : -1;
}
