/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/identity/certificate.h"
#include "tests/support/vector_file.h"

#define FROM  UINT64_C(1767225600)   /* 2026-01-01T00:00:00Z */
#define UNTIL UINT64_C(2398377600)   /* 2046-01-01T00:00:00Z */
#define END   UINT64_C(253402300799) /* 9999-12-31T23:59:59Z */

static void
load(const char *name, struct buf *out)
{
	char path[VECTOR_PATH_MAX], inside[128];

	(void)snprintf(inside, sizeof(inside), "certificate/%s.der", name);
	if (!vector_read(vector_own(path, inside), out))
		fail_msg("%s", path);
}

/* Parses a copy without slack, so that a read past the end is seen. */
static bool
parse_exact(struct bytes der, struct certificate *out, struct error *err)
{
	uint8_t *copy = malloc(der.len ? der.len : 1);
	bool ok;

	assert_non_null(copy);
	if (der.len > 0)
		memcpy(copy, der.ptr, der.len);
	ok = certificate_parse(bytes_of(copy, der.len), out, err);
	free(copy);
	return ok && certificate_parse(der, out, err);
}

/* Every vector has the verdict that its name begins with. */
static void
test_verdicts(void **state)
{
	char path[VECTOR_PATH_MAX];
	DIR *d = opendir(vector_own(path, "certificate"));
	size_t count = 0;
	struct dirent *e;

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d))) {
		static const struct {
			const char *prefix;
			enum error_code code;
		} verdicts[] = {{"valid-", ERR_NONE}, {"invalid-", ERR_SYNTAX},
		    {"limit-", ERR_LIMIT}};
		AUTO(buf) in = BUF_INIT(1 << 20);
		struct bytes name = bytes_str(e->d_name);
		struct certificate c = {0};
		struct error err = {0};

		if (name.len < 5 || e->d_name[0] == '.')
			continue;
		e->d_name[name.len - 4] = '\0';
		load(e->d_name, &in);
		(void)parse_exact(buf_bytes(&in), &c, &err);
		for (size_t i = 0; i < 3; i++)
			if (bytes_starts(name, bytes_str(verdicts[i].prefix)) &&
			    err.code != verdicts[i].code)
				fail_msg("%s: %s", e->d_name, err.text);
		if (err.code != ERR_NONE) {
			assert_string_equal(error_reason_name(&err), "chain");
			assert_null(c.der.ptr); /* left alone */
		}
		count++;
	}
	(void)closedir(d);
	assert_int_equal(count, 104);
}

static void
parse_valid(const char *name, struct buf *in, struct certificate *out)
{
	char file[64];
	struct error err = {0};

	(void)snprintf(file, sizeof(file), "valid-%s", name);
	load(file, in);
	if (!certificate_parse(buf_bytes(in), out, &err))
		fail_msg("%s: %s", name, err.text);
}

static void
test_times(void **state)
{
	static const struct {
		const char *name;
		uint64_t from, until;
	} cases[] = {
	    {"leaf", FROM, UNTIL},
	    {"for-ever", FROM, END},
	    {"general-before-2050", FROM, UNTIL},
	    {"epoch", 0, UINT64_C(2524607999)},
	    {"backwards", UNTIL, FROM},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) in = BUF_INIT(CERTIFICATE_MAX_LEN);
		struct certificate c;

		parse_valid(cases[i].name, &in, &c);
		assert_true(c.not_before == cases[i].from);
		assert_true(c.not_after == cases[i].until);
	}
}

static void
test_uses(void **state)
{
	/* Letters: C is_ca, l and of leaves only, k/d/s key usage, digital signature, certificate
	 * signing; e/!/c/t/a extended usage, critical, code, time, any. */
	static const struct {
		const char *name, *flags;
		size_t extended;
	} cases[] = {
	    {"leaf", "kdec", 1},
	    {"v1", "", 0},
	    {"ca", "Cks", 0},
	    {"ca-length", "Cks", 0},
	    {"ca-length-0", "Clks", 0},
	    {"boolean-false", "", 0},
	    {"usage-both", "kdsect", 3},
	    {"usage-any", "e!a", 1},
	    {"critical-unknown", "", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) in = BUF_INIT(CERTIFICATE_MAX_LEN);
		AUTO(buf) flags = BUF_INIT(16);
		struct certificate c;

		parse_valid(cases[i].name, &in, &c);
		buf_put_str(&flags, c.is_ca ? "C" : "");
		buf_put_str(&flags, c.issues_leaves_only ? "l" : "");
		buf_put_str(&flags, c.has_key_usage ? "k" : "");
		buf_put_str(&flags, c.digital_signature ? "d" : "");
		buf_put_str(&flags, c.certificate_signing ? "s" : "");
		buf_put_str(&flags, c.has_extended_usage ? "e" : "");
		buf_put_str(&flags, c.extended_usage_critical ? "!" : "");
		buf_put_str(&flags, c.code_signing ? "c" : "");
		buf_put_str(&flags, c.time_stamping ? "t" : "");
		buf_put_str(&flags, c.any_usage ? "a" : "");
		if (!bytes_equal(buf_bytes(&flags), bytes_str(cases[i].flags)))
			fail_msg("%s: %.*s", cases[i].name, (int)flags.len,
			    (const char *)flags.ptr);
		assert_int_equal(c.extended_usage_count, cases[i].extended);
	}
}

