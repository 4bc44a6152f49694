/* SPDX-License-Identifier: Apache-2.0 */
#include "server/lookup_tail.h"

#include <stdlib.h>

#define TABLE_MIN 1024
#define NO_ROW	  UINT32_MAX

void
segment_release(struct segment *s)
{
	free(s->rows);
	free(s->next);
	free(s->heads);
	free(s->late);
	*s = (struct segment){0};
}

static size_t
slot_of(const struct segment *s, enum index_kind kind, const struct hash *key)
{
	uint64_t x;

	/* Keys are hashes that submitters can choose only by work; a skewed
	 * table costs time in this process, never a wrong answer. */
	memcpy(&x, key->b, sizeof(x));
	return (size_t)(x * 31 + (uint64_t)kind) & (s->table - 1);
}

static void
segment_link(struct segment *s, uint32_t row)
{
	size_t slot = slot_of(s, s->rows[row].kind, &s->rows[row].key);

	s->next[row] = s->heads[slot];
	s->heads[slot] = row;
}

static bool
segment_grow(struct segment *s, size_t need, struct error *err)
{
	size_t cap = s->cap ? s->cap : TABLE_MIN;
	struct index_row *rows;
	uint32_t *next, *heads, *late;

	if (need <= s->cap)
		return true;
	while (cap < need)
		cap *= 2;
	rows = realloc(s->rows, cap * sizeof(*rows));
	if (rows)
		s->rows = rows;
	next = realloc(s->next, cap * sizeof(*next));
	if (next)
		s->next = next;
	/* Seldom used; what is never written costs no memory. */
	late = realloc(s->late, cap * sizeof(*late));
	if (late)
		s->late = late;
	heads = malloc(cap * sizeof(*heads));
	if (!rows || !next || !late || !heads) {
		free(heads);
		return error_set(err, ERR_INTERNAL, "out of memory");
	}
	free(s->heads);
	s->heads = heads;
	s->cap = s->table = cap;
	for (size_t i = 0; i < s->table; i++)
		heads[i] = NO_ROW;
	/* Those that are late have their place in that order, too. */
	for (uint32_t i = 0, n = 0; i < s->count; i++)
		if (n < s->late_count && s->late[n] == i)
			n++;
		else
			segment_link(s, i);
	return true;
}

static void
row_add(struct segment *s, enum index_kind kind, const struct hash *key,
    uint64_t index)
{
	s->rows[s->count] =
	    (struct index_row){.kind = kind, .key = *key, .index = index};
	segment_link(s, (uint32_t)s->count);
	s->count++;
}

/* Rows of links. They cannot fail any more: there is room. */
static void
add_links(struct segment *s, const struct lookup_batch *b)
{
	for (size_t i = 0; i < b->row_count; i++) {
		const struct index_row *r = &b->rows[i];

		if (r->index >= b->first) {
			row_add(s, r->kind, &r->key, r->index);
			continue;
		}
		s->late[s->late_count++] = (uint32_t)s->count;
		s->rows[s->count++] = *r;
	}
}

bool
segment_add(struct segment *s, const struct lookup_batch *b, struct error *err)
{
	if (!segment_grow(s, s->count + batch_rows(b), err))
		return false;
	for (size_t i = 0; i < b->count; i++) {
		const struct lookup_keys *k = &b->keys[i];

		row_add(s, INDEX_LEAF, &k->leaf, b->first + i);
		row_add(s, INDEX_DIGEST, &k->digest, b->first + i);
		row_add(s, INDEX_SIGNER, &k->signer, b->first + i);
	}
	add_links(s, b);
	return true;
}

static bool
before(const struct window *w, uint64_t a, uint64_t b)
{
	return w->newest_first ? a > b : a < b;
}

void
window_add(struct window *w, uint64_t index)
{
	size_t i = w->count;

	if (before(w, index, w->from))
		return;
	while (i > 0 && before(w, index, w->out[i - 1]))
		i--;
	if (i > 0 && w->out[i - 1] == index)
		return;
	if (i == w->max)
		return;
	if (w->count < w->max)
		w->count++;
	memmove(
	    &w->out[i + 1], &w->out[i], (w->count - i - 1) * sizeof(w->out[0]));
	w->out[i] = index;
}

static void
reverse(uint64_t *v, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		uint64_t first = v[i];

		v[i] = v[n - 1 - i];
		v[n - 1 - i] = first;
	}
}

/*
 * What the tail has, into an empty window. Its chains go from the newest row
 * back, so newest first ends as soon as enough is found; the other way the
 * last `max` rows before `from` are kept. No row costs more than a step: the
 * sequencer waits for this lock.
 */
static void
chains_find(const struct segment *const segments[2], enum index_kind kind,
    const struct hash *key, struct window *w)
{
	size_t seen = 0, cut;

	for (size_t i = 0; i < 2 && w->max > 0; i++) {
		const struct segment *s = segments[i];
		uint32_t r =
		    s->count > 0 ? s->heads[slot_of(s, kind, key)] : NO_ROW;

		for (; r != NO_ROW; r = s->next[r]) {
			const struct index_row *row = &s->rows[r];

			if (row->kind != kind || !hash_equal(&row->key, key))
				continue;
			if (!w->newest_first && row->index < w->from)
				break;
			if (!before(w, row->index, w->from))
				w->out[seen++ % w->max] = row->index;
			if (w->newest_first && seen == w->max)
				break;
		}
		if (w->newest_first && seen == w->max)
			break;
	}
	w->count = seen < w->max ? seen : w->max;
	if (w->newest_first)
		return;
	/* The oldest is where the next would have gone. */
	cut = seen > w->max ? seen % w->max : w->count;
	reverse(w->out, cut);
	reverse(w->out + cut, w->count - cut);
}

/* The rows that are in no chain, into a window in order. */
static void
late_find(const struct segment *const segments[2], enum index_kind kind,
    const struct hash *key, struct window *w)
{
	for (size_t i = 0; i < 2; i++)
		for (size_t n = 0; n < segments[i]->late_count; n++) {
			const struct segment *s = segments[i];
			const struct index_row *r = &s->rows[s->late[n]];

			if (r->kind == kind && hash_equal(&r->key, key))
				window_add(w, r->index);
		}
}

void
segments_find(const struct segment *const segments[2], enum index_kind kind,
    const struct hash *key, struct window *w)
{
	chains_find(segments, kind, key, w);
	if (kind > INDEX_SIGNER)
		late_find(segments, kind, key, w);
}
