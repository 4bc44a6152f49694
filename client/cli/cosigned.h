/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_CLI_COSIGNED_H
#define MTLOG_CLIENT_CLI_COSIGNED_H

#include "client/cli/signing.h"
#include "core/model/tle.h"

/*
 * The proof that a log's witnesses have cosigned: an answer to a submission may
 * prove no more than that the log signed a tree, perhaps for us alone. Where
 * the log has witnesses, or --witnesses names some, it is waited for and takes
 * the place of the first proof.
 */

/* A proof as it came. `t` borrows from `checkpoint` and from the leaf. */
struct cosigned {
	struct buf checkpoint;
	struct tle t;
};

void cosigned_release(struct cosigned *c);

/* cosigned_enough tells whether a checkpoint that the log has signed has the
 * quorum of --witnesses, or without it any cosignature. */
bool cosigned_enough(const struct cli_log *l, struct bytes note, bool *enough,
    struct error *err) MUST_USE;

/*
 * cosigned_get asks for the proof of `leaf` at `index` until it is there or the
 * verb's time for that is over (--wait, for all its entries together), and
 * verifies it. `*got`: `out` has it; else it is noted in `l` for cosigned_end,
 * unless nobody expects any: neither --witnesses nor the pin, and the log has
 * none, which is said on standard error. ERR_BADSIG and so on for a proof that is false;
 * that none came is no error.
 */
bool cosigned_get(struct cli_log *l, uint64_t index, struct bytes leaf,
    struct cosigned *out, bool *got, struct error *err) MUST_USE;

/* cosigned_end is ERR_UNAVAILABLE "not-cosigned-yet" if a proof was kept that
 * lacks the cosignatures: for the end of a verb. */
bool cosigned_end(const struct cli_log *l, struct error *err) MUST_USE;

#endif
