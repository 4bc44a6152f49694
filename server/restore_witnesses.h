/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_RESTORE_WITNESSES_H
#define MTLOG_SERVER_RESTORE_WITNESSES_H

#include "server/tree.h"
#include "server/witness_ask.h"

/* What `restore` asks the witnesses that the backup's configuration names. */
struct restore_witnesses {
	struct config config; /* the backup's */
	struct witness_policy policy;
};

/*
 * restore_witnesses_open reads the configuration in the backup's folder and the
 * policy that it names there, or the one in `file` (NULL: none). With
 * witness-mode = off and no file there is nobody to ask. Release in any case.
 */
bool restore_witnesses_open(const char *backup, const char *file,
    const struct vkey *log, struct restore_witnesses *out, struct error *err)
    MUST_USE;
void restore_witnesses_release(struct restore_witnesses *w);

/*
 * restore_witnesses_shown calls `found` with every checkpoint of this log that
 * a witness shows (which may be an hour old), and the witness's name. Those who
 * do not answer are told on standard error.
 */
bool restore_witnesses_shown(const struct restore_witnesses *w,
    const struct vkey *log,
    bool (*found)(
	void *arg, struct bytes note, const char *name, struct error *err),
    void *arg, struct error *err) MUST_USE;

/*
 * restore_witnesses_confirm has all cosign this head, the newest that anybody
 * is known to hold: whoever does has seen none beyond it. `*all` tells whether
 * every quorum has one who did, so that nothing else can have been published.
 * `cosigned` is appended the note with their cosignatures if they are a quorum.
 */
bool restore_witnesses_confirm(const struct restore_witnesses *w,
    const struct vkey *log, struct bytes note, struct tree *tree, bool *all,
    struct buf *cosigned, struct error *err) MUST_USE;

#endif
