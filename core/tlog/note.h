/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_TLOG_NOTE_H
#define MTLOG_CORE_TLOG_NOTE_H

#include "core/base/buf.h"
#include "core/crypto/key.h"

#define NOTE_MAX_LEN	    262144
#define NOTE_MAX_SIGNATURES 100
#define NOTE_NAME_MAX	    255
#define NOTE_KEY_MAX	    1312 /* ML-DSA-44, the longest */

/* Signature types of c2sp.org/signed-note that are known here. */
enum note_type {
	NOTE_ED25519 = 0x01,
	NOTE_ECDSA = 0x02,
	NOTE_COSIGNATURE = 0x04, /* Ed25519, time-stamped */
	NOTE_MLDSA44 = 0x06,
};

/* One signature line, borrowed text decoded: `signature` without the key ID. */
struct note_signature {
	struct bytes name;
	uint32_t key_id;
	struct bytes signature; /* into note->storage */
};

/*
 * A signed note (c2sp.org/signed-note): text, a blank line, signature lines
 *
 *	— name base64(u32 key ID || signature)
 *
 * `text` includes its final newline and is what is signed; it borrows from the
 * input. The decoded signatures live in `storage`, so a note is released.
 */
struct note {
	struct bytes text;
	size_t signature_count;
	struct note_signature signatures[NOTE_MAX_SIGNATURES];
	struct buf storage;
};

/*
 * note_parse splits at the last blank line and reads every signature line.
 * ERR_SYNTAX, ERR_LIMIT. `out` borrows from `in`; note_release frees storage.
 */
bool note_parse(struct bytes in, struct note *out, struct error *err) MUST_USE;
void note_release(struct note *n);

/* note_signature_put appends one signature line. */
void note_signature_put(struct buf *out, struct bytes name, uint32_t key_id,
    struct bytes signature);

/*
 * A note verifier key: name, type and key. Self-contained (no borrowing), so
 * that configuration can keep it. `key` is 32 raw bytes for Ed25519 types, an
 * SPKI for ECDSA, 1312 bytes for ML-DSA-44. `log_id` is the full hash whose
 * first four bytes are the key ID (Sigstore's logId).
 */
struct vkey {
	char name[NOTE_NAME_MAX + 1];
	size_t name_len;
	enum note_type type;
	uint8_t key[NOTE_KEY_MAX];
	size_t key_len;
	struct hash log_id;
	uint32_t key_id;
};

/*
 * vkey_init fills a vkey from its parts and computes the ID.
 * ERR_SYNTAX for a name or key of the wrong form.
 */
bool vkey_init(struct vkey *out, struct bytes name, enum note_type type,
    struct bytes key, struct error *err) MUST_USE;

/* vkey_parse reads "name+hexid+base64" and checks the ID; vkey_format writes.
 */
bool vkey_parse(struct bytes text, struct vkey *out, struct error *err)
    MUST_USE;
void vkey_format(const struct vkey *v, struct buf *out);

/*
 * vkey_verify checks `signature` over whole `message` bytes with a key of an
 * Ed25519 type or ECDSA. ERR_BADSIG; ERR_SYNTAX if the key is no valid point;
 * ERR_USAGE for a key of another type.
 */
bool vkey_verify(const struct vkey *v, struct key_verifier *verifier,
    struct bytes message, struct bytes signature, struct error *err) MUST_USE;

/* vkey_name views the name. */
static inline struct bytes
vkey_name(const struct vkey *v)
{
	return bytes_of(v->name, v->name_len);
}

/* note_name_valid: non-empty, UTF-8, no white space, no '+', no control
 * characters, within the limit. */
bool note_name_valid(struct bytes name) MUST_USE;

/* note_text_valid: UTF-8 with no control characters but newlines. */
bool note_text_valid(struct bytes text) MUST_USE;

/*
 * note_verify checks the signatures by `key` (a log key: Ed25519 or ECDSA):
 * those whose (name, ID) is the key's must all verify and there must be one.
 * Unknown signatures are ignored. ERR_BADSIG; ERR_NOTFOUND if the key did not
 * sign at all.
 */
bool note_verify(const struct note *n, const struct vkey *key,
    struct key_verifier *verifier, struct error *err) MUST_USE;

#endif
