/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/verify/sigstore.h"
#include "tests/support/vector_file.h"

#define SIGNED UINT64_C(1778137200) /* 2026-05-07T07:00:00Z */
#define EMAIL  "signer@models.example"
#define ISSUER "https://issuer.example"

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

static bool
judge_file(const char *bundle_path, const char *root_path, const char *name,
    const char *issuer, struct sigstore_result *out, struct error *err)
{
	AUTO(buf) json = BUF_INIT(4u << 20);
	AUTO(buf) root_json = BUF_INIT(TRUST_ROOT_MAX_LEN);
	AUTO(trust_root) root = {0};
	AUTO(bundle) b = {0};
	struct sigstore s = {
	    &root, {0, bytes_str(name), bytes_str(issuer)}, verifier, &hasher};

	if (!vector_read(bundle_path, &json) ||
	    !vector_read(root_path, &root_json))
		fail_msg("%s or %s", bundle_path, root_path);
	if (!trust_root_parse(buf_bytes(&root_json), &root, err))
		fail_msg("%s: %s", root_path, err->text);
	return bundle_parse(buf_bytes(&json), &b, err) &&
	    sigstore_verify(&s, &b, out, err);
}

static bool
judge_own(const char *bundle, const char *root, struct sigstore_result *out,
    struct error *err)
{
	char bundle_path[VECTOR_PATH_MAX], root_path[VECTOR_PATH_MAX];
	char bundle_name[80], root_name[80];
	const char *name =
	    strcmp(bundle, "good-uri") == 0 ? "https://ci.example/x" : EMAIL;

	(void)snprintf(
	    bundle_name, sizeof(bundle_name), "sigstore/%s.json", bundle);
	(void)snprintf(root_name, sizeof(root_name), "sigstore/%s.json", root);
	return judge_file(vector_own(bundle_path, bundle_name),
	    vector_own(root_path, root_name), name, ISSUER, out, err);
}

static void
expect(const char *bundle, const char *root, enum error_code code,
    const char *reason)
{
	struct sigstore_result out = {.index = UINT64_MAX};
	struct error err = {0};

	if (judge_own(bundle, root, &out, &err) || err.code != code ||
	    strcmp(error_reason_name(&err), reason) != 0)
		fail_msg("%s, %s: %s %s: %s", bundle, root,
		    error_code_name(err.code), error_reason_name(&err),
		    err.text);
	assert_true(out.index == UINT64_MAX); /* left alone */
}

static void
test_accepted(void **state)
{
	static const struct {
		const char *name;
		uint64_t earliest, latest;
		size_t sources, logs;
		uint64_t index;
	} cases[] = {
	    {"good", SIGNED, SIGNED, 1, 1, 1003},
	    {"good-token", SIGNED, SIGNED, 2, 1, 1003},
	    {"good-token-before", SIGNED - 30, SIGNED, 2, 1, 1003},
	    {"good-token-after", SIGNED, SIGNED + 30, 2, 1, 1003},
	    {"good-hashedrekord", SIGNED, SIGNED, 1, 1, 1003},
	    {"good-v2", SIGNED, SIGNED, 1, 1, 1},
	    {"good-both-logs", SIGNED, SIGNED, 2, 2, 1003},
	    {"good-no-promise", SIGNED, SIGNED, 1, 1, 1003},
	    {"good-origin-alone", SIGNED, SIGNED, 1, 1, 1003},
	    {"good-chain", SIGNED, SIGNED, 1, 1, 1003},
	    {"good-v0.1-promise", SIGNED, SIGNED, 1, 1, 1003},
	    {"good-first-second", SIGNED - 60, SIGNED - 60, 1, 1, 1003},
	    {"good-last-second", SIGNED + 540, SIGNED + 540, 1, 1, 1003},
	    {"good-uri", SIGNED, SIGNED, 1, 1, 1003},
	    {"good-sct-extensions", SIGNED, SIGNED, 1, 1, 1003},
	    {"good-sct-unknown-too", SIGNED, SIGNED, 1, 1, 1003},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sigstore_result out = {0};
		struct error err = {0};

		if (!judge_own(cases[i].name, "trusted_root", &out, &err))
			fail_msg("%s: %s", cases[i].name, err.text);
		assert_true(out.earliest == cases[i].earliest);
		assert_true(out.latest == cases[i].latest);
		assert_int_equal(out.time_sources, cases[i].sources);
		assert_int_equal(out.log_count, cases[i].logs);
		assert_true(out.index == cases[i].index);
	}
}

