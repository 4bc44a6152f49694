/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_CLI_SUBMISSION_H
#define MTLOG_CLIENT_CLI_SUBMISSION_H

#include "core/base/buf.h"
#include "core/model/entry.h"

/* submission_read reads a submission (JSON as Rekor v2 takes it) from a file
 * into `json` and its canonical leaf into `leaf`. */
bool submission_read(const char *path, struct buf *json, struct buf *leaf,
    struct error *err) MUST_USE;

/* submission_leaf makes the leaf of one that was read. */
bool submission_leaf(struct bytes json, struct buf *leaf, struct error *err)
    MUST_USE;

#endif
