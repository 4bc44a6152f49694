/* SPDX-License-Identifier: Apache-2.0 */
#include "server/guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

/* Injected failures: linked with --wrap=pwrite,--wrap=fsync,--wrap=fdatasync,
 * --wrap=posix_fadvise. Nothing is really synced, which saves time. */
ssize_t __real_pwrite(int fd, const void *data, size_t len, off_t at);
ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t at);
int __wrap_fsync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_posix_fadvise(int fd, off_t at, off_t len, int advice);

/*
 * A disk under the file. A slot is dirty from pwrite until fdatasync, which
 * writes dirty slots to the disk, or fails and *still marks them clean*.
 */
static struct {
	bool on;
	bool forgets; /* posix_fadvise drops clean pages */
	bool dirty[2];
	uint8_t disk[GUARD_FILE_LEN];
	uint8_t written[GUARD_SLOT_LEN]; /* the last slot, unless zeros */
	off_t written_at;
} model;

static struct {
	int pwrite_errno;
	ssize_t pwrite_short; /* bytes written instead, with pwrite_errno 0 */
	int fdatasync_errno;
	int fsync_errno;
	unsigned fsync_skip; /* calls that still succeed */
	unsigned pwrites, fdatasyncs;
} fault;

ssize_t
__wrap_pwrite(int fd, const void *data, size_t len, off_t at)
{
	fault.pwrites++;
	if (fault.pwrite_short)
		return __real_pwrite(fd, data, (size_t)fault.pwrite_short, at);
	if (fault.pwrite_errno) {
		errno = fault.pwrite_errno;
		return -1;
	}
	if (len == GUARD_SLOT_LEN) {
		model.dirty[at / GUARD_SLOT_LEN] = true;
		if (*(const char *)data != '\0') {
			memcpy(model.written, data, len);
			model.written_at = at;
		}
	}
	return __real_pwrite(fd, data, len, at);
}

static void
model_sync(int fd, bool reaches_disk)
{
	for (unsigned i = 0; i < 2; i++) {
		size_t at = i * GUARD_SLOT_LEN;

		if (model.dirty[i] && reaches_disk)
			assert_int_equal(pread(fd, model.disk + at,
					     GUARD_SLOT_LEN, (off_t)at),
			    GUARD_SLOT_LEN);
		model.dirty[i] = false;
	}
}

int
__wrap_fdatasync(int fd)
{
	fault.fdatasyncs++;
	if (model.on)
		model_sync(fd, fault.fdatasync_errno == 0);
	errno = fault.fdatasync_errno;
	return errno == 0 ? 0 : -1;
}

int
__wrap_fsync(int fd)
{
	(void)fd;
	if (fault.fsync_errno == 0 || fault.fsync_skip-- > 0)
		return 0;
	errno = fault.fsync_errno;
	return -1;
}

int
__wrap_posix_fadvise(int fd, off_t at, off_t len, int advice)
{
	(void)at;
	(void)len;
	if (!model.on || !model.forgets || advice != POSIX_FADV_DONTNEED)
		return 0;
	for (unsigned i = 0; i < 2; i++)
		if (!model.dirty[i])
			(void)__real_pwrite(fd, model.disk + i * GUARD_SLOT_LEN,
			    GUARD_SLOT_LEN, (off_t)i * GUARD_SLOT_LEN);
	return 0;
}

/* A folder for each test. */
static char folder[64];
static char path[128];
static struct hasher hasher;

static int
setup(void **state)
{
	static const char pattern[] = "/tmp/test_guard.XXXXXX";
	struct error err = {0};

	(void)state;
	memset(&fault, 0, sizeof(fault));
	memset(&model, 0, sizeof(model));
	memcpy(folder, pattern, sizeof(pattern));
	if (!mkdtemp(folder) || !hasher_open(&hasher, &err))
		return -1;
	(void)snprintf(path, sizeof(path), "%s/guard", folder);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	(void)unlink(path);
	hasher_release(&hasher);
	return rmdir(folder);
}

