/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_COSIGNED_H
#define MTLOG_SERVER_COSIGNED_H

#include "core/tlog/quorum.h"

/* A file of the database's folder: the newest checkpoint that was shown with a
 * quorum of cosignatures, a signed note. */
#define COSIGNED_FILE "cosigned"

#define COSIGNED_MAX 65536

/* cosigned_read appends the note to `out`; ERR_NOTFOUND: there is none yet. */
bool cosigned_read(const char *folder, struct buf *out, struct error *err)
    MUST_USE;

/* cosigned_write makes `note` durable in its place: after an error the old one
 * is there, or the new one. */
bool cosigned_write(const char *folder, struct bytes note, struct error *err)
    MUST_USE;

/*
 * cosigned_judge verifies a note as quorum_verify does, but that too few
 * witnesses signed it is no error: `*met` tells. `out->head` borrows from
 * `note`.
 */
bool cosigned_judge(struct bytes note, const struct quorum *q,
    struct key_verifier *verifier, bool *met, struct quorum_result *out,
    struct error *err) MUST_USE;

#endif
