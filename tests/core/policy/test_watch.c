/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/policy/watch.h"
#include "tests/support/vector_file.h"

static struct watch watch;

static void
parse(const char *text)
{
	struct error err = {0};

	if (!watch_parse(bytes_str(text), &watch, &err))
		fail_msg("%s: %s", text, err.text);
}

static void
check_again(const char *name)
{
	AUTO(buf) first = BUF_INIT(WATCH_MAX_LEN);
	AUTO(buf) second = BUF_INIT(WATCH_MAX_LEN);
	struct error err = {0};
	struct watch again;

	watch_format(&watch, &first);
	if (!watch_parse(buf_bytes(&first), &again, &err))
		fail_msg("%s, again: %s", name, err.text);
	watch_format(&again, &second);
	assert_true(bytes_equal(buf_bytes(&first), buf_bytes(&second)));
	watch_release(&again);
}

/* The file's first line: "# accepted", or "# <class> <sentence begins so>". */
static void
check_file(const char *name)
{
	AUTO(buf) in = BUF_INIT(WATCH_MAX_LEN);
	char path[VECTOR_PATH_MAX], inside[300];
	struct bytes line = {0}, word = {0};
	struct error err = {0};
	struct reader r;
	bool ok;

	(void)snprintf(inside, sizeof(inside), "watch/%s", name);
	assert_true(vector_read(vector_own(path, inside), &in));
	reader_init(&r, buf_bytes(&in));
	assert_true(reader_line(&r, &line));
	reader_init(&r, line);
	assert_true(reader_literal(&r, BYTES_LIT("# ")));
	assert_true(vector_word(&r, &word));
	ok = watch_parse(buf_bytes(&in), &watch, &err);
	if (bytes_equal(word, BYTES_LIT("accepted"))) {
		if (!ok)
			fail_msg("%s: %s", name, err.text);
		check_again(name);
	} else if (ok ||
	    !bytes_equal(word, bytes_str(error_code_name(err.code))) ||
	    !bytes_starts(bytes_str(err.text), r.rest) || err.reason) {
		fail_msg("%s: %s %s", name, error_code_name(err.code),
		    ok ? "accepted" : err.text);
	}
	/* After a failure it is empty. */
	if (!ok)
		assert_true(!watch.rules && !watch.storage.chunks);
	watch_release(&watch);
}

static void
test_vectors(void **state)
{
	unsigned valid = 0, invalid = 0;
	char path[VECTOR_PATH_MAX];
	struct dirent *e;
	DIR *d;

	(void)state;
	d = opendir(vector_own(path, "watch"));
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
	assert_in_range(valid, 6, 1000);
	assert_in_range(invalid, 38, 1000);
}

/* Plain rules are what the formatter writes. */
static void
test_format(void **state)
{
	AUTO(buf) in = BUF_INIT(WATCH_MAX_LEN);
	AUTO(buf) out = BUF_INIT(WATCH_MAX_LEN);
	char path[VECTOR_PATH_MAX];
	struct error err = {0};
	struct bytes line = {0};
	struct reader r;

	(void)state;
	assert_true(
	    vector_read(vector_own(path, "watch/valid-plain.rules"), &in));
	assert_true(watch_parse(buf_bytes(&in), &watch, &err));
	watch_format(&watch, &out);
	reader_init(&r, buf_bytes(&in));
	assert_true(reader_line(&r, &line));
	assert_int_equal(out.len, r.rest.len);
	assert_memory_equal(out.ptr, r.rest.ptr, out.len);
	watch_release(&watch);
}