/* A state whose note tells its number. */
static struct guard_state
state_of(unsigned number)
{
	struct guard_state s = {
	    .generation = 1,
	    .origin = "log.example.org",
	    .log_id = {.b = {1, 2, 3}},
	    .store_identity = 0x1122334455667788,
	};

	s.note_len = (size_t)snprintf(
	    (char *)s.note, sizeof(s.note), "head %u\n", number);
	return s;
}

static unsigned
number_of(const struct guard_state *s)
{
	unsigned n = 0;

	assert_int_equal(sscanf((const char *)s->note, "head %u\n", &n), 1);
	return n;
}

static void
create(unsigned number)
{
	struct guard_state s = state_of(number);
	struct error err = {0};

	assert_true(guard_create(path, &s, &err));
}

static struct guard *
reopen(struct guard *g, struct guard_state *s)
{
	struct error err = {0};

	guard_close(g);
	g = guard_open(path, 0, s, &err);
	if (!g)
		print_error("%s\n", err.text);
	assert_non_null(g);
	return g;
}

static unsigned
number_read(void)
{
	struct guard_state s;
	struct error err = {0};

	assert_true(guard_read(path, &s, &err));
	return number_of(&s);
}

static void
file_load(uint8_t out[GUARD_FILE_LEN])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, out, GUARD_FILE_LEN, 0), GUARD_FILE_LEN);
	(void)close(fd);
}

static void
file_save(const uint8_t *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(__real_pwrite(fd, data, len, 0), (ssize_t)len);
	(void)close(fd);
}

/* Slots. */

static void
test_round_trip(void **state)
{
	uint8_t slot[GUARD_SLOT_LEN], again[GUARD_SLOT_LEN];

	(void)state;
	for (int frozen = 0; frozen < 2; frozen++) {
		struct guard_state s = state_of(7), back;
		struct error err = {0};

		s.frozen = frozen;
		s.generation = UINT64_MAX;
		s.note_len = frozen ? GUARD_NOTE_MAX : 1;
		memset(s.note, 'x', s.note_len);
		assert_true(guard_encode(&hasher, &s, slot, &err));
		assert_true(guard_decode(&hasher, slot, &back, &err));
		assert_int_equal(back.generation, s.generation);
		assert_string_equal(back.origin, s.origin);
		assert_true(hash_equal(&back.log_id, &s.log_id));
		assert_int_equal(back.store_identity, s.store_identity);
		assert_int_equal(back.frozen, s.frozen);
		assert_int_equal(back.note_len, s.note_len);
		assert_memory_equal(back.note, s.note, s.note_len);
		assert_true(guard_encode(&hasher, &back, again, &err));
		assert_memory_equal(slot, again, sizeof(slot));
	}
}

static void
test_encode_refuses(void **state)
{
	uint8_t slot[GUARD_SLOT_LEN];

	(void)state;
	for (int i = 0; i < 6; i++) {
		struct guard_state s = state_of(1);
		struct error err = {0};

		if (i == 0)
			s.generation = 0;
		if (i == 1)
			s.origin[0] = '\0';
		if (i == 2)
			s.origin[3] = ' ';
		if (i == 3)
			memset(s.origin, 'a', sizeof(s.origin));
		if (i == 4)
			s.note_len = 0;
		if (i == 5)
			s.note_len = GUARD_NOTE_MAX + 1;
		assert_false(guard_encode(&hasher, &s, slot, &err));
		assert_true(err.code == ERR_USAGE || err.code == ERR_LIMIT);
	}
}

static void
slot_seal(uint8_t slot[GUARD_SLOT_LEN])
{
	struct hash sum;

	sha256(&hasher, bytes_of(slot, GUARD_SLOT_LEN - HASH_LEN), &sum);
	memcpy(slot + GUARD_SLOT_LEN - HASH_LEN, sum.b, HASH_LEN);
}

