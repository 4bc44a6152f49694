/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/model/statement.h"
#include "tests/support/refusals.h"

#define FOLDER "statement/"

static const struct refusal invalid[] = {
    {"approval-annotations", ERR_SYNTAX,
	"a subject has a name and a digest only"},
    {"approval-comment-long", ERR_LIMIT, "a text is longer than 1000 bytes"},
    {"approval-digest-more", ERR_SYNTAX, "a subject's digest is sha256 only"},
    {"approval-more", ERR_SYNTAX,
	"the statement has members that its type has not"},
    {"approval-name-long", ERR_LIMIT, "a subject's name is too long"},
    {"approval-no-comment", ERR_SYNTAX, "a member of the predicate is missing"},
    {"approval-no-role", ERR_SYNTAX, "a member of the predicate is missing"},
    {"approval-no-subject", ERR_SYNTAX, "the statement has no subject"},
    {"approval-null-comment", ERR_SYNTAX, "JSON: no string where one must be"},
    {"approval-null-role", ERR_SYNTAX, "JSON: no string where one must be"},
    {"approval-number-comment", ERR_SYNTAX,
	"JSON: no string where one must be"},
    {"approval-number-role", ERR_SYNTAX, "JSON: no string where one must be"},
    {"approval-predicate-more", ERR_SYNTAX,
	"the predicate has a member that its type has not"},
    {"approval-predicate-of-withdrawal", ERR_SYNTAX,
	"the predicate has a member that its type has not"},
    {"approval-predicate-string", ERR_SYNTAX,
	"JSON: no object where one must be"},
    {"approval-role-long", ERR_LIMIT, "a text is longer than 1000 bytes"},
    {"approval-subject-more", ERR_SYNTAX,
	"a subject has a name and a digest only"},
    {"approval-two-subjects", ERR_SYNTAX,
	"the statement has more than one subject"},
    {"bom", ERR_SYNTAX, "JSON: no object where one must be"},
    {"deep", ERR_LIMIT, "JSON: more than 16 levels deep"},
    {"duplicate-escaped", ERR_SYNTAX,
	"JSON: a member stands twice in an object"},
    {"duplicate-in-digest", ERR_SYNTAX,
	"JSON: a member stands twice in an object"},
    {"duplicate-in-manifest", ERR_SYNTAX,
	"JSON: a member stands twice in an object"},
    {"duplicate-predicate", ERR_SYNTAX,
	"JSON: a member stands twice in an object"},
    {"duplicate-unknown", ERR_SYNTAX,
	"JSON: a member stands twice in an object"},
    {"empty", ERR_SYNTAX, "JSON: no object where one must be"},
    {"members", ERR_LIMIT, "JSON: an object of more than 64 members"},
    {"model-array", ERR_SYNTAX, "JSON: no object where one must be"},
    {"model-digest-other", ERR_SYNTAX,
	"a subject needs a name and a sha256 digest"},
    {"model-digest-short", ERR_SYNTAX,
	"a subject's sha256 is not 64 lower-case hex digits"},
    {"model-digest-string", ERR_SYNTAX, "JSON: no object where one must be"},
    {"model-digest-upper", ERR_SYNTAX,
	"a subject's sha256 is not 64 lower-case hex digits"},
    {"model-empty-name", ERR_SYNTAX,
	"a subject needs a name and a sha256 digest"},
    {"model-name-long", ERR_LIMIT, "a subject's name is too long"},
    {"model-name-null", ERR_SYNTAX, "JSON: no string where one must be"},
    {"model-name-number", ERR_SYNTAX, "JSON: no string where one must be"},
    {"model-no-_type", ERR_SYNTAX,
	"a statement needs _type, subject, predicateType and predicate"},
    {"model-no-digest", ERR_SYNTAX,
	"a subject needs a name and a sha256 digest"},
    {"model-no-name", ERR_SYNTAX, "a subject needs a name and a sha256 digest"},
    {"model-no-predicate", ERR_SYNTAX,
	"a statement needs _type, subject, predicateType and predicate"},
    {"model-no-predicateType", ERR_SYNTAX,
	"a statement needs _type, subject, predicateType and predicate"},
    {"model-no-subject", ERR_SYNTAX,
	"a statement needs _type, subject, predicateType and predicate"},
    {"model-no-subjects", ERR_SYNTAX, "the statement has no subject"},
    {"model-null-_type", ERR_SYNTAX, "JSON: no string where one must be"},
    {"model-null-predicate", ERR_SYNTAX, "the predicate is no object"},
    {"model-null-predicateType", ERR_SYNTAX,
	"JSON: no string where one must be"},
    {"model-null-subject", ERR_SYNTAX, "JSON: no array where one must be"},
    {"model-same-subjects", ERR_SYNTAX,
	"the statement has more than one subject"},
    {"model-subject-object", ERR_SYNTAX, "JSON: no array where one must be"},
    {"model-subject-string", ERR_SYNTAX, "JSON: no object where one must be"},
    {"model-two-subjects", ERR_SYNTAX,
	"the statement has more than one subject"},
    {"model-type-number", ERR_SYNTAX, "JSON: no string where one must be"},
    {"not-json", ERR_SYNTAX, "JSON: no object where one must be"},
    {"nul-name", ERR_SYNTAX, "JSON: a NUL character in a string"},
    {"revocation-annotations", ERR_SYNTAX,
	"a subject has a name and a digest only"},
    {"revocation-digest-more", ERR_SYNTAX, "a subject's digest is sha256 only"},
    {"revocation-earlier-bool", ERR_SYNTAX,
	"JSON: no string where one must be"},
    {"revocation-earlier", ERR_SYNTAX, "\"earlier\" is keep or withdraw"},
    {"revocation-more", ERR_SYNTAX,
	"the statement has members that its type has not"},
    {"revocation-name-long", ERR_LIMIT, "a subject's name is too long"},
    {"revocation-name", ERR_SYNTAX, "a revocation's subject is named \"key\""},
    {"revocation-no-earlier", ERR_SYNTAX,
	"a member of the predicate is missing"},
    {"revocation-no-reason", ERR_SYNTAX,
	"a member of the predicate is missing"},
    {"revocation-null-earlier", ERR_SYNTAX,
	"JSON: no string where one must be"},
    {"revocation-null-reason", ERR_SYNTAX, "JSON: no string where one must be"},
    {"revocation-number-earlier", ERR_SYNTAX,
	"JSON: no string where one must be"},
    {"revocation-number-reason", ERR_SYNTAX,
	"JSON: no string where one must be"},
    {"revocation-predicate-more", ERR_SYNTAX,
	"the predicate has a member that its type has not"},
    {"revocation-reason", ERR_SYNTAX, "the reason is none that is defined"},
    {"revocation-subject-more", ERR_SYNTAX,
	"a subject has a name and a digest only"},
    {"revocation-two", ERR_SYNTAX, "the statement has more than one subject"},
    {"single-quotes", ERR_SYNTAX, "JSON: no string where one must be"},
    {"status-annotations", ERR_SYNTAX,
	"a subject has a name and a digest only"},
    {"status-checked-day", ERR_SYNTAX, "\"checked\" is not a time in UTC"},
    {"status-checked-no-day", ERR_SYNTAX, "\"checked\" is not a time in UTC"},
    {"status-checked-offset", ERR_SYNTAX, "\"checked\" is not a time in UTC"},
    {"status-complete-string", ERR_SYNTAX,
	"JSON: no true or false where one must be"},
    {"status-digest-more", ERR_SYNTAX, "a subject's digest is sha256 only"},
    {"status-log-empty", ERR_SYNTAX, "the log's name is none of a log"},
    {"status-log-plus", ERR_SYNTAX, "the log's name is none of a log"},
    {"status-log-space", ERR_SYNTAX, "the log's name is none of a log"},
    {"status-more", ERR_SYNTAX,
	"the statement has members that its type has not"},
    {"status-name-long", ERR_LIMIT, "a subject's name is too long"},
    {"status-name-twice", ERR_SYNTAX, "a status names a model twice"},
    {"status-no-checked", ERR_SYNTAX, "a member of the predicate is missing"},
    {"status-no-complete", ERR_SYNTAX, "a member of the predicate is missing"},
    {"status-no-log", ERR_SYNTAX, "a member of the predicate is missing"},
    {"status-no-revoked", ERR_SYNTAX, "a member of the predicate is missing"},
    {"status-no-rootHash", ERR_SYNTAX, "a member of the predicate is missing"},
    {"status-no-treeSize", ERR_SYNTAX, "a member of the predicate is missing"},
    {"status-no-withdrawn", ERR_SYNTAX, "a member of the predicate is missing"},
    {"status-null-checked", ERR_SYNTAX, "JSON: no string where one must be"},
    {"status-null-complete", ERR_SYNTAX,
	"JSON: no true or false where one must be"},
    {"status-null-log", ERR_SYNTAX, "JSON: no string where one must be"},
    {"status-null-revoked", ERR_SYNTAX, "JSON: no array where one must be"},
    {"status-null-rootHash", ERR_SYNTAX, "JSON: no string where one must be"},
    {"status-null-treeSize", ERR_SYNTAX, "JSON: no string where one must be"},
    {"status-null-withdrawn", ERR_SYNTAX, "JSON: no array where one must be"},
    {"status-number-checked", ERR_SYNTAX, "JSON: no string where one must be"},
    {"status-number-complete", ERR_SYNTAX,
	"JSON: no true or false where one must be"},
    {"status-number-log", ERR_SYNTAX, "JSON: no string where one must be"},
    {"status-number-revoked", ERR_SYNTAX, "JSON: no array where one must be"},
    {"status-number-rootHash", ERR_SYNTAX, "JSON: no string where one must be"},
    {"status-number-treeSize", ERR_SYNTAX, "JSON: no string where one must be"},
    {"status-number-withdrawn", ERR_SYNTAX, "JSON: no array where one must be"},
    {"status-predicate-more", ERR_SYNTAX,
	"the predicate has a member that its type has not"},
    {"status-revoked-number", ERR_SYNTAX, "JSON: no string where one must be"},
    {"status-root-hex", ERR_SYNTAX, "rootHash is not base64 of a hash"},
    {"status-root-short", ERR_SYNTAX, "rootHash is not base64 of a hash"},
    {"status-root-unpadded", ERR_SYNTAX, "rootHash is not base64 of a hash"},
    {"status-root-url", ERR_SYNTAX, "rootHash is not base64 of a hash"},
    {"status-size-2-63", ERR_SYNTAX, "treeSize is not a decimal string"},
    {"status-size-number", ERR_SYNTAX, "JSON: no string where one must be"},
    {"status-size-real", ERR_SYNTAX, "treeSize is not a decimal string"},
    {"status-size-sign", ERR_SYNTAX, "treeSize is not a decimal string"},
    {"status-size-zeros", ERR_SYNTAX, "treeSize is not a decimal string"},
    {"status-subject-more", ERR_SYNTAX,
	"a subject has a name and a digest only"},
    {"status-withdrawn-short", ERR_SYNTAX,
	"a digest is not 64 lower-case hex digits"},
    {"status-withdrawn-string", ERR_SYNTAX, "JSON: no array where one must be"},
    {"status-withdrawn-upper", ERR_SYNTAX,
	"a digest is not 64 lower-case hex digits"},
    {"surrogate-name", ERR_SYNTAX, "JSON: half a surrogate pair in a string"},
    {"trailing-nul", ERR_SYNTAX, "JSON: a NUL character"},
    {"trailing", ERR_SYNTAX, "JSON: something follows the value"},
    {"truncated", ERR_SYNTAX, "JSON: no comma or end where one must be"},
    {"v02-no-annotation", ERR_SYNTAX,
	"a subject's actual_hash_algorithm is not file-sha256"},
    {"v02-no-subjects", ERR_SYNTAX, "the statement has no subject"},
    {"v02-other-algorithm", ERR_SYNTAX,
	"a subject's actual_hash_algorithm is not file-sha256"},
    {"withdrawal-annotations", ERR_SYNTAX,
	"a subject has a name and a digest only"},
    {"withdrawal-digest-more", ERR_SYNTAX, "a subject's digest is sha256 only"},
    {"withdrawal-more", ERR_SYNTAX,
	"the statement has members that its type has not"},
    {"withdrawal-name-long", ERR_LIMIT, "a subject's name is too long"},
    {"withdrawal-no-comment", ERR_SYNTAX,
	"a member of the predicate is missing"},
    {"withdrawal-no-reason", ERR_SYNTAX,
	"a member of the predicate is missing"},
    {"withdrawal-no-subject", ERR_SYNTAX, "the statement has no subject"},
    {"withdrawal-null-comment", ERR_SYNTAX,
	"JSON: no string where one must be"},
    {"withdrawal-null-reason", ERR_SYNTAX, "JSON: no string where one must be"},
    {"withdrawal-number-comment", ERR_SYNTAX,
	"JSON: no string where one must be"},
    {"withdrawal-number-reason", ERR_SYNTAX,
	"JSON: no string where one must be"},
    {"withdrawal-predicate-more", ERR_SYNTAX,
	"the predicate has a member that its type has not"},
    {"withdrawal-reason-case", ERR_SYNTAX,
	"the reason is none that is defined"},
    {"withdrawal-reason", ERR_SYNTAX, "the reason is none that is defined"},
    {"withdrawal-subject-more", ERR_SYNTAX,
	"a subject has a name and a digest only"},
};

