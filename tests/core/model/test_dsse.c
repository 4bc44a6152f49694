/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/crypto/pem.h"
#include "core/model/bundle.h"
#include "tests/support/refusals.h"

#define S(s)                                                                   \
	{                                                                      \
		(const uint8_t *)("" s), sizeof(s) - 1                         \
	}

static struct key_verifier *verifier;

static int
setup(void **state)
{
	struct error err = {0};

	(void)state;
	verifier = key_verifier_open(&err);
	return verifier ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	key_verifier_close(verifier);
	return 0;
}

static void
test_pae(void **state)
{
	static const struct {
		struct bytes type, payload, pae;
	} cases[] = {
	    /* The first one is DSSE's own example. */
	    {S("http://example.com/HelloWorld"), S("hello world"),
		S("DSSEv1 29 http://example.com/HelloWorld 11 hello "
		  "world")},
	    {S(""), S(""), S("DSSEv1 0  0 ")},
	    {S("a b"), S("\0\n1 2"), S("DSSEv1 3 a b 5 \0\n1 2")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) out = BUF_INIT(1000);

		dsse_pae(cases[i].type, cases[i].payload, &out);
		assert_true(bytes_equal(buf_bytes(&out), cases[i].pae));
	}
}

/* What is hashed in two parts is the encoding. */
static void
test_digest(void **state)
{
	static const enum digest_algorithm algorithms[] = {
	    DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512};
	static const char *const payloads[] = {"", "{}", "a longer payload"};

	(void)state;
	for (size_t i = 0; i < 9; i++) {
		enum digest_algorithm alg = algorithms[i % 3];
		struct envelope e = {
		    .payload_type = BYTES_LIT(DSSE_IN_TOTO),
		    .payload = bytes_str(payloads[i / 3]),
		};
		uint8_t want[DIGEST_MAX_LEN], got[DIGEST_MAX_LEN];
		AUTO(buf) pae = BUF_INIT(1000);
		struct error err = {0};
		struct hash s;

		dsse_pae(e.payload_type, e.payload, &pae);
		assert_true(digest_compute(alg, buf_bytes(&pae), want, &err));
		assert_true(
		    dsse_digest(alg, e.payload_type, e.payload, got, &err));
		assert_memory_equal(got, want, digest_len(alg));
		assert_true(dsse_statement_digest(&e, &s, &err));
		if (alg == DIGEST_SHA256)
			assert_memory_equal(s.b, want, HASH_LEN);
	}
}

static void
test_long_type(void **state)
{
	static const uint8_t type[301];
	uint8_t out[DIGEST_MAX_LEN];
	struct error err = {0};

	(void)state;
	assert_false(dsse_digest(
	    DIGEST_SHA256, BYTES_OF(type), BYTES_LIT("{}"), out, &err));
	assert_int_equal(err.code, ERR_LIMIT);
}

/* A bundle of the folder and the key that signed it. */
struct signed_text {
	struct buf spki;
	struct public_key key;
	struct bundle bundle;
};

static void
signed_text_release(struct signed_text *s)
{
	buf_release(&s->spki);
	bundle_release(&s->bundle);
}

static void
open_signed(const char *folder, const char *name, const char *key,
    struct signed_text *s)
{
	AUTO(buf) in = BUF_INIT(1u << 20);
	AUTO(buf) pem = BUF_INIT(1u << 16);
	char path[VECTOR_PATH_MAX];
	struct error err = {0};

	buf_init(&s->spki, SPKI_MAX_LEN);
	vector_load(folder, name, &in);
	assert_true(vector_read(vector_own(path, key), &pem));
	if (!pem_public_key(buf_bytes(&pem), &s->spki, &err) ||
	    !public_key_parse(buf_bytes(&s->spki), &s->key, &err) ||
	    !bundle_parse(buf_bytes(&in), &s->bundle, &err))
		fail_msg("%s: %s", name, err.text);
}

/* ERR_NONE: it verifies. */
static enum error_code
verify(const struct signed_text *s, bool v02)
{
	struct error err = {0};
	bool ok = v02
	    ? dsse_verify_v02(&s->bundle.envelope, &s->key, verifier, &err)
	    : dsse_verify(&s->bundle.envelope, &s->key, verifier, &err);

	assert_int_equal(ok, err.code == ERR_NONE);
	if (err.code == ERR_BADSIG)
		assert_string_equal(err.reason, "signature");
	return err.code;
}

/* Each byte that is signed, and each of the signature's, counts. */
static void
check_changes(struct signed_text *s, bool v02)
{
	struct envelope *e = &s->bundle.envelope, good = *e;
	uint8_t *payload = (uint8_t *)(uintptr_t)e->payload.ptr;
	uint8_t *signature = (uint8_t *)(uintptr_t)e->signature.ptr;

	for (size_t i = 0; i < e->payload.len; i += 37) {
		payload[i] ^= 1;
		assert_int_equal(verify(s, v02), ERR_BADSIG);
		payload[i] ^= 1;
	}
	for (size_t i = 0; i < e->signature.len; i++) {
		signature[i] ^= 1;
		assert_int_equal(verify(s, v02), ERR_BADSIG);
		signature[i] ^= 1;
	}
	e->payload.len--;
	assert_int_equal(verify(s, v02), ERR_BADSIG);
	*e = good;
	e->signature.len--;
	assert_int_equal(verify(s, v02), ERR_BADSIG);
	*e = good;
	e->payload_type = BYTES_LIT("application/vnd.in-toto+jsoN");
	assert_int_equal(verify(s, v02), ERR_BADSIG);
	*e = good;
	assert_int_equal(verify(s, v02), ERR_NONE);
	assert_int_equal(verify(s, !v02), ERR_BADSIG);
}

static void
test_verify(void **state)
{
	AUTO(signed_text) s = {0};
	AUTO(signed_text) other = {0};

	(void)state;
	open_signed("bundle/valid", "key", "bundle/key.pem", &s);
	open_signed("bundle/valid", "key", "bundle/key-v02.pem", &other);
	assert_int_equal(verify(&s, false), ERR_NONE);
	assert_int_equal(verify(&other, false), ERR_BADSIG);
	check_changes(&s, false);
	s.bundle.envelope.signature.len = 0;
	assert_int_equal(verify(&s, false), ERR_BADSIG);
}

/* What Python's repr makes of a payload, tabs, quotes and all. */
static void
test_verify_v02(void **state)
{
	static const char *const names[] = {"plain", "quoted", "utf8"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO(signed_text) s = {0};

		open_signed("bundle/v02", names[i], "bundle/key-v02.pem", &s);
		assert_int_equal(verify(&s, true), ERR_NONE);
		check_changes(&s, true);
	}
}

/* There were keys of other kinds neither then nor in that encoding. */
static void
test_v02_keys(void **state)
{
	static const struct public_key others[] = {
	    {.algorithm = KEY_RSA_2048}, {.algorithm = KEY_ED25519}};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		AUTO(signed_text) s = {0};

		open_signed("bundle/v02", "plain", "bundle/key-v02.pem", &s);
		s.key.algorithm = others[i].algorithm;
		assert_int_equal(verify(&s, true), ERR_BADSIG);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pae),
	    cmocka_unit_test(test_digest),
	    cmocka_unit_test(test_long_type),
	    cmocka_unit_test(test_verify),
	    cmocka_unit_test(test_verify_v02),
	    cmocka_unit_test(test_v02_keys),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