/* One byte changed *under a right checksum*. */
static const struct {
	const char *name;
	size_t at;
	uint8_t value;
} malformed[] = {
    {"magic", 0, 'M'},
    {"magic end", 7, 'D'},
    {"version 0", 11, 0},
    {"version 2", 11, 2},
    {"version high byte", 8, 1},
    {"unknown flag", 15, 2},
    {"unknown high flag", 12, 0x80},
    {"generation 0", 23, 0},
    {"origin length 0", 65, 0},
    {"origin length short", 65, 14},
    {"origin length long", 65, 16},
    {"origin length 256", 64, 1},
    {"note length 0", 67, 0},
    {"note length short", 67, 6},
    {"note length over the room", 66, 0x0d},
    {"NUL in the origin", 68 + 3, 0},
    {"space in the origin", 68 + 3, ' '},
    {"plus in the origin", 68 + 3, '+'},
    {"bad UTF-8 in the origin", 68 + 3, 0xff},
    {"origin padding", 68 + 255, 1},
    {"note padding", 324 + 3071, 1},
    {"tail padding start", 3396, 1},
    {"tail padding end", 4063, 1},
};

static void
test_decode_refuses(void **state)
{
	struct guard_state s = state_of(1), back;
	uint8_t good[GUARD_SLOT_LEN], slot[GUARD_SLOT_LEN];
	struct error err = {0};

	(void)state;
	assert_true(guard_encode(&hasher, &s, good, &err));
	for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
		struct error e = {0};

		memcpy(slot, good, sizeof(slot));
		slot[malformed[i].at] = malformed[i].value;
		slot_seal(slot);
		if (guard_decode(&hasher, slot, &back, &e))
			fail_msg("accepted: %s", malformed[i].name);
		assert_int_equal(e.code, ERR_SYNTAX);
	}
}

static void
test_every_byte_counts(void **state)
{
	struct guard_state s = state_of(1), back;
	uint8_t slot[GUARD_SLOT_LEN];
	struct error err = {0};

	(void)state;
	assert_true(guard_encode(&hasher, &s, slot, &err));
	for (size_t i = 0; i < sizeof(slot); i++) {
		struct error e = {0};

		slot[i] ^= 0x10;
		assert_false(guard_decode(&hasher, slot, &back, &e));
		assert_int_equal(e.code, ERR_SYNTAX);
		slot[i] ^= 0x10;
	}
	assert_true(guard_decode(&hasher, slot, &back, &err));
}

static void
vector_check(const char *dir, const char *name)
{
	char file[512];
	uint8_t slot[GUARD_SLOT_LEN], again[GUARD_SLOT_LEN];
	struct guard_state s;
	struct error err = {0};
	ssize_t n;
	bool ok;
	int fd;

	(void)snprintf(file, sizeof(file), "%s/%s", dir, name);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	n = read(fd, slot, sizeof(slot));
	(void)close(fd);
	assert_int_equal(n, GUARD_SLOT_LEN);
	ok = guard_decode(&hasher, slot, &s, &err);
	if (ok != (strncmp(name, "valid-", 6) == 0))
		fail_msg("%s: %s", name, ok ? "accepted" : err.text);
	if (!ok)
		return;
	assert_true(guard_encode(&hasher, &s, again, &err));
	assert_memory_equal(slot, again, sizeof(slot));
}

static void
test_vectors(void **state)
{
	const char *srcdir = getenv("srcdir");
	char dir[300];
	struct dirent *e;
	int seen = 0;
	DIR *d;

	(void)state;
	(void)snprintf(
	    dir, sizeof(dir), "%s/tests/vectors/guard", srcdir ? srcdir : ".");
	d = opendir(dir);
	if (!d) {
		print_message("no %s\n", dir);
		skip();
	}
	while ((e = readdir(d)) != NULL) {
		if (!strstr(e->d_name, ".slot"))
			continue;
		vector_check(dir, e->d_name);
		seen++;
	}
	(void)closedir(d);
	assert_true(seen >= 6);
}

/* Files. */

