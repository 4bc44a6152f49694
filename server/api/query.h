/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_API_QUERY_H
#define MTLOG_SERVER_API_QUERY_H

#include "server/catalog.h"

#define QUERY_LIMIT_DEFAULT 20
#define QUERY_LIMIT_MAX	    100 /* rows of the index looked at for one page */
#define QUERY_VALUE_MAX	    4096

/*
 * What a search asks for. By entry (digest=, signer=): every leaf, whether its
 * envelope is known or not. By what an envelope says (all the others): each
 * statement once.
 *
 *	model=NAME version=V root=HEX file=HEX statement=S subject=HEX
 *	type=URI identity=email:a@example.org digest=HEX signer=HEX
 *	after=INDEX order=oldest|newest limit=N
 *
 * Values are percent-decoded; '+' stands for itself.
 */
enum query_term {
	QUERY_MODEL,
	QUERY_VERSION,
	QUERY_ROOT,
	QUERY_FILE,
	QUERY_STATEMENT,
	QUERY_SUBJECT,
	QUERY_TYPE,
	QUERY_IDENTITY,
	QUERY_DIGEST,
	QUERY_SIGNER,
	QUERY_TERMS
};

struct query {
	bool has[QUERY_TERMS];
	struct buf value[QUERY_TERMS]; /* raw digests, or text */
	bool newest_first, has_after;
	uint64_t after, limit;
};

/* query_parse reads the part of an address behind '?'. ERR_SYNTAX; reasons
 * "bad-parameter", "unknown-parameter", "missing-parameter". Release with
 * query_release in either case. */
bool query_parse(struct bytes text, struct query *out, struct error *err)
    MUST_USE;
void query_release(struct query *q);

/* query_by_envelope tells whether an envelope is asked for. */
bool query_by_envelope(const struct query *q);

/* query_key makes the key of the index to read: the one that others can bury
 * the least. */
void query_key(
    const struct query *q, struct hasher *h, struct catalog_key *out);

/* query_keys makes the keys that an envelope must have: at most QUERY_TERMS. */
size_t query_keys(const struct query *q, struct hasher *h,
    struct catalog_key out[QUERY_TERMS]);

/* query_matches: digest= and signer=, against the entry. */
bool query_matches(
    const struct query *q, struct hasher *h, const struct entry *e);

#endif
