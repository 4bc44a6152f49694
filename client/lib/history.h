/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_HISTORY_H
#define MTLOG_CLIENT_LIB_HISTORY_H

#include "client/lib/tiles.h"

/* A head that somebody verified: the log signed the note, which says the rest. */
struct history_head {
	struct bytes note;
	uint64_t size;
	struct hash root;
};

/* Two heads of one log, in any order. The evidence, of a fork, is
 * history_judge's to make and the caller's to release. */
struct history {
	const struct vkey *log;
	struct history_head heads[2];
	struct buf evidence;
};

/* What two heads are to each other. */
enum history_is {
	HISTORY_UNKNOWN = 0, /* it cannot be told, and nobody is accused */
	HISTORY_ONE,	     /* the larger tree begins with the smaller one */
	HISTORY_FORKED,	     /* it does not, and there is evidence */
	/* The log answers that it has no longer what the larger tree is made of
	 * (404): if it showed it before, it takes back what it signed. */
	HISTORY_GONE,
};

/*
 * history_judge tells whether the log with these tiles has one history with
 * both heads in it, by what the tiles hash to: nothing that the log says about
 * it is asked. Two roots of one size, and an empty tree with a root of its own,
 * need no tiles: `t` may be NULL then, and is not asked. Else it stands on the
 * larger one after HISTORY_ONE and HISTORY_FORKED.
 *
 * The evidence of a fork (core/tlog/evidence.h) stands alone: without, it is
 * HISTORY_UNKNOWN. `why` is the error of that and of HISTORY_GONE: of tiles_head,
 * tiles_root and evidence_make, also for tiles that do not hash to what was
 * signed (reason "tile"): whose fault that is cannot be told.
 */
enum history_is history_judge(
    struct tiles *t, struct history *h, struct error *why) MUST_USE;

#endif
