/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/crypto.h>
#include <openssl/err.h>

#include "core/base/cleanup.h"
#include "tests/support/chain_file.h"
#include "tests/support/material_file.h"

#define NOW UINT64_C(1795417200) /* 2026-11-23T07:00:00Z */

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
	const char *reason; /* NULL: accepted */
	size_t anchor;
	const char *words; /* in the sentence */
} cases[] = {
    {"direct", ERR_NONE, NULL, 0, NULL},
    {"two", ERR_NONE, NULL, 0, NULL},
    {"root-in-bundle", ERR_NONE, NULL, 0, NULL},
    {"leaf-in-bundle", ERR_NONE, NULL, 0, NULL},
    {"middle-is-anchor", ERR_NONE, NULL, 0, NULL},
    {"both-are-anchors", ERR_NONE, NULL, 1, NULL},
    {"leaf-is-anchor", ERR_NONE, NULL, 0, NULL},
    {"no-extended-usage", ERR_NONE, NULL, 0, NULL},
    {"no-key-usage", ERR_NONE, NULL, 0, NULL},
    {"several-usages", ERR_NONE, NULL, 0, NULL},
    {"says-ca", ERR_NONE, NULL, 0, NULL},
    {"self-issued", ERR_NONE, NULL, 0, NULL},
    {"no-subject", ERR_NONE, NULL, 0, NULL},
    {"stranger-in-bundle", ERR_NONE, NULL, 0, NULL},
    {"identifiers", ERR_NONE, NULL, 0, NULL},
    {"ends-now", ERR_NONE, NULL, 0, NULL},
    {"begins-now", ERR_NONE, NULL, 0, NULL},
    {"middle-ends-now", ERR_NONE, NULL, 0, NULL},
    {"root-ends-now", ERR_NONE, NULL, 0, NULL},
    {"root-begins-now", ERR_NONE, NULL, 0, NULL},
    {"for-ever", ERR_NONE, NULL, 0, NULL},
    {"length-0", ERR_NONE, NULL, 0, NULL},
    {"middle-any-usage", ERR_NONE, NULL, 0, NULL},
    {"middle-code-usage", ERR_NONE, NULL, 0, NULL},
    {"ca-without-key-usage", ERR_NONE, NULL, 0, NULL},
    {"names-permitted", ERR_NONE, NULL, 0, NULL},
    {"p384", ERR_NONE, NULL, 0, NULL},
    {"p521", ERR_NONE, NULL, 0, NULL},
    {"rsa2048", ERR_NONE, NULL, 0, NULL},
    {"ed25519", ERR_NONE, NULL, 0, NULL},
    {"renewed-root", ERR_NONE, NULL, 1, NULL},
    {"renewed-root-last", ERR_NONE, NULL, 0, NULL},
    {"renewed-middle", ERR_NONE, NULL, 0, NULL},
    {"cross-signed", ERR_NONE, NULL, 0, NULL},
    {"cross-signed-last", ERR_NONE, NULL, 0, NULL},
    {"cross-signed-root", ERR_NONE, NULL, 0, NULL},
    {"cross-expired", ERR_NONE, NULL, 0, NULL},
    {"cross-not-ca", ERR_NONE, NULL, 0, NULL},
    {"cross-critical", ERR_NONE, NULL, 0, NULL},
    {"cross-web", ERR_NONE, NULL, 0, NULL},
    {"crowd", ERR_NONE, NULL, 0, NULL},
    {"policies", ERR_NONE, NULL, 0, NULL},
    {"policy-by-anchor", ERR_NONE, NULL, 0, NULL},
    {"depth-8", ERR_NONE, NULL, 0, NULL},
    {"stamp", ERR_NONE, NULL, 0, NULL},
    {"stamp-middle-usage", ERR_NONE, NULL, 0, NULL},
    /* An anchor's own signature vouches for nothing. */
    {"sha1-root", ERR_NONE, NULL, 0, NULL},

    {"no-anchor", ERR_DENIED, "chain", 0, "leads to no anchor"},
    {"other-root", ERR_DENIED, "chain", 0, "CN=Root leads to no anchor"},
    {"same-name-root", ERR_BADSIG, "chain", 0,
	"CN=Middle was not signed by /CN=Root"},
    {"same-name-root-identifiers", ERR_DENIED, "chain", 0, "no anchor"},
    {"no-middle", ERR_DENIED, "chain", 0, "its issuer /CN=Middle"},
    /* Without identifiers OpenSSL takes equal names for a self-signature. */
    {"self-issued-unidentified", ERR_DENIED, "chain", 0, "no anchor"},
    {"self-signed", ERR_DENIED, "chain", 0, "leads to no anchor"},
    {"self-signed-anchor", ERR_DENIED, "chain", 0, "is an anchor itself"},
    {"leaf-is-only-anchor", ERR_DENIED, "chain", 0, "is an anchor itself"},
    {"spoiled-leaf", ERR_BADSIG, "chain", 0,
	"CN=Signer was not signed by /CN=Middle"},
    {"spoiled-middle", ERR_BADSIG, "chain", 0,
	"CN=Middle was not signed by /CN=Root"},
    {"issuer-is-leaf", ERR_DENIED, "key-usage", 0,
	"CN=Signer is not for signing certificates"},
    {"issuer-v1", ERR_DENIED, "chain", 0, "CN=Middle: invalid CA"},
    {"anchor-v1", ERR_DENIED, "chain", 0, "CN=Root is not that of a"},
    {"anchor-not-ca", ERR_DENIED, "chain", 0, "CN=Root: invalid CA"},
    {"issuer-no-signing", ERR_DENIED, "key-usage", 0,
	"CN=Middle is not for signing certificates"},
    {"anchor-no-signing", ERR_DENIED, "key-usage", 0,
	"CN=Root is not for signing certificates"},
    {"length-exceeded", ERR_DENIED, "chain", 0, "path length"},
    {"names-not-permitted", ERR_DENIED, "chain", 0, "permitted subtree"},
    {"names-excluded", ERR_DENIED, "chain", 0, "excluded subtree"},
    {"uri-not-permitted", ERR_DENIED, "chain", 0, "permitted subtree"},
    {"policy-required", ERR_DENIED, "chain", 0, "CN=Middle demands a policy"},
    {"policy-inhibited", ERR_DENIED, "chain", 0, "CN=Middle demands a policy"},
    {"critical-leaf", ERR_DENIED, "chain", 0, "CN=Signer: unhandled"},
    {"critical-middle", ERR_DENIED, "chain", 0, "CN=Middle: unhandled"},
    {"sha1-leaf", ERR_DENIED, "chain", 0, "too weak"},
    {"sha1-middle", ERR_DENIED, "chain", 0, "too weak"},
    {"depth-9", ERR_DENIED, "chain", 0, "too long"},

    {"leaf-ended", ERR_DENIED, "expired", 0,
	"CN=Signer ended at 2026-11-23T06:59:59Z, before 2026-11-23T07:00:00Z"},
    {"nameless-ended", ERR_DENIED, "expired", 0, "aaaaa ended at"},
    {"nobody-ended", ERR_DENIED, "expired", 0, "of nobody ended at"},
    {"leaf-begins", ERR_DENIED, "not-yet-valid", 0,
	"CN=Signer begins at 2026-11-23T07:00:01Z, after "
	"2026-11-23T07:00:00Z"},
    {"leaf-backwards", ERR_DENIED, "not-yet-valid", 0, "CN=Signer begins"},
    {"middle-ended", ERR_DENIED, "expired", 0, "CN=Middle ended"},
    {"middle-begins", ERR_DENIED, "not-yet-valid", 0, "CN=Middle begins"},
    {"root-ended", ERR_DENIED, "expired", 0, "CN=Root ended"},
    {"root-begins", ERR_DENIED, "not-yet-valid", 0, "CN=Root begins"},
    {"ended-and-other-root", ERR_DENIED, "chain", 0, "no anchor"},

    {"web-server", ERR_DENIED, "key-usage", 0, "not for code signing"},
    {"any-usage", ERR_DENIED, "key-usage", 0, "not for code signing"},
    {"no-usage", ERR_DENIED, "key-usage", 0, "does not say what it is for"},
    {"no-extensions", ERR_DENIED, "key-usage", 0, "does not say"},
    {"encipherment", ERR_DENIED, "key-usage", 0, "digital signatures"},
    {"encipherment-code", ERR_DENIED, "key-usage", 0, "digital signatures"},
    {"leaf-is-ca", ERR_DENIED, "key-usage", 0, "certificate authority"},
    {"leaf-is-bare-ca", ERR_DENIED, "key-usage", 0, "certificate authority"},
    {"leaf-is-signing-ca", ERR_DENIED, "key-usage", 0, "authority"},
    {"middle-web-only", ERR_DENIED, "key-usage", 0, "CN=Middle limits"},
    {"root-web-only", ERR_DENIED, "key-usage", 0, "CN=Root limits"},

    {"malformed-middle", ERR_SYNTAX, "chain", 0, "certificate 2: "},
    {"malformed-anchor", ERR_SYNTAX, "chain", 0, "anchor 2: "},
    {"malformed-leaf", ERR_SYNTAX, "chain", 0, "the signer's certificate: "},
    {"negative-serial", ERR_SYNTAX, "chain", 0, "serial number"},
    {"rsa-1024", ERR_SYNTAX, "chain", 0, "RSA key"},
    {"loop", ERR_LIMIT, "chain", 0, "more than 128 signatures"},
    {"many-others", ERR_LIMIT, "chain", 0, "33 certificates"},

    {"stamp-code", ERR_DENIED, "key-usage", 0, "time stamping"},
    {"stamp-not-critical", ERR_DENIED, "key-usage", 0, "time stamping"},
    {"stamp-two", ERR_DENIED, "key-usage", 0, "time stamping"},
    {"stamp-no-usage", ERR_DENIED, "key-usage", 0, "time stamping"},
    {"stamp-any", ERR_DENIED, "key-usage", 0, "time stamping"},
    {"stamp-middle-code", ERR_DENIED, "key-usage", 0, "CN=Middle limits"},
    {"code-stamp", ERR_DENIED, "key-usage", 0, "not for code signing"},
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

static void
load(const char *name, struct buf *in, struct chain_file *out)
{
	char path[VECTOR_PATH_MAX], inside[128];

	(void)snprintf(inside, sizeof(inside), "x509_chain/%s.chain", name);
	if (!vector_read(vector_own(path, inside), in) ||
	    !chain_file_parse(buf_bytes(in), out))
		fail_msg("%s", path);
}

static void
test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		AUTO(buf) in = BUF_INIT(1 << 20);
		struct chain_file f;
		struct error err = {0};
		size_t anchor = SIZE_MAX;
		bool ok;

		load(cases[i].name, &in, &f);
		ok = chain_verify(&f.chain, f.purpose, &anchor, &err);
		assert_int_equal(ERR_peek_error(), 0);
		if (ok != (cases[i].code == ERR_NONE) ||
		    err.code != cases[i].code)
			fail_msg("%s: %s", cases[i].name, err.text);
		if (ok) {
			assert_int_equal(anchor, cases[i].anchor);
			continue;
		}
		assert_true(anchor == SIZE_MAX); /* left alone */
		assert_string_equal(error_reason_name(&err), cases[i].reason);
		if (!strstr(err.text, cases[i].words))
			fail_msg("%s: %s", cases[i].name, err.text);
	}
}

