/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/rule_text.h"

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static void
same(struct bytes got, const char *want)
{
	assert_true(bytes_equal(got, bytes_str(want)));
}

static void
test_keys(void **state)
{
	struct rule_key k;

	(void)state;
	assert_true(rule_key_parse(bytes_str(HEX64), &k));
	assert_true(k.is_hash);
	assert_int_equal(k.spki.b[31], 0xff);
	assert_true(rule_key_parse(bytes_str("keys/alice and bob.pem"), &k));
	assert_false(k.is_hash);
	same(k.path, "keys/alice and bob.pem");
	/* one digit short is the name of a file, as any other text */
	assert_true(rule_key_parse(bytes_str(&HEX64[1]), &k));
	assert_false(k.is_hash);
	assert_false(rule_key_parse(bytes_str(""), &k));
	assert_false(rule_key_parse(bytes_str(" a"), &k));
}

static const struct {
	const char *text;
	enum certificate_name_kind kind; /* 0: refused */
	const char *value, *issuer, *path;
} identities[] = {
    {"email:a@example.org roots.pem", CERTIFICATE_EMAIL, "a@example.org", "",
	"roots.pem"},
    {"uri:https://ci.example/x?a=b a b.pem", CERTIFICATE_URI,
	"https://ci.example/x?a=b", "", "a b.pem"},
    {"dns:example.org issuer=https://idp.example /r.pem", CERTIFICATE_DNS,
	"example.org", "https://idp.example", "/r.pem"},
    {"other:a!b issuer", CERTIFICATE_OTHER, "a!b", "", "issuer"},
    {"email:a@example.org", 0, 0, 0, 0},
    {"email:a@example.org ", 0, 0, 0, 0},
    {"email: roots.pem", 0, 0, 0, 0},
    {"a@example.org roots.pem", 0, 0, 0, 0},
    {"mail:a@example.org roots.pem", 0, 0, 0, 0},
    {"Email:a@example.org roots.pem", 0, 0, 0, 0},
    {"email:a  roots.pem", 0, 0, 0, 0},
    {"email:a issuer= roots.pem", 0, 0, 0, 0},
    {"email:a issuer=b", 0, 0, 0, 0},
    {"email:a issuer=b ", 0, 0, 0, 0},
    {"", 0, 0, 0, 0},
};

static void
test_identities(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(identities) / sizeof(identities[0]);
	     i++) {
		struct rule_identity r;
		bool ok =
		    rule_identity_parse(bytes_str(identities[i].text), &r);

		if (ok != (identities[i].kind != 0))
			fail_msg("%s", identities[i].text);
		if (!ok)
			continue;
		assert_int_equal(r.kind, identities[i].kind);
		same(r.value, identities[i].value);
		same(r.issuer, identities[i].issuer);
		same(r.path, identities[i].path);
	}
}

static const struct {
	const char *text;
	uint64_t per_day; /* 0: refused */
	const char *pattern, *path;
} tokens[] = {
    {"* 1 t", 1, "*", "t"},
    {"acme/* 1000 tokens/a b", 1000, "acme/*", "tokens/a b"},
    {"acme/prod/r50 1000000000 /t", 1000000000, "acme/prod/r50", "/t"},
    {"acme/* 0 t", 0, 0, 0},
    {"acme/* 01 t", 0, 0, 0},
    {"acme/* -1 t", 0, 0, 0},
    {"acme/* 1000000001 t", 0, 0, 0},
    {"acme/* 99999999999999999999 t", 0, 0, 0},
    {"acme/* 5", 0, 0, 0},
    {"acme/* 5 ", 0, 0, 0},
    {"acme/* 5  t", 0, 0, 0},
    {"acme/* t", 0, 0, 0},
    {"acme* 5 t", 0, 0, 0},
    {"acme/**  5 t", 0, 0, 0},
    {"*/acme 5 t", 0, 0, 0},
    {"/* 5 t", 0, 0, 0},
    {"/acme 5 t", 0, 0, 0},
    {"acme/ 5 t", 0, 0, 0},
    {" 5 t", 0, 0, 0},
    {"", 0, 0, 0},
};

static void
test_tokens(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(tokens) / sizeof(tokens[0]); i++) {
		struct rule_token r;
		bool ok = rule_token_parse(bytes_str(tokens[i].text), &r);

		if (ok != (tokens[i].per_day != 0))
			fail_msg("%s", tokens[i].text);
		if (!ok)
			continue;
		assert_int_equal(r.per_day, tokens[i].per_day);
		same(r.pattern, tokens[i].pattern);
		same(r.path, tokens[i].path);
	}
}

static void
test_witnesses(void **state)
{
	static const struct {
		const char *text, *name, *monitoring;
		uint64_t interval, timeout;
	} good[] = {
	    {"n interval=50", "n", "", 50, 0},
	    {"n interval=3600000 timeout=60", "n", "", 3600000, 60},
	    {"n timeout=1", "n", "", 0, 1},
	    {"n monitoring=https://m", "n", "https://m", 0, 0},
	    {"\xc3\xbc.example interval=99 timeout=2 monitoring=http://m/a b",
		"\xc3\xbc.example", "http://m/a b", 99, 2},
	};
	static const char *const bad[] = {"", "n", "n ", " interval=50",
	    "n interval=", "n interval=49", "n interval=3600001",
	    "n interval=050", "n interval=50 ", "n interval=50s",
	    "n interval=50 interval=50", "n timeout=0", "n timeout=61",
	    "n timeout=5 interval=50", "n  timeout=5",
	    "n monitoring=", "n timeout=5 x", "n retries=5"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct rule_witness r;

		assert_true(rule_witness_parse(bytes_str(good[i].text), &r));
		same(r.name, good[i].name);
		same(r.monitoring, good[i].monitoring);
		assert_int_equal(r.interval_ms, good[i].interval);
		assert_int_equal(r.timeout_s, good[i].timeout);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct rule_witness r;

		if (rule_witness_parse(bytes_str(bad[i]), &r))
			fail_msg("taken: \"%s\"", bad[i]);
	}
}

static void
test_patterns(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool matches;
	} cases[] = {
	    {"*", "a", true},
	    {"*", "", true},
	    {"*", "a/b", true},
	    {"a", "a", true},
	    {"a", "a/b", false},
	    {"a", "b", false},
	    {"a", "", false},
	    {"a/*", "a/b", true},
	    {"a/*", "a/b/c", true},
	    {"a/*", "a", false},
	    {"a/*", "a/", false},
	    {"a/*", "ab/c", false},
	    {"a/*", "b/a/c", false},
	    {"a/*", "", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (rule_pattern_matches(bytes_str(cases[i].pattern),
			bytes_str(cases[i].name)) != cases[i].matches)
			fail_msg("%s, %s", cases[i].pattern, cases[i].name);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_identities),
	    cmocka_unit_test(test_tokens),
	    cmocka_unit_test(test_witnesses),
	    cmocka_unit_test(test_patterns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
