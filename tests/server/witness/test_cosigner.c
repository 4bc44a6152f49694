/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witness/cosigner.h"

#include <errno.h>

#include "core/base/encoding.h"
#include "core/tlog/quorum.h"
#include "io/file.h"
#include "io/log.h"
#include "server/witness/witness_log.h"
#include "tests/server/witness_fixture.h"
#include "tests/support/folder.h"

#define NOW 1800000000

static struct test_log log_a, log_b, stranger;
static struct vkey witness;
static int64_t wall;
static uint64_t monotonic;

/* Injected: the n-th sync of the guard from now on fails; 0: none. */
static int sync_fails;
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);

int
__wrap_fdatasync(int fd)
{
	if (sync_fails > 0 && --sync_fails == 0) {
		errno = EIO;
		return -1;
	}
	return __real_fdatasync(fd);
}

static int64_t
test_wall(void)
{
	return wall;
}

static uint64_t
test_monotonic(void)
{
	return monotonic;
}

static struct cosigner *
try_open(struct error *err)
{
	const struct cosigner_options o = {
	    .dir = folder_path,
	    .wall_s = test_wall,
	    .monotonic_ns = test_monotonic,
	};

	return cosigner_open(&o, err);
}

static struct cosigner *
must_open(void)
{
	struct error err = {0};
	struct cosigner *c = try_open(&err);

	need(c != NULL, &err);
	return c;
}

static void
add_log(const struct test_log *l, uint64_t per_day)
{
	struct witness_log w = {.key_count = 1, .per_day = per_day};
	struct error err = {0};

	w.keys[0] = l->vkey;
	need(witness_log_store(folder_at(WITNESS_LOG_FOLDER), &w, true, &err),
	    &err);
}

/* A witness of its own for each test, which knows two of the three logs. */
static int
setup(void **state)
{
	struct error err = {0};

	(void)state;
	wall = NOW;
	monotonic = 1;
	sync_fails = 0;
	folder_make("/tmp");
	need(cosigner_init(folder_path, "w.example", &witness, &err), &err);
	add_log(&log_a, WITNESS_PER_DAY);
	add_log(&log_b, WITNESS_PER_DAY);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	folder_remove();
	return 0;
}

static int
setup_all(void **state)
{
	(void)state;
	if (fixture_open() != 0)
		return -1;
	log_setup(LOG_FORMAT_TEXT, LOG_LEVEL_ERROR);
	test_log_open(&log_a, "a.example/log", KEY_ED25519, TEST_TREE_MAX);
	test_log_open(&log_b, "b.example", KEY_ECDSA_P256, 7);
	test_log_open(&stranger, "c.example", KEY_ED25519, 7);
	return 0;
}

static int
teardown_all(void **state)
{
	(void)state;
	test_log_close(&log_a);
	test_log_close(&log_b);
	test_log_close(&stranger);
	fixture_close();
	return 0;
}

static struct cosigner_answer
ask(struct cosigner *c, struct test_log *l, const struct test_body *b)
{
	AUTO(buf) body = BUF_INIT(WITNESS_REQUEST_MAX_LEN);
	struct cosigner_answer a;

	test_body(l, b, &body);
	cosigner_add(c, buf_bytes(&body), &a);
	return a;
}

static void
says(struct cosigner *c, struct test_log *l, const struct test_body *b,
    enum judge_row row)
{
	struct cosigner_answer a = ask(c, l, b);

	if (a.row != row)
		fail_msg("%s, not %s", judge_name(a.row), judge_name(row));
	assert_int_equal(a.status, judge_status(row));
	cosigner_answer_release(&a);
}

static struct hash
id_of(const struct test_log *l)
{
	struct hash id;

	witness_log_id(&hasher, vkey_name(&l->vkey), &id);
	return id;
}

/* Everything that a cosigned checkpoint of `l` has to be. */
static void
check_note(struct bytes note, struct test_log *l, uint64_t size, uint64_t time)
{
	struct test_body plain = {.size = size};
	AUTO(buf) want = BUF_INIT(NOTE_MAX_LEN);
	struct cosignature_times times;
	struct error err = {0};
	struct checkpoint head;
	AUTO(note) n = {0};

	need(note_parse(note, &n, &err), &err);
	need(note_verify(&n, &l->vkey, verifier, &err), &err);
	need(checkpoint_parse(n.text, &head, &err), &err);
	need(cosignature_verify(&n, &witness, verifier, &times, &err), &err);
	assert_int_equal(head.size, size);
	assert_int_equal(times.first, time);
	assert_int_equal(times.last, time);
	assert_int_equal(n.signature_count, 2);
	test_note(l, &plain, &want);
	assert_true(bytes_starts(buf_bytes(&want), n.text));
}

