/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/json.h"
#include "core/verify/verdict_code.h"
#include "tests/core/verify/changes.h"

static struct parties parties;
static struct scene scene;
static struct verdict verdict;

static int
setup(void **state)
{
	(void)state;
	parties_open(&parties);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	parties_close(&parties);
	return 0;
}

/* --- codes --- */

/* All reasons have one code, which has a name. */
static void
test_reasons(void **state)
{
	const char *reason, *other;
	int code, again;
	size_t n;

	(void)state;
	for (n = 0; verdict_reason_at(n, &reason, &code); n++) {
		struct error err = {.code = ERR_BADSIG, .reason = reason};

		assert_int_equal(verdict_code_of(&err), code);
		assert_int_not_equal(code, VERDICT_ACCEPTED);
		assert_string_not_equal(verdict_code_name(code), "unknown");
		for (size_t k = 0; k < n; k++) {
			assert_true(verdict_reason_at(k, &other, &again));
			assert_string_not_equal(reason, other);
		}
	}
	assert_true(n > 50);
	assert_false(verdict_reason_at(n + 1, &reason, &code));
	/* And all reasons of the verifier's own test are in it. */
	for (size_t i = 0; i < REFUSALS; i++) {
		struct error err = {
		    .code = ERR_NONE, .reason = refusals[i].reason};

		assert_int_equal(verdict_code_of(&err), refusals[i].code);
	}
}

/* Without a reason, or with one that nobody knows, the class decides; nothing
 * is accepted. */
static void
test_classes(void **state)
{
	static const struct {
		enum error_code class;
		int code;
	} cases[] = {
	    {ERR_NONE, 1},
	    {ERR_USAGE, 2},
	    {ERR_LIMIT, 12},
	    {ERR_SYNTAX, 12},
	    {ERR_BADSIG, 11},
	    {ERR_DENIED, 13},
	    {ERR_NOTFOUND, 40},
	    {ERR_CONFLICT, 40},
	    {ERR_UNAVAILABLE, 30},
	    {ERR_IO, 40},
	    {ERR_INTERNAL, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {.code = cases[i].class};

		assert_int_equal(verdict_code_of(&err), cases[i].code);
		err.reason = "no-such-reason";
		assert_int_equal(verdict_code_of(&err), cases[i].code);
	}
	assert_string_equal(verdict_code_name(0), "accepted");
	assert_string_equal(verdict_code_name(10), "content-mismatch");
	assert_string_equal(verdict_code_name(3), "unknown");
	assert_string_equal(verdict_code_name(-1), "unknown");
	assert_string_equal(verdict_code_name(99), "unknown");
}

static void
test_worse(void **state)
{
	/* From the best to the worst. */
	static const int order[] = {0, 30, 44, 10, 20, 2};
	size_t n = sizeof(order) / sizeof(order[0]);

	(void)state;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < n; k++)
			assert_int_equal(verdict_worse(order[i], order[k]),
			    order[i > k ? i : k]);
	assert_int_equal(verdict_worse(10, 17), 10); /* the first stays */
	assert_int_equal(verdict_worse(1, 20), 1);
	assert_int_equal(verdict_worse(20, 99), 99);
	assert_int_equal(verdict_worse(20, -1), -1);
}

/* --- a verdict --- */

static void
test_init(void **state)
{
	struct error err = {0};

	(void)state;
	verdict_init(&verdict);
	assert_int_equal(verdict.code, VERDICT_INTERNAL);
	assert_string_equal(verdict.reason, "internal");
	/* Whatever there is to say, it is a refusal with a word. */
	verdict_refuse(&verdict, &err);
	assert_int_equal(verdict.code, VERDICT_INTERNAL);
	assert_true(strlen(verdict.message) > 0);
	verdict_release(&verdict);
	/* The first cause stays. */
	verdict_init(&verdict);
	(void)error_reason(&err, ERR_BADSIG, "file-changed", "first");
	verdict_refuse(&verdict, &err);
	err = (struct error){0};
	(void)error_reason(&err, ERR_DENIED, "withdrawn", "second");
	verdict_refuse(&verdict, &err);
	assert_int_equal(verdict.code, VERDICT_CONTENT_MISMATCH);
	assert_string_equal(verdict.message, "first");
	verdict_release(&verdict);
}

