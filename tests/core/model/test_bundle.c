/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/crypto/pem.h"
#include "core/model/bundle.h"
#include "core/model/entry.h"
#include "tests/support/refusals.h"

#define FOLDER "bundle/"

/* What is different in a good bundle from the plainest. */
static const struct {
	const char *name;
	unsigned version;
	enum bundle_material material;
	size_t certificates, entries, timestamps;
	bool hint;
} valid[] = {
    {"certificate", 3, BUNDLE_CERTIFICATE, 1, 0, 0, false},
    {"certificate-old-name", 3, BUNDLE_CERTIFICATE, 1, 0, 0, false},
    {"chain-0", 1, BUNDLE_CHAIN, 2, 0, 0, false},
    {"chain-1", 2, BUNDLE_CHAIN, 2, 0, 0, false},
    {"chain-10", 3, BUNDLE_CHAIN, 10, 0, 0, false},
    {"chain-2", 3, BUNDLE_CHAIN, 2, 0, 0, false},
    {"chain-3", 3, BUNDLE_CHAIN, 2, 0, 0, false},
    {"empty-payload", 3, BUNDLE_KEY, 0, 0, 0, true},
    {"entries", 3, BUNDLE_KEY, 0, 2, 0, true},
    {"entries-32", 3, BUNDLE_KEY, 0, 32, 0, true},
    {"entries-null", 3, BUNDLE_KEY, 0, 0, 0, true},
    {"key", 3, BUNDLE_KEY, 0, 0, 0, true},
    {"key-no-hint", 3, BUNDLE_KEY, 0, 0, 0, false},
    {"key-null-hint", 3, BUNDLE_KEY, 0, 0, 0, false},
    {"key-raw", 3, BUNDLE_KEY, 0, 0, 0, false},
    {"keyid-0", 3, BUNDLE_KEY, 0, 0, 0, true},
    {"keyid-1", 3, BUNDLE_KEY, 0, 0, 0, true},
    {"keyid-2", 3, BUNDLE_KEY, 0, 0, 0, true},
    {"keyid-3", 3, BUNDLE_KEY, 0, 0, 0, true},
    {"media-1", 1, BUNDLE_KEY, 0, 0, 0, true},
    {"media-2", 2, BUNDLE_KEY, 0, 0, 0, true},
    {"media-3", 3, BUNDLE_KEY, 0, 0, 0, true},
    {"no-keyid", 3, BUNDLE_KEY, 0, 0, 0, true},
    {"nulls", 3, BUNDLE_KEY, 0, 0, 0, true},
    {"other-type", 3, BUNDLE_KEY, 0, 0, 0, true},
    {"slashes", 3, BUNDLE_KEY, 0, 0, 0, true},
    {"spaced", 3, BUNDLE_KEY, 0, 0, 0, true},
    {"timestamps", 3, BUNDLE_KEY, 0, 0, 2, true},
    {"timestamps-null", 3, BUNDLE_KEY, 0, 0, 0, true},
    {"unknown", 3, BUNDLE_KEY, 0, 0, 0, true},
    {"url-safe", 3, BUNDLE_KEY, 0, 0, 0, true},
};

#define VALID (sizeof(valid) / sizeof(valid[0]))