static const struct refusal denied[] = {
    {"predicate-approval-v2", ERR_DENIED,
	"the statement's predicateType is none that is known here"},
    {"predicate-case", ERR_DENIED,
	"the statement's predicateType is none that is known here"},
    {"predicate-later", ERR_DENIED,
	"the statement's predicateType is none that is known here"},
    {"predicate-longer", ERR_DENIED,
	"the statement's predicateType is none that is known here"},
    {"predicate-scan", ERR_DENIED,
	"the statement's predicateType is none that is known here"},
    {"predicate-slsa", ERR_DENIED,
	"the statement's predicateType is none that is known here"},
    {"predicate-v2", ERR_DENIED,
	"the statement's predicateType is none that is known here"},
    {"type-empty-like", ERR_DENIED,
	"the statement's _type is not in-toto Statement v1"},
    {"type-slash", ERR_DENIED,
	"the statement's _type is not in-toto Statement v1"},
    {"type-v01", ERR_DENIED,
	"the statement's _type is not in-toto Statement v1"},
};

static bool
refuses(struct bytes in, struct error *err)
{
	AUTO(statement) s = {0};
	bool ok = statement_parse(in, &s, err);

	/* Nothing half-read is left. */
	if (!ok) {
		assert_int_equal(s.kind, 0);
		assert_null(s.storage.chunks);
	}
	return ok;
}