static void
test_create(void **state)
{
	struct guard_state s = state_of(1), back;
	uint8_t file[GUARD_FILE_LEN];
	struct error err = {0}, again = {0};
	struct stat st;

	(void)state;
	create(1);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, GUARD_FILE_LEN);
	file_load(file);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(guard_decode(
		    &hasher, file + i * GUARD_SLOT_LEN, &back, &err));
		assert_int_equal(number_of(&back), 1);
	}
	assert_false(guard_create(path, &s, &again));
	assert_int_equal(again.code, ERR_CONFLICT);
	assert_int_equal(number_read(), 1);
}

static void
test_create_fails(void **state)
{
	struct guard_state s = state_of(1);

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct error err = {0};

		fault.pwrite_errno = i == 0 ? ENOSPC : 0;
		fault.pwrite_short = i == 1 ? 5000 : 0;
		fault.fsync_errno = i == 2 || i == 3 ? EIO : 0;
		fault.fsync_skip = i == 3 ? 1 : 0; /* the folder's */
		s.note_len = i == 4 ? 0 : s.note_len;
		assert_false(guard_create(path, &s, &err));
		assert_int_equal(err.code, i == 4 ? ERR_LIMIT : ERR_IO);
		assert_int_equal(access(path, F_OK), -1);
	}
}

static void
test_write_alternates(void **state)
{
	struct guard_state s = state_of(0), back;
	struct error err = {0};
	struct guard *g;

	(void)state;
	create(0);
	g = reopen(NULL, &back);
	assert_int_equal(back.generation, 2);
	for (unsigned i = 1; i < 6; i++) {
		unsigned syncs = fault.fdatasyncs;

		s = state_of(i);
		assert_true(guard_write(g, &s, &err));
		assert_int_equal(s.generation, 2 + i);
		assert_int_equal(fault.fdatasyncs, syncs + 1);
		assert_int_equal(number_read(), i); /* beside the lock */
		if (i % 2)
			g = reopen(g, &back);
	}
	guard_close(g);
	guard_close(NULL);
}

