/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/tile_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/tlog/checkpoint.h"
#include "io/clock.h"
#include "io/file.h"
#include "io/http.h"

#define URL_MAX	   4096
#define NS_PER_MS  UINT64_C(1000000)
#define WAIT_MS	   250 /* where a busy server does not say how long */
#define BREAKS_MAX 2   /* connections that may break in one request */
#define MS_PER_SEC 1000
#define PIECE_MS   100 /* of a wait, between two looks at `cancelled` */

struct tile_fetch {
	struct tile_source source;
	char *url, *cache;
	unsigned timeout_ms;
	atomic_uint temporaries; /* names of them, one each */
	atomic_bool cancelled;
	_Atomic(struct http *) http[TILE_FETCH_WORKERS]; /* opened when first
							    used */
};

struct tile_fetch *
tile_fetch_open(const struct tile_fetch_options *o, struct error *err)
{
	struct tile_fetch *f = calloc(1, sizeof(*f));
	size_t n = o->url ? strlen(o->url) : 0;

	while (n > 0 && o->url[n - 1] == '/')
		n--;
	if (f) {
		f->source = o->source;
		f->timeout_ms = o->timeout_ms;
		f->url = strndup(o->url ? o->url : "", n);
		f->cache = o->cache ? strdup(o->cache) : NULL;
	}
	if (!f || !f->url || (o->cache && !f->cache)) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		tile_fetch_close(f);
		return NULL;
	}
	if (!f->source.get && n == 0) {
		(void)error_set(err, ERR_USAGE, "the log has no address");
		tile_fetch_close(f);
		return NULL;
	}
	return f;
}

void
tile_fetch_close(struct tile_fetch *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < TILE_FETCH_WORKERS; i++)
		http_close(atomic_load(&f->http[i]));
	free(f->url);
	free(f->cache);
	free(f);
}

void
tile_fetch_cancel(struct tile_fetch *f)
{
	/* Whoever opens one afterwards looks at this. */
	atomic_store(&f->cancelled, true);
	for (size_t i = 0; i < TILE_FETCH_WORKERS; i++) {
		struct http *http = atomic_load(&f->http[i]);

		if (http)
			http_cancel(http);
	}
}

/* --- the network --- */

bool
tile_fetch_answered(
    const char *url, const char *path, unsigned status, struct error *err)
{
	if (status == 200)
		return true;
	/* Buckets whose contents are not to be listed say 403. */
	if (status == 404 || status == 403 || status == 410)
		return error_set(err, ERR_NOTFOUND, "%s has no %s (status %u)",
		    url, path, status);
	if (status >= 300 && status < 400)
		return error_reason(err, ERR_UNAVAILABLE, "server-error",
		    "%s sends us elsewhere (status %u), and we do not follow; "
		    "give the log's own address",
		    url, status);
	if (status == 429 || status == 503)
		return error_reason(err, ERR_UNAVAILABLE, "throttled",
		    "%s is busy or not ready (status %u)", url, status);
	return error_reason(err, ERR_UNAVAILABLE, "server-error",
	    "%s answers %s with status %u", url, path, status);
}

/* Waits as long as the server says, if there is that much time. */
static bool
wait_for(const struct tile_fetch *f, uint64_t deadline, unsigned seconds)
{
	const struct timespec piece = {0, PIECE_MS * (long)NS_PER_MS};
	unsigned ms = seconds ? seconds * MS_PER_SEC : WAIT_MS;
	uint64_t end = clock_monotonic_ns() + ms * NS_PER_MS;

	if (end >= deadline)
		return false;
	while (!atomic_load(&f->cancelled) && clock_monotonic_ns() < end)
		(void)nanosleep(&piece, NULL);
	return !atomic_load(&f->cancelled);
}

/* Busy, or a connection that broke: an audit takes hours, and a proxy's restart
 * is no reason to end it. */
static bool
again(bool ok, const struct http_answer *a, const struct error *why,
    unsigned *breaks)
{
	if (ok)
		return a->status == 429 || a->status == 503;
	return why->code == ERR_UNAVAILABLE && ++*breaks <= BREAKS_MAX;
}

static bool
ask(struct tile_fetch *f, struct http *http, const char *path, struct buf *out,
    struct error *err)
{
	struct http_answer a = {.body = BUF_INIT(out->limit)};
	uint64_t deadline = clock_monotonic_ns() + f->timeout_ms * NS_PER_MS;
	char url[URL_MAX];
	int n = snprintf(url, sizeof(url), "%s%s", f->url, path);
	unsigned breaks = 0;
	struct error why;
	bool ok;

