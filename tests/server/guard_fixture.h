/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_GUARD_FIXTURE_H
#define MTLOG_TESTS_GUARD_FIXTURE_H

/*
 * What the tests of the guard share: a folder, failures of the disk, and a disk
 * that differs from the page cache.
 */

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

#include "server/guard.h"

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

static inline void
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

static inline int
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

static inline int
teardown(void **state)
{
	(void)state;
	(void)unlink(path);
	hasher_release(&hasher);
	return rmdir(folder);
}

/* A state whose note tells its number. */
static inline struct guard_state
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

static inline unsigned
number_of(const struct guard_state *s)
{
	unsigned n = 0;

	assert_int_equal(sscanf((const char *)s->note, "head %u\n", &n), 1);
	return n;
}

static inline void
create(unsigned number)
{
	struct guard_state s = state_of(number);
	struct error err = {0};

	assert_true(guard_create(path, &s, &err));
}

static inline struct guard *
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

static inline unsigned
number_read(void)
{
	struct guard_state s;
	struct error err = {0};

	assert_true(guard_read(path, &s, &err));
	return number_of(&s);
}

static inline void
file_load(uint8_t out[GUARD_FILE_LEN])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, out, GUARD_FILE_LEN, 0), GUARD_FILE_LEN);
	(void)close(fd);
}

static inline void
file_save(const uint8_t *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(__real_pwrite(fd, data, len, 0), (ssize_t)len);
	(void)close(fd);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
