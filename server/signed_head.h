/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_SIGNED_HEAD_H
#define MTLOG_SERVER_SIGNED_HEAD_H

#include "server/config.h"
#include "server/fsck.h"
#include "server/signer.h"

/* log_vkey_read reads the file `vkey` in the log's folder. */
bool log_vkey_read(const char *dir, struct vkey *out, struct error *err)
    MUST_USE;

/*
 * log_signer_options is what the configuration says of signer and guard;
 * borrows from `c` and from `vkey`, which is filled with what `init` has
 * written down (if that is still there).
 */
void log_signer_options(
    const struct config *c, struct vkey *vkey, struct signer_options *out);

/*
 * log_local refuses network file systems for the database, the guard and its
 * copies (ERR_DENIED). Where a guard is not there, its folder is looked at, if
 * that is.
 */
bool log_local(const struct config *c, struct error *err) MUST_USE;

/* note_head verifies a signed checkpoint with the log's key. */
bool note_head(struct bytes note, const struct vkey *vkey,
    struct fsck_head *out, struct error *err) MUST_USE;

/*
 * signed_head_read is what the guard says was signed last, its signature
 * verified with the log's vkey. Takes no lock: beside a running server it may
 * be a write old.
 */
bool signed_head_read(
    const struct config *c, struct fsck_head *out, struct error *err) MUST_USE;

#endif