/* A bundle with one thing wrong, and what is said of it. */
static const struct {
	const char *name;
	enum error_code code;
	const char *reason;
} refusals[] = {
    {"no-entry", ERR_DENIED, "no-entry"},
    {"no-time", ERR_DENIED, "no-verified-time"},
    {"v2-no-token", ERR_DENIED, "no-verified-time"},
    {"promise-spoiled", ERR_BADSIG, "log-signature"},
    {"promise-other-time", ERR_BADSIG, "log-signature"},
    {"promise-alone", ERR_DENIED, "inclusion"},
    {"time-late", ERR_DENIED, "expired"},
    {"time-early", ERR_DENIED, "not-yet-valid"},
    {"proof-hash", ERR_BADSIG, "inclusion"},
    {"proof-leaf", ERR_BADSIG, "inclusion"},
    {"proof-size", ERR_BADSIG, "inclusion"},
    {"proof-root", ERR_BADSIG, "inclusion"},
    {"proof-forged", ERR_BADSIG, "inclusion"},
    {"v2-proof-forged", ERR_BADSIG, "inclusion"},
    {"checkpoint-stranger", ERR_BADSIG, "log-signature"},
    {"checkpoint-bits", ERR_BADSIG, "log-signature"},
    {"checkpoint-origin", ERR_BADSIG, "log-signature"},
    {"checkpoint-origin-longer", ERR_BADSIG, "log-signature"},
    {"checkpoint-name", ERR_BADSIG, "log-signature"},
    {"unknown-log", ERR_DENIED, "unknown-log"},
    {"v2-unknown-log", ERR_DENIED, "unknown-log"},
    {"v2-proof-hash", ERR_BADSIG, "inclusion"},
    {"v2-checkpoint", ERR_BADSIG, "log-signature"},
    {"other-payload", ERR_BADSIG, "wrong-entry"},
    {"other-signature", ERR_BADSIG, "wrong-entry"},
    {"other-certificate", ERR_BADSIG, "wrong-entry"},
    {"two-signatures", ERR_SYNTAX, "wrong-entry"},
    {"hashed-other-bytes", ERR_BADSIG, "wrong-entry"},
    {"hashed-other-signature", ERR_BADSIG, "wrong-entry"},
    {"hashed-other-certificate", ERR_BADSIG, "wrong-entry"},
    {"v2-other-bytes", ERR_BADSIG, "wrong-entry"},
    {"v2-other-signature", ERR_BADSIG, "wrong-entry"},
    {"v2-other-certificate", ERR_BADSIG, "wrong-entry"},
    {"other-kind", ERR_SYNTAX, "wrong-entry"},
    {"intoto-kind", ERR_DENIED, "wrong-entry"},
    {"one-good-one-bad", ERR_BADSIG, "inclusion"},
    {"entry-same", ERR_SYNTAX, "malformed-bundle"},
    {"entry-twice", ERR_DENIED, "wrong-entry"},
    {"v2-entry-twice", ERR_DENIED, "wrong-entry"},
    {"body-garbage", ERR_SYNTAX, "wrong-entry"},
    {"v2-malformed", ERR_SYNTAX, "malformed-bundle"},
    {"entries-33", ERR_LIMIT, "malformed-bundle"},
    {"token-other", ERR_BADSIG, "timestamp"},
    {"token-twice", ERR_SYNTAX, "malformed-bundle"},
    {"token-stranger", ERR_BADSIG, "timestamp"},
    {"token-late", ERR_DENIED, "expired"},
    {"token-late-promise-good", ERR_DENIED, "expired"},
    {"token-before-tsa", ERR_DENIED, "timestamp"},
    {"token-garbage", ERR_SYNTAX, "timestamp"},
    {"sct-none", ERR_DENIED, "chain"},
    {"sct-unknown", ERR_DENIED, "chain"},
    {"sct-spoiled", ERR_BADSIG, "chain"},
    {"sct-good-and-spoiled", ERR_BADSIG, "chain"},
    {"sct-log-ended", ERR_DENIED, "chain"},
    {"sct-of-other", ERR_BADSIG, "chain"},
    {"other-ca", ERR_BADSIG, "chain"},
    {"no-code-signing", ERR_DENIED, "key-usage"},
    {"web-server", ERR_DENIED, "key-usage"},
    {"names-two", ERR_DENIED, "chain"},
    {"names-unknown", ERR_DENIED, "chain"},
    {"names-unknown-too", ERR_DENIED, "chain"},
    {"no-key-usage", ERR_DENIED, "key-usage"},
    {"names-not-critical", ERR_DENIED, "chain"},
    {"root-in-chain", ERR_DENIED, "chain"},
    {"chain-v0.3", ERR_SYNTAX, "malformed-bundle"},
    {"managed-key", ERR_DENIED, "wrong-signer"},
    {"signature-spoiled", ERR_BADSIG, "signature"},
    {"signature-of-other-key", ERR_BADSIG, "signature"},
    {"payload-swapped", ERR_BADSIG, "wrong-entry"},
    {"payload-type", ERR_DENIED, "wrong-statement-type"},
};

