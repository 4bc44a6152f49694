/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/crypto/key.h"
#include "core/crypto/pem.h"
#include "tests/support/vector_file.h"

#define TEXT_MAX 8192

/* What tests/vectors/pem/NAME.pem is: so many blocks, then the end or an error;
 * and whether it is a public key, or why it is none. */
static const struct {
	const char *name;
	size_t blocks;
	enum error_code then;
	enum error_code key;
	const char *reason;
} cases[] = {
    {"plain", 1, ERR_NONE, ERR_NONE, NULL},
    {"crlf", 1, ERR_NONE, ERR_NONE, NULL},
    {"no-final-newline", 1, ERR_NONE, ERR_NONE, NULL},
    {"text-around", 1, ERR_NONE, ERR_NONE, NULL},
    {"columns-76", 1, ERR_NONE, ERR_NONE, NULL},
    {"columns-4", 1, ERR_NONE, ERR_NONE, NULL},
    {"two", 2, ERR_NONE, ERR_SYNTAX, "syntax"},
    {"none", 0, ERR_NONE, ERR_SYNTAX, "syntax"},
    {"empty", 0, ERR_NONE, ERR_SYNTAX, "syntax"},
    {"certificate", 1, ERR_NONE, ERR_SYNTAX, "key-is-certificate"},
    {"private", 1, ERR_NONE, ERR_SYNTAX, "key-is-private"},
    {"rsa-public", 1, ERR_NONE, ERR_SYNTAX, "syntax"},
    {"key-then-private", 2, ERR_NONE, ERR_SYNTAX, "syntax"},
    {"key-then-broken", 1, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-end-twice", 1, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-columns-80", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-columns-63", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-other-label", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-no-end", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-end-only", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-empty-block", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-blank-line", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-space", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-space-after-begin", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-header", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-digit", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-url-safe", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-unused-bits", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-padding-inside", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-four-dashes", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-six-dashes", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-no-label", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-label-spaces", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-label-dash", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-label-long", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
    {"invalid-nested", 0, ERR_SYNTAX, ERR_SYNTAX, "syntax"},
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

static void
load(const char *name, struct buf *out)
{
	char path[VECTOR_PATH_MAX], inside[64];

	(void)snprintf(inside, sizeof(inside), "pem/%s.pem", name);
	assert_true(vector_read(vector_own(path, inside), out));
}

static void
test_blocks(void **state)
{
	AUTO(buf) plain = BUF_INIT(SPKI_MAX_LEN);
	AUTO(buf) text = BUF_INIT(TEXT_MAX);
	struct error err = {0};

	(void)state;
	load("plain", &text);
	assert_true(pem_public_key(buf_bytes(&text), &plain, &err));
	for (size_t i = 0; i < CASES; i++) {
		AUTO(buf) in = BUF_INIT(TEXT_MAX);
		AUTO(buf) der = BUF_INIT(SPKI_MAX_LEN);
		struct reader r;
		struct bytes label;
		size_t blocks = 0;

		err = (struct error){0};
		load(cases[i].name, &in);
		reader_init(&r, buf_bytes(&in));
		for (; pem_next(&r, &label, &der, &err); blocks++)
			assert_true(
			    bytes_equal(buf_bytes(&der), buf_bytes(&plain)));
		if (blocks != cases[i].blocks || err.code != cases[i].then)
			fail_msg("%s: %zu blocks, then %s", cases[i].name,
			    blocks, error_code_name(err.code));
	}
}

static void
test_public_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		AUTO(buf) in = BUF_INIT(TEXT_MAX);
		AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
		struct error err = {0};
		struct public_key key;
		bool ok;

		load(cases[i].name, &in);
		ok = pem_public_key(buf_bytes(&in), &spki, &err);
		if (err.code != cases[i].key || ok != (err.code == ERR_NONE))
			fail_msg("%s: %s", cases[i].name, err.text);
		if (!ok) {
			assert_string_equal(
			    error_reason_name(&err), cases[i].reason);
			assert_int_equal(spki.len, 0);
			continue;
		}
		assert_true(public_key_parse(buf_bytes(&spki), &key, &err));
		assert_int_equal(key.algorithm, KEY_ECDSA_P256);
	}
}

