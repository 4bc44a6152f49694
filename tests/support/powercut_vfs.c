/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/powercut_vfs.h"

#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#define PAGE	   4096u
#define FILES_MAX  32
#define LOCKS	   8 /* SQLITE_SHM_NLOCK */
#define REGION_MAX 64
#define NAME_MAX_  512

/* A file as it is seen (live) and as it would survive (disk). */
struct image {
	char name[NAME_MAX_];
	uint8_t *live, *disk;
	uint64_t live_len, disk_len;
	uint64_t cap; /* bytes both have room for, zero beyond the length */
	uint8_t *dirty;
	void *region[REGION_MAX]; /* shared memory of a database file */
	int shared[LOCKS], exclusive[LOCKS];
};

struct powercut {
	sqlite3_vfs vfs;
	struct image *image[FILES_MAX];
	uint64_t random;
	uint64_t writes;
	uint64_t cut_at;
	uint64_t syncs, fail_at;
	uint64_t room;
	sqlite3_int64 clock;
	bool cut;
};

struct handle {
	sqlite3_file base;
	struct powercut *power;
	struct image *image;
	bool psow;
	unsigned shared, exclusive; /* shared-memory locks held */
};

static void *
must(void *p)
{
	if (!p)
		abort();
	return p;
}

/* xorshift: a test's randomness has to be repeatable, not good. */
uint64_t
powercut_random(struct powercut *p)
{
	p->random ^= p->random << 13;
	p->random ^= p->random >> 7;
	p->random ^= p->random << 17;
	return p->random;
}

static uint64_t
below(struct powercut *p, uint64_t n)
{
	return powercut_random(p) % n;
}

static void
grow(struct image *f, uint64_t len)
{
	if (len <= f->cap)
		return;
	uint64_t cap = (len * 2 + PAGE) / PAGE * PAGE;
	f->live = must(realloc(f->live, cap));
	f->disk = must(realloc(f->disk, cap));
	f->dirty = must(realloc(f->dirty, cap / PAGE));
	memset(f->live + f->cap, 0, cap - f->cap);
	memset(f->disk + f->cap, 0, cap - f->cap);
	memset(f->dirty + f->cap / PAGE, 0, (cap - f->cap) / PAGE);
	f->cap = cap;
}

static void
mark(struct image *f, uint64_t from, uint64_t to)
{
	for (uint64_t p = from / PAGE; p * PAGE < to; p++)
		f->dirty[p] = 1;
}

/* One page gets to the disk as it is now. */
static void
write_back(struct image *f, uint64_t page)
{
	uint64_t end = (page + 1) * PAGE;
	memcpy(f->disk + page * PAGE, f->live + page * PAGE, PAGE);
	f->dirty[page] = 0;
	if (end > f->live_len)
		end = f->live_len;
	if (end > f->disk_len)
		f->disk_len = end;
}

/* The kernel writes when it likes, so versions in between get to the disk. */
static void
write_back_some(struct powercut *p, struct image *f)
{
	uint64_t pages = f->live_len / PAGE;
	if (pages == 0 || below(p, 16) != 0)
		return;
	for (unsigned i = 0; i < 4; i++) {
		uint64_t page = below(p, pages);
		if (f->dirty[page])
			write_back(f, page);
	}
}

/* Counts an operation; true when the power goes at this one. */
static bool
goes_now(struct powercut *p)
{
	p->writes++;
	if (p->cut_at && p->writes >= p->cut_at)
		p->cut = true;
	return p->cut;
}

static struct image *
find(struct powercut *p, const char *name)
{
	for (size_t i = 0; i < FILES_MAX; i++)
		if (p->image[i] && strcmp(p->image[i]->name, name) == 0)
			return p->image[i];
	return NULL;
}

static struct image *
make(struct powercut *p, const char *name)
{
	size_t i = 0;
	while (i < FILES_MAX && p->image[i])
		i++;
	if (i == FILES_MAX || strlen(name) >= NAME_MAX_)
		abort();
	p->image[i] = must(calloc(1, sizeof(struct image)));
	memcpy(p->image[i]->name, name, strlen(name) + 1);
	return p->image[i];
}

static void
forget_shared_memory(struct image *f)
{
	for (size_t i = 0; i < REGION_MAX; i++) {
		free(f->region[i]);
		f->region[i] = NULL;
	}
	memset(f->shared, 0, sizeof(f->shared));
	memset(f->exclusive, 0, sizeof(f->exclusive));
}