static const struct refusal invalid[] = {
    {"array", ERR_SYNTAX, "JSON: no object where one must be"},
    {"both-contents", ERR_SYNTAX,
	"the bundle signs a file's bytes (messageSignature), and a model's "
	"signature is an envelope"},
    {"certificate-and-chain", ERR_SYNTAX,
	"the bundle has more than one kind of verification material"},
    {"certificate-base64", ERR_SYNTAX, "a certificate is not base64"},
    {"certificate-empty", ERR_SYNTAX, "a certificate is empty"},
    {"certificate-none", ERR_SYNTAX, "a certificate is empty"},
    {"certificate-v1", ERR_SYNTAX,
	"a single certificate is not of bundles before v0.3"},
    {"certificate-v2", ERR_SYNTAX,
	"a single certificate is not of bundles before v0.3"},
    {"chain-11", ERR_LIMIT, "more than 10 certificates"},
    {"chain-empty", ERR_SYNTAX, "the certificate chain is empty"},
    {"chain-none", ERR_SYNTAX, "the certificate chain is empty"},
    {"chain-null", ERR_SYNTAX, "JSON: no array where one must be"},
    {"deep", ERR_LIMIT, "JSON: more than 16 levels deep"},
    {"duplicate-envelope", ERR_SYNTAX,
	"JSON: a member stands twice in an object"},
    {"duplicate-in-entry", ERR_SYNTAX,
	"JSON: a member stands twice in an object"},
    {"duplicate-sig", ERR_SYNTAX, "JSON: a member stands twice in an object"},
    {"duplicate-top", ERR_SYNTAX, "JSON: a member stands twice in an object"},
    {"duplicate-unknown", ERR_SYNTAX,
	"JSON: a member stands twice in an object"},
    {"empty", ERR_SYNTAX, "JSON: no object where one must be"},
    {"entries-33", ERR_LIMIT, "more than 32 log entries"},
    {"entries-object", ERR_SYNTAX, "JSON: no array where one must be"},
    {"entry-null", ERR_SYNTAX, "a log entry is no object"},
    {"entry-string", ERR_SYNTAX, "a log entry is no object"},
    {"entry-twice", ERR_SYNTAX, "the same log entry stands there twice"},
    {"envelope-no-payload", ERR_SYNTAX,
	"the envelope needs payload, payloadType and signatures"},
    {"envelope-no-payloadType", ERR_SYNTAX,
	"the envelope needs payload, payloadType and signatures"},
    {"envelope-no-signatures", ERR_SYNTAX,
	"the envelope needs payload, payloadType and signatures"},
    {"envelope-null-payload", ERR_SYNTAX, "JSON: no string where one must be"},
    {"envelope-null-payloadType", ERR_SYNTAX,
	"JSON: no string where one must be"},
    {"envelope-null-signatures", ERR_SYNTAX,
	"JSON: no array where one must be"},
    {"envelope-number-payload", ERR_SYNTAX,
	"JSON: no string where one must be"},
    {"envelope-number-payloadType", ERR_SYNTAX,
	"JSON: no string where one must be"},
    {"envelope-number-signatures", ERR_SYNTAX,
	"JSON: no array where one must be"},
    {"hint-long", ERR_SYNTAX, "the key's hint is too long"},
    {"hint-number", ERR_SYNTAX, "JSON: no string where one must be"},
    {"key-and-certificate", ERR_SYNTAX,
	"the bundle has more than one kind of verification material"},
    {"key-and-chain", ERR_SYNTAX,
	"the bundle has more than one kind of verification material"},
    {"key-string", ERR_SYNTAX, "JSON: no object where one must be"},
    {"media-0", ERR_SYNTAX,
	"the mediaType is not that of a Sigstore bundle that we read (v0.1 to "
	"v0.3)"},
    {"media-1", ERR_SYNTAX,
	"the mediaType is not that of a Sigstore bundle that we read (v0.1 to "
	"v0.3)"},
    {"media-2", ERR_SYNTAX,
	"the mediaType is not that of a Sigstore bundle that we read (v0.1 to "
	"v0.3)"},
    {"media-3", ERR_SYNTAX,
	"the mediaType is not that of a Sigstore bundle that we read (v0.1 to "
	"v0.3)"},
    {"media-4", ERR_SYNTAX,
	"the mediaType is not that of a Sigstore bundle that we read (v0.1 to "
	"v0.3)"},
    {"media-5", ERR_SYNTAX,
	"the mediaType is not that of a Sigstore bundle that we read (v0.1 to "
	"v0.3)"},
    {"media-6", ERR_SYNTAX,
	"the mediaType is not that of a Sigstore bundle that we read (v0.1 to "
	"v0.3)"},
    {"media-7", ERR_SYNTAX,
	"the mediaType is not that of a Sigstore bundle that we read (v0.1 to "
	"v0.3)"},
    {"media-8", ERR_SYNTAX,
	"the mediaType is not that of a Sigstore bundle that we read (v0.1 to "
	"v0.3)"},
    {"media-9", ERR_SYNTAX,
	"the mediaType is not that of a Sigstore bundle that we read (v0.1 to "
	"v0.3)"},
    {"members", ERR_LIMIT, "JSON: an object of more than 64 members"},
    {"message-signature", ERR_SYNTAX,
	"the bundle signs a file's bytes (messageSignature), and a model's "
	"signature is an envelope"},
    {"no-dsseEnvelope", ERR_SYNTAX,
	"a bundle needs mediaType, verificationMaterial and dsseEnvelope"},
    {"no-material", ERR_SYNTAX,
	"the bundle has neither public key nor certificate"},
    {"no-mediaType", ERR_SYNTAX,
	"a bundle needs mediaType, verificationMaterial and dsseEnvelope"},
    {"no-signatures", ERR_SYNTAX, "the envelope has no signature"},
    {"no-verificationMaterial", ERR_SYNTAX,
	"a bundle needs mediaType, verificationMaterial and dsseEnvelope"},
    {"not-json", ERR_SYNTAX, "JSON: no object where one must be"},
    {"null-dsseEnvelope", ERR_SYNTAX,
	"a bundle needs mediaType, verificationMaterial and dsseEnvelope"},
    {"null-material", ERR_SYNTAX,
	"the bundle has neither public key nor certificate"},
    {"null-mediaType", ERR_SYNTAX, "JSON: no string where one must be"},
    {"null-verificationMaterial", ERR_SYNTAX,
	"JSON: no object where one must be"},
    {"number-dsseEnvelope", ERR_SYNTAX, "JSON: no object where one must be"},
    {"number-mediaType", ERR_SYNTAX, "JSON: no string where one must be"},
    {"number-verificationMaterial", ERR_SYNTAX,
	"JSON: no object where one must be"},
    {"payload-base64", ERR_SYNTAX, "the payload is not base64"},
    {"same-signatures", ERR_SYNTAX,
	"the envelope has more than one signature, and one is what a bundle "
	"has"},
    {"signature-base64", ERR_SYNTAX, "the signature is not base64"},
    {"signature-bits", ERR_SYNTAX, "the signature is not base64"},
    {"signature-empty", ERR_SYNTAX, "the signature is empty"},
    {"signature-long", ERR_LIMIT, "the signature is larger than 1024 bytes"},
    {"signature-mixed", ERR_SYNTAX, "the signature is not base64"},
    {"signature-none", ERR_SYNTAX, "the signature is empty"},
    {"signature-null", ERR_SYNTAX, "JSON: no object where one must be"},
    {"signature-space", ERR_SYNTAX, "the signature is not base64"},
    {"signatures-object", ERR_SYNTAX, "JSON: no array where one must be"},
    {"space", ERR_SYNTAX, "JSON: no object where one must be"},
    {"timestamp-33", ERR_LIMIT, "more than 32 time-stamps"},
    {"timestamp-base64", ERR_SYNTAX, "a time-stamp is not base64"},
    {"timestamp-empty", ERR_SYNTAX, "a time-stamp is empty"},
    {"timestamp-list-object", ERR_SYNTAX, "JSON: no array where one must be"},
    {"timestamp-none", ERR_SYNTAX, "a time-stamp is empty"},
    {"timestamp-null", ERR_SYNTAX, "JSON: no object where one must be"},
    {"timestamp-string", ERR_SYNTAX, "JSON: no object where one must be"},
    {"timestamp-twice", ERR_SYNTAX, "the same time-stamp stands there twice"},
    {"trailing-nul", ERR_SYNTAX, "JSON: a NUL character"},
    {"trailing", ERR_SYNTAX, "JSON: something follows the value"},
    {"truncated", ERR_SYNTAX, "JSON: a string without end"},
    {"two-signatures", ERR_SYNTAX,
	"the envelope has more than one signature, and one is what a bundle "
	"has"},
    {"type-empty", ERR_SYNTAX,
	"the envelope needs payload, payloadType and signatures"},
    {"type-long", ERR_SYNTAX, "the envelope's payloadType is too long"},
    {"utf8", ERR_SYNTAX, "JSON: invalid UTF-8 in a string"},
};

