/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_SCAN_H
#define MTLOG_CLIENT_LIB_SCAN_H

#include "client/lib/scan_book.h"
#include "client/lib/tile_fetch.h"
#include "core/policy/policy.h"

/*
 * A scan of every leaf of a log for those of a policy's signers, each with its
 * envelope: what `fresh … scan` and a status rely on. The log's search is not
 * asked.
 */
struct scan_options {
	const struct policy *policy;
	size_t log;	 /* number of the log in policy->quorum.logs */
	const char *url; /* its address; NULL: the policy's, or a `source` */
	struct tile_source source;
	struct bytes pin;    /* a note of the log, seen before; empty: none */
	const char *state;   /* folder; made if it has to be */
	unsigned timeout_ms; /* of one request */
	uint64_t now;	     /* POSIX seconds */
	uint64_t save_every; /* entries that are read at a time; 0: a default */
	size_t caught_max; /* bytes of signers' leaves at a time; 0: likewise */
	/* May be NULL; called ten times a second at most. */
	void (*progress)(void *arg, uint64_t done, uint64_t total);
	void *progress_arg;
};

/*
 * scan_run continues the scan of a log up to its current checkpoint, which the
 * policy's quorum must have cosigned and which must extend every head that the
 * book knows, and the pin; else it begins anew where the policy has got new signers. Memory
 * is a bundle, a frontier and what was found. The book is saved on the way:
 * whatever ends a scan, the next one goes on from there. `*book` (also after
 * some failures; NULL: there is none) is what is known then.
 *
 * Errors: those of quorum_verify and tiles.h; ERR_CONFLICT reason
 * "inconsistent" if the log forked (the evidence is left in the state folder)
 * or has a smaller tree only, and no longer the larger one; "rollback" for an old
 * checkpoint of the same history; "clock"; "locked".
 */
bool scan_run(const struct scan_options *o, struct scan_book **book,
    struct error *err) MUST_USE;

#endif