static void
test_escaped(void **state)
{
	static const struct {
		const char *in, *out;
	} cases[] = {
	    {"plain ~", "plain ~"},
	    {"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x98",
		"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x98"},
	    {"a\\x41", "a\\\\x41"},
	    {"\033[31mred", "\\x1b[31mred"},
	    {"two\nlines\r\t", "two\\x0alines\\x0d\\x09"},
	    {"\x7f", "\\x7f"},
	    {"\xc2\x9b"
	     "31m",
		"\\xc2\\x9b31m"},
	    {"\xe2\x80\xae"
	     "gpj.exe",
		"\\xe2\\x80\\xaegpj.exe"},
	    {"\xe2\x80\x8b", "\\xe2\\x80\\x8b"},
	    {"\xe2\x81\xa6", "\\xe2\\x81\\xa6"},
	    {"\xd8\x9c", "\\xd8\\x9c"},
	    {"\xef\xbb\xbf", "\\xef\\xbb\\xbf"},
	    {"\xff\xfe", "\\xff\\xfe"},
	    {"\xc0\xaf", "\\xc0\\xaf"},
	    {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
	    {"\xe2\x82", "\\xe2\\x82"},
	    {"\xf0\x9f\x90", "\\xf0\\x9f\\x90"},
	};
	AUTO(buf) zero = BUF_INIT(16);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) out = BUF_INIT(256);

		escaped_put(&out, bytes_str(cases[i].in));
		if (!bytes_equal(buf_bytes(&out), bytes_str(cases[i].out)))
			fail_msg("%zu: %.*s", i, (int)out.len, (char *)out.ptr);
	}
	escaped_put(&zero, BYTES_LIT("a\0b"));
	assert_true(bytes_equal(buf_bytes(&zero), BYTES_LIT("a\\x00b")));
}

/* --- as JSON and as text --- */

static json_t *
judged(void (*change)(struct scene *))
{
	AUTO(buf) out = BUF_INIT(VERDICT_JSON_MAX);
	struct error err = {0};
	json_t *v = NULL;

	scene_init(&scene, &parties);
	if (change)
		change(&scene);
	scene_build(&scene);
	assert_int_equal(scene_verify(&scene, &verdict), !change);
	verdict_json(&verdict, &out);
	if (!json_parse(buf_bytes(&out), VERDICT_JSON_MAX, &v, &err))
		fail_msg("%s", err.text);
	assert_null(memchr(out.ptr, '\n', out.len));
	return v;
}

static void
done(json_t *v)
{
	json_decref(v);
	verdict_release(&verdict);
	scene_release(&scene);
}

static bool
is_text(const json_t *v, const char *name, const char *want)
{
	const json_t *m = json_object_get(v, name);

	return want ? bytes_equal(json_text(m), bytes_str(want))
		    : json_is_null(m);
}

static void
test_json_accepted(void **state)
{
	json_t *v = judged(NULL);
	const json_t *signer = json_object_get(v, "signer");
	const json_t *log = json_object_get(v, "log");

	(void)state;
	assert_true(is_text(v, "schema", "mtlog-verdict/1"));
	assert_true(json_is_true(json_object_get(v, "accepted")));
	assert_int_equal(json_integer_value(json_object_get(v, "code")), 0);
	assert_true(is_text(v, "reason", NULL));
	assert_true(is_text(v, "name", NAME) && is_text(v, "version", "1.0"));
	assert_true(is_text(signer, "party", "ci") &&
	    is_text(signer, "kind", "cert") &&
	    is_text(signer, "identity", IDENTITY));
	assert_true(
	    is_text(log, "origin", ORIGIN) && is_text(log, "index", "5"));
	assert_int_equal(json_array_size(json_object_get(log, "witnesses")), 2);
	assert_true(is_text(v, "hold", "verity"));
	assert_int_equal(json_array_size(json_object_get(v, "weakened")), 0);
	assert_int_equal(json_array_size(json_object_get(v, "checks")), 24);
	done(v);
}

