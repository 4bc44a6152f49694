/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/tlog/note.h"
#include "tests/support/vector_file.h"

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

/* A file of this module's vectors. */
static void
load(const char *verdict, const char *name, struct buf *out)
{
	char path[VECTOR_PATH_MAX], inside[128];

	(void)snprintf(
	    inside, sizeof(inside), "vkey/%s-%s.vkey", verdict, name);
	if (!vector_read(vector_own(path, inside), out))
		fail_msg("%s", path);
}

static void
test_valid(void **state)
{
	static const struct {
		const char *name;
		enum note_type type;
		size_t len;
	} cases[] = {
	    {"ed25519", NOTE_ED25519, 32},
	    {"ecdsa", NOTE_ECDSA, 91},
	    {"cosigner", NOTE_COSIGNATURE, 32},
	    {"mldsa44", NOTE_MLDSA44, 1312},
	    {"foo", NOTE_ED25519, 32},
	    {"rekor", NOTE_ED25519, 32},
	    {"tessera", NOTE_ED25519, 32},
	    {"longest-name", NOTE_ED25519, 32},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) in = BUF_INIT(8192);
		AUTO(buf) again = BUF_INIT(8192);
		struct error err = {0};
		struct vkey v;

		load("valid", cases[i].name, &in);
		if (!vkey_parse(buf_bytes(&in), &v, &err))
			fail_msg("%s: %s", cases[i].name, err.text);
		assert_int_equal(v.type, cases[i].type);
		assert_int_equal(v.key_len, cases[i].len);
		vkey_format(&v, &again);
		assert_true(bytes_equal(buf_bytes(&in), buf_bytes(&again)));
	}
}

static void
test_invalid(void **state)
{
	static const char *const names[] = {
	    "control",
	    "cut-spki",
	    "ecdsa-named-id",
	    "ed25519-spki",
	    "empty",
	    "empty-key",
	    "leading",
	    "long-id",
	    "long-key",
	    "long-name",
	    "name-only",
	    "newline",
	    "no-key",
	    "no-name",
	    "other-id",
	    "other-name",
	    "short-id",
	    "short-key",
	    "space",
	    "type-0",
	    "type-3",
	    "type-5",
	    "type-alone",
	    "unpadded",
	    "upper-id",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO(buf) in = BUF_INIT(8192);
		struct error err = {0};
		struct vkey v;

		load("invalid", names[i], &in);
		if (vkey_parse(buf_bytes(&in), &v, &err) ||
		    err.code != ERR_SYNTAX)
			fail_msg("%s: %s", names[i], err.text);
	}
}

static void
test_too_long(void **state)
{
	static uint8_t text[4097];
	struct error err = {0};
	struct vkey v;

	(void)state;
	memset(text, '+', sizeof(text));
	assert_false(vkey_parse(BYTES_OF(text), &v, &err));
	assert_int_equal(err.code, ERR_LIMIT);
}

/* Every change of one bit is another key, name or ID: none passes. */
static void
test_changed(void **state)
{
	AUTO(buf) in = BUF_INIT(8192);
	struct vkey v;

	(void)state;
	load("valid", "rekor", &in);
	for (size_t i = 0; i < in.len; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct error err = {0};

			in.ptr[i] ^= (uint8_t)(1U << bit);
			assert_false(vkey_parse(buf_bytes(&in), &v, &err));
			in.ptr[i] ^= (uint8_t)(1U << bit);
		}
}

/* The whole hash is Sigstore's ID of the log (log2025-alpha1 of staging). */
static void
test_log_id(void **state)
{
	static const uint8_t raw[] = {0x3e, 0x7f, 0x80, 0x44, 0x41, 0xe8, 0x05,
	    0xa6, 0x7b, 0xc2, 0x04, 0xb5, 0xcc, 0x1a, 0xa9, 0xc6, 0x62, 0xd2,
	    0x1a, 0x7c, 0xa1, 0xc5, 0x78, 0xf8, 0x94, 0x5c, 0x52, 0x75, 0x65,
	    0x41, 0xf2, 0x8f};
	static const uint8_t id[] = {0xf3, 0x0d, 0x5a, 0x99, 0x9d, 0x92, 0xe6,
	    0x62, 0x48, 0x42, 0x44, 0x26, 0x3f, 0x17, 0x4c, 0xb8, 0xea, 0xcb,
	    0xfe, 0x82, 0x64, 0xbc, 0x58, 0x3d, 0x32, 0x74, 0x17, 0x99, 0xe3,
	    0x82, 0x5d, 0xc9};
	struct error err = {0};
	struct vkey v;

	(void)state;
	assert_true(
	    vkey_init(&v, BYTES_LIT("log2025-alpha1.rekor.sigstage.dev"),
		NOTE_ED25519, BYTES_OF(raw), &err));
	assert_int_equal(v.key_id, 0xf30d5a99);
	assert_true(bytes_equal(hash_bytes(&v.log_id), BYTES_OF(id)));
}

static void
test_init_refuses(void **state)
{
	static const uint8_t key[1400];
	static const struct {
		struct bytes name;
		enum note_type type;
		size_t len;
	} cases[] = {
	    {{0}, NOTE_ED25519, 32},
	    {BYTES_LIT("a b"), NOTE_ED25519, 32},
	    {BYTES_LIT("a"), NOTE_ED25519, 31},
	    {BYTES_LIT("a"), NOTE_ED25519, 33},
	    {BYTES_LIT("a"), NOTE_COSIGNATURE, 0},
	    {BYTES_LIT("a"), NOTE_MLDSA44, 1311},
	    {BYTES_LIT("a"), NOTE_MLDSA44, 1313},
	    {BYTES_LIT("a"), NOTE_ECDSA, 91},
	    {BYTES_LIT("a"), (enum note_type)5, 32},
	    {BYTES_LIT("a"), (enum note_type)0xff, 32},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};
		struct vkey v;

		if (vkey_init(&v, cases[i].name, cases[i].type,
			bytes_of(key, cases[i].len), &err) ||
		    err.code != ERR_SYNTAX)
			fail_msg("case %zu", i);
	}
}

static void
test_verify(void **state)
{
	static const uint8_t zeros[64];
	static const struct {
		const char *name;
		enum error_code code;
	} cases[] = {
	    {"ed25519", ERR_BADSIG},
	    {"cosigner", ERR_BADSIG},
	    {"ecdsa", ERR_BADSIG},
	    {"mldsa44", ERR_USAGE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) in = BUF_INIT(8192);
		struct error err = {0};
		struct vkey v;

		load("valid", cases[i].name, &in);
		assert_true(vkey_parse(buf_bytes(&in), &v, &err));
		assert_false(vkey_verify(
		    &v, verifier, BYTES_LIT("x"), BYTES_OF(zeros), &err));
		assert_int_equal(err.code, cases[i].code);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_invalid),
	    cmocka_unit_test(test_too_long),
	    cmocka_unit_test(test_changed),
	    cmocka_unit_test(test_log_id),
	    cmocka_unit_test(test_init_refuses),
	    cmocka_unit_test(test_verify),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
