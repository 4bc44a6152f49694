/* SPDX-License-Identifier: Apache-2.0 */
#include "server/catalog.h"

#include "core/model/manifest.h"
#include "tests/server/log_fixture.h"

static struct hasher h;

static int
setup(void **state)
{
	struct error err = {0};

	(void)state;
	return hasher_open(&h, &err) ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	hasher_release(&h);
	return 0;
}

/* An entry by signer `who`; what it says does not matter here. */
static void
entry_by(unsigned who, struct entry *out)
{
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	struct error err = {0};

	statement_leaf_make(BYTES_LIT("x"), who, &leaf);
	must(entry_parse(buf_bytes(&leaf), out, &err), &err);
}

/* A model of `files` files; file i has a digest of its own, but the last one
 * that of the first. */
static void
model_make(const char *name, const char *version, size_t files, struct buf *out)
{
	AUTO(manifest) m = {0};
	AUTO(buf) predicate = BUF_INIT(1u << 21);
	struct statement_subject subject = {.name = bytes_str(name)};
	struct statement s = {
	    .kind = STATEMENT_MODEL,
	    .subject_count = 1,
	    .subjects = &subject,
	    .version = bytes_str(version),
	};
	struct error err = {0};

	manifest_init(&m, CONTENT_SHA256);
	for (size_t i = 0; i < files; i++) {
		char file[32];
		uint8_t digest[32] = {0};
		struct resource r = {.digest = BYTES_OF(digest)};

		(void)snprintf(file, sizeof(file), "f%07zu", i);
		r.name = bytes_str(file);
		digest[0] = (uint8_t)(i + 1 < files ? i : 0);
		digest[1] = (uint8_t)(i + 1 < files ? i >> 8 : 0);
		must(manifest_add(&m, &r, &err), &err);
	}
	must(manifest_root(&m, &subject.digest, &err), &err);
	manifest_format(&m, &predicate);
	s.predicate = buf_bytes(&predicate);
	statement_format(&s, out);
	must(buf_ok(out, &err), &err);
}

static void
read_catalog(struct bytes payload, const struct entry *e, struct catalog *out)
{
	struct error err = {0};

	must(catalog_read(&h, BYTES_LIT(DSSE_IN_TOTO), payload, e, out, &err),
	    &err);
}

static bool
has(const struct catalog *c, enum index_kind kind, struct bytes a,
    struct bytes b)
{
	struct catalog_key key;

	catalog_key(&h, kind, a, b, &key);
	return catalog_has(c, &key);
}

static const struct bytes none;

static void
test_model(void **state)
{
	AUTO(buf) payload = BUF_INIT(1u << 20);
	AUTO(catalog) c = {0};
	AUTO(entry) e = {0};
	uint8_t digest[32] = {2};
	struct hash signer;

	(void)state;
	entry_by(1, &e);
	sha256(&h, e.key.spki, &signer);
	model_make("acme/r50", "2.1", 5, &payload);
	read_catalog(buf_bytes(&payload), &e, &c);
	/* S, type twice, name twice, version twice, root, four digests */
	assert_int_equal(c.count, 1 + 2 + 2 + 2 + 1 + 4);
	assert_true(has(&c, INDEX_STATEMENT, hash_bytes(&c.s), none));
	assert_true(has(&c, INDEX_MODEL, BYTES_LIT("acme/r50"), none));
	assert_true(has(&c, INDEX_VERSION, BYTES_LIT("2.1"), none));
	assert_true(has(
	    &c, INDEX_MODEL_VERSION, BYTES_LIT("acme/r50"), BYTES_LIT("2.1")));
	assert_true(has(&c, INDEX_SIGNER_MODEL, hash_bytes(&signer),
	    BYTES_LIT("acme/r50")));
	assert_true(has(&c, INDEX_TYPE,
	    bytes_str(statement_kind_type(STATEMENT_MODEL)), none));
	assert_true(has(&c, INDEX_FILE, BYTES_OF(digest), none));
	digest[0] = 4; /* the last file's is that of the first */
	assert_false(has(&c, INDEX_FILE, BYTES_OF(digest), none));
	assert_false(has(&c, INDEX_MODEL, BYTES_LIT("acme/r5"), none));
	assert_false(
	    has(&c, INDEX_MODEL, BYTES_LIT("acme/r50"), BYTES_LIT("2.1")));
	assert_false(has(&c, INDEX_VERSION, BYTES_LIT("acme/r50"), none));
	assert_false(has(&c, INDEX_SUBJECT,
	    hash_bytes(&c.statement.subjects[0].digest), none));
	assert_true(has(
	    &c, INDEX_ROOT, hash_bytes(&c.statement.subjects[0].digest), none));
	for (size_t i = 1; i < c.count; i++)
		assert_true(c.keys[i - 1].kind < c.keys[i].kind ||
		    (c.keys[i - 1].kind == c.keys[i].kind &&
			memcmp(c.keys[i - 1].key.b, c.keys[i].key.b, HASH_LEN) <
			    0));
}