/* Under a bad signature nothing is told as if it were true. */
static void
test_json_forged(void **state)
{
	json_t *v = judged(signature_spoiled);

	(void)state;
	assert_true(json_is_false(json_object_get(v, "accepted")));
	assert_int_equal(json_integer_value(json_object_get(v, "code")), 11);
	assert_true(is_text(v, "reason", "signature"));
	assert_true(is_text(v, "name", NULL) && is_text(v, "version", NULL));
	assert_true(is_text(v, "statement", NULL) && is_text(v, "root", NULL));
	assert_true(json_is_null(json_object_get(v, "signer")));
	assert_true(json_is_null(json_object_get(v, "log")));
	done(v);
	v = judged(proof_flipped);
	assert_true(json_is_null(json_object_get(v, "log")));
	done(v);
	v = judged(log_forged);
	assert_true(json_is_null(json_object_get(v, "log")));
	done(v);
}

/* Every change of the table gives one line of JSON, and a text with a line for
 * each requirement and the reason. */
static void
test_all_refusals(void **state)
{
	(void)state;
	for (size_t i = 0; i < REFUSALS; i++) {
		AUTO(buf) text = BUF_INIT(VERDICT_JSON_MAX);
		AUTO(buf) painted = BUF_INIT(VERDICT_JSON_MAX);
		json_t *v = judged(refusals[i].change);
		size_t lines = 0;
		char *all;

		assert_true(is_text(v, "reason", refusals[i].reason));
		assert_true(is_text(v, "message", verdict.message));
		verdict_text(&verdict, false, &text);
		verdict_text(&verdict, true, &painted);
		for (size_t k = 0; k < text.len; k++)
			lines += text.ptr[k] == '\n';
		assert_true(lines >= 24 + 2);
		all = buf_dup_string(&text);
		assert_non_null(all);
		assert_non_null(strstr(all, refusals[i].reason));
		assert_null(strchr(all, '\033'));
		assert_null(strstr(all, "\naccepted"));
		assert_non_null(memchr(painted.ptr, '\033', painted.len));
		free(all);
		done(v);
	}
}

/* A name from outside cannot write on the terminal, nor break the JSON. */
static void
test_hostile_names(void **state)
{
	AUTO(buf) json = BUF_INIT(VERDICT_JSON_MAX);
	AUTO(buf) text = BUF_INIT(VERDICT_JSON_MAX);
	struct error err = {0};
	json_t *v = NULL;

	(void)state;
	verdict_init(&verdict);
	(void)error_reason(
	    &err, ERR_BADSIG, "file-changed", "%s", "a\033[2J\"\n");
	verdict_refuse(&verdict, &err);
	verdict.model = BYTES_LIT("m\033[2J\xff");
	verdict.files.changed_count = 1;
	verdict.files.changed[0] = (struct verdict_change){
	    .name = BYTES_LIT("x\"\n\xe2\x80\xaey"), .digest_len = 32};
	verdict.files.missing_count = VERDICT_MAX_NAMES + 5;
	for (size_t i = 0; i < VERDICT_MAX_NAMES; i++)
		verdict.files.missing[i] = BYTES_LIT("\x01");
	verdict_json(&verdict, &json);
	verdict_text(&verdict, false, &text);
	err = (struct error){0};
	if (!json_parse(buf_bytes(&json), VERDICT_JSON_MAX, &v, &err))
		fail_msg("%s", err.text);
	assert_int_equal(json_array_size(json_object_get(
			     json_object_get(v, "files"), "missing")),
	    VERDICT_MAX_NAMES);
	json_decref(v);
	for (size_t i = 0; i < text.len; i++)
		assert_true(text.ptr[i] == '\n' || text.ptr[i] >= 0x20);
	verdict_release(&verdict);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_reasons),
	    cmocka_unit_test(test_classes),
	    cmocka_unit_test(test_worse),
	    cmocka_unit_test(test_init),
	    cmocka_unit_test(test_escaped),
	    cmocka_unit_test(test_json_accepted),
	    cmocka_unit_test(test_json_forged),
	    cmocka_unit_test(test_all_refusals),
	    cmocka_unit_test(test_hostile_names),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
