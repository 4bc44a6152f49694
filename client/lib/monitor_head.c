/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "client/lib/history.h"
#include "client/lib/monitor_parts.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/tlog/evidence.h"
#include "core/verify/verdict_code.h"
#include "io/clock.h"
#include "io/file.h"

#define MESSAGE_MAX 1024

/* What a head is known by: its size and root. */
static void
about_head(struct watched *w, uint64_t size, const struct hash *root,
    const char *what, struct hash *out)
{
	AUTO(buf) text = BUF_INIT(256);

	buf_put_u64(&text, size);
	buf_put(&text, hash_bytes(root));
	if (what)
		buf_put_str(&text, what);
	sha256(&w->hasher, buf_bytes(&text), out);
}

/* --- evidence --- */

/* One that is there already says the same. */
static bool
write_evidence(struct watched *w, const struct hash *about,
    struct bytes evidence, char **path, struct error *err)
{
	AUTO(buf) name = BUF_INIT(8192);
	struct error why = {0};

	buf_printf(&name, "%s/evidence-", w->folder);
	hex_put(&name, bytes_of(about->b, 8));
	buf_put_str(&name, ".txt");
	*path = buf_dup_string(&name);
	if (!*path)
		return error_set(err, ERR_INTERNAL, "out of memory");
	return file_create(*path, evidence, 0644, &why) ||
	    why.code == ERR_CONFLICT ||
	    error_set(err, why.code, "%s", why.text);
}

/*
 * The two heads contradict each other. `from`: who showed us the other one,
 * NULL: the log. One fork of a log is told once, and once for each of those.
 */
static bool
fork_found(struct monitor *m, struct watched *w, const struct history *h,
    const char *from, struct error *err)
{
	struct monitor_finding f = {.kind = MONITOR_FORK,
	    .reason = "inconsistent",
	    .from = from,
	    .shown = h->heads[1].note};
	char message[MESSAGE_MAX];
	char *path = NULL;
	bool ok;

	if (from)
		sha256(&w->hasher, bytes_str(from), &f.about);
	else
		about_head(w, w->size, &w->root, NULL, &f.about);
	ok = write_evidence(w, &f.about, buf_bytes(&h->evidence), &path, err);
	(void)snprintf(message, sizeof(message),
	    "the log FORKED: it signed two heads, of size %llu and %llu, that "
	    "contradict each other; mtlog inspect %s",
	    (unsigned long long)h->heads[0].size,
	    (unsigned long long)h->heads[1].size, path ? path : "");
	f.message = message;
	f.evidence = path;
	ok = ok && monitor_event_finding(m, w, &f, err);
	free(path);
	return ok;
}

/* What we hold, and another head of the log. Release its evidence. */
static struct history
beside(const struct watched *w, struct bytes note, const struct checkpoint *c)
{
	return (struct history){
	    .log = &w->log->key,
	    .heads = {{buf_bytes(&w->note), w->size, w->root},
		{note, c->size, c->root}},
	};
}

/* --- what the log itself shows --- */

/* Data that does not fit its own checkpoint; or it could not be had. */
static bool
tiles_failed(struct monitor *m, struct watched *w, const struct checkpoint *c,
    struct bytes note, struct error *why, struct error *err)
{
	struct monitor_finding f = {
	    .kind = MONITOR_BAD_DATA, .reason = "tile", .shown = note};
	char message[MESSAGE_MAX];

	if (why->code != ERR_BADSIG && why->code != ERR_SYNTAX) {
		monitor_trouble(m, w, why);
		return true;
	}
	about_head(w, c->size, &c->root, "tile", &f.about);
	(void)snprintf(message, sizeof(message), "%s", why->text);
	f.message = message;
	return monitor_event_finding(m, w, &f, err);
}

/* Told if it was told that the log stalled. */
static bool
goes_on(struct monitor *m, struct watched *w, struct error *err)
{
	struct monitor_finding f = {
	    .kind = MONITOR_RESUMED, .message = "the log goes on"};
	char since[32];

	if (w->stalled == 0)
		return true;
	(void)snprintf(
	    since, sizeof(since), "%llu", (unsigned long long)w->seen);
	about_head(w, w->size, &w->root, since, &f.about);
	w->stalled = 0;
	w->dirty = true;
	return monitor_event_finding(m, w, &f, err);
}

static bool
advance(struct monitor *m, struct watched *w, const struct checkpoint *c,
    struct bytes note, struct error *err)
{
	if (!goes_on(m, w, err))
		return false;
	if (!w->has_head && m->o.only_new)
		w->next = c->size;
	buf_clear(&w->note);
	buf_put(&w->note, note);
	w->has_head = true;
	w->size = c->size;
	w->root = c->root;
	w->seen = monitor_now(m);
	w->seen_ns = clock_monotonic_ns();
	w->dirty = w->advanced = true;
	return buf_ok(&w->note, err) && monitor_state_write(w, err);
}

static bool
rolled_back(struct monitor *m, struct watched *w, const struct checkpoint *c,
    struct bytes note, bool proven, struct error *err)
{
	struct monitor_finding f = {
	    .kind = MONITOR_ROLLBACK,
	    .reason = proven ? "rollback" : "inconsistent",
	    .shown = note,
	    .code = proven ? VERDICT_NOT_CURRENT : VERDICT_LOG_FORK,
	};
	char message[MESSAGE_MAX];

	about_head(w, c->size, &c->root, f.reason, &f.about);
	(void)snprintf(message, sizeof(message),
	    "the log shows a tree of size %llu, and had one of %llu; %s",
	    (unsigned long long)c->size, (unsigned long long)w->size,
	    proven ? "an old checkpoint of the same history"
		   : "it does not show that they are of one history");
	f.message = message;
	return monitor_event_finding(m, w, &f, err);
}

