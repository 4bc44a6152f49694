/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_MODEL_DSSE_H
#define MTLOG_CORE_MODEL_DSSE_H

#include "core/base/buf.h"
#include "core/crypto/hash.h"
#include "core/crypto/key.h"

#define DSSE_IN_TOTO "application/vnd.in-toto+json"

/*
 * A DSSE envelope (github.com/secure-systems-lab/dsse): typed payload and its
 * one signature. What is signed is the pre-authentication encoding
 *
 *	"DSSEv1" SP dec(len(type)) SP type SP dec(len(payload)) SP payload
 *
 * S, the statement digest, is the SHA-256 of that for every kind of key: it
 * names a statement. Borrows.
 */
struct envelope {
	struct bytes payload_type;
	struct bytes payload;	/* decoded: exactly the signed bytes */
	struct bytes signature; /* raw; empty: not signed */
};

/* What a log keeps of an envelope: bytes of payload type and payload. */
#define ENVELOPE_MAX_LEN  (1u << 20)
#define ENVELOPE_TYPE_MAX 255

/* dsse_is_kept tells whether an envelope is small enough for that. */
static inline bool
dsse_is_kept(struct bytes type, struct bytes payload)
{
	return type.len <= ENVELOPE_TYPE_MAX &&
	    payload.len <= ENVELOPE_MAX_LEN - ENVELOPE_TYPE_MAX;
}

/* dsse_pae appends the pre-authentication encoding. */
void dsse_pae(struct bytes type, struct bytes payload, struct buf *out);

/*
 * dsse_digest hashes the encoding without making it: `out` takes
 * digest_len(alg) bytes. dsse_statement_digest is S. ERR_INTERNAL.
 */
bool dsse_digest(enum digest_algorithm alg, struct bytes type,
    struct bytes payload, uint8_t out[DIGEST_MAX_LEN], struct error *err)
    MUST_USE;
bool dsse_statement_digest(
    const struct envelope *e, struct hash *out, struct error *err) MUST_USE;

/*
 * dsse_verify checks the signature with this key: ECDSA with the curve's hash,
 * RSA PKCS#1 v1.5 with SHA-256, Ed25519ph. ERR_BADSIG reason "signature".
 */
bool dsse_verify(const struct envelope *e, const struct public_key *key,
    struct key_verifier *v, struct error *err) MUST_USE;

/*
 * dsse_verify_v02 checks what model_signing 0.2 signed by mistake: "DSSEV1" and
 * Python's repr of the payload, SHA-256 whatever the curve. For callers who
 * were asked for it. ERR_BADSIG.
 */
bool dsse_verify_v02(const struct envelope *e, const struct public_key *key,
    struct key_verifier *v, struct error *err) MUST_USE;

#endif
