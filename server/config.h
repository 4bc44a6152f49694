/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_CONFIG_H
#define MTLOG_SERVER_CONFIG_H

#include <stdio.h>

#include "core/base/error.h"
#include "io/log.h"

#define CONFIG_FILE	  "mtlogd.conf"
#define CONFIG_MAX_LEN	  65536
#define CONFIG_LIST_MAX	  8
#define CONFIG_WAL_LIMIT  (16ull << 20)
#define CONFIG_LOW_WATER_MIN (2 * (CONFIG_WAL_LIMIT + (16ull << 20)) + (64ull << 20))

/* A repeatable key's values, NULL-ended. */
struct config_list {
	char *items[CONFIG_LIST_MAX + 1];
	size_t count;
};

/*
 * The server's configuration: constant once loaded. Strings are owned; paths
 * are absolute or relative to the working directory (already joined to the
 * log's folder). Sizes in bytes, times in milliseconds.
 */
struct config {
	char *dir;
	char *origin;
	char *listen;
	char *metrics_listen; /* "" = none */
	char *url;	      /* "" = http:// and what is listened on */
	char *database;
	char *guard;
	struct config_list guard_copies;
	char *key;
	char *key_passphrase_file; /* "" = the key is not encrypted */
	bool public_submissions;
	struct config_list trusted_proxies;
	uint64_t low_water;
	uint64_t queue_entries, queue_bytes;
	uint64_t batch_max;
	uint64_t gather_ms;
	uint64_t submit_timeout_ms, request_timeout_ms, idle_timeout_ms;
	uint64_t max_connections, max_connections_per_client;
	uint64_t max_body;
	uint64_t workers; /* 0: one a processor */
	uint64_t http_threads;
	uint64_t cache_size;
	int log_format; /* enum log_format */
	int log_level;	/* enum log_level */
};

/*
 * config_load reads DIR/mtlogd.conf (or `file`), then the environment
 * (MTLOGD_LISTEN …), then `flags`: "listen=…" strings, NULL-ended. Errors in
 * the file say file:line:column. ERR_SYNTAX, ERR_USAGE, ERR_NOTFOUND …;
 * config_release in either case.
 */
bool config_load(const char *dir, const char *file, const char *const *flags,
    struct config *out, struct error *err) MUST_USE;
void config_release(struct config *c);

/*
 * config_parse reads one file's text into `c` (which config_defaults has
 * filled); `name` stands before line and column in errors.
 */
bool config_defaults(const char *dir, struct config *c, struct error *err)
    MUST_USE;
bool config_parse(struct bytes text, const char *name, struct config *c,
    struct error *err) MUST_USE;

/*
 * config_check refuses what makes no sense together (ERR_USAGE): no origin,
 * `admit = anyone` on an address that is not loopback without
 * `public-submissions = yes`. `warning` hears what is only unwise.
 */
bool config_check(const struct config *c, void (*warning)(const char *),
    struct error *err) MUST_USE;

/*
 * config_apply takes over from `next` what may change while the server runs
 * and names in `restart` (at most `len` bytes) the changed keys that may not.
 */
void config_apply(struct config *c, struct config *next, char *restart,
    size_t len);

/* config_from_flags is config_load without a file: for `init`. */
bool config_from_flags(const char *dir, const char *const *flags,
    struct config *out, struct error *err) MUST_USE;

/* config_write_default writes the commented file for a new log: every key with
 * its help; what differs from the default is set. ERR_CONFLICT, ERR_IO. */
bool config_write_default(const char *path, const struct config *c,
    struct error *err) MUST_USE;

/* config_key tells the n-th key's name, default and help; false at the end. */
bool config_key(size_t n, const char **name, const char **fallback,
    const char **help);

#endif