/* The first head of all is believed, if there is a tree below it. */
static bool
saw_first(struct monitor *m, struct watched *w, const struct checkpoint *c,
    struct bytes note, bool *current, struct error *err)
{
	struct error why = {0};

	*current = tiles_head(w->tiles, c->size, &c->root, &why);
	return *current ? advance(m, w, c, note, err)
			: tiles_failed(m, w, c, note, &why, err);
}

/* It is of the history that we know: larger, the same, or an old one. */
static bool
saw_one(struct monitor *m, struct watched *w, const struct checkpoint *c,
    struct bytes note, bool *current, struct error *err)
{
	bool larger = c->size > w->size;
	uint64_t size = larger ? c->size : w->size;
	const struct hash *root = larger ? &c->root : &w->root;
	struct error why = {0};

	/* Of the head that did not change it is looked at again. */
	*current =
	    (c->size != w->size && tiles_stand_on(w->tiles, size, root)) ||
	    tiles_head(w->tiles, size, root, &why);
	if (!*current)
		return tiles_failed(m, w, c, note, &why, err);
	if (larger)
		return advance(m, w, c, note, err);
	return c->size == w->size || rolled_back(m, w, c, note, true, err);
}

/* What is not our head is not followed; ours is, if its tiles are there. */
static bool
saw_next(struct monitor *m, struct watched *w, const struct checkpoint *c,
    struct bytes note, bool *current, struct error *err)
{
	struct history h = beside(w, note, c);
	struct error why = {0};
	bool ok;

	switch (history_judge(w->tiles, &h, &why)) {
	case HISTORY_ONE:
		ok = saw_one(m, w, c, note, current, err);
		break;
	case HISTORY_FORKED:
		*current = tiles_stand_on(w->tiles, w->size, &w->root);
		ok = fork_found(m, w, &h, NULL, err);
		break;
	case HISTORY_GONE:
		ok = c->size < w->size ? rolled_back(m, w, c, note, false, err)
				       : tiles_failed(m, w, c, note, &why, err);
		break;
	case HISTORY_UNKNOWN:
	default:
		ok = tiles_failed(m, w, c, note, &why, err);
	}
	buf_release(&h.evidence);
	return ok;
}

static bool
fetch_checkpoint(struct watched *w, struct buf *note, struct checkpoint *c,
    struct error *why)
{
	if (!tile_fetch_checkpoint(w->fetch, note, why))
		return false;
	if (checkpoint_open(buf_bytes(note), &w->log->key, w->verifier, c, why))
		return true;
	why->reason = "log-signature";
	return error_prefix(why, "the log's checkpoint");
}

/* What the witnesses say of the head. A log without entries is cosigned again,
 * so that its age can be told; a time to come makes nothing younger than now. */
static bool
ask_quorum(
    struct monitor *m, struct watched *w, struct bytes note, struct error *err)
{
	struct quorum_result r = {0};
	AUTO(note) n = {0};
	struct error why = {0};
	uint64_t fresh, now = monitor_now(m);

	if (!m->o.quorum)
		return true;
	if (!note_parse(note, &n, &why) ||
	    !quorum_verify(m->o.quorum, &n, w->verifier, &r, &why)) {
		(void)error_prefix(&why, "the log's checkpoint");
		monitor_trouble(m, w, &why);
		return true;
	}
	fresh = r.fresh_since < now ? r.fresh_since : now;
	if (!r.dated || fresh <= w->seen)
		return true;
	if (!goes_on(m, w, err))
		return false;
	w->seen = fresh;
	w->seen_ns = clock_monotonic_ns();
	w->dirty = true;
	return monitor_state_write(w, err);
}

bool
monitor_head(
    struct monitor *m, struct watched *w, bool *current, struct error *err)
{
	AUTO(buf) note = BUF_INIT(NOTE_MAX_LEN);
	struct error why = {0};
	struct checkpoint c;

	*current = false;
	if (!fetch_checkpoint(w, &note, &c, &why)) {
		monitor_trouble(m, w, &why);
		return true;
	}
	if (!(w->has_head ? saw_next : saw_first)(
		m, w, &c, buf_bytes(&note), current, err))
		return false;
	/* Of what is not its head the history was asked, and that is told. */
	return !*current || c.size != w->size ||
	    ask_quorum(m, w, buf_bytes(&note), err);
}

/* --- what others saw --- */

bool
monitor_judge(struct monitor *m, struct watched *w, struct bytes note,
    const char *from, bool *larger, struct error *err)
{
	struct error why = {0};
	struct checkpoint c;
	struct history h;
	enum history_is is;
	bool ok = true;

	*larger = false;
	if (!checkpoint_open(note, &w->log->key, w->verifier, &c, &why)) {
		why.reason = "log-signature";
		(void)error_prefix(&why, "%s", from);
		monitor_trouble(m, w, &why);
		return true;
	}
	h = beside(w, note, &c);
	is = history_judge(w->tiles, &h, &why);
	if (is == HISTORY_FORKED)
		ok = fork_found(m, w, &h, from, err);
	else if (is != HISTORY_ONE && c.size > w->size)
		*larger = true; /* it is not yet there for us */
	else if (is != HISTORY_ONE)
		monitor_trouble(m, w, &why);
	buf_release(&h.evidence);
	/* Back to where the caller was. */
	why = (struct error){0};
	if (!tiles_stand_on(w->tiles, w->size, &w->root) &&
	    !tiles_head(w->tiles, w->size, &w->root, &why))
		monitor_trouble(m, w, &why);
	return ok;
}