static void
test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		expect(refusals[i].name, "trusted_root", refusals[i].code,
		    refusals[i].reason);
}

/* The same good bundles under roots that trust less. */
static void
test_roots(void **state)
{
	static const struct {
		const char *bundle, *root;
		const char *reason; /* NULL: accepted */
	} cases[] = {
	    {"good", "root-exact", NULL},
	    {"good", "root-two-cas", NULL},
	    {"good", "root-log-two-periods", NULL},
	    {"good", "root-no-tsa", NULL},
	    {"good", "root-tsa-ended", NULL}, /* it has no token */
	    {"good-token", "root-exact", NULL},
	    {"good", "root-log-ended", "unknown-log"},
	    {"good", "root-log-begins", "unknown-log"},
	    {"good", "root-log-two-periods-ended", "unknown-log"},
	    {"good", "root-no-logs", "unknown-log"},
	    {"good", "root-ca-ended", "chain"},
	    {"good", "root-ca-begins", "chain"},
	    {"good", "root-no-ca", "chain"},
	    {"good", "root-ct-ended", "chain"},
	    {"good", "root-ct-begins", "chain"},
	    {"good", "root-no-ct", "chain"},
	    {"good-token", "root-tsa-ended", "timestamp"},
	    {"good-token", "root-tsa-begins", "timestamp"},
	    {"good-token", "root-no-tsa", "timestamp"},
	    {"time-late", "root-two-cas", "expired"},
	    {"good-both-logs", "root-rsa-log", "unknown-log"},
	    {"good", "root-two-middles", NULL},
	    {"good-token-after", "root-two-middles", "chain"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sigstore_result out = {0};
		struct error err = {0};

		if (cases[i].reason)
			expect(cases[i].bundle, cases[i].root, ERR_DENIED,
			    cases[i].reason);
		else if (!judge_own(cases[i].bundle, cases[i].root, &out, &err))
			fail_msg("%s: %s", cases[i].root, err.text);
	}
}

/* Another name, issuer or kind than that of the certificate. */
static void
test_identity(void **state)
{
	static const struct {
		enum certificate_name_kind kind;
		const char *name, *issuer;
		enum error_code code;
	} cases[] = {
	    {0, EMAIL, ISSUER, ERR_NONE},
	    {CERTIFICATE_EMAIL, EMAIL, ISSUER, ERR_NONE},
	    {CERTIFICATE_URI, EMAIL, ISSUER, ERR_DENIED},
	    {CERTIFICATE_DNS, EMAIL, ISSUER, ERR_DENIED},
	    {0, EMAIL ".evil.example", ISSUER, ERR_DENIED},
	    {0, "evil-" EMAIL, ISSUER, ERR_DENIED},
	    {0, "signer@models.exampl", ISSUER, ERR_DENIED},
	    {0, "Signer@models.example", ISSUER, ERR_DENIED},
	    {0, ".*", ISSUER, ERR_DENIED},
	    {0, EMAIL, ISSUER "/", ERR_DENIED},
	    {0, EMAIL, "http://issuer.example", ERR_DENIED},
	    {0, EMAIL, EMAIL, ERR_DENIED},
	    {0, "", ISSUER, ERR_USAGE},
	    {0, EMAIL, "", ERR_USAGE},
	};
	AUTO(buf) json = BUF_INIT(1 << 20);
	AUTO(buf) root_json = BUF_INIT(1 << 20);
	char path[VECTOR_PATH_MAX];
	AUTO(trust_root) root = {0};
	AUTO(bundle) b = {0};
	struct error err = {0};

	(void)state;
	assert_true(vector_read(vector_own(path, "sigstore/good.json"), &json));
	assert_true(vector_read(
	    vector_own(path, "sigstore/trusted_root.json"), &root_json));
	assert_true(trust_root_parse(buf_bytes(&root_json), &root, &err));
	assert_true(bundle_parse(buf_bytes(&json), &b, &err));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sigstore s = {&root,
		    {cases[i].kind, bytes_str(cases[i].name),
			bytes_str(cases[i].issuer)},
		    verifier, &hasher};
		struct sigstore_result out;
		struct error why = {0};

		(void)!sigstore_verify(&s, &b, &out, &why);
		assert_int_equal(why.code, cases[i].code);
		if (why.code == ERR_DENIED)
			assert_string_equal(
			    error_reason_name(&why), "wrong-signer");
	}
}

