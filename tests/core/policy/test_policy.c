/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/base/times.h"
#include "core/model/statement.h"
#include "core/policy/policy_explain.h"
#include "tests/support/policy_equal.h"
#include "tests/support/vector_file.h"

/* What tests/support/make_policy_vectors.py has. */
#define KEY1                                                                   \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEzPeoe+XKFurACJI9qx4ouBIxBao8"     \
	"zZkYcFIiyl06fMa7Jy6o5VMI+QJSyWoulWvotjbleOMtNmP/W2/+Xp1ssg=="
#define KEY4 "MCowBQYDK2VwAyEAaBFFjdXYGnlVFjLsyywCi/R9jRkHoqch5Fp/kqb+CQE="

/* Too large for a stack. */
static struct policy policy, again;

static void
parse(const char *text)
{
	struct error err = {0};

	if (!policy_parse(bytes_str(text), &policy, &err))
		fail_msg("%s", err.text);
}

static void
load(const char *name, struct buf *out)
{
	char path[VECTOR_PATH_MAX], inside[128];

	(void)snprintf(inside, sizeof(inside), "policy/%s", name);
	if (!vector_read(vector_own(path, inside), out))
		fail_msg("%s", path);
}

static void
load_policy(const char *name)
{
	AUTO(buf) in = BUF_INIT(POLICY_MAX_LEN);
	struct error err = {0};

	load(name, &in);
	if (!policy_parse(buf_bytes(&in), &policy, &err))
		fail_msg("%s: %s", name, err.text);
}

