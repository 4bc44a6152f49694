/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_SCAN_RECORD_H
#define MTLOG_CLIENT_LIB_SCAN_RECORD_H

#include "client/lib/scan_book.h"
#include "client/lib/scan_watch.h"
#include "client/lib/tile_fetch.h"

/* What turns leaves of watched signers into what stands in the book. Borrows. */
struct scan_recorder {
	struct scan_book *book;
	struct judge *judge;
	const struct scan_watch *watch;
	struct tile_fetch *fetch; /* for envelopes */
	unsigned silent; /* envelopes in a row that the log gave no answer to */
};

/*
 * scan_record_leaf looks at one leaf, and records it if it is the first of its
 * signed digest by a watched signer: the same signature can be logged again in
 * another form, by anybody. The envelope is asked for; one that does not come,
 * or is another, leaves a record with `missing`. ERR_LIMIT beyond
 * SCAN_FOUND_MAX; ERR_INTERNAL.
 */
bool scan_record_leaf(struct scan_recorder *r, uint64_t index,
    struct bytes leaf, struct error *err) MUST_USE;

/* scan_record_retry asks for the envelopes that are missing once more. */
bool scan_record_retry(struct scan_recorder *r, struct error *err) MUST_USE;

#endif
