/* SPDX-License-Identifier: Apache-2.0 */
#include "core/identity/timestamp.h"

#include <openssl/err.h>
#include <openssl/pkcs7.h>
#include <openssl/ts.h>
#include <openssl/x509.h>

#include "core/base/buf.h"
#include "core/base/cleanup.h"
#include "core/crypto/der.h"

#define TIME_LEN 15 /* YYYYMMDDHHMMSSZ */

typedef STACK_OF(X509) x509_stack;

/* Frees a stack and what is on it. */
static void
x509_stack_free(x509_stack *s)
{
	sk_X509_pop_free(s, X509_free);
}

CLEANUP_PTR(TS_RESP, TS_RESP_free);
CLEANUP_PTR(X509, X509_free);
CLEANUP_PTR(X509_STORE, X509_STORE_free);
CLEANUP_PTR(x509_stack, x509_stack_free);

/* What is under way: the token, and all certificates that may help. */
struct stamp {
	PKCS7 *token;	   /* of the TS_RESP */
	TS_TST_INFO *info; /* likewise */
	uint64_t time;
	struct buf storage; /* DER of signer and embedded certificates */
	struct bytes signer;
	size_t count;
	struct bytes others[CHAIN_MAX_INTERMEDIATES];
};

static void
stamp_release(struct stamp *s)
{
	buf_release(&s->storage);
}

static bool
openssl_failed(struct error *err)
{
	ERR_clear_error();
	return error_set(err, ERR_INTERNAL, "OpenSSL failed");
}

/* ERR_INTERNAL if memory ran out, else what is said. */
static bool
refused(struct error *err, enum error_code code, const char *what)
{
	unsigned long e;

	while ((e = ERR_get_error()) != 0)
		if (ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE)
			return openssl_failed(err);
	return error_reason(err, code, "timestamp", "time stamp: %s", what);
}

static TS_RESP *
response_parse(struct bytes token, struct error *err)
{
	const uint8_t *at = token.ptr;
	struct reader r = {token};
	struct der_element whole;
	TS_RESP *out;

	if (token.len > TIMESTAMP_MAX_LEN) {
		(void)refused(err, ERR_LIMIT, "larger than any");
		return NULL;
	}
	if (!der_any(&r, &whole) || whole.tag != DER_SEQUENCE ||
	    !reader_done(&r)) {
		(void)refused(err, ERR_SYNTAX, "not a response in DER");
		return NULL;
	}
	out = d2i_TS_RESP(NULL, &at, (long)token.len);
	if (!out || at != token.ptr + token.len) {
		TS_RESP_free(out);
		(void)refused(err, ERR_SYNTAX, "not a response in DER");
		return NULL;
	}
	return out;
}

/* GeneralizedTime of RFC 3161: a fraction of a second is allowed. */
static bool
read_time(const ASN1_GENERALIZEDTIME *in, uint64_t *out)
{
	uint8_t text[TIME_LEN];
	struct bytes t;

	if (!in)
		return false;
	t = bytes_of(ASN1_STRING_get0_data(in), (size_t)ASN1_STRING_length(in));
	if (t.len < TIME_LEN || t.ptr[t.len - 1] != 'Z')
		return false;
	if (t.len > TIME_LEN) {
		if (t.ptr[TIME_LEN - 1] != '.' || t.len == TIME_LEN + 1)
			return false;
		for (size_t i = TIME_LEN; i < t.len - 1; i++)
			if (t.ptr[i] < '0' || t.ptr[i] > '9')
				return false;
	}
	memcpy(text, t.ptr, TIME_LEN - 1);
	text[TIME_LEN - 1] = 'Z';
	return certificate_time(DER_GENERALIZED_TIME, BYTES_OF(text), out);
}

static bool
digest_of(const X509_ALGOR *in, enum digest_algorithm *out)
{
	const ASN1_OBJECT *name = NULL;

	X509_ALGOR_get0(&name, NULL, NULL, in);
	switch (OBJ_obj2nid(name)) {
	case NID_sha256:
		*out = DIGEST_SHA256;
		return true;
	case NID_sha384:
		*out = DIGEST_SHA384;
		return true;
	case NID_sha512:
		*out = DIGEST_SHA512;
		return true;
	default:
		return false;
	}
}

