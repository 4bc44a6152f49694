/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>

#include <cmocka.h>

#include "core/base/buf.h"
#include "core/base/checked.h"
#include "core/base/cleanup.h"

static void
test_put(void **state)
{
	AUTO(buf) b = BUF_INIT(64);
	struct error err = {0};

	(void)state;
	buf_put(&b, BYTES_LIT("ab"));
	buf_put(&b, (struct bytes){0});
	buf_put_u8(&b, 0xff);
	buf_put_u16(&b, 0x0102);
	buf_put_u32(&b, 0x03040506);
	buf_put_u64(&b, 0x0708090a0b0c0d0e);
	buf_put_str(&b, "z");
	assert_true(buf_ok(&b, &err));
	assert_true(bytes_equal(buf_bytes(&b),
	    BYTES_LIT("ab\xff\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xez")));
}

static void
test_decimal(void **state)
{
	static const struct {
		uint64_t n;
		const char *text;
	} cases[] = {
	    {0, "0"},
	    {9, "9"},
	    {10, "10"},
	    {INT64_MAX, "9223372036854775807"},
	    {UINT64_MAX, "18446744073709551615"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) b = BUF_INIT(20);

		buf_put_decimal(&b, cases[i].n);
		assert_false(b.failed);
		assert_true(
		    bytes_equal(buf_bytes(&b), bytes_str(cases[i].text)));
	}
}

/* Exactly the limit fits, one byte more does not, whatever writes it. */
static void
test_limit(void **state)
{
	static const size_t limits[] = {
	    1, 2, 255, 256, 257, 511, 512, 513, 1000};

	(void)state;
	for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
		AUTO(buf) a = BUF_INIT(limits[i]);
		AUTO(buf) b = BUF_INIT(limits[i]);
		int width = (int)limits[i];
		struct error err = {0};

		for (size_t n = 0; n < limits[i]; n++)
			buf_put_u8(&a, 'x');
		assert_true(buf_ok(&a, &err));
		assert_int_equal(a.len, limits[i]);
		assert_true(a.cap <= limits[i]);
		buf_put_u8(&a, 'x');
		assert_false(buf_ok(&a, &err));
		assert_int_equal(err.code, ERR_LIMIT);
		assert_int_equal(a.len, limits[i]);

		err = (struct error){0};
		buf_printf(&b, "%*d", width, 7);
		assert_true(buf_ok(&b, &err));
		assert_int_equal(b.len, limits[i]);
		assert_int_equal(b.ptr[b.len - 1], '7');
		buf_clear(&b);
		buf_printf(&b, "%*d", width + 1, 7);
		assert_true(b.failed);
		assert_int_equal(b.len, 0);
	}
}

static void
test_printf(void **state)
{
	AUTO(buf) b = BUF_INIT(4096);

	(void)state;
	buf_printf(&b, "%s-%u", "a", 5U);
	buf_printf(&b, "%s", "");
	assert_true(bytes_equal(buf_bytes(&b), BYTES_LIT("a-5")));
	buf_printf(&b, "%300s|", "x");
	assert_int_equal(b.len, 3 + 301);
	assert_int_equal(b.ptr[b.len - 1], '|');
	assert_int_equal(b.ptr[b.len - 2], 'x');
}

static void
test_failure_latches(void **state)
{
	AUTO(buf) b = BUF_INIT(4);
	struct error err = {0};

	(void)state;
	buf_put_str(&b, "abc");
	buf_put_str(&b, "de");
	assert_true(b.failed);
	/* What would fit is no longer taken: the text has a hole. */
	buf_put_u8(&b, 'd');
	buf_put(&b, (struct bytes){0});
	buf_put_decimal(&b, 1);
	buf_printf(&b, "x");
	buf_grow(&b, 1);
	assert_null(buf_reserve(&b, 0));
	assert_int_equal(b.len, 3);
	assert_false(buf_ok(&b, &err));
	assert_null(buf_dup_string(&b));
	buf_clear(&b);
	buf_put_str(&b, "abcd");
	assert_true(bytes_equal(buf_bytes(&b), BYTES_LIT("abcd")));
}