/* So many of a model's files are found, and no more. */
static void
test_many_files(void **state)
{
	AUTO(buf) payload = BUF_INIT(1u << 20);
	AUTO(catalog) c = {0};
	AUTO(entry) e = {0};
	uint8_t digest[32] = {0};

	(void)state;
	entry_by(1, &e);
	model_make("a", "", 2000, &payload);
	read_catalog(buf_bytes(&payload), &e, &c);
	for (size_t i = 0; i < 1999; i++) {
		digest[0] = (uint8_t)i;
		digest[1] = (uint8_t)(i >> 8);
		assert_int_equal(has(&c, INDEX_FILE, BYTES_OF(digest), none),
		    i < CATALOG_MAX_FILES);
	}
	assert_false(has(&c, INDEX_VERSION, none, none));
	catalog_release(&c);
	{
		struct error err = {0};

		must(catalog_peek(&h, BYTES_LIT(DSSE_IN_TOTO),
			 buf_bytes(&payload), &e, &c, &err),
		    &err);
	}
	assert_true(has(&c, INDEX_MODEL, BYTES_LIT("a"), none));
	assert_int_equal(c.count, 1 + 2 + 2 + 1);
}

static void
test_side(void **state)
{
	struct statement_subject subjects[STATEMENT_MAX_SUBJECTS] = {0};
	struct statement s = {
	    .kind = STATEMENT_WITHDRAWAL,
	    .subject_count = STATEMENT_MAX_SUBJECTS,
	    .subjects = subjects,
	    .reason = BYTES_LIT("unsafe"),
	};
	AUTO(buf) payload = BUF_INIT(1u << 20);
	AUTO(catalog) c = {0};
	AUTO(entry) e = {0};
	struct hash signer;

	(void)state;
	entry_by(2, &e);
	sha256(&h, e.key.spki, &signer);
	for (size_t i = 0; i < STATEMENT_MAX_SUBJECTS; i++) {
		subjects[i].name = BYTES_LIT("acme/r50");
		subjects[i].digest.b[0] = (uint8_t)i;
		subjects[i].digest.b[1] = (uint8_t)(i >> 8);
	}
	statement_format(&s, &payload);
	read_catalog(buf_bytes(&payload), &e, &c);
	assert_int_equal(c.count, 3 + 2 * STATEMENT_MAX_SUBJECTS);
	for (size_t i = 0; i < STATEMENT_MAX_SUBJECTS; i++) {
		struct bytes digest = hash_bytes(&subjects[i].digest);

		assert_true(has(&c, INDEX_SUBJECT, digest, none));
		assert_true(
		    has(&c, INDEX_SIGNER_SUBJECT, hash_bytes(&signer), digest));
	}
	/* it speaks about a model, and is none */
	assert_false(has(&c, INDEX_MODEL, BYTES_LIT("acme/r50"), none));
}

