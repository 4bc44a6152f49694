/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/base/json.h"
#include "core/base/json_reader.h"

#define S(s)                                                                   \
	{                                                                      \
		(const uint8_t *)(s), sizeof(s) - 1                            \
	}

#define DEEP_8	"[[[[[[[["
#define DEEP_8E "]]]]]]]]"

/* Reads one value of any kind, and what follows it. */
static bool
skips(struct bytes in, struct error *err)
{
	AUTO(arena) a = ARENA_INIT(4096);
	struct json_reader r;

	json_reader_init(&r, in, &a, err);
	return json_reader_skip(&r) && json_reader_end(&r);
}

static void
test_accepts(void **state)
{
	static const struct bytes cases[] = {
	    S("{}"),
	    S("[]"),
	    S(" \t\r\n{ \"a\" : [ 1 , 2.5 , null , true , false ] } \n"),
	    S("\"text\""),
	    S("\"\""),
	    S("0"),
	    S("-0"),
	    S("-12.50e+10"),
	    S("1E5"),
	    S("0.0"),
	    S("123456789012345678901234567890"),
	    S("1e999"),
	    S("null"),
	    S("true"),
	    S("\"\\u00e9\\ud83c\\udf33 \\\" \\\\ \\/ \\b\\f\\n\\r\\t\""),
	    S("\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x8c\xb3 \x7f\""),
	    S("\"\\uFFFF\\ud7ff\\ue000\""),
	    S("\"[[[[[[[[[[[[[[[[[[[[[[\""),
	    S("{\"a\":1,\"A\":2,\"\":3}"),
	    S("{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":1}]}"),
	    S(DEEP_8 DEEP_8 DEEP_8E DEEP_8E),
	    S("[{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{},{}]"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};

		if (!skips(cases[i], &err))
			fail_msg("%zu: %s", i, err.text);
	}
}

static const struct bytes refused[] = {
    {0},
    S(" "),
    S("{"),
    S("}"),
    S("["),
    S("]"),
    S("{}{}"),
    S("{} x"),
    S("{}\0"),
    S("\0{}"),
    S("{\0}"),
    S("\xef\xbb\xbf{}"),
    S("{\"a\":1,\"a\":2}"),
    S("{\"a\":1,\"\\u0061\":2}"),
    S("{\"\\u0061\":1,\"b\":0,\"\\u0061\":2}"),
    S("{\"x\":[{\"a\":1,\"a\":2}]}"),
    S("{\"\":1,\"\":2}"),
    S("{\"a\"}"),
    S("{\"a\":}"),
    S("{\"a\" 1}"),
    S("{a:1}"),
    S("{'a':1}"),
    S("{1:1}"),
    S("{,}"),
    S("{\"a\":1,}"),
    S("{\"a\":1 \"b\":2}"),
    S("{\"a\":1]"),
    S("[1,]"),
    S("[,1]"),
    S("[1 2]"),
    S("[1}"),
    S("[1"),
    S("[1,"),
    S("nul"),
    S("nulll"),
    S("Null"),
    S("True"),
    S("tru"),
    S("falsey"),
    S("NaN"),
    S("Infinity"),
    S("-"),
    S("+1"),
    S("01"),
    S("-01"),
    S("00"),
    S(".5"),
    S("1."),
    S("1.e5"),
    S("1e"),
    S("1e+"),
    S("0x10"),
    S("1,"),
    S("1 2"),
    S("--1"),
    S("\""),
    S("\"abc"),
    S("\"\\\""),
    S("\"\\"),
    S("\"\\u\""),
    S("\"\\u12\""),
    S("\"\\u12g4\""),
    S("\"\\u 123\""),
    S("\"\\U0041\""),
    S("\"\\x41\""),
    S("\"\\'\""),
    S("\"\\0\""),
    S("\"\\\0\""),
    S("\"\\a\""),
    S("\"\n\""),
    S("\"\t\""),
    S("\"\x1f\""),
    S("\"12345678\x01 12345678\""),
    S("\"a\0b\""),
    S("\"\\u0000\""),
    S("{\"a\\u0000\":1}"),
    S("\"\\ud83c\""),
    S("\"\\udf33\""),
    S("\"\\udf33\\ud83c\""),
    S("\"\\ud83c\\ud83c\""),
    S("\"\\ud83cx\""),
    S("\"\\ud83c\\n\""),
    S("\"\\ud83c\\u0041\""),
    S("\"\\ud83c\\u"),
    S("\"\xff\""),
    S("\"\xc0\x80\""),
    S("\"\xed\xa0\x80\""),
    S("\"\xf4\x90\x80\x80\""),
    S("\"\xc3\""),
    S("\"1234567\xc3\""),
    S("\"\\\xc3\xa9\""),
    S("{\"\xff\":1}"),
    S("\"a\" // comment"),
    S("/**/1"),
};

