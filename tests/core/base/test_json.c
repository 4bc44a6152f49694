/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/encoding.h"
#include "core/base/json.h"

static void
test_accepts(void **state)
{
	static const char *const cases[] = {
	    "{}",
	    " {\"a\": [1, 2.5, null, true]}\n",
	    "\"text\"",
	    "0",
	    "null",
	    "\"\\u00e9\\ud83c\\udf33\"",
	    "\"[[[[[[[[[[[[[[[[[[[[[[\"",
	    "\"\\\"[[[[[[[[[[[[[[[[[[[[[[\"",
	    "9223372036854775807",
	    "{\"a\":1,\"A\":2}",
	    "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
	    "[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO_PTR(json_t) v = NULL;
		struct error err = {0};

		if (!json_parse(bytes_str(cases[i]), 1000, &v, &err))
			fail_msg("%s: %s", cases[i], err.text);
	}
}

#define S(s)                                                                   \
	{                                                                      \
		(const uint8_t *)(s), sizeof(s) - 1                            \
	}

static void
test_refuses(void **state)
{
	static const struct bytes cases[] = {
	    {0},
	    S(" "),
	    S("{"),
	    S("}"),
	    S("{}{}"),
	    S("{} x"),
	    S("{}\0"),
	    S("\0{}"),
	    S("{}\0\0\0"),
	    S("{\0}"),
	    S("\xef\xbb\xbf{}"),
	    S("{\"a\":1,\"a\":2}"),
	    S("{\"a\":1,\"\\u0061\":2}"),
	    S("{\"x\":{\"a\":1,\"b\":1,\"a\":1}}"),
	    S("{a:1}"),
	    S("{'a':1}"),
	    S("{\"a\":1,}"),
	    S("[1,]"),
	    S("[1 2]"),
	    S("// c\n{}"),
	    S("\"a\\u0000b\""),
	    S("{\"a\\u0000\":1}"),
	    S("\"a\0b\""),
	    S("\"a\nb\""),
	    S("\"\\x41\""),
	    S("\"\xff\""),
	    S("\"\xc0\x80\""),
	    S("\"\xed\xa0\x80\""),
	    S("\"\\ud800\""),
	    S("\"\\udc00\\ud800\""),
	    S("\"open"),
	    S("\"open\\"),
	    S("01"),
	    S("+1"),
	    S(".5"),
	    S("1."),
	    S("0x10"),
	    S("NaN"),
	    S("Infinity"),
	    S("1e999"),
	    S("18446744073709551616"),
	    S("True"),
	    S("[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]"),
	    S("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["),
	    S("{\"\\\\\":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}"),
	    S("]]]][[[[[[[[[[[[[[[[["),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *v = NULL;
		struct error err = {0};

		if (json_parse(cases[i], 1000, &v, &err))
			fail_msg("accepted case %zu", i);
		assert_int_equal(err.code, ERR_SYNTAX);
		assert_true(utf8_valid(bytes_str(err.text)));
		assert_null(v);
	}
}

static void
test_depth(void **state)
{
	static uint8_t deep[100000];
	struct error err = {0};
	json_t *v = NULL;

	(void)state;
	memset(deep, '[', sizeof(deep));
	assert_false(json_parse(BYTES_OF(deep), sizeof(deep), &v, &err));
	assert_int_equal(err.code, ERR_SYNTAX);
}

static void
test_limit(void **state)
{
	struct error err = {0};
	json_t *v = NULL;

	(void)state;
	assert_false(json_parse(BYTES_LIT("[1]"), 2, &v, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	err = (struct error){0};
	assert_true(json_parse(BYTES_LIT("[1]"), 3, &v, &err));
	json_decref(v);
}

static void
test_not_terminated(void **state)
{
	static const uint8_t in[] = {'[', '1', ']'};
	struct error err = {0};
	json_t *v = NULL;

	(void)state;
	assert_true(json_parse(BYTES_OF(in), sizeof(in), &v, &err));
	json_decref(v);
	assert_false(json_parse(bytes_of(in, sizeof(in) - 1), 10, &v, &err));
}

static void
test_put_string(void **state)
{
	static const struct {
		struct bytes text;
		const char *json;
	} cases[] = {
	    {S(""), "\"\""},
	    {S("plain /"), "\"plain /\""},
	    {S("a\"b\\c"), "\"a\\\"b\\\\c\""},
	    {S("\n\r\t\b"), "\"\\n\\u000d\\u0009\\u0008\""},
	    {S("\0\x1f\x7f"), "\"\\u0000\\u001f\x7f\""},
	    {S("\xe2\x80\x94\xf0\x9f\x8c\xb3"),
		"\"\xe2\x80\x94\xf0\x9f\x8c\xb3\""},
	    {S("</script>"), "\"</script>\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) out = BUF_INIT(100);

		json_put_string(&out, cases[i].text);
		assert_true(
		    bytes_equal(buf_bytes(&out), bytes_str(cases[i].json)));
	}
}

/* What is written reads back, for every character below 0x80 but NUL. */
static void
test_string_round_trip(void **state)
{
	(void)state;
	for (int c = 1; c < 0x80; c++) {
		AUTO(buf) out = BUF_INIT(100);
		AUTO_PTR(json_t) v = NULL;
		struct error err = {0};
		uint8_t text[2] = {(uint8_t)c, 'x'};

		json_put_string(&out, BYTES_OF(text));
		assert_true(json_parse(buf_bytes(&out), 100, &v, &err));
		assert_true(bytes_equal(json_text(v), BYTES_OF(text)));
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepts),
	    cmocka_unit_test(test_refuses),
	    cmocka_unit_test(test_depth),
	    cmocka_unit_test(test_limit),
	    cmocka_unit_test(test_not_terminated),
	    cmocka_unit_test(test_put_string),
	    cmocka_unit_test(test_string_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
