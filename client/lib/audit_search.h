/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_AUDIT_SEARCH_H
#define MTLOG_CLIENT_LIB_AUDIT_SEARCH_H

#include "client/lib/tiles.h"

#define AUDIT_SEARCH_MAX 1000 /* digests */

/*
 * Whether a log's search is complete: of some entries, chosen by chance, the
 * digests are remembered; all entries that are walked are compared with them;
 * and in the end the log is asked for each. What was met must be in the answer,
 * and all that is in it must be in the tree.
 */
struct audit_search;

struct audit_search *audit_search_open(struct error *err) MUST_USE;
void audit_search_close(struct audit_search *s);

/* audit_search_choose takes `count` of the entries under the head of `t`, of
 * `size`; some may be of a kind that has no digest, or have the same. */
bool audit_search_choose(struct audit_search *s, struct tiles *t, uint64_t size,
    unsigned count, uint64_t seed, struct error *err) MUST_USE;

/* audit_search_meet notes one entry that was walked; in any thread. */
bool audit_search_meet(struct audit_search *s, uint64_t index,
    struct bytes entry, struct error *err) MUST_USE;

/* audit_search_chosen counts the digests, audit_search_met the entries that
 * had to be found, once it was asked. */
unsigned audit_search_chosen(const struct audit_search *s);
uint64_t audit_search_met(const struct audit_search *s);

/*
 * audit_search_ask asks the log, through `get` (as tile_fetch_get). ERR_BADSIG
 * reason "search-hit" where an answer lacks an entry or has one that is not in
 * the tree of `size`. ERR_NOTFOUND where the log has no search; else what `get`
 * says, ERR_SYNTAX reason "server-error" for an answer that is none.
 */
bool audit_search_ask(struct audit_search *s, struct tiles *t, uint64_t size,
    bool (*get)(
	void *arg, const char *path, struct buf *out, struct error *err),
    void *arg, struct error *err) MUST_USE;

#endif
