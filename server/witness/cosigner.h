/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_WITNESS_COSIGNER_H
#define MTLOG_SERVER_WITNESS_COSIGNER_H

#include "server/store/witness_store.h"
#include "server/witness/judge.h"

#define COSIGNER_TEXT_MAX (WITNESS_NOTE_MAX + WITNESS_LINE_MAX)

/* A clock this far behind the last cosignature is refused, not smoothed. */
#define COSIGNER_CLOCK_SLACK_S 300

/* A time before this one means that the clock has not been set. */
#define COSIGNER_CLOCK_FIRST_S 1735689600

/*
 * The witness proper: key, state and rules, and neither network nor threads. A
 * cosignature leaves only when the database and the guard, which counts its
 * commits, are durable. Times never go backwards for one log: a clock that is a
 * little behind repeats the last time, one that is far behind gets nothing.
 */
struct cosigner;

/* What it says to a question, as HTTP will. Release with cosigner_answer_release.
 */
struct cosigner_answer {
	unsigned status;
	enum judge_row row; /* of a submission */
	const char *reason; /* stable name */
	struct hash log;    /* the log's ID, where one was found */
	uint64_t size;	    /* 409: the last that was cosigned */
	uint64_t time;	    /* of the cosignature */
	uint64_t retry_s;   /* 429, 503: Retry-After */
	struct buf text;    /* the body, or for next the origin */
};
void cosigner_answer_release(struct cosigner_answer *a);

struct cosigner_options {
	const char *dir;	 /* of the witness */
	unsigned lock_wait_ms;	 /* for an orphan of a killed one */
	int64_t (*wall_s)(void); /* NULL: the system's clocks */
	uint64_t (*monotonic_ns)(void);
};

/*
 * cosigner_init makes key, guard, state and the folder of logs in `dir`, which
 * is new or empty, all of it durable, and fills the vkey (type 04) of `name`.
 * ERR_CONFLICT: not empty.
 */
bool cosigner_init(const char *dir, const char *name, struct vkey *vkey,
    struct error *err) MUST_USE;

/*
 * cosigner_open locks and reads what cosigner_init made. ERR_CONFLICT: another
 * one holds it. ERR_IO "store-rolled-back": the database has lost commits that
 * the guard has counted; nothing may be cosigned from it.
 */
struct cosigner *cosigner_open(
    const struct cosigner_options *o, struct error *err) MUST_USE;
void cosigner_close(struct cosigner *c);
const struct vkey *cosigner_vkey(const struct cosigner *c);

/* cosigner_try signs a checkpoint of nobody's, for nobody. */
bool cosigner_try(struct cosigner *c, struct error *err) MUST_USE;

/* cosigner_add judges the body of an add-checkpoint, and cosigns. */
void cosigner_add(
    struct cosigner *c, struct bytes body, struct cosigner_answer *a);

/* cosigner_get gives the last cosigned checkpoint of a log: 200, or 404. */
void cosigner_get(
    struct cosigner *c, const struct hash *log, struct cosigner_answer *a);

/* cosigner_next gives the head of the first log over `after` (NULL: the first
 * of all): 200 with its origin as text, or 404. */
void cosigner_next(
    struct cosigner *c, const struct hash *after, struct cosigner_answer *a);

/* cosigner_failed: nobody knows what is on the disk; the process has to end. */
bool cosigner_failed(const struct cosigner *c);

/* Where things are below a witness's folder; malloc'd by path_join. */
#define WITNESS_KEY_FILE    "key.pem"
#define WITNESS_VKEY_FILE   "vkey"
#define WITNESS_GUARD_FILE  "guard"
#define WITNESS_DB_FOLDER   "db"
#define WITNESS_LOG_FOLDER  "logs"
#define WITNESS_RUN_FOLDER  "run"
#define WITNESS_LISTEN_FILE "listen"

/* cosigner_vkey_read reads the vkey of a witness's folder; ERR_NOTFOUND says
 * what to do. */
bool cosigner_vkey_read(const char *dir, struct vkey *out, struct error *err)
    MUST_USE;

#endif