/* What pem_put writes is read again, at every length around the columns. */
static void
test_round_trip(void **state)
{
	static const uint8_t bytes[200] = {0x30, 0xff, 0xfe, 0x80};

	(void)state;
	for (size_t n = 1; n <= sizeof(bytes); n++) {
		AUTO(buf) text = BUF_INIT(TEXT_MAX);
		AUTO(buf) der = BUF_INIT(n);
		AUTO(buf) small = BUF_INIT(n - 1);
		struct error err = {0};
		struct bytes label, line;
		struct reader r;

		pem_put(&text, "A THING", bytes_of(bytes, n));
		assert_true(buf_ok(&text, &err));
		reader_init(&r, buf_bytes(&text));
		assert_true(pem_next(&r, &label, &der, &err));
		assert_true(bytes_equal(label, BYTES_LIT("A THING")));
		assert_true(bytes_equal(buf_bytes(&der), bytes_of(bytes, n)));
		assert_true(reader_done(&r));
		reader_init(&r, buf_bytes(&text));
		while (reader_line(&r, &line))
			assert_true(line.len <= 64);
		assert_true(reader_done(&r));
		/* One byte less room is a limit, not bad form. */
		reader_init(&r, buf_bytes(&text));
		assert_false(pem_next(&r, &label, &small, &err));
		assert_int_equal(err.code, ERR_LIMIT);
	}
}

static void
test_key_does_not_fit(void **state)
{
	AUTO(buf) text = BUF_INIT(TEXT_MAX);
	AUTO(buf) big = BUF_INIT(TEXT_MAX);
	AUTO(buf) small = BUF_INIT(90);
	static const uint8_t zeros[SPKI_MAX_LEN + 1];
	struct error err = {0};

	(void)state;
	load("plain", &text);
	assert_false(pem_public_key(buf_bytes(&text), &small, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	buf_clear(&text);
	pem_put(&text, "PUBLIC KEY", BYTES_OF(zeros));
	err = (struct error){0};
	assert_false(pem_public_key(buf_bytes(&text), &big, &err));
	assert_int_equal(err.code, ERR_LIMIT);
}

/* Hints that stock signers wrote for these keys. */
static const struct {
	const char *key;
	const char *hint;
} hints[] = {
    {"model-transparency/keys/certificate/signing-key-pub.pem",
	"e8450dec4eb99dae995da9af1bc2cc9f76ed669ee2e744f57abba763df3e3f8e"},
    {"oms-stock/key-p256/pub.pem",
	"8608f452bfe757bd415ce052bc7220267a67c59389af96e43c36a11547d95db1"},
    {"oms-stock/key-p384/pub.pem",
	"d4371358ada0385023f96fa4baef9f26c49f822fe19d4151eb50c95d0888aca1"},
    {"oms-stock/key-p521/pub.pem",
	"3bfe4ab95f036cad811b7a7d8006117b28142735b458be9708a9d80cdae0afeb"},
};

static void
test_hints(void **state)
{
	struct error err = {0};
	struct hasher h;
	size_t seen = 0;

	(void)state;
	assert_true(hasher_open(&h, &err));
	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++) {
		char path[VECTOR_PATH_MAX], hint[2 * HASH_LEN + 1];
		AUTO(buf) text = BUF_INIT(TEXT_MAX);
		AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);

		if (!vector_read(vector_public(path, hints[i].key), &text))
			continue;
		seen++;
		assert_true(pem_public_key(buf_bytes(&text), &spki, &err));
		key_hint(&h, buf_bytes(&spki), hint);
		assert_string_equal(hint, hints[i].hint);
	}
	assert_true(hasher_ok(&h, &err));
	hasher_release(&h);
	if (seen == 0)
		skip();
	assert_int_equal(seen, sizeof(hints) / sizeof(hints[0]));
}

static void
test_hint_that_fails(void **state)
{
	static const uint8_t zeros[3 * SPKI_MAX_LEN];
	char hint[2 * HASH_LEN + 1];
	struct error err = {0};
	struct hasher h;

	(void)state;
	assert_true(hasher_open(&h, &err));
	key_hint(&h, BYTES_OF(zeros), hint);
	assert_int_equal(strspn(hint, "0"), 2 * HASH_LEN);
	assert_false(hasher_ok(&h, &err));
	hasher_release(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_blocks),
	    cmocka_unit_test(test_public_key),
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_key_does_not_fit),
	    cmocka_unit_test(test_hints),
	    cmocka_unit_test(test_hint_that_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
