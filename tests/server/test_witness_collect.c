/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witness_collect.h"

#include <stdatomic.h>
#include <sys/stat.h>

#include "core/tlog/evidence.h"
#include "server/cosigned.h"
#include "tests/server/fake_witnesses.h"

#define SECOND_NS 1000000000ull
#define PATIENCE  2000 /* hundredths of a second until a wait is a failure */

/* Time can be moved: what waits for it is told to look again. */
static _Atomic uint64_t ahead_ns;

uint64_t __real_clock_monotonic_ns(void);
uint64_t __wrap_clock_monotonic_ns(void);
int __real_pthread_cond_timedwait(
    pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *t);
int __wrap_pthread_cond_timedwait(
    pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *t);

uint64_t
__wrap_clock_monotonic_ns(void)
{
	return __real_clock_monotonic_ns() + ahead_ns;
}

int
__wrap_pthread_cond_timedwait(
    pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *t)
{
	uint64_t ns = (uint64_t)t->tv_sec * SECOND_NS + (uint64_t)t->tv_nsec;
	struct timespec real;

	ns = ns > ahead_ns ? ns - ahead_ns : 0;
	real.tv_sec = (time_t)(ns / SECOND_NS);
	real.tv_nsec = (long)(ns % SECOND_NS);
	return __real_pthread_cond_timedwait(c, m, &real);
}

static struct {
	struct small_log log;
	char dir[64];
	struct witness_policy policy;
	struct head_slot *slot;
	struct witness_collect *collect;
	_Atomic uint64_t published; /* the last size told */
	atomic_uint asked, doubts, failures, back;
	atomic_bool went_back;
	char doubt[400];
} w;

static void
published(void *arg, uint64_t size)
{
	struct head *head = head_current(w.slot);

	(void)arg;
	/* It is in the slot, and on the disk, before anybody is told. */
	w.went_back |= size <= w.published || !head || head->size < size;
	head_release(head);
	w.published = size;
}

static void
asked(void *arg)
{
	(void)arg;
	w.asked++;
}

static void
doubt(void *arg, const struct error *why)
{
	(void)arg;
	(void)snprintf(w.doubt, sizeof(w.doubt), "%s", why->text);
	w.doubts++;
}

static void
event(void *arg, bool bad, const char *what, const char *text)
{
	(void)arg;
	(void)text;
	if (strcmp(what, "not-published") == 0)
		w.failures++;
	else if (!bad)
		w.back++;
}

static void
collect_open(const char *quorum, bool required)
{
	struct witness_collect_parts p = {
	    .policy = &w.policy,
	    .transport = &fake_transport,
	    .log = &net.log,
	    .folder = w.dir,
	    .required = required,
	    .cosigned = w.slot,
	    .published = published,
	    .asked = asked,
	    .doubt = doubt,
	    .event = event,
	};
	struct error err = {0};

	policy_open(w.log.dir, quorum, required, &w.policy);
	w.collect = witness_collect_open(&p, &err);
	must(w.collect != NULL, &err);
}

static void
collect_close(void)
{
	witness_collect_close(w.collect);
	w.collect = NULL;
	witness_policy_release(&w.policy);
}

static int
setup(void **state)
{
	(void)state;
	memset(&w, 0, sizeof(w));
	ahead_ns = 0;
	net_open();
	log_open(&w.log);
	log_grow(&w.log, 600);
	(void)snprintf(w.dir, sizeof(w.dir), "/tmp/test_collect.XXXXXX");
	w.slot = head_slot_open();
	return mkdtemp(w.dir) && w.slot ? 0 : -1;
}

static void
remove_file(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", w.dir, name);
	(void)unlink(path);
}

static int
teardown(void **state)
{
	(void)state;
	collect_close();
	head_slot_close(w.slot);
	log_close(&w.log);
	net_close();
	remove_file(COSIGNED_FILE);
	remove_file(WITNESS_EVIDENCE);
	remove_file(WITNESS_UNKNOWN);
	assert_false(w.went_back);
	return rmdir(w.dir);
}

static struct head *
head_of(uint64_t size)
{
	AUTO(buf) note = BUF_INIT(4096);
	struct hash root = log_root(&w.log, size);
	struct head *head;

	sign_note(size, &root, &note);
	head = head_new(size, &root, buf_bytes(&note));
	assert_non_null(head);
	return head;
}

