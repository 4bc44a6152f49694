/* SPDX-License-Identifier: Apache-2.0 */
#include "server/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/reader.h"

#define GUARD_VERSION  1
#define FLAG_FROZEN    1u
#define ORIGIN_ROOM    (NOTE_NAME_MAX + 1)
#define CHECKSUM_START (GUARD_SLOT_LEN - HASH_LEN)
#define LOCK_RETRY_NS  20000000L

struct guard {
	int fd;
	unsigned current; /* the slot that counts; the other is written next */
	uint64_t generation;
	bool latched;
	struct hasher hasher;
	char *path;
};

static void
fd_cleanup_ptr(const int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}
#define AUTO_FD __attribute__((cleanup(fd_cleanup_ptr))) int

/* One slot. */

static void
put_padded(struct buf *b, struct bytes data, size_t room)
{
	uint8_t *place = buf_reserve(b, room);

	if (!place)
		return;
	memset(place, 0, room);
	memcpy(place, data.ptr, data.len);
	buf_grow(b, room);
}

static bool
state_valid(const struct guard_state *s, struct error *err)
{
	if (!memchr(s->origin, '\0', sizeof(s->origin)) ||
	    !note_name_valid(bytes_str(s->origin)))
		return error_set(
		    err, ERR_USAGE, "guard: the origin is not a key name");
	if (s->note_len == 0 || s->note_len > GUARD_NOTE_MAX)
		return error_set(
		    err, ERR_LIMIT, "guard: the checkpoint does not fit");
	if (s->generation == 0)
		return error_set(err, ERR_USAGE, "guard: generation zero");
	return true;
}

bool
guard_encode(struct hasher *h, const struct guard_state *s,
    uint8_t slot[GUARD_SLOT_LEN], struct error *err)
{
	AUTO(buf) b = BUF_INIT(GUARD_SLOT_LEN);
	struct bytes origin;
	struct hash sum;

	if (!state_valid(s, err))
		return false;
	origin = bytes_str(s->origin);
	buf_put(&b, BYTES_LIT("mtlog-gd"));
	buf_put_u32(&b, GUARD_VERSION);
	buf_put_u32(&b, s->frozen ? FLAG_FROZEN : 0);
	buf_put_u64(&b, s->generation);
	buf_put_u64(&b, s->store_identity);
	buf_put(&b, hash_bytes(&s->log_id));
	buf_put_u16(&b, (uint16_t)origin.len);
	buf_put_u16(&b, (uint16_t)s->note_len);
	put_padded(&b, origin, ORIGIN_ROOM);
	put_padded(&b, bytes_of(s->note, s->note_len), GUARD_NOTE_MAX);
	put_padded(&b, BYTES_LIT(""), CHECKSUM_START - b.len);
	sha256(h, buf_bytes(&b), &sum);
	buf_put(&b, hash_bytes(&sum));
	if (!buf_ok(&b, err) || !hasher_ok(h, err))
		return false;
	memcpy(slot, b.ptr, GUARD_SLOT_LEN);
	return true;
}

/* Takes `room` bytes: `len` of contents, the rest zero. */
static bool
read_padded(struct reader *r, size_t len, size_t room, struct bytes *out)
{
	struct bytes all;

	if (len > room || !reader_bytes(r, room, &all))
		return false;
	for (size_t i = len; i < room; i++)
		if (all.ptr[i] != 0)
			return false;
	*out = bytes_slice(all, 0, len);
	return true;
}

static bool
slot_fields(struct reader *r, struct guard_state *out)
{
	uint32_t version, flags;
	uint16_t origin_len, note_len;
	struct bytes id, origin, note, rest;

	if (!reader_literal(r, BYTES_LIT("mtlog-gd")) ||
	    !reader_u32(r, &version) || version != GUARD_VERSION ||
	    !reader_u32(r, &flags) || (flags & ~FLAG_FROZEN) ||
	    !reader_u64(r, &out->generation) ||
	    !reader_u64(r, &out->store_identity) ||
	    !reader_bytes(r, HASH_LEN, &id) || !reader_u16(r, &origin_len) ||
	    origin_len > NOTE_NAME_MAX || !reader_u16(r, &note_len) ||
	    !read_padded(r, origin_len, ORIGIN_ROOM, &origin) ||
	    !read_padded(r, note_len, GUARD_NOTE_MAX, &note) ||
	    !read_padded(r, 0, r->rest.len, &rest))
		return false;
	out->frozen = flags & FLAG_FROZEN;
	memcpy(out->log_id.b, id.ptr, HASH_LEN);
	memcpy(out->origin, origin.ptr, origin.len);
	out->note_len = note.len;
	memcpy(out->note, note.ptr, note.len);
	/* A NUL within the origin would make two slots look alike. */
	return strlen(out->origin) == origin.len;
}