static bool
imprint_check(TS_TST_INFO *info, struct bytes message, struct error *err)
{
	TS_MSG_IMPRINT *imprint = TS_TST_INFO_get_msg_imprint(info);
	ASN1_OCTET_STRING *value = TS_MSG_IMPRINT_get_msg(imprint);
	uint8_t digest[DIGEST_MAX_LEN];
	enum digest_algorithm algorithm;

	if (!digest_of(TS_MSG_IMPRINT_get_algo(imprint), &algorithm))
		return refused(err, ERR_DENIED,
		    "an imprint that is not SHA-256, SHA-384 or SHA-512");
	if (!digest_compute(algorithm, message, digest, err))
		return false;
	return bytes_equal(bytes_of(digest, digest_len(algorithm)),
		   bytes_of(ASN1_STRING_get0_data(value),
		       (size_t)ASN1_STRING_length(value))) ||
	    refused(err, ERR_BADSIG, "it is of other bytes");
}

/* What the token says, before anything about who says it. */
static bool
info_check(
    TS_RESP *response, struct bytes message, struct stamp *s, struct error *err)
{
	const ASN1_INTEGER *status =
	    TS_STATUS_INFO_get0_status(TS_RESP_get_status_info(response));
	long granted = ASN1_INTEGER_get(status);

	if (granted != TS_STATUS_GRANTED &&
	    granted != TS_STATUS_GRANTED_WITH_MODS)
		return refused(
		    err, ERR_DENIED, "the authority did not grant it");
	s->token = TS_RESP_get_token(response);
	s->info = TS_RESP_get_tst_info(response);
	if (!s->token || !s->info || !PKCS7_type_is_signed(s->token) ||
	    !s->token->d.sign)
		return refused(err, ERR_SYNTAX, "there is no signed token");
	if (TS_TST_INFO_get_version(s->info) != 1)
		return refused(err, ERR_SYNTAX, "not of version 1");
	if (TS_TST_INFO_get_ext_by_critical(s->info, 1, -1) >= 0)
		return refused(
		    err, ERR_DENIED, "a critical extension that is not known");
	if (!read_time(TS_TST_INFO_get_time(s->info), &s->time))
		return refused(err, ERR_SYNTAX, "malformed time");
	return imprint_check(s->info, message, err);
}

/* One signer, with a digest of today, who signed a TSTInfo and says so. */
static bool
signer_info_check(PKCS7 *token, struct error *err)
{
	STACK_OF(PKCS7_SIGNER_INFO) *all = PKCS7_get_signer_info(token);
	enum digest_algorithm digest;
	X509_ALGOR *algorithm = NULL;
	PKCS7_SIGNER_INFO *one;
	ASN1_TYPE *type;

	if (sk_PKCS7_SIGNER_INFO_num(all) != 1)
		return refused(err, ERR_SYNTAX, "not exactly one signer");
	one = sk_PKCS7_SIGNER_INFO_value(all, 0);
	PKCS7_SIGNER_INFO_get0_algs(one, NULL, &algorithm, NULL);
	if (!digest_of(algorithm, &digest))
		return refused(err, ERR_DENIED,
		    "signed over a digest that is not SHA-256, SHA-384 or "
		    "SHA-512");
	type = PKCS7_get_signed_attribute(one, NID_pkcs9_contentType);
	if (!type || type->type != V_ASN1_OBJECT ||
	    OBJ_obj2nid(type->value.object) != NID_id_smime_ct_TSTInfo)
		return refused(
		    err, ERR_SYNTAX, "the signer did not sign a time stamp");
	return true;
}

/* Appends a certificate's DER; there is room for it. */
static bool
keep(struct stamp *s, X509 *x, struct bytes *out, struct error *err)
{
	int n = i2d_X509(x, NULL);
	uint8_t *at = n > 0 ? buf_reserve(&s->storage, (size_t)n) : NULL;

	if (!at || i2d_X509(x, &at) != n)
		return openssl_failed(err);
	*out = bytes_of(s->storage.ptr + s->storage.len, (size_t)n);
	buf_grow(&s->storage, (size_t)n);
	return true;
}

/* The certificates that are given, as OpenSSL has them. */
static x509_stack *
stack_of(size_t count, const struct bytes *certificates, struct error *err)
{
	AUTO_PTR(x509_stack) out = sk_X509_new_null();
	x509_stack *result;

	for (size_t i = 0; out && i < count; i++) {
		const uint8_t *at = certificates[i].ptr;
		X509 *x = d2i_X509(NULL, &at, (long)certificates[i].len);

		if (!x || at != certificates[i].ptr + certificates[i].len) {
			X509_free(x);
			(void)refused(err, ERR_SYNTAX,
			    "malformed certificate of an authority");
			return NULL;
		}
		if (sk_X509_push(out, x) <= 0) {
			X509_free(x);
			(void)openssl_failed(err);
			return NULL;
		}
	}
	if (!out)
		(void)openssl_failed(err);
	result = out;
	out = NULL; /* transferred */
	return result;
}