static void
test_patterns(void **state)
{
	static const struct {
		const char *pattern, *name;
		bool matches;
	} cases[] = {
	    {"acme/r50", "acme/r50", true},
	    {"acme/r50", "acme/r500", false},
	    {"acme/r50", "acme/r5", false},
	    {"acme/r50", "xacme/r50", false},
	    {"acme/r50", "acme/r50/x", false},
	    {"acme/r50", "ACME/r50", false},
	    {"acme/*", "acme/r50", true},
	    {"acme/*", "acme/a/b", true},
	    {"acme/*", "acme/\xff\n", true},
	    {"acme/*", "acme/*", true},
	    {"acme/*", "acme", false},
	    {"acme/*", "acme/", false},
	    {"acme/*", "acmex/r50", false},
	    {"acme/*", "x/acme/r50", false},
	    {"*", "anything at all", true},
	    {"*", "", true},
	    {"a", "", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (watch_pattern_match(bytes_str(cases[i].pattern),
			bytes_str(cases[i].name)) != cases[i].matches)
			fail_msg("%s %s", cases[i].pattern, cases[i].name);
}

#define KEY_A "sha256:" A64
#define KEY_B "sha256:" B64
#define A64   "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B64   "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const struct hash key_a = {
    {0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
	0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
	0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa}};

static const struct hash key_c = {{0xcc}};
static const struct hash file_digest = {{0xf1}};
static const struct hash s_digest = {{0x51}};

/* Entries, by what is in them; each is of key_a unless it says otherwise. */
static struct statement_subject subjects[2] = {
    {BYTES_LIT("acme/r50"), {{0x01}}}, {BYTES_LIT("acme/other"), {{0x02}}}};
static struct statement model = {
    .kind = STATEMENT_MODEL, .subject_count = 1, .subjects = subjects};
static struct statement withdrawal = {
    .kind = STATEMENT_WITHDRAWAL, .subject_count = 2, .subjects = subjects};
static struct statement_subject revoked = {BYTES_LIT("key"), {{0xcc}}};
static struct statement revocation = {
    .kind = STATEMENT_REVOCATION, .subject_count = 1, .subjects = &revoked};
static struct statement old = {
    .kind = STATEMENT_MODEL_V02, .subject_count = 1, .subjects = subjects};
static struct resource resources[1] = {{.digest = BYTES_OF(file_digest.b)}};
static struct manifest manifest = {.count = 1, .resources = resources};
static const struct certificate_name names[] = {
    {CERTIFICATE_EMAIL, BYTES_LIT("ci@acme.example")},
    {CERTIFICATE_URI, BYTES_LIT("https://ci.acme.example/release")}};

static bool
matches(const char *rule, const struct watch_entry *e)
{
	bool is;

	parse(rule);
	assert_int_equal(watch.rule_count, 1);
	is = watch_match(&watch.rules[0], e);
	watch_release(&watch);
	return is;
}

static const struct {
	const char *rule;
	const struct statement *statement;
	bool matches;
} match_cases[] = {
    {"model acme/r50", &model, true},
    {"model acme/*", &model, true},
    {"model acme/other", &model, false},
    {"model acme/other", &withdrawal, true},
    {"model acme/r50 only approval", &withdrawal, false},
    {"model acme/r50 only approval withdrawal", &withdrawal, true},
    {"model acme/r50", NULL, false},
    {"model *", NULL, false},
    {"model *", &revocation, true},
    {"model *", &old, true},
    {"model key", &revocation, false},
    {"model acme/*", &old, false},
    {"model acme/* except " KEY_A, &model, false},
    {"model acme/* except " KEY_B, &model, true},
    {"signer " KEY_A, &model, true},
    {"signer " KEY_A, NULL, true},
    {"signer " KEY_B, &model, false},
    {"signer " KEY_A " only other", NULL, true},
    {"signer " KEY_A " only model", NULL, false},
    {"signer sha256:cc000000000000000000000000000000"
     "00000000000000000000000000000000",
	&revocation, true},
    {"signer sha256:cc000000000000000000000000000000"
     "00000000000000000000000000000000",
	&model, false},
    {"identity email:ci@acme.example", NULL, true},
    {"identity uri:https://ci.acme.example/*", NULL, true},
    {"identity uri:https://ci.acme.example", NULL, false},
    {"identity dns:ci@acme.example", NULL, false},
    {"identity other:*", NULL, false},
    {"identity email:*", NULL, true},
    {"digest sha256:f100000000000000000000000000000"
     "000000000000000000000000000000000",
	&model, true},
    {"digest blake3:f100000000000000000000000000000"
     "000000000000000000000000000000000",
	&model, true},
    {"digest sha256:5100000000000000000000000000000"
     "000000000000000000000000000000000",
	NULL, true},
    {"digest sha256:0200000000000000000000000000000"
     "000000000000000000000000000000000",
	&withdrawal, true},
    {"digest sha256:0200000000000000000000000000000"
     "000000000000000000000000000000000",
	&model, false},
    {"opaque", NULL, true},
    {"opaque", &model, false},
    {"opaque only model", NULL, false},
    {"opaque except " KEY_A, NULL, false},
};

static void
test_matches(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(match_cases) / sizeof(match_cases[0]);
	     i++) {
		struct watch_entry e = {.key = key_a,
		    .signature_valid = true,
		    .names = names,
		    .name_count = 2,
		    .digest = BYTES_OF(key_c.b),
		    .s = &s_digest,
		    .statement = match_cases[i].statement,
		    .manifest =
			match_cases[i].statement == &model ? &manifest : NULL};

		if (matches(match_cases[i].rule, &e) != match_cases[i].matches)
			fail_msg("%zu: %s", i, match_cases[i].rule);
	}
}

/* Who is excepted must have signed: else anybody could borrow the exception. */
static void
test_forged_exception(void **state)
{
	struct watch_entry e = {.key = key_a, .statement = &model};

	(void)state;
	assert_true(matches("model acme/* except " KEY_A, &e));
	e.signature_valid = true;
	assert_false(matches("model acme/* except " KEY_A, &e));
}

static void
test_reads(void **state)
{
	static const struct {
		const char *rules;
		bool reads;
	} cases[] = {
	    {"identity dns:a", false},
	    {"signer " KEY_A, true},
	    {"signer " KEY_A " only model", false},
	    {"signer " KEY_A " only key-revocation", true},
	    {"identity dns:a\nmodel x", true},
	    {"opaque", true},
	    {"digest sha256:" A64, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		parse(cases[i].rules);
		if (watch_reads(&watch) != cases[i].reads)
			fail_msg("%s", cases[i].rules);
		watch_release(&watch);
	}
}

static void
test_limits(void **state)
{
	AUTO(buf) text = BUF_INIT(2 * WATCH_MAX_LEN);
	struct error err = {0};

	(void)state;
	while (text.len <= WATCH_MAX_LEN)
		buf_put_str(&text, "# nothing is said here\n");
	assert_false(watch_parse(buf_bytes(&text), &watch, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	err = (struct error){0};
	buf_clear(&text);
	buf_put_str(&text, "opaque\n");
	while (text.len < WATCH_MAX_LEN)
		buf_put_u8(&text, '\n');
	assert_true(watch_parse(buf_bytes(&text), &watch, &err));
	watch_release(&watch);
	/* Released, and again. */
	watch_release(&watch);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_vectors),
	    cmocka_unit_test(test_format),
	    cmocka_unit_test(test_patterns),
	    cmocka_unit_test(test_matches),
	    cmocka_unit_test(test_forged_exception),
	    cmocka_unit_test(test_reads),
	    cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
