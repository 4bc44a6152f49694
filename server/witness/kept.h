/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_WITNESS_KEPT_H
#define MTLOG_SERVER_WITNESS_KEPT_H

#include "core/tlog/evidence.h"
#include "server/store/witness_store.h"
#include "server/witness/witness_log.h"

#define KEPT_NAME_MAX 64

/*
 * A fork that the witness keeps, as it is handed out: two checkpoints of one
 * size with different roots, both signed by the log. Where one key of the log's
 * signed both, `text` is evidence that stands alone (core/tlog/evidence.h), in a
 * file `name`. Where none is known that did (the log's file was removed, or
 * names other keys now), there are only the two notes, and `why` says so.
 */
struct kept {
	uint64_t size;
	uint64_t time; /* when the other one came */
	struct hash cosigned, other;
	struct witness_fork fork; /* the notes */
	bool proves;
	struct error why;	  /* if it does not */
	char name[KEPT_NAME_MAX]; /* fork-<16 hex digits>, and ".evidence" */
	struct buf text;
};
void kept_release(struct kept *k);

/* What kept_next works with. */
struct kept_reader {
	struct witness_store *store;
	struct hasher *hasher;
	struct key_verifier *verifier;
};

/*
 * kept_next fills the first one of the log `id` whose root is over `after`
 * (NULL: the first of all); `log` is what is known of it (without keys: it is
 * not witnessed any more). ERR_IO "store-corrupt" where a note is none.
 */
bool kept_next(const struct kept_reader *r, const struct hash *id,
    const struct witness_log *log, const struct hash *after, struct kept *out,
    bool *found, struct error *err) MUST_USE;

#endif
