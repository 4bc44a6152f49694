/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <pthread.h>
#include <stdatomic.h>

#include <cmocka.h>

#include "tests/support/store_place.h"

/* The contract of store.h against each backend. */
static const struct store_backend *const backends[] = {
    &store_sqlite,
    &store_memory,
};

static void
test_empty(struct place *p)
{
	struct error err = {0};
	struct hash tile[TILE_WIDTH];
	uint64_t seen = 0;
	assert_int_equal(size_of(p), 0);
	must_read(p, 0, 0);
	refused(
	    p->backend->read_entries(p->reader, 0, 1, count_leaf, &seen, &err),
	    &err, ERR_IO, "store-missing");
	err = (struct error){0};
	refused(p->backend->read_tile(p->reader, 0, 0, tile, &err), &err,
	    ERR_IO, "store-missing");
	assert_int_equal(seen, 0);
}

static void
test_append(struct place *p)
{
	must_append(p, 0, 1);
	must_append(p, 1, 0); /* an empty batch is one */
	must_append(p, 1, 699);
	must_append(p, 700, 3);
	assert_int_equal(size_of(p), 703);
	must_read(p, 0, 703); /* by a reader older than the entries */
	must_read(p, 255, 2);
	must_read(p, 702, 1);
}

static void
test_missing(struct place *p)
{
	static const struct {
		uint64_t first, count, seen;
	} cases[] = {
	    {9, 2, 1},
	    {10, 1, 0},
	    {0, 300, 10},
	    {1u << 20, 1, 0},
	    {UINT64_MAX, 1, 0},
	    {UINT64_MAX - 3, 9, 0},
	    {INT64_MAX, 1, 0},
	};
	must_append(p, 0, 10);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};
		uint64_t seen = 0;
		refused(p->backend->read_entries(p->reader, cases[i].first,
			    cases[i].count, count_leaf, &seen, &err),
		    &err, ERR_IO, "store-missing");
		assert_int_equal(seen, cases[i].seen);
	}
	must_append(p, 10, 1); /* asking too much is not the log's fault */
}

static bool
refuse_third(void *arg, uint64_t index, struct bytes leaf, struct error *err)
{
	(void)leaf;
	++*(uint64_t *)arg;
	return index != 2 || error_set(err, ERR_DENIED, "enough");
}

static void
test_stop(struct place *p)
{
	struct error err = {0};
	uint64_t seen = 0;
	must_append(p, 0, 10);
	refused(p->backend->read_entries(
		    p->reader, 0, 10, refuse_third, &seen, &err),
	    &err, ERR_DENIED, "denied");
	assert_int_equal(seen, 3);
	must_read(p, 0, 10);
}

/* A hole, an overlap, a number that does not fit: never again a write. */
static void
test_wrong_place(struct place *p)
{
	static const uint64_t firsts[] = {6, 4, 0, UINT64_MAX, INT64_MAX};
	for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
		struct error err = {0};
		struct place q;
		make_place(&q, p->backend);
		must_append(&q, 0, 5);
		assert_false(append(&q, firsts[i], 2, NULL, 0, &err));
		assert_int_not_equal(err.code, ERR_UNAVAILABLE);
		err = (struct error){0};
		refused(append(&q, 5, 1, NULL, 0, &err), &err, ERR_IO,
		    "store-unknown");
		err = (struct error){0};
		refused(q.backend->settle(q.store, &err), &err, ERR_IO,
		    "store-unknown");
		assert_int_equal(size_of(&q), 5);
		must_read(&q, 0, 5); /* reads go on */
		end_place(&q);
	}
}

static void
fill(uint8_t hashes[TILE_LEN], int value)
{
	memset(hashes, value, TILE_LEN);
}

static void
expect_tile(struct place *p, uint8_t level, uint64_t index, int value)
{
	struct error err = {0};
	struct hash got[TILE_WIDTH];
	uint8_t want[TILE_LEN];
	fill(want, value);
	must(p->backend->read_tile(p->reader, level, index, got, &err), &err);
	assert_memory_equal(got, want, TILE_LEN);
}

