/* SPDX-License-Identifier: Apache-2.0 */
#include "io/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "io/tree_parts.h"

#define NAMES_MAX  ((size_t)256 << 20) /* bytes of all names together */
#define BLOCK_SIZE 65536	       /* of names read from a folder at once */
#define OPEN_TRIES 16

/* A folder that is still to be read. */
struct folder {
	struct bytes name; /* "." is the root */
	unsigned depth;
};

struct walk {
	struct file_tree *tree;
	bool (*skip)(void *arg, struct bytes name);
	void *arg;
	struct folder *folders; /* a stack */
	size_t pending, folders_cap;
	size_t files_cap;
	size_t names; /* seen: files and folders */
	uint8_t *block;
};

static void
walk_release(struct walk *w)
{
	free(w->folders);
	free(w->block);
	*w = (struct walk){0};
}

void
file_tree_release(struct file_tree *t)
{
	if (t->root >= 0)
		(void)close(t->root);
	free(t->files);
	arena_release(&t->storage);
	*t = (struct file_tree)FILE_TREE_INIT;
}

/* What an errno of openat2, fstat or pread means for one file. */
static const struct {
	int cause;
	enum error_code code;
	const char *reason;
} causes[] = {
    {ENOENT, ERR_NOTFOUND, "file-missing"},
    {ENOTDIR, ERR_NOTFOUND, "file-missing"},
    {ELOOP, ERR_DENIED, "file-type"},
    {EXDEV, ERR_DENIED, "file-type"},
    {ENXIO, ERR_DENIED, "file-type"},
    {EISDIR, ERR_DENIED, "file-type"},
    {EACCES, ERR_DENIED, "permission"},
    {EPERM, ERR_DENIED, "permission"},
    {EMFILE, ERR_LIMIT, "too-many-files"},
    {ENFILE, ERR_LIMIT, "too-many-files"},
    {ENOSPC, ERR_IO, "no-space"},
    {ENAMETOOLONG, ERR_LIMIT, NULL},
    {EAGAIN, ERR_UNAVAILABLE, NULL},
    {ENOSYS, ERR_UNAVAILABLE, NULL},
    {ENOMEM, ERR_INTERNAL, NULL},
};

struct tree_fault
tree_fault_of(int cause)
{
	for (size_t i = 0; i < sizeof(causes) / sizeof(causes[0]); i++)
		if (causes[i].cause == cause)
			return (struct tree_fault){
			    causes[i].code, causes[i].reason, cause};
	return (struct tree_fault){ERR_IO, NULL, cause};
}

/* UTF-8 without control characters (C0, DEL, C1): may reach a terminal. */
static bool
is_plain(struct bytes name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] < 0x20 || name.ptr[i] == 0x7f ||
		    (name.ptr[i] == 0xc2 && i + 1 < name.len &&
			name.ptr[i + 1] < 0xa0))
			return false;
	return utf8_valid(name);
}

/* A name for a sentence, escaped and cut where it must be. */
const char *
tree_printable(struct bytes name, char *out, size_t size)
{
	bool plain = is_plain(name);
	size_t n = 0;

	for (size_t i = 0; i < name.len; i++) {
		uint8_t c = name.ptr[i];
		bool starts = !plain || (c & 0xc0) != 0x80;

		if (starts && n + 8 > size) {
			n += (size_t)snprintf(out + n, size - n, "...");
			break;
		}
		if (plain || (c >= 0x20 && c < 0x7f))
			out[n++] = (char)c;
		else
			n += (size_t)snprintf(out + n, size - n, "\\x%02x", c);
	}
	out[n] = '\0';
	return out;
}

/* By reason; what has none is told with the errno's own words. */
static const struct {
	const char *reason;
	const char *sentence;
} sentences[] = {
    {"file-missing", "is missing"},
    {"file-type", "is a link, or no regular file"},
    {"changed-while-read", "changed while it was read"},
    {"file-changed", "is shorter than it should be"},
    {"hold-unavailable", "cannot be held as it was asked for"},
    {"too-many-files", "needs one more open file than there may be"},
    {"no-space", "cannot be copied: there is no room"},
};

