/* SPDX-License-Identifier: Apache-2.0 */
#include "core/crypto/der.h"
#include "core/crypto/key.h"

#define UNCOMPRESSED 0x04
#define ED25519_LEN  32

/* SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING (33 bytes follow) } */
static const uint8_t ed25519_spki_head[] = {
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

#define ID_EC_PUBLIC_KEY                                                       \
	"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01" /* 1.2.840.10045.2.1 */

static bool read_point(struct bytes in, size_t len, struct public_key *out);
static bool read_rsa(struct bytes in, size_t len, struct public_key *out);
static bool read_ed25519(struct bytes in, size_t len, struct public_key *out);

/*
 * What an AlgorithmIdentifier may contain, byte for byte: one encoding each,
 * parameters included. `read` finds the algorithm of an RSA key by itself.
 */
static const struct {
	struct bytes identifier;
	enum key_algorithm algorithm;
	bool (*read)(struct bytes in, size_t len, struct public_key *out);
	size_t len;
	const char *wanted;
} kinds[] = {
    /* prime256v1, 1.2.840.10045.3.1.7 */
    {BYTES_LIT(ID_EC_PUBLIC_KEY "\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"),
	KEY_ECDSA_P256, read_point, 65,
	"an uncompressed P-256 point of 65 bytes"},
    /* secp384r1, 1.3.132.0.34 */
    {BYTES_LIT(ID_EC_PUBLIC_KEY "\x06\x05\x2b\x81\x04\x00\x22"), KEY_ECDSA_P384,
	read_point, 97, "an uncompressed P-384 point of 97 bytes"},
    /* secp521r1, 1.3.132.0.35 */
    {BYTES_LIT(ID_EC_PUBLIC_KEY "\x06\x05\x2b\x81\x04\x00\x23"), KEY_ECDSA_P521,
	read_point, 133, "an uncompressed P-521 point of 133 bytes"},
    /* rsaEncryption, 1.2.840.113549.1.1.1, and NULL */
    {BYTES_LIT("\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"),
	KEY_RSA_2048, read_rsa, 0,
	"an RSA key of 2048, 3072 or 4096 bits with an odd exponent from 3 to "
	"2^32 - 1"},
    /* Ed25519, 1.3.101.112 */
    {BYTES_LIT("\x06\x03\x2b\x65\x70"), KEY_ED25519, read_ed25519, ED25519_LEN,
	"an Ed25519 key of 32 bytes"},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static bool
read_point(struct bytes in, size_t len, struct public_key *out)
{
	if (in.len != len || in.ptr[0] != UNCOMPRESSED)
		return false;
	out->raw = in;
	return true;
}

static bool
read_ed25519(struct bytes in, size_t len, struct public_key *out)
{
	if (in.len != len)
		return false;
	out->raw = in;
	return true;
}

static bool
rsa_algorithm(struct bytes modulus, enum key_algorithm *out)
{
	if (modulus.ptr[0] < 0x80 || modulus.ptr[modulus.len - 1] % 2 == 0)
		return false;
	switch (modulus.len) {
	case 256:
		*out = KEY_RSA_2048;
		return true;
	case 384:
		*out = KEY_RSA_3072;
		return true;
	case 512:
		*out = KEY_RSA_4096;
		return true;
	default:
		return false;
	}
}

/* RSAPublicKey (RFC 3279 section 2.3.1): SEQUENCE { modulus, exponent }. */
static bool
read_rsa(struct bytes in, size_t len, struct public_key *out)
{
	struct reader r = {in}, fields;
	struct bytes modulus, exponent;
	uint32_t e = 0;

	(void)len;
	if (!der_enter(&r, DER_SEQUENCE, &fields) || !reader_done(&r) ||
	    !der_positive(&fields, &modulus) ||
	    !der_positive(&fields, &exponent) || !reader_done(&fields))
		return false;
	if (!rsa_algorithm(modulus, &out->algorithm))
		return false;
	if (exponent.len > sizeof(e))
		return false;
	for (size_t i = 0; i < exponent.len; i++)
		e = e << 8 | exponent.ptr[i];
	if (e < 3 || e % 2 == 0)
		return false;
	out->raw = modulus;
	out->rsa_exponent = e;
	return true;
}

bool
public_key_parse(struct bytes der, struct public_key *out, struct error *err)
{
	struct public_key key = {.spki = der};
	struct reader r = {der}, fields;
	struct bytes identifier, bits;

	if (der.len > SPKI_MAX_LEN)
		return error_set(err, ERR_LIMIT,
		    "a public key of %zu bytes is larger than the limit of %d",
		    der.len, SPKI_MAX_LEN);
	if (!der_enter(&r, DER_SEQUENCE, &fields) || !reader_done(&r) ||
	    !der_take(&fields, DER_SEQUENCE, &identifier) ||
	    !der_bit_string(&fields, &bits) || !reader_done(&fields))
		return error_set(err, ERR_SYNTAX,
		    "the public key is not a DER SubjectPublicKeyInfo");
	for (size_t i = 0; i < KINDS; i++) {
		if (!bytes_equal(identifier, kinds[i].identifier))
			continue;
		key.algorithm = kinds[i].algorithm;
		if (!kinds[i].read(bits, kinds[i].len, &key))
			return error_set(err, ERR_SYNTAX,
			    "the public key is not %s", kinds[i].wanted);
		*out = key;
		return true;
	}
	return error_set(err, ERR_SYNTAX,
	    "the public key is of no known kind (ECDSA on P-256, P-384 or "
	    "P-521 by name, RSA, Ed25519)");
}

/*
 * Walks a TBSCertificate (RFC 5280 section 4.1) to its SubjectPublicKeyInfo;
 * what stands between is looked at for its tag only.
 */
static bool
find_certificate_key(struct reader *tbs, struct bytes *spki)
{
	struct der_element key;
	struct bytes serial;

	if (!der_optional(tbs, DER_EXPLICIT(0)) || /* version */
	    !der_integer(tbs, &serial) ||
	    !der_skip(tbs, DER_SEQUENCE) || /* signature algorithm */
	    !der_skip(tbs, DER_SEQUENCE) || /* issuer */
	    !der_skip(tbs, DER_SEQUENCE) || /* validity */
	    !der_skip(tbs, DER_SEQUENCE) || /* subject */
	    !der_any(tbs, &key) || key.tag != DER_SEQUENCE ||
	    !der_optional(tbs, DER_CONTEXT(1)) || /* unique identifiers */
	    !der_optional(tbs, DER_CONTEXT(2)) ||
	    !der_optional(tbs, DER_EXPLICIT(3)) || /* extensions */
	    !reader_done(tbs))
		return false;
	*spki = key.whole;
	return true;
}

bool
certificate_key_parse(
    struct bytes der, struct public_key *out, struct error *err)
{
	struct reader r = {der}, fields, tbs;
	struct bytes spki, signature;

	if (der.len > CERTIFICATE_MAX_LEN)
		return error_set(err, ERR_LIMIT,
		    "a certificate of %zu bytes is larger than the limit of %d",
		    der.len, CERTIFICATE_MAX_LEN);
	if (!der_well_formed(der) || !der_enter(&r, DER_SEQUENCE, &fields) ||
	    !reader_done(&r) || !der_enter(&fields, DER_SEQUENCE, &tbs) ||
	    !find_certificate_key(&tbs, &spki) ||
	    !der_skip(&fields, DER_SEQUENCE) ||
	    !der_bit_string(&fields, &signature) || !reader_done(&fields))
		return error_set(
		    err, ERR_SYNTAX, "not an X.509 certificate in DER");
	return public_key_parse(spki, out, err);
}

enum digest_algorithm
key_digest_algorithm(enum key_algorithm algorithm)
{
	switch (algorithm) {
	case KEY_ECDSA_P384:
		return DIGEST_SHA384;
	case KEY_ECDSA_P521:
	case KEY_ED25519:
		return DIGEST_SHA512;
	case KEY_ECDSA_P256:
	case KEY_RSA_2048:
	case KEY_RSA_3072:
	case KEY_RSA_4096:
		break;
	}
	return DIGEST_SHA256;
}

const char *
key_algorithm_name(enum key_algorithm algorithm)
{
	static const char *const names[] = {
	    [KEY_ECDSA_P256] = "ECDSA P-256",
	    [KEY_ECDSA_P384] = "ECDSA P-384",
	    [KEY_ECDSA_P521] = "ECDSA P-521",
	    [KEY_RSA_2048] = "RSA 2048",
	    [KEY_RSA_3072] = "RSA 3072",
	    [KEY_RSA_4096] = "RSA 4096",
	    [KEY_ED25519] = "Ed25519",
	};

	return names[algorithm];
}

void
ed25519_spki_put(struct buf *out, struct bytes raw)
{
	if (raw.len != ED25519_LEN) {
		out->failed = true;
		return;
	}
	buf_put(out, BYTES_OF(ed25519_spki_head));
	buf_put(out, raw);
}
