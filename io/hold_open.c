/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/stat.h>

#include "io/hold_parts.h"

static bool
identify(int fd, uint64_t *size, struct hold_identity *out)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return false;
	*size = (uint64_t)st.st_size;
	*out = (struct hold_identity){.dev = st.st_dev,
	    .ino = st.st_ino,
	    .modified = st.st_mtim,
	    .changed = st.st_ctim};
	return true;
}

static bool
same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

enum hold_try
hold_take_open(struct held *f, int fd)
{
	if (!identify(fd, &f->size, &f->identity))
		return HOLD_NOT;
	f->fd = fd;
	return HOLD_HELD;
}

bool
hold_check_open(const struct held *f)
{
	const struct hold_identity *was = &f->identity;
	struct hold_identity now;
	uint64_t size;

	return identify(f->fd, &size, &now) && size == f->size &&
	    now.dev == was->dev && now.ino == was->ino &&
	    same_time(now.modified, was->modified) &&
	    same_time(now.changed, was->changed);
}
