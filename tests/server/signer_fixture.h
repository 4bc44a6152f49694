/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_SIGNER_FIXTURE_H
#define MTLOG_TESTS_SIGNER_FIXTURE_H

/*
 * What the tests of the signer share: a folder with a key and guards, two trees
 * that part at leaf 3, and failures of the disk that can be switched on while
 * the signer process runs (linked with --wrap=pwrite,--wrap=fdatasync).
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/crypto/private_key.h"
#include "core/base/cleanup.h"
#include "server/signer.h"

#define TREE_LEAVES 20
#define INODE	    42

/* In memory that the signer process shares. */
struct fault {
	int pwrite_errno;
	int fdatasync_errno;
	int skip; /* calls of both that still succeed */
};
static struct fault *fault;

ssize_t __real_pwrite(int fd, const void *data, size_t len, off_t at);
ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t at);
int __wrap_fdatasync(int fd);

ssize_t
__wrap_pwrite(int fd, const void *data, size_t len, off_t at)
{
	if (fault && fault->pwrite_errno && fault->skip-- <= 0) {
		errno = fault->pwrite_errno;
		return -1;
	}
	return __real_pwrite(fd, data, len, at);
}

int
__wrap_fdatasync(int fd)
{
	(void)fd; /* not really: nobody pulls the plug here */
	if (fault && fault->fdatasync_errno && fault->skip-- <= 0) {
		errno = fault->fdatasync_errno;
		return -1;
	}
	return 0;
}

static struct {
	char folder[64];
	char key[128];
	char pass[128];
	char guard[128];
	char copy[2][128];
	const char *copies[3];
	struct signer_options options;
	struct hasher hasher;
	struct vkey vkey;
} fx;

enum tree { TREE_A, TREE_B };

static inline bool
tree_read(
    void *arg, struct node_place place, struct hash *out, struct error *err)
{
	const enum tree *tree = (const enum tree *)arg;
	struct hash left, right;
	uint8_t leaf[2] = {0, (uint8_t)place.index};

	if (place.height == 0) {
		leaf[0] = *tree == TREE_B && place.index >= 3;
		merkle_leaf(&fx.hasher, BYTES_OF(leaf), out);
		return true;
	}
	if (!tree_read(arg,
		(struct node_place){place.height - 1, place.index * 2}, &left,
		err) ||
	    !tree_read(arg,
		(struct node_place){place.height - 1, place.index * 2 + 1},
		&right, err))
		return false;
	merkle_node(&fx.hasher, &left, &right, out);
	return true;
}

static inline struct hash
root_of(enum tree tree, uint64_t size)
{
	struct node_reader nodes = {tree_read, &tree};
	struct error err = {0};
	struct hash root;

	assert_true(merkle_root(&fx.hasher, &nodes, size, &root, &err));
	return root;
}

static inline struct proof
proof_of(enum tree tree, uint64_t from, uint64_t to)
{
	struct node_reader nodes = {tree_read, &tree};
	struct proof proof = {0};
	struct error err = {0};

	if (from > 0 && from < to)
		assert_true(proof_consistency(
		    &fx.hasher, &nodes, from, to, &proof, &err));
	return proof;
}

/* Asks for a head of tree A, with a good proof from `from`. */
static inline bool
sign_head(struct signer *s, uint64_t from, uint64_t to, struct buf *note,
    struct error *err)
{
	struct hash root = root_of(TREE_A, to);
	struct proof proof = proof_of(TREE_A, from, to);

	return signer_sign(s, to, &root, &proof, INODE, note, err);
}

static inline void
sign_well(struct signer *s, uint64_t from, uint64_t to)
{
	AUTO(buf) note = BUF_INIT(GUARD_NOTE_MAX);
	struct error err = {0};
	struct key_verifier *verifier = key_verifier_open(&err);
	struct hash root = root_of(TREE_A, to);
	struct checkpoint c;

	if (!sign_head(s, from, to, &note, &err))
		fail_msg("%s", err.text);
	assert_true(
	    checkpoint_open(buf_bytes(&note), &fx.vkey, verifier, &c, &err));
	assert_int_equal(c.size, to);
	assert_true(hash_equal(&c.root, &root));
	key_verifier_close(verifier);
}

static inline void
sign_refused(struct signer *s, uint64_t from, uint64_t to, enum error_code code,
    const char *reason)
{
	AUTO(buf) note = BUF_INIT(GUARD_NOTE_MAX);
	struct error err = {0};

	assert_false(sign_head(s, from, to, &note, &err));
	assert_int_equal(err.code, code);
	assert_string_equal(error_reason_name(&err), reason);
	assert_int_equal(note.len, 0);
}

