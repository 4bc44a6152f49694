/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_WITNESS_WITNESS_LOG_H
#define MTLOG_SERVER_WITNESS_WITNESS_LOG_H

#include "core/tlog/checkpoint.h"

#define WITNESS_LOG_KEYS     4
#define WITNESS_LOG_URL_MAX  500
#define WITNESS_LOG_TEXT_MAX 8192
#define WITNESS_PER_DAY	     86400 /* growths a day, unless it says otherwise */
#define WITNESS_PER_DAY_MAX  86400000

/*
 * A log whose checkpoints are cosigned, as the operator named it: a file of its
 * own in the folder `logs`, so that one can be added beside a running witness,
 * which reads it at the next submission. The name of the file is the log's ID,
 * the SHA-256 of its origin in hex.
 *
 *	vkey <vkey>              one to four, of one name: the origin
 *	url <url>                at most one; for people
 *	per-day <number>         at most one
 */
struct witness_log {
	size_t key_count;
	struct vkey keys[WITNESS_LOG_KEYS];
	char url[WITNESS_LOG_URL_MAX + 1];
	uint64_t per_day; /* how often its tree may grow */
};

/* witness_log_id is the SHA-256 of an origin. */
void witness_log_id(struct hasher *h, struct bytes origin, struct hash *out);

/* witness_log_origin views the origin. */
static inline struct bytes
witness_log_origin(const struct witness_log *l)
{
	return vkey_name(&l->keys[0]);
}

/* witness_log_add_key takes one more vkey, of a log's type and of the origin
 * of those before. ERR_SYNTAX, ERR_USAGE, ERR_LIMIT. */
bool witness_log_add_key(
    struct witness_log *l, struct bytes vkey, struct error *err) MUST_USE;

/* witness_log_set_url and witness_log_set_rate take what stands in the file and
 * on the command line. ERR_SYNTAX, ERR_LIMIT. */
bool witness_log_set_url(
    struct witness_log *l, struct bytes url, struct error *err) MUST_USE;
bool witness_log_set_rate(
    struct witness_log *l, struct bytes digits, struct error *err) MUST_USE;

/* witness_log_parse reads a file's text. ERR_SYNTAX, ERR_LIMIT. */
bool witness_log_parse(
    struct bytes text, struct witness_log *out, struct error *err) MUST_USE;
void witness_log_format(const struct witness_log *l, struct buf *out);

/*
 * witness_log_load reads the file of the log `id` below the folder `logs`.
 * ERR_NOTFOUND: there is none; ERR_SYNTAX names the file, also where it is
 * another log's.
 */
bool witness_log_load(const char *folder, const struct hash *id,
    struct hasher *h, struct witness_log *out, struct error *err) MUST_USE;

/* witness_log_store makes the file, or with `replace` replaces it, durable.
 * ERR_CONFLICT if it is there. */
bool witness_log_store(const char *folder, const struct witness_log *l,
    bool replace, struct error *err) MUST_USE;

#endif
