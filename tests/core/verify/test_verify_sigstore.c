/* SPDX-License-Identifier: Apache-2.0 */
/* The verifier's table where a trusted root stands for the policy's signers:
 * what each row says of a model that is accepted, and which row refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/verify/verify.h"
#include "tests/core/verify/parties.h"
#include "tests/support/vector_file.h"

#define EMAIL  "signer@models.example"
#define ISSUER "https://issuer.example"
#define NOW    UINT64_C(1778223600) /* a day after it was signed */

static struct parties parties;
static struct trust_root root;
static struct buf root_json = BUF_INIT(TRUST_ROOT_MAX_LEN);
static struct policy *policy;
static struct verdict verdict;

/* A policy of a rule for any name; it names a signer, as it must, and so would
 * refuse whatever the root vouches for. */
static void
make_policy(const char *deny)
{
	AUTO(buf) t = BUF_INIT(4096);
	struct error err = {0};

	buf_put_str(&t, "quorum none\nmtlog-policy 1\n");
	buf_put_str(&t, deny);
	buf_put_str(&t, "signer eve key ");
	base64_put(&t, buf_bytes(&parties.spki[EVE]));
	buf_put_str(&t, "\nmodel *\nsigned-by eve\nlogged no\n");
	policy = calloc(1, sizeof(*policy));
	assert_non_null(policy);
	must(policy_parse(buf_bytes(&t), policy, &err), &err);
}

static void
drop_policy(void)
{
	policy_release(policy);
	free(policy);
	policy = NULL;
}

static int
setup(void **state)
{
	char path[VECTOR_PATH_MAX];
	struct error err = {0};

	(void)state;
	parties_open(&parties);
	if (!vector_read(
		vector_own(path, "sigstore/trusted_root.json"), &root_json) ||
	    !trust_root_parse(buf_bytes(&root_json), &root, &err))
		return -1;
	make_policy("");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	drop_policy();
	trust_root_release(&root);
	buf_release(&root_json);
	parties_close(&parties);
	return 0;
}

static bool
files_are_there(void *arg, const struct manifest *m,
    const struct manifest_files *files, enum hold_strength weakest,
    struct verdict *v, struct error *err)
{
	const bool *changed = arg;

	(void)m;
	(void)weakest;
	(void)err;
	v->files.listed = v->files.checked = files->count;
	v->files.changed_count = *changed;
	v->files.changed[0].name = BYTES_LIT("w");
	return true;
}

/* What is asked; zero is as it should be. */
struct question {
	const char *bundle, *name, *issuer, *asked;
	bool changed;
};

static bool
judge(const struct question *q)
{
	struct verify_sigstore sigstore = {&root,
	    {0, bytes_str(q->name ? q->name : EMAIL),
		bytes_str(q->issuer ? q->issuer : ISSUER)}};
	AUTO(buf) json = BUF_INIT(1 << 20);
	char path[VECTOR_PATH_MAX], name[80];
	bool changed = q->changed;
	struct verify_input in = {
	    .policy = policy,
	    .sigstore = &sigstore,
	    .model = BYTES_LIT("m"),
	    .asked_name = q->asked ? bytes_str(q->asked) : BYTES_LIT("m"),
	    .now = NOW,
	    .bundle = &json,
	    .files = {files_are_there, &changed},
	};

	(void)snprintf(name, sizeof(name), "sigstore/%s.json", q->bundle);
	assert_true(vector_read(vector_own(path, name), &json));
	verdict_init(&verdict);
	return verify(&in, &verdict);
}

/* What the rows say; of the others it is said elsewhere. */
static const struct {
	const char *row;
	enum verdict_result result;
	const char *message;
} told[] = {
    {"material", CHECK_PASS, "certificate"},
    {"signature", CHECK_PASS, "ECDSA P-256 over the exact payload"},
    {"signer", CHECK_PASS, EMAIL},
    {"entry", CHECK_PASS, "entry 1003 of rekor.example"},
    {"inclusion", CHECK_PASS, "by the trusted root"},
    {"checkpoint", CHECK_PASS, "by the trusted root"},
    {"quorum", CHECK_NOT_ASKED, "Sigstore's rules want no witness"},
    {"time", CHECK_PASS, "signed before 2026-05-07T07:00:30Z"},
    {"certificate", CHECK_PASS, "by the trusted root"},
    {"limits", CHECK_NOT_ASKED, "the trusted root limits its own authorities"},
    {"withdrawn", CHECK_NOT_ASKED, "who may withdraw is for a policy to say"},
    {"approvals", CHECK_NOT_ASKED, "the rule wants no approval"},
    {"files", CHECK_PASS, "1 of 1, byte for byte"},
};