bool
tree_fault_explain(
    const struct tree_fault *fault, struct bytes name, struct error *err)
{
	const char *reason = fault->reason;
	char text[300];

	(void)tree_printable(name, text, sizeof(text));
	for (size_t i = 0;
	     reason && i < sizeof(sentences) / sizeof(sentences[0]); i++)
		if (strcmp(sentences[i].reason, reason) == 0)
			return error_reason(err, fault->code, reason, "%s %s",
			    text, sentences[i].sentence);
	if (fault->cause == 0)
		return error_reason(
		    err, fault->code, reason, "cannot read %s", text);
	return error_reason(err, fault->code, reason, "cannot read %s: %s",
	    text, strerror(fault->cause));
}

static bool
failed(int cause, struct bytes name, struct error *err)
{
	struct tree_fault fault = tree_fault_of(cause);

	return tree_fault_explain(&fault, name, err);
}

/* What was just listed is gone or another thing now. */
static bool
moved(struct bytes name, struct error *err)
{
	struct tree_fault fault = {ERR_CONFLICT, "changed-while-read", 0};

	return tree_fault_explain(&fault, name, err);
}

/* A path below the root as a string; false if it is too long for one. */
static bool
path_of(struct bytes name, char out[PATH_MAX])
{
	if (name.len >= PATH_MAX)
		return false;
	memcpy(out, name.ptr, name.len);
	out[name.len] = '\0';
	return true;
}

/* openat2 beneath `root`: a descriptor, or -1 with errno. */
static int
open_beneath(int root, const char *path, uint64_t flags, bool links)
{
	struct open_how how = {
	    .flags = flags | O_CLOEXEC,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS |
		(links ? 0U : RESOLVE_NO_SYMLINKS),
	};
	int tries = 0;
	long fd;

	/* EAGAIN: something was renamed just now, and it could not be told
	 * whether the path left the root. */
	do
		fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
	while (fd < 0 && (errno == EAGAIN || errno == EINTR) &&
	    ++tries < OPEN_TRIES);
	return (int)fd;
}

/* Makes room for one more of `size` bytes in an array of `count`. */
static bool
grow(void **array, size_t count, size_t *cap, size_t size)
{
	size_t more = *cap > 0 ? *cap * 2 : 64;
	void *p;

	if (count < *cap)
		return true;
	p = reallocarray(*array, more, size);
	if (!p)
		return false;
	*array = p;
	*cap = more;
	return true;
}

static bool
put_folder(struct walk *w, struct folder folder, struct error *err)
{
	if (folder.depth > TREE_MAX_DEPTH)
		return error_set(err, ERR_LIMIT,
		    "the folders of the model are more than %d deep",
		    TREE_MAX_DEPTH);
	if (!grow((void **)&w->folders, w->pending, &w->folders_cap,
		sizeof(*w->folders)))
		return error_set(err, ERR_INTERNAL, "out of memory");
	w->folders[w->pending++] = folder;
	return true;
}

static bool
put_file(struct walk *w, struct bytes name, enum tree_kind kind, uint64_t size,
    struct error *err)
{
	struct file_tree *t = w->tree;

	if (!grow(
		(void **)&t->files, t->count, &w->files_cap, sizeof(*t->files)))
		return error_set(err, ERR_INTERNAL, "out of memory");
	t->files[t->count++] =
	    (struct tree_file){.name = name, .kind = kind, .size = size};
	return true;
}

/* The path of `entry` in `folder`, in `out`. */
static bool
join(struct bytes folder, const char *entry, char out[PATH_MAX],
    struct bytes *joined, struct error *err)
{
	struct bytes last = bytes_str(entry);
	size_t at = 0;

	if (folder.len + 1 + last.len >= PATH_MAX)
		return error_set(err, ERR_LIMIT,
		    "a path in the model is longer than %d bytes",
		    PATH_MAX - 1);
	if (!bytes_equal(folder, BYTES_LIT("."))) {
		memcpy(out, folder.ptr, folder.len);
		out[folder.len] = '/';
		at = folder.len + 1;
	}
	memcpy(out + at, last.ptr, last.len);
	*joined = bytes_of(out, at + last.len);
	return true;
}

