/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_SUPPORT_MEMORY_TREE_H
#define MTLOG_TESTS_SUPPORT_MEMORY_TREE_H

#include <stdio.h>
#include <stdlib.h>

#include "core/tlog/merkle.h"

#define MEMORY_TREE_LEVELS 20

/*
 * Every node of a tree in memory, for tests. As a node_reader it serves the
 * first `limit` leaves, counts reads, and fails with ERR_INTERNAL when asked
 * for a node that is not complete there.
 */
struct memory_tree {
	uint64_t size;
	uint64_t capacity;
	uint64_t limit;
	unsigned reads;
	struct hash *level[MEMORY_TREE_LEVELS];
};

/* memory_tree_init makes an empty tree for up to `capacity` < 2^20 leaves. */
static inline void
memory_tree_init(struct memory_tree *t, uint64_t capacity)
{
	*t = (struct memory_tree){.capacity = capacity};
	for (unsigned k = 0; k < MEMORY_TREE_LEVELS; k++) {
		t->level[k] =
		    calloc((size_t)(capacity >> k) + 1, sizeof(struct hash));
		if (!t->level[k])
			abort();
	}
}

static inline void
memory_tree_release(struct memory_tree *t)
{
	for (unsigned k = 0; k < MEMORY_TREE_LEVELS; k++)
		free(t->level[k]);
	*t = (struct memory_tree){0};
}

/* memory_tree_add appends a leaf hash and the nodes it completes. */
static inline void
memory_tree_add(
    struct memory_tree *t, struct hasher *h, const struct hash *leaf)
{
	uint64_t i = t->size++;

	if (i >= t->capacity)
		abort();
	t->level[0][i] = *leaf;
	for (unsigned k = 0; i & 1; k++, i >>= 1)
		merkle_node(h, &t->level[k][i - 1], &t->level[k][i],
		    &t->level[k + 1][i / 2]);
	t->limit = t->size;
}

/* memory_tree_lie adds leaves that no other tree has, up to `size`. */
static inline void
memory_tree_lie(
    struct memory_tree *t, struct hasher *h, uint64_t size, const char *lie)
{
	struct hash leaf;

	merkle_leaf(h, bytes_str(lie), &leaf);
	while (t->size < size)
		memory_tree_add(t, h, &leaf);
}

/* memory_tree_fill adds entries that are decimal numbers, up to `size`. */
static inline void
memory_tree_fill(struct memory_tree *t, struct hasher *h, uint64_t size)
{
	while (t->size < size) {
		char text[24];
		struct hash leaf;

		(void)snprintf(
		    text, sizeof(text), "%llu", (unsigned long long)t->size);
		merkle_leaf(h, bytes_str(text), &leaf);
		memory_tree_add(t, h, &leaf);
	}
}

static inline bool
memory_tree_read(
    void *arg, struct node_place place, struct hash *out, struct error *err)
{
	struct memory_tree *t = arg;

	t->reads++;
	if (place.height >= MEMORY_TREE_LEVELS ||
	    place.index >= t->limit >> place.height)
		return error_set(err, ERR_INTERNAL,
		    "node %u/%llu is not complete", place.height,
		    (unsigned long long)place.index);
	*out = t->level[place.height][place.index];
	return true;
}

/* memory_tree_nodes is the reader over the first `size` leaves. */
static inline struct node_reader
memory_tree_nodes(struct memory_tree *t, uint64_t size)
{
	if (size > t->size)
		abort();
	t->limit = size;
	return (struct node_reader){memory_tree_read, t};
}

#endif
