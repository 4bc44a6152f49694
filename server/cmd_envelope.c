/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "server/catalog.h"
#include "server/command.h"
#include "server/guard.h"
#include "server/store/index.h"

/* What the index has of one envelope, while it can still be read. */
struct rows {
	const struct hash *s;
	struct store_reader *entries;
	struct hasher hasher;
	struct buf leaf;
	struct index_row *rows;
	size_t count;
};

static bool
take_leaf(void *arg, uint64_t index, struct bytes leaf, struct error *err)
{
	struct rows *r = arg;

	(void)index;
	buf_clear(&r->leaf);
	buf_put(&r->leaf, leaf);
	return buf_ok(&r->leaf, err);
}

static bool
add_rows(
    struct rows *r, const struct catalog *c, uint64_t index, struct error *err)
{
	struct index_row *rows =
	    reallocarray(r->rows, r->count + c->count, sizeof(*rows));

	if (!rows)
		return error_set(err, ERR_INTERNAL, "out of memory");
	r->rows = rows;
	for (size_t i = 0; i < c->count; i++)
		rows[r->count++] =
		    (struct index_row){c->keys[i].kind, c->keys[i].key, index};
	return true;
}

/* What cannot be read has no rows, or ones that a rebuilt index will lack. */
static bool
each_link(void *arg, const struct store_link *link, struct error *err)
{
	struct rows *r = arg;
	AUTO(entry) e = {0};
	AUTO(catalog) c = {0};
	struct error why = {0};

	if (!hash_equal(&link->s, r->s) || link->dropped)
		return true;
	if (!store_sqlite.read_entries(
		r->entries, link->index, 1, take_leaf, r, err))
		return false;
	return !entry_parse(buf_bytes(&r->leaf), &e, &why) ||
	    !catalog_read(
		&r->hasher, link->type, link->payload, &e, &c, &why) ||
	    add_rows(r, &c, link->index, err);
}

static bool
collect(struct store *store, struct rows *r, struct error *err)
{
	struct store_reader *links = store_sqlite.reader_open(store, err);
	bool ok;

	r->entries = links ? store_sqlite.reader_open(store, err) : NULL;
	ok = r->entries && hasher_open(&r->hasher, err) &&
	    store_sqlite.read_links(links, 0, each_link, r, err);
	hasher_release(&r->hasher);
	if (r->entries)
		store_sqlite.reader_close(r->entries);
	if (links)
		store_sqlite.reader_close(links);
	return ok;
}

/* Settled before, because an earlier run may not have been; and after, so that
 * nothing is left in the write-ahead log. */
static bool
drop(const struct config *c, const struct hash *s, struct error *err)
{
	struct store *store = store_sqlite.open(c->database, false, err);
	struct index_file *index =
	    store ? index_open(c->database, false, err) : NULL;
	struct rows r = {.s = s};
	bool ok;

	buf_init(&r.leaf, UINT16_MAX);
	ok = index && store_sqlite.settle(store, err) &&
	    collect(store, &r, err) &&
	    store_sqlite.drop_envelope(store, s, err) &&
	    store_sqlite.settle(store, err) &&
	    index_drop_rows(index, r.rows, r.count, err);
	free(r.rows);
	buf_release(&r.leaf);
	index_close(index);
	if (store)
		store_sqlite.close(store);
	return ok;
}

/* Nobody else may be at work: the guard's lock is the log's. */
static bool
drop_alone(const struct config *c, const struct hash *s, struct error *err)
{
	struct guard_state state;
	struct guard *guard = guard_open(c->guard, 0, &state, err);
	bool ok;

	if (!guard)
		return error_prefix(err, "stop the server first");
	ok = drop(c, s, err);
	guard_close(guard);
	return ok;
}

static bool
read_words(int argc, char **argv, struct hash *s, struct error *err)
{
	if (argc < 3 || strcmp(argv[1], "drop") != 0)
		return error_set(
		    err, ERR_USAGE, "the command is: envelope drop S");
	return hex_decode(bytes_str(argv[2]), s->b, HASH_LEN) ||
	    error_set(err, ERR_USAGE,
		"S is the SHA-256 of the envelope's PAE: 64 lower-case hex "
		"digits");
}

int
cmd_envelope(int argc, char **argv, struct error *err)
{
	static const char *const own[] = {"yes", NULL};
	struct config c = {0};
	struct arguments a = {0};
	struct hash s;
	bool ok = read_words(argc, argv, &s, err);

	if (ok)
		argv[2] = argv[0];
	ok = ok && arguments_read(argc - 2, argv + 2, own, &a, err) &&
	    command_config(&a, &c, err);
	if (ok && !arguments_value(&a, "yes"))
		ok = error_set(err, ERR_USAGE,
		    "this erases the envelope for ever: nobody can submit it "
		    "again, and its entries stay without one. Say --yes");
	ok = ok && drop_alone(&c, &s, err);
	if (ok)
		(void)printf("dropped. Backups and other copies still have "
			     "it.\n");
	config_release(&c);
	arguments_release(&a);
	return ok ? 0 : -1;
}
