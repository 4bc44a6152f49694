/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signer.h"

#include "tests/server/signer_fixture.h"

/* What the signer finds at its start: keys, locks, guards and their copies. */

/* Keys. */

static void
test_key_missing(void **state)
{
	(void)state;
	init();
	assert_int_equal(unlink(fx.key), 0);
	start_refused(ERR_NOTFOUND, fx.key);
}

static void
test_key_open_to_everyone(void **state)
{
	static const mode_t modes[] = {0604, 0602, 0666, 0601};

	(void)state;
	init();
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_int_equal(chmod(fx.key, modes[i]), 0);
		start_refused(ERR_DENIED, fx.key);
	}
	assert_int_equal(chmod(fx.key, 0440), 0);
	signer_close(start(SIGNER_GUARD_OK));
}

static void
test_key_unreadable(void **state)
{
	static char large[20000];

	(void)state;
	init();
	file_save(fx.key, "", 0);
	start_refused(ERR_SYNTAX, fx.key);
	file_save(fx.key, "-----BEGIN PRIVATE KEY-----\n", 28);
	start_refused(ERR_SYNTAX, fx.key);
	file_save(fx.key, large, sizeof(large));
	start_refused(ERR_LIMIT, fx.key);
	assert_int_equal(unlink(fx.key), 0);
	assert_int_equal(mkdir(fx.key, 0700), 0);
	start_refused(ERR_IO, fx.key);
	assert_int_equal(rmdir(fx.key), 0);
}

static void
test_passphrase(void **state)
{
	(void)state;
	key_make(KEY_ED25519, "correct horse");
	start_refused(ERR_DENIED, fx.key);
	fx.options.passphrase_path = fx.pass;
	start_refused(ERR_NOTFOUND, fx.pass);
	file_save(fx.pass, "wrong horse\n", 12);
	start_refused(ERR_DENIED, fx.key);
	file_save(fx.pass, "\ncorrect horse\n", 15);
	start_refused(ERR_SYNTAX, fx.pass);
	file_save(fx.pass, "", 0);
	start_refused(ERR_SYNTAX, fx.pass);
	file_save(fx.pass, "correct horse\n", 14);
	init();
	file_save(fx.pass, "correct horse", 13);
	signer_close(start(SIGNER_GUARD_OK));
	file_save(fx.pass, "correct horse\nbattery staple\n", 29);
	signer_close(start(SIGNER_GUARD_OK));
	assert_int_equal(chmod(fx.pass, 0644), 0);
	start_refused(ERR_DENIED, fx.pass);
}

/* What signs models does not sign a log. */
static void
test_kind_of_key(void **state)
{
	static const enum key_algorithm others[] = {
	    KEY_ECDSA_P384, KEY_ECDSA_P521, KEY_RSA_2048};

	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		key_make(others[i], "");
		start_refused(ERR_SYNTAX, key_algorithm_name(others[i]));
	}
}

static void
test_bad_origin(void **state)
{
	(void)state;
	init();
	fx.options.origin = "not a name";
	start_refused(ERR_SYNTAX, "");
	fx.options.origin = "";
	start_refused(ERR_SYNTAX, "");
}

/* Locks. */

static void
test_two_signers(void **state)
{
	struct file key;
	struct signer *s;

	(void)state;
	init();
	s = start(SIGNER_GUARD_OK);
	start_refused(ERR_CONFLICT, fx.key);
	/* The same key in another file: the guard's lock holds. */
	key = file_load(fx.key);
	file_save(fx.pass, key.data, key.len);
	fx.options.key_path = fx.pass;
	start_refused(ERR_CONFLICT, fx.guard);
	sign_well(s, 0, 1);
	signer_close(s);
	signer_close(start(SIGNER_GUARD_OK));
}

static void
test_locks(void **state)
{
	const char *paths[] = {fx.key, fx.guard, fx.copy[0], fx.copy[1]};

	(void)state;
	fx.options.guard_copies = fx.copies;
	init();
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		pid_t pid = lock_holder(paths[i], 10000);

		fx.options.lock_wait_ms = 50;
		start_refused(ERR_CONFLICT, paths[i]);
		child_end(pid);
		/* An orphan that ends in time. */
		pid = lock_holder(paths[i], 200);
		fx.options.lock_wait_ms = 5000;
		signer_close(start(SIGNER_GUARD_OK));
		child_end(pid);
	}
}

