/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"

/* RFC 4648 section 10, and the two characters that differ by alphabet. */
static const struct {
	struct bytes plain;
	const char *text;
} pairs[] = {
    {{(const uint8_t *)"", 0}, ""},
    {{(const uint8_t *)"f", 1}, "Zg=="},
    {{(const uint8_t *)"fo", 2}, "Zm8="},
    {{(const uint8_t *)"foo", 3}, "Zm9v"},
    {{(const uint8_t *)"foob", 4}, "Zm9vYg=="},
    {{(const uint8_t *)"fooba", 5}, "Zm9vYmE="},
    {{(const uint8_t *)"foobar", 6}, "Zm9vYmFy"},
    {{(const uint8_t *)"\xfb\xff", 2}, "+/8="},
    {{(const uint8_t *)"\0\0\0", 3}, "AAAA"},
    {{(const uint8_t *)"\xff\xff\xff", 3}, "////"},
};

static void
test_base64(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		AUTO(buf) text = BUF_INIT(64);
		AUTO(buf) plain = BUF_INIT(64);
		AUTO(buf) lenient = BUF_INIT(64);

		base64_put(&text, pairs[i].plain);
		assert_int_equal(text.len, BASE64_LEN(pairs[i].plain.len));
		assert_true(
		    bytes_equal(buf_bytes(&text), bytes_str(pairs[i].text)));
		buf_put_str(&plain, "<");
		assert_true(base64_decode(bytes_str(pairs[i].text), &plain));
		assert_int_equal(plain.len, pairs[i].plain.len + 1);
		assert_true(
		    bytes_equal(bytes_slice(buf_bytes(&plain), 1, plain.len),
			pairs[i].plain));
		assert_true(
		    base64_decode_lenient(bytes_str(pairs[i].text), &lenient));
		assert_true(bytes_equal(buf_bytes(&lenient), pairs[i].plain));
	}
}

static void
test_base64_every_byte(void **state)
{
	uint8_t all[256];

	(void)state;
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (uint8_t)(i * 7);
	for (size_t n = 0; n <= sizeof(all); n++) {
		AUTO(buf) text = BUF_INIT(BASE64_LEN(n));
		AUTO(buf) plain = BUF_INIT(n);

		base64_put(&text, bytes_of(all, n));
		assert_true(base64_decode(buf_bytes(&text), &plain));
		assert_true(bytes_equal(buf_bytes(&plain), bytes_of(all, n)));
	}
}

static void
test_base64_refusals(void **state)
{
	static const struct {
		const char *text;
		bool lenient;
	} cases[] = {
	    {"Zg", true},
	    {"Zm8", true},
	    {"Zm9vYg", true},
	    {"-_8=", true},
	    {"-_8", true},
	    {"____", true},
	    {"Z", false},
	    {"Zm9vY", false},
	    {"Zg=", false},
	    {"Zg===", false},
	    {"Zm8==", false},
	    {"=", false},
	    {"==", false},
	    {"===", false},
	    {"====", false},
	    {"A===", false},
	    {"Zg==Zg==", false},
	    {"Zm=v", false},
	    {"Z=9v", false},
	    {"=m9v", false},
	    {"Zh==", false},
	    {"Zv==", false},
	    {"Zm9=", false},
	    {"Zm/=", false},
	    {"Zh", false},
	    {"Zm9", false},
	    {"+_8=", false},
	    {"/-8=", false},
	    {"Zm9v\n", false},
	    {"Zm9v    ", false},
	    {" Zm9v", false},
	    {"Zm 9v", false},
	    {"Zm.v", false},
	    {"Zm9\x80", false},
	    {"Z\xc3\xa9v", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) out = BUF_INIT(64);
		struct bytes text = bytes_str(cases[i].text);

		buf_put_str(&out, "was");
		if (base64_decode(text, &out))
			fail_msg("accepted \"%s\"", cases[i].text);
		assert_true(bytes_equal(buf_bytes(&out), BYTES_LIT("was")));
		if (base64_decode_lenient(text, &out) != cases[i].lenient)
			fail_msg("lenient on \"%s\"", cases[i].text);
		assert_true(cases[i].lenient || out.len == 3);
	}
}

