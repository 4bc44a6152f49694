/* SPDX-License-Identifier: Apache-2.0 */
#include "server/guard.h"

#include "tests/server/guard_fixture.h"

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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
