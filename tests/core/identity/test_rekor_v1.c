/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/identity/rekor_v1.h"
#include "tests/support/material_file.h"

#define SIGNED UINT64_C(1778137200) /* 2026-05-07T07:00:00Z */

static struct key_verifier *verifier;
static struct hasher hasher;

/* The trusted root, and what the entries are of: tests/vectors/sigstore. */
static struct trust_root root;
static struct material good = {0}; /* certificate, payload, signature */
static struct rekor_v1_subject subject;

static void
load(const char *name, struct buf *out)
{
	char path[VECTOR_PATH_MAX], inside[128];

	(void)snprintf(inside, sizeof(inside), "rekor_v1/%s.json", name);
	if (!vector_read(vector_own(path, inside), out))
		fail_msg("%s", path);
}

static bool
load_subject(void)
{
	char path[VECTOR_PATH_MAX];
	AUTO_PTR(json_t)
	bundle = material_json(vector_own(path, "sigstore/good.json"));
	const json_t *e = json_object_get(bundle, "dsseEnvelope");
	const json_t *s = json_array_get(json_object_get(e, "signatures"), 0);
	AUTO(buf) pae = BUF_INIT(4096);

	if (!material_bundle(bundle, &good) ||
	    !material_add(&good, json_text(json_object_get(e, "payload"))) ||
	    !material_add(&good, json_text(json_object_get(s, "sig"))))
		return false;
	buf_printf(&pae, "DSSEv1 28 application/vnd.in-toto+json %zu ",
	    good.der[1].len);
	buf_put(&pae, good.der[1]);
	sha256(&hasher, good.der[1], &subject.payload);
	sha256(&hasher, buf_bytes(&pae), &subject.signed_bytes);
	subject.certificate = good.der[0];
	subject.signature = good.der[2];
	return true;
}

static int
setup(void **state)
{
	AUTO(buf) in = BUF_INIT(TRUST_ROOT_MAX_LEN);
	char path[VECTOR_PATH_MAX];
	struct error err = {0};

	(void)state;
	verifier = key_verifier_open(&err);
	return verifier && hasher_open(&hasher, &err) &&
		vector_read(
		    vector_own(path, "sigstore/trusted_root.json"), &in) &&
		trust_root_parse(buf_bytes(&in), &root, &err) && load_subject()
	    ? 0
	    : -1;
}

static int
teardown(void **state)
{
	(void)state;
	key_verifier_close(verifier);
	hasher_release(&hasher);
	trust_root_release(&root);
	material_release(&good);
	return 0;
}

static bool
judge(const struct rekor_v1 *e, struct error *err)
{
	return rekor_v1_verify(e, &root.logs[0], &hasher, verifier, err) &&
	    rekor_v1_match(e, &subject, err);
}

/* Every vector has the verdict that its name begins with. */
static void
test_verdicts(void **state)
{
	static const struct {
		const char *prefix;
		enum error_code code;
		const char *reason;
	} verdicts[] = {
	    {"valid-", ERR_NONE, NULL},
	    {"match-", ERR_SYNTAX, "wrong-entry"},
	    {"invalid-", ERR_SYNTAX, "malformed-bundle"},
	    {"limit-", ERR_LIMIT, "malformed-bundle"},
	    {"denied-", ERR_DENIED, "wrong-entry"},
	};
	char path[VECTOR_PATH_MAX];
	DIR *d = opendir(vector_own(path, "rekor_v1"));
	size_t count = 0;
	struct dirent *f;

	(void)state;
	assert_non_null(d);
	while ((f = readdir(d))) {
		AUTO(buf) in = BUF_INIT(REKOR_V1_MAX_LEN);
		AUTO(rekor_v1) e = {0};
		struct bytes name = bytes_str(f->d_name);
		struct error err = {0};
		bool parsed;

		if (name.len < 6 || f->d_name[0] == '.')
			continue;
		f->d_name[name.len - 5] = '\0';
		load(f->d_name, &in);
		parsed = rekor_v1_parse(buf_bytes(&in), &e, &err);
		/* Bodies are looked at only by rekor_v1_match. */
		assert_int_equal(
		    parsed, name.ptr[0] == 'v' || name.ptr[0] == 'm');
		(void)!(parsed && judge(&e, &err));
		for (size_t i = 0; i < 5; i++) {
			if (!bytes_starts(name, bytes_str(verdicts[i].prefix)))
				continue;
			if (err.code != verdicts[i].code)
				fail_msg("%s: %s", f->d_name, err.text);
			if (verdicts[i].reason)
				assert_string_equal(error_reason_name(&err),
				    verdicts[i].reason);
		}
		count++;
	}
	(void)closedir(d);
	assert_int_equal(count, 64);
}

static void
parse_valid(const char *name, struct rekor_v1 *out)
{
	AUTO(buf) in = BUF_INIT(REKOR_V1_MAX_LEN);
	struct error err = {0};

	load(name, &in);
	if (!rekor_v1_parse(buf_bytes(&in), out, &err))
		fail_msg("%s: %s", name, err.text);
}

