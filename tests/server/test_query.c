/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/query.h"

#include "tests/server/log_fixture.h"

#define H64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define H96 H64 "00112233445566778899aabbccddeeff"

static void
parse(const char *text, struct query *q)
{
	struct error err = {0};

	must(query_parse(bytes_str(text), q, &err), &err);
}

static const struct {
	const char *text;
	enum query_term term;
	const char *value;
} accepted[] = {
    {"model=acme/resnet50", QUERY_MODEL, "acme/resnet50"},
    {"model=acme%2Fresnet50", QUERY_MODEL, "acme/resnet50"},
    {"version=1.0+cu118", QUERY_VERSION, "1.0+cu118"},
    {"version=1.0%2bcu118", QUERY_VERSION, "1.0+cu118"},
    {"model=%C3%A4%25%26", QUERY_MODEL, "\xc3\xa4%&"},
    {"type=https://mtlog/approval/v1", QUERY_TYPE, "https://mtlog/approval/v1"},
    {"identity=uri:https%3A%2F%2Fci.example", QUERY_IDENTITY,
	"uri:https://ci.example"},
    {"model=a=b", QUERY_MODEL, "a=b"},
    {"model=a&", QUERY_MODEL, "a"},
};

static void
test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		struct query q;
		struct bytes v;

		parse(accepted[i].text, &q);
		assert_true(q.has[accepted[i].term]);
		v = buf_bytes(&q.value[accepted[i].term]);
		if (!bytes_equal(v, bytes_str(accepted[i].value)))
			fail_msg(
			    "%s: %.*s", accepted[i].text, (int)v.len, v.ptr);
		assert_true(query_by_envelope(&q));
		assert_int_equal(q.limit, QUERY_LIMIT_DEFAULT);
		query_release(&q);
	}
}

static const struct {
	const char *text, *reason;
} refusals[] = {
    {"", "missing-parameter"},
    {"&", "bad-parameter"},
    {"limit=5", "missing-parameter"},
    {"after=5&order=newest", "missing-parameter"},
    {"model", "bad-parameter"},
    {"model=", "bad-parameter"},
    {"=a", "unknown-parameter"},
    {"Model=a", "unknown-parameter"},
    {"models=a", "unknown-parameter"},
    {"model=a&model=b", "bad-parameter"},
    {"model=%", "bad-parameter"},
    {"model=%4", "bad-parameter"},
    {"model=%4g", "bad-parameter"},
    {"model=%00", "bad-parameter"},
    {"model=%ff", "bad-parameter"},
    {"root=" H64 "0", "bad-parameter"},
    {"root=" H96, "bad-parameter"},
    {"root=00112233445566778899AABBCCDDEEFF"
     "00112233445566778899AABBCCDDEEFF",
	"bad-parameter"},
    {"statement=x", "bad-parameter"},
    {"subject=" H96, "bad-parameter"},
    {"file=00", "bad-parameter"},
    {"digest=", "bad-parameter"},
    {"signer=zz", "bad-parameter"},
    {"identity=email", "bad-parameter"},
    {"identity=email:", "bad-parameter"},
    {"identity=name:a", "bad-parameter"},
    {"model=a&limit=0", "bad-parameter"},
    {"model=a&limit=101", "bad-parameter"},
    {"model=a&limit=x", "bad-parameter"},
    {"model=a&after=-1", "bad-parameter"},
    {"model=a&after=01", "bad-parameter"},
    {"model=a&order=up", "bad-parameter"},
};

static void
test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct query q;
		struct error err = {0};

		if (query_parse(bytes_str(refusals[i].text), &q, &err) ||
		    err.code != ERR_SYNTAX ||
		    strcmp(error_reason_name(&err), refusals[i].reason) != 0)
			fail_msg("%s: %s", refusals[i].text,
			    error_reason_name(&err));
		query_release(&q);
	}
}

/* The longest value there is, and one more byte. */
static void
test_long(void **state)
{
	(void)state;
	for (size_t len = QUERY_VALUE_MAX; len < QUERY_VALUE_MAX + 2; len++) {
		AUTO(buf) text = BUF_INIT(QUERY_VALUE_MAX + 10);
		struct query q;
		struct error err = {0};
		bool ok;

		buf_put_str(&text, "model=");
		for (size_t i = 0; i < len; i++)
			buf_put_u8(&text, 'a');
		ok = query_parse(buf_bytes(&text), &q, &err);
		assert_int_equal(ok, len == QUERY_VALUE_MAX);
		query_release(&q);
	}
}

/* Which index is read, and what a hit must have. */
static void
test_keys(void **state)
{
	static const struct {
		const char *text;
		enum index_kind kind;
		size_t wanted;
		bool by_envelope;
	} cases[] = {
	    {"signer=" H64, INDEX_SIGNER, 0, false},
	    {"digest=" H96, INDEX_DIGEST, 0, false},
	    {"digest=" H64 "&signer=" H64, INDEX_DIGEST, 0, false},
	    {"model=a", INDEX_MODEL, 1, true},
	    {"model=a&version=1", INDEX_MODEL_VERSION, 2, true},
	    {"model=a&signer=" H64, INDEX_SIGNER_MODEL, 1, true},
	    {"model=a&version=1&signer=" H64, INDEX_SIGNER_MODEL, 2, true},
	    {"type=a&signer=" H64, INDEX_SIGNER_TYPE, 1, true},
	    {"type=a&model=a&signer=" H64, INDEX_SIGNER_MODEL, 2, true},
	    {"subject=" H64 "&type=a&signer=" H64, INDEX_SIGNER_SUBJECT, 2,
		true},
	    {"subject=" H64 "&type=a", INDEX_SUBJECT, 2, true},
	    {"root=" H64 "&model=a&type=b", INDEX_ROOT, 3, true},
	    {"file=" H96 "&model=a", INDEX_FILE, 2, true},
	    {"version=1&type=a", INDEX_VERSION, 2, true},
	    {"type=a", INDEX_TYPE, 1, true},
	    {"identity=dns:a&type=b", INDEX_IDENTITY, 2, true},
	    {"statement=" H64 "&signer=" H64 "&model=a", INDEX_STATEMENT, 2,
		true},
	    {"version=1&signer=" H64, INDEX_VERSION, 1, true},
	};
	struct hasher h;
	struct error err = {0};

	(void)state;
	must(hasher_open(&h, &err), &err);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct catalog_key key, wanted[QUERY_TERMS];
		struct query q;

		parse(cases[i].text, &q);
		query_key(&q, &h, &key);
		if (key.kind != cases[i].kind)
			fail_msg("%s: kind %d", cases[i].text, key.kind);
		assert_int_equal(query_keys(&q, &h, wanted), cases[i].wanted);
		assert_int_equal(query_by_envelope(&q), cases[i].by_envelope);
		query_release(&q);
	}
	hasher_release(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepted),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_long),
	    cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