static void
test_generation_overflow(void **state)
{
	uint8_t file[GUARD_FILE_LEN];
	struct guard_state s = state_of(3), back;
	struct error err = {0};
	struct guard *g;

	(void)state;
	create(1);
	file_load(file);
	s.generation = UINT64_MAX;
	assert_true(guard_encode(&hasher, &s, file, &err));
	file_save(file, sizeof(file));
	g = reopen(NULL, &back);
	assert_int_equal(number_of(&back), 3);
	assert_false(guard_write(g, &s, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	guard_close(g);
	assert_int_equal(number_read(), 3);
}

static void
refuse_both(enum error_code code)
{
	struct guard_state s;
	struct error opened = {0}, looked = {0};

	assert_null(guard_open(path, 0, &s, &opened));
	assert_int_equal(opened.code, code);
	assert_non_null(strstr(opened.text, path));
	assert_false(guard_read(path, &s, &looked));
	assert_int_equal(looked.code, code);
}

static void
test_open_refuses(void **state)
{
	static const size_t lengths[] = {
	    0, 1, 4096, GUARD_FILE_LEN - 1, GUARD_FILE_LEN + 1};
	uint8_t file[GUARD_FILE_LEN + 1] = {0};
	struct guard_state s = state_of(2);
	struct error err = {0};

	(void)state;
	refuse_both(ERR_NOTFOUND);
	create(1);
	file_load(file);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		file_save(file, lengths[i]);
		refuse_both(ERR_SYNTAX);
	}
	/* Two valid slots of one generation that differ. */
	s.generation = 2;
	assert_true(guard_encode(&hasher, &s, file, &err));
	file_save(file, GUARD_FILE_LEN);
	refuse_both(ERR_SYNTAX);
	/* Both unreadable. */
	file[10] ^= 1;
	file[GUARD_SLOT_LEN + 10] ^= 1;
	file_save(file, GUARD_FILE_LEN);
	refuse_both(ERR_SYNTAX);
}

static void
test_same_slot_twice(void **state)
{
	uint8_t file[GUARD_FILE_LEN];

	(void)state;
	create(4);
	file_load(file);
	memcpy(file, file + GUARD_SLOT_LEN, GUARD_SLOT_LEN);
	file_save(file, sizeof(file));
	assert_int_equal(number_read(), 4);
}

static void
test_open_cannot_sync(void **state)
{
	struct guard_state s;
	struct error err = {0};

	(void)state;
	create(1);
	fault.fdatasync_errno = EIO;
	assert_null(guard_open(path, 0, &s, &err));
	assert_int_equal(err.code, ERR_IO);
}

/* A process that holds the lock for `ms`. */
static pid_t
holder(unsigned ms)
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

static void
test_lock(void **state)
{
	struct guard_state s;
	struct error err = {0};
	struct guard *g;
	pid_t pid;

	(void)state;
	create(1);
	pid = holder(10000);
	assert_null(guard_open(path, 0, &s, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	err = (struct error){0};
	assert_null(guard_open(path, 100, &s, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_int_equal(number_read(), 1);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);

	pid = holder(200);
	err = (struct error){0};
	g = guard_open(path, 5000, &s, &err);
	assert_non_null(g);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	err = (struct error){0};
	assert_null(guard_open(path, 0, &s, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	guard_close(g);
}

/* Failures of writing. */

static void
test_failure_latches(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		struct guard_state s = state_of(1), back;
		struct error err = {0}, later = {0};
		struct guard *g;

		create(0);
		g = reopen(NULL, &back);
		assert_true(guard_write(g, &s, &err));
		fault.pwrite_errno = i == 0 ? EIO : i == 1 ? ENOSPC : 0;
		fault.pwrite_short = i == 2 ? 100 : i == 3 ? 4095 : 0;
		fault.fdatasync_errno = i == 4 ? EIO : 0;
		s = state_of(2);
		assert_false(guard_write(g, &s, &err));
		assert_int_equal(err.code, ERR_IO);
		assert_string_equal(err.reason, "guard-io");
		memset(&fault, 0, sizeof(fault));
		/* The disk is well again; this guard is not. */
		assert_false(guard_write(g, &s, &later));
		assert_int_equal(later.code, ERR_IO);
		assert_int_equal(fault.pwrites, 0);
		g = reopen(g, &back);
		assert_int_equal(number_of(&back), 1);
		assert_true(guard_write(g, &s, &(struct error){0}));
		guard_close(g);
		assert_int_equal(number_read(), 2);
		assert_int_equal(unlink(path), 0);
	}
}

/* The bytes of the file before a write, and of the slot that is written. */
struct torn {
	uint8_t file[GUARD_FILE_LEN];
	uint8_t slot[GUARD_SLOT_LEN];
	size_t at;
};

static void
torn_prepare(struct torn *t)
{
	struct guard_state s = state_of(1), back;
	uint8_t after[GUARD_FILE_LEN];
	struct error err = {0};
	struct guard *g;

	create(0);
	g = reopen(NULL, &back);
	assert_true(guard_write(g, &s, &err));
	file_load(t->file);
	s = state_of(2);
	assert_true(guard_write(g, &s, &err));
	file_load(after);
	guard_close(g);
	t->at = memcmp(t->file, after, GUARD_SLOT_LEN) ? 0 : GUARD_SLOT_LEN;
	memcpy(t->slot, after + t->at, GUARD_SLOT_LEN);
}

/* The write is whole (2), or the state before it counts (1). */
static void
torn_check(const struct torn *t, const uint8_t file[GUARD_FILE_LEN])
{
	bool whole = memcmp(file + t->at, t->slot, GUARD_SLOT_LEN) == 0;

	file_save(file, GUARD_FILE_LEN);
	assert_int_equal(number_read(), whole ? 2 : 1);
}

static void
test_torn_prefix(void **state)
{
	uint8_t file[GUARD_FILE_LEN];
	struct torn t;

	(void)state;
	torn_prepare(&t);
	memcpy(file, t.file, sizeof(file));
	for (size_t n = 0; n <= GUARD_SLOT_LEN; n++) {
		memcpy(file + t.at, t.slot, n);
		torn_check(&t, file);
	}
	assert_int_equal(number_read(), 2);
}

static void
garbage_fill(uint8_t *at, size_t len)
{
	static uint32_t x = 1;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		at[i] = (uint8_t)(x >> 24);
	}
}

static void
test_torn_sectors(void **state)
{
	static const size_t sectors[] = {512, 4096};
	uint8_t file[GUARD_FILE_LEN];
	struct torn t;

	(void)state;
	torn_prepare(&t);
	for (size_t k = 0; k < 2; k++) {
		size_t len = sectors[k];

		/* Written up to one sector, which is garbage; or all of it
		 * but that sector. */
		for (size_t n = 0; n < GUARD_SLOT_LEN / len; n++) {
			memcpy(file, t.file, sizeof(file));
			memcpy(file + t.at, t.slot, n * len);
			garbage_fill(file + t.at + n * len, len);
			torn_check(&t, file);
			memcpy(file + t.at, t.slot, GUARD_SLOT_LEN);
			garbage_fill(file + t.at + n * len, len);
			torn_check(&t, file);
			memset(file + t.at + n * len, 0, len);
			torn_check(&t, file);
		}
	}
}

/*
 * Every sequence of a few events over the modelled disk. Whatever happens, the
 * guard opens, and its head is at least the last one that was let out.
 */
struct run {
	struct guard *g;
	struct guard_state seen;
	unsigned next, released;
};

static void
run_restart(struct run *r)
{
	struct error err = {0};

	r->g = reopen(r->g, &r->seen);
	assert_true(number_of(&r->seen) >= r->released);
	/* As the signer does: once more, before anything is signed. */
	assert_true(guard_write(r->g, &r->seen, &err));
}

/* What became of a dirty slot when the power went. */
enum cut { CUT_LOST, CUT_KEPT, CUT_TORN };

static void
power_cut(struct run *r, enum cut cut)
{
	uint8_t cached[GUARD_FILE_LEN];

	guard_close(r->g);
	r->g = NULL;
	file_load(cached);
	for (unsigned i = 0; i < 2; i++) {
		size_t at = i * GUARD_SLOT_LEN;

		if (model.dirty[i] && cut == CUT_KEPT)
			memcpy(model.disk + at, cached + at, GUARD_SLOT_LEN);
		if (model.dirty[i] && cut == CUT_TORN)
			garbage_fill(model.disk + at, 512);
		model.dirty[i] = false;
	}
	file_save(model.disk, sizeof(model.disk));
}

static bool
run_write(struct run *r)
{
	struct guard_state s = state_of(++r->next);
	struct error err = {0};

	if (!guard_write(r->g, &s, &err))
		return false;
	r->released = r->next;
	return true;
}

/* A slot in the cache that nobody has synced: the power goes in between. */
static void
run_half_write(struct run *r, const struct guard_state *s, enum cut cut)
{
	struct guard_state next = *s;
	int fd;

	fault.fdatasync_errno = EIO;
	model.on = false; /* pages stay dirty */
	assert_false(guard_write(r->g, &next, &(struct error){0}));
	model.on = true;
	fault.fdatasync_errno = 0;
	/* It did not come to spoiling the slot. */
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(
	    __real_pwrite(fd, model.written, GUARD_SLOT_LEN, model.written_at),
	    GUARD_SLOT_LEN);
	(void)close(fd);
	power_cut(r, cut);
}

enum event {
	WRITE,
	NO_SPACE,
	FSYNC_FAILS,
	FSYNC_FAILS_THEN_CUT, /* three, one for each enum cut */
	FSYNC_FAILS_THEN_CUT_AT_RESTART = FSYNC_FAILS_THEN_CUT + 3,
	CUT_IN_WRITE = FSYNC_FAILS_THEN_CUT_AT_RESTART + 3,
	EVENT_COUNT = CUT_IN_WRITE + 3,
};

static void
run_failing_write(struct run *r, bool no_space)
{
	fault.pwrite_errno = no_space ? ENOSPC : 0;
	fault.fdatasync_errno = no_space ? 0 : EIO;
	assert_false(run_write(r));
	fault.pwrite_errno = fault.fdatasync_errno = 0;
}

static void
run_event(struct run *r, unsigned event)
{
	struct guard_state s;

	if (event == WRITE) {
		assert_true(run_write(r));
		return;
	}
	if (event >= CUT_IN_WRITE) {
		s = state_of(++r->next);
		run_half_write(r, &s, (enum cut)(event - CUT_IN_WRITE));
		run_restart(r);
		return;
	}
	run_failing_write(r, event == NO_SPACE);
	if (event >= FSYNC_FAILS_THEN_CUT_AT_RESTART) {
		r->g = reopen(r->g, &r->seen);
		s = r->seen;
		run_half_write(
		    r, &s, (enum cut)(event - FSYNC_FAILS_THEN_CUT_AT_RESTART));
	} else if (event >= FSYNC_FAILS_THEN_CUT) {
		power_cut(r, (enum cut)(event - FSYNC_FAILS_THEN_CUT));
	}
	run_restart(r);
}

#define EVENTS_PER_RUN 3

static void
run_sequence(unsigned code, bool forgets)
{
	struct run r = {.next = 1, .released = 1};

	memset(&model, 0, sizeof(model));
	create(1);
	file_load(model.disk);
	model.on = true;
	model.forgets = forgets;
	r.g = reopen(NULL, &r.seen);
	for (int i = 0; i < EVENTS_PER_RUN; i++, code /= EVENT_COUNT)
		run_event(&r, code % EVENT_COUNT);
	power_cut(&r, CUT_TORN);
	run_restart(&r);
	guard_close(r.g);
	model.on = false;
	assert_int_equal(unlink(path), 0);
}

static void
test_model(void **state)
{
	unsigned codes = 1;

	(void)state;
	for (int i = 0; i < EVENTS_PER_RUN; i++)
		codes *= EVENT_COUNT;
	for (unsigned code = 0; code < codes; code++) {
		run_sequence(code, false);
		run_sequence(code, true);
	}
}

/* Killed after fdatasync failed and before it could spoil the slot: the cache
 * shows a head that the disk lacks. Forgetting the cache saves it. */
static void
test_model_stale_cache(void **state)
{
	struct run r = {.next = 1, .released = 1};
	uint8_t file[GUARD_FILE_LEN];
	struct guard_state s;

	(void)state;
	create(1);
	file_load(model.disk);
	model.on = model.forgets = true;
	r.g = reopen(NULL, &r.seen);
	assert_true(run_write(&r));
	assert_true(run_write(&r)); /* 3 has left */
	s = state_of(4);
	file_load(file);
	s.generation = 5;
	assert_true(guard_encode(
	    &hasher, &s, file + GUARD_SLOT_LEN, &(struct error){0}));
	file_save(file, sizeof(file)); /* in the cache, and clean */
	r.g = reopen(r.g, &r.seen);
	assert_int_equal(number_of(&r.seen), 3);
	s = r.seen;
	run_half_write(&r, &s, CUT_TORN);
	run_restart(&r);
	assert_int_equal(number_of(&r.seen), 3);
	guard_close(r.g);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_round_trip),
	    TEST(test_encode_refuses),
	    TEST(test_decode_refuses),
	    TEST(test_every_byte_counts),
	    TEST(test_vectors),
	    TEST(test_create),
	    TEST(test_create_fails),
	    TEST(test_write_alternates),
	    TEST(test_generation_overflow),
	    TEST(test_open_refuses),
	    TEST(test_same_slot_twice),
	    TEST(test_open_cannot_sync),
	    TEST(test_lock),
	    TEST(test_failure_latches),
	    TEST(test_torn_prefix),
	    TEST(test_torn_sectors),
	    TEST(test_model),
	    TEST(test_model_stale_cache),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