static void
test_contents(void **state)
{
	AUTO(rekor_v1) e = {0};
	AUTO(rekor_v1) bare = {0};

	(void)state;
	parse_valid("valid-dsse", &e);
	assert_int_equal(e.kind, REKOR_V1_DSSE);
	assert_true(e.index == 1003 && e.proof_index == 3 && e.size == 5);
	assert_true(e.time == SIGNED);
	assert_true(e.has_proof && e.promise.len > 0 && e.proof.len == 3);
	parse_valid("valid-no-proof", &bare);
	assert_false(bare.has_proof);
}

static void
expect(const struct rekor_v1 *e, enum error_code code, const char *reason)
{
	struct error err = {0};

	assert_false(judge(e, &err));
	assert_int_equal(err.code, code);
	assert_string_equal(error_reason_name(&err), reason);
}

/* Whatever is changed in an entry is noticed. */
static void
test_changes(void **state)
{
	AUTO(rekor_v1) e = {0};
	struct rekor_v1 changed;

	(void)state;
	parse_valid("valid-dsse", &e);
	changed = e;
	changed.index++;
	expect(&changed, ERR_BADSIG, "log-signature");
	changed = e;
	changed.time++;
	expect(&changed, ERR_BADSIG, "log-signature");
	changed = e;
	changed.promise.len--;
	expect(&changed, ERR_BADSIG, "log-signature");
	changed = e;
	changed.body.len--;
	expect(&changed, ERR_BADSIG, "log-signature");
	changed.promise.len = 0;
	expect(&changed, ERR_BADSIG, "inclusion");
	changed = e;
	changed.proof_index++;
	expect(&changed, ERR_BADSIG, "inclusion");
	changed = e;
	changed.size--;
	expect(&changed, ERR_BADSIG, "inclusion");
	changed = e;
	changed.root.b[0] ^= 1;
	expect(&changed, ERR_BADSIG, "inclusion");
	changed = e;
	changed.proof.hashes[2].b[31] ^= 1;
	expect(&changed, ERR_BADSIG, "inclusion");
	changed = e;
	changed.proof.len--;
	expect(&changed, ERR_BADSIG, "inclusion");
	changed = e;
	changed.checkpoint.len--;
	expect(&changed, ERR_SYNTAX, "log-signature");
	changed = e;
	changed.log_id.b[0] ^= 1;
	expect(&changed, ERR_DENIED, "unknown-log");
	changed = e;
	changed.has_proof = false;
	changed.promise.len = 0;
	expect(&changed, ERR_DENIED, "inclusion");
}

/* The same entry, of another subject. */
static void
test_subjects(void **state)
{
	static const char *const names[] = {"valid-dsse", "valid-hashedrekord"};
	const struct rekor_v1_subject right = subject;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		AUTO(rekor_v1) e = {0};
		struct error err = {0};

		parse_valid(names[i], &e);
		assert_true(judge(&e, &err));
		/* Each kind has one of the two hashes. */
		subject.payload.b[0] ^= i == 0;
		subject.signed_bytes.b[0] ^= i == 1;
		expect(&e, ERR_BADSIG, "wrong-entry");
		subject = right;
		subject.signature.len--;
		expect(&e, ERR_BADSIG, "wrong-entry");
		subject = right;
		subject.certificate.len--;
		expect(&e, ERR_BADSIG, "wrong-entry");
		subject = right;
	}
}

static void
test_other_log(void **state)
{
	AUTO(rekor_v1) e = {0};
	struct trust_log log = root.logs[0];
	struct error err = {0};

	(void)state;
	parse_valid("valid-dsse", &e);
	assert_false(
	    rekor_v1_verify(&e, &root.logs[1], &hasher, verifier, &err));
	assert_string_equal(error_reason_name(&err), "unknown-log");
	err = (struct error){0};
	log.usable = false;
	assert_false(rekor_v1_verify(&e, &log, &hasher, verifier, &err));
	assert_string_equal(error_reason_name(&err), "unknown-log");
	/* The right ID, the wrong key. */
	err = (struct error){0};
	log.usable = true;
	log.key = root.ct_logs[0].key;
	assert_false(rekor_v1_verify(&e, &log, &hasher, verifier, &err));
	assert_string_equal(error_reason_name(&err), "log-signature");
	/* The right key, another name. */
	err = (struct error){0};
	log = root.logs[0];
	log.name = BYTES_LIT("rekor.exampl");
	assert_false(rekor_v1_verify(&e, &log, &hasher, verifier, &err));
	assert_string_equal(error_reason_name(&err), "log-signature");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_verdicts),
	    cmocka_unit_test(test_contents),
	    cmocka_unit_test(test_changes),
	    cmocka_unit_test(test_subjects),
	    cmocka_unit_test(test_other_log),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