static void
check_round_trip(const char *name)
{
	AUTO(buf) first = BUF_INIT(POLICY_MAX_LEN);
	AUTO(buf) second = BUF_INIT(POLICY_MAX_LEN);
	struct error err = {0};

	policy_format(&policy, &first);
	if (!policy_parse(buf_bytes(&first), &again, &err))
		fail_msg("%s, again: %s", name, err.text);
	if (!policy_equal(&policy, &again))
		fail_msg("%s: another policy", name);
	policy_format(&again, &second);
	assert_true(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
	policy_release(&again);
}

/* The file's first line: "# accepted", or "# <class> <sentence begins so>". */
static void
check_file(const char *name)
{
	AUTO(buf) in = BUF_INIT(POLICY_MAX_LEN);
	struct bytes line = {0}, word = {0};
	struct error err = {0};
	struct reader r;
	bool ok;

	load(name, &in);
	reader_init(&r, buf_bytes(&in));
	assert_true(reader_line(&r, &line));
	reader_init(&r, line);
	assert_true(reader_literal(&r, BYTES_LIT("# ")));
	assert_true(vector_word(&r, &word));
	ok = policy_parse(buf_bytes(&in), &policy, &err);
	if (bytes_equal(word, BYTES_LIT("accepted"))) {
		if (!ok)
			fail_msg("%s: %s", name, err.text);
		check_round_trip(name);
	} else if (ok ||
	    !bytes_equal(word, bytes_str(error_code_name(err.code))) ||
	    !bytes_starts(bytes_str(err.text), r.rest) || err.reason) {
		fail_msg("%s: %s %s", name, error_code_name(err.code),
		    ok ? "accepted" : err.text);
	}
	/* After a failure it is empty. */
	if (!ok)
		assert_true(!policy.rules && !policy.storage.chunks);
	policy_release(&policy);
}

static void
test_vectors(void **state)
{
	unsigned valid = 0, invalid = 0;
	char path[VECTOR_PATH_MAX];
	struct dirent *e;
	DIR *d;

	(void)state;
	d = opendir(vector_own(path, "policy"));
	assert_non_null(d);
	while ((e = readdir(d))) {
		if (strncmp(e->d_name, "valid-", 6) == 0)
			valid++;
		else if (strncmp(e->d_name, "invalid-", 8) == 0)
			invalid++;
		else
			continue;
		check_file(e->d_name);
	}
	(void)closedir(d);
	assert_in_range(valid, 15, 1000);
	assert_in_range(invalid, 140, 1000);
}

/* A plain policy is what the formatter writes. */
static void
test_format(void **state)
{
	AUTO(buf) in = BUF_INIT(POLICY_MAX_LEN);
	AUTO(buf) out = BUF_INIT(POLICY_MAX_LEN);
	struct reader r;
	struct bytes line = {0};

	(void)state;
	load("valid-plain.policy", &in);
	load_policy("valid-plain.policy");
	policy_format(&policy, &out);
	reader_init(&r, buf_bytes(&in));
	assert_true(reader_line(&r, &line));
	assert_int_equal(out.len, r.rest.len);
	assert_memory_equal(out.ptr, r.rest.ptr, out.len);
	policy_release(&policy);
}

static void
check_set(const struct party_set *set, const char *names)
{
	AUTO(buf) out = BUF_INIT(4096);

	for (size_t i = 0; i < policy.party_count; i++) {
		if (!party_set_has(set, i))
			continue;
		if (out.len > 0)
			buf_put_u8(&out, ' ');
		buf_put(&out, policy.parties[i]);
	}
	assert_true(bytes_equal(buf_bytes(&out), bytes_str(names)));
}

static void
test_log_lines_only(void **state)
{
	(void)state;
	load_policy("valid-log-lines-only.policy");
	assert_int_equal(policy.quorum.log_count, 1);
	assert_int_equal(policy.rule_count, 0);
	assert_null(policy_rule_for(&policy, BYTES_LIT("acme/resnet50")));
	policy_release(&policy);
}

static void
test_one_team(void **state)
{
	const struct policy_rule *r;

	(void)state;
	load_policy("valid-one-team.policy");
	assert_int_equal(policy.serial, 0);
	assert_false(policy.has_expires);
	assert_int_equal(policy.rule_count, 1);
	r = &policy.rules[0];
	assert_int_equal(r->line, 8);
	assert_int_equal(r->signed_by_line, 9);
	check_set(&r->signed_by, "ci");
	/* The defaults. */
	assert_true(r->logged);
	assert_int_equal(r->fresh, FRESH_NOT_ASKED);
	assert_false(r->unsigned_ignored);
	assert_int_equal(r->hold, HOLD_LEASE);
	assert_int_equal(r->approval_count, 0);
	assert_int_equal(party_set_count(&r->withdrawn_by), 0);
	assert_int_equal(
	    r->logged_line + r->fresh_line + r->unsigned_line + r->hold_line,
	    0);
	policy_release(&policy);
}

static void
check_production_signers(void)
{
	const struct policy_credential *c = policy.credentials;
	uint64_t until = 0;

	assert_int_equal(policy.credential_count, 5);
	assert_int_equal(policy.party_count, 4);
	assert_int_equal(c[0].kind, POLICY_CERT);
	assert_int_equal(c[0].ca, 0);
	assert_int_equal(c[0].name.kind, CERTIFICATE_URI);
	assert_true(bytes_equal(
	    c[0].name.value, BYTES_LIT("https://ci.acme.example/release")));
	assert_true(
	    bytes_equal(c[0].issuer, BYTES_LIT("https://issuer.example")));
	assert_int_equal(c[1].kind, POLICY_KEY);
	assert_int_equal(c[1].party, c[2].party);
	assert_int_not_equal(c[1].party, c[3].party);
	assert_false(c[1].has_until);
	assert_true(c[2].has_until);
	assert_true(time_of_parts(2027, 1, 15, 12, 0, 0, &until));
	assert_int_equal(c[2].until, until);
	assert_int_equal(c[4].line, 19);
}

static void
test_production(void **state)
{
	const struct policy_rule *r;
	uint64_t expires = 0;

	(void)state;
	load_policy("valid-production.policy");
	assert_int_equal(policy.serial, 7);
	assert_true(policy.has_expires);
	assert_true(time_of_parts(2027, 2, 1, 0, 0, 0, &expires));
	assert_int_equal(policy.expires, expires);
	assert_int_equal(policy.ca_count, 1);
	check_production_signers();
	assert_int_equal(policy.deny_count, 2);
	assert_int_equal(policy.denies[0].kind, DENY_FILE);
	assert_int_equal(policy.denies[0].digest.b[31], 0x11);
	assert_int_equal(policy.denies[1].line, 21);
	r = policy_rule_for(&policy, BYTES_LIT("acme/prod/vit"));
	assert_non_null(r);
	assert_int_equal(r->approval_count, 2);
	assert_int_equal(r->approvals[0].needed, 2);
	check_set(&r->approvals[0].parties, "alice bob");
	assert_int_equal(r->approvals[1].needed, 1);
	assert_int_equal(r->approvals[1].line, 26);
	check_set(&r->withdrawn_by, "watcher");
	assert_int_equal(r->fresh, FRESH_STATUS);
	assert_int_equal(r->fresh_seconds, 86400);
	check_set(&r->fresh_by, "watcher");
	assert_int_equal(r->hold, HOLD_COPY);
	/* The exact rule stands alone: nothing is added to it. */
	r = policy_rule_for(&policy, BYTES_LIT("acme/prod/resnet50"));
	assert_non_null(r);
	assert_int_equal(r->approval_count, 0);
	assert_int_equal(r->hold, HOLD_LEASE);
	policy_release(&policy);
}

static void
test_vendor(void **state)
{
	const struct policy_credential *c;

	(void)state;
	load_policy("valid-vendor.policy");
	c = policy.credentials;
	assert_int_equal(c[0].kind, POLICY_CERT_KEY);
	assert_int_equal(c[0].spki.len, 0);
	assert_int_equal(c[1].kind, POLICY_KEY);
	assert_true(bytes_equal(c[1].below_origin, BYTES_LIT("log.example")));
	assert_int_equal(c[1].below, 48213);
	assert_false(policy.rules[0].logged);
	assert_true(policy.rules[0].unsigned_ignored);
	assert_int_equal(policy.rules[0].hold, HOLD_OPEN);
	assert_int_equal(policy.rules[1].fresh, FRESH_ONLINE);
	assert_int_equal(policy.rules[1].fresh_seconds, 7 * 86400);
	policy_release(&policy);
}

#define HEAD                                                                   \
	"quorum none\nmtlog-policy 1\n"                                        \
	"signer ci key " KEY1 "\n"
#define RULE(pattern) "model " pattern "\n  signed-by ci\n"

static void
test_rule_for(void **state)
{
	static const char *const orders[] = {
	    HEAD RULE("acme/*") RULE("acme/prod/*") RULE("acme/prod/vit")
		RULE("acme") RULE("*"),
	    HEAD RULE("*") RULE("acme") RULE("acme/prod/vit")
		RULE("acme/prod/*") RULE("acme/*"),
	};
	static const struct {
		const char *name, *pattern;
	} cases[] = {
	    {"acme/prod/vit", "acme/prod/vit"},
	    {"acme/prod/vit2", "acme/prod/*"},
	    {"acme/prod/vit/x", "acme/prod/*"},
	    {"acme/prod/a/b/c", "acme/prod/*"},
	    {"acme/prod", "acme/*"},
	    {"acme/product/x", "acme/*"},
	    {"acme/x", "acme/*"},
	    {"acme", "acme"},
	    {"acmee", "*"},
	    {"acme2/x", "*"},
	    {"Acme/x", "*"},
	    {"other", "*"},
	    /* Outside the names: none but the star. */
	    {"", "*"},
	    {"*", "*"},
	    {"acme/", "*"},
	    {"acme/*", "*"},
	    {"acme/prod/*", "*"},
	    {"acme//x", "*"},
	    {"acme/../x", "*"},
	    {"acme/prod/ vit", "*"},
	    {"acme/prod/vit\n", "*"},
	    {"acme/prod/mod\xc3\xa8le", "*"},
	    {"/acme/x", "*"},
	};

	(void)state;
	for (size_t o = 0; o < 2; o++) {
		parse(orders[o]);
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			const struct policy_rule *r =
			    policy_rule_for(&policy, bytes_str(cases[i].name));

			if (!r ||
			    !bytes_equal(
				r->pattern, bytes_str(cases[i].pattern)))
				fail_msg("%s", cases[i].name);
		}
		policy_release(&policy);
	}
}