static void
test_invalid(void **state)
{
	(void)state;
	refusals_check(FOLDER "invalid", "malformed-statement", invalid,
	    sizeof(invalid) / sizeof(invalid[0]), refuses);
	refusals_check(FOLDER "denied", "wrong-statement-type", denied,
	    sizeof(denied) / sizeof(denied[0]), refuses);
}

/* Our own statements are written in one way. */
static void
test_valid(void **state)
{
	static const struct {
		const char *name;
		enum statement_kind kind;
		size_t subjects;
	} valid[] = {
	    {"approval", STATEMENT_APPROVAL, 1},
	    {"approval-empty-texts", STATEMENT_APPROVAL, 1},
	    {"approval-longest-text", STATEMENT_APPROVAL, 1},
	    {"approval-stock-name", STATEMENT_APPROVAL, 1},
	    {"approval-text", STATEMENT_APPROVAL, 1},
	    {"model", STATEMENT_MODEL, 1},
	    {"model-version", STATEMENT_MODEL, 1},
	    {"revocation", STATEMENT_REVOCATION, 1},
	    {"revocation-lost", STATEMENT_REVOCATION, 1},
	    {"revocation-retired", STATEMENT_REVOCATION, 1},
	    {"revocation-withdraw", STATEMENT_REVOCATION, 1},
	    {"status", STATEMENT_STATUS, 2},
	    {"status-empty", STATEMENT_STATUS, 0},
	    {"withdrawal", STATEMENT_WITHDRAWAL, 2},
	    {"withdrawal-compromised", STATEMENT_WITHDRAWAL, 2},
	    {"withdrawal-other", STATEMENT_WITHDRAWAL, 2},
	    {"withdrawal-superseded", STATEMENT_WITHDRAWAL, 2},
	    {"withdrawal-unsafe", STATEMENT_WITHDRAWAL, 2},
	};
	enum { N = sizeof(valid) / sizeof(valid[0]) };

	(void)state;
	for (size_t i = 0; i < N; i++) {
		AUTO(buf) in = BUF_INIT(1u << 20);
		AUTO(buf) out = BUF_INIT(1u << 20);
		AUTO(statement) s = {0};
		struct error err = {0};

		vector_load(FOLDER "valid", valid[i].name, &in);
		if (!statement_parse(buf_bytes(&in), &s, &err))
			fail_msg("%s: %s", valid[i].name, err.text);
		assert_int_equal(s.kind, valid[i].kind);
		assert_int_equal(s.subject_count, valid[i].subjects);
		statement_format(&s, &out);
		assert_true(bytes_equal(buf_bytes(&in), buf_bytes(&out)));
		for (size_t n = 0; n < in.len; n += 5) {
			AUTO(buf) small = BUF_INIT(n);

			statement_format(&s, &small);
			assert_true(small.failed);
		}
	}
	assert_int_equal(vector_count(FOLDER "valid"), N);
}

