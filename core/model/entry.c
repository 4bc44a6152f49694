/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/entry.h"

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/reader.h"

#define STORAGE_MAX (DIGEST_MAX_LEN + SIGNATURE_MAX_LEN + CERTIFICATE_MAX_LEN)

/* The fixed text of a leaf, in the order in which it is written. */
static const struct bytes before_algorithm =
    BYTES_LIT("{\"apiVersion\":\"0.0.2\",\"kind\":\"hashedrekord\",\"spec\":"
	      "{\"hashedRekordV002\":{\"data\":{\"algorithm\":\"");
static const struct bytes before_digest = BYTES_LIT(",\"digest\":\"");
static const struct bytes before_signature =
    BYTES_LIT("},\"signature\":{\"content\":\"");
static const struct bytes before_details =
    BYTES_LIT(",\"verifier\":{\"keyDetails\":\"");
static const struct bytes before_key =
    BYTES_LIT(",\"publicKey\":{\"rawBytes\":\"");
static const struct bytes before_certificate =
    BYTES_LIT(",\"x509Certificate\":{\"rawBytes\":\"");
static const struct bytes after_all = BYTES_LIT("}}}}}}");

static const char *const digest_names[] = {
    [DIGEST_SHA256] = "SHA2_256",
    [DIGEST_SHA384] = "SHA2_384",
    [DIGEST_SHA512] = "SHA2_512",
};

/* PublicKeyDetails (sigstore_common.proto), those with a digest of their own.
 */
static const char *const details_names[] = {
    [KEY_ECDSA_P256] = "PKIX_ECDSA_P256_SHA_256",
    [KEY_ECDSA_P384] = "PKIX_ECDSA_P384_SHA_384",
    [KEY_ECDSA_P521] = "PKIX_ECDSA_P521_SHA_512",
    [KEY_RSA_2048] = "PKIX_RSA_PKCS1V15_2048_SHA256",
    [KEY_RSA_3072] = "PKIX_RSA_PKCS1V15_3072_SHA256",
    [KEY_RSA_4096] = "PKIX_RSA_PKCS1V15_4096_SHA256",
    [KEY_ED25519] = "PKIX_ED25519_PH",
};

#define DETAILS (sizeof(details_names) / sizeof(details_names[0]))

const char *
entry_key_details(enum key_algorithm algorithm)
{
	return details_names[algorithm];
}

bool
entry_key_details_find(struct bytes name, enum key_algorithm *out)
{
	for (size_t i = KEY_ECDSA_P256; i < DETAILS; i++) {
		if (bytes_equal(name, bytes_str(details_names[i]))) {
			*out = (enum key_algorithm)i;
			return true;
		}
	}
	return false;
}

void
entry_release(struct entry *e)
{
	buf_release(&e->storage);
	*e = (struct entry){0};
}

static bool
parse_verifier(struct entry *e, struct error *err)
{
	if (e->is_certificate) {
		if (!certificate_key_parse(e->verifier, &e->key, err)) {
			err->reason = "certificate-form";
			return false;
		}
	} else if (!public_key_parse(e->verifier, &e->key, err)) {
		err->reason = "key-form";
		return false;
	}
	e->digest_algorithm = key_digest_algorithm(e->key.algorithm);
	return true;
}

bool
entry_fill(struct entry *out, struct bytes digest, struct bytes signature,
    struct bytes verifier, bool is_certificate, struct error *err)
{
	AUTO(entry)
	e = {
	    .is_certificate = is_certificate,
	    .storage = BUF_INIT(STORAGE_MAX),
	};
	size_t len;

	/* Refused here, so that whatever is too long says what it is. */
	if (signature.len == 0 || signature.len > SIGNATURE_MAX_LEN)
		return error_reason(err, ERR_SYNTAX, "signature-form",
		    "a signature has 1 to %d bytes, this one %zu",
		    SIGNATURE_MAX_LEN, signature.len);
	e.verifier = verifier;
	if (!parse_verifier(&e, err))
		return false;
	len = digest_len(e.digest_algorithm);
	if (digest.len != len)
		return error_reason(err, ERR_SYNTAX, "digest-length",
		    "a digest for %s has the %zu bytes of %s, this one %zu",
		    entry_key_details(e.key.algorithm), len,
		    digest_names[e.digest_algorithm], digest.len);
	/* One allocation: the views into the buffer must not move. */
	if (!buf_reserve(&e.storage, digest.len + signature.len + verifier.len))
		return error_set(err, ERR_INTERNAL, "out of memory");
	buf_put(&e.storage, digest);
	buf_put(&e.storage, signature);
	buf_put(&e.storage, verifier);
	e.digest = bytes_of(e.storage.ptr, digest.len);
	e.signature = bytes_of(e.storage.ptr + digest.len, signature.len);
	e.verifier =
	    bytes_of(e.storage.ptr + digest.len + signature.len, verifier.len);
	if (!parse_verifier(&e, err))
		return false;
	*out = e;
	e = (struct entry){0};
	return true;
}