static void
test_no_rule(void **state)
{
	static const char *const names[] = {"acme", "acme2", "acme/", "acme//x",
	    "acme/\x01", "other/x", "", "*", "bcme/x"};
	char name[5 + STATEMENT_NAME_MAX] = "acme/";

	(void)state;
	parse(HEAD RULE("acme/*"));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (policy_rule_for(&policy, bytes_str(names[i])))
			fail_msg("%s", names[i]);
	/* A name may have 255 bytes. */
	memset(name + 5, 'x', sizeof(name) - 5);
	assert_non_null(
	    policy_rule_for(&policy, bytes_of(name, STATEMENT_NAME_MAX)));
	assert_null(
	    policy_rule_for(&policy, bytes_of(name, STATEMENT_NAME_MAX + 1)));
	policy_release(&policy);
}

static void
test_party_set(void **state)
{
	static const size_t members[] = {0, 1, 63, 64, 65, 127, 128, 255};
	struct party_set s = {{0}};

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		assert_false(party_set_has(&s, members[i]));
		party_set_add(&s, members[i]);
		party_set_add(&s, members[i]);
		assert_true(party_set_has(&s, members[i]));
		assert_int_equal(party_set_count(&s), i + 1);
	}
	assert_false(party_set_has(&s, 2));
	assert_false(party_set_has(&s, 129));
	/* Beyond the last party there is none. */
	party_set_add(&s, POLICY_MAX_PARTIES);
	assert_false(party_set_has(&s, POLICY_MAX_PARTIES));
	assert_false(party_set_has(&s, SIZE_MAX));
	assert_int_equal(party_set_count(&s), 8);
}