/* A byte changed in certificate, payload or signature is noticed. (A token has
 * parts that nobody signed, such as the certificates in it.) */
static void
test_flips(void **state)
{
	AUTO(buf) json = BUF_INIT(1 << 20);
	AUTO(buf) root_json = BUF_INIT(1 << 20);
	char path[VECTOR_PATH_MAX];
	AUTO(trust_root) root = {0};
	struct error err = {0};
	size_t places = 0;

	(void)state;
	assert_true(vector_read(vector_own(path, "sigstore/good.json"), &json));
	assert_true(vector_read(
	    vector_own(path, "sigstore/trusted_root.json"), &root_json));
	assert_true(trust_root_parse(buf_bytes(&root_json), &root, &err));
	for (size_t part = 0; part < 3; part++) {
		for (size_t i = 0;; i += part == 2 ? 1 : 13) {
			struct sigstore s = {&root,
			    {0, BYTES_LIT(EMAIL), BYTES_LIT(ISSUER)}, verifier,
			    &hasher};
			AUTO(bundle) b = {0};
			struct sigstore_result out;
			struct error why = {0};
			struct bytes at;
			uint8_t *byte;

			assert_true(bundle_parse(buf_bytes(&json), &b, &err));
			at = part == 0	? b.certificates[0]
			    : part == 1 ? b.envelope.payload
					: b.envelope.signature;
			if (i >= at.len)
				break;
			/* The parser's own memory: it may be written to. */
			byte = b.storage.chunks
			    ? (uint8_t *)(uintptr_t)at.ptr + i
			    : NULL;
			assert_non_null(byte);
			*byte ^= 1;
			if (sigstore_verify(&s, &b, &out, &why))
				fail_msg("part %zu, byte %zu", part, i);
			places++;
		}
	}
	assert_true(places > 120);
}

