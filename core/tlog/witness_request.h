/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_TLOG_WITNESS_REQUEST_H
#define MTLOG_CORE_TLOG_WITNESS_REQUEST_H

#include "core/tlog/checkpoint.h"
#include "core/tlog/proof.h"

/* Of a whole body: sixteen ML-DSA lines and a proof fit. */
#define WITNESS_REQUEST_MAX_LEN 131072

/*
 * What a log asks of a witness (c2sp.org/tlog-witness, add-checkpoint):
 *
 *	old <size>
 *	<base64 hash>                   0 to 63, of the consistency proof
 *
 *	<the signed checkpoint, verbatim>
 *
 * `old_size` is what the log takes for the last size that the witness cosigned.
 * The checkpoint borrows from the body that was parsed.
 */
struct witness_request {
	uint64_t old_size;
	struct proof proof;
	struct bytes checkpoint; /* a signed note */
};

/*
 * witness_request_parse reads exactly what witness_request_format writes, and
 * wants the checkpoint to be a signed note whose text is a checkpoint's.
 * Whether the parts go together is not asked here. ERR_SYNTAX, ERR_LIMIT.
 * `out` borrows from `body` and needs no release.
 */
bool witness_request_parse(
    struct bytes body, struct witness_request *out, struct error *err) MUST_USE;
void witness_request_format(const struct witness_request *r, struct buf *out);

#endif