/* A bundle of the folder, whose text is gone by the time it is looked at. */
static void
open_bundle(const char *folder, const char *name, struct bundle *out)
{
	AUTO(buf) in = BUF_INIT(1u << 20);
	struct error err = {0};

	vector_load(folder, name, &in);
	if (!bundle_parse(buf_bytes(&in), out, &err))
		fail_msg("%s: %s", name, err.text);
	memset(in.ptr, 0, in.len);
}

static void
same_list(const struct bytes *a, size_t a_count, const struct bytes *b,
    size_t b_count)
{
	assert_int_equal(a_count, b_count);
	for (size_t i = 0; i < a_count; i++)
		assert_true(bytes_equal(a[i], b[i]));
}

static void
same(const struct bundle *a, const struct bundle *b)
{
	assert_int_equal(a->material, b->material);
	assert_true(bytes_equal(a->hint, b->hint));
	assert_true(
	    bytes_equal(a->envelope.payload_type, b->envelope.payload_type));
	assert_true(bytes_equal(a->envelope.payload, b->envelope.payload));
	assert_true(bytes_equal(a->envelope.signature, b->envelope.signature));
	same_list(a->certificates, a->certificate_count, b->certificates,
	    b->certificate_count);
	same_list(a->entries, a->entry_count, b->entries, b->entry_count);
	same_list(a->timestamps, a->timestamp_count, b->timestamps,
	    b->timestamp_count);
}

