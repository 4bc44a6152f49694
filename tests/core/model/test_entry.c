/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/model/dsse.h"
#include "core/model/entry.h"
#include "tests/support/vector_file.h"

#define FILE_MAX (2 * 1024 * 1024)

static struct key_verifier *verifier;
static struct hasher hasher;

static int
setup(void **state)
{
	struct error err = {0};

	(void)state;
	verifier = key_verifier_open(&err);
	return verifier && hasher_open(&hasher, &err) ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	key_verifier_close(verifier);
	hasher_release(&hasher);
	return 0;
}

/* The array of cases in tests/vectors/entry/<name>. */
static json_t *
load_cases(const char *name)
{
	AUTO(buf) file = BUF_INIT(FILE_MAX);
	char path[VECTOR_PATH_MAX], inside[64];
	struct error err = {0};
	json_t *cases;

	(void)snprintf(inside, sizeof(inside), "entry/%s", name);
	assert_true(vector_read(vector_own(path, inside), &file));
	assert_true(json_parse(buf_bytes(&file), FILE_MAX, &cases, &err));
	assert_true(json_is_array(cases));
	return cases;
}

static struct bytes
member(const json_t *row, const char *name)
{
	const json_t *value = json_object_get(row, name);

	assert_true(json_is_string(value));
	return json_text(value);
}

static const char *
name_of(const json_t *row)
{
	return json_string_value(json_object_get(row, "name"));
}

/* The entry formats to `leaf`, and the leaf parses to the same entry. */
static void
check_leaf(const char *name, const struct entry *e, struct bytes leaf)
{
	AUTO(buf) out = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(entry) back = {0};
	struct error err = {0};

	entry_format(e, &out);
	if (!bytes_equal(buf_bytes(&out), leaf))
		fail_msg("%s: the leaf is %.*s", name, (int)out.len,
		    (const char *)out.ptr);
	if (!entry_parse(leaf, &back, &err))
		fail_msg("%s: leaf refused: %s", name, err.text);
	assert_true(bytes_equal(back.digest, e->digest));
	assert_true(bytes_equal(back.signature, e->signature));
	assert_true(bytes_equal(back.verifier, e->verifier));
	assert_int_equal(back.is_certificate, e->is_certificate);
	assert_int_equal(back.digest_algorithm, e->digest_algorithm);
	assert_int_equal(back.key.algorithm, e->key.algorithm);
	/* Every view is into the entry's own storage. */
	assert_true(back.key.raw.ptr >= back.storage.ptr &&
	    back.key.raw.ptr < back.storage.ptr + back.storage.len);
}

static void
test_accepted(void **state)
{
	AUTO_PTR(json_t) cases = load_cases("accepted.json");
	json_t *row;
	size_t i;

	(void)state;
	assert_true(json_array_size(cases) > 70);
	json_array_foreach(cases, i, row)
	{
		AUTO(entry) e = {0};
		struct error err = {0};
		bool want = json_is_true(json_object_get(row, "verifies"));

		if (!entry_request_parse(member(row, "request"), &e, &err))
			fail_msg("%s: %s", name_of(row), err.text);
		check_leaf(name_of(row), &e, member(row, "leaf"));
		if (entry_verify(&e, verifier, &err) != want)
			fail_msg("%s: verifies %d", name_of(row), !want);
		if (!want) {
			assert_int_equal(err.code, ERR_BADSIG);
			assert_string_equal(err.reason, "signature-invalid");
		}
	}
}

static void
check_refused(const json_t *row)
{
	const char *name = name_of(row);
	struct bytes reason = member(row, "reason");
	struct bytes says = member(row, "says");
	struct entry e = {0};
	struct error err = {0};

	if (entry_request_parse(member(row, "request"), &e, &err))
		fail_msg("%s: accepted", name);
	assert_null(e.storage.ptr);
	if (!bytes_equal(reason, bytes_str(error_reason_name(&err))))
		fail_msg("%s: reason %s (%s)", name, error_reason_name(&err),
		    err.text);
	if (!strstr(err.text, (const char *)says.ptr))
		fail_msg("%s: \"%s\" does not say %s", name, err.text,
		    (const char *)says.ptr);
	assert_true(err.code == ERR_SYNTAX || err.code == ERR_LIMIT);
	assert_true(utf8_valid(bytes_str(err.text)));
}

