/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "client/lib/monitor_parts.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/reader.h"
#include "io/file.h"

#define PATH_LEN 4096

/*
 * A witness sees a head before the log shows it, and a log may be some time
 * behind itself where it is cached: only for longer is it worth a word.
 */
#define BEHIND_S 300

static bool
is_url(const char *place)
{
	return strncmp(place, "http://", 7) == 0 ||
	    strncmp(place, "https://", 8) == 0;
}

/* Where a witness, or another monitor, keeps what it saw of this log. */
static bool
path_of(struct watched *w, char out[PATH_LEN], struct error *err)
{
	AUTO(buf) hex = BUF_INIT(2 * HASH_LEN);
	struct hash h;

	sha256(&w->hasher, vkey_name(&w->log->key), &h);
	hex_put(&hex, hash_bytes(&h));
	(void)snprintf(out, PATH_LEN, "/%.*s/checkpoint", (int)hex.len,
	    (const char *)hex.ptr);
	return hasher_ok(&w->hasher, err);
}

/* Where the thread that ends all finds it. */
static bool
open_place(struct monitor *m, struct watched *w, size_t i,
    const struct tile_fetch_options *o, struct error *err)
{
	struct tile_fetch *f;

	if (w->compared[i])
		return true;
	f = tile_fetch_open(o, err);
	if (!f)
		return false;
	monitor_lock(m);
	w->compared[i] = f;
	if (monitor_stops(m))
		tile_fetch_cancel(f);
	monitor_unlock(m);
	return true;
}

/* An address that ends in /checkpoint is one; others are a witness's. */
static bool
fetch(struct monitor *m, struct watched *w, size_t i, struct buf *out,
    struct error *err)
{
	struct tile_fetch_options o = {.timeout_ms = m->o.timeout_ms};
	struct bytes place = bytes_str(m->o.compared[i]);
	const struct bytes end = BYTES_LIT("/checkpoint");
	char path[PATH_LEN], base[PATH_LEN];
	bool whole = place.len > end.len &&
	    bytes_equal(
		end, bytes_slice(place, place.len - end.len, place.len));

	if (place.len >= sizeof(base))
		return error_set(err, ERR_USAGE, "the address is too long");
	if (!path_of(w, path, err))
		return false;
	(void)snprintf(base, sizeof(base), "%.*s",
	    (int)(whole ? place.len - end.len : place.len),
	    (const char *)place.ptr);
	o.url = base;
	if (!open_place(m, w, i, &o, err))
		return false;
	if (tile_fetch_get(
		w->compared[i], 0, whole ? "/checkpoint" : path, out, err))
		return true;
	if (err->code == ERR_NOTFOUND) {
		err->code = ERR_UNAVAILABLE;
		err->reason = "not-published-yet";
	}
	return false;
}

static bool
read_file(
    struct watched *w, const char *place, struct buf *out, struct error *err)
{
	char below[PATH_LEN], path[2 * PATH_LEN];
	struct stat st;

	if (stat(place, &st) != 0 || !S_ISDIR(st.st_mode))
		return file_read(place, out, err);
	if (!path_of(w, below, err))
		return false;
	(void)snprintf(path, sizeof(path), "%s%s", place, below);
	return file_read(path, out, err);
}

/* A file is of one log; where several are followed it may be another one's. */
static bool
is_of(const struct watched *w, struct bytes note)
{
	struct reader r = {note};
	struct bytes origin;

	return reader_line(&r, &origin) &&
	    bytes_equal(origin, vkey_name(&w->log->key));
}

static bool
behind(
    struct monitor *m, struct watched *w, const char *from, struct error *err)
{
	struct monitor_finding f = {
	    .kind = MONITOR_BEHIND,
	    .reason = "checkpoint-old",
	    .message = "others were shown a larger tree, which the log does "
		       "not show us",
	    .from = from,
	    .shown = buf_bytes(&w->ahead),
	};

	sha256(&w->hasher, f.shown, &f.about);
	return monitor_event_finding(m, w, &f, err);
}

/* What others saw earlier and could not be judged then. */
static bool
look_ahead(struct monitor *m, struct watched *w, struct error *err)
{
	bool larger;

	if (w->ahead.len == 0)
		return true;
	if (!monitor_judge(m, w, buf_bytes(&w->ahead),
		"a checkpoint seen earlier", &larger, err))
		return false;
	if (!larger) {
		buf_clear(&w->ahead);
		w->ahead_since = 0;
		w->dirty = true;
		return true;
	}
	return monitor_now(m) < w->ahead_since + BEHIND_S ||
	    behind(m, w, NULL, err);
}

static bool
hold_against(struct monitor *m, struct watched *w, struct bytes note,
    const char *from, struct error *err)
{
	bool larger;

	if (!monitor_judge(m, w, note, from, &larger, err))
		return false;
	if (larger && w->ahead.len == 0) {
		buf_put(&w->ahead, note);
		w->ahead_since = monitor_now(m);
		w->dirty = true;
	}
	return buf_ok(&w->ahead, err);
}

static bool
compare(struct monitor *m, struct watched *w, size_t i, struct error *err)
{
	const char *place = m->o.compared[i];
	AUTO(buf) note = BUF_INIT(NOTE_MAX_LEN);
	struct error why = {0};
	bool got;

	got = is_url(place) ? fetch(m, w, i, &note, &why)
			    : read_file(w, place, &note, &why);
	if (!got) {
		(void)error_prefix(&why, "--compare %s", place);
		monitor_trouble(m, w, &why);
		return true;
	}
	return (!is_of(w, buf_bytes(&note)) && m->o.log_count > 1) ||
	    hold_against(m, w, buf_bytes(&note), place, err);
}

bool
monitor_compare(struct monitor *m, struct watched *w, struct error *err)
{
	if (!look_ahead(m, w, err) ||
	    (w->log->pin.len > 0 &&
		!hold_against(m, w, w->log->pin, "the pin", err)))
		return false;
	for (size_t i = 0; i < m->o.compared_count && !monitor_stops(m); i++)
		if (!compare(m, w, i, err))
			return false;
	return true;
}
