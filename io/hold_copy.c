/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/hold_parts.h"

/* Newer than some headers: memory that will never be executable. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

/* Files in the shared copy begin where vectors of numbers may begin. */
#define ARENA_ALIGN ((uint64_t)64)
#define ARENA_STEP  ((uint64_t)64 << 20)

static int
memory_file(void)
{
	unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
	int fd = memfd_create("mtlog", flags | MFD_NOEXEC_SEAL);

	return fd < 0 && errno == EINVAL ? memfd_create("mtlog", flags) : fd;
}

/* A file without a name that a copy goes to. */
static int
copy_file(const struct hold *h)
{
	if (h->options->scratch < 0)
		return memory_file();
	return openat(h->options->scratch, ".",
	    O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0400);
}

/*
 * From here on no one changes it. This fails while someone has it mapped for
 * writing, who could only have found it through /proc; what is hashed is read
 * afterwards.
 */
static bool
seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS,
		   F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) ==
	    0;
}

/* The copy is written: the descriptor that it is read from now, or -1. */
static int
close_against_writing(const struct hold *h, int fd)
{
	int again;

	if (h->options->scratch < 0)
		return seal(fd) ? fd : -1;
	again = hold_again(fd);
	if (again >= 0)
		(void)close(fd);
	return again;
}

/* Beyond the limit of file sizes the kernel sends a signal that ends us. */
static bool
within_limit(uint64_t end)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
	    (limit.rlim_cur == RLIM_INFINITY || end <= limit.rlim_cur);
}

static bool
write_at(int fd, const uint8_t *data, size_t len, uint64_t at)
{
	while (len > 0) {
		ssize_t n = pwrite(fd, data, len, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
		at += (uint64_t)n;
	}
	return true;
}

static struct tree_fault
no_space(int cause)
{
	/* Memory files say ENOMEM, folders ENOSPC, EDQUOT or EFBIG. */
	if (cause == EMFILE || cause == ENFILE)
		return tree_fault_of(cause);
	return (struct tree_fault){ERR_IO, "no-space", cause};
}

/* Copies all of `from` to `at` in `to`: exactly f->size bytes. */
static bool
copy_bytes(struct hold *h, struct held *f, unsigned worker, int from, int to,
    uint64_t at)
{
	static const struct tree_fault changed = {
	    ERR_CONFLICT, "changed-while-read", 0};
	uint8_t *block = h->blocks[worker];
	uint64_t done = 0;

	for (;;) {
		ssize_t n = tree_read_at(from, block, HOLD_BLOCK, done);
		uint64_t left = f->size - done;

		if (n < 0 || (n == 0 ? left > 0 : (uint64_t)n > left)) {
			f->fault = n < 0 ? tree_fault_of(errno) : changed;
			return false;
		}
		if (!write_at(to, block, (size_t)n, at + done)) {
			f->fault = no_space(errno);
			return false;
		}
		done += (uint64_t)n;
		if (!meter_add(&h->meter, worker, (uint64_t)n))
			return false;
		/* A file's short read is its end. */
		if (done == f->size && (size_t)n < HOLD_BLOCK)
			return true;
	}
}

/* The place of the file in the shared copy, which grows for it. */
static bool
arena_place(struct hold *h, struct held *f)
{
	struct hold_arena *a = &h->arena;
	uint64_t size;

	if (a->fd < 0 && (a->fd = copy_file(h)) < 0)
		return false;
	f->offset = a->used;
	a->used += (f->size + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
	if (a->used <= a->size)
		return true;
	/* Holes cost nothing, and copy_max bounds what is filled. */
	size = (a->used + ARENA_STEP - 1) & ~(ARENA_STEP - 1);
	if (!within_limit(size) && !within_limit(size = a->used)) {
		errno = EFBIG;
		return false;
	}
	if (ftruncate(a->fd, (off_t)size) != 0)
		return false;
	a->size = size;
	return true;
}

static enum hold_try
copy_shared(struct hold *h, struct held *f, unsigned worker, int fd)
{
	bool ok;

	(void)pthread_mutex_lock(&h->lock);
	ok = arena_place(h, f);
	if (!ok)
		f->fault = no_space(errno);
	(void)pthread_mutex_unlock(&h->lock);
	if (!ok || !copy_bytes(h, f, worker, fd, h->arena.fd, f->offset))
		return HOLD_FAULT;
	f->fd = -1;
	(void)close(fd);
	return HOLD_HELD;
}

static enum hold_try
copy_own(struct hold *h, struct held *f, unsigned worker, int fd)
{
	int to = within_limit(f->size) ? copy_file(h) : (errno = EFBIG, -1);
	int readable;

	if (to < 0) {
		f->fault = no_space(errno);
		return HOLD_FAULT;
	}
	if (!copy_bytes(h, f, worker, fd, to, 0)) {
		(void)close(to);
		return HOLD_FAULT;
	}
	readable = close_against_writing(h, to);
	if (readable < 0) {
		f->fault = (struct tree_fault){
		    ERR_UNAVAILABLE, "hold-unavailable", errno};
		(void)close(to);
		return HOLD_FAULT;
	}
	f->fd = readable;
	f->offset = 0;
	(void)close(fd);
	return HOLD_HELD;
}

/* Takes `size` out of what may be copied; false: it is more than is left. */
static bool
charge(struct hold *h, uint64_t size)
{
	uint64_t copied = atomic_load(&h->copied);

	do {
		if (size > h->options->copy_max ||
		    copied > h->options->copy_max - size)
			return false;
	} while (
	    !atomic_compare_exchange_weak(&h->copied, &copied, copied + size));
	return true;
}

enum hold_try
hold_take_copy(struct hold *h, struct held *f, unsigned worker, int fd)
{
	enum hold_try took;

	if (!charge(h, f->size))
		return HOLD_NOT;
	if (f->size > HOLD_BLOCK)
		(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	if (f->size < HOLD_OWN_COPY || !hold_slot(h))
		return copy_shared(h, f, worker, fd);
	took = copy_own(h, f, worker, fd);
	if (took != HOLD_HELD)
		hold_slot_back(h);
	return took;
}

bool
hold_copy_finish(struct hold *h, struct error *err)
{
	struct hold_arena *a = &h->arena;
	int fd;

	if (a->fd < 0)
		return true;
	if (ftruncate(a->fd, (off_t)a->used) != 0 ||
	    (fd = close_against_writing(h, a->fd)) < 0)
		return error_reason(err, ERR_UNAVAILABLE, "hold-unavailable",
		    "cannot close a copy against writing: %s", strerror(errno));
	a->fd = fd;
	a->size = a->used;
	return true;
}

static bool
copy_range(int from, uint64_t offset, uint64_t size, int to)
{
	uint8_t block[16384];

	for (uint64_t done = 0; done < size;) {
		uint64_t left = size - done;
		ssize_t n = tree_read_at(from, block,
		    left < sizeof(block) ? (size_t)left : sizeof(block),
		    offset + done);

		if (n == 0)
			errno = EIO;
		if (n <= 0 || !write_at(to, block, (size_t)n, done))
			return false;
		done += (uint64_t)n;
	}
	return true;
}

int
hold_copy_single(int fd, uint64_t offset, uint64_t size)
{
	int to = within_limit(size) ? memory_file() : (errno = EFBIG, -1);
	int cause;

	if (to < 0 || (copy_range(fd, offset, size, to) && seal(to)))
		return to;
	cause = errno;
	(void)close(to);
	errno = cause;
	return -1;
}
