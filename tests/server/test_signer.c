/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signer.h"

#include "tests/server/signer_fixture.h"

#include <dirent.h>
#include <poll.h>
#include <sys/socket.h>

#include "server/signer_message.h"

/* Signing, refusing, freezing and dying. The start is test_signer_start.c. */

static void
test_life(void **state)
{
	AUTO(buf) first = BUF_INIT(GUARD_NOTE_MAX);
	AUTO(buf) again = BUF_INIT(GUARD_NOTE_MAX);
	struct error err = {0};
	struct guard_state guard;
	struct file before, after;
	struct signer *s;

	(void)state;
	init();
	s = start(SIGNER_GUARD_OK);
	before = file_load(fx.guard);
	sign_well(s, 0, 0); /* the empty tree's head, signed by init */
	after = file_load(fx.guard);
	assert_true(file_same(&before, &after));
	sign_well(s, 0, 1);
	sign_well(s, 1, 2);
	sign_well(s, 2, 7);
	before = file_load(fx.guard);
	assert_true(sign_head(s, 7, 7, &first, &err));
	assert_true(sign_head(s, 7, 7, &again, &err));
	after = file_load(fx.guard);
	assert_true(file_same(&before, &after));
	assert_true(bytes_equal(buf_bytes(&first), buf_bytes(&again)));
	signer_close(s);

	guard = guard_peek(fx.guard);
	assert_true(bytes_equal(
	    buf_bytes(&first), bytes_of(guard.note, guard.note_len)));
	assert_int_equal(guard.store_identity, INODE);
	s = start(SIGNER_GUARD_OK);
	sign_well(s, 7, 7);
	sign_well(s, 7, 20);
	signer_close(s);
	signer_close(NULL);
}

/* ECDSA signatures differ each time: the same head must not be signed anew. */
static void
test_p256(void **state)
{
	AUTO(buf) first = BUF_INIT(GUARD_NOTE_MAX);
	AUTO(buf) again = BUF_INIT(GUARD_NOTE_MAX);
	struct error err = {0};
	struct signer *s;

	(void)state;
	key_make(KEY_ECDSA_P256, "");
	init();
	assert_int_equal(fx.vkey.type, NOTE_ECDSA);
	s = start(SIGNER_GUARD_OK);
	sign_well(s, 0, 3);
	assert_true(sign_head(s, 3, 5, &first, &err));
	signer_close(s);
	s = start(SIGNER_GUARD_OK);
	assert_true(sign_head(s, 5, 5, &again, &err));
	assert_true(bytes_equal(buf_bytes(&first), buf_bytes(&again)));
	signer_close(s);
}

