/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_CATALOG_H
#define MTLOG_SERVER_CATALOG_H

#include "core/model/dsse.h"
#include "core/model/entry.h"
#include "core/model/statement.h"
#include "server/store/index.h"
#include "server/store/store.h"

#define CATALOG_MAX_FILES 1000 /* of one manifest, the first ones listed */

/*
 * Which keys of the lookup index an envelope is found by. Whoever is asked for
 * something in particular computes its key in the same way (catalog_key), so
 * that a hit is checked by making the envelope's keys once more.
 */
struct catalog_key {
	enum index_kind kind;
	struct hash key;
};

/* What an envelope of a kind that is kept says. The payload must outlive it. */
struct catalog {
	struct statement statement;
	struct hash s;
	size_t count;
	struct catalog_key *keys; /* sorted, each once */
};

/*
 * catalog_read takes an envelope apart. `signer` is the entry that logs it;
 * the keys depend on it. Kept are the statements of OMS v1.0 and of the policy
 * document, and no others: ERR_DENIED "wrong-statement-type"; malformed ones
 * are ERR_SYNTAX, ERR_LIMIT or (a wrong root) ERR_BADSIG, reason
 * "malformed-statement" or "root-mismatch"; larger than ENVELOPE_MAX_LEN:
 * ERR_LIMIT "envelope-too-large". Release with catalog_release in either case.
 */
bool catalog_read(struct hasher *h, struct bytes type, struct bytes payload,
    const struct entry *signer, struct catalog *out, struct error *err)
    MUST_USE;

/* catalog_peek is catalog_read without the files of a model, which cost most:
 * for an envelope that catalog_read took before. */
bool catalog_peek(struct hasher *h, struct bytes type, struct bytes payload,
    const struct entry *signer, struct catalog *out, struct error *err)
    MUST_USE;
void catalog_release(struct catalog *c);

/* catalog_has tells whether the envelope is found by this key. */
bool catalog_has(const struct catalog *c, const struct catalog_key *key)
    MUST_USE;

/* catalog_key makes the key of a kind from its one or two values, as
 * schema/sqlite/index.sql says. */
void catalog_key(struct hasher *h, enum index_kind kind, struct bytes a,
    struct bytes b, struct catalog_key *out);

/*
 * envelope_link fills the digests of `link` from type and payload, which it
 * then views, and `signer` from the entry; the index is the caller's.
 * ERR_INTERNAL.
 */
bool envelope_link(struct hasher *h, struct bytes type, struct bytes payload,
    const struct entry *signer, struct store_link *link, struct error *err)
    MUST_USE;

/* envelope_logged tells whether the entry is one of this envelope: its digest
 * is the PAE's, by the hash that belongs to its key, and the signer's key the
 * link's. */
bool envelope_logged(
    struct hasher *h, const struct store_link *link, const struct entry *e);

#endif