/* One name of the folder open as `fd`, which readdir said is of `type`. */
static bool
put_entry(struct walk *w, const struct folder *folder, int fd,
    const struct dirent64 *e, struct error *err)
{
	char path[PATH_MAX];
	struct bytes name;
	struct statx st = {0};

	if (!join(folder->name, e->d_name, path, &name, err))
		return false;
	if (w->skip && w->skip(w->arg, name))
		return true;
	if (++w->names > TREE_MAX_FILES)
		return error_set(err, ERR_LIMIT,
		    "the model has more than %d files and folders",
		    TREE_MAX_FILES);
	if (!utf8_valid(bytes_str(e->d_name)))
		return error_reason(err, ERR_SYNTAX, "file-type",
		    "the name of a file in the model is not UTF-8");
	if (!arena_dup(&w->tree->storage, name, &name, err))
		return false;
	if (e->d_type == DT_DIR)
		return put_folder(
		    w, (struct folder){name, folder->depth + 1}, err);
	if (e->d_type == DT_LNK)
		return put_file(w, name, TREE_LINK, 0, err);
	if (e->d_type != DT_REG && e->d_type != DT_UNKNOWN)
		return put_file(w, name, TREE_OTHER, 0, err);
	if (statx(fd, e->d_name, AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_SIZE,
		&st) != 0)
		return errno == ENOENT ? moved(name, err)
				       : failed(errno, name, err);
	if (S_ISDIR(st.stx_mode))
		return put_folder(
		    w, (struct folder){name, folder->depth + 1}, err);
	if (S_ISREG(st.stx_mode))
		return put_file(w, name, TREE_FILE, st.stx_size, err);
	return put_file(
	    w, name, S_ISLNK(st.stx_mode) ? TREE_LINK : TREE_OTHER, 0, err);
}

static bool
read_block(struct walk *w, const struct folder *folder, int fd, size_t len,
    struct error *err)
{
	for (size_t at = 0; at < len;) {
		const struct dirent64 *e = (const void *)(w->block + at);

		at += e->d_reclen;
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (!put_entry(w, folder, fd, e, err))
			return false;
	}
	return true;
}

static bool
read_folder(struct walk *w, const struct folder *folder, struct error *err)
{
	char path[PATH_MAX];
	ssize_t n;
	int fd;

	if (!path_of(folder->name, path))
		return failed(ENAMETOOLONG, folder->name, err);
	fd = open_beneath(
	    w->tree->root, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, false);
	if (fd < 0)
		return errno == ELOOP || errno == ENOTDIR || errno == ENOENT
		    ? moved(folder->name, err)
		    : failed(errno, folder->name, err);
	while ((n = getdents64(fd, w->block, BLOCK_SIZE)) > 0)
		if (!read_block(w, folder, fd, (size_t)n, err)) {
			(void)close(fd);
			return false;
		}
	if (n < 0)
		(void)failed(errno, folder->name, err);
	(void)close(fd);
	return n == 0;
}