/* The last head is A's at size 5. `root` and `proof` name tree and sizes. */
static const struct refusal {
	const char *name;
	uint64_t size;
	enum tree root_tree;
	uint64_t root_size;
	enum tree proof_tree;
	uint64_t from, to;
	int flip; /* hash of the proof to change, from 1 */
	int len;  /* change of the proof's length */
} refusals[] = {
    {.name = "smaller", .size = 4, .root_size = 4},
    {.name = "smaller, with a proof",
	.size = 4,
	.root_size = 4,
	.from = 4,
	.to = 5},
    {.name = "size 0", .size = 0, .root_size = 0},
    {.name = "same size, other root", .size = 5, .root_size = 6},
    {.name = "same size, other tree",
	.size = 5,
	.root_tree = TREE_B,
	.root_size = 5},
    {.name = "same head, with a proof",
	.size = 5,
	.root_size = 5,
	.from = 5,
	.to = 9},
    {.name = "no proof", .size = 9, .root_size = 9},
    {.name = "proof from another size",
	.size = 9,
	.root_size = 9,
	.from = 4,
	.to = 9},
    {.name = "proof to another size",
	.size = 9,
	.root_size = 9,
	.from = 5,
	.to = 10},
    {.name = "root of another size",
	.size = 9,
	.root_size = 10,
	.from = 5,
	.to = 9},
    {.name = "other tree",
	.size = 9,
	.root_tree = TREE_B,
	.root_size = 9,
	.proof_tree = TREE_B,
	.from = 5,
	.to = 9},
    {.name = "other tree's root",
	.size = 9,
	.root_tree = TREE_B,
	.root_size = 9,
	.from = 5,
	.to = 9},
    {.name = "other tree's proof",
	.size = 9,
	.root_size = 9,
	.proof_tree = TREE_B,
	.from = 5,
	.to = 9},
    {.name = "first hash changed",
	.size = 9,
	.root_size = 9,
	.from = 5,
	.to = 9,
	.flip = 1},
    {.name = "last hash changed",
	.size = 9,
	.root_size = 9,
	.from = 5,
	.to = 9,
	.flip = -1},
    {.name = "cut proof",
	.size = 9,
	.root_size = 9,
	.from = 5,
	.to = 9,
	.len = -1},
    {.name = "long proof",
	.size = 9,
	.root_size = 9,
	.from = 5,
	.to = 9,
	.len = 1},
    {.name = "longest proof",
	.size = 9,
	.root_size = 9,
	.from = 5,
	.to = 9,
	.len = 50},
    {.name = "too large for a tree",
	.size = TREE_MAX_SIZE + 1,
	.root_size = 9,
	.from = 5,
	.to = 9},
    {.name = "largest number",
	.size = UINT64_MAX,
	.root_size = 9,
	.from = 5,
	.to = 9},
};

static bool
refusal_try(struct signer *s, const struct refusal *c, struct error *err)
{
	AUTO(buf) note = BUF_INIT(GUARD_NOTE_MAX);
	struct hash root = root_of(c->root_tree, c->root_size);
	struct proof proof = proof_of(c->proof_tree, c->from, c->to);

	if (c->flip > 0)
		proof.hashes[c->flip - 1].b[0] ^= 1;
	if (c->flip < 0)
		proof.hashes[proof.len - 1].b[31] ^= 1;
	proof.len = (size_t)((int)proof.len + c->len);
	return signer_sign(s, c->size, &root, &proof, INODE, &note, err);
}

static void
test_refusals(void **state)
{
	struct file before, after;
	struct signer *s;

	(void)state;
	init();
	s = start(SIGNER_GUARD_OK);
	sign_well(s, 0, 5);
	before = file_load(fx.guard);
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct error err = {0};

		if (refusal_try(s, &refusals[i], &err))
			fail_msg("signed: %s", refusals[i].name);
		if (err.code != ERR_BADSIG)
			fail_msg("%s: %s", refusals[i].name, err.text);
		assert_string_equal(err.reason, "head-refused");
		after = file_load(fx.guard);
		assert_true(file_same(&before, &after));
	}
	sign_well(s, 5, 5);
	sign_well(s, 5, 9);
	signer_close(s);
}

static void
test_first_head(void **state)
{
	AUTO(buf) note = BUF_INIT(GUARD_NOTE_MAX);
	struct hash root = root_of(TREE_A, 3);
	struct proof proof = proof_of(TREE_A, 2, 3);
	struct error err = {0};
	struct signer *s;

	(void)state;
	init();
	s = start(SIGNER_GUARD_OK);
	assert_false(signer_sign(s, 3, &root, &proof, INODE, &note, &err));
	assert_int_equal(err.code, ERR_BADSIG);
	proof.len = PROOF_MAX_HASHES + 1;
	err = (struct error){0};
	assert_false(signer_sign(s, 3, &root, &proof, INODE, &note, &err));
	assert_int_equal(err.code, ERR_USAGE);
	proof.len = 0;
	err = (struct error){0};
	assert_false(signer_sign(s, 0, &root, &proof, INODE, &note, &err));
	assert_int_equal(err.code, ERR_BADSIG);
	sign_well(s, 0, 3);
	signer_close(s);
}

