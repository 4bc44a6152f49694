/* SPDX-License-Identifier: Apache-2.0 */
#include "core/identity/sct.h"

#include "core/base/buf.h"
#include "core/base/cleanup.h"
#include "core/crypto/der.h"

#define VERSION_1     0
#define HASH_SHA256   4
#define SIGN_RSA      1
#define SIGN_ECDSA    3
#define SIGNED_MAX    (2 * CERTIFICATE_MAX_LEN + 65536)
#define PRECERT_ENTRY 1

/* 1.3.6.1.4.1.11129.2.4.2 */
static const struct bytes oid_list =
    BYTES_LIT("\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x02");

struct sct {
	struct bytes log_id;
	uint64_t milliseconds;
	struct bytes extensions;
	uint8_t algorithm;
	struct bytes signature;
};

static bool
failed(struct error *err, enum error_code code, const char *what)
{
	return error_reason(
	    err, code, "chain", "certificate timestamp: %s", what);
}

static bool
vector_u16(struct reader *r, struct bytes *out)
{
	struct reader at = *r;
	uint16_t n;

	if (!reader_u16(&at, &n) || !reader_bytes(&at, n, out))
		return false;
	*r = at;
	return true;
}

static bool
read_sct(struct bytes in, struct sct *out)
{
	struct reader r = {in};
	uint8_t version, hash;

	return reader_u8(&r, &version) && version == VERSION_1 &&
	    reader_bytes(&r, HASH_LEN, &out->log_id) &&
	    reader_u64(&r, &out->milliseconds) &&
	    vector_u16(&r, &out->extensions) && reader_u8(&r, &hash) &&
	    hash == HASH_SHA256 && reader_u8(&r, &out->algorithm) &&
	    vector_u16(&r, &out->signature) && reader_done(&r);
}

/* A DER head in its shortest form. */
static void
put_head(struct buf *out, uint8_t tag, size_t len)
{
	buf_put_u8(out, tag);
	if (len < 0x80) {
		buf_put_u8(out, (uint8_t)len);
	} else if (len < 0x100) {
		buf_put_u8(out, 0x81);
		buf_put_u8(out, (uint8_t)len);
	} else if (len < 0x10000) {
		buf_put_u8(out, 0x82);
		buf_put_u16(out, (uint16_t)len);
	} else {
		out->failed = true; /* no certificate is so long */
	}
}

static void
put_element(struct buf *out, uint8_t tag, struct bytes value)
{
	put_head(out, tag, value.len);
	buf_put(out, value);
}

/* Appends the extensions but the list of timestamps. */
static bool
put_extensions(struct reader list, struct buf *out)
{
	struct der_element extension;

	while (!reader_done(&list)) {
		struct reader fields;
		struct bytes oid;

		if (!der_any(&list, &extension))
			return false;
		reader_init(&fields, extension.value);
		if (!der_take(&fields, DER_OID, &oid))
			return false;
		if (!bytes_equal(oid, oid_list))
			buf_put(out, extension.whole);
	}
	return true;
}

/* [3] { SEQUENCE { … } } around what is left; nothing if nothing is. */
static bool
put_rest(struct bytes outer, struct buf *out)
{
	AUTO(buf) rest = BUF_INIT(CERTIFICATE_MAX_LEN);
	AUTO(buf) sequence = BUF_INIT(CERTIFICATE_MAX_LEN);
	struct reader r = {outer}, list;

	if (!der_enter(&r, DER_SEQUENCE, &list) || !reader_done(&r) ||
	    !put_extensions(list, &rest))
		return false;
	if (rest.len > 0) {
		put_element(&sequence, DER_SEQUENCE, buf_bytes(&rest));
		put_element(out, DER_EXPLICIT(3), buf_bytes(&sequence));
	}
	return !rest.failed && !sequence.failed;
}

/* The TBSCertificate as the log had it: before its promise was put in. */
static bool
put_precertificate(struct bytes tbs, struct buf *out)
{
	AUTO(buf) fields = BUF_INIT(CERTIFICATE_MAX_LEN);
	struct reader r = {tbs}, inner;
	struct der_element e;

	if (!der_enter(&r, DER_SEQUENCE, &inner) || !reader_done(&r))
		return false;
	while (!reader_done(&inner)) {
		if (!der_any(&inner, &e))
			return false;
		if (e.tag != DER_EXPLICIT(3))
			buf_put(&fields, e.whole);
		else if (!put_rest(e.value, &fields))
			return false;
	}
	put_element(out, DER_SEQUENCE, buf_bytes(&fields));
	return !fields.failed && !out->failed;
}

