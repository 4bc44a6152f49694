/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "core/base/cleanup.h"
#include "tests/support/material_file.h"
#include "tests/support/stamp_file.h"

#define GENERATED UINT64_C(1778137200) /* 2026-05-07T07:00:00Z */

/* OpenSSL's allocations are counted, and one of them may be made to fail. */
static long allocations;
static long failing = -1;

static void *
counted_malloc(size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	return allocations++ == failing ? NULL : malloc(n);
}

static void *
counted_realloc(void *p, size_t n, const char *file, int line)
{
	(void)file;
	(void)line;
	if (n == 0) {
		free(p);
		return NULL;
	}
	return allocations++ == failing ? NULL : realloc(p, n);
}

static void
counted_free(void *p, const char *file, int line)
{
	(void)file;
	(void)line;
	free(p);
}

static const struct {
	const char *name;
	enum error_code code;
	const char *words;
} cases[] = {
    {"embedded", ERR_NONE, NULL},
    {"not-embedded", ERR_NONE, NULL},
    {"all-embedded", ERR_NONE, NULL},
    {"middle-is-anchor", ERR_NONE, NULL},
    {"with-mods", ERR_NONE, NULL},
    {"only-signer", ERR_NONE, NULL},
    {"only-signer-not-embedded", ERR_NONE, NULL},
    {"sha384", ERR_NONE, NULL},
    {"sha512", ERR_NONE, NULL},
    {"fraction", ERR_NONE, NULL},
    {"ess-1", ERR_NONE, NULL},
    {"ess-sha512", ERR_NONE, NULL},
    {"ended-since", ERR_NONE, NULL},
    {"begun-then", ERR_NONE, NULL},
    {"rsa", ERR_NONE, NULL},
    {"decoy-in-token", ERR_NONE, NULL},
    {"extension", ERR_NONE, NULL},

    {"trailing", ERR_SYNTAX, "not a response"},
    {"cut", ERR_SYNTAX, "not a response"},
    {"empty", ERR_SYNTAX, "not a response"},
    {"indefinite", ERR_SYNTAX, "not a response"},
    {"rejected", ERR_SYNTAX, "not a response"},
    {"rejected-bare", ERR_DENIED, "did not grant"},
    {"granted-bare", ERR_SYNTAX, "not a response"},
    {"other-message", ERR_BADSIG, "other bytes"},
    {"sha1-imprint", ERR_DENIED, "imprint"},
    {"version-2", ERR_SYNTAX, "version 1"},
    {"critical-extension", ERR_DENIED, "critical extension"},
    {"time-zone", ERR_SYNTAX, "malformed time"},
    {"time-local", ERR_SYNTAX, "malformed time"},
    {"time-point", ERR_SYNTAX, "malformed time"},
    {"time-other-end", ERR_SYNTAX, "malformed time"},
    {"time-short", ERR_SYNTAX, "malformed time"},
    {"time-comma", ERR_SYNTAX, "malformed time"},
    {"time-minus", ERR_SYNTAX, "malformed time"},
    {"time-letters", ERR_SYNTAX, "malformed time"},
    {"spoiled", ERR_BADSIG, "the signature"},
    {"other-content", ERR_BADSIG, "the signature"},
    {"ess-other", ERR_BADSIG, "the signature"},
    {"ess-none", ERR_BADSIG, "the signature"},
    {"decoy-first", ERR_BADSIG, "was not signed by /CN=Middle"},
    {"no-signer", ERR_SYNTAX, "exactly one signer"},
    {"two-signers", ERR_SYNTAX, "exactly one signer"},
    {"no-content-type", ERR_SYNTAX, "did not sign a time stamp"},
    {"other-content-type", ERR_SYNTAX, "did not sign a time stamp"},
    {"no-attributes", ERR_SYNTAX, "did not sign a time stamp"},
    {"kind-data", ERR_SYNTAX, "not a response"},
    {"sha1-signature", ERR_DENIED, "signed over a digest"},
    {"no-certificate", ERR_DENIED, "not at hand"},
    {"only-other-signer", ERR_BADSIG, "the signature"},
    {"only-signer-elsewhere", ERR_DENIED, "another than the authority"},
    {"other-root", ERR_DENIED, "leads to no anchor"},
    {"no-middle", ERR_DENIED, "leads to no anchor"},
    {"code-signer", ERR_DENIED, "not for time stamping"},
    {"ended", ERR_DENIED, "CN=Stamper ended at 2026-05-07T06:59:59Z"},
    {"not-begun", ERR_DENIED, "CN=Stamper begins at 2026-05-07T07:00:01Z"},
    {"middle-ended", ERR_DENIED, "CN=Middle ended"},
    {"malformed-certificate", ERR_SYNTAX, "malformed certificate"},
    {"many-certificates", ERR_LIMIT, "too many certificates"},
};