static void
test_refused(void **state)
{
	AUTO_PTR(json_t) cases = load_cases("refused.json");
	json_t *row;
	size_t i;

	(void)state;
	assert_true(json_array_size(cases) > 300);
	json_array_foreach(cases, i, row) check_refused(row);
}

static void
test_refused_bytes(void **state)
{
	static const struct {
		struct bytes json;
		const char *reason;
	} texts[] = {
	    {{0}, "bad-json"},
	    {BYTES_LIT("\0"), "bad-json"},
	    {BYTES_LIT("{}\0"), "bad-json"},
	    {BYTES_LIT("{\"a\0\":1}"), "bad-json"},
	    {BYTES_LIT("{\"dsseRequestV002\":\"\xff\"}"), "bad-json"},
	    {BYTES_LIT("{\"dsseRequestV002\":\"\xc0\x80\"}"), "bad-json"},
	    {BYTES_LIT("{\"g\\\xcf\x8c\xa3"), "bad-json"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct entry e = {0};
		struct error err = {0};

		assert_false(entry_request_parse(texts[i].json, &e, &err));
		assert_int_equal(err.code, ERR_SYNTAX);
		assert_string_equal(err.reason, texts[i].reason);
		assert_true(utf8_valid(bytes_str(err.text)));
	}
}

/* The envelope of a dsseRequestV002 is what its entry has the digest of. */
static void
test_whole(void **state)
{
	AUTO_PTR(json_t) cases = load_cases("accepted.json");
	size_t i, envelopes = 0;
	json_t *row;

	(void)state;
	json_array_foreach(cases, i, row)
	{
		AUTO(buf) type = BUF_INIT(ENTRY_DSSE_TYPE_MAX);
		AUTO(buf) payload = BUF_INIT(ENTRY_REQUEST_MAX);
		uint8_t digest[DIGEST_MAX_LEN];
		AUTO(entry) e = {0};
		struct error err = {0};

		if (!entry_request_parse_whole(
			member(row, "request"), &e, &type, &payload, &err))
			fail_msg("%zu: %s", i, err.text);
		if (type.len == 0) {
			assert_int_equal(payload.len, 0);
			continue;
		}
		envelopes++;
		assert_true(dsse_digest(e.digest_algorithm, buf_bytes(&type),
		    buf_bytes(&payload), digest, &err));
		assert_true(bytes_equal(e.digest,
		    bytes_of(digest, digest_len(e.digest_algorithm))));
	}
	assert_true(envelopes > 3 && envelopes < i);
}

/* A request as long as allowed is read; one byte more is too large. */
static void
test_size(void **state)
{
	AUTO_PTR(json_t) cases = load_cases("accepted.json");
	AUTO(buf) big = BUF_INIT(ENTRY_REQUEST_MAX + 1);
	AUTO(entry) e = {0};
	struct error err = {0};

	(void)state;
	buf_put(&big, member(json_array_get(cases, 0), "request"));
	while (big.len < ENTRY_REQUEST_MAX)
		buf_put_u8(&big, ' ');
	assert_true(entry_request_parse(buf_bytes(&big), &e, &err));
	buf_put_u8(&big, ' ');
	entry_release(&e);
	assert_false(entry_request_parse(buf_bytes(&big), &e, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	assert_string_equal(err.reason, "too-large");
}

static void
test_not_leaves(void **state)
{
	AUTO_PTR(json_t) cases = load_cases("not-leaves.json");
	json_t *row;
	size_t i;

	(void)state;
	assert_true(json_array_size(cases) > 40);
	json_array_foreach(cases, i, row)
	{
		struct entry e = {0};
		struct error err = {0};

		if (entry_parse(member(row, "leaf"), &e, &err))
			fail_msg("%s: accepted", name_of(row));
		assert_int_equal(err.code, ERR_SYNTAX);
		assert_null(e.storage.ptr);
	}
}

/* No byte of a leaf can change without being noticed. */
static void
test_every_byte(void **state)
{
	AUTO_PTR(json_t) cases = load_cases("accepted.json");
	struct bytes leaf = member(json_array_get(cases, 0), "leaf");
	AUTO(buf) copy = BUF_INIT(ENTRY_LEAF_MAX);

	(void)state;
	buf_put(&copy, leaf);
	for (size_t i = 0; i < leaf.len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			AUTO(entry) e = {0};
			struct error err = {0};

			copy.ptr[i] ^= (uint8_t)(1u << bit);
			assert_false(entry_parse(buf_bytes(&copy), &e, &err) &&
			    entry_verify(&e, verifier, &err));
			copy.ptr[i] = leaf.ptr[i];
		}
	}
}

static void
test_fill(void **state)
{
	static const uint8_t zeros[SIGNATURE_MAX_LEN + 1];
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	static const struct {
		size_t digest, signature;
		bool is_certificate, ok;
		const char *reason;
	} cases[] = {
	    {64, 64, false, true, NULL},
	    {64, 1, false, true, NULL},
	    {64, SIGNATURE_MAX_LEN, false, true, NULL},
	    {64, SIGNATURE_MAX_LEN + 1, false, false, "signature-form"},
	    {64, 0, false, false, "signature-form"},
	    {0, 64, false, false, "digest-length"},
	    {32, 64, false, false, "digest-length"},
	    {65, 64, false, false, "digest-length"},
	    {64, 64, true, false, "certificate-form"},
	};

	(void)state;
	ed25519_spki_put(&spki, bytes_of(zeros, 32));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(entry) e = {0};
		struct error err = {0};

		assert_int_equal(
		    entry_fill(&e, bytes_of(zeros, cases[i].digest),
			bytes_of(zeros, cases[i].signature), buf_bytes(&spki),
			cases[i].is_certificate, &err),
		    cases[i].ok);
		if (cases[i].ok)
			assert_int_equal(e.key.algorithm, KEY_ED25519);
		else
			assert_string_equal(err.reason, cases[i].reason);
	}
}

/* A key that is no point is found at verification, and is not "forged". */
static void
test_off_curve(void **state)
{
	AUTO_PTR(json_t) cases = load_cases("accepted.json");
	AUTO(entry) e = {0};
	struct error err = {0};

	(void)state;
	assert_true(entry_request_parse(
	    member(json_array_get(cases, 0), "request"), &e, &err));
	e.storage.ptr[e.storage.len - 1] ^= 1;
	assert_false(entry_verify(&e, verifier, &err));
	assert_int_equal(err.code, ERR_SYNTAX);
	assert_string_equal(err.reason, "key-form");
}

static void
test_key_details(void **state)
{
	(void)state;
	for (size_t i = KEY_ECDSA_P256; i <= KEY_ED25519; i++) {
		enum key_algorithm alg = 0;

		assert_true(entry_key_details_find(
		    bytes_str(entry_key_details((enum key_algorithm)i)), &alg));
		assert_int_equal(alg, i);
	}
	for (size_t i = 0; i < 2; i++) {
		enum key_algorithm alg = 0;
		const char *bad = i ? "" : "PKIX_ED25519";

		assert_false(entry_key_details_find(bytes_str(bad), &alg));
		assert_int_equal(alg, 0);
	}
}

/* --- public vectors ------------------------------------------------------ */

static bool
read_public(const char *name, struct buf *out)
{
	char path[VECTOR_PATH_MAX];

	return vector_read(vector_public(path, name), out);
}

static void
check_leaf_hash(struct bytes leaf, const char *hex)
{
	const struct bytes leaf_prefix = BYTES_LIT("\0");
	struct hash got, want;

	sha256_two(&hasher, leaf_prefix, leaf, &got);
	assert_true(hex_decode(bytes_str(hex), want.b, HASH_LEN));
	assert_true(hash_equal(&got, &want));
}

static void
check_public_leaf(const char *name, struct bytes leaf)
{
	AUTO(entry) e = {0};
	struct error err = {0};

	if (!entry_parse(leaf, &e, &err) || !entry_verify(&e, verifier, &err))
		fail_msg("%s: %s", name, err.text);
	check_leaf(name, &e, leaf);
}

static void
test_recorded(void **state)
{
	AUTO(buf) probe = BUF_INIT(FILE_MAX);

	(void)state;
	if (!read_public("rekor-v2/recorded/README.md", &probe))
		skip();
	for (int i = 0; i < 18; i++) {
		AUTO(buf) request = BUF_INIT(FILE_MAX);
		AUTO(buf) leaf = BUF_INIT(FILE_MAX);
		AUTO(entry) e = {0};
		struct error err = {0};
		char name[64];

		(void)snprintf(name, sizeof(name),
		    "rekor-v2/recorded/entry-%02d.request.json", i);
		assert_true(read_public(name, &request));
		(void)snprintf(
		    name, sizeof(name), "rekor-v2/recorded/entry-%02d.leaf", i);
		assert_true(read_public(name, &leaf));
		if (!entry_request_parse(buf_bytes(&request), &e, &err) ||
		    !entry_verify(&e, verifier, &err))
			fail_msg("%s: %s", name, err.text);
		check_leaf(name, &e, buf_bytes(&leaf));
		check_public_leaf(name, buf_bytes(&leaf));
	}
}

static void
test_spellings(void **state)
{
	static const char *const names[] = {"base64-without-padding",
	    "base64url", "enum-as-number", "escapes", "snake_case", "spaces"};
	AUTO(buf) leaf = BUF_INIT(FILE_MAX);

	(void)state;
	if (!read_public("rekor-v2/recorded/entry-00.leaf", &leaf))
		skip();
	check_leaf_hash(buf_bytes(&leaf),
	    "01644db522aa90ad6f8c09cfd698452377bbf37c1396cf6dcb0479c6d93cfde7");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO(buf) request = BUF_INIT(FILE_MAX);
		AUTO(entry) e = {0};
		struct error err = {0};
		char name[100];

		(void)snprintf(name, sizeof(name),
		    "rekor-v2/recorded/spelling-%s.request.json", names[i]);
		assert_true(read_public(name, &request));
		if (!entry_request_parse(buf_bytes(&request), &e, &err))
			fail_msg("%s: %s", names[i], err.text);
		check_leaf(names[i], &e, buf_bytes(&leaf));
	}
}

