/* SPDX-License-Identifier: Apache-2.0 */
#include "io/pkcs11_parts.h"

#include "core/base/cleanup.h"
#include "core/crypto/der.h"
#include "core/crypto/key_encode.h"

/* DigestInfo of a SHA-256 value (RFC 8017 section 9.2, note 1), up to it. */
static const uint8_t sha256_info[] = {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60,
    0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20};

/* A value of at most 255 bytes that objects are looked for by. */
struct wanted {
	ck_attribute_type_t type;
	uint8_t value[255];
	size_t len; /* 0: not looked at */
};

/* Appends the value of an attribute: nothing if the object does not have it. */
static bool
read_attribute(struct pkcs11 *p, ck_object_handle_t object,
    ck_attribute_type_t type, struct buf *out, struct error *err)
{
	struct ck_attribute a = {.type = type};
	ck_rv_t rv = p->f->C_GetAttributeValue(p->session, object, &a, 1);
	uint8_t *place;

	if (rv == CKR_ATTRIBUTE_TYPE_INVALID)
		return true;
	if (rv != CKR_OK)
		return pkcs11_failed(err, "read an attribute", rv);
	if (a.value_len > out->limit - out->len)
		return error_set(err, ERR_LIMIT,
		    "an attribute on the token is longer than %zu bytes",
		    out->limit - out->len);
	place = buf_reserve(out, a.value_len);
	if (!place)
		return error_set(err, ERR_INTERNAL, "out of memory");
	a.value = place;
	rv = p->f->C_GetAttributeValue(p->session, object, &a, 1);
	if (rv != CKR_OK || a.value_len > out->cap - out->len)
		return pkcs11_failed(err, "read an attribute", rv);
	buf_grow(out, a.value_len);
	return true;
}

/* Reads a CK_ULONG or a CK_BBOOL, 0 if it is not there. */
static bool
read_number(struct pkcs11 *p, ck_object_handle_t object,
    ck_attribute_type_t type, unsigned long *out, struct error *err)
{
	AUTO(buf) value = BUF_INIT(sizeof(*out));

	*out = 0;
	if (!read_attribute(p, object, type, &value, err))
		return false;
	if (value.len == sizeof(*out))
		memcpy(out, value.ptr, sizeof(*out));
	else if (value.len == 1)
		*out = value.ptr[0];
	else if (value.len != 0)
		return error_set(err, ERR_IO,
		    "a number on the token has %zu bytes", value.len);
	return true;
}

/* Finds up to `max` objects of a class that have the two values. */
static bool
find(struct pkcs11 *p, ck_object_class_t class, struct wanted *a,
    struct wanted *b, ck_object_handle_t *out, unsigned long max,
    unsigned long *found, struct error *err)
{
	struct ck_attribute want[3] = {{CKA_CLASS, &class, sizeof(class)}};
	unsigned long n = 1;
	ck_rv_t rv;

	if (a->len > 0)
		want[n++] = (struct ck_attribute){a->type, a->value, a->len};
	if (b->len > 0)
		want[n++] = (struct ck_attribute){b->type, b->value, b->len};
	rv = p->f->C_FindObjectsInit(p->session, want, n);
	if (rv == CKR_OK) {
		rv = p->f->C_FindObjects(p->session, out, max, found);
		(void)p->f->C_FindObjectsFinal(p->session);
	}
	return (rv == CKR_OK && *found <= max) ||
	    pkcs11_failed(err, "find a key", rv);
}

static void
want(struct wanted *w, ck_attribute_type_t type, struct bytes value)
{
	w->type = type;
	w->len = value.len <= sizeof(w->value) ? value.len : 0;
	if (w->len > 0)
		memcpy(w->value, value.ptr, w->len);
}