static void
drop(struct powercut *p, size_t i)
{
	struct image *f = p->image[i];
	forget_shared_memory(f);
	free(f->live);
	free(f->disk);
	free(f->dirty);
	free(f);
	p->image[i] = NULL;
}

/* What is left of sector [at, at + size) of a dirty page. */
static void
tear(struct powercut *p, struct image *f, uint64_t at, uint64_t size)
{
	uint64_t chance = below(p, 10);
	if (chance < 4) /* the old one */
		return;
	if (chance < 8) {
		memcpy(f->disk + at, f->live + at, size);
		return;
	}
	for (uint64_t i = 0; i < size; i++)
		f->disk[at + i] = (uint8_t)powercut_random(p);
}

static void
lose_power(struct powercut *p, struct image *f)
{
	uint64_t sector = below(p, 2) ? 512 : 4096;
	uint64_t len = below(p, 2) ? f->disk_len : f->live_len;
	if (f->live_len > f->disk_len && below(p, 3) == 0)
		len = f->disk_len + below(p, f->live_len - f->disk_len);
	for (uint64_t page = 0; page < f->cap / PAGE; page++) {
		if (!f->dirty[page])
			continue;
		for (uint64_t at = 0; at < PAGE; at += sector)
			tear(p, f, page * PAGE + at, sector);
	}
	if (f->cap)
		memset(f->disk + len, 0, f->cap - len);
	f->disk_len = len;
	f->live_len = len;
	if (f->cap) {
		memcpy(f->live, f->disk, f->cap);
		memset(f->dirty, 0, f->cap / PAGE);
	}
}

/* Files */

static struct handle *
handle_of(sqlite3_file *file)
{
	return (struct handle *)(void *)file;
}

static int
file_close(sqlite3_file *file)
{
	(void)file;
	return SQLITE_OK;
}