static void
test_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct error err = {0};

		if (skips(refused[i], &err) || err.code != ERR_SYNTAX)
			fail_msg("%zu %.*s: %s", i, (int)refused[i].len,
			    refused[i].ptr, err.text);
	}
}

/* An object of `n` members, in another one that has as many. */
static void
put_members(struct buf *out, size_t n)
{
	buf_put_str(out, "{\"x\":{");
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "%s\"m%zu\":%zu", i > 0 ? "," : "", i, i);
	buf_put_str(out, "}");
	for (size_t i = 1; i < n; i++)
		buf_printf(out, ",\"m%zu\":%zu", i, i);
	buf_put_str(out, "}");
}

static void
test_limits(void **state)
{
	AUTO(buf) most = BUF_INIT(4096);
	AUTO(buf) over = BUF_INIT(4096);
	struct error err = {0};

	(void)state;
	put_members(&most, JSON_READER_MEMBERS);
	assert_true(skips(buf_bytes(&most), &err));
	put_members(&over, JSON_READER_MEMBERS + 1);
	assert_false(skips(buf_bytes(&over), &err));
	assert_int_equal(err.code, ERR_LIMIT);
	err = (struct error){0};
	assert_false(
	    skips(BYTES_LIT(DEEP_8 DEEP_8 "[]" DEEP_8E DEEP_8E), &err));
	assert_int_equal(err.code, ERR_LIMIT);
	err = (struct error){0};
	assert_false(
	    skips(BYTES_LIT(DEEP_8 DEEP_8 "{}" DEEP_8E DEEP_8E), &err));
	assert_int_equal(err.code, ERR_LIMIT);
}

/* Every place where a character can stand, for the run that is read eight
 * bytes at a time. */
static void
test_places(void **state)
{
	static const uint8_t plain[] = {
	    0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7e, 0x7f, '0'};

	(void)state;
	for (size_t len = 1; len < 40; len++) {
		uint8_t text[42];

		for (size_t at = 0; at < len; at++) {
			for (unsigned c = 0; c < 0x100; c++) {
				struct error err = {0};

				for (size_t i = 0; i < len; i++)
					text[i + 1] = plain[(i + c) % 8];
				text[0] = text[len + 1] = '"';
				text[at + 1] = (uint8_t)c;
				if (skips(bytes_of(text, len + 2), &err) !=
				    (c >= 0x20 && c < 0x80 && c != '"' &&
					c != '\\'))
					fail_msg("%02x at %zu", c, at);
			}
		}
	}
}

