/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/crypto/private_key.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/crypto/mldsa.h"
#include "core/tlog/cosignature.h"
#include "tests/support/vector_file.h"

#define T0 1700000000

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
load(const char *name, struct buf *out)
{
	char path[VECTOR_PATH_MAX], inside[128];

	(void)snprintf(inside, sizeof(inside), "cosignature/%s", name);
	if (!vector_read(vector_own(path, inside), out))
		fail_msg("%s", path);
}

static void
load_vkey(const char *name, struct vkey *out)
{
	AUTO(buf) in = BUF_INIT(16384);
	struct error err = {0};

	load(name, &in);
	assert_true(
	    vkey_parse(bytes_slice(buf_bytes(&in), 0, in.len - 1), out, &err));
}

static enum error_code
verify(struct bytes in, const struct vkey *key, struct cosignature_times *t)
{
	AUTO(note) n = {0};
	struct error err = {0};
	bool ok;

	assert_true(note_parse(in, &n, &err));
	ok = cosignature_verify(&n, key, verifier, t, &err);
	assert_int_equal(ok, err.code == ERR_NONE);
	return err.code;
}

static void
test_payload(void **state)
{
	static uint8_t raw[COSIGNATURE_MLDSA44_LEN + 1] = {
	    0, 0, 0, 0, 0x65, 0x53, 0xf1, 0x00, 0xaa};
	static const struct {
		enum note_type type;
		size_t len;
		enum error_code code;
	} cases[] = {
	    {NOTE_COSIGNATURE, COSIGNATURE_ED25519_LEN, ERR_NONE},
	    {NOTE_MLDSA44, COSIGNATURE_MLDSA44_LEN, ERR_NONE},
	    {NOTE_COSIGNATURE, COSIGNATURE_MLDSA44_LEN, ERR_SYNTAX},
	    {NOTE_MLDSA44, COSIGNATURE_ED25519_LEN, ERR_SYNTAX},
	    {NOTE_COSIGNATURE, COSIGNATURE_ED25519_LEN - 1, ERR_SYNTAX},
	    {NOTE_COSIGNATURE, COSIGNATURE_ED25519_LEN + 1, ERR_SYNTAX},
	    {NOTE_MLDSA44, COSIGNATURE_MLDSA44_LEN - 1, ERR_SYNTAX},
	    {NOTE_MLDSA44, COSIGNATURE_MLDSA44_LEN + 1, ERR_SYNTAX},
	    {NOTE_COSIGNATURE, 0, ERR_SYNTAX},
	    {NOTE_COSIGNATURE, 7, ERR_SYNTAX},
	    {NOTE_ED25519, COSIGNATURE_ED25519_LEN, ERR_USAGE},
	    {NOTE_ECDSA, COSIGNATURE_ED25519_LEN, ERR_USAGE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) again = BUF_INIT(8192);
		struct bytes in = bytes_of(raw, cases[i].len);
		struct error err = {0};
		struct cosignature c;
		bool ok = cosignature_parse(in, cases[i].type, &c, &err);

		if (err.code != cases[i].code || ok != (err.code == ERR_NONE))
			fail_msg("case %zu", i);
		if (!ok)
			continue;
		assert_int_equal(c.time, T0);
		cosignature_format(&c, &again);
		assert_true(bytes_equal(in, buf_bytes(&again)));
	}
}