static void
expect_no_tile(struct place *p, uint8_t level, uint64_t index)
{
	struct error err = {0};
	struct hash got[TILE_WIDTH];
	refused(p->backend->read_tile(p->reader, level, index, got, &err), &err,
	    ERR_IO, "store-missing");
}

static void
test_tiles(struct place *p)
{
	static uint8_t a[TILE_LEN], b[TILE_LEN], c[TILE_LEN], d[TILE_LEN];
	struct error err = {0};
	fill(a, 1);
	fill(b, 2);
	fill(c, 3);
	fill(d, 4);
	const struct store_tile tiles[] = {
	    {0, 0, a}, {0, 1, b}, {1, 0, c}, {7, 0, d}};
	must(append(p, 0, 600, tiles, 4, &err), &err);
	expect_tile(p, 0, 0, 1);
	expect_tile(p, 0, 1, 2);
	expect_tile(p, 1, 0, 3);
	expect_tile(p, 7, 0, 4);
	expect_no_tile(p, 0, 2);
	expect_no_tile(p, 1, 1);
	expect_no_tile(p, 2, 0);
	expect_no_tile(p, 0, UINT64_MAX);
	must(
	    p->backend->put_tile(p->store, &(struct store_tile){0, 1, d}, &err),
	    &err);
	expect_tile(p, 0, 1, 4);
	expect_tile(p, 0, 0, 1);
	assert_int_equal(size_of(p), 600);
}

static void
test_truncate(struct place *p)
{
	static const struct {
		uint64_t size;
		bool tile0, tile1;
	} cases[] = {
	    {900, true, true},
	    {600, true, true},
	    {512, true, true},
	    {511, true, false},
	    {256, true, false},
	    {255, false, false},
	    {0, false, false},
	};
	static uint8_t a[TILE_LEN], b[TILE_LEN];
	fill(a, 1);
	fill(b, 2);
	const struct store_tile tiles[] = {{0, 0, a}, {0, 1, b}, {1, 0, a}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct error err = {0};
		struct place q;
		uint64_t left = cases[i].size < 600 ? cases[i].size : 600;
		make_place(&q, p->backend);
		must(append(&q, 0, 600, tiles, 3, &err), &err);
		must(q.backend->truncate(q.store, cases[i].size, &err), &err);
		assert_int_equal(size_of(&q), left);
		must_read(&q, 0, left);
		if (cases[i].tile0)
			expect_tile(&q, 0, 0, 1);
		else
			expect_no_tile(&q, 0, 0);
		if (cases[i].tile1)
			expect_tile(&q, 0, 1, 2);
		else
			expect_no_tile(&q, 0, 1);
		expect_no_tile(&q, 1, 0); /* 65,536 entries never were there */
		must_append(&q, left, 50);
		must_read(&q, 0, left + 50);
		end_place(&q);
	}
}

/* Adds `count` entries and one link; its number, 0 if it was not added. */
static uint64_t
link_with(struct place *p, uint64_t first, size_t count, unsigned n,
    unsigned signer, uint64_t index)
{
	static uint8_t text[LEAF_LEN], payload[PAYLOAD_MAX];
	struct store_link link = link_of(n, signer, index, payload);
	struct bytes leaf = bytes_of(text, leaf_of(first, text));
	struct store_batch b = {.first = first,
	    .count = count,
	    .leaves = &leaf,
	    .link_count = 1,
	    .links = &link};
	struct error err = {0};
	assert_true(count <= 1);
	must(p->backend->append(p->store, &b, &err), &err);
	return link.id;
}

/* Envelope `n` as it reads by each of its digests, below `size` entries. */
static void
expect_envelope(struct place *p, unsigned n, uint64_t size)
{
	static uint8_t payload[PAYLOAD_MAX];
	struct store_link l = link_of(n, 0, 0, payload);
	struct bytes digests[] = {
	    hash_bytes(&l.s), BYTES_OF(l.sha384), BYTES_OF(l.sha512)};
	for (size_t i = 0; i < 3; i++) {
		struct error err = {0};
		struct store_envelope e = {BUF_INIT(64), BUF_INIT(PAYLOAD_MAX)};
		must(p->backend->read_envelope(
			 p->reader, digests[i], size, &e, &err),
		    &err);
		assert_true(bytes_equal(buf_bytes(&e.type), l.type));
		assert_true(bytes_equal(buf_bytes(&e.payload), l.payload));
		buf_release(&e.type);
		buf_release(&e.payload);
		must(p->backend->read_envelope(
			 p->reader, digests[i], size, NULL, &err),
		    &err);
	}
}

