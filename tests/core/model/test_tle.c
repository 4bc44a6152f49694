/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/model/tle.h"
#include "tests/support/vector_file.h"

#define LOG "log.example+328a282e+AXLUbuKtM8NPghRbFtZWh9JSlaIwk7E09ZF/MH6oqo+r"
#define STAGING                                                                \
	"log2025-alpha1.rekor.sigstage.dev+f30d5a99+"                          \
	"AT5/gERB6AWme8IEtcwaqcZi0hp8ocV4+JRcUnVlQfKP"

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

/* A file of this module's vectors. */
static void
load(const char *verdict, const char *name, struct buf *out)
{
	char path[VECTOR_PATH_MAX], inside[128];

	(void)snprintf(inside, sizeof(inside), "tle/%s-%s.json", verdict, name);
	if (!vector_read(vector_own(path, inside), out))
		fail_msg("%s", path);
}

static void
test_valid(void **state)
{
	static const char *const names[] = {
	    "63-hashes",
	    "escaped",
	    "formatted",
	    "integers",
	    "more-members",
	    "no-hashes",
	    "null-hashes",
	    "url-base64",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO(buf) in = BUF_INIT(TLE_MAX_LEN);
		AUTO(buf) out = BUF_INIT(TLE_MAX_LEN);
		AUTO(buf) second = BUF_INIT(TLE_MAX_LEN);
		AUTO(tle) t = {0};
		AUTO(tle) again = {0};
		struct error err = {0};

		load("valid", names[i], &in);
		if (!tle_parse(buf_bytes(&in), &t, &err))
			fail_msg("%s: %s", names[i], err.text);
		assert_int_equal(t.index, 4);
		assert_int_equal(t.size, 7);
		tle_format(&t, &out);
		assert_true(tle_parse(buf_bytes(&out), &again, &err));
		tle_format(&again, &second);
		assert_true(bytes_equal(buf_bytes(&out), buf_bytes(&second)));
	}
}

static void
test_format(void **state)
{
	AUTO(buf) in = BUF_INIT(TLE_MAX_LEN);
	AUTO(buf) out = BUF_INIT(TLE_MAX_LEN);
	AUTO(tle) t = {0};
	struct error err = {0};

	(void)state;
	load("valid", "formatted", &in);
	assert_true(tle_parse(buf_bytes(&in), &t, &err));
	assert_true(bytes_equal(t.body, BYTES_LIT("4")));
	assert_int_equal(t.proof.len, 3);
	tle_format(&t, &out);
	assert_true(bytes_equal(buf_bytes(&in), buf_bytes(&out)));
}

static void
test_invalid(void **state)
{
	static const char *const names[] = {
	    "array",
	    "body-base64",
	    "body-number",
	    "checkpoint-string",
	    "duplicate",
	    "empty",
	    "envelope-number",
	    "hash-number",
	    "hash-short",
	    "hashes-object",
	    "hashes-string",
	    "index-large",
	    "index-negative",
	    "index-null",
	    "index-real",
	    "index-sign",
	    "index-zero",
	    "kind-number",
	    "log-id-hex",
	    "log-id-short",
	    "log-id-string",
	    "mixed-base64",
	    "nested",
	    "no-body",
	    "no-checkpoint",
	    "no-index",
	    "no-kind",
	    "no-log-id",
	    "no-proof",
	    "no-root",
	    "no-size",
	    "not-json",
	    "nul-escape",
	    "null",
	    "null-proof",
	    "other-index",
	    "other-kind",
	    "other-version",
	    "proof-no-index",
	    "short-root",
	    "string",
	    "trailing",
	    "two",
	};
	AUTO(buf) many = BUF_INIT(TLE_MAX_LEN);
	struct error err = {0};
	AUTO(tle) t = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO(buf) in = BUF_INIT(TLE_MAX_LEN);
		AUTO(tle) bad = {0};
		struct error why = {0};

		load("invalid", names[i], &in);
		if (tle_parse(buf_bytes(&in), &bad, &why) ||
		    why.code != ERR_SYNTAX)
			fail_msg("%s: %s", names[i], why.text);
		assert_null(bad.storage.ptr);
	}
	load("invalid", "64-hashes", &many);
	assert_false(tle_parse(buf_bytes(&many), &t, &err));
	assert_int_equal(err.code, ERR_LIMIT);
}

/* ERR_NONE: it verifies. */
static enum error_code
verify(const struct tle *t, const char *leaf, const char *log)
{
	struct error err = {0};
	struct vkey key;
	bool ok;

	assert_true(vkey_parse(bytes_str(log), &key, &err));
	ok = tle_verify(t, &key, bytes_str(leaf), &hasher, verifier, &err);
	assert_int_equal(ok, err.code == ERR_NONE);
	return err.code;
}

