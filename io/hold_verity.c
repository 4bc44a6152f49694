/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/fsverity.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include "io/hold_parts.h"

#define DIGEST_MAX 64

/* Where fs-verity is the kernel's own; another file system (FUSE) may pass the
 * question to a program, which may say what it likes. */
static bool
is_native(int fd)
{
	struct statfs fs;

	if (fstatfs(fd, &fs) != 0)
		return false;
	switch ((uint32_t)fs.f_type) {
	case EXT4_SUPER_MAGIC:
	case F2FS_SUPER_MAGIC:
	case BTRFS_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

enum hold_try
hold_take_verity(struct held *f, int fd)
{
	union {
		struct fsverity_digest digest;
		uint8_t space[sizeof(struct fsverity_digest) + DIGEST_MAX];
	} u = {.digest = {.digest_size = DIGEST_MAX}};

	/* Asked of the descriptor: this very inode has it, for good. */
	if (!is_native(fd) || ioctl(fd, FS_IOC_MEASURE_VERITY, &u) != 0)
		return HOLD_NOT;
	f->fd = fd;
	return HOLD_HELD;
}