static void
test_accepted(void **state)
{
	struct question q = {.bundle = "good-token-after"};
	size_t found = 0;

	(void)state;
	if (!judge(&q))
		fail_msg("%s", verdict.message);
	assert_int_equal(verdict.code, VERDICT_ACCEPTED);
	for (size_t i = 0; i < verdict.check_count; i++) {
		const struct verdict_check *c = &verdict.checks[i];

		for (size_t k = 0; k < sizeof(told) / sizeof(told[0]); k++) {
			if (strcmp(told[k].row, c->name) != 0)
				continue;
			if (c->result != told[k].result ||
			    strcmp(c->message, told[k].message) != 0)
				fail_msg("%s: %d %s", c->name, (int)c->result,
				    c->message);
			found++;
		}
	}
	assert_int_equal(found, sizeof(told) / sizeof(told[0]));
	assert_int_equal(verdict.weakened, WEAK_NO_QUORUM);
	assert_true(bytes_equal(verdict.party, BYTES_LIT(EMAIL)));
	assert_true(bytes_equal(verdict.identity, BYTES_LIT(EMAIL)));
	assert_true(bytes_equal(verdict.issuer, BYTES_LIT(ISSUER)));
	assert_true(bytes_equal(verdict.name, BYTES_LIT("m")));
	assert_string_equal(verdict.identity_kind, "email");
	assert_string_equal(verdict.signer_kind, "cert");
	assert_true(verdict.has_statement && verdict.has_key);
	verdict_release(&verdict);
}

static void
refused(const struct question *q, const char *row, const char *reason, int code)
{
	const struct verdict_check *c = NULL;

	if (judge(q))
		fail_msg("%s: accepted", q->bundle);
	for (size_t i = 0; !c && i < verdict.check_count; i++)
		if (verdict.checks[i].result == CHECK_FAIL)
			c = &verdict.checks[i];
	assert_non_null(c);
	if (strcmp(c->name, row) != 0 || strcmp(verdict.reason, reason) != 0 ||
	    (int)verdict.code != code)
		fail_msg("%s: %s: %s (%d): %s", q->bundle, c->name,
		    verdict.reason, (int)verdict.code, verdict.message);
	/* Nothing that was not proven is told. */
	if (strcmp(row, "files") != 0)
		assert_true(!verdict.has_key && verdict.party.len == 0);
	verdict_release(&verdict);
}

static void
test_refused(void **state)
{
	static const struct {
		struct question q;
		const char *row, *reason;
		int code;
	} cases[] = {
	    {{.bundle = "managed-key"}, "material", "wrong-signer", 13},
	    {{.bundle = "good", .name = "other@models.example"}, "signature",
		"wrong-signer", 13},
	    {{.bundle = "good", .issuer = ISSUER "/"}, "signature",
		"wrong-signer", 13},
	    {{.bundle = "signature-spoiled"}, "signature", "signature", 11},
	    {{.bundle = "no-entry"}, "signature", "no-entry", 15},
	    {{.bundle = "other-payload"}, "signature", "wrong-entry", 15},
	    {{.bundle = "proof-hash"}, "signature", "inclusion", 15},
	    {{.bundle = "unknown-log"}, "signature", "unknown-log", 16},
	    {{.bundle = "checkpoint-bits"}, "signature", "log-signature", 16},
	    {{.bundle = "no-time"}, "signature", "no-verified-time", 14},
	    {{.bundle = "time-late"}, "signature", "expired", 14},
	    {{.bundle = "time-early"}, "signature", "not-yet-valid", 14},
	    {{.bundle = "token-other"}, "signature", "timestamp", 14},
	    {{.bundle = "other-ca"}, "signature", "chain", 14},
	    {{.bundle = "sct-none"}, "signature", "chain", 14},
	    {{.bundle = "web-server"}, "signature", "key-usage", 14},
	    {{.bundle = "statement-other"}, "statement", "wrong-statement-type",
		12},
	    {{.bundle = "good", .asked = "n"}, "name", "wrong-name", 13},
	    {{.bundle = "good", .changed = true}, "files", "file-changed", 10},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		refused(
		    &cases[i].q, cases[i].row, cases[i].reason, cases[i].code);
}

/* What the policy denies is denied, whoever vouches for it. */
static void
test_denied(void **state)
{
	static const char *const kinds[] = {"key", "statement", "file"};
	static const char *const rows[] = {"signature", "denied", "manifest"};
	struct question q = {.bundle = "good"};
	struct hash what[3];
	struct error err = {0};

	(void)state;
	if (!judge(&q))
		fail_msg("%s", verdict.message);
	what[0] = verdict.key;
	what[1] = verdict.statement;
	verdict_release(&verdict);
	sha256(&parties.hasher, BYTES_LIT("weights"), &what[2]);
	must(hasher_ok(&parties.hasher, &err), &err);
	for (size_t i = 0; i < 3; i++) {
		AUTO(buf) line = BUF_INIT(200);

		buf_printf(&line, "deny %s ", kinds[i]);
		hex_put(&line, hash_bytes(&what[i]));
		buf_put(&line, bytes_of("\n", 2)); /* and its NUL */
		drop_policy();
		make_policy((const char *)line.ptr);
		(void)!judge(&q);
		assert_int_equal(verdict.code, VERDICT_NOT_ALLOWED);
		assert_string_equal(verdict.reason, "denied");
		for (size_t k = 0; k < verdict.check_count; k++)
			if (verdict.checks[k].result == CHECK_FAIL)
				assert_string_equal(
				    verdict.checks[k].name, rows[i]);
		verdict_release(&verdict);
	}
	drop_policy();
	make_policy("");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepted),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_denied),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