static void
test_names(void **state)
{
	static const struct {
		enum certificate_name_kind kind;
		const char *value;
		bool has;
	} cases[] = {
	    {CERTIFICATE_EMAIL, "a@b.example", true},
	    {CERTIFICATE_DNS, "b.example", true},
	    {CERTIFICATE_URI, "https://b.example/x", true},
	    {CERTIFICATE_OTHER, "j\xc3\xb6rg!b.example", true},
	    {CERTIFICATE_EMAIL, "b.example", false},
	    {CERTIFICATE_URI, "a@b.example", false},
	    {CERTIFICATE_EMAIL, "A@b.example", false},
	    {CERTIFICATE_EMAIL, "a@b.exampl", false},
	    {CERTIFICATE_EMAIL, "a@b.example.com", false},
	    {CERTIFICATE_EMAIL, "", false},
	};
	AUTO(buf) in = BUF_INIT(CERTIFICATE_MAX_LEN);
	AUTO(buf) leaf = BUF_INIT(CERTIFICATE_MAX_LEN);
	AUTO(buf) many = BUF_INIT(CERTIFICATE_MAX_LEN);
	struct certificate c;

	(void)state;
	parse_valid("names", &in, &c);
	assert_int_equal(c.name_count, 4);
	assert_int_equal(c.names_total, 7);
	assert_true(c.names_critical);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(certificate_has_name(&c, cases[i].kind,
				     bytes_str(cases[i].value)),
		    cases[i].has);
	parse_valid("leaf", &leaf, &c);
	assert_int_equal(c.names_total, 1);
	assert_false(c.names_critical);
	parse_valid("names-64", &many, &c);
	assert_int_equal(c.name_count, 64);
	assert_int_equal(c.names_total, 65);
	assert_true(
	    certificate_has_name(&c, CERTIFICATE_DNS, BYTES_LIT("d63")));
}

static void
test_issuer(void **state)
{
	static const struct {
		const char *name;
		const char *issuer;
	} cases[] = {
	    {"issuer-old", "https://issuer.example"},
	    {"issuer-new", "https://new.example"},
	    {"issuer-both", "https://issuer.example"},
	    {"leaf", ""},
	};
	AUTO(buf) in = BUF_INIT(CERTIFICATE_MAX_LEN);
	struct certificate c;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) each = BUF_INIT(CERTIFICATE_MAX_LEN);

		parse_valid(cases[i].name, &each, &c);
		assert_true(
		    bytes_equal(c.oidc_issuer, bytes_str(cases[i].issuer)));
	}
	/* More than 127 bytes take DER's long form of a length. */
	parse_valid("issuer-long", &in, &c);
	assert_int_equal(c.oidc_issuer.len, 308);
}

static void
test_rest(void **state)
{
	static const struct {
		const char *name;
		unsigned version;
		enum key_algorithm key;
		bool self_issued;
		size_t scts;
	} cases[] = {
	    {"leaf", 3, KEY_ECDSA_P256, false, 0},
	    {"v1", 1, KEY_ECDSA_P256, false, 0},
	    {"v2-unique", 2, KEY_ECDSA_P256, false, 0},
	    {"p384", 3, KEY_ECDSA_P384, false, 0},
	    {"rsa", 3, KEY_RSA_2048, false, 0},
	    {"ed25519", 3, KEY_ED25519, false, 0},
	    {"self-issued", 3, KEY_ECDSA_P256, true, 0},
	    {"scts", 3, KEY_ECDSA_P256, false, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) in = BUF_INIT(CERTIFICATE_MAX_LEN);
		struct public_key key;
		struct certificate c;
		struct error err = {0};

		parse_valid(cases[i].name, &in, &c);
		assert_int_equal(c.version, cases[i].version);
		assert_int_equal(c.key.algorithm, cases[i].key);
		assert_int_equal(c.self_issued, cases[i].self_issued);
		assert_int_equal(c.scts.len, cases[i].scts);
		assert_true(bytes_equal(c.der, buf_bytes(&in)));
		/* The log's own reader finds the same key. */
		assert_true(certificate_key_parse(c.der, &key, &err));
		assert_true(bytes_equal(key.spki, c.key.spki));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_verdicts),
	    cmocka_unit_test(test_times),
	    cmocka_unit_test(test_uses),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_issuer),
	    cmocka_unit_test(test_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
