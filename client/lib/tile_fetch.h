/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_TILE_FETCH_H
#define MTLOG_CLIENT_LIB_TILE_FETCH_H

#include "core/base/buf.h"
#include "core/base/error.h"

#define TILE_FETCH_WORKERS 16

/* A tile of hashes is at most 8 KiB, a bundle 256 entries of 64 KiB. */
#define TILE_FETCH_MAX ((size_t)256 * (2 + 65535))

/*
 * Where a log's checkpoint, tiles and bundles come from, as C2SP tlog-tiles
 * lays them out. Nothing that comes out of it is believed: tiles.h does that.
 * Each worker has a connection of its own; several may fetch at once.
 */
struct tile_fetch;

/*
 * How a test, or a folder of files, stands in for a server: `get` appends what
 * lies at `path` ("/tile/0/000"). ERR_NOTFOUND for a 404.
 */
struct tile_source {
	bool (*get)(void *arg, unsigned worker, const char *path,
	    struct buf *out, struct error *err);
	void *arg;
};

/* What a client is made of. */
struct tile_fetch_options {
	const char *url; /* the log's base; or a `source` */
	struct tile_source source;
	const char *cache;   /* a folder for what never changes, or NULL */
	unsigned timeout_ms; /* of one request with all that is tried again */
};

/* tile_fetch_open copies the options' texts. ERR_USAGE, ERR_INTERNAL,
 * ERR_UNAVAILABLE (no libcurl). */
struct tile_fetch *tile_fetch_open(
    const struct tile_fetch_options *o, struct error *err) MUST_USE;
void tile_fetch_close(struct tile_fetch *f);

/* tile_fetch_cancel ends what is being fetched, and all that follows, with
 * ERR_UNAVAILABLE "cancelled". Any thread may call it. */
void tile_fetch_cancel(struct tile_fetch *f);

/*
 * tile_fetch_get appends what the server has at `path`. Asks again while it is
 * busy (429, 503: as long as Retry-After says) and there is time. ERR_NOTFOUND
 * for 404, 403 and 410, ERR_LIMIT, ERR_UNAVAILABLE with the reasons "network",
 * "throttled", "server-error"; redirects are not followed.
 */
bool tile_fetch_get(struct tile_fetch *f, unsigned worker, const char *path,
    struct buf *out, struct error *err) MUST_USE;

/*
 * tile_fetch_checkpoint appends the log's newest checkpoint, whoever signed it.
 * One that is not there, and an answer that is no checkpoint at all, are the
 * log's failure: reason "server-error", nothing appended, and never "not
 * found" or "malformed". Else as tile_fetch_get.
 */
bool tile_fetch_checkpoint(
    struct tile_fetch *f, struct buf *note, struct error *err) MUST_USE;

/* tile_fetch_answered is what a status means that a log answers `path` with:
 * 200 is fine, all else as tile_fetch_get has it. */
bool tile_fetch_answered(const char *url, const char *path, unsigned status,
    struct error *err) MUST_USE;

/*
 * tile_fetch_cached appends what the cache has for `path`, ERR_NOTFOUND if it
 * has nothing; tile_fetch_keep puts something there, once it was believed, and
 * tile_fetch_forget takes it away. A cache that cannot be written is none.
 */
bool tile_fetch_cached(struct tile_fetch *f, const char *path, struct buf *out,
    struct error *err) MUST_USE;
void tile_fetch_keep(struct tile_fetch *f, const char *path, struct bytes data);
void tile_fetch_forget(struct tile_fetch *f, const char *path);

#endif