static void
test_zero_state(void **state)
{
	struct buf b = {0};

	(void)state;
	buf_release(&b);
	buf_put_u8(&b, 1);
	assert_true(b.failed);
	buf_release(&b);
	assert_false(b.failed);
	buf_release(&b);
	assert_int_equal(b.limit, 0);
	buf_init(&b, 3);
	buf_put_str(&b, "abc");
	buf_release(&b);
	assert_int_equal(b.limit, 3);
	assert_int_equal(b.len, 0);
	buf_put_str(&b, "def");
	assert_false(b.failed);
	buf_release(&b);
}

static void
test_reserve(void **state)
{
	AUTO(buf) b = BUF_INIT(1000);
	uint8_t *p;

	(void)state;
	p = buf_reserve(&b, 600);
	assert_non_null(p);
	assert_int_equal(b.len, 0);
	memset(p, 'q', 600);
	buf_grow(&b, 500);
	assert_int_equal(b.len, 500);
	p = buf_reserve(&b, 500);
	assert_ptr_equal(p, b.ptr + 500);
	assert_int_equal(b.ptr[499], 'q');
	assert_null(buf_reserve(&b, 501));
	assert_null(buf_reserve(&b, SIZE_MAX));
	buf_clear(&b);
	assert_null(buf_reserve(&b, SIZE_MAX));
}

static void
test_dup_string(void **state)
{
	AUTO(buf) b = BUF_INIT(16);
	char *s = buf_dup_string(&b);

	(void)state;
	assert_string_equal(s, "");
	free(s);
	buf_put_str(&b, "abc");
	s = buf_dup_string(&b);
	assert_string_equal(s, "abc");
	free(s);
}

static void
test_bytes(void **state)
{
	struct bytes none = {0};

	(void)state;
	assert_true(bytes_equal(none, BYTES_LIT("")));
	assert_false(bytes_equal(none, BYTES_LIT("a")));
	assert_false(bytes_equal(BYTES_LIT("ab"), BYTES_LIT("a")));
	assert_false(bytes_equal(BYTES_LIT("a\0b"), BYTES_LIT("a\0c")));
	assert_true(bytes_starts(BYTES_LIT("abc"), BYTES_LIT("ab")));
	assert_true(bytes_starts(none, none));
	assert_false(bytes_starts(none, BYTES_LIT("a")));
	assert_false(bytes_starts(BYTES_LIT("a"), BYTES_LIT("ab")));
	assert_true(
	    bytes_equal(bytes_slice(BYTES_LIT("abcd"), 1, 3), BYTES_LIT("bc")));
	assert_int_equal(bytes_slice(none, 0, 0).len, 0);
}

static void
test_checked(void **state)
{
	size_t n;
	uint64_t u;

	(void)state;
	assert_true(checked_add_size(SIZE_MAX - 1, 1, &n));
	assert_int_equal(n, SIZE_MAX);
	assert_false(checked_add_size(SIZE_MAX, 1, &n));
	assert_true(checked_mul_size(SIZE_MAX / 2, 2, &n));
	assert_false(checked_mul_size(SIZE_MAX / 2 + 1, 2, &n));
	assert_false(checked_add_u64(UINT64_MAX, UINT64_MAX, &u));
	assert_true(checked_mul_u64(UINT64_MAX, 1, &u));
	assert_false(checked_mul_u64(UINT64_MAX, 2, &u));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_put),
	    cmocka_unit_test(test_decimal),
	    cmocka_unit_test(test_limit),
	    cmocka_unit_test(test_printf),
	    cmocka_unit_test(test_failure_latches),
	    cmocka_unit_test(test_zero_state),
	    cmocka_unit_test(test_reserve),
	    cmocka_unit_test(test_dup_string),
	    cmocka_unit_test(test_bytes),
	    cmocka_unit_test(test_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