static void
expect_no_envelope(
    struct place *p, unsigned n, uint64_t size, const char *reason)
{
	static uint8_t payload[PAYLOAD_MAX];
	struct store_link l = link_of(n, 0, 0, payload);
	struct bytes digests[] = {
	    hash_bytes(&l.s), BYTES_OF(l.sha384), BYTES_OF(l.sha512)};
	for (size_t i = 0; i < 3; i++) {
		struct error err = {0};
		struct store_envelope e = {BUF_INIT(64), BUF_INIT(PAYLOAD_MAX)};
		refused(p->backend->read_envelope(
			    p->reader, digests[i], size, &e, &err),
		    &err, ERR_NOTFOUND, reason);
		assert_int_equal(e.payload.len, 0);
		buf_release(&e.payload);
	}
}

static void
expect_link(struct place *p, unsigned n, unsigned signer, uint64_t index)
{
	static uint8_t payload[PAYLOAD_MAX];
	struct store_link l = link_of(n, signer, 0, payload);
	struct error err = {0};
	uint64_t got = 77;
	bool found =
	    p->backend->find_link(p->reader, &l.s, &l.signer, &got, &err);
	if (index == UINT64_MAX) {
		refused(found, &err, ERR_NOTFOUND, "no-such-envelope");
		return;
	}
	must(found, &err);
	assert_int_equal(got, index);
}

/* What read_links must give, in order. */
struct expected {
	const struct store_link *links;
	size_t count, seen;
};

static bool
same_link(void *arg, const struct store_link *l, struct error *err)
{
	struct expected *e = arg;
	const struct store_link *want = &e->links[e->seen];
	static uint8_t payload[PAYLOAD_MAX];
	struct store_link text = link_of(want->s.b[0] - 0x40u, 0, 0, payload);
	if (e->seen++ >= e->count)
		return error_set(err, ERR_INTERNAL, "one too many");
	assert_int_equal(l->id, want->id);
	assert_int_equal(l->index, want->index);
	assert_true(hash_equal(&l->s, &want->s));
	assert_true(hash_equal(&l->signer, &want->signer));
	assert_memory_equal(l->sha384, text.sha384, sizeof(text.sha384));
	assert_memory_equal(l->sha512, text.sha512, sizeof(text.sha512));
	assert_int_equal(l->dropped, want->dropped);
	assert_true(want->dropped ? l->payload.len == 0 && l->type.len == 0
				  : bytes_equal(l->payload, text.payload) &&
		    bytes_equal(l->type, text.type));
	return true;
}

static void
expect_links(
    struct place *p, uint64_t after, const struct store_link *want, size_t n)
{
	struct expected e = {want, n, 0};
	struct error err = {0};
	must(p->backend->read_links(p->reader, after, same_link, &e, &err),
	    &err);
	assert_int_equal(e.seen, n);
}

static void
expect_counts(struct place *p, uint64_t kept, uint64_t dropped)
{
	struct store_envelopes c;
	struct error err = {0};
	must(p->backend->count_envelopes(p->reader, &c, &err), &err);
	assert_int_equal(c.kept, kept);
	assert_int_equal(c.dropped, dropped);
	assert_int_equal(c.alone, 0);
}