static void
test_payload_time(void **state)
{
	uint8_t raw[COSIGNATURE_ED25519_LEN] = {
	    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	struct error err = {0};
	struct cosignature c;

	(void)state;
	assert_true(
	    cosignature_parse(BYTES_OF(raw), NOTE_COSIGNATURE, &c, &err));
	assert_true(c.time == (uint64_t)INT64_MAX);
	raw[0] = 0x80;
	assert_false(
	    cosignature_parse(BYTES_OF(raw), NOTE_COSIGNATURE, &c, &err));
	assert_int_equal(err.code, ERR_SYNTAX);
}

static void
test_subtree_message(void **state)
{
	static const char expect[] = "subtree/v1\n\0\x01w\0\0\0\0\0\0\0\x09"
				     "\x03log\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x07"
				     "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
				     "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	struct cosignature_subtree s = {.origin = BYTES_LIT("log"), .end = 7};
	AUTO(buf) got = BUF_INIT(1024);
	struct error err = {0};

	(void)state;
	assert_true(
	    cosignature_subtree_message(BYTES_LIT("w"), 9, &s, &got, &err));
	assert_true(
	    bytes_equal(buf_bytes(&got), bytes_of(expect, sizeof(expect) - 1)));
}

static void
test_subtrees(void **state)
{
	static uint8_t long_name[256];
	static const struct {
		size_t cosigner, origin;
		uint64_t time, start, end;
		bool valid;
	} cases[] = {
	    {255, 255, T0, 0, 7, true},
	    {1, 1, 0, 0, 0, true},
	    {1, 1, 0, 0, 1, true},
	    {1, 1, 0, 4, 8, true},
	    {1, 1, 0, 4, 7, true},
	    {1, 1, 0, 6, 7, true},
	    {1, 1, INT64_MAX, 0, INT64_MAX, true},
	    {0, 1, 0, 0, 7, false},
	    {1, 0, 0, 0, 7, false},
	    {256, 1, 0, 0, 7, false},
	    {1, 256, 0, 0, 7, false},
	    {1, 1, (uint64_t)INT64_MAX + 1, 0, 7, false},
	    {1, 1, 0, 0, (uint64_t)INT64_MAX + 1, false},
	    {1, 1, 1, 4, 8, false},
	    {1, 1, 0, 2, 5, false},
	    {1, 1, 0, 4, 9, false},
	    {1, 1, 0, 5, 5, false},
	    {1, 1, 0, 8, 4, false},
	    {1, 1, 0, UINT64_MAX, 0, false},
	};

	(void)state;
	memset(long_name, 'n', sizeof(long_name));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct cosignature_subtree s = {
		    .origin = bytes_of(long_name, cases[i].origin),
		    .start = cases[i].start,
		    .end = cases[i].end,
		};
		AUTO(buf) got = BUF_INIT(1024);
		struct error err = {0};

		if (cosignature_subtree_message(
			bytes_of(long_name, cases[i].cosigner), cases[i].time,
			&s, &got, &err) != cases[i].valid)
			fail_msg("case %zu", i);
		assert_int_equal(
		    err.code, cases[i].valid ? ERR_NONE : ERR_SYNTAX);
	}
}

static void
test_verify_ed25519(void **state)
{
	static const struct {
		const char *file;
		enum error_code code;
		uint64_t first, last;
	} cases[] = {
	    {"ed25519.note", ERR_NONE, T0, T0},
	    {"ed25519-extensions.note", ERR_NONE, T0, T0},
	    {"ed25519-twice.note", ERR_NONE, T0, T0 + 9},
	    {"mldsa44.note", ERR_NOTFOUND, 0, 0},
	    {"ed25519-timed-and-zero.note", ERR_NONE, T0, T0},
	    {"ed25519-zero.note", ERR_NOTFOUND, 0, 0},
	    {"ed25519-as-log.note", ERR_BADSIG, 0, 0},
	    {"ed25519-other-text.note", ERR_BADSIG, 0, 0},
	    {"ed25519-other-time.note", ERR_BADSIG, 0, 0},
	    {"ed25519-late.note", ERR_BADSIG, 0, 0},
	    {"ed25519-short.note", ERR_BADSIG, 0, 0},
	    {"ed25519-long.note", ERR_BADSIG, 0, 0},
	    {"ed25519-good-and-bad.note", ERR_BADSIG, 0, 0},
	    {"no-checkpoint.note", ERR_SYNTAX, 0, 0},
	};
	struct vkey key;

	(void)state;
	load_vkey("ed25519.vkey", &key);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) in = BUF_INIT(NOTE_MAX_LEN);
		struct cosignature_times t = {0};

		load(cases[i].file, &in);
		if (verify(buf_bytes(&in), &key, &t) != cases[i].code)
			fail_msg("%s", cases[i].file);
		assert_int_equal(t.first, cases[i].first);
		assert_int_equal(t.last, cases[i].last);
	}
}