/* The path that is told is one: each end where it belongs. */
static void
test_path(void **state)
{
	AUTO(buf) in = BUF_INIT(1 << 20);
	struct chain_path path;
	struct chain_file f;
	struct error err = {0};

	(void)state;
	load("cross-signed-root", &in, &f);
	assert_true(chain_find(&f.chain, f.purpose, &path, &err));
	assert_int_equal(path.count, 3);
	assert_int_equal(path.anchor, 0);
	assert_true(bytes_equal(path.certificates[0], f.chain.leaf));
	assert_true(bytes_equal(path.certificates[1], f.intermediates[2]));
	assert_true(bytes_equal(path.certificates[2], f.anchors[0]));
}

static void
test_limits(void **state)
{
	struct bytes *anchors;
	AUTO(buf) in = BUF_INIT(1 << 20);
	struct chain_file f;
	struct error err = {0};
	size_t anchor;

	(void)state;
	load("two", &in, &f);
	anchors = calloc(CHAIN_MAX_ANCHORS + 1, sizeof(*anchors));
	assert_non_null(anchors);
	for (size_t i = 0; i <= CHAIN_MAX_ANCHORS; i++)
		anchors[i] = f.anchors[0];
	f.chain.anchors = anchors;
	f.chain.anchor_count = CHAIN_MAX_ANCHORS;
	assert_true(chain_verify(&f.chain, f.purpose, &anchor, &err));
	assert_int_equal(anchor, 0);
	f.chain.anchor_count = CHAIN_MAX_ANCHORS + 1;
	assert_false(chain_verify(&f.chain, f.purpose, &anchor, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	free(anchors);
}

/*
 * With the n-th allocation of OpenSSL failing, for every third n: a path that
 * is not good is never found.
 */
static void
test_failing_memory(void **state)
{
	static const char *const names[] = {
	    "spoiled-middle", "names-excluded", "cross-signed"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO(buf) in = BUF_INIT(1 << 20);
		bool good = strcmp(names[i], "cross-signed") == 0;
		struct chain_file f;
		long n;

		load(names[i], &in, &f);
		for (n = 0; n < 20000; n += 3) {
			struct error err = {0};
			size_t anchor;
			bool ok, used;

			allocations = 0;
			failing = n;
			ok = chain_verify(&f.chain, f.purpose, &anchor, &err);
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

/* A bundle of the public vectors against the anchors of a PEM file. */
static void
check_public(const char *signature, const char *anchors, const char *reason)
{
	AUTO(material) given = {0};
	AUTO(material) trusted = {0};
	char path[VECTOR_PATH_MAX];
	AUTO_PTR(json_t) bundle = material_json(vector_public(path, signature));
	struct error err = {0};
	struct chain chain;
	size_t anchor;
	bool ok;

	if (!bundle || !material_bundle(bundle, &given) || given.count == 0)
		fail_msg("%s", signature);
	(void)material_pem(vector_public(path, anchors), &trusted);
	chain = (struct chain){trusted.count, trusted.der, given.count - 1,
	    given.der + 1, given.der[0], NOW};
	ok = chain_verify(&chain, CHAIN_CODE_SIGNING, &anchor, &err);
	if (ok != (reason == NULL) ||
	    (!ok && strcmp(error_reason_name(&err), reason) != 0))
		fail_msg(
		    "%s: %s: %s", signature, error_reason_name(&err), err.text);
}

static bool
public_is_there(void)
{
	AUTO(buf) readme = BUF_INIT(1 << 20);
	char path[VECTOR_PATH_MAX];

	return vector_read(vector_public(path, "oms-stock/README.md"), &readme);
}

static void
test_oms_stock(void **state)
{
	static const struct {
		const char *name;
		const char *reason;
	} stock[] = {
	    {"cert-chain2", NULL},
	    {"cert-chain2-go", NULL},
	    {"cert-direct", NULL},
	    {"cert-inter-from-user", NULL},
	    {"cert-no-eku", NULL},
	    {"cert-p384-leaf", NULL},
	    {"cert-root-in-bundle", NULL},
	    {"cert-expired", "expired"},
	    {"cert-not-yet-valid", "not-yet-valid"},
	    {"cert-tls-server", "key-usage"},
	    {"bad-cert-wrong-ca", "chain"},
	    {"bad-cert-no-intermediate", "chain"},
	    {"bad-cert-no-digital-signature", "key-usage"},
	    {"bad-cert-no-ku", "key-usage"},
	    {"bad-cert-issuer-not-ca", "key-usage"},
	    {"bad-cert-default-roots", "chain"},
	    /* Good at this time; what is bad is elsewhere. */
	    {"bad-cert-outlived", NULL},
	    {"bad-cert-byte", NULL},
	    {"bad-cert-signature", NULL},
	    {"bad-cert-other-leaf", NULL},
	};

	(void)state;
	if (!public_is_there())
		skip();
	for (size_t i = 0; i < sizeof(stock) / sizeof(stock[0]); i++) {
		char signature[128], anchors[128];

		(void)snprintf(signature, sizeof(signature),
		    "oms-stock/%s/model.sig", stock[i].name);
		(void)snprintf(anchors, sizeof(anchors), "oms-stock/%s/ca.pem",
		    stock[i].name);
		check_public(signature, anchors, stock[i].reason);
	}
}

static void
test_other_public(void **state)
{
	static const char *const releases[] = {"v0.3.1", "v1.0.0", "v1.0.1"};
	static const struct {
		const char *name;
		const char *reason;
	} skills[] = {
	    {"amc-setup-calibration-stack", "chain"},
	    {"deepstream-run-mv3dt", "chain"},
	    {"deepstream-dev", NULL},
	    {"i4h-lerobot-viz", NULL},
	    {"physical-ai-infrastructure-setup-and-resilient-scaling", NULL},
	    {"rag-blueprint", NULL},
	    {"skill-card-generator", NULL},
	    {"tao-validate-dataset-format", NULL},
	};
	char signature[160];

	(void)state;
	if (!public_is_there())
		skip();
	for (size_t i = 0; i < sizeof(releases) / sizeof(releases[0]); i++) {
		(void)snprintf(signature, sizeof(signature),
		    "model-transparency/%s-certificate/model.sig", releases[i]);
		check_public(signature,
		    "model-transparency/keys/certificate/ca-cert.pem", NULL);
	}
	for (size_t i = 0; i < sizeof(skills) / sizeof(skills[0]); i++) {
		(void)snprintf(signature, sizeof(signature),
		    "nvidia-skills/%s/skill.oms.sig", skills[i].name);
		check_public(signature, "nvidia-skills/nv-agent-root-cert.pem",
		    skills[i].reason);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_cases),
	    cmocka_unit_test(test_path),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_failing_memory),
	    cmocka_unit_test(test_oms_stock),
	    cmocka_unit_test(test_other_public),
	};

	if (!CRYPTO_set_mem_functions(
		counted_malloc, counted_realloc, counted_free))
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