static void
open_statement(
    const char *folder, const char *name, struct buf *in, struct statement *out)
{
	struct error err = {0};

	vector_load(folder, name, in);
	if (!statement_parse(buf_bytes(in), out, &err))
		fail_msg("%s: %s", name, err.text);
}

static bool
is_hash_of(const struct hash *h, const char *text)
{
	struct hash want;
	struct error err = {0};
	AUTO(hasher) hasher = {0};

	assert_true(hasher_open(&hasher, &err));
	sha256(&hasher, bytes_str(text), &want);
	return hash_equal(h, &want);
}

static void
test_approval(void **state)
{
	AUTO(buf) in = BUF_INIT(1u << 20);
	AUTO(statement) s = {0};

	(void)state;
	open_statement(FOLDER "valid", "approval", &in, &s);
	assert_true(
	    bytes_equal(s.subjects[0].name, BYTES_LIT("acme/resnet50")));
	assert_true(is_hash_of(&s.subjects[0].digest, "acme/resnet50"));
	assert_true(bytes_equal(s.role, BYTES_LIT("security-review")));
	assert_true(bytes_equal(s.comment, BYTES_LIT("no pickle inside")));
	assert_int_equal(s.predicate.ptr[0], '{');
}

static void
test_withdrawal(void **state)
{
	AUTO(buf) in = BUF_INIT(1u << 20);
	AUTO(statement) s = {0};

	(void)state;
	open_statement(FOLDER "valid", "withdrawal", &in, &s);
	assert_true(is_hash_of(&s.subjects[1].digest, "acme/resnet18"));
	assert_true(bytes_equal(s.reason, BYTES_LIT("mistake")));
	assert_true(bytes_equal(s.comment, BYTES_LIT("wrong weights")));
}

