/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/encoding.h"
#include "core/base/error.h"

static void
test_first_failure_wins(void **state)
{
	struct error err = {0};

	(void)state;
	assert_false(error_set(&err, ERR_SYNTAX, "line %d", 3));
	assert_false(error_reason(&err, ERR_IO, "later", "no"));
	assert_false(error_set(&err, ERR_DENIED, "no"));
	assert_int_equal(err.code, ERR_SYNTAX);
	assert_null(err.reason);
	assert_string_equal(err.text, "line 3");
}

static void
test_reason(void **state)
{
	struct error err = {0};

	(void)state;
	assert_string_equal(error_reason_name(&err), "none");
	assert_false(error_reason(&err, ERR_LIMIT, "too-many", "%u", 9U));
	assert_string_equal(error_reason_name(&err), "too-many");
	assert_string_equal(err.text, "9");
	err = (struct error){0};
	assert_false(error_set(&err, ERR_BADSIG, "x"));
	assert_string_equal(error_reason_name(&err), "bad-signature");
}

static void
test_names(void **state)
{
	(void)state;
	for (int a = ERR_NONE; a <= ERR_INTERNAL; a++) {
		const char *name = error_code_name((enum error_code)a);

		assert_non_null(name);
		for (int b = ERR_NONE; b < a; b++)
			assert_string_not_equal(
			    name, error_code_name((enum error_code)b));
	}
}

static void
test_prefix(void **state)
{
	struct error err = {0};

	(void)state;
	assert_false(error_set(&err, ERR_IO, "no space"));
	assert_false(error_prefix(&err, "%s line %d", "file", 2));
	assert_string_equal(err.text, "file line 2: no space");
	assert_false(error_prefix(&err, "start"));
	assert_string_equal(err.text, "start: file line 2: no space");
	assert_int_equal(err.code, ERR_IO);
}

/* Texts of every length around the end of the array, in one to four bytes a
 * character: always ended, never longer, never half a character. */
static void
test_cut_text_is_utf8(void **state)
{
	static const char *const characters[] = {
	    "a", "\xc3\xa9", "\xe2\x80\x94", "\xf0\x9f\x8c\xb3"};

	(void)state;
	for (size_t c = 0; c < 4; c++) {
		for (size_t pad = 0; pad < 8; pad++) {
			char long_text[4 * ERROR_TEXT_MAX];
			struct error err = {0};
			size_t n = pad, len = strlen(characters[c]);

			memset(long_text, ' ', pad);
			while (n + len < ERROR_TEXT_MAX + 20) {
				memcpy(long_text + n, characters[c], len);
				n += len;
			}
			long_text[n] = '\0';
			assert_false(
			    error_set(&err, ERR_SYNTAX, "%s", long_text));
			assert_true(utf8_valid(bytes_str(err.text)));
			n = strlen(err.text);
			assert_true(n > ERROR_TEXT_MAX - 1 - len);
			assert_true(n < ERROR_TEXT_MAX);
			assert_false(error_prefix(
			    &err, "%.*s", (int)pad + 1, "12345678"));
			assert_true(utf8_valid(bytes_str(err.text)));
			assert_int_equal(err.text[0], '1');
			n = strlen(err.text);
			assert_true(n > ERROR_TEXT_MAX - 1 - len);
		}
	}
}

static void
test_whole_text_is_kept(void **state)
{
	char text[ERROR_TEXT_MAX];
	struct error err = {0};

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text + sizeof(text) - 4, "\xe2\x80\x94", 4);
	assert_false(error_set(&err, ERR_SYNTAX, "%s", text));
	assert_string_equal(err.text, text);
}

static void
test_long_prefix(void **state)
{
	struct error err = {0};

	(void)state;
	assert_false(error_set(&err, ERR_SYNTAX, "cause"));
	assert_false(error_prefix(&err, "%397s", "x"));
	assert_int_equal(strlen(err.text), ERROR_TEXT_MAX - 1);
	/* One that leaves no room for the cause is left out. */
	err = (struct error){0};
	assert_false(error_set(&err, ERR_SYNTAX, "cause"));
	assert_false(error_prefix(&err, "%398s", "x"));
	assert_string_equal(err.text, "cause");
	assert_false(error_prefix(&err, "%4000s", "x"));
	assert_string_equal(err.text, "cause");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_first_failure_wins),
	    cmocka_unit_test(test_reason),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_prefix),
	    cmocka_unit_test(test_cut_text_is_utf8),
	    cmocka_unit_test(test_whole_text_is_kept),
	    cmocka_unit_test(test_long_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