static void
test_strings(void **state)
{
	static const struct {
		struct bytes in, out;
		bool borrows;
	} cases[] = {
	    {S("\"\""), S(""), true},
	    {S("\"abc\""), S("abc"), true},
	    {S(" \"gr\xc3\xb6\xc3\x9f"
	       "e\" "),
		S("gr\xc3\xb6\xc3\x9f"
		  "e"),
		true},
	    {S("\"\\u0061\""), S("a"), false},
	    {S("\"a\\/b\""), S("a/b"), false},
	    {S("\"\\\"\\\\\\b\\f\\n\\r\\t\""), S("\"\\\b\f\n\r\t"), false},
	    {S("\"\\u0001\\u007f\""), S("\x01\x7f"), false},
	    {S("\"\\u0080\\u07FF\""), S("\xc2\x80\xdf\xbf"), false},
	    {S("\"\\u0800\\uffff\""), S("\xe0\xa0\x80\xef\xbf\xbf"), false},
	    {S("\"\\ud800\\udc00\""), S("\xf0\x90\x80\x80"), false},
	    {S("\"\\uDBFF\\uDFFF\""), S("\xf4\x8f\xbf\xbf"), false},
	    {S("\"x\\ud83c\\udf33y\""), S("x\xf0\x9f\x8c\xb3y"), false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(arena) a = ARENA_INIT(64);
		struct error err = {0};
		struct json_reader r;
		struct bytes out = {0};

		json_reader_init(&r, cases[i].in, &a, &err);
		if (!json_reader_string(&r, &out) || !json_reader_end(&r))
			fail_msg("%zu: %s", i, err.text);
		if (!bytes_equal(out, cases[i].out))
			fail_msg("%zu: %.*s", i, (int)out.len, out.ptr);
		assert_int_equal(a.used == 0, cases[i].borrows);
	}
}

/* What is skipped takes no memory; what is taken, no more than there is. */
static void
test_memory(void **state)
{
	AUTO(arena) a = ARENA_INIT(16);
	struct error err = {0};
	struct json_reader r;
	struct bytes out;

	(void)state;
	json_reader_init(&r,
	    BYTES_LIT("[\"\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\",\"\\n\","
		      "\"\\n\"]"),
	    &a, &err);
	assert_true(json_reader_skip(&r));
	assert_int_equal(a.used, 0);
	json_reader_init(&r, BYTES_LIT("\"\\n345678901234567\""), &a, &err);
	assert_false(json_reader_string(&r, &out));
	assert_int_equal(err.code, ERR_LIMIT);
}

static void
test_integers(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		uint64_t value;
	} cases[] = {
	    {"0", true, 0},
	    {"7", true, 7},
	    {"1000", true, 1000},
	    {"1000.0", true, 1000},
	    {"1000.000", true, 1000},
	    {"1e9", true, 1000000000},
	    {"1E+9", true, 1000000000},
	    {"1.5e3", true, 1500},
	    {"15e-1", false, 0},
	    {"150e-1", true, 15},
	    {"0.0", true, 0},
	    {"0e5", true, 0},
	    {"0e99999999999999999999", true, 0},
	    {"1000000000.0", true, 1000000000},
	    {"9007199254740992", true, UINT64_C(9007199254740992)},
	    {"9007199254740993", false, 0},
	    {"9007199254740992.0", true, UINT64_C(9007199254740992)},
	    {"9.007199254740992e15", true, UINT64_C(9007199254740992)},
	    {"1e16", false, 0},
	    {"1e400", false, 0},
	    {"1e99999999999999999999", false, 0},
	    {"1e-99999999999999999999", false, 0},
	    {"18446744073709551616", false, 0},
	    {"18446744073709551617", false, 0},
	    {"99999999999999999999999999999999999999999", false, 0},
	    {"0.5", false, 0},
	    {"1000.5", false, 0},
	    {"1000.00000000000001", false, 0},
	    {"-1", false, 0},
	    {"-0", false, 0},
	    {"-1000.0", false, 0},
	    {"\"7\"", false, 0},
	    {"true", false, 0},
	    {"null", false, 0},
	    {"[]", false, 0},
	    {"", false, 0},
	    {"01", false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};
		struct json_reader r;
		uint64_t out = 0;
		bool ok;

		json_reader_init(&r, bytes_str(cases[i].text), NULL, &err);
		ok = json_reader_integer(&r, &out) && json_reader_end(&r);
		if (ok != cases[i].ok || (ok && out != cases[i].value))
			fail_msg("%s: %llu %s", cases[i].text,
			    (unsigned long long)out, err.text);
		assert_int_equal(ok, err.code == ERR_NONE);
	}
}

