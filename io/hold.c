/* SPDX-License-Identifier: Apache-2.0 */
#include "io/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "io/hold_parts.h"

#define NAMES_MAX ((size_t)256 << 20)

static const char *const kind_names[] = {
    [HELD_NONE] = "none",
    [HELD_OPEN] = "open",
    [HELD_LEASE] = "lease",
    [HELD_COPY] = "copy",
    [HELD_VERITY] = "verity",
};

const char *
hold_kind_name(enum hold_kind kind)
{
	return kind_names[kind];
}

unsigned
hold_at_least(enum hold_kind minimum)
{
	unsigned set = 0;

	for (unsigned kind = minimum; kind <= HELD_VERITY; kind++)
		set |= kind == HELD_NONE ? 0 : HELD_BIT(kind);
	return set;
}

bool
hold_slot(struct hold *h)
{
	if (atomic_fetch_add(&h->slots, 1) < h->slots_max)
		return true;
	hold_slot_back(h);
	return false;
}

void
hold_slot_back(struct hold *h)
{
	atomic_fetch_sub(&h->slots, 1);
}

/* The ways that keep the file itself open: a descriptor of the hold's share. */
static enum hold_try
take_file(struct hold *h, struct held *f, enum hold_kind kind, int fd)
{
	enum hold_try took;

	if (!hold_slot(h)) {
		f->fault = tree_fault_of(EMFILE);
		return HOLD_NOT;
	}
	took = kind == HELD_VERITY ? hold_take_verity(f, fd)
	    : kind == HELD_LEASE   ? hold_take_lease(f, fd)
				   : hold_take_open(f, fd);
	if (took != HOLD_HELD)
		hold_slot_back(h);
	return took;
}

/* The first way that is accepted and can be had. */
static enum hold_try
take_any(struct hold *h, struct held *f, unsigned worker, int fd)
{
	static const enum hold_kind orders[2][4] = {
	    {HELD_VERITY, HELD_LEASE, HELD_COPY, HELD_OPEN},
	    /* Descriptors are scarce: they are for what is large. */
	    {HELD_COPY, HELD_VERITY, HELD_LEASE, HELD_OPEN},
	};
	bool scarce = h->crowded && f->size < HOLD_OWN_COPY;

	for (size_t i = 0; i < 4; i++) {
		enum hold_kind kind = orders[scarce][i];
		enum hold_try took;

		if (!(h->options->accept & HELD_BIT(kind)))
			continue;
		took = kind == HELD_COPY ? hold_take_copy(h, f, worker, fd)
					 : take_file(h, f, kind, fd);
		if (took == HOLD_HELD)
			f->kind = kind;
		if (took != HOLD_NOT)
			return took;
	}
	return HOLD_NOT;
}

static void
take_hold(struct hold *h, struct held *f, unsigned worker)
{
	enum hold_try took;
	struct stat st;
	int fd = file_tree_open_file(
	    h->tree, f->name, h->options->links, &st, &f->fault);

	if (fd < 0)
		return;
	f->size = (uint64_t)st.st_size;
	took = take_any(h, f, worker, fd);
	if (took == HOLD_HELD) {
		f->fault = (struct tree_fault){0};
		return;
	}
	(void)close(fd);
	if (f->fault.code == ERR_NONE)
		f->fault =
		    (struct tree_fault){ERR_UNAVAILABLE, "hold-unavailable", 0};
}

static void
work(void *arg, unsigned i)
{
	struct hold *h = arg;

	while (!meter_stopped(&h->meter)) {
		size_t at = atomic_fetch_add(&h->next, 1);

		if (at >= h->count)
			break;
		meter_begin(&h->meter, i, &h->files[at].name);
		take_hold(h, &h->files[at], i);
	}
	meter_begin(&h->meter, i, NULL);
}

static void
idle(void *arg)
{
	struct hold *h = arg;

	meter_tell(&h->meter, false);
}

static int
by_name(const void *a, const void *b)
{
	const struct held *x = a, *y = b;
	size_t len = x->name.len < y->name.len ? x->name.len : y->name.len;
	int order = len > 0 ? memcmp(x->name.ptr, y->name.ptr, len) : 0;

	return order != 0
	    ? order
	    : (x->name.len > y->name.len) - (x->name.len < y->name.len);
}