/* It cosigns; the line verifies behind the note that was sent. */
static void
cosigns(struct cosigner *c, struct test_log *l, const struct test_body *b,
    uint64_t time)
{
	struct cosigner_answer a = ask(c, l, b);
	AUTO(buf) note = BUF_INIT(NOTE_MAX_LEN);

	if (a.status != 200)
		fail_msg("%u: %.*s", a.status, (int)a.text.len,
		    (const char *)a.text.ptr);
	assert_int_equal(a.time, time);
	test_note(l, b, &note);
	buf_put(&note, buf_bytes(&a.text));
	check_note(buf_bytes(&note), l, b->size, time);
	cosigner_answer_release(&a);
}

/* What everybody can read is that. */
static void
shows(struct cosigner *c, struct test_log *l, uint64_t size, uint64_t time)
{
	struct hash id = id_of(l);
	struct cosigner_answer a;

	cosigner_get(c, &id, &a);
	assert_int_equal(a.status, size == UINT64_MAX ? 404 : 200);
	if (a.status == 200)
		check_note(buf_bytes(&a.text), l, size, time);
	cosigner_answer_release(&a);
}

static void
test_init(void **state)
{
	struct error err = {0};
	struct vkey other;
	struct stat st;

	(void)state;
	assert_int_equal(witness.type, NOTE_COSIGNATURE);
	assert_string_equal(witness.name, "w.example");
	assert_int_equal(stat(folder_at(WITNESS_KEY_FILE), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_false(cosigner_init(folder_path, "w.example", &other, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	err = (struct error){0};
	assert_false(cosigner_init(folder_at("x"), "w example", &other, &err));
	assert_int_equal(err.code, ERR_USAGE);
	assert_int_equal(access(folder_at("x"), F_OK), -1);
	err = (struct error){0};
	assert_false(cosigner_vkey_read("/nonexistent", &other, &err));
	assert_int_equal(err.code, ERR_NOTFOUND);
}

/* The ten rows of the table, each as the first that is wrong. */
static void
test_rows(void **state)
{
	struct cosigner *c = must_open();
	struct cosigner_answer a;

	(void)state;
	shows(c, &log_a, UINT64_MAX, 0);
	says(c, &log_a,
	    &(struct test_body){.old_size = 0, .size = 5, .malformed = true},
	    JUDGE_MALFORMED);
	says(c, &log_a,
	    &(struct test_body){.old_size = 0, .size = 5, .extension = "x\n"},
	    JUDGE_MALFORMED);
	says(c, &stranger,
	    &(struct test_body){
		.old_size = 9, .size = 5, .wrong_signature = true},
	    JUDGE_UNKNOWN);
	says(c, &log_a,
	    &(struct test_body){
		.old_size = 9, .size = 5, .wrong_signature = true},
	    JUDGE_SIGNATURE);
	says(c, &stranger,
	    &(struct test_body){
		.old_size = 0, .size = 5, .origin = "b.example"},
	    JUDGE_SIGNATURE);
	says(c, &log_a, &(struct test_body){.old_size = 9, .size = 5},
	    JUDGE_OLD_LARGER);
	says(c, &log_a, &(struct test_body){.old_size = 4, .size = 5},
	    JUDGE_STALE);
	says(c, &log_a,
	    &(struct test_body){.old_size = 0, .size = 0, .wrong_root = true},
	    JUDGE_EMPTY_ROOT);
	says(c, &log_a,
	    &(struct test_body){.old_size = 0, .size = 5, .long_proof = true},
	    JUDGE_PROOF_FROM_EMPTY);
	shows(c, &log_a, UINT64_MAX, 0);
	cosigns(c, &log_a, &(struct test_body){.old_size = 0, .size = 5}, NOW);
	says(c, &log_a,
	    &(struct test_body){.old_size = 5, .size = 5, .wrong_root = true},
	    JUDGE_FORK);
	says(c, &log_a,
	    &(struct test_body){.old_size = 5, .size = 9, .wrong_proof = true},
	    JUDGE_INCONSISTENT);
	shows(c, &log_a, 5, NOW);
	cosigns(c, &log_a, &(struct test_body){.old_size = 5, .size = 9}, NOW);
	a = ask(c, &log_a, &(struct test_body){.old_size = 0, .size = 300});
	assert_int_equal(a.status, 409);
	assert_int_equal(a.size, 9);
	assert_true(bytes_equal(buf_bytes(&a.text), BYTES_LIT("9\n")));
	cosigner_answer_release(&a);
	assert_false(cosigner_failed(c));
	cosigner_close(c);
}

/* Two logs, from the empty tree, through a stop, up to the end. */
static void
test_life(void **state)
{
	struct cosigner *c = must_open();
	struct cosigner_answer a;
	struct hash first;

	(void)state;
	cosigns(c, &log_a, &(struct test_body){.old_size = 0, .size = 0}, NOW);
	shows(c, &log_a, 0, NOW);
	cosigns(c, &log_b, &(struct test_body){.old_size = 0, .size = 8}, NOW);
	cosigns(c, &log_a, &(struct test_body){.old_size = 0, .size = 1}, NOW);
	for (uint64_t n = 1; n < 40; n++) {
		wall++;
		cosigns(c, &log_a,
		    &(struct test_body){.old_size = n, .size = n + 1}, NOW + n);
	}
	cosigner_close(c);
	c = must_open();
	shows(c, &log_a, 40, NOW + 39);
	shows(c, &log_b, 8, NOW);
	cosigns(c, &log_a, &(struct test_body){.old_size = 40, .size = 300},
	    NOW + 39);
	cosigns(c, &log_b, &(struct test_body){.old_size = 8, .size = 300},
	    NOW + 39);

	cosigner_next(c, NULL, &a);
	assert_int_equal(a.status, 200);
	assert_int_equal(a.size, 300);
	first = a.log;
	cosigner_answer_release(&a);
	cosigner_next(c, &first, &a);
	assert_int_equal(a.status, 200);
	assert_false(hash_equal(&first, &a.log));
	first = a.log;
	cosigner_answer_release(&a);
	cosigner_next(c, &first, &a);
	assert_int_equal(a.status, 404);
	cosigner_answer_release(&a);
	cosigner_close(c);
}

/* Lines that nobody verified are never handed on. */
static void
test_foreign_lines(void **state)
{
	struct cosigner *c = must_open();
	struct test_body b = {.size = 5,
	    .lines = "\xe2\x80\x94 evil.example AAAAAAAA\n"
		     "\xe2\x80\x94 w.example AAAAAAAA\n"};
	struct cosigner_answer a = ask(c, &log_a, &b);

	(void)state;
	assert_int_equal(a.status, 200);
	cosigner_answer_release(&a);
	shows(c, &log_a, 5, NOW);
	cosigner_close(c);
}

static void
test_times(void **state)
{
	struct cosigner *c = must_open();
	struct cosigner_answer a;

	(void)state;
	cosigns(c, &log_a, &(struct test_body){.old_size = 0, .size = 5}, NOW);
	/* The same head again: in the same second the same line, later a newer
	 * time. */
	cosigns(c, &log_a, &(struct test_body){.old_size = 5, .size = 5}, NOW);
	wall = NOW + 1;
	cosigns(
	    c, &log_a, &(struct test_body){.old_size = 5, .size = 5}, NOW + 1);
	shows(c, &log_a, 5, NOW + 1);
	/* A clock that is behind repeats the last time. */
	wall = NOW - 100;
	cosigns(
	    c, &log_a, &(struct test_body){.old_size = 5, .size = 5}, NOW + 1);
	cosigns(
	    c, &log_a, &(struct test_body){.old_size = 5, .size = 9}, NOW + 1);
	/* Of another log there is nothing to be behind. */
	cosigns(c, &log_b, &(struct test_body){.old_size = 0, .size = 5},
	    NOW - 100);
	/* One that is far behind gets nothing. */
	wall = NOW + 1 - COSIGNER_CLOCK_SLACK_S - 1;
	a = ask(c, &log_a, &(struct test_body){.old_size = 9, .size = 12});
	assert_int_equal(a.status, 503);
	assert_string_equal(a.reason, "clock-behind");
	assert_true(a.retry_s > 0);
	cosigner_answer_release(&a);
	wall = 100;
	a = ask(c, &log_a, &(struct test_body){.old_size = 9, .size = 12});
	assert_int_equal(a.status, 503);
	assert_string_equal(a.reason, "clock-unset");
	cosigner_answer_release(&a);
	shows(c, &log_a, 9, NOW + 1);
	assert_false(cosigner_failed(c));
	/* Far ahead is believed: nothing says that it is wrong. */
	wall = NOW + 1000000;
	cosigns(c, &log_a, &(struct test_body){.old_size = 9, .size = 12},
	    NOW + 1000000);
	cosigner_close(c);
}

static void
test_rate(void **state)
{
	struct cosigner *c = must_open();
	struct cosigner_answer a;

	(void)state;
	add_log(&log_a, 2); /* while it runs */
	cosigns(c, &log_a, &(struct test_body){.old_size = 0, .size = 1}, NOW);
	cosigns(c, &log_a, &(struct test_body){.old_size = 1, .size = 2}, NOW);
	a = ask(c, &log_a, &(struct test_body){.old_size = 2, .size = 3});
	assert_int_equal(a.status, 429);
	assert_int_equal(a.retry_s, 43200);
	cosigner_answer_release(&a);
	/* What is wrong is told before, and uses up nothing. */
	says(c, &log_a, &(struct test_body){.old_size = 1, .size = 3},
	    JUDGE_STALE);
	says(c, &log_a,
	    &(struct test_body){.old_size = 2, .size = 3, .wrong_proof = true},
	    JUDGE_INCONSISTENT);
	/* The same head is answered with the line that is there, until a newer
	 * one is due. */
	wall = NOW + 43199;
	cosigns(c, &log_a, &(struct test_body){.old_size = 2, .size = 2}, NOW);
	wall = NOW + 43200;
	cosigns(c, &log_a, &(struct test_body){.old_size = 2, .size = 2},
	    NOW + 43200);
	cosigns(c, &log_b, &(struct test_body){.old_size = 0, .size = 3},
	    NOW + 43200);
	monotonic += UINT64_C(43200000000000);
	cosigns(c, &log_a, &(struct test_body){.old_size = 2, .size = 3},
	    NOW + 43200);
	cosigner_close(c);
}

/* Every other root of a size that was cosigned is kept, signed, once. */
static void
test_evidence(void **state)
{
	struct cosigner *c = must_open();
	struct test_log other = stranger;
	struct witness_store *s;
	struct error err = {0};
	struct hash id = id_of(&log_a);
	uint64_t forks = 0;

	(void)state;
	cosigns(c, &log_a, &(struct test_body){.old_size = 0, .size = 5}, NOW);
	says(c, &log_a,
	    &(struct test_body){.old_size = 5, .size = 5, .wrong_root = true},
	    JUDGE_FORK);
	says(c, &log_a,
	    &(struct test_body){.old_size = 5, .size = 5, .wrong_root = true},
	    JUDGE_FORK);
	/* Another tree by the same key. */
	cosigns(
	    c, &log_a, &(struct test_body){.old_size = 5, .size = 200}, NOW);
	other.key = log_a.key;
	other.vkey = log_a.vkey;
	says(c, &other, &(struct test_body){.old_size = 200, .size = 200},
	    JUDGE_FORK);
	says(c, &other, &(struct test_body){.old_size = 200, .size = 201},
	    JUDGE_INCONSISTENT);
	shows(c, &log_a, 200, NOW);
	cosigner_close(c);
	s = witness_store_open(folder_at(WITNESS_DB_FOLDER), true, &err);
	need(s != NULL, &err);
	need(witness_store_forks(s, &id, &forks, &err), &err);
	assert_int_equal(forks, 2);
	witness_store_close(s);
}

static void
test_second(void **state)
{
	struct cosigner *c = must_open();
	struct error err = {0};

	(void)state;
	assert_null(try_open(&err));
	assert_int_equal(err.code, ERR_CONFLICT);
	cosigner_close(c);
	cosigner_close(must_open());
}

/* Copies the database to or from its place aside. */
static void
copy_db(bool back)
{
	static const char *const names[] = {"witness.db", "witness.db-wal"};

	for (size_t i = 0; i < 2; i++) {
		AUTO(buf) data = BUF_INIT(16u << 20);
		struct error err = {0};
		char inside[64];

		(void)snprintf(inside, sizeof(inside), "db/%s", names[i]);
		need(
		    file_read(folder_at(back ? names[i] : inside), &data, &err),
		    &err);
		need(file_write(folder_at(back ? inside : names[i]),
			 buf_bytes(&data), 0600, &err),
		    &err);
	}
	if (back)
		(void)unlink(folder_at("db/witness.db-shm"));
}

static void
test_rolled_back(void **state)
{
	struct cosigner *c = must_open();
	struct error err = {0};

	(void)state;
	cosigns(c, &log_a, &(struct test_body){.old_size = 0, .size = 5}, NOW);
	cosigner_close(c);
	copy_db(false);
	c = must_open();
	cosigns(c, &log_a, &(struct test_body){.old_size = 5, .size = 9}, NOW);
	cosigner_close(c);
	copy_db(true);
	assert_null(try_open(&err));
	assert_string_equal(error_reason_name(&err), "store-rolled-back");
	/* The guard put back as well is a witness that was never so far: only
	 * others can tell. Damage to the guard alone is told. */
	assert_int_equal(truncate(folder_at(WITNESS_GUARD_FILE), 100), 0);
	err = (struct error){0};
	assert_null(try_open(&err));
}

/* The guard cannot be made durable: no cosignature, and the end; what the
 * database has is not lost by that. */
static void
test_sync_fails(void **state)
{
	struct cosigner *c = must_open();
	struct cosigner_answer a;

	(void)state;
	cosigns(c, &log_a, &(struct test_body){.old_size = 0, .size = 5}, NOW);
	sync_fails = 1;
	a = ask(c, &log_a, &(struct test_body){.old_size = 5, .size = 9});
	assert_int_equal(a.status, 500);
	cosigner_answer_release(&a);
	assert_true(cosigner_failed(c));
	/* Nor does it go on, whoever asks. */
	a = ask(c, &log_a, &(struct test_body){.old_size = 9, .size = 12});
	assert_int_equal(a.status, 500);
	cosigner_answer_release(&a);
	cosigner_close(c);
	c = must_open();
	shows(c, &log_a, 9, NOW);
	cosigns(c, &log_a, &(struct test_body){.old_size = 9, .size = 12}, NOW);
	cosigner_close(c);
}

/* A file of a log that cannot be read is no absence of that log. */
static void
test_broken_log(void **state)
{
	struct cosigner *c = must_open();
	AUTO(buf) name = BUF_INIT(200);
	struct hash id = id_of(&log_a);
	struct cosigner_answer a;
	char *path;

	(void)state;
	buf_put_str(&name, "logs/");
	hex_put(&name, hash_bytes(&id));
	path = buf_dup_string(&name);
	assert_non_null(path);
	folder_put(path, "nonsense\n", 9);
	a = ask(c, &log_a, &(struct test_body){.old_size = 0, .size = 5});
	assert_int_equal(a.status, 500);
	assert_int_equal(a.row, JUDGE_BROKEN);
	cosigner_answer_release(&a);
	assert_false(cosigner_failed(c));
	assert_int_equal(unlink(folder_at(path)), 0);
	free(path);
	says(c, &log_a, &(struct test_body){.old_size = 0, .size = 5},
	    JUDGE_UNKNOWN);
	cosigns(c, &log_b, &(struct test_body){.old_size = 0, .size = 5}, NOW);
	cosigner_close(c);
}

/* As a client with a policy sees it. */
static void
test_quorum(void **state)
{
	AUTO(buf) policy = BUF_INIT(QUORUM_MAX_LEN);
	struct quorum *q = calloc(1, sizeof(*q));
	struct quorum_result *result = calloc(1, sizeof(*result));
	struct cosigner *c = must_open();
	struct hash id = id_of(&log_b);
	struct cosigner_answer a;
	struct error err = {0};
	AUTO(note) n = {0};

	(void)state;
	assert_true(q && result);
	buf_put_str(&policy, "log ");
	vkey_format(&log_b.vkey, &policy);
	buf_put_str(&policy, "\nwitness w ");
	vkey_format(&witness, &policy);
	buf_put_str(&policy, "\nquorum w\n");
	need(quorum_parse(buf_bytes(&policy), q, &err), &err);
	cosigns(c, &log_b, &(struct test_body){.old_size = 0, .size = 9}, NOW);
	cosigner_get(c, &id, &a);
	need(note_parse(buf_bytes(&a.text), &n, &err), &err);
	need(quorum_verify(q, &n, verifier, result, &err), &err);
	assert_int_equal(result->head.size, 9);
	assert_int_equal(result->existed_by, NOW);
	cosigner_answer_release(&a);
	cosigner_close(c);
	free(result);
	free(q);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    TEST(test_init),
	    TEST(test_rows),
	    TEST(test_life),
	    TEST(test_foreign_lines),
	    TEST(test_times),
	    TEST(test_rate),
	    TEST(test_evidence),
	    TEST(test_second),
	    TEST(test_rolled_back),
	    TEST(test_sync_fails),
	    TEST(test_broken_log),
	    TEST(test_quorum),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
