/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_TREE_H
#define MTLOG_IO_TREE_H

#include <sys/stat.h>

#include "core/base/arena.h"
#include "core/crypto/content.h"

#define TREE_MAX_FILES	 1000000 /* names in a folder tree, folders too */
#define TREE_MAX_DEPTH	 64
#define TREE_MAX_THREADS 64

/* What a name is. Links are never followed while walking. */
enum tree_kind { TREE_FILE = 1, TREE_LINK, TREE_OTHER };

struct tree_file {
	struct bytes name; /* relative, '/' between components; "." = the model
			    * itself is a file */
	enum tree_kind kind;
	uint64_t size; /* bytes, when walked; 0 of what is no regular file */
};

/*
 * The files of a model on disk: a folder (every name below it; folders
 * themselves are not listed) or one file. Opened once; everything later goes
 * through the descriptor of its root, beneath it (openat2), never by path.
 */
struct file_tree {
	int root;	   /* descriptor: the folder, or that of the file */
	bool single;	   /* the model is one file */
	struct bytes base; /* the last component of the resolved path: bytes as
			    * they are on disk, "/" of the root folder */
	size_t count;
	struct tree_file *files; /* by name, bytewise; malloc'd */
	struct arena storage;
};

/* FILE_TREE_INIT is a released tree: `root` is no descriptor. */
#define FILE_TREE_INIT                                                         \
	{                                                                      \
		.root = -1                                                     \
	}

/*
 * file_tree_open opens `path` relative to `dirfd` (AT_FDCWD) and walks it. The
 * path may lead through links; nothing below it does. `skip` (may be NULL) says
 * of a relative path that it and what is below is not to be looked at. `*out`
 * needs no initialisation. ERR_NOTFOUND, ERR_DENIED (reason "permission", or
 * "file-type" if it is neither folder nor regular file), ERR_IO with the path;
 * ERR_LIMIT; ERR_SYNTAX for a name that is not UTF-8 (reason "file-type");
 * ERR_CONFLICT reason "changed-while-read" if folders move meanwhile.
 */
bool file_tree_open(int dirfd, const char *path,
    bool (*skip)(void *arg, struct bytes name), void *arg,
    struct file_tree *out, struct error *err) MUST_USE;
void file_tree_release(struct file_tree *t);

/* file_tree_find is the entry of that name, or NULL. */
const struct tree_file *file_tree_find(
    const struct file_tree *t, struct bytes name);

/*
 * Why one file could not be had, without text: a million of them cost little.
 * `code` 0: nothing is wrong. `cause` is an errno or 0.
 */
struct tree_fault {
	enum error_code code;
	const char *reason;
	int cause;
};

/* tree_fault_explain sets `err` to it and a sentence; returns false. */
bool tree_fault_explain(
    const struct tree_fault *fault, struct bytes name, struct error *err);

/*
 * file_tree_open_file opens one file beneath the root for reading: no link is
 * followed (with `links`, links that stay beneath the root are), regular files
 * only, never waits, O_CLOEXEC. "." is a single file, as is its own name; other
 * names than file_tree_open could list are ERR_SYNTAX. The descriptor and
 * `*st`, or -1 with `fault`: ERR_NOTFOUND "file-missing", ERR_DENIED
 * "file-type" or "permission", ERR_LIMIT "too-many-files", ERR_IO.
 */
int file_tree_open_file(const struct file_tree *t, struct bytes name,
    bool links, struct stat *st, struct tree_fault *fault) MUST_USE;

/* A piece of work for tree_hash: bytes [start, end) of a file, the whole file
 * if `end` is 0. */
struct tree_piece {
	struct bytes name;
	uint64_t start, end;
	uint64_t size;	    /* in: bytes expected if known, else 0 (big ones go
			* first, and for few there is one thread); out: bytes
			* that were hashed */
	uint64_t file_size; /* out: of the whole file, as it was opened: says
			     * whether anything follows the last shard */
	struct tree_fault fault; /* out: what was wrong with this one */
	uint8_t digest[CONTENT_DIGEST_MAX]; /* out, unless there is a fault */
};

/* Where bytes of a file come from: [offset, offset + size) of `fd`. */
struct tree_source {
	int fd;
	uint64_t offset;
	uint64_t size;
};

/* How tree_hash works, and what it tells. */
struct tree_hash_options {
	enum content_algorithm algorithm;
	unsigned threads; /* 0: one a processor, as far as they are worth it */
	bool links;	  /* follow links beneath the root */
	uint64_t total;	  /* bytes, for the progress; 0: not known */
	/* About ten times a second and once at the end, from the thread that
	 * called tree_hash; false cancels. */
	bool (*progress)(
	    void *arg, struct bytes name, uint64_t done, uint64_t total);
	void *arg;
	/* Instead of opening by name, from any thread: false with `fault`.
	 * tree_hash does not close the descriptor. NULL: file_tree_open_file */
	bool (*source)(void *arg, struct bytes name, struct tree_source *out,
	    struct tree_fault *fault);
	void *source_arg;
};

/*
 * tree_hash hashes all pieces, in parallel over files and shards, with a fixed
 * amount of memory (256 KiB a thread). A piece that fails keeps its own
 * `fault`, and the call goes on: as file_tree_open_file; ERR_CONFLICT
 * "changed-while-read" if the file grew or shrank meanwhile, "file-changed" if
 * it ends before the shard does. False only when cancelled (ERR_UNAVAILABLE
 * reason "cancelled") or when nothing could be done at all. Signals are left to
 * the caller's threads. `t` may be NULL if there is a `source`.
 */
bool tree_hash(const struct file_tree *t, struct tree_piece *pieces,
    size_t count, const struct tree_hash_options *options, struct error *err)
    MUST_USE;

#endif
