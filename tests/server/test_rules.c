/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rules.h"

#include "core/base/encoding.h"
#include "core/crypto/pem.h"
#include "tests/server/log_fixture.h"

#define NOW    1764000000u
#define DAY    86400u
#define TOKEN  "token-for-the-tests-1"
#define TOKEN2 "token-for-the-tests-2"

/* A folder with the files that rules name. Chains of certificates are
 * tests/system/test_bundles.py's. */
static struct {
	char dir[64];
	struct hasher hasher;
	struct entry entry[3]; /* by three signers */
	char hex[3][2 * HASH_LEN + 1];
} w;

static void
put_file(const char *name, struct bytes data)
{
	char path[128];
	struct error err = {0};

	(void)snprintf(path, sizeof(path), "%s/%s", w.dir, name);
	(void)unlink(path);
	must(file_create(path, data, 0600, &err), &err);
}

static const char *const files[] = {"key.pem", "two.pem", "token", "token2",
    "short", "lines", "blank", "empty", "key2.pem"};

static int
setup(void **state)
{
	struct error err = {0};
	AUTO(buf) pem = BUF_INIT(4096);

	(void)state;
	memset(&w, 0, sizeof(w));
	(void)snprintf(w.dir, sizeof(w.dir), "/tmp/test_rules.XXXXXX");
	assert_non_null(mkdtemp(w.dir));
	must(hasher_open(&w.hasher, &err), &err);
	for (unsigned i = 0; i < 3; i++) {
		AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
		AUTO(buf) hex = BUF_INIT(2 * HASH_LEN);
		struct hash spki;

		leaf_make(i, &leaf);
		must(entry_parse(buf_bytes(&leaf), &w.entry[i], &err), &err);
		sha256(&w.hasher, w.entry[i].key.spki, &spki);
		hex_put(&hex, hash_bytes(&spki));
		memcpy(w.hex[i], hex.ptr, hex.len);
	}
	pem_put(&pem, "PUBLIC KEY", w.entry[1].key.spki);
	put_file("key.pem", buf_bytes(&pem));
	pem_put(&pem, "PUBLIC KEY", w.entry[2].key.spki);
	put_file("two.pem", buf_bytes(&pem));
	put_file("token", BYTES_LIT(TOKEN "\n"));
	put_file("token2", BYTES_LIT(TOKEN2));
	put_file("short", BYTES_LIT("0123456789abcde"));
	put_file("lines", BYTES_LIT("0123456789abcdef\nmore\n"));
	put_file("blank", BYTES_LIT("0123456789abcde f\n"));
	put_file("empty", BYTES_LIT(""));
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "%s/%s", w.dir, files[i]);
		(void)unlink(path);
	}
	for (unsigned i = 0; i < 3; i++)
		entry_release(&w.entry[i]);
	hasher_release(&w.hasher);
	return rmdir(w.dir);
}

static struct rules *
open_text(const char *text, struct error *err)
{
	AUTO(config) c = {0};

	must(config_defaults(w.dir, &c, err), err);
	must(config_parse(bytes_str(text), "file", &c, err), err);
	return rules_open(&c, err);
}

static struct rules *
open_rules(const char *text)
{
	struct error err = {0};
	struct rules *r = open_text(text, &err);

	must(r != NULL, &err);
	return r;
}

/* Whether signer `who` is admitted; NULL, or the reason why not. */
static const char *
ask(struct rules *r, unsigned who, const char *name, const char *header,
    uint64_t now)
{
	static struct error err;
	struct rules_asked asked = {
	    .entry = &w.entry[who],
	    .name = bytes_str(name),
	    .authorization = bytes_str(header),
	    .now = now,
	};

	err = (struct error){0};
	if (rules_admit(r, &w.hasher, &asked, &err))
		return "";
	assert_int_equal(err.code, ERR_DENIED);
	assert_true(strlen(err.text) > 20);
	return error_reason_name(&err);
}

static void
test_anyone(void **state)
{
	struct rules *r = open_rules("admit = anyone\n");

	(void)state;
	assert_true(rules_anyone(r));
	for (unsigned i = 0; i < 3; i++)
		assert_string_equal(ask(r, i, "", "", NOW), "");
	rules_close(r);
	rules_close(NULL);
}

static void
test_keys(void **state)
{
	char text[300];
	struct rules *r;

	(void)state;
	(void)snprintf(text, sizeof(text),
	    "admit = rules\nadmit-key = %s\nadmit-key = key.pem\n", w.hex[0]);
	r = open_rules(text);
	assert_false(rules_anyone(r));
	assert_string_equal(ask(r, 0, "", "", NOW), "");
	assert_string_equal(ask(r, 1, "", "", NOW), "");
	assert_string_equal(ask(r, 2, "", "", NOW), "not-admitted");
	assert_string_equal(
	    ask(r, 2, "a", "Bearer " TOKEN, NOW), "not-admitted");
	rules_close(r);
}

