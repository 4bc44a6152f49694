/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/tlog/note.h"
#include "tests/support/vector_file.h"

#define LOG "log.example+328a282e+AXLUbuKtM8NPghRbFtZWh9JSlaIwk7E09ZF/MH6oqo+r"
#define EC                                                                     \
	"ec.example+a0e3fa09+AjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABO3Uep9BTxHp" \
	"UdmwgrdBmoqM+wGHdot49QpNnZRpYFPXAno1XrwVOZ455+40xDEBIgWu8U7vExrr+572" \
	"CowOmH8="
#define W1 "w1.example+2e5a873e+BEJsmvX7Hh64uz0bJumMGBaInv6XNFK02hmLFbdmrnUe"
#define FOO                                                                    \
	"example.com/"                                                         \
	"foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"

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
	    inside, sizeof(inside), "note/%s-%s.note", verdict, name);
	if (!vector_read(vector_own(path, inside), out))
		fail_msg("%s", path);
}

static void
test_valid(void **state)
{
	static const char *const names[] = {
	    "blank-lines",
	    "cosigned",
	    "ecdsa",
	    "hundred",
	    "one",
	    "utf8",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO(buf) in = BUF_INIT(NOTE_MAX_LEN);
		AUTO(buf) again = BUF_INIT(NOTE_MAX_LEN);
		AUTO(note) n = {0};
		struct error err = {0};

		load("valid", names[i], &in);
		if (!note_parse(buf_bytes(&in), &n, &err))
			fail_msg("%s: %s", names[i], err.text);
		buf_put(&again, n.text);
		buf_put_u8(&again, '\n');
		for (size_t k = 0; k < n.signature_count; k++)
			note_signature_put(&again, n.signatures[k].name,
			    n.signatures[k].key_id, n.signatures[k].signature);
		assert_true(bytes_equal(buf_bytes(&in), buf_bytes(&again)));
	}
}

static void
test_invalid(void **state)
{
	static const char *const names[] = {
	    "bad-base64",
	    "cr",
	    "empty",
	    "en-dash",
	    "escape",
	    "garbage-line",
	    "hyphen",
	    "long-name",
	    "no-blank",
	    "no-name",
	    "no-newline",
	    "no-signature",
	    "not-utf8",
	    "nul",
	    "only-id",
	    "plus",
	    "spare-bits",
	    "surrogate",
	    "tab",
	    "three-bytes",
	    "trailing",
	    "two-spaces",
	    "unpadded",
	    "url-base64",
	    "wide-space",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO(buf) in = BUF_INIT(NOTE_MAX_LEN);
		AUTO(note) n = {0};
		struct error err = {0};

		load("invalid", names[i], &in);
		if (note_parse(buf_bytes(&in), &n, &err) ||
		    err.code != ERR_SYNTAX)
			fail_msg("%s: %s", names[i], err.text);
		assert_null(n.storage.ptr);
	}
}