bool
guard_decode(struct hasher *h, const uint8_t slot[GUARD_SLOT_LEN],
    struct guard_state *out, struct error *err)
{
	struct guard_state s = {0};
	struct error invalid = {0};
	struct reader r;
	struct hash sum;

	sha256(h, bytes_of(slot, CHECKSUM_START), &sum);
	if (!hasher_ok(h, err))
		return false;
	if (!bytes_equal(
		hash_bytes(&sum), bytes_of(slot + CHECKSUM_START, HASH_LEN)))
		return error_set(err, ERR_SYNTAX, "checksum does not match");
	reader_init(&r, bytes_of(slot, CHECKSUM_START));
	if (!slot_fields(&r, &s))
		return error_set(err, ERR_SYNTAX, "not a guard slot");
	if (!state_valid(&s, &invalid))
		return error_set(err, ERR_SYNTAX, "%s", invalid.text);
	*out = s;
	return true;
}

/* The file. */

static bool
io_error(struct error *err, const char *path, const char *what)
{
	int e = errno;

	return error_set(err, e == ENOENT ? ERR_NOTFOUND : ERR_IO,
	    "guard %s: %s: %s", path, what, strerror(e));
}

/* Whole or nothing: a short write is a failed one (the slot is then torn). */
static bool
write_at(int fd, const uint8_t *data, size_t len, off_t at)
{
	ssize_t n;

	do {
		errno = ENOSPC; /* what a short write would mean */
		n = pwrite(fd, data, len, at);
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)len;
}

static bool
folder_sync(const char *path, struct error *err)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX] = ".";
	AUTO_FD fd = -1;

	if (slash)
		(void)snprintf(folder, sizeof(folder), "%.*s",
		    (int)(slash - path) + 1, path);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		return io_error(err, path, "cannot sync its folder");
	return true;
}

/* Both slots hold the first state, so that one bad sector is survived. */
static bool
file_fill(int fd, const char *path, const struct guard_state *first,
    struct error *err)
{
	AUTO(hasher) h = {0};
	uint8_t slots[GUARD_FILE_LEN];
	struct guard_state s = *first;

	if (!hasher_open(&h, err))
		return false;
	for (unsigned i = 0; i < 2; i++) {
		s.generation = i + 1;
		if (!guard_encode(&h, &s, slots + i * GUARD_SLOT_LEN, err))
			return false;
	}
	if (!write_at(fd, slots, sizeof(slots), 0))
		return io_error(err, path, "cannot write");
	if (fsync(fd) != 0)
		return io_error(err, path, "cannot sync");
	return folder_sync(path, err);
}

bool
guard_create(
    const char *path, const struct guard_state *first, struct error *err)
{
	AUTO_FD fd = open(
	    path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR);

	if (fd < 0 && errno == EEXIST)
		return error_set(
		    err, ERR_CONFLICT, "guard %s: already exists", path);
	if (fd < 0)
		return io_error(err, path, "cannot create");
	if (!file_fill(fd, path, first, err)) {
		(void)unlink(path);
		return false;
	}
	return true;
}

/*
 * Finds the slot that counts. `*current` is it; a bad slot is never current,
 * so that it is the next to be overwritten.
 */
static bool
slots_pick(struct hasher *h, const uint8_t slots[GUARD_FILE_LEN],
    struct guard_state *out, unsigned *current, struct error *err)
{
	struct guard_state s[2] = {0};
	struct error e[2] = {0};
	bool ok[2];

	for (unsigned i = 0; i < 2; i++)
		ok[i] =
		    guard_decode(h, slots + i * GUARD_SLOT_LEN, &s[i], &e[i]);
	if (!hasher_ok(h, err))
		return false;
	if (!ok[0] && !ok[1])
		return error_set(err, ERR_SYNTAX,
		    "both slots are unreadable (%s; %s)", e[0].text, e[1].text);
	if (ok[0] && ok[1] && s[0].generation == s[1].generation &&
	    !bytes_equal(bytes_of(slots, GUARD_SLOT_LEN),
		bytes_of(slots + GUARD_SLOT_LEN, GUARD_SLOT_LEN)))
		return error_set(
		    err, ERR_SYNTAX, "the two slots contradict each other");
	*current =
	    !ok[0] || (ok[1] && s[1].generation > s[0].generation) ? 1 : 0;
	*out = s[*current];
	return true;
}

static bool
slots_read(int fd, const char *path, struct hasher *h, struct guard_state *out,
    unsigned *current, struct error *err)
{
	uint8_t slots[GUARD_FILE_LEN];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) != 0)
		return io_error(err, path, "cannot look at it");
	if (!S_ISREG(st.st_mode) || st.st_size != GUARD_FILE_LEN)
		return error_set(
		    err, ERR_SYNTAX, "guard %s: not a guard file", path);
	n = pread(fd, slots, sizeof(slots), 0);
	if (n < 0)
		return io_error(err, path, "cannot read");
	if (n != GUARD_FILE_LEN)
		return error_set(err, ERR_IO, "guard %s: short read", path);
	if (!slots_pick(h, slots, out, current, err))
		return error_prefix(err, "guard %s", path);
	return true;
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