#define STATEMENT_HEAD                                                         \
	"{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":"          \
	"[{\"name\":\"a\",\"digest\":{\"sha256\":"                             \
	"\"00000000000000000000000000000000"                                   \
	"00000000000000000000000000000000\"}}],\"predicateType\":\""

static const struct {
	const char *type, *payload;
	enum error_code code;
	const char *reason;
} refusals[] = {
    {"", "{}", ERR_DENIED, "wrong-statement-type"},
    {"application/json", "{}", ERR_DENIED, "wrong-statement-type"},
    {DSSE_IN_TOTO "x", "{}", ERR_DENIED, "wrong-statement-type"},
    {DSSE_IN_TOTO, "", ERR_SYNTAX, "malformed-statement"},
    {DSSE_IN_TOTO, "[]", ERR_SYNTAX, "malformed-statement"},
    {DSSE_IN_TOTO, "{}", ERR_SYNTAX, "malformed-statement"},
    {DSSE_IN_TOTO,
	STATEMENT_HEAD "https://slsa.dev/provenance/v1\",\"predicate\":{}}",
	ERR_DENIED, "wrong-statement-type"},
    {DSSE_IN_TOTO, STATEMENT_HEAD "https://mtlog/scan/v1\",\"predicate\":{}}",
	ERR_DENIED, "wrong-statement-type"},
    {DSSE_IN_TOTO,
	STATEMENT_HEAD
	"https://model_signing/signature/v1.0\",\"predicate\":{}}",
	ERR_SYNTAX, "malformed-statement"},
    {DSSE_IN_TOTO,
	STATEMENT_HEAD
	"https://model_signing/signature/v1.0\",\"predicate\":{\"resources\":"
	"[{\"name\":\"f\",\"algorithm\":\"sha256\",\"digest\":"
	"\"0000000000000000000000000000000000000000000000000000000000000000"
	"\"}],\"serialization\":{\"method\":\"files\",\"hash_type\":"
	"\"sha256\",\"allow_symlinks\":false,\"ignore_paths\":[]}}}",
	ERR_BADSIG, "root-mismatch"},
};

static void
test_refused(void **state)
{
	AUTO(entry) e = {0};

	(void)state;
	entry_by(1, &e);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct catalog c;
		struct error err = {0};

		if (catalog_read(&h, bytes_str(refusals[i].type),
			bytes_str(refusals[i].payload), &e, &c, &err) ||
		    err.code != refusals[i].code ||
		    strcmp(error_reason_name(&err), refusals[i].reason) != 0)
			fail_msg("%s: %s: %s", refusals[i].payload,
			    error_reason_name(&err), err.text);
		catalog_release(&c);
	}
}

/* The largest payload, and one more byte. */
static void
test_size(void **state)
{
	AUTO(entry) e = {0};
	AUTO(buf) payload = BUF_INIT(ENVELOPE_MAX_LEN + 1);
	struct catalog c;
	struct error err = {0};

	(void)state;
	entry_by(1, &e);
	for (size_t i = 0; i < ENVELOPE_MAX_LEN - ENVELOPE_TYPE_MAX; i++)
		buf_put_u8(&payload, ' ');
	refused(catalog_read(&h, BYTES_LIT(DSSE_IN_TOTO), buf_bytes(&payload),
		    &e, &c, &err),
	    &err, ERR_SYNTAX, "malformed-statement");
	catalog_release(&c);
	err = (struct error){0};
	buf_put_u8(&payload, ' ');
	refused(catalog_read(&h, BYTES_LIT(DSSE_IN_TOTO), buf_bytes(&payload),
		    &e, &c, &err),
	    &err, ERR_LIMIT, "envelope-too-large");
	catalog_release(&c);
}

/* Which entries log an envelope: digest and signer, both. */
static void
test_logged(void **state)
{
	AUTO(buf) payload = BUF_INIT(4096);
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(entry) e = {0};
	struct store_link link, other;
	struct error err = {0};

	(void)state;
	statement_make(5, &payload);
	statement_leaf_make(buf_bytes(&payload), 1, &leaf);
	must(entry_parse(buf_bytes(&leaf), &e, &err), &err);
	link = statement_link(&h, buf_bytes(&payload), 1, 0);
	assert_true(envelope_logged(&h, &link, &e));
	other = statement_link(&h, buf_bytes(&payload), 2, 0);
	assert_false(envelope_logged(&h, &other, &e));
	other = link;
	other.sha512[63] ^= 1; /* an Ed25519 key's is SHA-512 */
	assert_false(envelope_logged(&h, &other, &e));
	other = link;
	other.s.b[0] ^= 1;
	assert_true(envelope_logged(&h, &other, &e));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_model),
	    TEST(test_many_files),
	    TEST(test_side),
	    TEST(test_refused),
	    TEST(test_size),
	    TEST(test_logged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