static void
start(uint64_t size)
{
	struct head *head = head_of(size);
	struct error err = {0};

	must(witness_collect_load(w.collect, w.log.tree, head, &err) &&
		witness_collect_start(w.collect, head, &err),
	    &err);
	head_release(head);
}

static void
sign(uint64_t size)
{
	struct head *head = head_of(size);

	witness_collect_signed(w.collect, head);
	head_release(head);
}

#define UNTIL(condition)                                                       \
	do {                                                                   \
		const struct timespec moment = {.tv_nsec = 10000000};          \
		int left = PATIENCE;                                           \
		while (!(condition) && --left > 0)                             \
			(void)nanosleep(&moment, NULL);                        \
		if (left == 0)                                                 \
			fail_msg("never: %s", #condition);                     \
	} while (0)

static uint64_t
shown_size(void)
{
	struct head *head = head_current(w.slot);
	uint64_t size = head ? head->size : NONE;

	head_release(head);
	return size;
}

/* What is shown is on the disk, is of our tree, and has a quorum. */
static void
shown_is_sound(void)
{
	AUTO(buf) stored = BUF_INIT(COSIGNED_MAX);
	struct quorum_result r;
	struct head *head;
	struct hash root;
	struct error err = {0};
	bool met;

	witness_collect_stop(w.collect);
	head = head_current(w.slot);
	assert_non_null(head);
	must(cosigned_read(w.dir, &stored, &err), &err);
	assert_true(bytes_equal(buf_bytes(&stored), buf_bytes(&head->note)));
	must(cosigned_judge(buf_bytes(&stored), w.policy.quorum, net.verifier,
		 &met, &r, &err),
	    &err);
	assert_true(met);
	root = log_root(&w.log, head->size);
	assert_true(hash_equal(&root, &r.head.root));
	head_release(head);
}

static uint64_t
result_of(size_t i, enum witness_result result)
{
	struct witness_stats stats[FAKES];

	assert_int_equal(witness_collect_stats(w.collect, stats, FAKES), FAKES);
	return stats[i].results[result];
}

static void
test_all_well(void **state)
{
	static const uint64_t sizes[] = {1, 2, 255, 256, 257, 600};

	(void)state;
	collect_open("2", false);
	start(0);
	UNTIL(shown_size() == 0);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		sign(sizes[i]);
		UNTIL(shown_size() == sizes[i]);
	}
	UNTIL(NET(net.fakes[2].size == 600));
	assert_true(witness_collect_asked(w.collect, 0));
	UNTIL(w.asked == 1);
	assert_int_equal(net.faults, 0);
	shown_is_sound();
}