static int
file_read(sqlite3_file *file, void *to, int n, sqlite3_int64 at)
{
	struct image *f = handle_of(file)->image;
	uint64_t from = (uint64_t)at, len = (uint64_t)n;
	if (handle_of(file)->power->cut)
		return SQLITE_IOERR_READ;
	uint64_t have = from < f->live_len ? f->live_len - from : 0;
	if (have > len)
		have = len;
	if (have)
		memcpy(to, f->live + from, have);
	memset((uint8_t *)to + have, 0, len - have);
	return have == len ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int
file_write(sqlite3_file *file, const void *data, int n, sqlite3_int64 at)
{
	struct powercut *p = handle_of(file)->power;
	struct image *f = handle_of(file)->image;
	uint64_t from = (uint64_t)at, end = from + (uint64_t)n;
	if (p->cut)
		return SQLITE_IOERR_WRITE;
	uint64_t more = end > f->live_len ? end - f->live_len : 0;
	if (more > p->room)
		return SQLITE_FULL;
	if (p->room != POWERCUT_ENOUGH)
		p->room -= more;
	grow(f, end);
	memcpy(f->live + from, data, (size_t)n);
	mark(f, from, end);
	if (end > f->live_len)
		f->live_len = end;
	write_back_some(p, f);
	return goes_now(p) ? SQLITE_IOERR_WRITE : SQLITE_OK;
}

static int
file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	struct powercut *p = handle_of(file)->power;
	struct image *f = handle_of(file)->image;
	uint64_t len = (uint64_t)size;
	if (p->cut)
		return SQLITE_IOERR_TRUNCATE;
	if (len < f->live_len) {
		mark(f, len, f->live_len);
		memset(f->live + len, 0, f->live_len - len);
		f->live_len = len;
	}
	return goes_now(p) ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

/* EIO: nobody knows which pages got there, and the cache calls all clean. */
static int
fail_sync(struct powercut *p, struct image *f)
{
	bool none = below(p, 2) != 0;
	for (uint64_t page = 0; page < f->cap / PAGE; page++) {
		if (f->dirty[page] && !none && below(p, 2))
			write_back(f, page);
		f->dirty[page] = 0;
	}
	return SQLITE_IOERR_FSYNC;
}

static int
file_sync(sqlite3_file *file, int flags)
{
	struct powercut *p = handle_of(file)->power;
	struct image *f = handle_of(file)->image;
	(void)flags;
	if (p->cut || goes_now(p))
		return SQLITE_IOERR_FSYNC;
	if (p->fail_at && ++p->syncs == p->fail_at)
		return fail_sync(p, f);
	for (uint64_t page = 0; page < f->cap / PAGE; page++)
		if (f->dirty[page])
			write_back(f, page);
	f->disk_len = f->live_len;
	return SQLITE_OK;
}

static int
file_size(sqlite3_file *file, sqlite3_int64 *out)
{
	*out = (sqlite3_int64)handle_of(file)->image->live_len;
	return handle_of(file)->power->cut ? SQLITE_IOERR_FSTAT : SQLITE_OK;
}

/* One process: in WAL mode the locks that matter are those in shared memory. */
static int
file_lock(sqlite3_file *file, int level)
{
	(void)file;
	(void)level;
	return SQLITE_OK;
}

static int
file_reserved(sqlite3_file *file, int *out)
{
	(void)file;
	*out = 0;
	return SQLITE_OK;
}

static int
file_control(sqlite3_file *file, int op, void *arg)
{
	(void)file;
	if (op != SQLITE_FCNTL_PERSIST_WAL)
		return SQLITE_NOTFOUND;
	int *value = arg;
	if (*value < 0)
		*value = 1;
	return SQLITE_OK;
}

static int
file_sector(sqlite3_file *file)
{
	(void)file;
	return PAGE;
}

/* As SQLite's own VFS does: safe overwriting is promised unless psow=0. */
static int
file_characteristics(sqlite3_file *file)
{
	return handle_of(file)->psow ? SQLITE_IOCAP_POWERSAFE_OVERWRITE : 0;
}

static int
shm_map(sqlite3_file *file, int page, int size, int extend, void volatile **out)
{
	struct handle *h = handle_of(file);
	*out = NULL;
	if (h->power->cut || page >= REGION_MAX)
		return SQLITE_IOERR_SHMMAP;
	if (!h->image->region[page] && extend)
		h->image->region[page] = must(calloc(1, (size_t)size));
	*out = h->image->region[page];
	return SQLITE_OK;
}

static void
shm_unlock(struct handle *h, int slot)
{
	if (h->shared & (1u << slot))
		h->image->shared[slot]--;
	if (h->exclusive & (1u << slot))
		h->image->exclusive[slot]--;
	h->shared &= ~(1u << slot);
	h->exclusive &= ~(1u << slot);
}

static bool
shm_free(const struct handle *h, int slot, bool exclusive)
{
	int others = h->image->shared[slot] - ((h->shared >> slot) & 1 ? 1 : 0);
	if (h->image->exclusive[slot])
		return false;
	return !exclusive || others == 0;
}

static int
shm_lock(sqlite3_file *file, int offset, int n, int flags)
{
	struct handle *h = handle_of(file);
	bool exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
	for (int i = offset; i < offset + n; i++)
		if ((flags & SQLITE_SHM_LOCK) && !shm_free(h, i, exclusive))
			return SQLITE_BUSY;
	for (int i = offset; i < offset + n; i++) {
		shm_unlock(h, i);
		if (!(flags & SQLITE_SHM_LOCK))
			continue;
		if (exclusive) {
			h->image->exclusive[i]++;
			h->exclusive |= 1u << i;
		} else {
			h->image->shared[i]++;
			h->shared |= 1u << i;
		}
	}
	return SQLITE_OK;
}

static void
shm_barrier(sqlite3_file *file)
{
	(void)file;
}

static int
shm_unmap(sqlite3_file *file, int delete)
{
	(void)delete;
	for (int i = 0; i < LOCKS; i++)
		shm_unlock(handle_of(file), i);
	return SQLITE_OK;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_lock,
    .xCheckReservedLock = file_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

/* The file system */

static struct powercut *
power_of(sqlite3_vfs *vfs)
{
	return vfs->pAppData;
}

static int
vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
    int *out_flags)
{
	struct powercut *p = power_of(vfs);
	struct handle *h = handle_of(file);
	memset(h, 0, sizeof(*h));
	if (p->cut || !name)
		return SQLITE_CANTOPEN;
	struct image *f = find(p, name);
	if (!f && !(flags & SQLITE_OPEN_CREATE))
		return SQLITE_CANTOPEN;
	h->power = p;
	h->image = f ? f : make(p, name);
	h->psow = (flags & SQLITE_OPEN_URI) == 0 ||
	    sqlite3_uri_boolean(name, "psow", 1);
	h->base.pMethods = &methods;
	if (out_flags)
		*out_flags = flags;
	return SQLITE_OK;
}

static int
vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_dir)
{
	struct powercut *p = power_of(vfs);
	(void)sync_dir;
	if (p->cut)
		return SQLITE_IOERR_DELETE;
	const struct image *f = find(p, name);
	if (!f)
		return SQLITE_IOERR_DELETE_NOENT;
	for (size_t i = 0; i < FILES_MAX; i++)
		if (p->image[i] == f)
			drop(p, i);
	return goes_now(p) ? SQLITE_IOERR_DELETE : SQLITE_OK;
}