static bool
find_private(struct pkcs11 *p, const struct pkcs11_uri *uri, struct error *err)
{
	ck_object_handle_t keys[2];
	struct wanted id, label;
	unsigned long found = 0;

	want(&id, CKA_ID, uri->id);
	want(&label, CKA_LABEL, uri->object);
	if (!find(p, CKO_PRIVATE_KEY, &id, &label, keys, 2, &found, err))
		return false;
	if (found == 0)
		return error_set(err, ERR_NOTFOUND,
		    "there is no private key on the token that fits the URI");
	if (found > 1)
		return error_set(err, ERR_CONFLICT,
		    "more than one private key on the token fits the URI; add "
		    "object= or id=");
	p->key = keys[0];
	return true;
}

/* What kind of key it is, and whether it wants the PIN each time. */
static bool
read_kind(struct pkcs11 *p, struct error *err)
{
	unsigned long type, always;

	if (!read_number(p, p->key, CKA_KEY_TYPE, &type, err) ||
	    !read_number(p, p->key, CKA_ALWAYS_AUTHENTICATE, &always, err))
		return false;
	if (type != CKK_EC && type != CKK_RSA)
		return error_set(err, ERR_SYNTAX,
		    "the key on the token is neither ECDSA nor RSA (CKK 0x%lx)",
		    type);
	p->rsa = type == CKK_RSA;
	p->always_authenticate = always != 0;
	return true;
}

/* The SubjectPublicKeyInfo of a public key object. */
static bool
public_of_key(struct pkcs11 *p, ck_object_handle_t object, struct error *err)
{
	AUTO(buf) first = BUF_INIT(SPKI_MAX_LEN);
	AUTO(buf) second = BUF_INIT(SPKI_MAX_LEN);
	struct bytes point, inner;
	struct reader r;

	if (!read_attribute(
		p, object, p->rsa ? CKA_MODULUS : CKA_EC_PARAMS, &first, err) ||
	    !read_attribute(p, object,
		p->rsa ? CKA_PUBLIC_EXPONENT : CKA_EC_POINT, &second, err))
		return false;
	if (p->rsa) {
		spki_put_rsa(&p->spki, buf_bytes(&first), buf_bytes(&second));
		return buf_ok(&p->spki, err);
	}
	/* The point is in an OCTET STRING; some tokens leave that out. */
	point = buf_bytes(&second);
	reader_init(&r, point);
	if (der_take(&r, DER_OCTET_STRING, &inner) && reader_done(&r))
		point = inner;
	spki_put_ec(&p->spki, buf_bytes(&first), point);
	return buf_ok(&p->spki, err);
}

static bool
public_of_certificate(
    struct pkcs11 *p, ck_object_handle_t object, struct error *err)
{
	AUTO(buf) der = BUF_INIT(PKCS11_VALUE_MAX);
	struct public_key key;

	if (!read_attribute(p, object, CKA_VALUE, &der, err) ||
	    !certificate_key_parse(buf_bytes(&der), &key, err))
		return false;
	buf_put(&p->spki, key.spki);
	return buf_ok(&p->spki, err);
}

/* Looks for the public half: a key or certificate of the private key's id, or
 * of its label where it has no id. */
static bool
find_public(struct pkcs11 *p, struct error *err)
{
	AUTO(buf) id = BUF_INIT(sizeof(((struct wanted *)0)->value));
	AUTO(buf) label = BUF_INIT(sizeof(((struct wanted *)0)->value));
	struct wanted by, none = {0};
	ck_object_handle_t object;
	unsigned long found = 0;

	if (!read_attribute(p, p->key, CKA_ID, &id, err) ||
	    !read_attribute(p, p->key, CKA_LABEL, &label, err))
		return false;
	if (id.len > 0)
		want(&by, CKA_ID, buf_bytes(&id));
	else
		want(&by, CKA_LABEL, buf_bytes(&label));
	if (by.len > 0) {
		if (!find(
			p, CKO_PUBLIC_KEY, &by, &none, &object, 1, &found, err))
			return false;
		if (found == 1)
			return public_of_key(p, object, err);
		if (!find(p, CKO_CERTIFICATE, &by, &none, &object, 1, &found,
			err))
			return false;
		if (found == 1)
			return public_of_certificate(p, object, err);
	}
	return error_set(err, ERR_NOTFOUND,
	    "the token has the private key, but neither a public key nor a "
	    "certificate of the same id");
}