static void
test_revocation(void **state)
{
	AUTO(buf) in = BUF_INIT(1u << 20);
	AUTO(buf) in_two = BUF_INIT(1u << 20);
	AUTO(statement) keep = {0};
	AUTO(statement) withdraw = {0};

	(void)state;
	open_statement(FOLDER "valid", "revocation", &in, &keep);
	open_statement(
	    FOLDER "valid", "revocation-withdraw", &in_two, &withdraw);
	assert_true(is_hash_of(&keep.subjects[0].digest, "key"));
	assert_true(bytes_equal(keep.reason, BYTES_LIT("compromised")));
	assert_false(keep.earlier_withdrawn);
	assert_true(withdraw.earlier_withdrawn);
}

static void
test_status(void **state)
{
	AUTO(buf) in = BUF_INIT(1u << 20);
	AUTO(buf) in_empty = BUF_INIT(1u << 20);
	AUTO(statement) s = {0};
	AUTO(statement) empty = {0};

	(void)state;
	open_statement(FOLDER "valid", "status", &in, &s);
	assert_true(bytes_equal(s.log, BYTES_LIT("models.example.org")));
	assert_int_equal(s.tree_size, 48300);
	assert_true(is_hash_of(&s.root, "root"));
	assert_int_equal(s.checked, 1795417200);
	assert_true(s.complete);
	assert_int_equal(s.withdrawn_count, 1);
	assert_true(is_hash_of(&s.withdrawn[0], "w"));
	assert_int_equal(s.revoked_count, 2);
	assert_true(is_hash_of(&s.revoked[0], "r1"));
	assert_true(is_hash_of(&s.revoked[1], "r2"));
	open_statement(FOLDER "valid", "status-empty", &in_empty, &empty);
	assert_false(empty.complete);
	assert_int_equal(empty.withdrawn_count, 0);
	assert_int_equal(empty.revoked_count, 0);
}

