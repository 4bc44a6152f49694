/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/policy/policy_build.h"
#include "core/policy/policy_explain.h"
#include "tests/support/policy_equal.h"
#include "tests/support/vector_file.h"

/* Policies from flags, and memory that runs out. */

/* The n-th allocation from now on fails; 0: none does. */
static unsigned countdown;

void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *ptr, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *ptr, size_t size);

static bool
fails(void)
{
	return countdown > 0 && --countdown == 0;
}

void *
__wrap_calloc(size_t count, size_t size)
{
	return fails() ? NULL : __real_calloc(count, size);
}

void *
__wrap_realloc(void *ptr, size_t size)
{
	return fails() ? NULL : __real_realloc(ptr, size);
}

#define LOG "log.example+328a282e+AXLUbuKtM8NPghRbFtZWh9JSlaIwk7E09ZF/MH6oqo+r"

/* Too large for a stack. */
static struct policy policy, example;

/* The vectors' policy that has something of everything. */
static int
setup(void **state)
{
	AUTO(buf) in = BUF_INIT(POLICY_MAX_LEN);
	char path[VECTOR_PATH_MAX];
	struct error err = {0};

	(void)state;
	return vector_read(
		   vector_own(path, "policy/valid-plain.policy"), &in) &&
		policy_parse(buf_bytes(&in), &example, &err)
	    ? 0
	    : -1;
}

static int
teardown(void **state)
{
	(void)state;
	policy_release(&example);
	return 0;
}

/* mtlog verify --key … --log … */
static void
test_key(void **state)
{
	struct policy_credential c = {.kind = POLICY_KEY};
	char vkey[] = LOG;
	uint8_t spki[256];
	struct policy_rule rule;
	struct error err = {0};
	size_t n = example.credentials[5].spki.len;

	(void)state;
	memcpy(spki, example.credentials[5].spki.ptr, n);
	c.spki = bytes_of(spki, n);
	policy_init(&policy);
	policy_rule_init(&rule);
	party_set_add(&rule.signed_by, 0);
	assert_true(policy_add_log(&policy, bytes_str(vkey), &err));
	assert_true(
	    policy_add_credential(&policy, BYTES_LIT("flags"), &c, &err));
	assert_true(policy_add_rule(&policy, &rule, &err));
	/* It keeps copies. */
	memset(vkey, 'x', sizeof(vkey));
	memset(spki, 0, sizeof(spki));
	assert_true(quorum_complete(&policy.quorum, &err));
	assert_int_equal(policy.quorum.kind, QUORUM_NONE);
	assert_true(bytes_equal(
	    vkey_name(&policy.quorum.logs[0].key), BYTES_LIT("log.example")));
	assert_true(bytes_equal(
	    policy.credentials[0].spki, example.credentials[5].spki));
	assert_true(hash_equal(
	    &policy.credentials[0].key, &example.credentials[5].key));
	assert_false(policy.has_digest);
	assert_ptr_equal(
	    policy_rule_for(&policy, BYTES_LIT("any name")), policy.rules);
	policy_release(&policy);
}

/* --ca … --ca … --identity … --logged=off --ignore-unsigned-files */
static void
test_identity(void **state)
{
	struct policy_rule rule;
	struct error err = {0};
	char value[] = "email:a@example.com";

	(void)state;
	policy_init(&policy);
	for (size_t i = 0; i < 2; i++) {
		struct policy_credential c = {
		    .ca = i, .issuer = BYTES_LIT("https://issuer.example")};

		assert_true(policy_identity_parse(bytes_str(value), &c, &err));
		assert_true(policy_add_ca(
		    &policy, example.cas[i].name, example.cas[i].der, &err));
		assert_true(policy_add_credential(
		    &policy, BYTES_LIT("flags"), &c, &err));
	}
	memset(value, 0, sizeof(value));
	policy_rule_init(&rule);
	party_set_add(&rule.signed_by, 0);
	rule.logged = false;
	rule.unsigned_ignored = true;
	assert_true(policy_add_rule(&policy, &rule, &err));
	assert_int_equal(policy.party_count, 1);
	assert_int_equal(policy.credential_count, 2);
	assert_int_equal(policy.credentials[1].ca, 1);
	assert_int_equal(policy.credentials[1].kind, POLICY_CERT);
	assert_true(bytes_equal(
	    policy.credentials[1].name.value, BYTES_LIT("a@example.com")));
	assert_true(hash_equal(&policy.cas[1].key, &example.cas[1].key));
	policy_release(&policy);
}

