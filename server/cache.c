/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cache.h"

#include <pthread.h>
#include <stdlib.h>

#define CACHE_BUCKETS 4096 /* a power of two; a few thousand items at most */

struct cache {
	pthread_mutex_t lock;
	size_t budget;
	size_t bytes;
	struct cache_item *buckets[CACHE_BUCKETS];
	struct cache_item *newest, *oldest;
};

struct cache *
cache_open(size_t budget, struct error *err)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (!c) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	c->budget = budget;
	(void)pthread_mutex_init(&c->lock, NULL);
	return c;
}

static size_t
bucket_of(enum cache_kind kind, uint8_t level, uint64_t index)
{
	uint64_t x = index * 0x9e3779b97f4a7c15u;

	return (size_t)((x >> 40) + 31u * level + 7u * kind) &
	    (CACHE_BUCKETS - 1);
}

static void
list_remove(struct cache *c, struct cache_item *i)
{
	if (i->newer)
		i->newer->older = i->older;
	else
		c->newest = i->older;
	if (i->older)
		i->older->newer = i->newer;
	else
		c->oldest = i->newer;
	i->newer = i->older = NULL;
}

static void
list_add(struct cache *c, struct cache_item *i)
{
	i->newer = NULL;
	i->older = c->newest;
	if (c->newest)
		c->newest->newer = i;
	else
		c->oldest = i;
	c->newest = i;
}

static struct cache_item **
find(struct cache *c, enum cache_kind kind, uint8_t level, uint64_t index)
{
	struct cache_item **p = &c->buckets[bucket_of(kind, level, index)];

	while (*p &&
	    ((*p)->kind != kind || (*p)->level != level ||
		(*p)->index != index))
		p = &(*p)->chain;
	return p;
}

static struct cache_item *
unlink_item(struct cache *c, struct cache_item **p)
{
	struct cache_item *i = *p;

	*p = i->chain;
	i->chain = NULL;
	list_remove(c, i);
	c->bytes -= i->bytes;
	return i;
}

struct cache_item *
cache_get(struct cache *c, enum cache_kind kind, uint8_t level, uint64_t index)
{
	struct cache_item *i;

	(void)pthread_mutex_lock(&c->lock);
	i = *find(c, kind, level, index);
	if (i) {
		httpd_body_hold(&i->body);
		if (c->newest != i) {
			list_remove(c, i);
			list_add(c, i);
		}
	}
	(void)pthread_mutex_unlock(&c->lock);
	return i;
}

/* Takes the oldest evictable items out; returns them as a chain. */
static struct cache_item *
evict(struct cache *c)
{
	struct cache_item *out = NULL;
	struct cache_item *i = c->oldest;

	while (i && c->bytes > c->budget) {
		struct cache_item *newer = i->newer;

		if (!i->pinned) {
			(void)unlink_item(
			    c, find(c, i->kind, i->level, i->index));
			i->chain = out;
			out = i;
		}
		i = newer;
	}
	return out;
}

static void
release_chain(struct cache_item *i)
{
	while (i) {
		struct cache_item *next = i->chain;

		i->chain = NULL;
		httpd_body_release(&i->body);
		i = next;
	}
}

void
cache_put(struct cache *c, struct cache_item *item)
{
	struct cache_item **p, *out;

	httpd_body_hold(&item->body);
	(void)pthread_mutex_lock(&c->lock);
	p = find(c, item->kind, item->level, item->index);
	out = *p ? unlink_item(c, p) : NULL;
	p = &c->buckets[bucket_of(item->kind, item->level, item->index)];
	item->chain = *p;
	*p = item;
	list_add(c, item);
	c->bytes += item->bytes;
	if (out)
		out->chain = evict(c);
	else
		out = evict(c);
	(void)pthread_mutex_unlock(&c->lock);
	release_chain(out);
}

struct cache_item *
cache_take(struct cache *c, enum cache_kind kind, uint8_t level, uint64_t index)
{
	struct cache_item **p, *i = NULL;

	(void)pthread_mutex_lock(&c->lock);
	p = find(c, kind, level, index);
	if (*p)
		i = unlink_item(c, p);
	(void)pthread_mutex_unlock(&c->lock);
	return i;
}

void
cache_unpin(struct cache *c, struct cache_item *item)
{
	(void)pthread_mutex_lock(&c->lock);
	item->pinned = false;
	(void)pthread_mutex_unlock(&c->lock);
}

size_t
cache_bytes(struct cache *c)
{
	size_t n;

	(void)pthread_mutex_lock(&c->lock);
	n = c->bytes;
	(void)pthread_mutex_unlock(&c->lock);
	return n;
}

void
cache_close(struct cache *c)
{
	if (!c)
		return;
	for (size_t b = 0; b < CACHE_BUCKETS; b++)
		release_chain(c->buckets[b]);
	(void)pthread_mutex_destroy(&c->lock);
	free(c);
}