/* Models' statements as others write them; `version` where ours is there. */
static void
test_tolerated(void **state)
{
	static const struct {
		const char *name, *subject, *version;
		enum statement_kind kind;
	} cases[] = {
	    {"approval-spaced", "acme/resnet50", "", STATEMENT_APPROVAL},
	    {"model-annotations-null", "acme/resnet50", "", STATEMENT_MODEL},
	    {"model-escaped", "acme/resnet50", "", STATEMENT_MODEL},
	    {"model-more", "acme/resnet50", "", STATEMENT_MODEL},
	    {"model-name-escaped",
		("gr\xc3\xb6\xc3\x9f"
		 "e"),
		"", STATEMENT_MODEL},
	    {"model-other-version", "acme/resnet50", "", STATEMENT_MODEL},
	    {"model-python", "acme/resnet50", "", STATEMENT_MODEL},
	    {"model-version-empty", "acme/resnet50", "", STATEMENT_MODEL},
	    {"model-version-long", "acme/resnet50", "", STATEMENT_MODEL},
	    {"model-version-number", "acme/resnet50", "", STATEMENT_MODEL},
	    {"status-order", "acme/resnet50", "", STATEMENT_STATUS},
	    {"v02", "config.json", "", STATEMENT_MODEL_V02},
	    {"../valid/model", "acme/resnet50", "", STATEMENT_MODEL},
	    {"../valid/model-version", "acme/resnet50", "2.1+cu118_b-3",
		STATEMENT_MODEL},
	};
	enum { N = sizeof(cases) / sizeof(cases[0]) };

	(void)state;
	for (size_t i = 0; i < N; i++) {
		AUTO(buf) in = BUF_INIT(1u << 20);
		AUTO(statement) s = {0};

		open_statement(FOLDER "tolerated", cases[i].name, &in, &s);
		if (s.kind != cases[i].kind ||
		    !bytes_equal(
			s.subjects[0].name, bytes_str(cases[i].subject)) ||
		    !bytes_equal(s.version, bytes_str(cases[i].version)))
			fail_msg("%s", cases[i].name);
		assert_int_equal(s.subject_count, 1 + (i == 10) + (i == 11));
	}
	assert_int_equal(vector_count(FOLDER "tolerated"), N - 2);
}

/* The same members under another type are another statement, or none. */
static void
test_purpose(void **state)
{
	static const enum statement_kind kinds[] = {STATEMENT_MODEL,
	    STATEMENT_MODEL_V02, STATEMENT_APPROVAL, STATEMENT_WITHDRAWAL,
	    STATEMENT_REVOCATION, STATEMENT_STATUS};
	static const char *const names[] = {
	    "model", NULL, "approval", "withdrawal", "revocation", "status"};

	(void)state;
	for (size_t i = 0; i < 36; i++) {
		AUTO(buf) in = BUF_INIT(1u << 20);
		AUTO(buf) out = BUF_INIT(1u << 20);
		AUTO(statement) s = {0};
		const char *is = names[i % 6];
		enum statement_kind as = kinds[i / 6];
		struct error err = {0};

		if (!is)
			continue;
		open_statement(FOLDER "valid", is, &in, &s);
		buf_printf(&out,
		    "{\"_type\":\"https://in-toto.io/Statement/v1\","
		    "\"subject\":[{\"name\":\"key\",\"digest\":{\"sha256\":\"");
		hex_put(&out, hash_bytes(&s.subjects[0].digest));
		buf_printf(&out,
		    "\"}}],\"predicateType\":\"%s\",\"predicate\":",
		    statement_kind_type(as));
		buf_put(&out, s.predicate);
		buf_put_u8(&out, '}');
		if (refuses(buf_bytes(&out), &err) !=
		    (kinds[i % 6] == as || as == STATEMENT_MODEL))
			fail_msg("%s as %s: %s", is, statement_kind_type(as),
			    err.text);
	}
}

/* A statement of `subjects` subjects; a status also lists digests. */
static void
put_large(struct buf *out, enum statement_kind kind, size_t subjects,
    size_t withdrawn, size_t revoked)
{
	buf_put_str(out,
	    "{\"_type\":\"https://in-toto.io/Statement/v1\",\"subject\":[");
	for (size_t i = 0; i < subjects; i++)
		buf_printf(out,
		    "%s{\"name\":\"m%zu\",\"digest\":{\"sha256\":\"%064zx\"}}",
		    i > 0 ? "," : "", i, i);
	buf_printf(out, "],\"predicateType\":\"%s\",\"predicate\":",
	    statement_kind_type(kind));
	if (kind == STATEMENT_WITHDRAWAL) {
		buf_put_str(out, "{\"reason\":\"other\",\"comment\":\"\"}}");
		return;
	}
	buf_printf(out,
	    "{\"log\":\"l\",\"treeSize\":\"1\",\"rootHash\":\"%043d=\","
	    "\"checked\":\"2026-11-23T07:00:00Z\",\"complete\":true,"
	    "\"withdrawn\":[",
	    0);
	for (size_t i = 0; i < withdrawn; i++)
		buf_printf(out, "%s\"%064zx\"", i > 0 ? "," : "", i);
	buf_put_str(out, "],\"revoked\":[");
	for (size_t i = 0; i < revoked; i++)
		buf_printf(out, "%s\"%064zx\"", i > 0 ? "," : "", i);
	buf_put_str(out, "]}}");
}

