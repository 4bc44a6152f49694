/* SPDX-License-Identifier: Apache-2.0 */
#include "server/disk.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "io/clock.h"
#include "io/file.h"

#define LOOK_EVERY_NS 250000000u
#define FULL_FOR_NS   10000000000u

struct disk {
	char *folder;
	pthread_mutex_t lock;
	uint64_t mark, free_bytes;
	uint64_t looked_ns, full_until_ns;
	bool looked, low;
};

struct disk *
disk_open(const char *folder, uint64_t low_water, struct error *err)
{
	struct disk *d = calloc(1, sizeof(*d));

	if (!d || !(d->folder = strdup(folder))) {
		free(d);
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	d->mark = low_water;
	(void)pthread_mutex_init(&d->lock, NULL);
	return d;
}

void
disk_close(struct disk *d)
{
	if (!d)
		return;
	(void)pthread_mutex_destroy(&d->lock);
	free(d->folder);
	free(d);
}

/* The lock is held. */
static void
look(struct disk *d, uint64_t now)
{
	struct statvfs fs;
	int rc;

	d->looked = true;
	d->looked_ns = now;
	do
		rc = statvfs(d->folder, &fs);
	while (rc != 0 && errno == EINTR);
	if (rc != 0) {
		d->free_bytes = 0;
		d->low = true;
		return;
	}
	if (__builtin_mul_overflow(
		(uint64_t)fs.f_bavail, (uint64_t)fs.f_frsize, &d->free_bytes))
		d->free_bytes = UINT64_MAX;
	if (d->free_bytes < d->mark)
		d->low = true;
	else if (d->free_bytes - d->mark >= d->mark / 4)
		d->low = false;
}

bool
disk_low(struct disk *d, uint64_t *free_bytes)
{
	uint64_t now;
	bool low;

	(void)pthread_mutex_lock(&d->lock);
	now = clock_monotonic_ns();
	if (!d->looked || now - d->looked_ns >= LOOK_EVERY_NS)
		look(d, now);
	low = d->low || now < d->full_until_ns;
	if (free_bytes)
		*free_bytes = d->free_bytes;
	(void)pthread_mutex_unlock(&d->lock);
	return low;
}

void
disk_full(struct disk *d)
{
	(void)pthread_mutex_lock(&d->lock);
	d->full_until_ns = clock_monotonic_ns() + FULL_FOR_NS;
	(void)pthread_mutex_unlock(&d->lock);
}

void
disk_mark(struct disk *d, uint64_t low_water)
{
	(void)pthread_mutex_lock(&d->lock);
	d->mark = low_water;
	d->looked = false;
	(void)pthread_mutex_unlock(&d->lock);
}

uint64_t
disk_file_bytes(const char *folder, const char *name)
{
	char *path = path_join(folder, name);
	struct stat st;
	uint64_t n = path && stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;

	free(path);
	return n;
}
