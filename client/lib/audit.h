/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_AUDIT_H
#define MTLOG_CLIENT_LIB_AUDIT_H

#include "client/lib/audit_state.h"
#include "client/lib/tiles.h"
#include "core/tlog/quorum.h"
#include "core/verify/verdict_code.h"

/*
 * An audit of a whole log: is it one tree, the same that everyone was shown,
 * made of well-signed entries that a search finds? Memory is bounded at any
 * size of the tree; what was done is kept in a state, and continued from there.
 */

/* What is checked, in this order. A step that fails does not keep the later
 * ones from being done, unless they rest upon it. */
enum audit_step {
	AUDIT_CHECKPOINT, /* the newest one is the log's, and its edge is */
	AUDIT_COSIGNED,	  /* witnesses have seen it, too */
	AUDIT_HISTORY,	  /* the state's heads are of its history */
	AUDIT_SEEN,	  /* so are checkpoints that others were shown */
	AUDIT_TREE,	  /* every leaf, every tile of every level */
	AUDIT_ENTRIES,	  /* every entry's signature */
	AUDIT_SEARCH,	  /* a search finds what is there, and only that */
	AUDIT_STEPS,
};

enum audit_result {
	AUDIT_NOT_REACHED,
	AUDIT_NOT_ASKED,
	AUDIT_PASS,
	AUDIT_FAIL,
};

struct audit_check {
	enum audit_result result;
	struct error why; /* of AUDIT_FAIL */
};

/* A checkpoint that somebody was shown. Owns its memory. */
struct audit_seen {
	const char *name; /* of the file; the caller's */
	struct buf note;
	bool ours; /* we saw it ourselves, and not somebody else */
	struct audit_seen *next;
};

/* audit_seen_read finds the checkpoints of `log` in a file and puts them before
 * `*list`: a signed checkpoint, a .tlog-proof, a bundle, or a log's answer.
 * ERR_BADSIG reason "unknown-log" where there is none of this log, or
 * "log-signature"; file_read's errors. */
bool audit_seen_read(const char *path, const struct vkey *log,
    struct audit_seen **list, struct error *err) MUST_USE;
/* audit_seen_put puts a checkpoint that we saw ourselves before `*list`. */
bool audit_seen_put(const char *name, struct bytes note,
    struct audit_seen **list, struct error *err) MUST_USE;
void audit_seen_release(struct audit_seen *list);

struct audit_options {
	struct tiles *tiles;
	const struct vkey *log;
	unsigned threads; /* 0: as many as pay */
	bool entries;	  /* verify every signature */
	/* Digests to search for; where the log has no search (404), that is no
	 * failure unless it `must`. `seed` chooses them. */
	unsigned search;
	bool search_must;
	uint64_t seed;
	bool (*search_get)(
	    void *arg, const char *path, struct buf *out, struct error *err);
	const struct audit_seen *seen;
	/* Who must have cosigned the current checkpoint; NULL: the log alone
	 * says what is current. A tree that they have not seen is not walked. */
	const struct quorum *quorum;
	/* What was audited before, and is by now; `save` makes it durable. */
	struct audit_state *state;
	bool (*save)(
	    void *arg, const struct audit_state *state, struct error *err);
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	/* True ends it soon, in any thread: what is walked by then is saved, and
	 * the step that it was in fails, reason "cancelled". May be NULL. */
	bool (*stop)(void *arg);
	void *arg; /* of the four functions */
};

#define AUDIT_BAD_SHOWN 10

struct audit_report {
	struct audit_check checks[AUDIT_STEPS];
	struct buf note; /* the checkpoint, */
	struct checkpoint head;
	/* AUDIT_COSIGNED passed, or failed with reason "quorum": by whom. */
	struct quorum_result cosigned;
	uint64_t from, to; /* entries that were walked: [from, to) */
	uint64_t signatures, bad_signatures;
	uint64_t bad_at[AUDIT_BAD_SHOWN]; /* indexes of the first found */
	size_t seen;
	unsigned digests;    /* searched for */
	uint64_t hits;	     /* that had to be found */
	struct buf evidence; /* of a fork; empty: none */
};

/* audit_run fills `out` (release it), and gives what to exit with: the worst of
 * its checks. Never fails otherwise: what goes wrong is in the report. */
int audit_run(const struct audit_options *o, struct audit_report *out);
void audit_report_release(struct audit_report *r);

/* audit_step_name: "checkpoint", "cosigned", "history", "seen", "tree", "entries",
 * "search"; audit_result_name: "pass", "fail", "not-asked", "not-reached". */
const char *audit_step_name(enum audit_step step);
const char *audit_result_name(enum audit_result result);

#endif