bool
guard_lock(int fd, const char *path, unsigned wait_ms, struct error *err)
{
	const struct timespec pause = {.tv_nsec = LOCK_RETRY_NS};
	uint64_t end = now_ms() + wait_ms;

	while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_set(err, ERR_IO, "%s: cannot lock: %s",
			    path, strerror(errno));
		if (now_ms() >= end)
			return error_set(err, ERR_CONFLICT,
			    "%s: locked by another signer", path);
		(void)nanosleep(&pause, NULL);
	}
	return true;
}

/*
 * What a predecessor wrote may be only in the page cache: make it durable, or
 * hear that it cannot be; then have the kernel forget clean pages, because
 * those of a failed write are marked clean though the disk has other bytes.
 */
static bool
cache_settle(int fd, const char *path, struct error *err)
{
	if (fdatasync(fd) != 0)
		return io_error(err, path, "cannot sync");
	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	return true;
}

static bool
guard_load(struct guard *g, const char *path, unsigned wait_ms,
    struct guard_state *state, struct error *err)
{
	g->path = strdup(path);
	if (!g->path)
		return error_set(err, ERR_INTERNAL, "out of memory");
	g->fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (g->fd < 0)
		return io_error(err, path, "cannot open");
	if (!hasher_open(&g->hasher, err) ||
	    !guard_lock(g->fd, path, wait_ms, err) ||
	    !cache_settle(g->fd, path, err) ||
	    !slots_read(g->fd, path, &g->hasher, state, &g->current, err))
		return false;
	g->generation = state->generation;
	return true;
}

struct guard *
guard_open(const char *path, unsigned wait_ms, struct guard_state *state,
    struct error *err)
{
	struct guard *g = calloc(1, sizeof(*g));

	if (!g) {
		error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	g->fd = -1;
	if (guard_load(g, path, wait_ms, state, err))
		return g;
	guard_close(g);
	return NULL;
}

void
guard_close(struct guard *g)
{
	if (!g)
		return;
	if (g->fd >= 0)
		(void)close(g->fd);
	hasher_release(&g->hasher);
	free(g->path);
	free(g);
}

/*
 * After a failed fdatasync the cache may show a head that the disk does not
 * have. Spoil it there, so that the next start takes the other slot, which is
 * durable and holds the last head that left. Nothing depends on its success.
 */
static void
slot_spoil(const struct guard *g, off_t at)
{
	static const uint8_t zeros[GUARD_SLOT_LEN];

	(void)write_at(g->fd, zeros, sizeof(zeros), at);
}

bool
guard_write(struct guard *g, struct guard_state *next, struct error *err)
{
	uint8_t slot[GUARD_SLOT_LEN];
	unsigned older = 1 - g->current;
	off_t at = (off_t)older * GUARD_SLOT_LEN;

	if (g->latched)
		return error_reason(err, ERR_IO, "guard-io",
		    "guard %s: an earlier write failed", g->path);
	g->latched = true; /* until all of it has succeeded */
	if (__builtin_add_overflow(g->generation, 1, &next->generation))
		return error_set(err, ERR_LIMIT, "guard: generation overflow");
	if (!guard_encode(&g->hasher, next, slot, err))
		return false;
	if (!write_at(g->fd, slot, sizeof(slot), at))
		return error_reason(err, ERR_IO, "guard-io",
		    "guard %s: cannot write: %s", g->path, strerror(errno));
	if (fdatasync(g->fd) != 0) {
		int e = errno;

		slot_spoil(g, at);
		return error_reason(err, ERR_IO, "guard-io",
		    "guard %s: cannot sync: %s", g->path, strerror(e));
	}
	g->current = older;
	g->generation = next->generation;
	g->latched = false;
	return true;
}

/*
 * Without the lock both slots can look torn, if two writes pass between the
 * bytes of one read; a second look then finds a whole one.
 */
bool
guard_read(const char *path, struct guard_state *state, struct error *err)
{
	AUTO_FD fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	AUTO(hasher) h = {0};
	unsigned current;

	if (fd < 0)
		return io_error(err, path, "cannot open");
	if (!hasher_open(&h, err))
		return false;
	for (int tries = 0; tries < 3; tries++) {
		struct error e = {0};

		if (slots_read(fd, path, &h, state, &current, &e))
			return true;
		if (e.code != ERR_SYNTAX || tries == 2)
			return error_set(err, e.code, "%s", e.text);
	}
	return false; /* not reached: the last try answers */
}