static bool
put_names(
    struct hold *h, const struct bytes *names, size_t count, struct error *err)
{
	h->files = calloc(count > 0 ? count : 1, sizeof(*h->files));
	if (!h->files)
		return error_set(err, ERR_INTERNAL, "out of memory");
	for (size_t i = 0; i < count; i++) {
		struct held *f = &h->files[i];

		*f = (struct held){.fd = -1, .link_fd = -1};
		if (!arena_dup(&h->storage, names[i], &f->name, err))
			return false;
		h->count++;
	}
	if (count > 1)
		qsort(h->files, count, sizeof(*h->files), by_name);
	for (size_t i = 1; i < count; i++)
		if (bytes_equal(h->files[i - 1].name, h->files[i].name))
			return error_set(
			    err, ERR_USAGE, "a file is to be held twice");
	return true;
}

static bool
take_all(struct hold *h, struct error *err)
{
	unsigned threads = workers_count(h->options->threads, h->count);
	bool ok = true;

	for (unsigned i = 0; i < threads; i++) {
		h->blocks[i] = aligned_alloc(4096, HOLD_BLOCK);
		ok = ok && h->blocks[i];
	}
	if (ok)
		workers_run(threads, work, idle, h);
	for (unsigned i = 0; i < threads; i++) {
		free(h->blocks[i]);
		h->blocks[i] = NULL;
	}
	if (!ok)
		return error_set(err, ERR_INTERNAL, "out of memory");
	meter_tell(&h->meter, true);
	if (meter_stopped(&h->meter))
		return error_reason(err, ERR_UNAVAILABLE, "cancelled",
		    "stopped before all files were held");
	return hold_copy_finish(h, err);
}

static bool
prepare(
    struct hold *h, const struct bytes *names, size_t count, struct error *err)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return error_set(
		    err, ERR_INTERNAL, "getrlimit: %s", strerror(errno));
	h->slots_max = limit.rlim_cur / 2;
	h->crowded = count > h->slots_max;
	meter_init(&h->meter, h->options->progress, h->options->arg,
	    h->options->total);
	return arena_dup(&h->storage, h->tree->base, &h->base, err) &&
	    put_names(h, names, count, err);
}

struct hold *
hold_open(const struct file_tree *t, const struct bytes *names, size_t count,
    const struct hold_options *options, struct error *err)
{
	size_t size = (sizeof(struct hold) + 63) & ~(size_t)63;
	struct hold *h = aligned_alloc(64, size);

	if (!h) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	memset(h, 0, size);
	(void)pthread_mutex_init(&h->lock, NULL);
	h->tree = t;
	h->options = options;
	h->arena.fd = -1;
	arena_init(&h->storage, NAMES_MAX);
	if (!prepare(h, names, count, err) || !take_all(h, err)) {
		hold_close(h);
		return NULL;
	}
	h->tree = NULL;
	h->options = NULL;
	h->reached = HELD_VERITY;
	for (size_t i = 0; i < h->count; i++)
		if (h->files[i].kind < h->reached)
			h->reached = h->files[i].kind;
	return h;
}

void
hold_close(struct hold *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->count; i++) {
		struct held *f = &h->files[i];

		if (f->map)
			(void)munmap(f->map, f->size);
		if (f->fd >= 0)
			(void)close(f->fd);
		if (f->link_fd >= 0)
			(void)close(f->link_fd);
	}
	if (h->arena.map)
		(void)munmap((void *)(uintptr_t)h->arena.map, h->arena.size);
	if (h->arena.fd >= 0)
		(void)close(h->arena.fd);
	/* Last: it needs descriptors. */
	hold_dir_remove(h);
	free(h->files);
	arena_release(&h->storage);
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
}

static struct held *
find(const struct hold *h, struct bytes name)
{
	struct held wanted = {.name = name};

	return bsearch(&wanted, h->files, h->count, sizeof(*h->files), by_name);
}

struct held *
hold_get(struct hold *h, struct bytes name)
{
	struct held *f = find(h, name);

	if (f && f->kind != HELD_NONE)
		return f;
	errno = ENOENT;
	return NULL;
}

enum hold_kind
hold_reached(const struct hold *h)
{
	return h->reached;
}