static void
test_envelopes(struct place *p)
{
	static uint8_t text[PAYLOAD_MAX];
	expect_links(p, 0, NULL, 0);
	expect_counts(p, 0, 0);
	expect_no_envelope(p, 1, 9, "no-such-envelope");
	assert_int_equal(link_with(p, 0, 1, 1, 1, 0), 1);
	assert_int_equal(link_with(p, 1, 1, 2, 1, 1), 2);
	/* the same again, by another entry: the first one stands */
	assert_int_equal(link_with(p, 2, 1, 1, 1, 2), 0);
	/* another signer of the same; a known entry that gets its envelope */
	assert_int_equal(link_with(p, 3, 1, 1, 2, 3), 3);
	assert_int_equal(link_with(p, 4, 1, 3, 1, 4), 4); /* empty payload */
	assert_int_equal(link_with(p, 5, 0, 4, 9, 2), 5);
	assert_int_equal(link_with(p, 5, 0, 4, 9, 2), 0);
	assert_int_equal(size_of(p), 5);
	for (unsigned n = 1; n <= 4; n++)
		expect_envelope(p, n, UINT64_MAX);
	/* nothing beyond the published size */
	expect_no_envelope(p, 1, 0, "no-such-envelope");
	expect_envelope(p, 1, 1);
	expect_no_envelope(p, 4, 2, "no-such-envelope");
	expect_envelope(p, 4, 3);
	expect_link(p, 1, 1, 0);
	expect_link(p, 1, 2, 3);
	expect_link(p, 4, 9, 2);
	expect_link(p, 4, 1, UINT64_MAX);
	expect_link(p, 7, 1, UINT64_MAX);
	struct store_link want[] = {link_of(1, 1, 0, text),
	    link_of(2, 1, 1, text), link_of(1, 2, 3, text),
	    link_of(3, 1, 4, text), link_of(4, 9, 2, text)};
	for (size_t i = 0; i < 5; i++)
		want[i].id = i + 1;
	for (size_t i = 0; i <= 5; i++)
		expect_links(p, i, want + i, 5 - i);
	expect_links(p, UINT64_MAX, NULL, 0);
	expect_counts(p, 4, 0);
}

/* Enough that they are read in several transactions. */
static void
test_many_links(struct place *p)
{
	static uint8_t text[PAYLOAD_MAX];
	static struct store_link want[100];
	must_append(p, 0, 1);
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(
		    link_with(p, 1, 0, i % 4, i / 4 + 1, 0), i + 1);
		want[i] = link_of(i % 4, i / 4 + 1, 0, text);
		want[i].id = i + 1;
	}
	for (size_t i = 0; i <= 100; i++)
		expect_links(p, i, want + i, 100 - i);
	expect_counts(p, 4, 0);
}

static void
test_drop_envelope(struct place *p)
{
	static uint8_t text[PAYLOAD_MAX];
	struct store_link l = link_of(1, 1, 0, text), other = l;
	struct error err = {0};
	assert_int_equal(link_with(p, 0, 1, 1, 1, 0), 1);
	assert_int_equal(link_with(p, 1, 1, 2, 1, 1), 2);
	other.s = link_of(5, 1, 0, text).s;
	refused(p->backend->drop_envelope(p->store, &other.s, &err), &err,
	    ERR_NOTFOUND, "no-such-envelope");
	err = (struct error){0};
	must(p->backend->drop_envelope(p->store, &l.s, &err), &err);
	refused(p->backend->drop_envelope(p->store, &l.s, &err), &err,
	    ERR_NOTFOUND, "no-such-envelope");
	expect_no_envelope(p, 1, UINT64_MAX, "envelope-dropped");
	expect_envelope(p, 2, UINT64_MAX);
	expect_counts(p, 1, 1);
	/* for ever: it neither comes back nor gets another link */
	assert_int_equal(link_with(p, 2, 1, 1, 1, 2), 0);
	assert_int_equal(link_with(p, 3, 1, 1, 2, 3), 0);
	expect_no_envelope(p, 1, UINT64_MAX, "envelope-dropped");
	expect_link(p, 1, 1, 0);
	expect_link(p, 1, 2, UINT64_MAX);
	struct store_link want[] = {l, link_of(2, 1, 1, text)};
	want[0].id = 1;
	want[0].dropped = true;
	want[1].id = 2;
	expect_links(p, 0, want, 2);
	/* so it goes into a copy */
	struct place q;
	make_place(&q, p->backend);
	must_append(&q, 0, 1);
	want[0].type = want[0].payload = (struct bytes){0};
	struct store_batch b = {.first = 1, .link_count = 1, .links = want};
	must(q.backend->append(q.store, &b, &err), &err);
	assert_int_equal(want[0].id, 1);
	expect_no_envelope(&q, 1, UINT64_MAX, "envelope-dropped");
	expect_links(&q, 0, want, 1);
	end_place(&q);
}