/* The guard. */

/* Nothing is signed, known or new, and nothing frozen. */
static void
latched(enum signer_guard guard)
{
	struct signer *s = start(guard);
	struct error err = {0};

	sign_refused(s, 0, 0, ERR_DENIED, "log-latched");
	sign_refused(s, 0, 1, ERR_DENIED, "log-latched");
	sign_refused(s, 5, 6, ERR_DENIED, "log-latched");
	assert_false(signer_freeze(s, &err));
	assert_int_equal(err.code, ERR_DENIED);
	signer_close(s);
}

static void
test_guard_missing(void **state)
{
	(void)state;
	latched(SIGNER_GUARD_MISSING);
	assert_int_equal(access(fx.guard, F_OK), -1);
}

static void
test_guard_bad(void **state)
{
	struct file f;

	(void)state;
	init();
	f = file_load(fx.guard);
	f.data[100] ^= 1;
	file_save(fx.guard, f.data, f.len);
	signer_close(start(SIGNER_GUARD_OK)); /* one slot is enough */
	f.data[GUARD_SLOT_LEN + 100] ^= 1;
	file_save(fx.guard, f.data, f.len);
	latched(SIGNER_GUARD_BAD);
	file_save(fx.guard, f.data, 100);
	latched(SIGNER_GUARD_BAD);
	file_save(fx.guard, "", 0);
	latched(SIGNER_GUARD_BAD);
}

static void
test_guard_foreign(void **state)
{
	(void)state;
	init();
	fx.options.origin = "other.example.org";
	latched(SIGNER_GUARD_FOREIGN);
	fx.options.origin = "log.example.org";
	signer_close(start(SIGNER_GUARD_OK));
	key_make(KEY_ED25519, "");
	latched(SIGNER_GUARD_FOREIGN);
	key_make(KEY_ECDSA_P256, "");
	latched(SIGNER_GUARD_FOREIGN);
}

static void
guard_replace(const char *path, const struct guard_state *s)
{
	struct error err = {0};

	(void)unlink(path);
	if (!guard_create(path, s, &err))
		fail_msg("%s", err.text);
}

/* Slots in order, but our key did not sign what they hold. */
static void
test_guard_note_forged(void **state)
{
	struct guard_state good, s;
	char *digit;

	(void)state;
	init();
	good = guard_peek(fx.guard);
	s = good;
	digit = memchr(s.note, '\n', s.note_len);
	digit[1] = '7'; /* the size */
	guard_replace(fx.guard, &s);
	latched(SIGNER_GUARD_BAD);
	s = good;
	s.note_len--;
	guard_replace(fx.guard, &s);
	latched(SIGNER_GUARD_BAD);
	s = good;
	memcpy(s.origin, "log.example.net", 16);
	guard_replace(fx.guard, &s);
	latched(SIGNER_GUARD_FOREIGN);
	s = good;
	s.log_id.b[31] ^= 1;
	guard_replace(fx.guard, &s);
	latched(SIGNER_GUARD_FOREIGN);
	guard_replace(fx.guard, &good);
	signer_close(start(SIGNER_GUARD_OK));
}

/* Our key, size 0, and a root that is not the empty tree's. */
static void
test_guard_wrong_empty_root(void **state)
{
	struct guard_state s;
	struct error err = {0};
	AUTO(buf) note = BUF_INIT(GUARD_NOTE_MAX);
	struct file pem;
	struct private_key *key;
	struct key_verifier *verifier;
	struct checkpoint c = {.root = root_of(TREE_A, 1)};

	(void)state;
	init();
	s = guard_peek(fx.guard);
	pem = file_load(fx.key);
	key = private_key_parse(
	    bytes_of(pem.data, pem.len), (struct bytes){0}, &err);
	assert_non_null(key);
	c.origin = vkey_name(&fx.vkey);
	verifier = key_verifier_open(&err);
	assert_non_null(verifier);
	assert_true(checkpoint_sign(&c, key, &fx.vkey, verifier, &note, &err));
	key_verifier_close(verifier);
	private_key_close(key);
	memset(s.note, 0, sizeof(s.note));
	memcpy(s.note, note.ptr, note.len);
	s.note_len = note.len;
	guard_replace(fx.guard, &s);
	latched(SIGNER_GUARD_BAD);
}