bool
entry_verify(const struct entry *e, struct key_verifier *v, struct error *err)
{
	if (key_verify_digest(
		v, &e->key, e->digest_algorithm, e->digest, e->signature, err))
		return true;
	if (err->code == ERR_BADSIG)
		err->reason = "signature-invalid";
	else if (err->code == ERR_SYNTAX)
		err->reason = "key-form";
	return false;
}

/* Writes base64 or a word, and the quote that ends the JSON string. */
static void
put_base64(struct buf *out, struct bytes value)
{
	base64_put(out, value);
	buf_put_u8(out, '"');
}

static void
put_word(struct buf *out, const char *word)
{
	buf_put_str(out, word);
	buf_put_u8(out, '"');
}

void
entry_format(const struct entry *e, struct buf *out)
{
	buf_put(out, before_algorithm);
	put_word(out, digest_names[e->digest_algorithm]);
	buf_put(out, before_digest);
	put_base64(out, e->digest);
	buf_put(out, before_signature);
	put_base64(out, e->signature);
	buf_put(out, before_details);
	put_word(out, entry_key_details(e->key.algorithm));
	buf_put(out, e->is_certificate ? before_certificate : before_key);
	put_base64(out, e->verifier);
	buf_put(out, after_all);
}

/* The words between the fixed texts of a leaf, still in base64. */
struct leaf_words {
	struct bytes algorithm;
	struct bytes digest;
	struct bytes signature;
	struct bytes details;
	struct bytes verifier;
	bool is_certificate;
};

static bool
read_word(struct reader *r, struct bytes before, struct bytes *out)
{
	return reader_literal(r, before) && reader_until(r, '"', out);
}

static bool
read_words(struct bytes leaf, struct leaf_words *out)
{
	struct reader r = {leaf};

	if (!read_word(&r, before_algorithm, &out->algorithm) ||
	    !read_word(&r, before_digest, &out->digest) ||
	    !read_word(&r, before_signature, &out->signature) ||
	    !read_word(&r, before_details, &out->details))
		return false;
	out->is_certificate = bytes_starts(r.rest, before_certificate);
	return read_word(&r,
		   out->is_certificate ? before_certificate : before_key,
		   &out->verifier) &&
	    reader_literal(&r, after_all) && reader_done(&r);
}

/* Decodes `word` behind what `storage` holds; the view holds for as long as
 * the buffer has room without moving. */
static bool
decode(struct bytes word, struct buf *storage, struct bytes *out)
{
	size_t from = storage->len;

	if (!base64_decode(word, storage))
		return false;
	*out = bytes_slice(buf_bytes(storage), from, storage->len);
	return true;
}

bool
entry_parse(struct bytes leaf, struct entry *out, struct error *err)
{
	AUTO(buf) raw = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(buf) again = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(entry) e = {0};
	struct bytes digest, signature, verifier;
	struct leaf_words words;

	if (leaf.len > ENTRY_LEAF_MAX)
		return error_set(err, ERR_SYNTAX,
		    "a leaf of %zu bytes is longer than any entry", leaf.len);
	if (!buf_reserve(&raw, leaf.len) || !buf_reserve(&again, leaf.len))
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (!read_words(leaf, &words) || !decode(words.digest, &raw, &digest) ||
	    !decode(words.signature, &raw, &signature) ||
	    !decode(words.verifier, &raw, &verifier))
		return error_set(
		    err, ERR_SYNTAX, "not a hashedrekord 0.0.2 entry");
	if (!entry_fill(
		&e, digest, signature, verifier, words.is_certificate, err))
		return error_prefix(err, "hashedrekord");
	/* Differs also where algorithm or keyDetails are not the key's. */
	entry_format(&e, &again);
	if (!bytes_equal(buf_bytes(&again), leaf))
		return error_set(err, ERR_SYNTAX,
		    "not the canonical form of a hashedrekord entry");
	*out = e;
	e = (struct entry){0};
	return true;
}
