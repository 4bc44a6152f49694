/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/reader.h"

static void
test_integers(void **state)
{
	struct reader r;
	uint8_t a;
	uint16_t b;
	uint32_t c;
	uint64_t d;

	(void)state;
	reader_init(&r, BYTES_LIT("\xff\1\2\3\4\5\6\xf7\x8\x9\xa\xb\xc\xd\xe"));
	assert_true(reader_u8(&r, &a) && a == 0xff);
	assert_true(reader_u16(&r, &b) && b == 0x0102);
	assert_true(reader_u32(&r, &c) && c == 0x03040506);
	assert_true(reader_u64(&r, &d) && d == 0xf708090a0b0c0d0e);
	assert_true(reader_done(&r));
	assert_false(reader_u8(&r, &a));
	assert_int_equal(a, 0xff);
}

/* Every reader on an input one byte too short: nothing moves. */
static void
test_too_short(void **state)
{
	static const uint8_t data[8] = {1, 2, 3, 4, 5, 6, 7, 8};
	uint8_t a = 9;
	uint16_t b = 9;
	uint32_t c = 9;
	uint64_t d = 9;
	struct bytes out = BYTES_LIT("same");
	struct reader r;

	(void)state;
	for (size_t n = 0; n < sizeof(data); n++) {
		reader_init(&r, bytes_of(data, n));
		assert_true(n >= 1 || !reader_u8(&r, &a));
		assert_true(n >= 2 || !reader_u16(&r, &b));
		assert_true(n >= 4 || !reader_u32(&r, &c));
		assert_false(reader_u64(&r, &d));
		assert_false(reader_bytes(&r, n + 1, &out));
		assert_false(reader_bytes(&r, SIZE_MAX, &out));
		assert_false(reader_line(&r, &out));
		assert_false(reader_until(&r, 9, &out));
		assert_false(reader_decimal(&r, &d));
		assert_false(reader_literal(&r, BYTES_OF(data)));
		assert_int_equal(r.rest.len, n);
		assert_ptr_equal(r.rest.ptr, data);
	}
	assert_true(a == 9 && b == 9 && c == 9 && d == 9 && out.len == 4);
}

static void
test_nothing(void **state)
{
	struct reader r;
	struct bytes out;

	(void)state;
	reader_init(&r, (struct bytes){0});
	assert_true(reader_done(&r));
	assert_true(reader_bytes(&r, 0, &out));
	assert_int_equal(out.len, 0);
	assert_true(reader_literal(&r, BYTES_LIT("")));
	assert_false(reader_literal(&r, BYTES_LIT("a")));
	assert_false(reader_line(&r, &out));
}

static void
test_lines(void **state)
{
	struct reader r;
	struct bytes line;

	(void)state;
	reader_init(&r, BYTES_LIT("one\n\na\0b\nrest"));
	assert_true(reader_line(&r, &line));
	assert_true(bytes_equal(line, BYTES_LIT("one")));
	assert_true(reader_line(&r, &line));
	assert_int_equal(line.len, 0);
	assert_true(reader_line(&r, &line));
	assert_true(bytes_equal(line, BYTES_LIT("a\0b")));
	assert_false(reader_line(&r, &line));
	assert_true(bytes_equal(r.rest, BYTES_LIT("rest")));
	assert_true(reader_until(&r, 's', &line));
	assert_true(bytes_equal(line, BYTES_LIT("re")));
	assert_true(reader_literal(&r, BYTES_LIT("t")));
	assert_true(reader_done(&r));
}

static void
test_decimal(void **state)
{
	static const struct {
		const char *in;
		bool ok;
		uint64_t n;
		size_t rest;
	} cases[] = {
	    {"0", true, 0, 0}, {"7", true, 7, 0}, {"10", true, 10, 0},
	    {"42/x", true, 42, 2}, {"0x10", true, 0, 3},
	    {"9223372036854775807", true, INT64_MAX, 0},
	    {"9223372036854775808", false, 0, 0},
	    {"9223372036854775810", false, 0, 0},
	    {"18446744073709551616", false, 0, 0},
	    {"99999999999999999999999", false, 0, 0}, {"", false, 0, 0},
	    {"00", false, 0, 0}, {"01", false, 0, 0}, {"-1", false, 0, 0},
	    {"+1", false, 0, 0}, {" 1", false, 0, 0}, {"a", false, 0, 0},
	    {"\xd9\xa1", false, 0, 0}, /* an Arabic one */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes in = bytes_str(cases[i].in);
		uint64_t n = 77, whole = 77;
		struct reader r;

		reader_init(&r, in);
		assert_int_equal(reader_decimal(&r, &n), cases[i].ok);
		assert_int_equal(n, cases[i].ok ? cases[i].n : 77);
		assert_int_equal(
		    r.rest.len, cases[i].ok ? cases[i].rest : in.len);
		assert_int_equal(decimal_parse(in, &whole),
		    cases[i].ok && cases[i].rest == 0);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_integers),
	    cmocka_unit_test(test_too_short),
	    cmocka_unit_test(test_nothing),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_decimal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