static void
test_malformed_packets(void **state)
{
	static const struct {
		size_t len;
		uint8_t first;
	} packets[] = {{1, 0x00}, {1, 0x01}, {1, 0x03}, {2, 0x02}, {48, 0x01},
	    {50, 0x01}, {49 + 31, 0x01}, {49 + 64 * 32, 0x01}, {1, 0x11},
	    {SIGNER_MESSAGE_MAX, 0x01}, {SIGNER_MESSAGE_MAX + 1, 0x02},
	    {3 * SIGNER_MESSAGE_MAX, 0x02}};
	static uint8_t packet[3 * SIGNER_MESSAGE_MAX];
	struct signer *s;

	(void)state;
	init();
	s = start(SIGNER_GUARD_OK);
	for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		struct signer_reply reply;
		struct error err = {0};
		uint8_t in[SIGNER_MESSAGE_MAX];
		ssize_t n;

		packet[0] = packets[i].first;
		n = send(signer_fd(s), packet, packets[i].len, MSG_NOSIGNAL);
		assert_int_equal(n, (ssize_t)packets[i].len);
		n = recv(signer_fd(s), in, sizeof(in), 0);
		assert_true(n > 0);
		assert_true(
		    signer_reply_parse(bytes_of(in, (size_t)n), &reply, &err));
		assert_int_equal(reply.error.code, ERR_SYNTAX);
	}
	assert_false(guard_peek(fx.guard).frozen);
	sign_well(s, 0, 2);
	signer_close(s);
}

static void
test_freeze(void **state)
{
	struct error err = {0};
	struct guard_state guard;
	struct signer *s;

	(void)state;
	fx.options.guard_copies = fx.copies;
	init();
	s = start(SIGNER_GUARD_OK);
	sign_well(s, 0, 4);
	assert_true(signer_freeze(s, &err));
	guard = guard_peek(fx.guard);
	assert_true(guard.frozen);
	assert_true(guard_peek(fx.copy[1]).frozen);
	sign_refused(s, 4, 6, ERR_DENIED, "log-frozen");
	sign_well(s, 4, 4);
	assert_true(signer_freeze(s, &err));
	assert_int_equal(guard_peek(fx.guard).generation, guard.generation);
	signer_close(s);
	s = start(SIGNER_GUARD_OK);
	assert_true(guard_peek(fx.guard).frozen);
	sign_refused(s, 4, 6, ERR_DENIED, "log-frozen");
	sign_well(s, 4, 4);
	signer_close(s);
}

static void
test_killed(void **state)
{
	struct pollfd p = {.events = POLLIN};
	struct error err = {0};
	struct signer *s;

	(void)state;
	init();
	s = start(SIGNER_GUARD_OK);
	p.fd = signer_fd(s);
	assert_int_equal(poll(&p, 1, 0), 0);
	signer_kill(s, SIGKILL);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_false(signer_freeze(s, &err));
	assert_int_equal(err.code, ERR_UNAVAILABLE);
	assert_non_null(strstr(err.text, "signal 9"));
	sign_refused(s, 0, 1, ERR_UNAVAILABLE, "signer-down");
	assert_int_equal(signer_pid(s), -1);
	signer_close(s);
	s = start(SIGNER_GUARD_OK);
	sign_well(s, 0, 1);
	signer_close(s);
}

/* A hanging signer is given up after ten seconds, and for good. */
static void
test_hanging(void **state)
{
	struct timespec before, after;
	struct signer *s;
	pid_t pid;

	(void)state;
	init();
	s = start(SIGNER_GUARD_OK);
	pid = signer_pid(s);
	signer_kill(s, SIGSTOP);
	(void)clock_gettime(CLOCK_MONOTONIC, &before);
	sign_refused(s, 0, 1, ERR_UNAVAILABLE, "signer-down");
	(void)clock_gettime(CLOCK_MONOTONIC, &after);
	assert_in_range(after.tv_sec - before.tv_sec, 9, 12);
	assert_int_equal(kill(pid, SIGCONT), 0); /* as above */
	sign_refused(s, 0, 1, ERR_UNAVAILABLE, "signer-down");
	signer_close(s);
}