/* What is the same in every timestamp: key of the issuer, and certificate. */
static bool
put_entry(const struct certificate *leaf, struct bytes issuer, struct buf *out,
    struct error *err)
{
	AUTO(buf) tbs = BUF_INIT(CERTIFICATE_MAX_LEN);
	uint8_t digest[DIGEST_MAX_LEN];

	if (!digest_compute(DIGEST_SHA256, issuer, digest, err))
		return false;
	if (!put_precertificate(leaf->tbs, &tbs))
		return failed(err, ERR_SYNTAX, "malformed certificate");
	buf_put(out, bytes_of(digest, HASH_LEN));
	buf_put_u8(out, (uint8_t)(tbs.len >> 16));
	buf_put_u16(out, (uint16_t)tbs.len);
	buf_put(out, buf_bytes(&tbs));
	return buf_ok(out, err);
}

static bool
check(const struct sct *s, struct bytes entry, const struct trust_log *log,
    struct key_verifier *v, struct error *err)
{
	AUTO(buf) message = BUF_INIT(SIGNED_MAX);
	bool is_rsa = log->key.algorithm == KEY_RSA_2048 ||
	    log->key.algorithm == KEY_RSA_3072 ||
	    log->key.algorithm == KEY_RSA_4096;

	/* Other curves would go with other hashes. */
	if (!(is_rsa && s->algorithm == SIGN_RSA) &&
	    !(log->key.algorithm == KEY_ECDSA_P256 &&
		s->algorithm == SIGN_ECDSA))
		return failed(
		    err, ERR_BADSIG, "not signed as its log's key signs");
	buf_put_u8(&message, VERSION_1);
	buf_put_u8(&message, 0); /* certificate_timestamp */
	buf_put_u64(&message, s->milliseconds);
	buf_put_u16(&message, PRECERT_ENTRY);
	buf_put(&message, entry);
	buf_put_u16(&message, (uint16_t)s->extensions.len);
	buf_put(&message, s->extensions);
	if (!buf_ok(&message, err))
		return false;
	if (key_verify_message(
		v, &log->key, buf_bytes(&message), s->signature, err))
		return true;
	if (err->code != ERR_BADSIG)
		return false;
	err->reason = "chain";
	return error_prefix(err, "certificate timestamp of %.*s",
	    (int)log->name.len, (const char *)log->name.ptr);
}

static const struct trust_log *
find_log(const struct sct *s, size_t count, const struct trust_log *logs)
{
	for (size_t i = 0; i < count; i++)
		if (logs[i].usable &&
		    bytes_equal(s->log_id, hash_bytes(&logs[i].log_id)) &&
		    trust_period_has(&logs[i].valid, s->milliseconds / 1000))
			return &logs[i];
	return NULL;
}

bool
sct_verify(const struct certificate *leaf, struct bytes issuer,
    size_t log_count, const struct trust_log *logs, struct key_verifier *v,
    struct error *err)
{
	AUTO(buf) entry = BUF_INIT(SIGNED_MAX);
	struct reader r = {leaf->scts}, list;
	struct bytes all, one;
	size_t seen = 0, good = 0;

	if (leaf->scts.len == 0)
		return failed(err, ERR_DENIED, "the certificate has none");
	if (!vector_u16(&r, &all) || !reader_done(&r) || all.len == 0)
		return failed(err, ERR_SYNTAX, "malformed list");
	if (!put_entry(leaf, issuer, &entry, err))
		return false;
	reader_init(&list, all);
	while (!reader_done(&list)) {
		const struct trust_log *log;
		struct sct s;

		if (++seen > SCT_MAX)
			return failed(err, ERR_LIMIT, "too many");
		if (!vector_u16(&list, &one) || !read_sct(one, &s))
			return failed(err, ERR_SYNTAX, "malformed");
		log = find_log(&s, log_count, logs);
		if (!log)
			continue;
		if (!check(&s, buf_bytes(&entry), log, v, err))
			return false;
		good++;
	}
	return good > 0 ||
	    failed(err, ERR_DENIED,
		"none is of a log that is trusted for that time");
}