static void
test_limits(void **state)
{
	AUTO(buf) in = BUF_INIT(NOTE_MAX_LEN);
	AUTO(buf) large = BUF_INIT(NOTE_MAX_LEN + 1);
	AUTO(note) n = {0};
	struct error err = {0};

	(void)state;
	load("invalid", "hundred-one", &in);
	assert_false(note_parse(buf_bytes(&in), &n, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	assert_non_null(buf_reserve(&large, NOTE_MAX_LEN + 1));
	memset(large.ptr, 'a', NOTE_MAX_LEN + 1);
	buf_grow(&large, NOTE_MAX_LEN + 1);
	err = (struct error){0};
	assert_false(note_parse(buf_bytes(&large), &n, &err));
	assert_int_equal(err.code, ERR_LIMIT);
}

static void
test_parts(void **state)
{
	AUTO(buf) in = BUF_INIT(NOTE_MAX_LEN);
	AUTO(note) n = {0};
	struct error err = {0};

	(void)state;
	load("valid", "blank-lines", &in);
	assert_true(note_parse(buf_bytes(&in), &n, &err));
	assert_true(bytes_equal(n.text, BYTES_LIT("a\n\nb\n\n")));
	assert_int_equal(n.signature_count, 1);
	assert_true(
	    bytes_equal(n.signatures[0].name, BYTES_LIT("log.example")));
	assert_int_equal(n.signatures[0].key_id, 0x328a282e);
	assert_int_equal(n.signatures[0].signature.len, 64);
}

static void
test_names(void **state)
{
	static const struct {
		struct bytes name;
		bool valid;
	} cases[] = {
	    {BYTES_LIT("a"), true},
	    {BYTES_LIT("go.sum/x=y"), true},
	    {BYTES_LIT("b\xc3\xbc\x63her"), true},
	    {BYTES_LIT("\xe2\x80\x8b"), true}, /* U+200B is no white space */
	    {{0}, false},
	    {BYTES_LIT("a b"), false},
	    {BYTES_LIT("a+b"), false},
	    {BYTES_LIT("a\tb"), false},
	    {BYTES_LIT("a\nb"), false},
	    {BYTES_LIT("a\0b"), false},
	    {BYTES_LIT("a\x1f"), false},
	    {BYTES_LIT("a\xc2\x85"), false},
	    {BYTES_LIT("a\xc2\xa0"), false},
	    {BYTES_LIT("\xe1\x9a\x80"), false},
	    {BYTES_LIT("\xe2\x80\x80"), false},
	    {BYTES_LIT("\xe2\x80\x8a"), false},
	    {BYTES_LIT("\xe2\x80\xa8"), false},
	    {BYTES_LIT("\xe2\x80\xa9"), false},
	    {BYTES_LIT("\xe2\x80\xaf"), false},
	    {BYTES_LIT("\xe2\x81\x9f"), false},
	    {BYTES_LIT("\xe3\x80\x80"), false},
	    {BYTES_LIT("\xc3"), false},
	    {BYTES_LIT("\xff"), false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (note_name_valid(cases[i].name) != cases[i].valid)
			fail_msg("case %zu", i);
}

/* ERR_NONE: it verifies. */
static enum error_code
verify(struct bytes in, const char *key)
{
	AUTO(note) n = {0};
	struct error err = {0};
	struct vkey v;
	bool ok;

	assert_true(vkey_parse(bytes_str(key), &v, &err));
	ok = note_parse(in, &n, &err) && note_verify(&n, &v, verifier, &err);
	assert_int_equal(ok, err.code == ERR_NONE);
	return err.code;
}

static void
test_verify(void **state)
{
	static const struct {
		const char *file, *key;
		enum error_code code;
	} cases[] = {
	    {"one", LOG, ERR_NONE},
	    {"cosigned", LOG, ERR_NONE},
	    {"blank-lines", LOG, ERR_NONE},
	    {"ecdsa", EC, ERR_NONE},
	    {"ecdsa", LOG, ERR_NOTFOUND},
	    {"one", EC, ERR_NOTFOUND},
	    {"one", FOO, ERR_NOTFOUND},
	    {"cosigned", W1, ERR_USAGE},
	    {"utf8", LOG, ERR_NOTFOUND},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) in = BUF_INIT(NOTE_MAX_LEN);

		load("valid", cases[i].file, &in);
		if (verify(buf_bytes(&in), cases[i].key) != cases[i].code)
			fail_msg("case %zu", i);
	}
}

/* Every byte of the text and of the signature counts. */
static void
test_changed(void **state)
{
	AUTO(buf) in = BUF_INIT(NOTE_MAX_LEN);

	(void)state;
	load("valid", "one", &in);
	for (size_t i = 0; i < in.len; i++) {
		in.ptr[i] ^= 1;
		assert_int_not_equal(verify(buf_bytes(&in), LOG), ERR_NONE);
		in.ptr[i] ^= 1;
	}
	in.ptr[0] ^= 1;
	assert_int_equal(verify(buf_bytes(&in), LOG), ERR_BADSIG);
}

/* Signatures by one key must all verify, wherever the bad one stands. */
static void
test_good_and_bad(void **state)
{
	static const uint8_t zeros[64];
	AUTO(buf) in = BUF_INIT(NOTE_MAX_LEN);
	AUTO(note) n = {0};
	struct error err = {0};
	struct vkey v;

	(void)state;
	load("valid", "one", &in);
	assert_true(vkey_parse(BYTES_LIT(LOG), &v, &err));
	assert_true(note_parse(buf_bytes(&in), &n, &err));
	for (size_t bad = 0; bad < 3; bad++) {
		AUTO(buf) lines = BUF_INIT(NOTE_MAX_LEN);

		buf_put(&lines, n.text);
		buf_put_u8(&lines, '\n');
		for (size_t i = 0; i < 2; i++)
			note_signature_put(&lines, vkey_name(&v), v.key_id,
			    i == bad ? BYTES_OF(zeros)
				     : n.signatures[0].signature);
		assert_int_equal(verify(buf_bytes(&lines), LOG),
		    bad < 2 ? ERR_BADSIG : ERR_NONE);
	}
}

static void
test_public(void **state)
{
	AUTO(buf) example = BUF_INIT(NOTE_MAX_LEN);
	AUTO(buf) other = BUF_INIT(NOTE_MAX_LEN);
	AUTO(note) n = {0};
	struct error err = {0};
	char path[VECTOR_PATH_MAX];

	(void)state;
	if (!vector_read(
		vector_public(path, "c2sp/note-example.txt"), &example))
		skip();
	assert_int_equal(verify(buf_bytes(&example), FOO), ERR_NONE);
	example.ptr[3] ^= 1;
	assert_int_equal(verify(buf_bytes(&example), FOO), ERR_BADSIG);
	assert_true(vector_read(
	    vector_public(path, "c2sp/note-unverifiable.txt"), &other));
	assert_int_equal(verify(buf_bytes(&other), FOO), ERR_NOTFOUND);
	assert_true(note_parse(buf_bytes(&other), &n, &err));
	assert_true(bytes_starts(n.text, BYTES_LIT("Ognuno sta solo")));
	assert_true(bytes_equal(bytes_slice(n.text, n.text.len - 6, n.text.len),
	    BYTES_LIT("sera.\n")));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_invalid),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_parts),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_verify),
	    cmocka_unit_test(test_changed),
	    cmocka_unit_test(test_good_and_bad),
	    cmocka_unit_test(test_public),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
