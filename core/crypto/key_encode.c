/* SPDX-License-Identifier: Apache-2.0 */
#include "core/crypto/key_encode.h"

#include "core/base/cleanup.h"
#include "core/crypto/der.h"

/* OBJECT IDENTIFIERs, and what follows that of RSA. */
#define EC_PUBLIC_KEY                                                          \
	"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01" /* 1.2.840.10045.2.1 */
#define RSA_ENCRYPTION                                                         \
	"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00" /* and NULL */

#define P521_ORDER_LEN 66

/* SEQUENCE { SEQUENCE { identifier }, BIT STRING { key } }. */
static void
spki_put(struct buf *out, struct bytes identifier, struct bytes key)
{
	AUTO(buf) fields = BUF_INIT(SPKI_MAX_LEN);
	AUTO(buf) bits = BUF_INIT(SPKI_MAX_LEN);

	buf_put_u8(&bits, 0); /* no unused bits */
	buf_put(&bits, key);
	der_put(&fields, DER_SEQUENCE, identifier);
	der_put(&fields, DER_BIT_STRING, buf_bytes(&bits));
	der_put(out, DER_SEQUENCE, buf_bytes(&fields));
	if (bits.failed || fields.failed)
		out->failed = true;
}

void
spki_put_ec(struct buf *out, struct bytes parameters, struct bytes point)
{
	AUTO(buf) identifier = BUF_INIT(SPKI_MAX_LEN);

	buf_put(&identifier, BYTES_LIT(EC_PUBLIC_KEY));
	buf_put(&identifier, parameters);
	spki_put(out, buf_bytes(&identifier), point);
	if (identifier.failed)
		out->failed = true;
}

void
spki_put_rsa(struct buf *out, struct bytes modulus, struct bytes exponent)
{
	AUTO(buf) numbers = BUF_INIT(SPKI_MAX_LEN);
	AUTO(buf) key = BUF_INIT(SPKI_MAX_LEN);

	der_put_unsigned(&numbers, modulus);
	der_put_unsigned(&numbers, exponent);
	der_put(&key, DER_SEQUENCE, buf_bytes(&numbers));
	spki_put(out, BYTES_LIT(RSA_ENCRYPTION), buf_bytes(&key));
	if (numbers.failed || key.failed)
		out->failed = true;
}

static size_t
order_len(enum key_algorithm algorithm)
{
	switch (algorithm) {
	case KEY_ECDSA_P256:
		return 32;
	case KEY_ECDSA_P384:
		return 48;
	case KEY_ECDSA_P521:
		return P521_ORDER_LEN;
	case KEY_RSA_2048:
	case KEY_RSA_3072:
	case KEY_RSA_4096:
	case KEY_ED25519:
		break;
	}
	return 0;
}

bool
ecdsa_signature_put(enum key_algorithm algorithm, struct bytes raw,
    struct buf *out, struct error *err)
{
	AUTO(buf) numbers = BUF_INIT(2 * (P521_ORDER_LEN + 3));
	AUTO(buf) whole = BUF_INIT(SIGNATURE_MAX_LEN);
	size_t half = raw.len / 2;

	if (raw.len == 0 || raw.len % 2 != 0 || half > order_len(algorithm))
		return error_set(err, ERR_SYNTAX,
		    "%zu bytes are no ECDSA signature of two halves for %s",
		    raw.len, key_algorithm_name(algorithm));
	der_put_unsigned(&numbers, bytes_slice(raw, 0, half));
	der_put_unsigned(&numbers, bytes_slice(raw, half, raw.len));
	der_put(&whole, DER_SEQUENCE, buf_bytes(&numbers));
	if (!buf_ok(&numbers, err) || !buf_ok(&whole, err) ||
	    !key_signature_check(algorithm, buf_bytes(&whole), err))
		return false;
	buf_put(out, buf_bytes(&whole));
	return buf_ok(out, err);
}