static int
by_name(const void *a, const void *b)
{
	const struct tree_file *x = a, *y = b;
	size_t len = x->name.len < y->name.len ? x->name.len : y->name.len;
	int order = memcmp(x->name.ptr, y->name.ptr, len);

	return order != 0
	    ? order
	    : (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

static bool
walk(struct walk *w, struct error *err)
{
	struct file_tree *t = w->tree;

	w->block = malloc(BLOCK_SIZE);
	if (!w->block)
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (!put_folder(w, (struct folder){BYTES_LIT("."), 0}, err))
		return false;
	while (w->pending > 0) {
		struct folder folder = w->folders[--w->pending];

		if (!read_folder(w, &folder, err))
			return false;
	}
	if (t->count > 1)
		qsort(t->files, t->count, sizeof(*t->files), by_name);
	/* A file renamed meanwhile may have been listed under one name twice.
	 */
	for (size_t i = 1; i < t->count; i++)
		if (bytes_equal(t->files[i - 1].name, t->files[i].name))
			return moved(t->files[i].name, err);
	return true;
}

/* The path that the kernel has for a descriptor, without links. */
static bool
resolved(int fd, const char *path, char out[PATH_MAX], struct error *err)
{
	char link[40];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, out, PATH_MAX);
	if (n <= 0 || n >= PATH_MAX || out[0] != '/')
		return error_set(err, ERR_IO,
		    "cannot tell where %s is: /proc does not say", path);
	out[n] = '\0';
	return true;
}

/* The model is the file at `path`; its folder becomes the root. */
static bool
open_single(
    struct file_tree *t, const struct stat *st, char *path, struct error *err)
{
	char *slash = strrchr(path, '/');
	struct tree_fault fault = {0};
	struct stat found;
	struct walk w = {.tree = t};
	int again;

	t->single = true;
	if (!arena_dup(&t->storage, bytes_str(slash + 1), &t->base, err))
		return false;
	*slash = '\0';
	t->root =
	    open(slash == path ? "/" : path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (t->root < 0)
		return failed(errno, bytes_str(path), err);
	again = file_tree_open_file(t, BYTES_LIT("."), false, &found, &fault);
	if (again < 0)
		return tree_fault_explain(&fault, t->base, err);
	(void)close(again);
	/* Between the two looks another file may have taken its name. */
	if (found.st_dev != st->st_dev || found.st_ino != st->st_ino)
		return moved(t->base, err);
	return put_file(
	    &w, BYTES_LIT("."), TREE_FILE, (uint64_t)found.st_size, err);
}

/* The root of `t` from `fd` (O_PATH), and what it is called. */
static bool
open_root(struct file_tree *t, int fd, const char *path, struct error *err)
{
	char real[PATH_MAX];
	const char *slash;
	struct stat st;

	if (fstat(fd, &st) != 0)
		return failed(errno, bytes_str(path), err);
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return error_reason(err, ERR_DENIED, "file-type",
		    "%s is neither a folder nor a regular file", path);
	if (!resolved(fd, path, real, err))
		return false;
	if (S_ISREG(st.st_mode))
		return open_single(t, &st, real, err);
	slash = strrchr(real, '/');
	if (!arena_dup(&t->storage, bytes_str(slash[1] ? slash + 1 : "/"),
		&t->base, err))
		return false;
	t->root = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return t->root >= 0 || failed(errno, bytes_str(path), err);
}

bool
file_tree_open(int dirfd, const char *path,
    bool (*skip)(void *arg, struct bytes name), void *arg,
    struct file_tree *out, struct error *err)
{
	AUTO(walk) w = {.tree = out, .skip = skip, .arg = arg};
	bool ok;
	int fd;

	*out = (struct file_tree)FILE_TREE_INIT;
	arena_init(&out->storage, NAMES_MAX);
	fd = openat(dirfd, path, O_PATH | O_CLOEXEC);
	if (fd < 0) {
		struct tree_fault fault = tree_fault_of(errno);

		return error_reason(err, fault.code, fault.reason,
		    "cannot open %s: %s", path, strerror(fault.cause));
	}
	ok = open_root(out, fd, path, err) && (out->single || walk(&w, err));
	(void)close(fd);
	if (!ok)
		file_tree_release(out);
	return ok;
}

const struct tree_file *
file_tree_find(const struct file_tree *t, struct bytes name)
{
	struct tree_file wanted = {.name = name};

	return t->count > 0
	    ? bsearch(&wanted, t->files, t->count, sizeof(*t->files), by_name)
	    : NULL;
}

/* Relative, and each component the name of something: not "", ".", "..". */
bool
tree_name_relative(struct bytes name)
{
	size_t start = 0;

	for (size_t i = 0; i <= name.len; i++) {
		struct bytes part;

		if (i < name.len && name.ptr[i] == '\0')
			return false;
		if (i < name.len && name.ptr[i] != '/')
			continue;
		part = bytes_slice(name, start, i);
		if (part.len == 0 || bytes_equal(part, BYTES_LIT(".")) ||
		    bytes_equal(part, BYTES_LIT("..")))
			return false;
		start = i + 1;
	}
	return true;
}

int
file_tree_open_file(const struct file_tree *t, struct bytes name, bool links,
    struct stat *st, struct tree_fault *fault)
{
	char path[PATH_MAX];
	int fd;

	if (t->single && bytes_equal(name, BYTES_LIT(".")))
		name = t->base;
	else if (t->single && !bytes_equal(name, t->base)) {
		*fault = tree_fault_of(ENOENT);
		return -1;
	}
	if (!tree_name_relative(name)) {
		*fault = (struct tree_fault){ERR_SYNTAX, "file-type", EINVAL};
		return -1;
	}
	/* O_NONBLOCK: what became a pipe since the walk does not stop us. */
	fd = path_of(name, path) ? open_beneath(t->root, path,
				       O_RDONLY | O_NONBLOCK | O_NOCTTY |
					   (links ? 0U : (unsigned)O_NOFOLLOW),
				       links)
				 : (errno = ENAMETOOLONG, -1);
	if (fd >= 0 && fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		return fd;
	*fault = tree_fault_of(fd < 0 ? errno : EISDIR);
	if (fd >= 0)
		(void)close(fd);
	return -1;
}
