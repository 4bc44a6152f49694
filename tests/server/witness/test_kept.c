/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witness/kept.h"

#include "tests/server/witness_fixture.h"
#include "tests/support/folder.h"

#define NOW 1800000000

static struct test_log log_a, other_key, stranger;
static struct witness_store *store;

static int
setup(void **state)
{
	struct error err = {0};

	(void)state;
	folder_make("/tmp");
	need(witness_store_create(folder_path, &err), &err);
	store = witness_store_open(folder_path, false, &err);
	need(store != NULL, &err);
	need(witness_store_settle(store, &err), &err);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	witness_store_close(store);
	store = NULL;
	folder_remove();
	return 0;
}

static int
setup_all(void **state)
{
	(void)state;
	if (fixture_open() != 0)
		return -1;
	test_log_open(&log_a, "a.example/log", KEY_ED25519, TEST_TREE_MAX);
	test_log_open(&other_key, "a.example/log", KEY_ED25519, 2);
	test_log_open(&stranger, "c.example", KEY_ED25519, 2);
	return 0;
}

static int
teardown_all(void **state)
{
	(void)state;
	test_log_close(&log_a);
	test_log_close(&other_key);
	test_log_close(&stranger);
	fixture_close();
	return 0;
}

static struct hash
id_of(const struct test_log *l)
{
	struct hash id;

	witness_log_id(&hasher, vkey_name(&l->vkey), &id);
	return id;
}

/* Keeps what `theirs` signed beside what `ours` did. */
static void
keep(struct test_log *ours, const struct test_body *cosigned,
    struct test_log *theirs, const struct test_body *other, uint8_t root)
{
	AUTO(witness_head)
	head = {
	    .log = id_of(&log_a),
	    .note = BUF_INIT(WITNESS_NOTE_MAX),
	};
	AUTO(buf) note = BUF_INIT(WITNESS_NOTE_MAX);
	const struct hash key = {{root}};
	struct error err = {0};

	test_note(ours, cosigned, &head.note);
	test_note(theirs, other, &note);
	need(
	    witness_store_fork(store, &head, &key, buf_bytes(&note), NOW, &err),
	    &err);
}

static bool
next(const struct witness_log *log, const struct hash *after, struct kept *out,
    struct error *err)
{
	const struct kept_reader r = {store, &hasher, verifier};
	const struct hash id = id_of(&log_a);
	bool found = false;

	return kept_next(&r, &id, log, after, out, &found, err) && found;
}

static const struct test_body five = {.size = 5},
			      wrong = {.size = 5, .wrong_root = true};

/* The text is what `mtlog inspect` reads, by whichever of the keys signed. */
static void
test_proves(void **state)
{
	struct witness_log log = {
	    .key_count = 2, .keys = {other_key.vkey, log_a.vkey}};
	struct error err = {0};
	struct checkpoint heads[2];
	struct evidence e;
	AUTO(kept) k = {0};
	AUTO(kept) again = {0};
	AUTO(kept) none = {0};

	(void)state;
	keep(&log_a, &five, &log_a, &wrong, 9);
	assert_true(next(&log, NULL, &k, &err));
	assert_true(k.proves);
	assert_int_equal(k.size, 5);
	assert_int_equal(k.time, NOW);
	assert_false(hash_equal(&k.cosigned, &k.other));
	assert_int_equal(strlen(k.name), strlen("fork-.evidence") + 16);
	need(evidence_parse(buf_bytes(&k.text), &e, &err), &err);
	need(evidence_verify(&e, &log_a.vkey, &hasher, verifier, heads, &err),
	    &err);
	assert_true(hash_equal(&heads[0].root, &k.cosigned));
	assert_true(hash_equal(&heads[1].root, &k.other));
	/* The same has the same name; another fork another. */
	assert_true(next(&log, NULL, &again, &err));
	assert_string_equal(again.name, k.name);
	assert_false(next(&log, &k.fork.root, &none, &err));
	assert_int_equal(err.code, ERR_NONE);
}

static void
all_of(const struct witness_log *log, size_t want)
{
	struct error err = {0};
	struct hash after;
	size_t n = 0;

	for (bool found = true; found;) {
		AUTO(kept) k = {0};

		found = next(log, n > 0 ? &after : NULL, &k, &err);
		need(err.code == ERR_NONE, &err);
		after = k.fork.root;
		n += found;
	}
	assert_int_equal(n, want);
}

/* What one key did not sign twice is no evidence, and is not called so. */
static void
test_does_not_prove(void **state)
{
	static const struct {
		bool unknown; /* nothing is known of the log */
		bool by_stranger;
		enum error_code code;
	} cases[] = {
	    {true, false, ERR_NOTFOUND},
	    {false, true, ERR_BADSIG},
	};
	struct error err = {0};

	(void)state;
	keep(&log_a, &five, &log_a, &wrong, 9);
	for (size_t i = 0; i < 2; i++) {
		struct witness_log log = {0};
		AUTO(kept) k = {0};

		log.key_count = cases[i].unknown ? 0 : 1;
		log.keys[0] = stranger.vkey;
		assert_true(next(&log, NULL, &k, &err));
		assert_false(k.proves);
		assert_int_equal(k.why.code, cases[i].code);
		assert_int_equal(k.text.len, 0);
		assert_int_equal(k.size, 5);
		assert_int_equal(strlen(k.name), strlen("fork-") + 16);
		assert_true(k.fork.note.len > 0 && k.fork.ours.len > 0);
	}
}

/* Each note by another key of the log's. */
static void
test_two_keys(void **state)
{
	struct witness_log log = {
	    .key_count = 2, .keys = {other_key.vkey, log_a.vkey}};
	struct error err = {0};
	AUTO(kept) k = {0};

	(void)state;
	keep(&log_a, &five, &other_key, &wrong, 3);
	assert_true(next(&log, NULL, &k, &err));
	assert_false(k.proves);
	assert_int_equal(k.why.code, ERR_BADSIG);
	keep(&log_a, &five, &log_a, &wrong, 2);
	keep(&log_a, &five, &log_a,
	    &(struct test_body){.size = 6, .wrong_root = true}, 4);
	all_of(&log, 3);
}

/* Of two notes that do not contradict each other nothing is claimed. */
static void
test_no_fork(void **state)
{
	struct witness_log log = {.key_count = 1, .keys = {log_a.vkey}};
	struct error err = {0};
	AUTO(kept) k = {0};

	(void)state;
	keep(&log_a, &five, &log_a, &five, 9);
	assert_true(next(&log, NULL, &k, &err));
	assert_false(k.proves);
	assert_string_equal(error_reason_name(&k.why), "no-fork");
}

static void
test_damaged(void **state)
{
	struct witness_log log = {.key_count = 1, .keys = {log_a.vkey}};
	AUTO(witness_head)
	head = {
	    .log = id_of(&log_a),
	    .note = BUF_INIT(WITNESS_NOTE_MAX),
	};
	const struct hash root = {{7}};
	struct error err = {0};
	AUTO(kept) k = {0};

	(void)state;
	test_note(&log_a, &five, &head.note);
	need(witness_store_fork(
		 store, &head, &root, BYTES_LIT("nonsense\n"), NOW, &err),
	    &err);
	assert_false(next(&log, NULL, &k, &err));
	assert_string_equal(error_reason_name(&err), "store-corrupt");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
	    TEST(test_proves),
	    TEST(test_does_not_prove),
	    TEST(test_two_keys),
	    TEST(test_no_fork),
	    TEST(test_damaged),
	};

	return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