static void
test_valid(void **state)
{
	AUTO(bundle) plain = {0};

	(void)state;
	open_bundle(FOLDER "valid", "key", &plain);
	for (size_t i = 0; i < VALID; i++) {
		bool other_payload =
		    strcmp(valid[i].name, "empty-payload") == 0;
		bool other_type = strcmp(valid[i].name, "other-type") == 0;
		AUTO(bundle) b = {0};

		open_bundle(FOLDER "valid", valid[i].name, &b);
		if (b.version != valid[i].version ||
		    b.material != valid[i].material ||
		    b.certificate_count != valid[i].certificates ||
		    b.entry_count != valid[i].entries ||
		    b.timestamp_count != valid[i].timestamps ||
		    (b.hint.len == 64) != valid[i].hint)
			fail_msg("%s", valid[i].name);
		assert_int_equal(
		    bytes_equal(b.envelope.payload, plain.envelope.payload),
		    !other_payload);
		assert_int_equal(bytes_equal(b.envelope.payload_type,
				     BYTES_LIT(DSSE_IN_TOTO)),
		    !other_type);
		assert_true(bytes_equal(
		    b.envelope.signature, plain.envelope.signature));
	}
	assert_int_equal(vector_count(FOLDER "valid"), VALID);
}

/* What is written is read as the same, and written the same again. */
static void
test_format(void **state)
{
	(void)state;
	for (size_t i = 0; i < VALID; i++) {
		AUTO(bundle) b = {0};
		AUTO(bundle) again = {0};
		AUTO(buf) out = BUF_INIT(1u << 20);
		AUTO(buf) second = BUF_INIT(1u << 20);
		struct error err = {0};

		open_bundle(FOLDER "valid", valid[i].name, &b);
		bundle_format(&b, &out);
		assert_true(buf_ok(&out, &err));
		assert_null(memchr(out.ptr, '\n', out.len));
		assert_true(bundle_parse(buf_bytes(&out), &again, &err));
		assert_int_equal(again.version, 3);
		same(&b, &again);
		bundle_format(&again, &second);
		assert_true(bytes_equal(buf_bytes(&out), buf_bytes(&second)));
	}
}

static void
test_format_exact(void **state)
{
	AUTO(buf) in = BUF_INIT(1u << 20);
	AUTO(buf) out = BUF_INIT(1u << 20);
	AUTO(bundle) b = {0};

	(void)state;
	vector_load(FOLDER "valid", "key", &in);
	open_bundle(FOLDER "valid", "key", &b);
	bundle_format(&b, &out);
	assert_true(bytes_equal(buf_bytes(&in), buf_bytes(&out)));
	/* A buffer that is too small latches, wherever it ends. */
	for (size_t n = 0; n < in.len; n += 7) {
		AUTO(buf) small = BUF_INIT(n);

		bundle_format(&b, &small);
		assert_true(small.failed);
	}
}

static void
test_entries(void **state)
{
	static const char first[] =
	    "{\"logIndex\":\"1\",\"inclusionProof\":{\"checkpoint\":"
	    "{\"envelope\":\"a \\\"log\\\"\\n  line \\\\ \\n\"}}}";
	AUTO(bundle) b = {0};

	(void)state;
	open_bundle(FOLDER "valid", "entries", &b);
	assert_true(bytes_equal(b.entries[0], bytes_str(first)));
}

static bool
refuses(struct bytes in, struct error *err)
{
	AUTO(bundle) b = {0};

	return bundle_parse(in, &b, err);
}

static void
test_invalid(void **state)
{
	(void)state;
	refusals_check(FOLDER "invalid", "malformed-bundle", invalid,
	    sizeof(invalid) / sizeof(invalid[0]), refuses);
}