/*
 * Finds the signer's certificate by what the token says of it (issuer and
 * serial number), first among those given; the signed ESSCertID is compared
 * when the signature is.
 */
static bool
find_signer(struct stamp *s, x509_stack *given, struct error *err)
{
	x509_stack *embedded = s->token->d.sign->cert;
	x509_stack *signers = PKCS7_get0_signers(s->token, given, 0);
	int n = sk_X509_num(embedded);
	bool ok;

	if (!signers)
		return refused(
		    err, ERR_DENIED, "the signer's certificate is not at hand");
	if (n > 0 && (size_t)n > CHAIN_MAX_INTERMEDIATES - s->count) {
		sk_X509_free(signers);
		return refused(err, ERR_LIMIT, "too many certificates");
	}
	/* The views must not move. */
	buf_init(&s->storage, TIMESTAMP_MAX_LEN + CERTIFICATE_MAX_LEN);
	if (!buf_reserve(&s->storage, s->storage.limit)) {
		sk_X509_free(signers);
		return error_set(err, ERR_INTERNAL, "out of memory");
	}
	ok = keep(s, sk_X509_value(signers, 0), &s->signer, err);
	sk_X509_free(signers);
	for (int i = 0; ok && i < n; i++)
		ok = keep(
		    s, sk_X509_value(embedded, i), &s->others[s->count++], err);
	return ok;
}

/* The signature, and that the certificate is what the signer signed. OpenSSL
 * builds the path again, for the ESSCertIDs; times were looked at before. */
static bool
signature_check(const struct stamp *s, x509_stack *given, struct bytes anchor,
    struct error *err)
{
	AUTO_PTR(X509_STORE) store = X509_STORE_new();
	const uint8_t *at = anchor.ptr;
	AUTO_PTR(X509) trusted = d2i_X509(NULL, &at, (long)anchor.len);

	if (!store || !trusted || X509_STORE_add_cert(store, trusted) != 1 ||
	    X509_STORE_set_flags(store,
		X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME) != 1)
		return openssl_failed(err);
	if (TS_RESP_verify_signature(s->token, given, store, NULL) == 1)
		return true;
	return refused(err, ERR_BADSIG,
	    "the signature, or the certificate that it names, is wrong");
}

static bool
verify(struct stamp *s, const struct chain *authority, size_t *anchor,
    struct error *err)
{
	AUTO_PTR(x509_stack) given = NULL;
	struct chain_path path = {0};
	struct chain chain = *authority;

	for (; s->count < authority->intermediate_count; s->count++)
		s->others[s->count] = authority->intermediates[s->count];
	if (authority->leaf.len > 0)
		s->others[s->count++] = authority->leaf;
	given = stack_of(s->count, s->others, err);
	if (!given || !signer_info_check(s->token, err) ||
	    !find_signer(s, given, err))
		return false;
	if (authority->leaf.len > 0 && !bytes_equal(authority->leaf, s->signer))
		return refused(
		    err, ERR_DENIED, "signed by another than the authority");
	chain.leaf = s->signer;
	chain.intermediate_count = s->count;
	chain.intermediates = s->others;
	chain.time = s->time;
	if (!chain_find(&chain, CHAIN_TIME_STAMPING, &path, err)) {
		err->reason = "timestamp";
		return error_prefix(err, "time stamp");
	}
	if (!signature_check(s, given, path.certificates[path.count - 1], err))
		return false;
	*anchor = path.anchor;
	return true;
}

bool
timestamp_verify_by(struct bytes token, struct bytes message,
    const struct chain *authority, uint64_t *time, size_t *anchor,
    struct error *err)
{
	AUTO_PTR(TS_RESP) response = NULL;
	AUTO(stamp) s = {0};
	bool ok;

	if (authority->intermediate_count >= CHAIN_MAX_INTERMEDIATES)
		return refused(err, ERR_LIMIT, "too many certificates");
	response = response_parse(token, err);
	if (!response)
		return false;
	ok = info_check(response, message, &s, err) &&
	    verify(&s, authority, anchor, err);
	ERR_clear_error();
	if (ok)
		*time = s.time;
	return ok;
}

bool
timestamp_verify(struct bytes token, struct bytes message, size_t anchor_count,
    const struct bytes *anchors, size_t certificate_count,
    const struct bytes *certificates, uint64_t *time, size_t *anchor,
    struct error *err)
{
	struct chain authority = {
	    .anchor_count = anchor_count,
	    .anchors = anchors,
	    .intermediate_count = certificate_count,
	    .intermediates = certificates,
	};

	return timestamp_verify_by(
	    token, message, &authority, time, anchor, err);
}