static const struct {
	const char *file;
	const char *leaf_hash;
} bundles[] = {
    {"rekor2-happy-path",
	"78470eff2921878c2141726b650bf349099c37850a731f287a6accf35d40441f"},
    {"rekor2-dsse-happy-path",
	"fe40655a0f968947de630c778c0f68bd52c68a40c5a25fc1a3a4edd6ab3c2f99"},
    {"rekor2-timestamp-with-expired-cert-chain",
	"d5b4df45a0976c1b461ffb3f074e9592b1648fcbe9400701a5a36d11664d8eba"},
    {"rekor2-timestamp-without-embedded-cert",
	"ee4c311f691b03e94f5cf2c8d715448e3a5d065940eba01dac15f88ceee2130c"},
};

static void
test_from_bundles(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++) {
		AUTO(buf) file = BUF_INIT(FILE_MAX);
		AUTO(buf) leaf = BUF_INIT(FILE_MAX);
		AUTO_PTR(json_t) entry = NULL;
		struct error err = {0};
		char name[100];

		(void)snprintf(name, sizeof(name),
		    "rekor-v2/from-bundles/%s.json", bundles[i].file);
		if (!read_public(name, &file))
			skip();
		assert_true(
		    json_parse(buf_bytes(&file), FILE_MAX, &entry, &err));
		assert_true(
		    base64_decode(member(entry, "canonicalizedBody"), &leaf));
		check_leaf_hash(buf_bytes(&leaf), bundles[i].leaf_hash);
		check_public_leaf(bundles[i].file, buf_bytes(&leaf));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepted),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_refused_bytes),
	    cmocka_unit_test(test_whole),
	    cmocka_unit_test(test_size),
	    cmocka_unit_test(test_not_leaves),
	    cmocka_unit_test(test_every_byte),
	    cmocka_unit_test(test_fill),
	    cmocka_unit_test(test_off_curve),
	    cmocka_unit_test(test_key_details),
	    cmocka_unit_test(test_recorded),
	    cmocka_unit_test(test_spellings),
	    cmocka_unit_test(test_from_bundles),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
