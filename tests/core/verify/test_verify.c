/* SPDX-License-Identifier: Apache-2.0 */
/* The verifier's table: for each requirement, what only that one refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/core/verify/changes.h"

static struct parties parties;

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

static struct scene scene;
static struct verdict verdict;

static void
show_failure(const struct verdict *v)
{
	for (size_t i = 0; i < v->check_count; i++)
		if (v->checks[i].result == CHECK_FAIL)
			print_error("%s: ", v->checks[i].name);
	print_error("%s\n", v->message);
}

/* Everything is asked for, and everything holds. */
static void
test_accepted(void **state)
{
	(void)state;
	scene_init(&scene, &parties);
	scene_build(&scene);
	if (!scene_verify(&scene, &verdict)) {
		show_failure(&verdict);
		fail_msg("%s", verdict.message);
	}
	assert_int_equal(verdict.code, VERDICT_ACCEPTED);
	assert_null(verdict.reason);
	assert_int_equal(verdict.weakened, 0);
	for (size_t i = 0; i < verdict.check_count; i++)
		if (verdict.checks[i].result != CHECK_PASS)
			fail_msg("%s is not passed", verdict.checks[i].name);
	verdict_release(&verdict);
	scene_release(&scene);
}

/* --- what may be otherwise --- */

static void
any_name(struct scene *s)
{
	s->asked_name = s->asked_version = NULL;
}

static void
no_version(struct scene *s)
{
	s->asked_version = NULL;
}

static void
no_hint(struct scene *s)
{
	by_key(s);
	s->no_hint = true;
}

static void
not_logged(struct scene *s)
{
	logless(s);
	s->logged = "no";
	s->no_entry = true;
}

/* In a log that nobody named, which then is not asked. */
static void
logged_elsewhere(struct scene *s)
{
	logless(s);
	s->logged = "no";
	s->log = OTHER_LOG;
}

static void
no_quorum(struct scene *s)
{
	undated(s);
	s->quorum = "none";
}

static void
all_witnesses(struct scene *s)
{
	s->quorum = "w3";
	s->cosigned[2] = SIGNED;
}

static void
bundle_alone(struct scene *s)
{
	s->bundle_alone = true;
	/* Nothing is asked about files. */
	s->disk.fails = true;
}

static void
unsigned_ignored(struct scene *s)
{
	s->unsigned_files = "ignore";
	s->disk.unsigned_files = 2;
}

static void
unsigned_in_ignored(struct scene *s)
{
	s->disk.ignored = 1;
}

static void
held_open(struct scene *s)
{
	s->hold_word = "open";
	s->hold = HOLD_OPEN;
	s->disk.hold = HOLD_OPEN;
}

/* Without a word in the policy the caller's will counts. */
static void
held_as_asked(struct scene *s)
{
	s->hold_word = NULL;
	s->hold = HOLD_OPEN;
	s->disk.hold = HOLD_LEASE;
}

static void
not_held(struct scene *s)
{
	s->hold = HOLD_NONE;
	s->disk.hold = HOLD_NONE;
}

static void
old_release(struct scene *s)
{
	statement_old(s);
	logless(s);
	s->logged = "no";
	s->no_entry = true;
	s->allow_v02 = s->v02 = true;
	s->fresh = NULL;
	s->asked_version = NULL;
}

static void
no_state(struct scene *s)
{
	s->has_state = false;
	s->recall_fails = true;
}

static void
same_again(struct scene *s)
{
	s->memory = (struct verify_memory){0};
}

static void
revoked_later(struct scene *s)
{
	s->evidence[3] = (struct scene_evidence){
	    .kind = STATEMENT_REVOCATION, .by = WATCHER};
}

static void
revoked_by_eve(struct scene *s)
{
	s->evidence[3] = (struct scene_evidence){
	    .kind = STATEMENT_REVOCATION, .by = EVE, .earlier = true};
}

/* An approver may not revoke another's key. */
static void
revoked_by_bob(struct scene *s)
{
	s->evidence[3] = (struct scene_evidence){
	    .kind = STATEMENT_REVOCATION, .by = BOB, .earlier = true};
}

static void
withdrawal_forged(struct scene *s)
{
	withdrawn(s);
	s->evidence[3].spoiled = true;
}

static void
two_approve(struct scene *s)
{
	s->approved_by = "all alice bob";
	s->evidence[2] = s->evidence[0];
	s->evidence[2].by = BOB;
}

static void
online_is_enough(struct scene *s)
{
	s->fresh = "1h online";
	s->evidence[1].kind = 0;
}

static void
same_head(struct scene *s)
{
	s->current_more = 0;
}

static void
scanned(struct scene *s)
{
	s->fresh = "1h scan";
	s->has_scan = true;
	s->scan = (struct verify_scan){
	    .origin = BYTES_LIT(ORIGIN),
	    .size = MODEL_INDEX + 1,
	    .dated = true,
	    .time = NOW - 3600,
	    .covers = true,
	    .complete = true,
	    .has_newest = true,
	};
	s->scan_newest = true;
}

#define NO_LOG WEAK_LOGGED_OFF