static inline struct signer *
start(enum signer_guard guard)
{
	struct signer_hello hello;
	struct error err = {0};
	struct signer *s = signer_start(&fx.options, &hello, &err);

	if (!s)
		fail_msg("%s", err.text);
	if (hello.guard != guard)
		fail_msg("guard %d: %s", (int)hello.guard, hello.note_error);
	assert_true((guard == SIGNER_GUARD_OK) == !hello.note_error[0]);
	return s;
}

static inline void
start_refused(enum error_code code, const char *names)
{
	struct signer_hello hello;
	struct error err = {0};

	assert_null(signer_start(&fx.options, &hello, &err));
	if (err.code != code || !strstr(err.text, names))
		fail_msg("%s: %s", error_code_name(err.code), err.text);
}

struct file {
	uint8_t data[GUARD_FILE_LEN];
	size_t len;
};

static inline struct file
file_load(const char *path)
{
	struct file f;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	assert_true(fd >= 0);
	n = read(fd, f.data, sizeof(f.data));
	assert_true(n >= 0);
	f.len = (size_t)n;
	(void)close(fd);
	return f;
}

static inline void
file_save(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), (ssize_t)len);
	(void)close(fd);
}

static inline bool
file_same(const struct file *a, const struct file *b)
{
	return bytes_equal(
	    bytes_of(a->data, a->len), bytes_of(b->data, b->len));
}

static inline struct guard_state
guard_peek(const char *path)
{
	struct guard_state s;
	struct error err = {0};

	if (!guard_read(path, &s, &err))
		fail_msg("%s", err.text);
	return s;
}

static inline void
key_make(enum key_algorithm algorithm, const char *passphrase)
{
	AUTO(buf) pem = BUF_INIT(16384);
	struct error err = {0};
	struct private_key *key = private_key_generate(algorithm, &err);

	assert_non_null(key);
	assert_true(private_key_format(key, bytes_str(passphrase), &pem, &err));
	private_key_close(key);
	file_save(fx.key, pem.ptr, pem.len);
}

static inline void
init(void)
{
	struct error err = {0};

	if (!signer_init(&fx.options, INODE, &fx.vkey, &err))
		fail_msg("%s", err.text);
}

/* A process that holds a file's lock for `ms`. */
static inline pid_t
lock_holder(const char *path, unsigned ms)
{
	const struct timespec t = {
	    .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = open(path, O_RDWR);

		if (fd < 0 || flock(fd, LOCK_EX) != 0)
			_exit(1);
		(void)!write(ready[1], "r", 1);
		(void)nanosleep(&t, NULL);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	(void)close(ready[0]);
	(void)close(ready[1]);
	return pid;
}

static inline void
child_end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
}

/* Never with a process number that kill() takes for "all processes". */
static inline void
signer_kill(const struct signer *s, int signal_number)
{
	pid_t pid = signer_pid(s);

	assert_true(pid > 1);
	assert_int_equal(kill(pid, signal_number), 0);
}

/* A forked child in which a test "goes on" after a failure must end, or every
 * such child would run, and fork, the rest of the tests. */
static inline void
only_in_parent(void)
{
	static pid_t owner;

	if (owner == 0)
		owner = getpid();
	if (owner != getpid())
		_exit(99);
}

/* A folder with an Ed25519 key and nothing else. */
static inline int
setup(void **state)
{
	char folder[] = "/tmp/test_signer.XXXXXX";
	struct error err = {0};

	(void)state;
	only_in_parent();
	fault = mmap(NULL, sizeof(*fault), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	memset(&fx, 0, sizeof(fx));
	if (fault == MAP_FAILED || !mkdtemp(folder) ||
	    !hasher_open(&fx.hasher, &err))
		return -1;
	memcpy(fx.folder, folder, sizeof(folder));
	(void)snprintf(fx.key, sizeof(fx.key), "%s/key", folder);
	(void)snprintf(fx.pass, sizeof(fx.pass), "%s/pass", folder);
	(void)snprintf(fx.guard, sizeof(fx.guard), "%s/guard", folder);
	for (int i = 0; i < 2; i++) {
		(void)snprintf(
		    fx.copy[i], sizeof(fx.copy[i]), "%s/copy%d", folder, i);
		fx.copies[i] = fx.copy[i];
	}
	fx.options = (struct signer_options){
	    .key_path = fx.key,
	    .guard_path = fx.guard,
	    .origin = "log.example.org",
	    .lock_wait_ms = 50,
	};
	key_make(KEY_ED25519, "");
	return 0;
}

static inline int
teardown(void **state)
{
	(void)state;
	only_in_parent();
	(void)munmap(fault, sizeof(*fault));
	fault = NULL;
	hasher_release(&fx.hasher);
	(void)unlink(fx.key);
	(void)unlink(fx.pass);
	(void)unlink(fx.guard);
	(void)unlink(fx.copy[0]);
	(void)unlink(fx.copy[1]);
	return rmdir(fx.folder);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