static void
test_tokens(void **state)
{
	static const struct {
		const char *name, *header, *reason;
	} cases[] = {
	    {"acme/a", "", "token-missing"},
	    {"acme/a", TOKEN, "token-missing"},
	    {"acme/a", "Basic " TOKEN, "token-missing"},
	    {"acme/a", "bearer " TOKEN, "token-missing"},
	    {"acme/a", "Bearer", "token-missing"},
	    {"acme/a", "Bearer ", "token-unknown"},
	    {"acme/a", "Bearer " TOKEN "x", "token-unknown"},
	    {"acme/a", "Bearer  " TOKEN, "token-unknown"},
	    {"acme/a", "Bearer token-for-the-tests-", "token-unknown"},
	    {"acme", "Bearer " TOKEN, "token-name"},
	    {"", "Bearer " TOKEN, "token-name"},
	    {"other/a", "Bearer " TOKEN, "token-name"},
	    {"acme/a", "Bearer " TOKEN, ""},
	    {"acme/b/c", "Bearer " TOKEN, ""},
	    {"acme/a", "Bearer " TOKEN, "token-quota"},
	    {"", "Bearer " TOKEN2, ""},
	    {"acme/a", "Bearer " TOKEN2, "token-quota"},
	};
	struct rules *r = open_rules("admit = rules\n"
				     "admit-token = acme/* 2 token\n"
				     "admit-token = * 1 token2\n"
				     "admit-key = key.pem\n");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *got =
		    ask(r, 0, cases[i].name, cases[i].header, NOW);

		if (strcmp(got, cases[i].reason) != 0)
			fail_msg(
			    "%s, %s: %s", cases[i].name, cases[i].header, got);
	}
	/* a key that is listed needs no token, and uses none up */
	assert_string_equal(ask(r, 1, "acme/a", "Bearer x", NOW), "");
	/* another day */
	assert_string_equal(
	    ask(r, 0, "acme/a", "Bearer " TOKEN, NOW + DAY), "");
	assert_string_equal(
	    ask(r, 0, "acme/a", "Bearer " TOKEN, NOW + DAY), "");
	assert_string_equal(
	    ask(r, 0, "acme/a", "Bearer " TOKEN, NOW + DAY), "token-quota");
	rules_close(r);
}

/* What did not become an entry is not counted. */
static void
test_give_back(void **state)
{
	struct rules *r = open_rules("admit = rules\n"
				     "admit-token = * 1 token\n");
	struct rules_asked asked = {
	    .entry = &w.entry[0],
	    .authorization = BYTES_LIT("Bearer " TOKEN),
	    .now = NOW,
	};
	struct error err = {0};

	(void)state;
	must(rules_admit(r, &w.hasher, &asked, &err), &err);
	rules_give_back(r, &asked);
	rules_give_back(r, &asked); /* never below nothing */
	must(rules_admit(r, &w.hasher, &asked, &err), &err);
	refused(rules_admit(r, &w.hasher, &asked, &err), &err, ERR_DENIED,
	    "token-quota");
	rules_give_back(r, &asked); /* nothing was charged */
	assert_string_equal(ask(r, 0, "", "Bearer " TOKEN, NOW), "token-quota");
	rules_close(r);
}

static const struct {
	const char *line;
	enum error_code code;
	const char *names;
} faults[] = {
    {"admit-key = missing.pem", ERR_NOTFOUND, "admit-key = missing.pem"},
    {"admit-key = two.pem", ERR_SYNTAX, "admit-key = two.pem"},
    {"admit-key = token", ERR_SYNTAX, "admit-key = token"},
    {"admit-token = * 1 missing", ERR_NOTFOUND, "admit-token"},
    {"admit-token = * 1 short", ERR_USAGE, "16 characters"},
    {"admit-token = * 1 empty", ERR_USAGE, "16 characters"},
    {"admit-token = * 1 lines", ERR_SYNTAX, "one line"},
    {"admit-token = * 1 key.pem", ERR_SYNTAX, "one line"},
    {"admit-token = * 1 blank", ERR_SYNTAX, "blanks"},
    {"admit-token = * 1 token\nadmit-token = a 2 token", ERR_USAGE,
	"the same token"},
    {"admit-identity = dns:a missing", ERR_NOTFOUND, "admit-identity"},
    {"admit-identity = dns:a token", ERR_SYNTAX, "no certificate"},
    {"admit-identity = dns:a key.pem", ERR_SYNTAX, "more than certificates"},
};

static void
test_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++) {
		char text[200];
		struct error err = {0};
		struct rules *r;

		(void)snprintf(
		    text, sizeof(text), "admit = rules\n%s\n", faults[i].line);
		r = open_text(text, &err);
		if (r || err.code != faults[i].code ||
		    !strstr(err.text, faults[i].names))
			fail_msg("%s: %s (%s)", faults[i].line, err.text,
			    error_reason_name(&err));
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_anyone),
	    TEST(test_keys),
	    TEST(test_tokens),
	    TEST(test_give_back),
	    TEST(test_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
