/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_STORE_STORE_SQLITE_H
#define MTLOG_SERVER_STORE_STORE_SQLITE_H

#include "server/store/store.h"

/*
 * For tests: the SQLite store with other files under it. Everything else goes
 * through the functions of `store_sqlite`, whose own create and open use
 * store_sqlite_defaults.
 */
struct store_sqlite_options {
	const char *vfs; /* NULL: the system's files. Outlives the store */
	bool read_only;
	unsigned wal_soft; /* bytes at which compact checkpoints */
	unsigned wal_hard; /* bytes at which it waits for readers */
};

extern const struct store_sqlite_options store_sqlite_defaults;

bool store_sqlite_create_with(const char *dir,
    const struct store_sqlite_options *options, struct error *err) MUST_USE;
struct store *store_sqlite_open_with(const char *dir,
    const struct store_sqlite_options *options, struct error *err) MUST_USE;

#endif