static void
test_verify(void **state)
{
	AUTO(buf) in = BUF_INIT(TLE_MAX_LEN);
	AUTO(tle) t = {0};
	struct error err = {0};

	(void)state;
	load("valid", "formatted", &in);
	assert_true(tle_parse(buf_bytes(&in), &t, &err));
	assert_int_equal(verify(&t, "4", LOG), ERR_NONE);
	assert_int_equal(verify(&t, "5", LOG), ERR_BADSIG);
	assert_int_equal(verify(&t, "", LOG), ERR_BADSIG);
	assert_int_equal(verify(&t, "4", STAGING), ERR_NOTFOUND);
}

/* Each part changed on its own. */
static void
test_verify_changed(void **state)
{
	AUTO(buf) in = BUF_INIT(TLE_MAX_LEN);
	AUTO(tle) good = {0};
	struct error err = {0};
	struct tle t;

	(void)state;
	load("valid", "formatted", &in);
	assert_true(tle_parse(buf_bytes(&in), &good, &err));
	t = good;
	t.index = 3;
	assert_int_equal(verify(&t, "4", LOG), ERR_BADSIG);
	t = good;
	t.size = 8;
	assert_int_equal(verify(&t, "4", LOG), ERR_BADSIG);
	t = good;
	t.root.b[0] ^= 1;
	assert_int_equal(verify(&t, "4", LOG), ERR_BADSIG);
	t = good;
	t.proof.hashes[2].b[0] ^= 1;
	assert_int_equal(verify(&t, "4", LOG), ERR_BADSIG);
	t = good;
	t.proof.len--;
	assert_int_equal(verify(&t, "4", LOG), ERR_BADSIG);
	t = good;
	t.body = BYTES_LIT("5");
	assert_int_equal(verify(&t, "4", LOG), ERR_BADSIG);
	assert_int_equal(verify(&t, "5", LOG), ERR_BADSIG);
	t = good;
	t.index = 7;
	assert_int_not_equal(verify(&t, "4", LOG), ERR_NONE);
	t = good;
	good.storage.ptr[0] ^= 1; /* the origin */
	assert_int_equal(verify(&t, "4", LOG), ERR_BADSIG);
}

/* The entries of staging's logs in public bundles. */
static void
test_public(void **state)
{
	static const struct {
		const char *name;
		enum error_code parse, verify;
	} cases[] = {
	    {"rekor2-happy-path", ERR_NONE, ERR_NONE},
	    {"rekor2-checkpoint-cosigned", ERR_NONE, ERR_NONE},
	    {"rekor2-checkpoint-multiple-cosigs", ERR_NONE, ERR_NONE},
	    {"rekor2-checkpoint-two-sigs-cosigned", ERR_NONE, ERR_NONE},
	    {"rekor2-timestamp-with-expired-cert-chain", ERR_NONE, ERR_NONE},
	    {"rekor2-dsse-happy-path", ERR_NONE, ERR_NOTFOUND},
	    {"rekor2-checkpoint-missing-log-signature_fail", ERR_NONE,
		ERR_SYNTAX},
	    {"rekor2-checkpoint-missing-size_fail", ERR_NONE, ERR_BADSIG},
	    {"rekor2-no-inclusion-proof_fail", ERR_SYNTAX, ERR_NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) file = BUF_INIT(TLE_MAX_LEN);
		AUTO(tle) t = {0};
		AUTO_PTR(json_t) bundle = NULL;
		char path[VECTOR_PATH_MAX], inside[256], *entry;
		struct error err = {0};
		struct vkey key;
		bool ok;

		(void)snprintf(inside, sizeof(inside),
		    "sigstore-bundles/%s/bundle.sigstore.json", cases[i].name);
		if (!vector_read(vector_public(path, inside), &file))
			skip();
		assert_true(
		    json_parse(buf_bytes(&file), TLE_MAX_LEN, &bundle, &err));
		entry = json_dumps(
		    json_array_get(json_object_get(json_object_get(bundle,
						       "verificationMaterial"),
				       "tlogEntries"),
			0),
		    0);
		assert_non_null(entry);
		ok = tle_parse(bytes_str(entry), &t, &err);
		assert_int_equal(ok, err.code == ERR_NONE);
		free(entry);
		if (err.code != cases[i].parse)
			fail_msg("%s: %s", cases[i].name, err.text);
		if (err.code != ERR_NONE)
			continue;
		assert_true(vkey_parse(BYTES_LIT(STAGING), &key, &err));
		if (tle_verify(&t, &key, t.body, &hasher, verifier, &err) !=
			(cases[i].verify == ERR_NONE) ||
		    err.code != cases[i].verify)
			fail_msg("%s: %s", cases[i].name, err.text);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_format),
	    cmocka_unit_test(test_invalid),
	    cmocka_unit_test(test_verify),
	    cmocka_unit_test(test_verify_changed),
	    cmocka_unit_test(test_public),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