static void
test_base64_with_nul(void **state)
{
	AUTO(buf) out = BUF_INIT(64);

	(void)state;
	assert_false(base64_decode(BYTES_LIT("Zm9\0"), &out));
	assert_false(base64_decode(BYTES_LIT("Zm9v\0\0\0\0"), &out));
	assert_int_equal(out.len, 0);
}

static void
test_base64_limit(void **state)
{
	AUTO(buf) out = BUF_INIT(2);
	AUTO(buf) text = BUF_INIT(3);

	(void)state;
	assert_false(base64_decode(BYTES_LIT("Zm9v"), &out));
	assert_int_equal(out.len, 0);
	buf_clear(&out);
	assert_true(base64_decode(BYTES_LIT("Zm8="), &out));
	base64_put(&text, BYTES_LIT("f"));
	assert_true(text.failed);
}

static void
test_hex(void **state)
{
	static const struct {
		const char *text;
		size_t n;
		bool ok;
	} cases[] = {
	    {"", 0, true},
	    {"00", 1, true},
	    {"09af", 2, true},
	    {"ff10", 2, true},
	    {"09AF", 2, false},
	    {"09a", 2, false},
	    {"09a", 1, false},
	    {"09af", 1, false},
	    {"09af", 3, false},
	    {"09ag", 2, false},
	    {"0x09", 2, false},
	    {" 9af", 2, false},
	    {"09a\n", 2, false},
	    {"09`:", 2, false},
	    {"09/f", 2, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) text = BUF_INIT(16);
		uint8_t out[4] = {0x77, 0x77, 0x77, 0x77};

		assert_int_equal(
		    hex_decode(bytes_str(cases[i].text), out, cases[i].n),
		    cases[i].ok);
		if (cases[i].ok) {
			hex_put(&text, bytes_of(out, cases[i].n));
			assert_true(bytes_equal(
			    buf_bytes(&text), bytes_str(cases[i].text)));
		} else {
			assert_int_equal(out[0], 0x77);
		}
		assert_int_equal(out[3], 0x77);
	}
}

static void
test_utf8(void **state)
{
	static const struct {
		const char *text;
		bool ok;
	} cases[] = {
	    {"", true},
	    {"abc\x7f", true},
	    {"\xc2\x80", true},
	    {"\xdf\xbf", true},
	    {"\xe0\xa0\x80", true},
	    {"\xed\x9f\xbf", true},
	    {"\xee\x80\x80", true},
	    {"\xef\xbf\xbf", true},
	    {"\xf0\x90\x80\x80", true},
	    {"\xf4\x8f\xbf\xbf", true},
	    {"\xe2\x80\x94 x", true},
	    {"\x80", false},
	    {"\xbf", false},
	    {"\xc0\x80", false},
	    {"\xc1\xbf", false},
	    {"\xc2", false},
	    {"\xc2 ", false},
	    {"\xc2\xc2", false},
	    {"\xe0\x80\x80", false},
	    {"\xe0\x9f\xbf", false},
	    {"\xe2\x80", false},
	    {"\xe2\x80 ", false},
	    {"\xed\xa0\x80", false},
	    {"\xed\xbf\xbf", false},
	    {"\xf0\x80\x80\x80", false},
	    {"\xf0\x8f\xbf\xbf", false},
	    {"\xf0\x90\x80", false},
	    {"\xf4\x90\x80\x80", false},
	    {"\xf5\x80\x80\x80", false},
	    {"\xf8\x88\x80\x80\x80", false},
	    {"\xfe", false},
	    {"\xff", false},
	    {"ok\xff", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (utf8_valid(bytes_str(cases[i].text)) != cases[i].ok)
			fail_msg("case %zu", i);
	assert_true(utf8_valid((struct bytes){0}));
	assert_true(utf8_valid(BYTES_LIT("a\0b")));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_base64),
	    cmocka_unit_test(test_base64_every_byte),
	    cmocka_unit_test(test_base64_refusals),
	    cmocka_unit_test(test_base64_with_nul),
	    cmocka_unit_test(test_base64_limit),
	    cmocka_unit_test(test_hex),
	    cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