/* Where OpenSSL has no ML-DSA nothing is accepted, nor called forged. */
static void
test_verify_mldsa44(void **state)
{
	static const struct {
		const char *file;
		enum error_code code;
	} cases[] = {
	    {"mldsa44.note", ERR_NONE},
	    {"mldsa44-changed.note", ERR_BADSIG},
	    {"mldsa44-zero.note", ERR_NOTFOUND},
	};
	AUTO(buf) other = BUF_INIT(NOTE_MAX_LEN);
	struct cosignature_times t = {0};
	struct vkey key;

	(void)state;
	load_vkey("mldsa44.vkey", &key);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) in = BUF_INIT(NOTE_MAX_LEN);
		enum error_code want = cases[i].code;

		load(cases[i].file, &in);
		if (!mldsa44_available())
			want = ERR_UNAVAILABLE;
		if (verify(buf_bytes(&in), &key, &t) != want)
			fail_msg("%s", cases[i].file);
	}
	load("ed25519.note", &other);
	assert_int_equal(verify(buf_bytes(&other), &key, &t), ERR_NOTFOUND);
}

static void
test_mldsa44_forms(void **state)
{
	static const uint8_t key[MLDSA44_KEY_LEN + 1];
	static const uint8_t signature[MLDSA44_SIGNATURE_LEN + 1];
	static const struct {
		size_t key, signature;
		enum error_code code;
	} cases[] = {
	    {MLDSA44_KEY_LEN - 1, MLDSA44_SIGNATURE_LEN, ERR_SYNTAX},
	    {MLDSA44_KEY_LEN + 1, MLDSA44_SIGNATURE_LEN, ERR_SYNTAX},
	    {0, 0, ERR_SYNTAX},
	    {MLDSA44_KEY_LEN, MLDSA44_SIGNATURE_LEN - 1, ERR_BADSIG},
	    {MLDSA44_KEY_LEN, MLDSA44_SIGNATURE_LEN + 1, ERR_BADSIG},
	    {MLDSA44_KEY_LEN, 0, ERR_BADSIG},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};

		assert_false(
		    mldsa44_verify(bytes_of(key, cases[i].key), BYTES_LIT("x"),
			bytes_of(signature, cases[i].signature), &err));
		assert_int_equal(err.code, cases[i].code);
	}
}

/* A key of a log is none of a cosigner. */
static void
test_verify_usage(void **state)
{
	AUTO(buf) in = BUF_INIT(NOTE_MAX_LEN);
	struct cosignature_times t;
	struct error err = {0};
	struct vkey key, as_log;

	(void)state;
	load_vkey("ed25519.vkey", &key);
	assert_true(vkey_init(&as_log, vkey_name(&key), NOTE_ED25519,
	    bytes_of(key.key, key.key_len), &err));
	load("ed25519.note", &in);
	assert_int_equal(verify(buf_bytes(&in), &as_log, &t), ERR_USAGE);
}

static struct private_key *
new_witness(struct vkey *out)
{
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	struct error err = {0};
	struct private_key *key = private_key_generate(KEY_ED25519, &err);
	struct public_key public;

	assert_non_null(key);
	assert_true(private_key_public(key, &spki, &err));
	assert_true(public_key_parse(buf_bytes(&spki), &public, &err));
	assert_true(vkey_init(
	    out, BYTES_LIT("new.example"), NOTE_COSIGNATURE, public.raw, &err));
	return key;
}

