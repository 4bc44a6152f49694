/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "io/hold_parts.h"

#define XFS_MAGIC      0x58465342
#define BCACHEFS_MAGIC 0xca451a4eU

/*
 * File systems of this kernel alone whose files know of every writer. Not
 * overlayfs: there a mapping belongs to the file below, and a lease on the file
 * above is granted, and stays, while someone writes.
 */
static bool
is_local(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return false;
	switch ((uint32_t)fs.f_type) {
	case EXT4_SUPER_MAGIC:
	case XFS_MAGIC:
	case BTRFS_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case BCACHEFS_MAGIC:
	case TMPFS_MAGIC:
		return true;
	default:
		return false;
	}
}

enum hold_try
hold_take_lease(struct held *f, int fd)
{
	struct stat st;

	/*
	 * A broken lease is told by a signal. The kernel makes us its receiver
	 * as it grants the lease, and SIGIO would end the process: so another
	 * one that is ignored by default, for the moment until there is no
	 * receiver. The file is asked instead, by hold_check_lease.
	 */
	if (!is_local(fd) || fcntl(fd, F_SETSIG, SIGURG) != 0 ||
	    fcntl(fd, F_SETLEASE, F_RDLCK) != 0)
		return HOLD_NOT;
	/* What came before the lease may have changed the size. */
	if (fcntl(fd, F_SETOWN, 0) != 0 || fstat(fd, &st) != 0) {
		(void)fcntl(fd, F_SETLEASE, F_UNLCK);
		return HOLD_NOT;
	}
	f->size = (uint64_t)st.st_size;
	f->fd = fd;
	return HOLD_HELD;
}

bool
hold_check_lease(const struct held *f)
{
	/* While a writer waits this is what the lease becomes: F_UNLCK. */
	return fcntl(f->fd, F_GETLEASE) == F_RDLCK;
}
