/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "io/file.h"
#include "server/command.h"
#include "server/config_write.h"
#include "server/copy.h"
#include "server/signed_head.h"

#define BESIDE_MAX (1u << 20) /* a policy may be that long */

/*
 * A backup is a folder with log.db, the signed checkpoint that covers exactly
 * its entries, vkey and configuration. Never the key, never the guard: a copy
 * of the guard that is put back later would be a lie.
 */

static bool
write_beside(
    const char *folder, const char *name, struct bytes data, struct error *err)
{
	char *path = path_join(folder, name);
	bool ok = path ? file_create(path, data, 0644, err)
		       : error_set(err, ERR_INTERNAL, "out of memory");

	free(path);
	return ok;
}

static bool
copy_beside(
    const char *from, const char *folder, const char *name, struct error *err)
{
	AUTO(buf) text = BUF_INIT(BESIDE_MAX);
	char *path = path_join(from, name);
	bool ok = path && file_read(path, &text, err) &&
	    write_beside(folder, name, buf_bytes(&text), err);

	free(path);
	return ok;
}

static bool
copy_entries(struct store *from, struct store *to, const struct fsck_head *head,
    struct error *err)
{
	struct store_reader *r = store_sqlite.reader_open(from, err);
	struct copy c = {0};
	struct hash root;
	bool ok = r && copy_open(&c, &store_sqlite, to, err) &&
	    copy_range(&c, r, 0, head->size, err) &&
	    copy_links(&c, r, head->size, err) &&
	    copy_root(&c, head->size, &root, err) &&
	    store_sqlite.settle(to, err);

	if (ok && !hash_equal(&root, &head->root))
		ok = error_set(err, ERR_INTERNAL,
		    "the copied entries do not give the signed root; run "
		    "`mtlogd fsck`");
	copy_release(&c);
	if (r)
		store_sqlite.reader_close(r);
	return ok;
}

static bool
backup(const struct config *c, const char *folder, struct fsck_head *head,
    struct error *err)
{
	struct store *from = NULL, *to = NULL;
	const char *policy = config_own_file(c, "witness-policy");
	struct guard_state guard;
	struct vkey vkey;
	bool ok;

	/* The guard is read first: what it covers is in the database. */
	ok = log_vkey_read(c->dir, &vkey, err) &&
	    guard_read(c->guard, &guard, err) &&
	    note_head(bytes_of(guard.note, guard.note_len), &vkey, head, err) &&
	    folder_create(folder, 0700, err) &&
	    store_sqlite.create(folder, err);
	from = ok ? store_sqlite.open(c->database, true, err) : NULL;
	to = from ? store_sqlite.open(folder, false, err) : NULL;
	ok = to && copy_entries(from, to, head, err);
	if (to)
		store_sqlite.close(to);
	if (from)
		store_sqlite.close(from);
	return ok && (!policy || copy_beside(c->dir, folder, policy, err)) &&
	    copy_beside(c->dir, folder, CONFIG_FILE, err) &&
	    copy_beside(c->dir, folder, "vkey", err) &&
	    write_beside(folder, "checkpoint",
		bytes_of(guard.note, guard.note_len), err);
}

int
cmd_backup(int argc, char **argv, struct error *err)
{
	static const char *const own[] = {"to=", NULL};
	struct config c = {0};
	struct arguments a;
	struct fsck_head head = {0};
	bool ok = arguments_read(argc, argv, own, &a, err) &&
	    command_config(&a, &c, err);

	if (ok && !arguments_value(&a, "to"))
		ok = error_set(err, ERR_USAGE,
		    "--to FOLDER is missing: a new folder for the backup");
	ok = ok && backup(&c, arguments_value(&a, "to"), &head, err);
	if (ok)
		(void)printf("%llu entries in %s. The key and the guard are "
			     "not in it: keep them elsewhere.\n",
		    (unsigned long long)head.size, arguments_value(&a, "to"));
	config_release(&c);
	arguments_release(&a);
	return ok ? 0 : -1;
}