static void
test_limits(void **state)
{
	static const struct {
		enum statement_kind kind;
		size_t subjects, withdrawn, revoked;
		enum error_code code;
	} cases[] = {
	    {STATEMENT_WITHDRAWAL, 1024, 0, 0, ERR_NONE},
	    {STATEMENT_WITHDRAWAL, 1025, 0, 0, ERR_LIMIT},
	    {STATEMENT_STATUS, 1024, 0, 0, ERR_NONE},
	    {STATEMENT_STATUS, 1025, 0, 0, ERR_LIMIT},
	    {STATEMENT_STATUS, 1, 3000, 800, ERR_NONE},
	    {STATEMENT_STATUS, 1, 2000, 2000, ERR_LIMIT},
	    {STATEMENT_STATUS, 1, 4097, 0, ERR_LIMIT},
	    {STATEMENT_STATUS, 1, 0, 4097, ERR_LIMIT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) in = BUF_INIT(1u << 20);
		struct error err = {0};

		put_large(&in, cases[i].kind, cases[i].subjects,
		    cases[i].withdrawn, cases[i].revoked);
		(void)refuses(buf_bytes(&in), &err);
		if (err.code != cases[i].code)
			fail_msg("%zu: %s", i, err.text);
	}
}

static void
test_kinds(void **state)
{
	enum statement_kind kind;

	(void)state;
	for (int i = STATEMENT_MODEL; i <= STATEMENT_STATUS; i++) {
		struct bytes type =
		    bytes_str(statement_kind_type((enum statement_kind)i));

		assert_true(statement_kind_find(type, &kind));
		assert_int_equal(kind, i);
		type.len--;
		assert_false(statement_kind_find(type, &kind));
	}
	assert_false(statement_kind_find(BYTES_LIT(""), &kind));
}

static void
test_names(void **state)
{
	static const char *const good[] = {
	    "a", "7", "acme/resnet50", "A.b_c-d/0..1/x--", "a/b/c/d/e/f"};
	static const char *const bad[] = {"", "/", "/a", "a/", "a//b", ".",
	    "..", "a/..", "a/.b", "-a", "_a", "a/-b", "a b", "a\n", "a:b", "a*",
	    "a\\b",
	    ("gr\xc3\xb6\xc3\x9f"
	     "e")};
	uint8_t text[STATEMENT_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!model_name_valid(bytes_str(good[i])))
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (model_name_valid(bytes_str(bad[i])))
			fail_msg("%s", bad[i]);
	memset(text, 'n', sizeof(text));
	assert_true(model_name_valid(bytes_of(text, STATEMENT_NAME_MAX)));
	assert_false(model_name_valid(BYTES_OF(text)));
	text[1] = 0;
	assert_false(model_name_valid(bytes_of(text, 2)));
}

static void
test_versions(void **state)
{
	static const char *const good[] = {
	    "1", "2.1.0-rc.1+cu118", "v_1", "-", ".", "+"};
	static const char *const bad[] = {
	    "", " ", "1 2", "1/2", "1:2", "\xc3\xb6"};
	uint8_t text[STATEMENT_VERSION_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!model_version_valid(bytes_str(good[i])))
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (model_version_valid(bytes_str(bad[i])))
			fail_msg("%s", bad[i]);
	memset(text, '1', sizeof(text));
	assert_true(model_version_valid(bytes_of(text, STATEMENT_VERSION_MAX)));
	assert_false(model_version_valid(BYTES_OF(text)));
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_invalid),
	    cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_approval),
	    cmocka_unit_test(test_withdrawal),
	    cmocka_unit_test(test_revocation),
	    cmocka_unit_test(test_status),
	    cmocka_unit_test(test_tolerated),
	    cmocka_unit_test(test_purpose),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