static void
test_any_identity(void **state)
{
	AUTO(buf) out = BUF_INIT(256);
	struct policy_credential any = {.kind = POLICY_CERT_ANY};
	struct policy_credential c = {.kind = POLICY_CERT_KEY};
	struct error err = {0};

	(void)state;
	policy_init(&policy);
	assert_true(
	    policy_add_ca(&policy, BYTES_LIT("ca"), example.cas[0].der, &err));
	assert_true(
	    policy_add_credential(&policy, BYTES_LIT("flags"), &any, &err));
	policy_credential_put(&policy, &policy.credentials[0], &out);
	assert_true(bytes_equal(buf_bytes(&out), BYTES_LIT("cert ca any")));
	/* Whoever it is, it is that party already. */
	assert_false(
	    policy_add_credential(&policy, BYTES_LIT("other"), &c, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	policy_release(&policy);
}

static void
test_identities(void **state)
{
	static const char *const bad[] = {"", ":", "email", "email:", ":x",
	    "Email:x", "ip:127.0.0.1", "spki-sha256:00", "any"};
	static const struct {
		const char *text, *value;
		enum certificate_name_kind kind;
	} good[] = {
	    {"email:a@b", "a@b", CERTIFICATE_EMAIL},
	    {"uri:https://a:1/b:c", "https://a:1/b:c", CERTIFICATE_URI},
	    {"dns:a b", "a b", CERTIFICATE_DNS},
	    {"other::", ":", CERTIFICATE_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct policy_credential c = {0};
		struct error err = {0};

		if (policy_identity_parse(bytes_str(bad[i]), &c, &err))
			fail_msg("%s", bad[i]);
		assert_int_equal(err.code, ERR_SYNTAX);
	}
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct policy_credential c = {0};
		struct error err = {0};

		assert_true(
		    policy_identity_parse(bytes_str(good[i].text), &c, &err));
		assert_int_equal(c.kind, POLICY_CERT);
		assert_int_equal(c.name.kind, good[i].kind);
		assert_true(
		    bytes_equal(c.name.value, bytes_str(good[i].value)));
	}
}

/* What a file could not say either. */
static void
test_refused(void **state)
{
	struct policy_credential no_ca = {.kind = POLICY_CERT_ANY, .ca = 0};
	struct policy_credential no_key = {.kind = POLICY_KEY};
	struct policy_credential key = example.credentials[5];
	struct policy_rule rule;
	struct error err = {0};

	(void)state;
	policy_init(&policy);
	policy_rule_init(&rule);
	assert_false(policy_add_rule(&policy, &rule, &err));
	assert_int_equal(err.code, ERR_SYNTAX);
	err = (struct error){0};
	assert_false(
	    policy_add_credential(&policy, BYTES_LIT("a"), &no_ca, &err));
	assert_int_equal(err.code, ERR_USAGE);
	err = (struct error){0};
	assert_false(
	    policy_add_credential(&policy, BYTES_LIT("a"), &no_key, &err));
	assert_int_equal(err.code, ERR_SYNTAX);
	err = (struct error){0};
	assert_false(
	    policy_add_credential(&policy, BYTES_LIT("a b"), &key, &err));
	assert_int_equal(err.code, ERR_SYNTAX);
	err = (struct error){0};
	assert_false(
	    policy_add_credential(&policy, (struct bytes){0}, &key, &err));
	assert_int_equal(err.code, ERR_SYNTAX);
	err = (struct error){0};
	assert_false(policy_add_log(&policy, BYTES_LIT("no vkey"), &err));
	assert_int_equal(err.code, ERR_SYNTAX);
	err = (struct error){0};
	assert_false(
	    policy_add_log(&policy, BYTES_LIT(LOG "\nquorum none"), &err));
	assert_int_equal(err.code, ERR_SYNTAX);
	policy_release(&policy);
}

/* Piece by piece, the same policy comes out. */
static bool
rebuild(struct policy *out, struct error *err)
{
	const struct policy *p = &example;

	policy_init(out);
	for (size_t i = 0; i < p->ca_count; i++)
		if (!policy_add_ca(out, p->cas[i].name, p->cas[i].der, err))
			return false;
	for (size_t i = 0; i < p->credential_count; i++) {
		const struct policy_credential *c = &p->credentials[i];

		if (!policy_add_credential(out, p->parties[c->party], c, err))
			return false;
	}
	for (size_t i = 0; i < p->rule_count; i++)
		if (!policy_add_rule(out, &p->rules[i], err))
			return false;
	return true;
}

static void
test_rebuild(void **state)
{
	struct error err = {0};

	(void)state;
	assert_true(rebuild(&policy, &err));
	for (size_t i = 0; i < example.credential_count; i++)
		assert_true(credential_equal(
		    &policy.credentials[i], &example.credentials[i]));
	for (size_t i = 0; i < example.rule_count; i++)
		assert_true(rule_equal(&policy.rules[i], &example.rules[i]));
	policy_release(&policy);
}

static bool
parse_example(struct policy *out, struct error *err)
{
	AUTO(buf) text = BUF_INIT(POLICY_MAX_LEN);
	unsigned later = countdown;
	bool ok;

	countdown = 0;
	policy_format(&example, &text);
	countdown = later;
	ok = policy_parse(buf_bytes(&text), out, err);
	countdown = 0;
	return ok;
}

/* Without memory there is no policy, rather than half of one. */
static void
check_faults(bool (*make)(struct policy *, struct error *))
{
	for (unsigned n = 1;; n++) {
		struct error err = {0};
		bool ok;

		assert_in_range(n, 1, 1000);
		countdown = n;
		ok = make(&policy, &err);
		/* Fewer than n: that was all of them. */
		if (ok) {
			countdown = 0;
			policy_release(&policy);
			assert_in_range(n, 3, 1000);
			return;
		}
		/* vkey_parse cannot tell that from base64 that is wrong. */
		if (err.code != ERR_INTERNAL && err.code != ERR_LIMIT &&
		    !strstr(err.text, "vkey: malformed base64"))
			fail_msg("%u: %s", n, err.text);
		policy_release(&policy);
	}
}

static void
test_faults(void **state)
{
	(void)state;
	check_faults(parse_example);
	check_faults(rebuild);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_key),
	    cmocka_unit_test(test_identity),
	    cmocka_unit_test(test_any_identity),
	    cmocka_unit_test(test_identities),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_rebuild),
	    cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