static void
test_sign(void **state)
{
	AUTO(buf) in = BUF_INIT(NOTE_MAX_LEN);
	AUTO(note) n = {0};
	struct cosignature_times t;
	struct error err = {0};
	struct vkey vkey;
	struct private_key *key = new_witness(&vkey);

	(void)state;
	load("ed25519.note", &in);
	assert_true(note_parse(buf_bytes(&in), &n, &err));
	assert_true(
	    cosignature_sign(n.text, T0 + 5, key, &vkey, verifier, &in, &err));
	private_key_close(key);
	assert_int_equal(verify(buf_bytes(&in), &vkey, &t), ERR_NONE);
	assert_int_equal(t.first, T0 + 5);
	assert_int_equal(t.last, T0 + 5);
}

static void
test_sign_refuses(void **state)
{
	static const struct {
		struct bytes text;
		uint64_t time;
		enum error_code code;
	} cases[] = {
	    {BYTES_LIT("hello\n"), T0, ERR_SYNTAX},
	    {{0}, T0, ERR_SYNTAX},
	    {BYTES_LIT("o\n1\nAAAA\n"), T0, ERR_SYNTAX},
	    {BYTES_LIT("o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"),
		0, ERR_USAGE},
	    {BYTES_LIT("o\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"),
		UINT64_MAX, ERR_USAGE},
	};
	struct vkey vkey, other, log;
	struct private_key *key = new_witness(&vkey);
	AUTO(buf) out = BUF_INIT(NOTE_MAX_LEN);
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error why = {0};

		assert_false(cosignature_sign(cases[i].text, cases[i].time, key,
		    &vkey, verifier, &out, &why));
		assert_int_equal(why.code, cases[i].code);
		assert_int_equal(out.len, 0);
	}
	/* Another witness's vkey; a log's. */
	private_key_close(new_witness(&other));
	assert_false(cosignature_sign(
	    cases[3].text, T0, key, &other, verifier, &out, &err));
	assert_int_equal(err.code, ERR_BADSIG);
	err = (struct error){0};
	assert_true(vkey_init(&log, vkey_name(&vkey), NOTE_ED25519,
	    bytes_of(vkey.key, vkey.key_len), &err));
	assert_false(cosignature_sign(
	    cases[3].text, T0, key, &log, verifier, &out, &err));
	assert_int_equal(err.code, ERR_USAGE);
	assert_int_equal(out.len, 0);
	private_key_close(key);
}

/* The example of tlog-cosignature.md: payload and signed message. */
static void
test_public_message(void **state)
{
	AUTO(buf) file = BUF_INIT(8192);
	AUTO(buf) expect = BUF_INIT(8192);
	AUTO(buf) message = BUF_INIT(8192);
	AUTO(note) n = {0};
	char path[VECTOR_PATH_MAX];
	struct error err = {0};
	struct cosignature c;

	(void)state;
	if (!vector_read(
		vector_public(path, "c2sp/checkpoint-cosigned-example.txt"),
		&file))
		skip();
	assert_true(vector_read(
	    vector_public(path, "c2sp/cosignature-message-example.txt"),
	    &expect));
	assert_true(note_parse(buf_bytes(&file), &n, &err));
	assert_int_equal(n.signature_count, 2);
	assert_true(cosignature_parse(
	    n.signatures[1].signature, NOTE_COSIGNATURE, &c, &err));
	assert_int_equal(c.time, 1679315147);
	cosignature_message(c.time, n.text, &message);
	assert_true(bytes_equal(buf_bytes(&message), buf_bytes(&expect)));
	/* The other line is a log's. */
	assert_false(cosignature_parse(
	    n.signatures[0].signature, NOTE_COSIGNATURE, &c, &err));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_payload),
	    cmocka_unit_test(test_payload_time),
	    cmocka_unit_test(test_subtree_message),
	    cmocka_unit_test(test_subtrees),
	    cmocka_unit_test(test_verify_ed25519),
	    cmocka_unit_test(test_verify_mldsa44),
	    cmocka_unit_test(test_mldsa44_forms),
	    cmocka_unit_test(test_verify_usage),
	    cmocka_unit_test(test_sign),
	    cmocka_unit_test(test_sign_refuses),
	    cmocka_unit_test(test_public_message),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