static void
test_hold(void **state)
{
	static const char *const words[] = {"open", "lease", "verity", "copy"};
	enum hold_strength before = HOLD_NONE, hold = HOLD_NONE;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_true(hold_strength_find(bytes_str(words[i]), &hold));
		assert_string_equal(hold_strength_name(hold), words[i]);
		assert_true(hold > before);
		before = hold;
	}
	assert_false(hold_strength_find(BYTES_LIT("none"), &hold));
	assert_false(hold_strength_find(BYTES_LIT("Copy"), &hold));
	assert_false(hold_strength_find((struct bytes){0}, &hold));
	assert_string_equal(hold_strength_name(HOLD_NONE), "none");
}

/* A rule's lines in the order of the file, defaults last. */
static void
test_explain(void **state)
{
	static const struct {
		unsigned line;
		const char *text;
	} expected[] = {
	    {7, "hold copy"},
	    {8, "approved-by 1 alice"},
	    {9, "fresh 24h status alice"},
	    {10, "signed-by ci"},
	    {11, "approved-by 2 ci alice"},
	    {12, "logged yes"},
	    {0, "unsigned refuse"},
	};
	struct policy_rule_line list[POLICY_MAX_RULE_LINES];
	size_t n;

	(void)state;
	parse(HEAD "serial 2\nsigner alice key " KEY4
		   "\nmodel *\nhold copy\napproved-by any alice\n"
		   "fresh 1d status alice\nsigned-by ci\n"
		   "approved-by all alice ci\nlogged yes\n");
	n = policy_rule_lines(&policy.rules[0], list);
	assert_int_equal(n, sizeof(expected) / sizeof(expected[0]));
	for (size_t i = 0; i < n; i++) {
		AUTO(buf) out = BUF_INIT(256);

		policy_rule_line_put(&policy, &policy.rules[0], &list[i], &out);
		assert_true(
		    bytes_equal(buf_bytes(&out), bytes_str(expected[i].text)));
		assert_int_equal(list[i].line, expected[i].line);
	}
	policy_release(&policy);
}

/* It owns what it says, and its digest is that of the file's bytes. */
static void
test_owns(void **state)
{
	AUTO(buf) text = BUF_INIT(4096);
	AUTO(buf) before = BUF_INIT(4096);
	AUTO(buf) after = BUF_INIT(4096);
	AUTO(hasher) h = {0};
	struct error err = {0};
	struct hash digest;

	(void)state;
	buf_put_str(&text, "# \xe2\x9c\x93\n" HEAD RULE("acme/*"));
	assert_true(hasher_open(&h, &err));
	sha256(&h, buf_bytes(&text), &digest);
	assert_true(policy_parse(buf_bytes(&text), &policy, &err));
	assert_true(policy.has_digest);
	assert_true(hash_equal(&policy.digest, &digest));
	policy_format(&policy, &before);
	memset(text.ptr, 0, text.len);
	buf_release(&text);
	policy_format(&policy, &after);
	assert_true(bytes_equal(buf_bytes(&before), buf_bytes(&after)));
	policy_release(&policy);
	policy_release(&policy);
}