/* A document as its users read it. */
static void
test_schema(void **state)
{
	static const char text[] =
	    "{\"list\": [{\"n\": 3}, {\"n\": null, \"other\": {\"n\": 1}}],\n"
	    " \"yes\": true, \"raw\" : [ 1, {} ] , \"na\\u006de\": \"x\"}";
	AUTO(arena) a = ARENA_INIT(4096);
	struct bytes name, raw = {0}, x = {0};
	struct json_object o, inner;
	struct json_array list;
	uint64_t sum = 0, n;
	struct error err = {0};
	struct json_reader r;
	bool yes = false, ok;
	int nulls = 0;

	(void)state;
	json_reader_init(&r, bytes_str(text), &a, &err);
	ok = json_object_open(&r, &o);
	while (ok && json_object_next(&r, &o, &name)) {
		if (bytes_equal(name, BYTES_LIT("yes"))) {
			assert_int_equal(json_reader_next(&r), 't');
			ok = json_reader_bool(&r, &yes);
		} else if (bytes_equal(name, BYTES_LIT("raw"))) {
			assert_int_equal(json_reader_next(&r), '[');
			ok = json_reader_raw(&r, &raw);
		} else if (bytes_equal(name, BYTES_LIT("name"))) {
			ok = json_reader_string(&r, &x);
		} else if (bytes_equal(name, BYTES_LIT("list"))) {
			ok = json_array_open(&r, &list);
			while (ok && json_array_next(&r, &list)) {
				ok = json_object_open(&r, &inner);
				while (
				    ok && json_object_next(&r, &inner, &name)) {
					if (!bytes_equal(name, BYTES_LIT("n")))
						ok = json_reader_skip(&r);
					else if (json_reader_null(&r))
						nulls++;
					else if ((ok = json_reader_integer(
						      &r, &n)))
						sum += n;
				}
			}
		} else {
			fail_msg("%.*s", (int)name.len, name.ptr);
		}
	}
	assert_true(ok && json_reader_end(&r));
	assert_true(yes);
	assert_int_equal(sum, 3);
	assert_int_equal(nulls, 1);
	assert_true(bytes_equal(raw, BYTES_LIT("[ 1, {} ]")));
	assert_true(bytes_equal(x, BYTES_LIT("x")));
	assert_int_equal(o.count, 4);
}

/* Each kind asked for where another one stands. */
static void
test_kinds(void **state)
{
	static const char *const kinds[] = {
	    "{}", "[]", "\"\"", "true", "null", "1", "x", ""};

	(void)state;
	for (size_t want = 0; want < 6; want++) {
		for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			struct error err = {0};
			struct json_reader r;
			struct json_object o;
			struct json_array a;
			struct bytes text;
			uint64_t n;
			bool ok = false, yes;

			json_reader_init(&r, bytes_str(kinds[i]), NULL, &err);
			if (want == 0)
				ok = json_object_open(&r, &o);
			else if (want == 1)
				ok = json_array_open(&r, &a);
			else if (want == 2)
				ok = json_reader_string(&r, &text);
			else if (want == 3)
				ok = json_reader_bool(&r, &yes);
			else if (want == 4)
				ok = json_reader_null(&r);
			else
				ok = json_reader_integer(&r, &n);
			assert_int_equal(ok, i == want);
			/* Only null is asked for without it being an error. */
			assert_int_equal(err.code == ERR_NONE, ok || want == 4);
		}
	}
}

/* After a failure nothing is read, and no loop goes on. */
static void
test_latch(void **state)
{
	AUTO(arena) a = ARENA_INIT(64);
	struct error err = {0};
	struct json_object o;
	struct json_reader r;
	struct json_array l;
	struct bytes text;
	uint64_t n;
	bool yes;

	(void)state;
	json_reader_init(
	    &r, BYTES_LIT("[true,[1],{\"a\":1},\"a\",1]"), &a, &err);
	assert_true(json_array_open(&r, &l));
	assert_true(json_array_next(&r, &l));
	assert_false(json_reader_fail(&r, "no"));
	assert_string_equal(err.text, "no");
	assert_int_equal(err.code, ERR_SYNTAX);
	assert_false(json_reader_ok(&r));
	assert_false(json_reader_bool(&r, &yes));
	assert_false(json_array_next(&r, &l));
	assert_false(json_array_open(&r, &l));
	assert_false(json_object_open(&r, &o));
	assert_false(json_object_next(&r, &o, &text));
	assert_false(json_reader_string(&r, &text));
	assert_false(json_reader_integer(&r, &n));
	assert_false(json_reader_null(&r));
	assert_false(json_reader_skip(&r));
	assert_false(json_reader_raw(&r, &text));
	assert_int_equal(json_reader_next(&r), 0);
	assert_false(json_reader_end(&r));
	assert_string_equal(err.text, "no");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepts),
	    cmocka_unit_test(test_refuses),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_places),
	    cmocka_unit_test(test_strings),
	    cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_integers),
	    cmocka_unit_test(test_schema),
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(test_latch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
