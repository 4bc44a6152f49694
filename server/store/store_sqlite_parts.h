/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_STORE_STORE_SQLITE_PARTS_H
#define MTLOG_SERVER_STORE_STORE_SQLITE_PARTS_H

#include <sqlite3.h>
#include <stdatomic.h>

#include "server/store/store_sqlite.h"

/* What store_sqlite.c (entries and tiles) and store_sqlite_envelopes.c share
 * and nobody else sees. */

enum statement {
	BEGIN,
	COMMIT,
	ROLLBACK,
	ADD_ENTRY,
	ADD_TILE,
	PUT_TILE,
	LAST_ENTRY,
	DROP_ENTRIES,
	DROP_TILES,
	ADD_ENVELOPE,
	ADD_LINK,
	DROP_LINKS,
	DROP_ALONE,
	DROP_ENVELOPE,
	STATEMENTS
};

enum reading { BY_S, BY_SHA384, BY_SHA512, FIND_LINK, LINKS, COUNT, READINGS };

struct store {
	struct store_sqlite_options options;
	char *dir;
	char *path;
	sqlite3 *db;
	sqlite3_stmt *stmt[STATEMENTS];
	uint64_t wal_bytes; /* in the log now, as the last commit said */
	atomic_bool latched, corrupt; /* set by any thread, never cleared */
};

struct store_reader {
	struct store *store;
	sqlite3 *db;
	sqlite3_stmt *entries;
	sqlite3_stmt *tile;
	sqlite3_stmt *envelopes[READINGS]; /* prepared when first needed */
};

/* log_fail is sqlite_fail; anything that says "damaged" stops the writer, too.
 */
bool log_fail(
    struct store *s, sqlite3 *db, int rc, const char *what, struct error *err);

/* The frame of a write: may_write, begin, then commit or give_up. */
bool log_may_write(const struct store *s, struct error *err);
int log_begin(struct store *s);
bool log_commit(struct store *s, const char *what, struct error *err);
bool log_give_up(struct store *s, int rc, const char *what, struct error *err);

/* The envelopes' side of a batch and of a truncation: SQLite's result. */
int log_add_links(struct store *s, const struct store_batch *b);
int log_drop_links(struct store *s, uint64_t size);

/* As in struct store_backend. */
bool log_drop_envelope(
    struct store *s, const struct hash *digest, struct error *err);
bool log_read_envelope(struct store_reader *r, struct bytes digest,
    uint64_t size, struct store_envelope *out, struct error *err);
bool log_find_link(struct store_reader *r, const struct hash *s,
    const struct hash *signer, uint64_t *index, struct error *err);
bool log_read_links(struct store_reader *r, uint64_t after,
    bool (*each)(void *arg, const struct store_link *link, struct error *err),
    void *arg, struct error *err);
bool log_count_envelopes(
    struct store_reader *r, struct store_envelopes *out, struct error *err);

#endif
