/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_CONFIG_H
#define MTLOG_SERVER_CONFIG_H

#include "core/base/buf.h"
#include "core/base/error.h"
#include "io/log.h"

/*
 * mtlogd.conf: UTF-8, one `key = value` a line, lines that begin with '#' are
 * comments, empty lines are skipped. Lines end with a line feed alone. A value
 * is what stands between the blanks around it; it has no quotes, no escapes
 * and no comment behind it. A key stands once, but for the repeatable ones.
 * Example:
 *
 *	origin = log.example.org
 *	listen = 127.0.0.1:8080
 *	guard-copy = /mnt/other-disk/guard
 */
#define CONFIG_FILE	   "mtlogd.conf"
#define CONFIG_MAX_LEN	   65536
#define CONFIG_LIST_MAX	   64
#define CONFIG_WAL_LIMIT   (16ull << 20)
#define CONFIG_INDEX_BATCH (16ull << 20) /* bytes that a flush may write */
#define CONFIG_LOW_WATER_MIN                                                   \
	(2 * (CONFIG_WAL_LIMIT + CONFIG_INDEX_BATCH) + (64ull << 20))

/* A repeatable key's values, NULL-ended. */
struct config_list {
	char *items[CONFIG_LIST_MAX + 1];
	size_t count;
};

enum { CONFIG_ADMIT_ANYONE, CONFIG_ADMIT_RULES }; /* struct config's `admit` */

/* struct config's `witness_mode`: whether a quorum of witnesses decides what
 * the current checkpoint is, and also what is shown at all. */
enum { CONFIG_WITNESS_OFF, CONFIG_WITNESS_OPEN, CONFIG_WITNESS_REQUIRED };

/*
 * The server's configuration: constant once loaded, but for config_apply.
 * Strings are owned; paths are already joined to the log's folder. Sizes in
 * bytes, times in milliseconds.
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
	char *key_passphrase_file;	/* "" = the key is not encrypted */
	struct config_list former_logs; /* vkeys */
	int admit;			/* CONFIG_ADMIT_… */
	struct config_list admit_keys, admit_identities, admit_tokens;
	bool public_submissions;
	uint64_t envelope_quota;	    /* bytes a day */
	struct config_list trusted_proxies; /* ADDR or ADDR/BITS */
	uint64_t low_water;
	uint64_t queue_entries, queue_bytes;
	uint64_t batch_max, gather_ms;
	uint64_t submit_timeout_ms, request_timeout_ms, idle_timeout_ms;
	uint64_t max_connections, max_connections_per_client;
	uint64_t max_body;
	uint64_t workers; /* 0: one a processor */
	uint64_t http_threads, cache_size;
	int witness_mode;     /* CONFIG_WITNESS_… */
	char *witness_policy; /* "" = none */
	uint64_t witness_interval_ms, witness_timeout_ms;
	struct config_list witness_options; /* see server/rule_text.h */
	int log_format;			    /* enum log_format */
	int log_level;			    /* enum log_level */

	/* What config_load was given, for config_reload. */
	char *file;
	char **flags;
};

/*
 * config_load reads DIR/mtlogd.conf (or `file`), then the environment
 * (MTLOGD_LISTEN …, several values of a repeatable key by commas), then
 * `flags`: "listen=…" strings, NULL-ended, may be NULL; of a key given twice
 * there the last counts. What a later source says replaces what an earlier one
 * said, lists too. Errors in the file say file:line:column. ERR_SYNTAX,
 * ERR_LIMIT, ERR_USAGE (flags), ERR_NOTFOUND …; config_release in either case.
 */
bool config_load(const char *dir, const char *file, const char *const *flags,
    struct config *out, struct error *err) MUST_USE;

/* config_release frees what `c` holds; safe on zero, twice. config_defaults
 * fills `c` for the log in `dir`. */
void config_release(struct config *c);
bool config_defaults(const char *dir, struct config *c, struct error *err)
    MUST_USE;

/*
 * config_parse reads one file's text into `c` (which config_defaults has
 * filled); `name` stands before line and column (characters, from 1) in
 * errors. ERR_SYNTAX.
 */
bool config_parse(struct bytes text, const char *name, struct config *c,
    struct error *err) MUST_USE;

/* config_format appends a file that config_parse reads into an equal
 * configuration, in the same folder. */
void config_format(const struct config *c, struct buf *out);

/*
 * config_check refuses what makes no sense together (ERR_USAGE): no origin,
 * `admit = anyone` on an address that is not loopback without
 * `public-submissions = yes`, the guard or the key in the database's folder …
 * `warning` (may be NULL) hears what is only unwise, and of variables MTLOGD_*
 * that name no key.
 */
bool config_check(const struct config *c, void (*warning)(const char *),
    struct error *err) MUST_USE;

/* config_reload loads again from `text`, which is what the file holds now, and
 * the other sources of before, checks, and on success applies: see
 * config_apply. On failure nothing changes. */
bool config_reload(struct config *c, struct bytes text, char *restart,
    size_t len, struct error *err) MUST_USE;

/*
 * config_apply takes over from `next` what may change while the server runs
 * and names in `restart` (at most `len` bytes) the changed keys that may not.
 */
void config_apply(
    struct config *c, struct config *next, char *restart, size_t len);

/* config_from_flags is config_load without a file: for `init`. */
bool config_from_flags(const char *dir, const char *const *flags,
    struct config *out, struct error *err) MUST_USE;

#endif