/* Files too large to be kept: a head, then a line many times. */
struct flood {
	const char *head;
	void (*put)(struct buf *out, unsigned number);
	unsigned count;
	const char *sentence;
};

static void
put_deny(struct buf *out, unsigned number)
{
	buf_printf(out, "deny key %064x\n", number);
}

static void
put_rule(struct buf *out, unsigned number)
{
	buf_printf(out, "model m%u\n  signed-by ci\n", number);
}

static void
put_signer(struct buf *out, unsigned number)
{
	buf_printf(out, "signer b cert corp dns:s%u.example\n", number);
}

static void
check_flood(const struct flood *f)
{
	AUTO(buf) text = BUF_INIT(POLICY_MAX_LEN);
	struct error err = {0};

	buf_put_str(&text, f->head);
	for (unsigned i = 0; i < f->count; i++)
		f->put(&text, i);
	if (!policy_parse(buf_bytes(&text), &policy, &err))
		fail_msg("%s", err.text);
	check_round_trip(f->sentence);
	policy_release(&policy);
	f->put(&text, f->count);
	assert_true(buf_ok(&text, &err));
	assert_false(policy_parse(buf_bytes(&text), &policy, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	if (!strstr(err.text, f->sentence))
		fail_msg("%s", err.text);
}

static void
test_floods(void **state)
{
	AUTO(buf) in = BUF_INIT(POLICY_MAX_LEN);
	struct flood floods[] = {
	    {HEAD, put_deny, POLICY_MAX_DENIES, "deny: more than 4096 denials"},
	    {HEAD, put_rule, POLICY_MAX_RULES, "model: more than 1024 rules"},
	    {NULL, put_signer, POLICY_MAX_CREDENTIALS - 1,
		"signer: more than 1024 signer lines"},
	};
	char *ca;

	(void)state;
	/* A file with one CA, and one signer of it. */
	load("valid-16-approvals.policy", &in);
	assert_true(in.len > 0);
	ca = buf_dup_string(&in);
	assert_non_null(ca);
	*(strstr(ca, "signer a1 ")) = '\0';
	floods[2].head = ca;
	for (size_t i = 0; i < 3; i++)
		check_flood(&floods[i]);
	free(ca);
}

static void
test_sizes(void **state)
{
	AUTO(buf) text = BUF_INIT(POLICY_MAX_LEN + 1);
	struct error err = {0};
	size_t n;

	(void)state;
	buf_put_str(&text, "quorum none\n");
	n = text.len;
	assert_non_null(buf_reserve(&text, POLICY_MAX_LEN + 1 - n));
	memset(text.ptr + n, '\n', POLICY_MAX_LEN + 1 - n);
	buf_grow(&text, POLICY_MAX_LEN + 1 - n);
	assert_true(
	    policy_parse(bytes_of(text.ptr, POLICY_MAX_LEN), &policy, &err));
	policy_release(&policy);
	assert_false(policy_parse(buf_bytes(&text), &policy, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	/* A line of 64 KiB, and one byte more. */
	memset(text.ptr + n, '#', POLICY_LINE_MAX);
	err = (struct error){0};
	assert_true(
	    policy_parse(bytes_of(text.ptr, POLICY_MAX_LEN), &policy, &err));
	policy_release(&policy);
	text.ptr[n + POLICY_LINE_MAX] = '#';
	assert_false(
	    policy_parse(bytes_of(text.ptr, POLICY_MAX_LEN), &policy, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	assert_string_equal(
	    err.text, "line 2: the line is longer than 65536 bytes");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_format),
	    cmocka_unit_test(test_log_lines_only),
	    cmocka_unit_test(test_one_team),
	    cmocka_unit_test(test_production),
	    cmocka_unit_test(test_vendor),
	    cmocka_unit_test(test_rule_for),
	    cmocka_unit_test(test_no_rule),
	    cmocka_unit_test(test_party_set),
	    cmocka_unit_test(test_hold),
	    cmocka_unit_test(test_explain),
	    cmocka_unit_test(test_owns),
	    cmocka_unit_test(test_floods),
	    cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