/* The start writes the guard once more; a disk that cannot stops it. */
static void
test_guard_not_writable(void **state)
{
	uint64_t generation;

	(void)state;
	init();
	generation = guard_peek(fx.guard).generation;
	signer_close(start(SIGNER_GUARD_OK));
	assert_int_equal(guard_peek(fx.guard).generation, generation + 1);
	fault->pwrite_errno = EIO;
	start_refused(ERR_IO, fx.guard);
	fault->pwrite_errno = 0;
	for (fault->skip = 0; fault->skip < 2;) {
		int skip = fault->skip;

		fault->fdatasync_errno = EIO;
		start_refused(ERR_IO, fx.guard);
		fault->fdatasync_errno = 0;
		fault->skip = skip + 1;
	}
	signer_close(start(SIGNER_GUARD_OK));
}

/* Copies. */

/* A log with two copies, whose files at size 4 and 6 are kept. */
static void
copies_make(struct file *at_4, struct file *at_6)
{
	struct signer *s;

	fx.options.guard_copies = fx.copies;
	init();
	s = start(SIGNER_GUARD_OK);
	sign_well(s, 0, 4);
	*at_4 = file_load(fx.guard);
	sign_well(s, 4, 6);
	*at_6 = file_load(fx.guard);
	signer_close(s);
}

static void
test_copy_behind(void **state)
{
	struct file at_4, at_6;
	struct guard_state guard, copy;

	(void)state;
	copies_make(&at_4, &at_6);
	file_save(fx.copy[1], at_4.data, at_4.len);
	signer_close(start(SIGNER_GUARD_OK));
	guard = guard_peek(fx.guard);
	copy = guard_peek(fx.copy[1]);
	assert_true(bytes_equal(bytes_of(guard.note, guard.note_len),
	    bytes_of(copy.note, copy.note_len)));
}

static void
test_copy_ahead(void **state)
{
	struct file at_4, at_6, copy;

	(void)state;
	copies_make(&at_4, &at_6);
	file_save(fx.guard, at_4.data, at_4.len);
	file_save(fx.copy[0], at_4.data, at_4.len);
	latched(SIGNER_GUARD_ROLLBACK);
	copy = file_load(fx.guard);
	assert_true(file_same(&copy, &at_4)); /* kept as evidence */
	file_save(fx.guard, at_6.data, at_6.len);
	signer_close(start(SIGNER_GUARD_OK));
}

static void
test_rollback_says_so(void **state)
{
	struct file at_4, at_6;
	struct signer_hello hello;
	struct error err = {0};
	struct signer *s;

	(void)state;
	copies_make(&at_4, &at_6);
	file_save(fx.guard, at_4.data, at_4.len);
	s = signer_start(&fx.options, &hello, &err);
	assert_non_null(s);
	assert_int_equal(hello.guard, SIGNER_GUARD_ROLLBACK);
	assert_non_null(strstr(hello.note_error, "rollback"));
	assert_non_null(strstr(hello.note_error, "size 6"));
	assert_non_null(strstr(hello.note_error, "only 4"));
	assert_string_equal(hello.state.origin, "log.example.org");
	signer_close(s);
}

/* Signs `size` leaves of tree B as a log that went another way. */
static void
test_copy_of_other_history(void **state)
{
	AUTO(buf) note = BUF_INIT(GUARD_NOTE_MAX);
	struct hash root = root_of(TREE_B, 4);
	struct proof none = {0};
	struct error err = {0};
	struct file other;
	struct signer *s;

	(void)state;
	init();
	s = start(SIGNER_GUARD_OK);
	assert_true(signer_sign(s, 4, &root, &none, INODE, &note, &err));
	signer_close(s);
	other = file_load(fx.guard);
	assert_int_equal(unlink(fx.guard), 0);
	fx.options.guard_copies = fx.copies;
	init();
	s = start(SIGNER_GUARD_OK);
	sign_well(s, 0, 4);
	signer_close(s);
	file_save(fx.copy[1], other.data, other.len);
	latched(SIGNER_GUARD_ROLLBACK);
}

