/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_CACHE_H
#define MTLOG_SERVER_CACHE_H

#include "server/exchange.h"

/*
 * A bounded cache of verified, immutable tiles and bundles, shared by all
 * threads and by answers on their way out. What is pinned (not yet in the
 * store) is never evicted.
 */
enum cache_kind { CACHE_TILE, CACHE_BUNDLE };

/*
 * The first member of whatever is cached; `body.free` frees the whole object.
 * `bytes` is what it costs. The links belong to the cache.
 */
struct cache_item {
	struct httpd_body body;
	enum cache_kind kind;
	uint8_t level;
	uint64_t index;
	size_t bytes;
	bool pinned;
	struct cache_item *chain;
	struct cache_item *newer, *older;
};

struct cache;

/* cache_open makes a cache of about `budget` bytes. ERR_INTERNAL. */
struct cache *cache_open(size_t budget, struct error *err) MUST_USE;
void cache_close(struct cache *c);

/* cache_get returns the item with a reference for the caller, or NULL. */
struct cache_item *cache_get(
    struct cache *c, enum cache_kind kind, uint8_t level, uint64_t index);

/* cache_put adds the item with a reference of the cache's own, in place of an
 * older one of the same key. */
void cache_put(struct cache *c, struct cache_item *item);

/* cache_take removes the item and hands the cache's reference to the caller;
 * NULL if it is not there. */
struct cache_item *cache_take(
    struct cache *c, enum cache_kind kind, uint8_t level, uint64_t index);

/* cache_unpin makes a pinned item evictable. */
void cache_unpin(struct cache *c, struct cache_item *item);

/* cache_bytes is what the cache holds now. */
size_t cache_bytes(struct cache *c);

#endif
