/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_HOLD_PARTS_H
#define MTLOG_IO_HOLD_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "io/hold.h"
#include "io/meter.h"
#include "io/tree_parts.h"

/* What hold*.c share, and no one else has. */

/* Files of this size or more get a copy of their own; smaller ones share one,
 * and so do all once there are no more descriptors. */
#define HOLD_OWN_COPY ((uint64_t)1 << 20)

/* A file's identity: who replaces or rewrites it in the usual ways changes
 * some of it. */
struct hold_identity {
	dev_t dev;
	ino_t ino;
	struct timespec modified, changed;
};

struct held {
	struct bytes name;
	enum hold_kind kind;
	struct tree_fault fault; /* if it is not held */
	int fd;			 /* of its own, or -1: in the shared copy */
	uint64_t offset;	 /* there */
	uint64_t size;
	void *map;   /* under `lock` */
	int link_fd; /* what the folder of links names, if not `fd`; or -1 */
	struct hold_identity identity; /* under `open` */
};

/* The copy that many files share: a memory file, or one in a scratch folder. */
struct hold_arena {
	int fd; /* -1: none yet */
	uint64_t used, size;
	const void *map; /* under the hold's lock */
};

struct hold {
	size_t count;
	struct held *files; /* by name, bytewise */
	struct arena storage;
	struct bytes base; /* of the tree: what "." is called in a folder */
	enum hold_kind reached;
	atomic_bool broken;
	struct hold_arena arena;
	pthread_mutex_t lock; /* arena while copying, maps, folder */
	/* While taking hold. */
	const struct file_tree *tree;
	const struct hold_options *options;
	atomic_size_t next, slots; /* slots: descriptors that are used */
	size_t slots_max;
	bool crowded; /* more files than descriptors */
	atomic_uint_least64_t copied;
	struct meter meter;
	uint8_t *blocks[WORKERS_MAX];
	/* The folder of links. */
	char *folder;
	pid_t folder_owner;
};

#define HOLD_BLOCK ((size_t)256 << 10)

/* hold_slot takes a descriptor out of the hold's share; false: none left. */
bool hold_slot(struct hold *h);
void hold_slot_back(struct hold *h);

/*
 * One way to hold the file open as `fd`. HELD: the file has it, and what else
 * its reader needs is set; `fd` then belongs to it if it has none of its own.
 * NOT: this way is not to be had. FAULT: the file itself is at fault.
 */
enum hold_try { HOLD_HELD, HOLD_NOT, HOLD_FAULT };

enum hold_try hold_take_verity(struct held *f, int fd);
enum hold_try hold_take_lease(struct held *f, int fd);
enum hold_try hold_take_copy(
    struct hold *h, struct held *f, unsigned worker, int fd);
enum hold_try hold_take_open(struct held *f, int fd);

/* Whether the way still holds. */
bool hold_check_lease(const struct held *f);
bool hold_check_open(const struct held *f);

/* hold_copy_finish closes the shared copy against writing. */
bool hold_copy_finish(struct hold *h, struct error *err) MUST_USE;

/* hold_copy_single is a sealed memory file with a copy of bytes that are
 * held already, or -1 with errno. */
int hold_copy_single(int fd, uint64_t offset, uint64_t size);

/* hold_get is the file of that name if it is held, or NULL with ENOENT. */
struct held *hold_get(struct hold *h, struct bytes name);

/* hold_again opens what `fd` is a second time, for reading; -1 with errno. */
int hold_again(int fd);

/* hold_dir_remove takes the folder of links away. */
void hold_dir_remove(struct hold *h);

#endif
