/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_SUPPORT_STORE_PLACE_H
#define MTLOG_TESTS_SUPPORT_STORE_PLACE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/store/store.h"

/*
 * A log store in a folder of its own, and entries whose contents follow from
 * their numbers. For tests; include after <cmocka.h>.
 */
#define TILE_LEN ((size_t)TILE_WIDTH * HASH_LEN)
#define LEAF_LEN 490

struct place {
	char dir[64];
	const struct store_backend *backend;
	struct store *store;
	struct store_reader *reader;
};

static inline void
must(bool ok, const struct error *err)
{
	if (!ok)
		fail_msg("%s (%s)", err->text, error_reason_name(err));
}

static inline void
refused(
    bool ok, const struct error *err, enum error_code code, const char *reason)
{
	assert_false(ok);
	assert_int_equal(err->code, code);
	assert_string_equal(error_reason_name(err), reason);
}

static inline void
open_place(struct place *p)
{
	struct error err = {0};
	p->store = p->backend->open(p->dir, false, &err);
	must(p->store != NULL, &err);
	must(p->backend->settle(p->store, &err), &err);
	p->reader = p->backend->reader_open(p->store, &err);
	must(p->reader != NULL, &err);
}

static inline void
close_place(struct place *p)
{
	p->backend->reader_close(p->reader);
	p->backend->close(p->store);
}

static inline void
make_dir(struct place *p)
{
	/* a name in which a URI would see more than a name */
	snprintf(p->dir, sizeof(p->dir), "/tmp/mtlog%%41?#store.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
}

static inline void
make_place(struct place *p, const struct store_backend *backend)
{
	struct error err = {0};
	p->backend = backend;
	make_dir(p);
	must(backend->create(p->dir, &err), &err);
	open_place(p);
}

static inline void
path_in(const struct place *p, const char *name, char out[128])
{
	snprintf(out, 128, "%s/%s", p->dir, name);
}

static inline void
remove_dir(struct place *p)
{
	static const char *const names[] = {
	    "log.db", "log.db-wal", "log.db-shm", "log.db-keep", "copy.db"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[128];
		path_in(p, names[i], path);
		unlink(path);
	}
	assert_int_equal(rmdir(p->dir), 0);
}

static inline void
end_place(struct place *p)
{
	close_place(p);
	remove_dir(p);
}

/* Entry i: its number, then a pattern. */
static inline size_t
leaf_of(uint64_t i, uint8_t out[LEAF_LEN])
{
	memset(out, (int)(i * 31), LEAF_LEN);
	for (unsigned k = 0; k < 8; k++)
		out[k] = (uint8_t)(i >> (8 * k));
	return i % 7 == 3 ? 0 : LEAF_LEN - i % 5;
}

static inline bool
append(struct place *p, uint64_t first, size_t count,
    const struct store_tile *tiles, size_t tile_count, struct error *err)
{
	uint8_t(*text)[LEAF_LEN] = calloc(count + 1, sizeof(*text));
	struct bytes *leaves = calloc(count + 1, sizeof(*leaves));
	for (size_t i = 0; i < count; i++)
		leaves[i] = bytes_of(text[i], leaf_of(first + i, text[i]));
	struct store_batch b = {.first = first,
	    .count = count,
	    .leaves = leaves,
	    .tile_count = tile_count,
	    .tiles = tiles};
	bool ok = p->backend->append(p->store, &b, err);
	free(text);
	free(leaves);
	return ok;
}

static inline void
must_append(struct place *p, uint64_t first, size_t count)
{
	struct error err = {0};
	must(append(p, first, count, NULL, 0, &err), &err);
}

static inline uint64_t
size_of(struct place *p)
{
	struct error err = {0};
	uint64_t size = 77;
	must(p->backend->size(p->store, &size, &err), &err);
	return size;
}

static inline bool
count_leaf(void *arg, uint64_t index, struct bytes leaf, struct error *err)
{
	uint8_t want[LEAF_LEN];
	size_t len = leaf_of(index, want);
	++*(uint64_t *)arg;
	return bytes_equal(leaf, bytes_of(want, len)) ||
	    error_set(err, ERR_INTERNAL, "entry %llu differs",
		(unsigned long long)index);
}

static inline void
must_read(struct place *p, uint64_t first, uint64_t count)
{
	struct error err = {0};
	uint64_t seen = 0;
	must(p->backend->read_entries(
		 p->reader, first, count, count_leaf, &seen, &err),
	    &err);
	assert_int_equal(seen, count);
}

/* Envelope `n`, linked from entry `index` by signer `signer`: everything about
 * it follows from its number. `text` is its payload's place. */
#define PAYLOAD_MAX 9000

static inline struct store_link
link_of(unsigned n, unsigned signer, uint64_t index, uint8_t text[PAYLOAD_MAX])
{
	struct store_link l = {.index = index, .type = BYTES_LIT("a/type")};
	memset(l.s.b, 0x40 + (int)n, sizeof(l.s.b));
	memset(l.sha384, 0x80 + (int)n, sizeof(l.sha384));
	memset(l.sha512, 0xc0 + (int)n, sizeof(l.sha512));
	memset(l.signer.b, (int)signer, sizeof(l.signer.b));
	memset(text, (int)n + 1, PAYLOAD_MAX);
	l.payload = bytes_of(text, n == 3 ? 0 : PAYLOAD_MAX - n);
	return l;
}

#endif
