/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_STORE_WITNESS_STORE_H
#define MTLOG_SERVER_STORE_WITNESS_STORE_H

#include "core/base/buf.h"
#include "core/crypto/hash.h"
#include "core/tlog/checkpoint.h"

#define WITNESS_NOTE_MAX  65536 /* of a stored checkpoint, signatures and all */
#define WITNESS_LINE_MAX  1024	/* of a cosignature's line */
#define WITNESS_FORKS_MAX 16	/* kept of one log */

/*
 * What a witness has cosigned: the last checkpoint of each log, in one SQLite
 * file, witness.db (schema/sqlite/witness.sql). One process writes; others may
 * read beside it. Once a commit has been tried and not succeeded, nobody knows
 * what is on the disk, and nothing is written again ("store-unknown").
 */
struct witness_store;

/* The last cosigned checkpoint of a log. Release with witness_head_release. */
struct witness_head {
	struct hash log; /* SHA-256 of the origin */
	char origin[CHECKPOINT_ORIGIN_MAX + 1];
	uint64_t size;
	struct hash root;
	uint64_t time;		/* of the cosignature */
	struct buf note;	/* the log's, signed */
	struct buf cosignature; /* our line */
};
void witness_head_release(struct witness_head *h);

/* For the power-cut test; zeros are what a witness has. */
struct witness_store_options {
	const char *vfs;   /* NULL: the system's files */
	uint64_t wal_soft; /* settle beyond so many bytes of write-ahead log */
	bool read_only;
};
bool witness_store_create_with(const char *dir,
    const struct witness_store_options *options, struct error *err) MUST_USE;
struct witness_store *witness_store_open_with(const char *dir,
    const struct witness_store_options *options, struct error *err) MUST_USE;

/* witness_store_create makes witness.db in `dir`, durable. ERR_CONFLICT. */
bool witness_store_create(const char *dir, struct error *err) MUST_USE;

/* witness_store_open; NULL with ERR_NOTFOUND, ERR_IO "store-corrupt" …  A
 * writer calls witness_store_settle before the first swap. */
struct witness_store *witness_store_open(
    const char *dir, bool read_only, struct error *err) MUST_USE;
void witness_store_close(struct witness_store *s);

/*
 * witness_store_settle makes durable whatever can be read: an earlier process
 * may have died over an fsync. ERR_UNAVAILABLE "disk-full": try again; anything
 * else is for good.
 */
bool witness_store_settle(struct witness_store *s, struct error *err) MUST_USE;

/* witness_store_commits is how many commits the file has seen. */
bool witness_store_commits(
    struct witness_store *s, uint64_t *out, struct error *err) MUST_USE;

/* witness_store_get reads a log's head; `*found` is false if none was cosigned.
 * witness_store_next reads the first one whose log is over `after` (NULL: the
 * first of all). */
bool witness_store_get(struct witness_store *s, const struct hash *log,
    struct witness_head *out, bool *found, struct error *err) MUST_USE;
bool witness_store_next(struct witness_store *s, const struct hash *after,
    struct witness_head *out, bool *found, struct error *err) MUST_USE;

/*
 * witness_store_swap puts `next` in the place of the log's head, if that still
 * has `old_size` (0: or there is none) and a time that is not later, and makes
 * it durable. ERR_CONFLICT if it has not. ERR_UNAVAILABLE "disk-full" or
 * "store-busy": nothing was written. ERR_IO: unknown; the process has to end.
 */
bool witness_store_swap(struct witness_store *s, uint64_t old_size,
    const struct witness_head *next, struct error *err) MUST_USE;

/* witness_store_fork keeps the checkpoint `note` of `root` as evidence against
 * the log of `ours`, once, up to WITNESS_FORKS_MAX. Errors as above. */
bool witness_store_fork(struct witness_store *s,
    const struct witness_head *ours, const struct hash *root, struct bytes note,
    uint64_t time, struct error *err) MUST_USE;

/* witness_store_forks counts what is kept of a log. */
bool witness_store_forks(struct witness_store *s, const struct hash *log,
    uint64_t *out, struct error *err) MUST_USE;

/* One that is kept. Release with witness_fork_release. */
struct witness_fork {
	struct hash root; /* of the note that was not cosigned */
	uint64_t time;	  /* when it came */
	struct buf note;  /* that note, signed by the log */
	struct buf ours;  /* the one that was cosigned, likewise */
};
void witness_fork_release(struct witness_fork *f);

/* witness_store_fork_next reads the first of a log whose root is over `after`
 * (NULL: the first of all). */
bool witness_store_fork_next(struct witness_store *s, const struct hash *log,
    const struct hash *after, struct witness_fork *out, bool *found,
    struct error *err) MUST_USE;

#endif
