/* SPDX-License-Identifier: Apache-2.0 */
/* Statements beside the model: how many, how large, and which of them counts.
 * What each of them does alone is in changes.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/core/verify/changes.h"

static struct parties parties;
static struct scene scene;
static struct verdict verdict;

static int
setup(void **state)
{
	(void)state;
	parties_open(&parties);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	parties_close(&parties);
	return 0;
}

/* The verdict about what comes beside the model; NULL: accepted. */
static void
expect(const char *what, const char *reason, const char *says)
{
	bool ok = scene_verify(&scene, &verdict);

	if (ok != !reason ||
	    (reason &&
		(strcmp(verdict.reason, reason) != 0 ||
		    !strstr(verdict.message, says))))
		fail_msg("%s: [%s] %s", what, ok ? "accepted" : verdict.reason,
		    verdict.message);
	verdict_release(&verdict);
}

static void
begin(void)
{
	scene_init(&scene, &parties);
	scene_build(&scene);
}

/* What cannot be read is no absence: a withdrawal may have been in it. */
static void
test_unreadable(void **state)
{
	static const struct {
		struct bytes json;
		const char *reason;
	} cases[] = {
	    {BYTES_LIT(""), "malformed-bundle"},
	    {BYTES_LIT("{}"), "malformed-bundle"},
	    {BYTES_LIT("nothing"), "malformed-bundle"},
	};

	(void)state;
	begin();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scene.items[2] =
		    (struct evidence_item){"w.sigstore.json", cases[i].json};
		expect("unreadable", cases[i].reason, "w.sigstore.json");
	}
	/* Half of one. */
	scene.items[2].json = buf_bytes(&scene.evidence[2].json);
	scene.items[2].json.len /= 2;
	expect("half", "malformed-bundle", "w.sigstore.json");
	scene_release(&scene);
}

static void
test_limits(void **state)
{
	struct evidence_item items[EVIDENCE_MAX + 1];
	struct judge j = {.now = NOW, .verifier = parties.verifier};
	AUTO(buf) large = BUF_INIT(2 * EVIDENCE_FILE_MAX);
	struct evidence e;
	struct error err = {0};

	(void)state;
	begin();
	for (size_t i = 0; i <= EVIDENCE_MAX; i++)
		items[i] = scene.items[2];
	must(evidence_open(&j, items, EVIDENCE_MAX, &e, &err), &err);
	assert_int_equal(e.count, EVIDENCE_MAX);
	evidence_release(&e);
	assert_false(evidence_open(&j, items, EVIDENCE_MAX + 1, &e, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	evidence_release(&e);
	/* White space around a good one. */
	buf_put(&large, scene.items[2].json);
	while (large.len < EVIDENCE_FILE_MAX)
		buf_put_u8(&large, ' ');
	items[0].json = buf_bytes(&large);
	err = (struct error){0};
	must(evidence_open(&j, items, 1, &e, &err), &err);
	evidence_release(&e);
	buf_put_u8(&large, ' ');
	items[0].json = buf_bytes(&large);
	assert_false(evidence_open(&j, items, 1, &e, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	evidence_release(&e);
	must(evidence_open(&j, NULL, 0, &e, &(struct error){0}), &err);
	evidence_release(&e);
	scene_release(&scene);
}

/* A model's own statement among the others says nothing. */
static void
test_model_beside(void **state)
{
	(void)state;
	begin();
	scene.items[2].json = buf_bytes(&scene.model);
	expect("a model", NULL, NULL);
	scene_release(&scene);
}

static void
status_at(struct scene *s, size_t i, uint64_t age)
{
	s->evidence[i] = (struct scene_evidence){
	    .kind = STATEMENT_STATUS,
	    .by = WATCHER,
	    .age = age,
	    .tree_size = 40,
	    .unlogged = true,
	};
}

/* Of several statuses the newest decides, wherever it stands. */
static void
test_newest_status(void **state)
{
	static const struct {
		uint64_t good, bad;
		const char *reason;
	} cases[] = {
	    {100, 200, NULL}, {200, 100, "withdrawn"},
	    {100, 2 * DAY, NULL}, /* too old to be looked at */
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		size_t first = i % 2 ? 1 : 2, second = i % 2 ? 2 : 1;

		scene_init(&scene, &parties);
		status_at(&scene, first, cases[i / 2].good);
		status_at(&scene, second, cases[i / 2].bad);
		scene.evidence[second].withdraws = true;
		scene_build(&scene);
		expect("two statuses", cases[i / 2].reason, "status");
		scene_release(&scene);
	}
}

/* A forged status that is newer hides none. */
static void
test_forged_status(void **state)
{
	(void)state;
	scene_init(&scene, &parties);
	status_at(&scene, 1, 200);
	status_at(&scene, 2, 100);
	scene.evidence[1].withdraws = true;
	scene.evidence[2].by = EVE;
	scene_build(&scene);
	expect("forged", "withdrawn", "status");
	scene_release(&scene);
}

/* The approver takes it back; somebody else cannot. */
static void
test_approval_withdrawn(void **state)
{
	static const struct {
		enum party by;
		const char *reason;
	} cases[] = {
	    {ALICE, "approval-missing"},
	    {WATCHER, "approval-missing"},
	    {EVE, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		scene_init(&scene, &parties);
		scene.evidence[3] = (struct scene_evidence){
		    .kind = STATEMENT_WITHDRAWAL, .by = cases[i].by};
		scene.withdraws_approval = true;
		scene_build(&scene);
		expect("approval", cases[i].reason, "withdrawn");
		scene_release(&scene);
	}
}

/* What the log had before the revocation stays good, and nothing after. */
static void
test_revocation_index(void **state)
{
	(void)state;
	scene_init(&scene, &parties);
	scene.evidence[3] = (struct scene_evidence){
	    .kind = STATEMENT_REVOCATION, .by = WATCHER};
	scene_build(&scene);
	expect("later", NULL, NULL);
	scene_release(&scene);

	scene_init(&scene, &parties);
	scene.evidence[3] = (struct scene_evidence){
	    .kind = STATEMENT_REVOCATION, .by = WATCHER};
	scene.model_last = true;
	scene.below = 0;
	scene.memory = (struct verify_memory){0};
	scene_build(&scene);
	expect("earlier", "key-revoked", "revoked");
	scene_release(&scene);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_unreadable),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_model_beside),
	    cmocka_unit_test(test_newest_status),
	    cmocka_unit_test(test_forged_status),
	    cmocka_unit_test(test_approval_withdrawn),
	    cmocka_unit_test(test_revocation_index),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
