/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/dsse.h"

#include "core/base/cleanup.h"

#define PREFIX_MAX 300 /* "DSSEv1", type and two lengths */

/* What stands before the payload. */
static bool
put_prefix(const char *version, struct bytes type, struct bytes payload,
    struct buf *out)
{
	buf_put_str(out, version);
	buf_put_u8(out, ' ');
	buf_put_decimal(out, type.len);
	buf_put_u8(out, ' ');
	buf_put(out, type);
	buf_put_u8(out, ' ');
	buf_put_decimal(out, payload.len);
	buf_put_u8(out, ' ');
	return !out->failed;
}

void
dsse_pae(struct bytes type, struct bytes payload, struct buf *out)
{
	(void)put_prefix("DSSEv1", type, payload, out);
	buf_put(out, payload);
}

bool
dsse_digest(enum digest_algorithm alg, struct bytes type, struct bytes payload,
    uint8_t out[DIGEST_MAX_LEN], struct error *err)
{
	uint8_t room[PREFIX_MAX];
	struct buf prefix = {
	    .ptr = room, .cap = sizeof(room), .limit = sizeof(room)};

	if (!put_prefix("DSSEv1", type, payload, &prefix))
		return error_set(
		    err, ERR_LIMIT, "the envelope's payloadType is too long");
	return digest_compute_two(alg, buf_bytes(&prefix), payload, out, err);
}

bool
dsse_statement_digest(
    const struct envelope *e, struct hash *out, struct error *err)
{
	uint8_t digest[DIGEST_MAX_LEN];

	if (!dsse_digest(
		DIGEST_SHA256, e->payload_type, e->payload, digest, err))
		return false;
	memcpy(out->b, digest, HASH_LEN);
	return true;
}

/* A forgery gets our sentence; a defect keeps its own. */
static bool
not_signed(struct error *why, struct error *err)
{
	if (why->code == ERR_INTERNAL)
		return error_set(err, ERR_INTERNAL, "%s", why->text);
	return error_reason(err, ERR_BADSIG, "signature",
	    "the signature does not verify: %s", why->text);
}

bool
dsse_verify(const struct envelope *e, const struct public_key *key,
    struct key_verifier *v, struct error *err)
{
	enum digest_algorithm alg = key_digest_algorithm(key->algorithm);
	uint8_t digest[DIGEST_MAX_LEN];
	struct error why = {0};

	if (!dsse_digest(alg, e->payload_type, e->payload, digest, err))
		return false;
	return key_verify_digest(v, key, alg, bytes_of(digest, digest_len(alg)),
		   e->signature, &why) ||
	    not_signed(&why, err);
}

/* Python's repr of bytes in single quotes: it takes double ones only if there
 * are single ones and no double ones inside, and JSON has those. */
static void
put_repr(struct buf *out, struct bytes in)
{
	buf_put_str(out, "b'");
	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.ptr[i];

		if (c == '\\' || c == '\'') {
			buf_put_u8(out, '\\');
			buf_put_u8(out, c);
		} else if (c == '\n') {
			buf_put_str(out, "\\n");
		} else if (c == '\r') {
			buf_put_str(out, "\\r");
		} else if (c == '\t') {
			buf_put_str(out, "\\t");
		} else if (c < 0x20 || c > 0x7e) {
			buf_printf(out, "\\x%02x", c);
		} else {
			buf_put_u8(out, c);
		}
	}
	buf_put_u8(out, '\'');
}

bool
dsse_verify_v02(const struct envelope *e, const struct public_key *key,
    struct key_verifier *v, struct error *err)
{
	AUTO(buf) message = BUF_INIT(PREFIX_MAX + 4 * e->payload.len + 3);
	uint8_t digest[DIGEST_MAX_LEN];
	struct error why = {0};

	(void)put_prefix("DSSEV1", e->payload_type, e->payload, &message);
	put_repr(&message, e->payload);
	if (!buf_ok(&message, err) ||
	    !digest_compute(DIGEST_SHA256, buf_bytes(&message), digest, err))
		return false;
	return key_verify_ecdsa_sha256(
		   v, key, bytes_of(digest, HASH_LEN), e->signature, &why) ||
	    not_signed(&why, err);
}
