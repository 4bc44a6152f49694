/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witnessing.h"

#include <stdatomic.h>

#include "tests/server/fake_witnesses.h"

/* Nobody answers at the witnesses' addresses; time is ours. */

static _Atomic uint64_t ahead_ns;

uint64_t __real_clock_monotonic_ns(void);
uint64_t __wrap_clock_monotonic_ns(void);

uint64_t
__wrap_clock_monotonic_ns(void)
{
	return __real_clock_monotonic_ns() + ahead_ns;
}

static struct {
	struct small_log log;
	struct health *health;
	struct config config;
	char policy[96];
	struct witnessing *w;
	atomic_uint restarts;
} w;

static void
restart(void *arg)
{
	(void)arg;
	w.restarts++;
}

static void
open_with(int mode)
{
	AUTO(buf) text = BUF_INIT(4096);
	struct witnessing_parts p = {
	    .config = &w.config,
	    .log = &net.log,
	    .health = NULL,
	    .restart = restart,
	};
	struct error err = {0};

	memset(&w, 0, sizeof(w));
	ahead_ns = 0;
	net_open();
	log_open(&w.log);
	log_grow(&w.log, 20);
	w.health = health_open();
	p.health = w.health;
	(void)snprintf(w.policy, sizeof(w.policy), "%s/policy", w.log.dir);
	buf_put_str(&text, "witness a ");
	vkey_format(&net.fakes[0].vkey, &text);
	buf_put_str(&text, " http://127.0.0.1:1\nquorum a\n");
	must(file_write(w.policy, buf_bytes(&text), 0644, &err), &err);
	w.config = (struct config){
	    .witness_mode = mode,
	    .witness_policy = w.policy,
	    .database = w.log.dir,
	    .witness_interval_ms = 50,
	    .witness_timeout_ms = 1000,
	};
	w.w = witnessing_open(&p, &err);
	must(w.w != NULL, &err);
	witnessing_tree(w.w, w.log.tree);
}

static void
close_all(void)
{
	witnessing_stop(w.w);
	witnessing_close(w.w);
	(void)unlink(w.policy);
	health_close(w.health);
	log_close(&w.log);
	net_close();
}

/* A head of any size; its root matters to nobody here but at the start. */
static struct head *
head_of(uint64_t size)
{
	AUTO(buf) note = BUF_INIT(4096);
	struct hash root = log_root(&w.log, size < 20 ? size : 20);
	struct head *head;

	sign_note(size, &root, &note);
	head = head_new(size, &root, buf_bytes(&note));
	assert_non_null(head);
	return head;
}

static void
begin(uint64_t size, bool asked)
{
	struct head *head = head_of(size);
	struct error err = {0};

	if (asked)
		must(witnessing_ask(w.w, head, &err), &err);
	else
		refused(witnessing_ask(w.w, head, &err), &err, ERR_UNAVAILABLE,
		    "witnesses-unasked");
	witnessing_begin(w.w, head);
	head_release(head);
}

static void
sign(uint64_t size)
{
	struct head *head = head_of(size);

	witnessing_signed(w.w, head);
	head_release(head);
}

static void
test_off(void **state)
{
	struct metrics_now now = {0};
	struct error err = {0};

	(void)state;
	witnessing_tree(NULL, NULL);
	witnessing_begin(NULL, NULL);
	witnessing_admit(NULL, NULL);
	witnessing_tick(NULL);
	witnessing_metrics(NULL, &now);
	witnessing_stop(NULL);
	witnessing_close(NULL);
	assert_null(witnessing_slot(NULL));
	assert_false(witnessing_required(NULL));
	assert_true(witnessing_ready(NULL, &err));
}

static void
test_behind_by_age(void **state)
{
	(void)state;
	open_with(CONFIG_WITNESS_REQUIRED);
	begin(0, false);
	assert_true(health_is(w.health, HEALTH_UNASKED));
	sign(1);
	ahead_ns = 29 * 1000000000ull;
	witnessing_tick(w.w);
	assert_false(health_is(w.health, HEALTH_QUORUM_BEHIND));
	ahead_ns += 2 * 1000000000ull;
	witnessing_tick(w.w);
	assert_true(health_is(w.health, HEALTH_QUORUM_BEHIND));
	close_all();
}

static void
test_behind_by_count(void **state)
{
	(void)state;
	open_with(CONFIG_WITNESS_REQUIRED);
	begin(0, false);
	sign(99999);
	assert_false(health_is(w.health, HEALTH_QUORUM_BEHIND));
	/* At once, not at the next tick. */
	sign(100000);
	assert_true(health_is(w.health, HEALTH_QUORUM_BEHIND));
	close_all();
}

/* Nobody waits for anything there. */
static void
test_open_is_never_behind(void **state)
{
	(void)state;
	open_with(CONFIG_WITNESS_OPEN);
	begin(0, true);
	assert_false(health_is(w.health, HEALTH_UNASKED));
	sign(200000);
	ahead_ns = 100 * 1000000000ull;
	witnessing_tick(w.w);
	assert_false(health_is(w.health, HEALTH_QUORUM_BEHIND));
	close_all();
}

static void
test_ready(void **state)
{
	struct error err = {0}, never = {0};

	(void)state;
	open_with(CONFIG_WITNESS_OPEN);
	begin(0, true);
	refused(witnessing_ready(w.w, &never), &never, ERR_UNAVAILABLE,
	    "quorum-stale");
	sign(1);
	ahead_ns = 4 * 1000000000ull;
	refused(witnessing_ready(w.w, &err), &err, ERR_UNAVAILABLE,
	    "cosigning-behind");
	close_all();
}

/* The process starts again when it may sign what it could not. */
static void
test_restart(void **state)
{
	(void)state;
	open_with(CONFIG_WITNESS_REQUIRED);
	begin(0, false);
	witnessing_restart(w.w);
	assert_int_equal(w.restarts, 0);
	close_all();
	open_with(CONFIG_WITNESS_OPEN);
	begin(0, true);
	witnessing_restart(w.w);
	assert_true(w.restarts > 0);
	close_all();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_off),
	    cmocka_unit_test(test_behind_by_age),
	    cmocka_unit_test(test_behind_by_count),
	    cmocka_unit_test(test_open_is_never_behind),
	    cmocka_unit_test(test_ready),
	    cmocka_unit_test(test_restart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