static void
load(const char *name, struct buf *in, struct stamp_file *out)
{
	char path[VECTOR_PATH_MAX], inside[128];

	(void)snprintf(inside, sizeof(inside), "timestamp/%s.stamp", name);
	if (!vector_read(vector_own(path, inside), in) ||
	    !stamp_file_parse(buf_bytes(in), out))
		fail_msg("%s", path);
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) in = BUF_INIT(1 << 20);
		struct stamp_file f;
		struct error err = {0};
		uint64_t time = 0;
		size_t anchor = SIZE_MAX;

		load(cases[i].name, &in, &f);
		(void)!timestamp_verify_by(
		    f.token, f.message, &f.authority, &time, &anchor, &err);
		if (err.code != cases[i].code)
			fail_msg("%s: %s", cases[i].name, err.text);
		assert_int_equal(ERR_peek_error(), 0);
		if (err.code == ERR_NONE) {
			assert_true(time == GENERATED);
			assert_int_equal(anchor, 0);
			continue;
		}
		assert_true(time == 0 && anchor == SIZE_MAX); /* left alone */
		assert_string_equal(error_reason_name(&err), "timestamp");
		if (!strstr(err.text, cases[i].words))
			fail_msg("%s: %s", cases[i].name, err.text);
	}
}

/* The form without a chain, and the limits. */
static void
test_plain(void **state)
{
	static const uint8_t large[TIMESTAMP_MAX_LEN + 1];
	AUTO(buf) in = BUF_INIT(1 << 20);
	struct bytes many[CHAIN_MAX_INTERMEDIATES];
	struct stamp_file f;
	struct error err = {0};
	uint64_t time;
	size_t anchor;

	(void)state;
	load("embedded", &in, &f);
	assert_true(timestamp_verify(f.token, f.message, 1, f.anchors, 1,
	    f.intermediates, &time, &anchor, &err));
	assert_true(time == GENERATED);
	assert_false(timestamp_verify(f.token, f.message, 0, NULL, 1,
	    f.intermediates, &time, &anchor, &err));
	assert_int_equal(err.code, ERR_DENIED);
	err = (struct error){0};
	assert_false(timestamp_verify(BYTES_OF(large), f.message, 1, f.anchors,
	    1, f.intermediates, &time, &anchor, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	err = (struct error){0};
	for (size_t i = 0; i < CHAIN_MAX_INTERMEDIATES; i++)
		many[i] = f.intermediates[0];
	assert_false(timestamp_verify(f.token, f.message, 1, f.anchors,
	    CHAIN_MAX_INTERMEDIATES, many, &time, &anchor, &err));
	assert_int_equal(err.code, ERR_LIMIT);
}

/* With every fifth allocation of OpenSSL failing in turn, nothing that is not
 * good is accepted. */
static void
test_failing_memory(void **state)
{
	static const char *const names[] = {"ess-other", "embedded"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO(buf) in = BUF_INIT(1 << 20);
		bool good = strcmp(names[i], "embedded") == 0;
		struct stamp_file f;
		long n;

		load(names[i], &in, &f);
		for (n = 0; n < 20000; n += 5) {
			struct error err = {0};
			uint64_t time = 0;
			size_t anchor;
			bool ok, used;

			allocations = 0;
			failing = n;
			ok = timestamp_verify_by(f.token, f.message,
			    &f.authority, &time, &anchor, &err);
			used = allocations > n;
			failing = -1;
			assert_int_equal(ERR_peek_error(), 0);
			assert_int_equal(ok, err.code == ERR_NONE);
			assert_true(!ok || good);
			if (!used) {
				assert_int_equal(ok, good);
				break;
			}
		}
		assert_true(n > 100 && n < 20000);
	}
}

/* An authority of a trusted_root.json: its leaf alone may sign. */
static bool
verify_by_root(const json_t *authority, struct bytes token,
    struct bytes message, uint64_t *time, struct error *err)
{
	AUTO(material) m = {0};
	struct chain chain;
	size_t anchor;

	assert_true(material_list(
	    json_object_get(
		json_object_get(authority, "certChain"), "certificates"),
	    "rawBytes", &m));
	assert_true(m.count >= 2);
	chain = (struct chain){
	    1, &m.der[m.count - 1], m.count - 2, m.der + 1, m.der[0], 0};
	return timestamp_verify_by(token, message, &chain, time, &anchor, err);
}

/* Verifies the tokens of a bundle; the number of those that do not. */
static size_t
check_bundle(const char *bundle_path, const char *root_path, uint64_t *time)
{
	char path[VECTOR_PATH_MAX];
	AUTO_PTR(json_t)
	bundle = material_json(vector_public(path, bundle_path));
	AUTO_PTR(json_t) root = material_json(vector_public(path, root_path));
	const json_t *stamps = json_object_get(
	    json_object_get(json_object_get(bundle, "verificationMaterial"),
		"timestampVerificationData"),
	    "rfc3161Timestamps");
	const json_t *all = json_object_get(root, "timestampAuthorities");
	const json_t *dsse = json_object_get(bundle, "dsseEnvelope");
	AUTO(material) tokens = {0};
	AUTO(material) signature = {0};
	size_t refused = 0;

	assert_true(material_list(stamps, "signedTimestamp", &tokens));
	assert_true(tokens.count > 0);
	assert_true(material_add(&signature,
	    json_text(dsse ? json_object_get(
				 json_array_get(
				     json_object_get(dsse, "signatures"), 0),
				 "sig")
			   : json_object_get(
				 json_object_get(bundle, "messageSignature"),
				 "signature"))));
	for (size_t i = 0; i < tokens.count; i++) {
		bool ok = false;

		for (size_t k = 0; !ok && k < json_array_size(all); k++) {
			struct error err = {0};

			ok = verify_by_root(json_array_get(all, k),
			    tokens.der[i], signature.der[0], time, &err);
			if (!ok)
				print_message(
				    "%s: %s\n", bundle_path, err.text);
		}
		refused += !ok;
	}
	return refused;
}

static void
test_public(void **state)
{
	static const struct {
		const char *name;
		bool refused;
	} bundles[] = {
	    {"rekor2-happy-path", false},
	    {"rekor2-dsse-happy-path", false},
	    {"rekor2-checkpoint-cosigned", false},
	    {"rekor2-timestamp-with-expired-cert-chain", false},
	    {"rekor2-timestamp-without-embedded-cert", false},
	    {"trust-root-tsa-validity-end-inclusive", false},
	    {"intoto-with-custom-trust-root", false},
	    {"rekor2-timestamp-outside-tsa-cert-validity_fail", true},
	    {"rekor2-timestamp-payload-mismatch_fail", true},
	    {"rekor2-timestamp-untrusted-tsa-with-embedded-cert_fail", true},
	};
	AUTO(buf) readme = BUF_INIT(1 << 20);
	char path[VECTOR_PATH_MAX], bundle[160], root[160];
	uint64_t time = 0;

	(void)state;
	if (!vector_read(
		vector_public(path, "sigstore-bundles/README.md"), &readme))
		skip();
	for (size_t i = 0; i < sizeof(bundles) / sizeof(bundles[0]); i++) {
		(void)snprintf(bundle, sizeof(bundle),
		    "sigstore-bundles/%s/bundle.sigstore.json",
		    bundles[i].name);
		(void)snprintf(root, sizeof(root),
		    "sigstore-bundles/%s/trusted_root.json", bundles[i].name);
		if (check_bundle(bundle, root, &time) != bundles[i].refused)
			fail_msg("%s", bundles[i].name);
	}
	assert_int_equal(
	    check_bundle("model-transparency/v1.1.0-sigstore/model.sig",
		"sigstore-bundles/trusted_root.production.json", &time),
	    0);
	assert_true(time == UINT64_C(1760062340)); /* 2025-10-10T02:12:20Z */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_plain),
	    cmocka_unit_test(test_failing_memory),
	    cmocka_unit_test(test_public),
	};

	if (!CRYPTO_set_mem_functions(
		counted_malloc, counted_realloc, counted_free))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