	if (n < 0 || (size_t)n >= sizeof(url))
		return error_set(
		    err, ERR_USAGE, "the log's address is too long");
	do {
		uint64_t now = clock_monotonic_ns();
		unsigned left = now < deadline
		    ? (unsigned)((deadline - now) / NS_PER_MS) + 1
		    : 1;

		buf_clear(&a.body);
		a.status = 0;
		a.retry_after = 0;
		why = (struct error){0};
		http_limit(http, left);
		ok = http_get(http, url, &a, &why);
	} while (again(ok, &a, &why, &breaks) &&
	    wait_for(f, deadline, a.retry_after));
	if (!ok && atomic_load(&f->cancelled))
		why.reason = "cancelled";
	else if (!ok && why.code == ERR_LIMIT)
		why.reason = "server-error";
	if (!ok)
		*err = why;
	ok = ok && tile_fetch_answered(f->url, path, a.status, err);
	if (ok)
		buf_put(out, buf_bytes(&a.body));
	buf_release(&a.body);
	return ok && buf_ok(out, err);
}

/* There compressing takes longer than sending. */
static bool
is_loopback(const char *url)
{
	return strncmp(url, "http://127.", 11) == 0 ||
	    strncmp(url, "http://[::1]", 12) == 0 ||
	    strncmp(url, "http://localhost", 16) == 0;
}

bool
tile_fetch_get(struct tile_fetch *f, unsigned worker, const char *path,
    struct buf *out, struct error *err)
{
	struct http *http;

	if (f->source.get)
		return f->source.get(f->source.arg, worker, path, out, err);
	if (worker >= TILE_FETCH_WORKERS)
		return error_set(err, ERR_INTERNAL, "too many workers");
	http = atomic_load(&f->http[worker]);
	if (!http) {
		http = http_open(f->timeout_ms, err);
		if (!http)
			return false;
		if (!is_loopback(f->url))
			http_compressed(http);
		atomic_store(&f->http[worker], http);
	}
	/* After the handle is where tile_fetch_cancel finds it. */
	if (atomic_load(&f->cancelled))
		return error_reason(
		    err, ERR_UNAVAILABLE, "cancelled", "stopped");
	return ask(f, http, path, out, err);
}

/* What a portal, a broken proxy or an empty file says is no word of the log. */
static bool
is_checkpoint(struct bytes text, struct error *err)
{
	AUTO(note) note = {0};
	struct checkpoint c;
	struct error why = {0};

	if (note_parse(text, &note, &why) &&
	    checkpoint_parse(note.text, &c, &why))
		return true;
	if (why.code == ERR_INTERNAL)
		return error_set(err, ERR_INTERNAL, "%s", why.text);
	return error_reason(err, ERR_SYNTAX, "server-error",
	    "what the log shows for its checkpoint is none: %s", why.text);
}

bool
tile_fetch_checkpoint(struct tile_fetch *f, struct buf *note, struct error *err)
{
	struct buf text = BUF_INIT(note->limit);
	struct error why = {0};
	bool ok = tile_fetch_get(f, 0, "/checkpoint", &text, &why);

	if (why.code == ERR_NOTFOUND || why.code == ERR_LIMIT) {
		why.code = ERR_UNAVAILABLE;
		why.reason = "server-error";
	}
	if (!ok && err->code == ERR_NONE)
		*err = why;
	ok = ok && is_checkpoint(buf_bytes(&text), err);
	if (ok)
		buf_put(note, buf_bytes(&text));
	buf_release(&text);
	return ok && buf_ok(note, err);
}

/* --- the cache --- */

/* The file of a path; malloc'd. */
static char *
file_of(const struct tile_fetch *f, const char *path)
{
	return f->cache ? path_join(f->cache, path[0] == '/' ? path + 1 : path)
			: NULL;
}

bool
tile_fetch_cached(
    struct tile_fetch *f, const char *path, struct buf *out, struct error *err)
{
	char *file = file_of(f, path);
	bool ok = file ? file_read(file, out, err)
		       : error_set(err, ERR_NOTFOUND, "there is no cache");

	free(file);
	return ok;
}

static void
make_folders(char *file)
{
	for (char *p = strchr(file + 1, '/'); p; p = strchr(p + 1, '/')) {
		*p = '\0';
		(void)mkdir(file, 0700);
		*p = '/';
	}
}

static bool
write_whole(const char *file, struct bytes data)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	bool ok = fd >= 0;

	while (ok && data.len > 0) {
		ssize_t n = write(fd, data.ptr, data.len);

		if (n < 0 && errno == EINTR)
			continue;
		ok = n > 0;
		if (ok)
			data = bytes_slice(data, (size_t)n, data.len);
	}
	if (fd >= 0 && close(fd) != 0)
		ok = false;
	return ok;
}

/* No fsync: what a crash leaves of it is looked at like anything else. */
void
tile_fetch_keep(struct tile_fetch *f, const char *path, struct bytes data)
{
	char *file = file_of(f, path), *temporary = NULL;
	unsigned n = atomic_fetch_add(&f->temporaries, 1);

	if (file &&
	    asprintf(&temporary, "%s.%ld.%u", file, (long)getpid(), n) < 0)
		temporary = NULL;
	if (temporary) {
		make_folders(file);
		if (!write_whole(temporary, data) ||
		    rename(temporary, file) != 0)
			(void)unlink(temporary);
	}
	free(temporary);
	free(file);
}

void
tile_fetch_forget(struct tile_fetch *f, const char *path)
{
	char *file = file_of(f, path);

	if (file)
		(void)unlink(file);
	free(file);
}