static void
test_copy_frozen(void **state)
{
	struct file at_4, at_6;
	struct error err = {0};
	struct signer *s;

	(void)state;
	copies_make(&at_4, &at_6);
	s = start(SIGNER_GUARD_OK);
	assert_true(signer_freeze(s, &err));
	signer_close(s);
	file_save(fx.guard, at_6.data, at_6.len);
	latched(SIGNER_GUARD_ROLLBACK);
}

static void
test_copy_missing_bad_foreign(void **state)
{
	struct file at_4, at_6;
	struct guard_state s;

	(void)state;
	copies_make(&at_4, &at_6);
	assert_int_equal(unlink(fx.copy[1]), 0);
	latched(SIGNER_GUARD_COPY);
	assert_int_equal(mkdir(fx.copy[1], 0700), 0);
	latched(SIGNER_GUARD_COPY);
	assert_int_equal(rmdir(fx.copy[1]), 0);
	file_save(fx.copy[1], "garbage", 7);
	latched(SIGNER_GUARD_COPY);
	s = guard_peek(fx.guard);
	memcpy(s.origin, "log.example.net", 16);
	guard_replace(fx.copy[1], &s);
	latched(SIGNER_GUARD_FOREIGN);
	s = guard_peek(fx.guard);
	guard_replace(fx.copy[1], &s);
	signer_close(start(SIGNER_GUARD_OK));
}

static void
test_too_many_copies(void **state)
{
	const char *copies[SIGNER_MAX_COPIES + 2];
	char paths[SIGNER_MAX_COPIES + 1][140];
	size_t n = SIGNER_MAX_COPIES + 1;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(
		    paths[i], sizeof(paths[i]), "%s.%zu", fx.guard, i);
		copies[i] = paths[i];
	}
	copies[n] = NULL;
	fx.options.guard_copies = copies;
	init();
	start_refused(ERR_LIMIT, "copies");
	copies[n - 1] = NULL;
	signer_close(start(SIGNER_GUARD_OK));
	for (size_t i = 0; i < n; i++)
		assert_int_equal(unlink(paths[i]), 0);
}

/* Init. */

static void
init_refused(enum error_code code, const char *names)
{
	struct error err = {0};
	struct vkey vkey;

	assert_false(signer_init(&fx.options, INODE, &vkey, &err));
	if (err.code != code || !strstr(err.text, names))
		fail_msg("%s: %s", error_code_name(err.code), err.text);
}

static void
test_init(void **state)
{
	struct file before, after;

	(void)state;
	fx.options.guard_copies = fx.copies;
	file_save(fx.copy[1], "in the way", 10);
	init_refused(ERR_CONFLICT, fx.copy[1]);
	assert_int_equal(access(fx.guard, F_OK), -1);
	assert_int_equal(access(fx.copy[0], F_OK), -1);
	assert_int_equal(unlink(fx.copy[1]), 0);
	fault->pwrite_errno = ENOSPC;
	fault->skip = 2;
	init_refused(ERR_IO, fx.copy[1]);
	assert_int_equal(access(fx.guard, F_OK), -1);
	memset(fault, 0, sizeof(*fault));
	init();
	assert_string_equal(fx.vkey.name, "log.example.org");
	assert_int_equal(guard_peek(fx.guard).store_identity, INODE);
	before = file_load(fx.guard);
	init_refused(ERR_CONFLICT, fx.guard);
	after = file_load(fx.guard);
	assert_true(file_same(&before, &after));
	assert_int_equal(unlink(fx.key), 0);
	init_refused(ERR_NOTFOUND, fx.key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_key_missing),
	    TEST(test_key_open_to_everyone),
	    TEST(test_key_unreadable),
	    TEST(test_passphrase),
	    TEST(test_kind_of_key),
	    TEST(test_bad_origin),
	    TEST(test_two_signers),
	    TEST(test_locks),
	    TEST(test_guard_missing),
	    TEST(test_guard_bad),
	    TEST(test_guard_foreign),
	    TEST(test_guard_note_forged),
	    TEST(test_guard_wrong_empty_root),
	    TEST(test_guard_not_writable),
	    TEST(test_copy_behind),
	    TEST(test_copy_ahead),
	    TEST(test_rollback_says_so),
	    TEST(test_copy_of_other_history),
	    TEST(test_copy_frozen),
	    TEST(test_copy_missing_bad_foreign),
	    TEST(test_too_many_copies),
	    TEST(test_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
