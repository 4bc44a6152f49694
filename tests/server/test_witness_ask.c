/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witness_ask.h"

#include "tests/server/fake_witnesses.h"

#define SIZE 10

static struct small_log small;
static struct witness_policy policy;
static struct buf note;
static struct tree_cursor cursor;
static unsigned proofs;

static int
setup(void **state)
{
	struct hash root;
	struct error err = {0};

	(void)state;
	net_open();
	log_open(&small);
	log_grow(&small, SIZE);
	policy_open(small.dir, "2", false, &policy);
	root = log_root(&small, SIZE);
	buf_init(&note, 4096);
	sign_note(SIZE, &root, &note);
	proofs = 0;
	must(tree_cursor_open(&cursor, small.tree, &err), &err);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	buf_release(&note);
	tree_cursor_release(&cursor);
	witness_policy_release(&policy);
	log_close(&small);
	net_close();
	return 0;
}

static bool
prove(void *arg, uint64_t old, uint64_t size, struct proof *out,
    struct error *err)
{
	struct node_reader nodes = tree_nodes(&cursor);

	(void)arg;
	proofs++;
	return proof_consistency(&cursor.hasher, &nodes, old, size, out, err);
}

static struct witness_reply
ask(uint64_t old, uint64_t newer_than)
{
	struct witness_question q = {
	    .log = &net.log,
	    .note = buf_bytes(&note),
	    .size = SIZE,
	    .old = old,
	    .newer_than = newer_than,
	    .prove = prove,
	};
	struct handle h = {0};
	struct witness_reply r;
	struct error err = {0};

	must(witness_ask(&policy.witnesses[0], &fake_transport, &h, &q,
		 net.verifier, &r, &err),
	    &err);
	return r;
}

static void
fake_has(uint64_t size)
{
	net.fakes[0].size = size;
	net.fakes[0].root = log_root(&small, size);
	net.fakes[0].posts = 0;
}