static void
test_public(void **state)
{
	static const struct {
		const char *name;
		const char *reason; /* NULL: accepted */
		bool own_root;
	} cases[] = {
	    {"rekor2-dsse-happy-path", NULL, true},
	    {"rekor2-dsse-mismatch-envelope_fail", "wrong-entry", true},
	    {"dsse-mismatch-envelope_fail", "wrong-entry", false},
	    {"dsse-mismatch-sig_fail", "wrong-entry", false},
	    /* A kind of entry that is not read. */
	    {"intoto-with-custom-trust-root", "wrong-entry", true},
	    {"intoto-set-outside-signing-cert-validity_fail", "wrong-entry",
		true},
	    {"intoto-tsa-timestamp-outside-cert-validity_fail", "wrong-entry",
		true},
	    /* No envelope. */
	    {"happy-path-v0.3", "malformed-bundle", false},
	};
	AUTO(buf) readme = BUF_INIT(1 << 20);
	char path[VECTOR_PATH_MAX], root[VECTOR_PATH_MAX], inside[160];

	(void)state;
	if (!vector_read(
		vector_public(path, "sigstore-bundles/README.md"), &readme))
		skip();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sigstore_result out;
		struct error err = {0};
		bool ok;

		(void)snprintf(inside, sizeof(inside),
		    "sigstore-bundles/%s/trusted_root.json", cases[i].name);
		(void)vector_public(root,
		    cases[i].own_root
			? inside
			: "sigstore-bundles/trusted_root.production.json");
		(void)snprintf(inside, sizeof(inside),
		    "sigstore-bundles/%s/bundle.sigstore.json", cases[i].name);
		ok = judge_file(vector_public(path, inside), root,
		    "https://github.com/sigstore-conformance/"
		    "extremely-dangerous-public-oidc-beacon/.github/workflows/"
		    "extremely-dangerous-oidc-beacon.yml@refs/heads/main",
		    "https://token.actions.githubusercontent.com", &out, &err);
		if (ok != !cases[i].reason ||
		    (!ok &&
			strcmp(error_reason_name(&err), cases[i].reason) != 0))
			fail_msg("%s: %s: %s", cases[i].name,
			    error_reason_name(&err), err.text);
	}
}

static void
test_public_models(void **state)
{
	static const struct {
		const char *name;
		uint64_t time;
		size_t sources;
	} cases[] = {
	    {"v1.0.0", 1746236086, 1},
	    {"v1.0.1", 1759851228, 1},
	    {"v1.1.0", 1760062340, 2},
	};
	AUTO(buf) readme = BUF_INIT(1 << 20);
	char path[VECTOR_PATH_MAX], root[VECTOR_PATH_MAX], inside[160];

	(void)state;
	if (!vector_read(
		vector_public(path, "model-transparency/README.md"), &readme))
		skip();
	(void)vector_public(
	    root, "sigstore-bundles/trusted_root.production.json");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sigstore_result out = {0};
		struct error err = {0};

		(void)snprintf(inside, sizeof(inside),
		    "model-transparency/%s-sigstore/model.sig", cases[i].name);
		if (!judge_file(vector_public(path, inside), root,
			"stefanb@us.ibm.com",
			"https://sigstore.verify.ibm.com/oauth2", &out, &err))
			fail_msg("%s: %s", cases[i].name, err.text);
		assert_true(out.earliest == cases[i].time);
		assert_int_equal(out.time_sources, cases[i].sources);
		assert_false(judge_file(path, root, "stefanb@us.ibm.com",
		    "https://sigstore.verify.ibm.com/oauth", &out, &err));
		assert_string_equal(error_reason_name(&err), "wrong-signer");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepted),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_roots),
	    cmocka_unit_test(test_identity),
	    cmocka_unit_test(test_flips),
	    cmocka_unit_test(test_public),
	    cmocka_unit_test(test_public_models),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