static void
test_signals_are_not_for_it(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE};
	struct signer *s;

	(void)state;
	init();
	s = start(SIGNER_GUARD_OK);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signer_kill(s, signals[i]);
	sign_well(s, 0, 1);
	signer_close(s);
}

/* The server dies without a word: the signer follows and frees its locks. */
static void
test_orphan_ends(void **state)
{
	pid_t pid;
	int status;

	(void)state;
	init();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct signer_hello hello;
		struct error err = {0};

		_exit(signer_start(&fx.options, &hello, &err) ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	fx.options.lock_wait_ms = 3000;
	signer_close(start(SIGNER_GUARD_OK));
}

/* Fails the n-th write or sync of a signature, for every n. */
static void
test_disk_fails(void **state)
{
	(void)state;
	fx.options.guard_copies = fx.copies;
	init();
	for (int n = 0; n < 3; n++) {
		for (int kind = 0; kind < 3; kind++) {
			uint64_t at = (uint64_t)(n * 3 + kind);
			struct signer *s = start(SIGNER_GUARD_OK);

			fault->skip = n;
			fault->pwrite_errno = kind == 0 ? ENOSPC
			    : kind == 1			? EIO
							: 0;
			fault->fdatasync_errno = kind == 2 ? EIO : 0;
			sign_refused(s, at, at + 1, ERR_IO, "guard-io");
			memset(fault, 0, sizeof(*fault));
			sign_refused(
			    s, at, at + 1, ERR_UNAVAILABLE, "signer-down");
			signer_close(s);
			/* The guard may have it, the copies not. */
			s = start(SIGNER_GUARD_OK);
			sign_well(s, n == 0 ? at : at + 1, at + 1);
			signer_close(s);
		}
	}
	assert_int_equal(
	    guard_peek(fx.guard).note_len, guard_peek(fx.copy[0]).note_len);
}

static void
test_disk_fails_freezing(void **state)
{
	struct error err = {0};
	struct signer *s;

	(void)state;
	init();
	s = start(SIGNER_GUARD_OK);
	fault->fdatasync_errno = EIO;
	assert_false(signer_freeze(s, &err));
	assert_int_equal(err.code, ERR_IO);
	memset(fault, 0, sizeof(*fault));
	sign_refused(s, 0, 1, ERR_UNAVAILABLE, "signer-down");
	signer_close(s);
}

static bool
proc_says(pid_t pid, const char *line)
{
	char path[64], text[8192];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	assert_true(n > 0);
	text[n] = '\0';
	return strstr(text, line) != NULL;
}

/* The parent's other descriptors are not passed on: socket, key, guard and
 * the three standard ones are all. */
static int
open_files(pid_t pid)
{
	char path[64];
	int count = 0;
	DIR *d;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	d = opendir(path);
	if (!d)
		return 6; /* not ours to see */
	while (readdir(d))
		count++;
	(void)closedir(d);
	return count - 2;
}

static void
test_confined(void **state)
{
	int extra = open("/dev/null", O_RDONLY);
	struct signer_hello hello;
	struct error err = {0};
	struct signer *s;

	(void)state;
	init();
	s = signer_start(&fx.options, &hello, &err);
	assert_non_null(s);
	assert_non_null(strstr(hello.sandbox, "no-new-privs"));
	assert_non_null(strstr(hello.sandbox, "seccomp"));
	assert_true(proc_says(signer_pid(s), "NoNewPrivs:\t1"));
	assert_true(proc_says(signer_pid(s), "Seccomp:\t2"));
	assert_int_equal(open_files(signer_pid(s)), 6);
	signer_close(s);
	(void)close(extra);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_life),
	    TEST(test_p256),
	    TEST(test_refusals),
	    TEST(test_first_head),
	    TEST(test_malformed_packets),
	    TEST(test_freeze),
	    TEST(test_killed),
	    TEST(test_signals_are_not_for_it),
	    TEST(test_orphan_ends),
	    TEST(test_disk_fails),
	    TEST(test_disk_fails_freezing),
	    TEST(test_confined),
	    TEST(test_hanging),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
