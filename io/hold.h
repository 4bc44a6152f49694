/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_HOLD_H
#define MTLOG_IO_HOLD_H

#include <sys/types.h>

#include "io/tree.h"

/*
 * A hold ties the bytes that are hashed to the bytes that are read afterwards.
 * Weakest first; a file is held in one of these ways:
 *
 * open    the same inode is kept open. Whoever may write the file can change
 *         it unnoticed, even without a change of its times (a mapping).
 * lease   the kernel holds writers back (F_RDLCK): what was read *before* a
 *         successful hold_check is what was hashed. Only on file systems where
 *         that is so: not over a network, not on overlayfs, where a lease is
 *         granted although someone has the file mapped (tried).
 * copy    the bytes were copied to sealed memory first, the hash is that of the
 *         copy: no one can change it. In a scratch folder it is an unlinked
 *         file, which programs of the same user can still reach.
 * verity  fs-verity: the kernel holds the contents, even against the disk.
 */
enum hold_kind { HELD_NONE, HELD_OPEN, HELD_LEASE, HELD_COPY, HELD_VERITY };

/* HELD_DEFAULT: whatever is not `open`. */
#define HELD_BIT(kind) (1U << (unsigned)(kind))
#define HELD_DEFAULT                                                           \
	(HELD_BIT(HELD_VERITY) | HELD_BIT(HELD_LEASE) | HELD_BIT(HELD_COPY))

/* hold_at_least is the set of `minimum` and all that is stronger. */
unsigned hold_at_least(enum hold_kind minimum);

/* hold_kind_name is "none", "open", "lease", "copy" or "verity". */
const char *hold_kind_name(enum hold_kind kind);

struct hold_options {
	/* HELD_BIT of each kind that will do. A file gets the first that can be
	 * had: verity, lease, copy (while `copy_max` lasts), open. */
	unsigned accept;
	uint64_t copy_max; /* bytes of all copies together */
	int scratch;	   /* a folder's descriptor for the copies, or -1 */
	unsigned threads;  /* 0: one a processor */
	bool links;	   /* follow links beneath the root */
	/* While copying, as tree_hash_options has it; false cancels. */
	uint64_t total;
	bool (*progress)(
	    void *arg, struct bytes name, uint64_t done, uint64_t total);
	void *arg;
};

/* Many threads may read one; only one may close it, when no one reads. */
struct hold;

/*
 * hold_open takes hold of `count` files (names as file_tree_open_file takes
 * them, no name twice). A file that cannot be held does not stop it: hold_hash
 * gives its pieces their `fault`, as file_tree_open_file does, or
 * ERR_UNAVAILABLE "hold-unavailable" (nothing of what was accepted can be had),
 * ERR_LIMIT "too-many-files" (half of RLIMIT_NOFILE is what a hold takes;
 * copies of small files share one descriptor), ERR_IO "no-space", ERR_CONFLICT
 * "changed-while-read". NULL when cancelled (ERR_UNAVAILABLE "cancelled"),
 * without memory, or if a name comes twice (ERR_USAGE). The tree may be
 * released while the hold lives. After fork the child may read, too.
 */
struct hold *hold_open(const struct file_tree *t, const struct bytes *names,
    size_t count, const struct hold_options *options, struct error *err)
    MUST_USE;
void hold_close(struct hold *h);

/* hold_hash is tree_hash of what is held. `options->source` is not looked at.
 */
bool hold_hash(struct hold *h, struct tree_piece *pieces, size_t count,
    const struct tree_hash_options *options, struct error *err) MUST_USE;

/* hold_reached is the weakest kind of all files, HELD_NONE if one of them is
 * not held; hold_reached_file that of one. Of no files it is HELD_VERITY. */
enum hold_kind hold_reached(const struct hold *h);
enum hold_kind hold_reached_file(const struct hold *h, struct bytes name);

/* hold_size is the size of a held file in bytes, as it was hashed; false for a
 * name that is not held. */
bool hold_size(const struct hold *h, struct bytes name, uint64_t *out) MUST_USE;

/*
 * hold_check: no byte changed since it was hashed, up to this moment, as far as
 * its kind of hold can know (see above). ERR_CONFLICT reason "file-changed"
 * names a file whose lease is broken or being broken, or (`open`) which is not
 * as it was. Once false, always false.
 */
bool hold_check(struct hold *h, struct error *err) MUST_USE;

/*
 * Reading. These say with errno what is wrong: ENOENT a name that is not held.
 * hold_open_file is a new descriptor (O_CLOEXEC, read only) with an offset of
 * its own; it needs /proc (ENOTSUP), or copies once more what is a small copy.
 * hold_read reads at most up to the size that was hashed; 0 is the end.
 * hold_map is valid until hold_close, and `*size` bytes long; never under
 * `open` (EPERM): a mapping would show whatever becomes of the file.
 */
int hold_open_file(struct hold *h, struct bytes name) MUST_USE;
ssize_t hold_read(struct hold *h, struct bytes name, void *to, size_t len,
    uint64_t offset) MUST_USE;
const void *hold_map(struct hold *h, struct bytes name, size_t *size) MUST_USE;

/*
 * hold_dir makes a private folder (0700) in the folder `parent`, with links to
 * /proc/self/fd of all files, for those who want paths; it goes with the hold.
 * Its path is absolute if `parent` is, and the hold's. Only if all files are
 * held by `copy` or `verity` (else ERR_DENIED reason "hold-too-weak"): who has
 * a path maps it, and a mapping is read after any check. A second call gives
 * the same folder. Only this process and its forks can follow the links; a
 * program of the same user can replace them.
 */
const char *hold_dir(struct hold *h, const char *parent, struct error *err)
    MUST_USE;

#endif
