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

/* Two heads of one log, in any order, and what they are to each other. */
struct history {
	const struct vkey *log;
	struct history_head heads[2];
	bool one;	     /* the larger tree begins with the smaller one */
	struct buf evidence; /* if not; its limit EVIDENCE_MAX_LEN */
};

/*
 * history_compare tells whether the log with these tiles has one history with
 * both heads in it, by what the tiles hash to: nothing that the log says about
 * it is asked. Two roots of one size, and an empty tree with a root of its own,
 * need no tiles: `t` may be NULL then, and is not asked. Else its head is the
 * larger one afterwards.
 *
 * Where they contradict each other evidence of it (core/tlog/evidence.h) is
 * appended, which stands alone: nobody is accused without. False with the errors
 * of tiles_head and tiles_root where it cannot be told, and with those of
 * evidence_make.
 */
bool history_compare(struct tiles *t, struct history *h, struct error *err)
    MUST_USE;

#endif