bool
hold_size(const struct hold *h, struct bytes name, uint64_t *out)
{
	const struct held *f = find(h, name);

	if (!f || f->fault.code != ERR_NONE)
		return false;
	*out = f->size;
	return true;
}

enum hold_kind
hold_reached_file(const struct hold *h, struct bytes name)
{
	const struct held *f = find(h, name);

	return f ? f->kind : HELD_NONE;
}

static bool
source(void *arg, struct bytes name, struct tree_source *out,
    struct tree_fault *fault)
{
	const struct hold *h = arg;
	const struct held *f = find(h, name);

	if (!f || f->kind == HELD_NONE) {
		*fault = f ? f->fault : tree_fault_of(ENOENT);
		return false;
	}
	*out = (struct tree_source){.fd = f->fd >= 0 ? f->fd : h->arena.fd,
	    .offset = f->offset,
	    .size = f->size};
	return true;
}

bool
hold_hash(struct hold *h, struct tree_piece *pieces, size_t count,
    const struct tree_hash_options *options, struct error *err)
{
	struct tree_hash_options held = *options;

	held.source = source;
	held.source_arg = h;
	return tree_hash(NULL, pieces, count, &held, err);
}

bool
hold_check(struct hold *h, struct error *err)
{
	char name[300];

	for (size_t i = 0; i < h->count; i++) {
		const struct held *f = &h->files[i];
		bool ok = f->kind == HELD_LEASE ? hold_check_lease(f)
		    : f->kind == HELD_OPEN	? hold_check_open(f)
						: f->kind != HELD_NONE;

		if (ok)
			continue;
		atomic_store(&h->broken, true);
		return error_reason(err, ERR_CONFLICT, "file-changed",
		    "%s may have been changed after it was hashed",
		    tree_printable(f->name, name, sizeof(name)));
	}
	if (!atomic_load(&h->broken))
		return true;
	return error_reason(err, ERR_CONFLICT, "file-changed",
	    "a file may have been changed after it was hashed");
}

int
hold_again(int fd)
{
	char path[40];
	int again;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	/* Not the file is missing, but /proc. */
	if (again < 0 && errno == ENOENT)
		errno = ENOTSUP;
	return again;
}

int
hold_open_file(struct hold *h, struct bytes name)
{
	const struct held *f = hold_get(h, name);

	if (!f)
		return -1;
	/* Of the shared copy no one gets more than one file. */
	return f->fd >= 0 ? hold_again(f->fd)
			  : hold_copy_single(h->arena.fd, f->offset, f->size);
}

ssize_t
hold_read(
    struct hold *h, struct bytes name, void *to, size_t len, uint64_t offset)
{
	const struct held *f = hold_get(h, name);

	if (!f)
		return -1;
	if (offset >= f->size)
		return 0;
	if (len > f->size - offset)
		len = (size_t)(f->size - offset);
	return tree_read_at(
	    f->fd >= 0 ? f->fd : h->arena.fd, to, len, f->offset + offset);
}

/* Under the lock. */
static const uint8_t *
map_file(struct hold *h, struct held *f)
{
	void *p;

	if (f->fd < 0 && h->arena.map)
		return (const uint8_t *)h->arena.map + f->offset;
	if (f->map)
		return f->map;
	/* Private: kernels before 6.7 take a shared one for one that may be
	 * written, which a sealed file does not have. */
	p = mmap(NULL, f->fd < 0 ? h->arena.size : f->size, PROT_READ,
	    MAP_PRIVATE, f->fd < 0 ? h->arena.fd : f->fd, 0);
	if (p == MAP_FAILED)
		return NULL;
	if (f->fd < 0) {
		h->arena.map = p;
		return (const uint8_t *)p + f->offset;
	}
	f->map = p;
	return p;
}

const void *
hold_map(struct hold *h, struct bytes name, size_t *size)
{
	struct held *f = hold_get(h, name);
	const uint8_t *p;

	if (!f)
		return NULL;
	if (f->kind == HELD_OPEN) {
		errno = EPERM;
		return NULL;
	}
	*size = (size_t)f->size;
	/* Nothing cannot be mapped. */
	if (f->size == 0)
		return "";
	(void)pthread_mutex_lock(&h->lock);
	p = map_file(h, f);
	(void)pthread_mutex_unlock(&h->lock);
	return p;
}