/* Whatever it is thought to have, one more question finds it out. */
static void
test_sizes(void **state)
{
	static const struct {
		uint64_t has, old;
		unsigned posts, proofs;
	} cases[] = {
	    {0, 0, 1, 0},
	    {4, 4, 1, 1},
	    {SIZE, SIZE, 1, 0},
	    {4, 0, 2, 1},
	    {0, 4, 2, 1},
	    {4, 7, 2, 2},
	    {SIZE, 0, 2, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct witness_reply r;
		AUTO(buf) whole = BUF_INIT(8192);
		AUTO(note) n = {0};
		struct cosignature_times times;
		struct error err = {0};

		fake_has(cases[i].has);
		proofs = 0;
		r = ask(cases[i].old, 0);
		assert_int_equal(r.result, WITNESS_COSIGNED);
		assert_int_equal(net.fakes[0].posts, cases[i].posts);
		assert_int_equal(proofs, cases[i].proofs);
		buf_put(&whole, buf_bytes(&note));
		buf_put(&whole, buf_bytes(&r.line));
		must(note_parse(buf_bytes(&whole), &n, &err) &&
			cosignature_verify(&n, policy.witnesses[0].key,
			    net.verifier, &times, &err),
		    &err);
		assert_int_equal(times.last, r.time);
		assert_int_equal(n.signature_count, 2);
		witness_reply_release(&r);
	}
	assert_int_equal(net.faults, 0);
}

static void
test_wrong(void **state)
{
	static const struct {
		enum mood mood;
		enum witness_result result;
		unsigned posts, retry_after;
	} cases[] = {
	    {DOWN, WITNESS_UNREACHABLE, 1, 0},
	    {BUSY, WITNESS_LIMITED, 1, 3599},
	    {BROKEN, WITNESS_REFUSED, 1, 0},
	    {NUMBERLESS, WITNESS_NONSENSE, 1, 0},
	    {BOASTING, WITNESS_CONFLICT, 1, 0},
	    {ENDLESS, WITNESS_NONSENSE, 1, 0},
	    {EMPTY, WITNESS_NONSENSE, 1, 0},
	    {STRANGER, WITNESS_FORGED, 1, 0},
	    {FORGING, WITNESS_FORGED, 1, 0},
	    {LONGER, WITNESS_NONSENSE, 1, 0},
	    {STUBBORN, WITNESS_NONSENSE, 1, 0},
	    {UNPROVEN, WITNESS_REFUSED, 1, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct witness_reply r;

		fake_has(4);
		net.fakes[0].mood = cases[i].mood;
		net.fakes[0].claim = 11;
		r = ask(4, 0);
		if (r.result != cases[i].result)
			fail_msg("%zu: %s", i, witness_result_name(r.result));
		assert_int_equal(net.fakes[0].posts, cases[i].posts);
		assert_int_equal(r.retry_after, cases[i].retry_after);
		assert_int_equal(r.line.len, 0);
		assert_true(r.why.code != ERR_NONE);
		if (r.result == WITNESS_CONFLICT)
			assert_int_equal(r.size, 11);
		witness_reply_release(&r);
	}
}

/* Numbers that are none, and what is at the edge. */
static void
test_numbers(void **state)
{
	static const struct {
		uint64_t claim;
		enum witness_result result;
		unsigned posts;
	} cases[] = {
	    {4, WITNESS_NONSENSE, 1},	 /* as it was told */
	    {SIZE, WITNESS_NONSENSE, 2}, /* and then the same again */
	    {SIZE + 1, WITNESS_CONFLICT, 1},
	    {INT64_MAX, WITNESS_CONFLICT, 1},
	    {(uint64_t)INT64_MAX + 1, WITNESS_NONSENSE, 1},
	    {UINT64_MAX, WITNESS_NONSENSE, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct witness_reply r;

		fake_has(4);
		net.fakes[0].mood = BOASTING;
		net.fakes[0].claim = cases[i].claim;
		r = ask(4, 0);
		assert_int_equal(r.result, cases[i].result);
		assert_int_equal(net.fakes[0].posts, cases[i].posts);
		witness_reply_release(&r);
	}
}

/* The same checkpoint again wants a new cosignature. */
static void
test_stale(void **state)
{
	struct witness_reply first = ask(0, 0), second, third;

	(void)state;
	assert_int_equal(first.result, WITNESS_COSIGNED);
	net.fakes[0].mood = STALE;
	second = ask(SIZE, first.time);
	assert_int_equal(second.result, WITNESS_FORGED);
	net.fakes[0].mood = WELL;
	third = ask(SIZE, first.time);
	assert_int_equal(third.result, WITNESS_COSIGNED);
	assert_true(third.time > first.time);
	witness_reply_release(&first);
	witness_reply_release(&second);
	witness_reply_release(&third);
}

static void
test_shown(void **state)
{
	static const struct {
		const char *text; /* NULL: the log's note */
		enum error_code code;
	} cases[] = {
	    {NULL, ERR_NONE},
	    {"", ERR_NOTFOUND},
	    {"nonsense", ERR_SYNTAX},
	    {ORIGIN "\n5\nAAAA\n", ERR_SYNTAX},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) got = BUF_INIT(WITNESS_NOTE_MAX);
		struct handle h = {0};
		struct checkpoint c;
		struct error err = {0};
		struct fake *f = &net.fakes[0];
		bool ok;

		buf_clear(&f->shown);
		if (cases[i].text)
			buf_put_str(&f->shown, cases[i].text);
		else
			buf_put(&f->shown, buf_bytes(&note));
		ok = witness_shown(&policy.witnesses[0], &fake_transport, &h,
		    &net.log, net.verifier, &got, &c, &err);
		assert_int_equal(err.code, cases[i].code);
		assert_int_equal(ok, cases[i].code == ERR_NONE);
		if (ok)
			assert_int_equal(c.size, SIZE);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_sizes),
	    TEST(test_wrong),
	    TEST(test_numbers),
	    TEST(test_stale),
	    TEST(test_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
