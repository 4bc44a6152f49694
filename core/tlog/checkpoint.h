/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_TLOG_CHECKPOINT_H
#define MTLOG_CORE_TLOG_CHECKPOINT_H

#include "core/crypto/private_key.h"
#include "core/tlog/note.h"

#define CHECKPOINT_MAX_LEN    4096 /* of the text, without signatures */
#define CHECKPOINT_ORIGIN_MAX NOTE_NAME_MAX

/*
 * A checkpoint is a log's tree head: origin, size, root hash
 * (c2sp.org/tlog-checkpoint). This file parses and formats the note text;
 * signatures are note.h's business.
 */
struct checkpoint {
	struct bytes origin;
	uint64_t size;
	struct hash root;
	struct bytes extensions; /* zero or more non-empty lines */
};

/*
 * checkpoint_parse reads exactly one checkpoint from `text`. `*out` borrows
 * from `text` and needs no release. ERR_SYNTAX if `text` is not what
 * checkpoint_format would write.
 */
bool checkpoint_parse(
    struct bytes text, struct checkpoint *out, struct error *err) MUST_USE;
void checkpoint_format(const struct checkpoint *c, struct buf *out);

/*
 * checkpoint_open parses the signed note in `in`, verifies it with the log's
 * key and wants the origin to be the key's name. `*out` borrows from `in`.
 */
bool checkpoint_open(struct bytes in, const struct vkey *key,
    struct key_verifier *verifier, struct checkpoint *out, struct error *err)
    MUST_USE;

/*
 * checkpoint_sign appends the whole signed note of `c`, signed by `key`, whose
 * vkey is `vkey`, and verifies what it wrote. The origin must be the vkey's
 * name. `*out` is as before on failure, and nothing was signed that
 * checkpoint_parse would not read as `c`.
 */
bool checkpoint_sign(const struct checkpoint *c, struct private_key *key,
    const struct vkey *vkey, struct key_verifier *verifier, struct buf *out,
    struct error *err) MUST_USE;

#endif
