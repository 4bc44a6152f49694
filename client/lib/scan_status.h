/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_SCAN_STATUS_H
#define MTLOG_CLIENT_LIB_SCAN_STATUS_H

#include "client/lib/scan_book.h"
#include "core/model/statement.h"

/* A name, its newest statement, and the entry where that was found. */
struct scan_newest_of {
	struct bytes name;
	struct hash statement;
	uint64_t index;
};

struct scan_missing_leaf {
	uint64_t index;
	struct bytes digest; /* hex */
	struct bytes why;
	bool counts; /* the policy does not deny it */
};

/*
 * A book as a policy judges it: what a report says, and a status. Borrows from
 * the book. Release with scan_summary_release.
 */
struct scan_summary {
	struct bytes origin;
	struct scan_head head; /* up to where every leaf was scanned */
	bool complete;
	size_t models, approvals, withdrawals, revocations, others; /* leaves */
	size_t newest_count;
	struct scan_newest_of *newest; /* by name */
	size_t missing_count;
	struct scan_missing_leaf *missing; /* by index */
	size_t withdrawn_count;
	struct hash *withdrawn; /* S that nobody may load any more */
	size_t revoked_count;
	struct hash *revoked; /* keys of which nothing counts any more */
};

/*
 * scan_summarize judges by the verifier's own rules. A statement is withdrawn
 * if a withdrawal by who may withdraw it names it, or its key was revoked and
 * its entry is not before the revocation. A key is among the revoked if its
 * revocation reaches back (`withdraw`): one that lets earlier entries stand is
 * told by what it refuses, since a status has no indexes. ERR_USAGE where
 * nothing has been scanned yet; ERR_LIMIT, ERR_INTERNAL.
 */
bool scan_summarize(const struct scan_book *b, const struct policy *p,
    uint64_t now, struct scan_summary *out, struct error *err) MUST_USE;
void scan_summary_release(struct scan_summary *s);

/*
 * scan_status makes the statement: `out` borrows from the summary but for what
 * lies in its storage; release with statement_release. ERR_DENIED reason
 * "no-fresh-status" where no witness says how old the checkpoint is; ERR_LIMIT
 * for more names or digests than a status holds; ERR_USAGE for no name at all.
 */
bool scan_status(const struct scan_summary *s, struct statement *out,
    struct error *err) MUST_USE;

#endif