/* Whatever one of three does, two are a quorum, and all goes on. */
static void
test_one_wrong(void **state)
{
	static const struct {
		enum mood mood;
		enum witness_result result;
	} cases[] = {
	    {DOWN, WITNESS_UNREACHABLE},
	    {BUSY, WITNESS_LIMITED},
	    {BROKEN, WITNESS_REFUSED},
	    {NUMBERLESS, WITNESS_NONSENSE},
	    {BOASTING, WITNESS_LYING},
	    {ENDLESS, WITNESS_NONSENSE},
	    {EMPTY, WITNESS_NONSENSE},
	    {STRANGER, WITNESS_FORGED},
	    {FORGING, WITNESS_FORGED},
	    {REPLAYING, WITNESS_FORGED},
	    {LONGER, WITNESS_NONSENSE},
	    {STUBBORN, WITNESS_NONSENSE},
	    {UNPROVEN, WITNESS_REFUSED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (i > 0)
			assert_int_equal(setup(NULL), 0);
		net.fakes[1].claim = 601;
		collect_open("2", false);
		start(10);
		UNTIL(NET(net.fakes[1].cosigned > 0));
		set_mood(1, cases[i].mood);
		for (uint64_t size = 20; size <= 60; size += 10) {
			sign(size);
			UNTIL(shown_size() == size);
		}
		UNTIL(result_of(1, cases[i].result) > 0);
		assert_int_equal(w.doubts, 0);
		shown_is_sound();
		if (i + 1 < sizeof(cases) / sizeof(cases[0]))
			assert_int_equal(teardown(NULL), 0);
	}
}

/* One that never answers is asked once, and ends with the collector. */
static void
test_slow(void **state)
{
	(void)state;
	set_mood(2, SLOW);
	collect_open("2", false);
	start(10);
	for (uint64_t size = 20; size <= 60; size += 10) {
		sign(size);
		UNTIL(shown_size() == size);
	}
	assert_int_equal(NET(net.fakes[2].posts), 1);
	assert_false(witness_collect_asked(w.collect, 0));
	shown_is_sound();
}

static void
test_quorum_lost(void **state)
{
	struct witness_collect_state s;

	(void)state;
	collect_open("2", false);
	start(10);
	UNTIL(shown_size() == 10 && NET(net.fakes[2].size) == 10);
	set_mood(0, DOWN);
	set_mood(1, BROKEN);
	sign(20);
	UNTIL(NET(net.fakes[2].size) == 20);
	sign(30);
	UNTIL(result_of(0, WITNESS_UNREACHABLE) > 1);
	assert_int_equal(shown_size(), 10);
	witness_collect_state(w.collect, &s);
	assert_int_equal(s.signed_size, 30);
	assert_int_equal(s.cosigned_size, 10);
	assert_int_equal(s.waiting, 20);
	assert_true(s.waiting_ns > 0);
	/* The one that is left is not asked for more: all sign the same. */
	assert_int_equal(NET(net.fakes[2].size), 20);
	set_mood(0, WELL);
	UNTIL(shown_size() == 30);
	witness_collect_state(w.collect, &s);
	assert_int_equal(s.waiting, 0);
	assert_int_equal(s.waiting_ns, 0);
	shown_is_sound();
}

/* Nothing is shown that is not durable. */
static void
test_not_durable(void **state)
{
	(void)state;
	collect_open("2", false);
	assert_int_equal(rmdir(w.dir), 0);
	/* load would see no file; that is fine */
	start(10);
	UNTIL(w.failures > 0);
	assert_int_equal(shown_size(), NONE);
	assert_int_equal(w.published, 0);
	assert_int_equal(mkdir(w.dir, 0700), 0);
	UNTIL(shown_size() == 10);
	shown_is_sound();
}

/* A witness that somebody else brought further than the candidate. */
static void
test_ahead(void **state)
{
	struct hash root;

	(void)state;
	collect_open("2", false);
	start(10);
	UNTIL(shown_size() == 10 && NET(net.fakes[2].size) == 10);
	set_mood(0, DOWN);
	set_mood(2, SLOW);
	sign(20);
	UNTIL(NET(net.fakes[1].size) == 20);
	sign(30);
	root = log_root(&w.log, 30);
	(void)pthread_mutex_lock(&net.lock);
	net.fakes[2].size = 30;
	net.fakes[2].root = root;
	(void)pthread_mutex_unlock(&net.lock);
	/* It does not go without it, so 20 is given up. */
	set_mood(2, WELL);
	UNTIL(shown_size() == 30);
	assert_int_equal(w.doubts, 0);
	shown_is_sound();
}

/* A bare number latches nothing; nor does a checkpoint of ours. */
static void
test_boasting(void **state)
{
	struct hash root = log_root(&w.log, 50);

	(void)state;
	collect_open("2", false);
	start(100);
	UNTIL(shown_size() == 100);
	(void)pthread_mutex_lock(&net.lock);
	sign_note(50, &root, &net.fakes[0].shown);
	net.fakes[0].claim = 1000000;
	net.fakes[0].mood = BOASTING;
	(void)pthread_mutex_unlock(&net.lock);
	sign(101);
	UNTIL(NET(net.fakes[0].gets) > 0 && shown_size() == 101);
	sign(102);
	UNTIL(shown_size() == 102);
	assert_int_equal(w.doubts, 0);
	shown_is_sound();
}

static void
doubt_of(uint64_t size, bool other_root, bool other_key, bool latches)
{
	struct hash root = log_root(&w.log, size < 600 ? size : 600);
	struct private_key *key = net.log_key, *strange = NULL;
	struct vkey vkey = net.log, strange_vkey;
	struct head *head;
	struct error err = {0};

	if (other_root)
		root.b[0] ^= 1;
	collect_open("2", false);
	start(100);
	UNTIL(shown_size() == 100);
	key_pair(ORIGIN, NOTE_ED25519, &strange, &strange_vkey);
	(void)pthread_mutex_lock(&net.lock);
	if (other_key) {
		net.log_key = strange;
		net.log = strange_vkey;
	}
	sign_note(size, &root, &net.fakes[0].shown);
	net.log_key = key;
	net.log = vkey;
	net.fakes[0].claim = 601;
	net.fakes[0].mood = BOASTING;
	(void)pthread_mutex_unlock(&net.lock);
	private_key_close(strange);
	sign(101);
	UNTIL(NET(net.fakes[0].gets) > 0 && result_of(0, WITNESS_LYING) > 0);
	assert_int_equal(w.doubts > 0, latches);
	assert_int_equal(witness_collect_asked(w.collect, 0), !latches);
	UNTIL(shown_size() == 101);
	collect_close();
	/* The next start knows, whoever answers then. */
	collect_open("2", false);
	head = head_of(101);
	if (latches)
		refused(witness_collect_load(w.collect, w.log.tree, head, &err),
		    &err, ERR_CONFLICT, "inconsistent");
	else
		must(witness_collect_load(w.collect, w.log.tree, head, &err),
		    &err);
	head_release(head);
}

static void
file_of(const char *name, struct buf *out)
{
	char path[128];
	struct error err = {0};

	(void)snprintf(path, sizeof(path), "%s/%s", w.dir, name);
	must(file_read(path, out, &err), &err);
}

/* No fork, perhaps; the checkpoint that it showed is kept as it was. */
static void
test_larger(void **state)
{
	AUTO(buf) note = BUF_INIT(WITNESS_NOTE_MAX);

	(void)state;
	doubt_of(601, false, false, true);
	file_of(WITNESS_UNKNOWN, &note);
	assert_true(
	    bytes_equal(buf_bytes(&note), buf_bytes(&net.fakes[0].shown)));
}

/* A fork, which the file proves to anybody. */
static void
fork_of(uint64_t size)
{
	AUTO(buf) text = BUF_INIT(EVIDENCE_MAX_LEN);
	struct evidence e;
	struct checkpoint heads[2];
	struct error err = {0};

	doubt_of(size, true, false, true);
	file_of(WITNESS_EVIDENCE, &text);
	must(evidence_parse(buf_bytes(&text), &e, &err) &&
		evidence_verify(
		    &e, &net.log, &net.hasher, net.verifier, heads, &err),
	    &err);
	assert_int_equal(heads[0].size, size);
}

static void
test_inconsistent(void **state)
{
	(void)state;
	fork_of(50);
}

static void
test_inconsistent_now(void **state)
{
	(void)state;
	fork_of(101);
}

static void
test_not_our_key(void **state)
{
	(void)state;
	doubt_of(601, true, true, false);
}

/* One that refuses the proof may have another tree of ours. */
static void
test_unproven(void **state)
{
	struct hash root = log_root(&w.log, 90);

	(void)state;
	root.b[31] ^= 1;
	collect_open("2", false);
	start(100);
	UNTIL(shown_size() == 100);
	(void)pthread_mutex_lock(&net.lock);
	sign_note(90, &root, &net.fakes[0].shown);
	net.fakes[0].mood = UNPROVEN;
	(void)pthread_mutex_unlock(&net.lock);
	sign(101);
	UNTIL(w.doubts > 0);
	assert_non_null(strstr(w.doubt, "w0.example"));
}

/* What was shown is shown after a start, before anybody is asked; a file that
 * does not go with the tree is doubt. */
static void
test_load(void **state)
{
	static const struct {
		uint64_t head; /* of the guard, after the start */
		bool damage;
		bool ok;
	} cases[] = {
	    {50, false, true},
	    {60, false, true},
	    {49, false, false}, /* the tree was put back */
	    {50, true, false},
	};

	(void)state;
	collect_open("2", false);
	start(50);
	UNTIL(shown_size() == 50);
	shown_is_sound();
	collect_close();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct head *head = head_of(cases[i].head);
		char path[128];
		struct error err = {0};
		FILE *f;

		head_slot_close(w.slot);
		w.slot = head_slot_open();
		if (cases[i].damage) {
			(void)snprintf(
			    path, sizeof(path), "%s/" COSIGNED_FILE, w.dir);
			f = fopen(path, "r+");
			assert_non_null(f);
			(void)fputs("X", f);
			(void)fclose(f);
		}
		collect_open("2", false);
		assert_int_equal(
		    witness_collect_load(w.collect, w.log.tree, head, &err),
		    cases[i].ok);
		assert_int_equal(shown_size(), cases[i].ok ? 50 : NONE);
		collect_close();
		head_release(head);
	}
}

