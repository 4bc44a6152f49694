/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_TLOG_COSIGNATURE_H
#define MTLOG_CORE_TLOG_COSIGNATURE_H

#include "core/crypto/private_key.h"
#include "core/tlog/checkpoint.h"

#define COSIGNATURE_ED25519_LEN (8 + 64)
#define COSIGNATURE_MLDSA44_LEN (8 + 2420)
#define COSIGNATURE_MESSAGE_MAX (CHECKPOINT_MAX_LEN + 64)

/*
 * A witness's statement about a checkpoint (c2sp.org/tlog-cosignature): "as of
 * `time`, this is the largest consistent tree that I saw of this origin". It is
 * a signature line of the checkpoint's note, whose payload is
 *
 *	u64 time || signature
 *
 * Type 04, Ed25519, signs the whole text of the note:
 *
 *	cosignature/v1
 *	time 1679315147
 *	example.com/behind-the-sofa
 *	20852163
 *	CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
 *
 * Type 06, ML-DSA-44, signs a subtree, and no extension lines:
 *
 *	"subtree/v1\n\0" || u8 length || cosigner's name || u64 time ||
 *	u8 length || origin || u64 start || u64 end || hash[32]
 */
struct cosignature {
	uint64_t time; /* POSIX seconds, at most 2^63-1 */
	struct bytes signature;
};

/*
 * cosignature_parse reads the payload of a signature line of `type`. `out`
 * borrows from it. ERR_SYNTAX for a wrong length or a time over 2^63-1;
 * ERR_USAGE if `type` is not a cosigner's.
 */
bool cosignature_parse(struct bytes payload, enum note_type type,
    struct cosignature *out, struct error *err) MUST_USE;

/* cosignature_format appends the payload. */
void cosignature_format(const struct cosignature *c, struct buf *out);

/* cosignature_message appends what type 04 signs; `text` is the note's. */
void cosignature_message(uint64_t time, struct bytes text, struct buf *out);

/* Leaves [start, end) of the tree of `origin`; [0, size) is a checkpoint. */
struct cosignature_subtree {
	struct bytes origin;
	uint64_t start;
	uint64_t end;
	struct hash hash;
};

/*
 * cosignature_subtree_message appends what type 06 signs. ERR_SYNTAX if name or
 * origin are empty or over 255 bytes, if [start, end) is no subtree (`start` is
 * a multiple of the least power of two >= end - start), or if a subtree that
 * does not start at 0 has a time.
 */
bool cosignature_subtree_message(struct bytes cosigner, uint64_t time,
    const struct cosignature_subtree *subtree, struct buf *out,
    struct error *err) MUST_USE;

/* The earliest and the latest of a witness's times on one note. */
struct cosignature_times {
	uint64_t first;
	uint64_t last;
};

/*
 * cosignature_verify checks the cosignatures by `witness` (type 04 or 06) on a
 * checkpoint: those whose (name, ID) is the key's must all verify and at least
 * one must have a time (zero states nothing). ERR_BADSIG, also for a payload of
 * the wrong form; ERR_NOTFOUND if there is none; ERR_UNAVAILABLE where there is
 * one that the OpenSSL at hand cannot check (ML-DSA); ERR_SYNTAX if the text is
 * no checkpoint. `*out` is set on success only.
 */
bool cosignature_verify(const struct note *n, const struct vkey *witness,
    struct key_verifier *verifier, struct cosignature_times *out,
    struct error *err) MUST_USE;

/*
 * cosignature_sign appends the signature line of `witness` (type 04, its
 * private key is `key`) over the checkpoint `text` at `time` > 0, and verifies
 * what it wrote. Whether the checkpoint may be cosigned is the caller's to
 * know. `*out` is as before on failure.
 */
bool cosignature_sign(struct bytes text, uint64_t time, struct private_key *key,
    const struct vkey *witness, struct key_verifier *verifier, struct buf *out,
    struct error *err) MUST_USE;

#endif