static void
test_truncate_links(struct place *p)
{
	static uint8_t text[PAYLOAD_MAX];
	struct error err = {0};
	link_with(p, 0, 1, 1, 1, 0);
	link_with(p, 1, 1, 2, 1, 1);
	link_with(p, 2, 1, 1, 2, 2);
	link_with(p, 3, 0, 4, 1, 0);
	must(p->backend->truncate(p->store, 1, &err), &err);
	expect_envelope(p, 1, UINT64_MAX);
	expect_envelope(p, 4, UINT64_MAX);
	expect_no_envelope(p, 2, UINT64_MAX, "no-such-envelope");
	expect_link(p, 1, 2, UINT64_MAX);
	expect_counts(p, 2, 0);
	struct store_link want[] = {
	    link_of(1, 1, 0, text), link_of(4, 1, 0, text)};
	want[0].id = 1;
	want[1].id = 4;
	expect_links(p, 0, want, 2);
	/* numbers go on behind the largest that is left */
	assert_int_equal(link_with(p, 1, 1, 2, 1, 1), 5);
}

/* A link to an entry that is not there: never again a write. */
static void
test_wrong_link(struct place *p)
{
	static uint8_t payload[PAYLOAD_MAX];
	struct store_link link = link_of(1, 1, 5, payload);
	struct store_batch b = {.first = 5, .link_count = 1, .links = &link};
	struct error err = {0};
	must_append(p, 0, 5);
	assert_false(p->backend->append(p->store, &b, &err));
	assert_int_not_equal(err.code, ERR_UNAVAILABLE);
	expect_counts(p, 0, 0);
	err = (struct error){0};
	refused(append(p, 5, 1, NULL, 0, &err), &err, ERR_IO, "store-unknown");
}

/* Readers beside the writer: each sees a prefix, and what was appended before
 * it looked. */
struct shared {
	struct place *place;
	atomic_uint_least64_t published;
	atomic_bool stop, failed;
};

static void *
read_along(void *arg)
{
	struct shared *s = arg;
	const struct store_backend *b = s->place->backend;
	struct error err = {0};
	struct store_reader *r = b->reader_open(s->place->store, &err);
	while (r && !atomic_load(&s->stop)) {
		uint64_t size = atomic_load(&s->published), seen = 0;
		uint64_t first = size > 300 ? size - 300 : 0;
		if (!b->read_entries(
			r, first, size - first, count_leaf, &seen, &err))
			break;
	}
	if (!atomic_load(&s->stop))
		atomic_store(&s->failed, true);
	b->reader_close(r);
	return NULL;
}

static void
test_readers(struct place *p)
{
	struct shared s = {.place = p};
	struct error err = {0};
	pthread_t thread[2];
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(
		    pthread_create(&thread[i], NULL, read_along, &s), 0);
	for (uint64_t i = 0; i < 100; i++) {
		must_append(p, i * 100, 100);
		must(p->backend->compact(p->store, &err), &err);
		atomic_store(&s.published, (i + 1) * 100);
	}
	atomic_store(&s.stop, true);
	for (size_t i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	assert_false(atomic_load(&s.failed));
}

static void
test_contract(void **state)
{
	static const struct {
		const char *name;
		void (*run)(struct place *p);
	} cases[] = {
	    {"empty", test_empty},
	    {"append", test_append},
	    {"missing", test_missing},
	    {"stop", test_stop},
	    {"wrong place", test_wrong_place},
	    {"tiles", test_tiles},
	    {"truncate", test_truncate},
	    {"envelopes", test_envelopes},
	    {"many links", test_many_links},
	    {"drop envelope", test_drop_envelope},
	    {"truncate links", test_truncate_links},
	    {"wrong link", test_wrong_link},
	    {"readers", test_readers},
	};
	(void)state;
	for (size_t b = 0; b < sizeof(backends) / sizeof(backends[0]); b++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			struct place p;
			print_message(
			    "  %s: %s\n", backends[b]->name, cases[i].name);
			make_place(&p, backends[b]);
			cases[i].run(&p);
			end_place(&p);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_contract),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