static int
vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
	(void)flags;
	const struct image *f = find(power_of(vfs), name);
	*out = f && f->live_len > 0;
	return power_of(vfs)->cut ? SQLITE_IOERR_ACCESS : SQLITE_OK;
}

static int
vfs_path(sqlite3_vfs *vfs, const char *name, int n, char *out)
{
	(void)vfs;
	if (strlen(name) >= (size_t)n)
		return SQLITE_CANTOPEN;
	memcpy(out, name, strlen(name) + 1);
	return SQLITE_OK;
}

static int
vfs_randomness(sqlite3_vfs *vfs, int n, char *out)
{
	for (int i = 0; i < n; i++)
		out[i] = (char)powercut_random(power_of(vfs));
	return n;
}

static int
vfs_sleep(sqlite3_vfs *vfs, int us)
{
	power_of(vfs)->clock += us / 1000 + 1;
	return us;
}

static int
vfs_time64(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
	*out = power_of(vfs)->clock++;
	return SQLITE_OK;
}

static int
vfs_time(sqlite3_vfs *vfs, double *out)
{
	*out = (double)power_of(vfs)->clock++ / 86400000.0;
	return SQLITE_OK;
}

static int
vfs_last_error(sqlite3_vfs *vfs, int n, char *out)
{
	(void)vfs;
	if (n > 0)
		out[0] = 0;
	return 0;
}

/* Control */

struct powercut *
powercut_open(const char *name, uint64_t seed)
{
	struct powercut *p = must(calloc(1, sizeof(*p)));
	p->random = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
	p->room = POWERCUT_ENOUGH;
	p->clock = 1000;
	p->vfs = (sqlite3_vfs){
	    .iVersion = 2,
	    .szOsFile = sizeof(struct handle),
	    .mxPathname = NAME_MAX_ - 1,
	    .zName = name,
	    .pAppData = p,
	    .xOpen = vfs_open,
	    .xDelete = vfs_delete,
	    .xAccess = vfs_access,
	    .xFullPathname = vfs_path,
	    .xRandomness = vfs_randomness,
	    .xSleep = vfs_sleep,
	    .xCurrentTime = vfs_time,
	    .xGetLastError = vfs_last_error,
	    .xCurrentTimeInt64 = vfs_time64,
	};
	if (sqlite3_vfs_register(&p->vfs, 0) != SQLITE_OK)
		abort();
	return p;
}

void
powercut_wipe(struct powercut *p)
{
	for (size_t i = 0; i < FILES_MAX; i++)
		if (p->image[i])
			drop(p, i);
}

void
powercut_close(struct powercut *p)
{
	powercut_wipe(p);
	sqlite3_vfs_unregister(&p->vfs);
	free(p);
}

void
powercut_arm(struct powercut *p, uint64_t after)
{
	p->cut_at = after ? p->writes + after : 0;
}

bool
powercut_is_cut(const struct powercut *p)
{
	return p->cut;
}

void
powercut_fail_sync(struct powercut *p, uint64_t nth)
{
	p->syncs = 0;
	p->fail_at = nth;
}

void
powercut_room(struct powercut *p, uint64_t bytes)
{
	p->room = bytes;
}

uint64_t
powercut_writes(const struct powercut *p)
{
	return p->writes;
}

void
powercut_restart(struct powercut *p, bool power)
{
	for (size_t i = 0; i < FILES_MAX; i++) {
		if (!p->image[i])
			continue;
		forget_shared_memory(p->image[i]);
		if (power)
			lose_power(p, p->image[i]);
	}
	p->cut = false;
	p->cut_at = 0;
	p->fail_at = 0;
	p->room = POWERCUT_ENOUGH;
}