static const struct {
	const char *name;
	void (*change)(struct scene *s);
	unsigned weakened;
	const char *not_asked; /* these rows */
} concessions[] = {
    {"by key", by_key, 0, "certificate"},
    {"no hint", no_hint, 0, "certificate"},
    {"any name", any_name, WEAK_ANY_NAME, "name"},
    {"no version", no_version, 0, ""},
    {"not logged", not_logged, NO_LOG,
	"entry inclusion checkpoint quorum time approvals"},
    {"logged elsewhere", logged_elsewhere, NO_LOG,
	"checkpoint quorum time approvals"},
    {"no quorum", no_quorum, WEAK_NO_QUORUM, "quorum time"},
    {"all witnesses", all_witnesses, 0, ""},
    {"bundle alone", bundle_alone, 0, "files unsigned hold"},
    {"unsigned ignored", unsigned_ignored, WEAK_UNSIGNED_IGNORED, "unsigned"},
    {"unsigned in ignored", unsigned_in_ignored, WEAK_UNSIGNED_IGNORED, ""},
    {"held open", held_open, WEAK_HOLD_OPEN, ""},
    {"held as asked", held_as_asked, 0, ""},
    {"not held", not_held, 0, "hold"},
    {"0.2", old_release, NO_LOG | WEAK_LEGACY_V02,
	"entry inclusion checkpoint quorum time approvals current"},
    {"no state", no_state, 0, "rollback"},
    {"first time", same_again, 0, ""},
    {"revoked later", revoked_later, 0, ""},
    {"revoked by eve", revoked_by_eve, 0, ""},
    {"revoked by bob", revoked_by_bob, 0, ""},
    {"withdrawal forged", withdrawal_forged, 0, ""},
    {"two approve", two_approve, 0, ""},
    {"online", online_is_enough, 0, ""},
    {"same head", same_head, 0, ""},
    {"scanned", scanned, 0, ""},
};

static bool
listed(const char *words, const char *word)
{
	const char *at = strstr(words, word);
	size_t n = strlen(word);

	return at && (at == words || at[-1] == ' ') &&
	    (at[n] == ' ' || at[n] == '\0');
}

static void
test_concessions(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(concessions) / sizeof(concessions[0]);
	     i++) {
		const char *name = concessions[i].name;

		scene_init(&scene, &parties);
		concessions[i].change(&scene);
		scene_build(&scene);
		if (!scene_verify(&scene, &verdict)) {
			show_failure(&verdict);
			fail_msg("%s: refused", name);
		}
		if (verdict.weakened != concessions[i].weakened)
			fail_msg("%s: weakened is %x", name, verdict.weakened);
		for (size_t k = 0; k < verdict.check_count; k++) {
			const struct verdict_check *c = &verdict.checks[k];

			if (c->result !=
			    (listed(concessions[i].not_asked, c->name)
				    ? CHECK_NOT_ASKED
				    : CHECK_PASS))
				fail_msg(
				    "%s: %s: %s", name, c->name, c->message);
		}
		verdict_release(&verdict);
		scene_release(&scene);
	}
}

/* What was refused by `row`: all before it held, and none was looked at since.
 */
static void
check_rows(const struct verdict *v, const char *row)
{
	bool after = false;

	for (size_t i = 0; i < v->check_count; i++) {
		const struct verdict_check *c = &v->checks[i];

		if (strcmp(c->name, row) == 0) {
			assert_int_equal(c->result, CHECK_FAIL);
			assert_string_equal(c->reason, v->reason);
			assert_string_equal(c->message, v->message);
			after = true;
		} else if (after) {
			assert_int_equal(c->result, CHECK_NOT_REACHED);
		} else {
			assert_true(c->result == CHECK_PASS ||
			    c->result == CHECK_NOT_ASKED);
			assert_null(c->reason);
		}
	}
	assert_true(after);
}

static void
test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < REFUSALS; i++) {
		const char *row = refusals[i].row;

		scene_init(&scene, &parties);
		refusals[i].change(&scene);
		scene_build(&scene);
		if (scene_verify(&scene, &verdict))
			fail_msg(
			    "%zu %s %s: accepted", i, row, refusals[i].reason);
		if (verdict.code != refusals[i].code || !verdict.reason ||
		    strcmp(verdict.reason, refusals[i].reason) != 0) {
			show_failure(&verdict);
			fail_msg("%zu %s: %s, not %s", i, row, verdict.reason,
			    refusals[i].reason);
		}
		assert_true(strlen(verdict.message) > 0);
		check_rows(&verdict, row);
		verdict_release(&verdict);
		scene_release(&scene);
	}
}

/* No row without a case. */
static void
test_rows(void **state)
{
	size_t rows = 0;

	(void)state;
	for (const char *row; (row = verify_requirement(rows)); rows++) {
		size_t n = 0;

		for (size_t k = 0; k < REFUSALS; k++)
			n += strcmp(refusals[k].row, row) == 0;
		if (n == 0)
			fail_msg("%s: nothing is refused by it", row);
	}
	assert_int_equal(rows, 24);
	assert_null(verify_requirement(rows + 1));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepted),
	    cmocka_unit_test(test_concessions),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