bool
pkcs11_find_key(
    struct pkcs11 *p, const struct pkcs11_uri *uri, struct error *err)
{
	struct public_key key;

	buf_init(&p->spki, SPKI_MAX_LEN);
	if (!find_private(p, uri, err) || !read_kind(p, err) ||
	    !find_public(p, err))
		return false;
	if (!public_key_parse(buf_bytes(&p->spki), &key, err))
		return error_prefix(err, "the key on the token");
	if (p->rsa != (key.rsa_exponent != 0))
		return error_set(err, ERR_SYNTAX,
		    "private and public key on the token differ in kind");
	p->algorithm = key.algorithm;
	return true;
}

/* Lets the token sign `data` by its plain mechanism. */
static bool
sign_data(
    struct pkcs11 *p, struct bytes data, struct buf *out, struct error *err)
{
	struct ck_mechanism how = {
	    .mechanism = p->rsa ? CKM_RSA_PKCS : CKM_ECDSA};
	uint8_t copy[sizeof(sha256_info) + DIGEST_MAX_LEN];
	uint8_t raw[SIGNATURE_MAX_LEN];
	unsigned long len = sizeof(raw);
	ck_rv_t rv = p->f->C_SignInit(p->session, &how, p->key);

	if (rv != CKR_OK)
		return pkcs11_failed(err, "begin to sign", rv);
	if (p->always_authenticate &&
	    !pkcs11_login(p, CKU_CONTEXT_SPECIFIC, err))
		return false;
	/* The interface wants bytes that may change. */
	memcpy(copy, data.ptr, data.len);
	rv = p->f->C_Sign(p->session, copy, data.len, raw, &len);
	if (rv != CKR_OK || len > sizeof(raw))
		return pkcs11_failed(err, "sign", rv);
	if (!p->rsa)
		return ecdsa_signature_put(
		    p->algorithm, bytes_of(raw, len), out, err);
	buf_put(out, bytes_of(raw, len));
	return buf_ok(out, err);
}

static bool
sign_by_token(void *arg, enum digest_algorithm alg, struct bytes digest,
    struct buf *signature, struct error *err)
{
	struct pkcs11 *p = arg;
	AUTO(buf) data = BUF_INIT(sizeof(sha256_info) + DIGEST_MAX_LEN);
	AUTO(buf) made = BUF_INIT(SIGNATURE_MAX_LEN);

	if (alg != key_digest_algorithm(p->algorithm) ||
	    digest.len != digest_len(alg))
		return error_set(err, ERR_USAGE,
		    "the digest is not the one that belongs to the key");
	if (p->rsa)
		buf_put(&data, BYTES_OF(sha256_info));
	buf_put(&data, digest);
	if (!buf_ok(&data, err) ||
	    !sign_data(p, buf_bytes(&data), &made, err) ||
	    !signature_confirm(
		buf_bytes(&p->spki), alg, digest, buf_bytes(&made), err))
		return false;
	buf_put(signature, buf_bytes(&made));
	return buf_ok(signature, err);
}

bool
pkcs11_signer(struct pkcs11 *p, struct signer *out, struct error *err)
{
	struct signer s = {
	    .sign = sign_by_token,
	    .arg = p,
	    .algorithm = p->algorithm,
	};

	buf_init(&s.spki, SPKI_MAX_LEN);
	buf_put(&s.spki, buf_bytes(&p->spki));
	if (!buf_ok(&s.spki, err)) {
		signer_release(&s);
		return false;
	}
	*out = s;
	return true;
}
