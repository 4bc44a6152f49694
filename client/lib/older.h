/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_OLDER_H
#define MTLOG_CLIENT_LIB_OLDER_H

#include "client/lib/tiles.h"

/* What a head that a log shows is to a larger one that it signed before. */
enum older {
	OLDER_UNKNOWN = 0, /* it could not be told */
	OLDER_AGREES,	   /* the beginning of the larger one: a mirror that is
			    * late, or an old checkpoint */
	OLDER_FORKED,	   /* it is not, and the tiles prove it */
	OLDER_GONE,	   /* the log has no longer what it signed */
};

/*
 * older_judge asks the log for the larger tree. After OLDER_AGREES and
 * OLDER_FORKED `t` stands on it, so that evidence_make finds the proof; else on
 * nothing. `why` is the error of the other two: of OLDER_UNKNOWN also tiles that
 * do not hash into the larger tree (reason "tile"), which accuse nobody.
 */
enum older older_judge(struct tiles *t, const struct checkpoint *shown,
    const struct checkpoint *larger, struct error *why) MUST_USE;

#endif