/* A bundle with a certificate of `n` bytes, or an entry of about as many. */
static void
put_large(struct buf *out, bool entry, size_t n)
{
	buf_put_str(out,
	    "{\"mediaType\":\"application/vnd.dev.sigstore.bundle.v0.3+json\","
	    "\"dsseEnvelope\":{\"payload\":\"\",\"payloadType\":\"t\","
	    "\"signatures\":[{\"sig\":\"AAAA\"}]},"
	    "\"verificationMaterial\":{");
	buf_put_str(out,
	    entry ? "\"publicKey\":{},\"tlogEntries\":[{\"x\":\""
		  : "\"certificate\":{\"rawBytes\":\"");
	for (size_t i = 0; i < (entry ? n : BASE64_LEN(n)); i++)
		buf_put_u8(out, 'A');
	if (!entry && n % 3)
		memset(out->ptr + out->len - (3 - n % 3), '=', 3 - n % 3);
	buf_put_str(out, entry ? "\"}]}}" : "\"}}}");
}

static void
test_limits(void **state)
{
	static const struct {
		bool entry;
		size_t size;
		enum error_code code;
	} cases[] = {
	    {false, CERTIFICATE_MAX_LEN, ERR_NONE},
	    {false, CERTIFICATE_MAX_LEN + 1, ERR_LIMIT},
	    {false, 2 * CERTIFICATE_MAX_LEN, ERR_LIMIT},
	    {true, (1u << 20) - 8, ERR_NONE},
	    {true, (1u << 20) - 7, ERR_LIMIT},
	};
	struct error err = {0};
	uint8_t *large;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) in = BUF_INIT(1u << 21);
		struct error why = {0};

		put_large(&in, cases[i].entry, cases[i].size);
		(void)refuses(buf_bytes(&in), &why);
		if (why.code != cases[i].code)
			fail_msg("%zu: %s", i, why.text);
	}
	/* The length alone decides: nothing of it is touched. */
	large = malloc((size_t)BUNDLE_MAX_LEN + 1);
	assert_non_null(large);
	assert_false(
	    refuses(bytes_of(large, (size_t)BUNDLE_MAX_LEN + 1), &err));
	free(large);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_string_equal(err.reason, "malformed-bundle");
}

/* The first failure stays, and a half-read bundle can be released. */
static void
test_failure(void **state)
{
	struct error err = {.code = ERR_IO};
	AUTO(buf) in = BUF_INIT(1u << 20);
	struct bundle b = {0};

	(void)state;
	bundle_release(&b);
	vector_load(FOLDER "invalid", "entries-33", &in);
	assert_false(bundle_parse(buf_bytes(&in), &b, &err));
	assert_int_equal(err.code, ERR_IO);
	bundle_release(&b);
	bundle_release(&b);
	assert_int_equal(b.entry_count, 0);
}

/* The leaf is of the bundle's own bytes, and its signature is good. */
static void
test_leaf(void **state)
{
	AUTO(buf) pem = BUF_INIT(1u << 16);
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(buf) small = BUF_INIT(100);
	struct key_verifier *v;
	struct error err = {0};
	char path[VECTOR_PATH_MAX];
	AUTO(entry) entry = {0};
	AUTO(bundle) b = {0};

	(void)state;
	v = key_verifier_open(&err);
	assert_non_null(v);
	assert_true(vector_read(vector_own(path, FOLDER "key.pem"), &pem));
	assert_true(pem_public_key(buf_bytes(&pem), &spki, &err));
	open_bundle(FOLDER "valid", "key", &b);
	assert_true(bundle_leaf(&b, buf_bytes(&spki), &leaf, &err));
	assert_true(entry_parse(buf_bytes(&leaf), &entry, &err));
	assert_true(entry_verify(&entry, v, &err));
	assert_false(entry.is_certificate);
	assert_true(bytes_equal(entry.verifier, buf_bytes(&spki)));
	assert_true(bytes_equal(entry.signature, b.envelope.signature));
	assert_false(bundle_leaf(&b, buf_bytes(&spki), &small, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	/* A key is no certificate, nor the other way round. */
	err = (struct error){0};
	b.material = BUNDLE_CERTIFICATE;
	buf_clear(&leaf);
	assert_false(bundle_leaf(&b, buf_bytes(&spki), &leaf, &err));
	assert_int_equal(err.code, ERR_SYNTAX);
	err = (struct error){0};
	b.material = BUNDLE_KEY;
	assert_false(bundle_leaf(&b, BYTES_LIT("no key"), &leaf, &err));
	assert_int_equal(err.code, ERR_SYNTAX);
	key_verifier_close(v);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_format),
	    cmocka_unit_test(test_format_exact),
	    cmocka_unit_test(test_entries),
	    cmocka_unit_test(test_invalid),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_failure),
	    cmocka_unit_test(test_leaf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