/* Under a policy that wants more, it is not shown, and nothing smaller is. */
static void
test_policy_changed(void **state)
{
	(void)state;
	set_mood(2, DOWN);
	collect_open("2", false);
	start(50);
	UNTIL(shown_size() == 50);
	collect_close();
	head_slot_close(w.slot);
	w.slot = head_slot_open();
	w.published = 0;
	collect_open("3", false);
	start(60);
	UNTIL(result_of(2, WITNESS_UNREACHABLE) > 0);
	assert_int_equal(shown_size(), NONE);
	set_mood(2, WELL);
	UNTIL(shown_size() == 60);
	shown_is_sound();
}

/* Before the log signs: everybody in turn, or so many that no quorum is
 * without. */
static void
test_asked(void **state)
{
	static const struct {
		const char *quorum;
		bool required;
		unsigned down;
		bool ok;
	} cases[] = {
	    {"2", false, 0, true},
	    {"2", false, 3, true},
	    {"2", true, 0, true},
	    {"2", true, 1, true},
	    {"2", true, 2, false},
	    {"1", true, 0, true},
	    {"1", true, 1, false}, /* the third may be any quorum's one */
	    {"3", true, 2, true},
	    {"3", true, 3, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (i > 0)
			assert_int_equal(setup(NULL), 0);
		for (unsigned k = 0; k < cases[i].down; k++)
			set_mood(k, DOWN);
		collect_open(cases[i].quorum, cases[i].required);
		start(10);
		if (cases[i].ok) {
			assert_true(witness_collect_asked(w.collect, 20000));
			UNTIL(w.asked == 1);
		} else {
			for (size_t k = 0; k < FAKES; k++)
				UNTIL(result_of(k, WITNESS_UNREACHABLE) > 0 ||
				    result_of(k, WITNESS_COSIGNED) > 0);
			assert_false(witness_collect_asked(w.collect, 0));
			set_mood(0, WELL);
			set_mood(1, WELL);
			set_mood(2, WELL);
			assert_true(witness_collect_asked(w.collect, 20000));
		}
		if (i + 1 < sizeof(cases) / sizeof(cases[0]))
			assert_int_equal(teardown(NULL), 0);
	}
}

/* As long as it said, and no longer. */
static void
test_limited(void **state)
{
	unsigned posts;

	(void)state;
	set_mood(0, BUSY);
	collect_open("2", false);
	start(10);
	UNTIL(result_of(0, WITNESS_LIMITED) == 1);
	for (uint64_t size = 20; size <= 100; size += 10) {
		sign(size);
		UNTIL(shown_size() == size);
	}
	ahead_ns += 3500 * SECOND_NS;
	for (uint64_t size = 101; size <= 105; size++) {
		sign(size);
		UNTIL(shown_size() == size);
	}
	assert_int_equal(NET(net.fakes[0].posts), 1);
	set_mood(0, WELL);
	posts = NET(net.fakes[1].posts);
	ahead_ns += 100 * SECOND_NS;
	sign(110);
	UNTIL(NET(net.fakes[0].size) == 110 && NET(net.fakes[1].posts) > posts);
	shown_is_sound();
}

/* An idle log is cosigned anew; what is shown then is newer, not larger. */
static void
test_renewed(void **state)
{
	struct witness_collect_state before, after;

	(void)state;
	collect_open("2", false);
	start(10);
	UNTIL(shown_size() == 10);
	for (size_t i = 0; i < FAKES; i++)
		UNTIL(result_of(i, WITNESS_COSIGNED) == 1);
	witness_collect_state(w.collect, &before);
	set_mood(1, STALE);
	ahead_ns += 44 * 60 * SECOND_NS;
	sign(10);
	ahead_ns += 2 * 60 * SECOND_NS;
	UNTIL((sign(10), result_of(1, WITNESS_FORGED) > 0));
	UNTIL(
	    NET(net.fakes[0].cosigned == 2) && NET(net.fakes[2].cosigned == 2));
	UNTIL((witness_collect_state(w.collect, &after),
	    after.quorum_time > before.quorum_time));
	assert_int_equal(shown_size(), 10);
	assert_int_equal(w.published, 10);
	shown_is_sound();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_all_well),
	    TEST(test_one_wrong),
	    TEST(test_slow),
	    TEST(test_quorum_lost),
	    TEST(test_not_durable),
	    TEST(test_ahead),
	    TEST(test_boasting),
	    TEST(test_larger),
	    TEST(test_inconsistent),
	    TEST(test_inconsistent_now),
	    TEST(test_not_our_key),
	    TEST(test_unproven),
	    TEST(test_load),
	    TEST(test_policy_changed),
	    TEST(test_asked),
	    TEST(test_limited),
	    TEST(test_renewed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
