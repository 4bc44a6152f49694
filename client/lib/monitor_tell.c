/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "client/lib/monitor_parts.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/verify/verdict_code.h"
#include "io/child.h"

#define TRIES	2    /* of a hook, in one round */
#define WAIT_MS 1000 /* before the second */

/* Lines of the next events, as many as go out at once: `*last` is the number of
 * the last one, 0 if there is none. */
static bool
put_lines(struct monitor *m, struct buf *out, uint64_t *last, bool *entries,
    struct error *err)
{
	struct journal_event e;

	*last = 0;
	*entries = false;
	for (size_t i = 0; i < MONITOR_LINES &&
	     journal_next(m->journal, JOURNAL_OUTPUT, i, &e);
	     i++) {
		if (m->o.json) {
			monitor_event_json(&e, out);
			buf_put_u8(out, '\n');
		} else if (!monitor_event_text(&e, out, err)) {
			return false;
		}
		*last = e.seq;
		*entries = *entries || !e.kept;
	}
	return buf_ok(out, err);
}

/* The next lines, once the ones before are out. */
static bool
next_lines(struct monitor *m, struct error *err)
{
	bool ok;

	buf_clear(&m->lines);
	m->written = 0;
	monitor_lock(m);
	ok = put_lines(m, &m->lines, &m->lines_last, &m->lines_entries, err) &&
	    (m->lines_last == 0 ||
		journal_begin(m->journal, JOURNAL_OUTPUT, m->lines_last, err));
	monitor_unlock(m);
	return ok;
}

static bool
lines_told(struct monitor *m, struct error *err)
{
	bool ok;

	monitor_lock(m);
	ok = journal_done(m->journal, JOURNAL_OUTPUT, m->lines_last, err);
	/* What is wrong with a log was counted when it was found. */
	if (ok && m->lines_entries)
		monitor_counts(&m->code, VERDICT_WATCH_HIT);
	(void)pthread_cond_broadcast(&m->moved);
	monitor_unlock(m);
	return ok;
}

/*
 * Writes as much as is read. A pipe that poll calls ready takes PIPE_BUF bytes;
 * for more a write would wait, and not end when all is to end.
 */
static bool
write_lines(struct monitor *m, struct error *err)
{
	while (m->written < m->lines.len) {
		struct pollfd p = {.fd = m->o.output, .events = POLLOUT};
		size_t left = m->lines.len - m->written;
		ssize_t n;

		if (poll(&p, 1, 0) == 0)
			return true;
		n = write(m->o.output, m->lines.ptr + m->written,
		    left < PIPE_BUF ? left : PIPE_BUF);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			return true;
		if (n < 0)
			return error_set(err, ERR_IO,
			    "standard output cannot be written to: %s",
			    strerror(errno));
		m->written += (size_t)n;
	}
	return true;
}

bool
monitor_tell(struct monitor *m, bool *blocked, struct error *err)
{
	*blocked = false;
	for (;;) {
		if (m->lines_last == 0 && !next_lines(m, err))
			return false;
		if (m->lines_last == 0)
			return true;
		if (!write_lines(m, err))
			return false;
		if (m->written < m->lines.len) {
			*blocked = true;
			return true;
		}
		if (!lines_told(m, err))
			return false;
		m->lines_last = 0;
	}
}

/* What the hook is told of an event; `e` is good only behind the lock. */
struct call {
	struct journal_event e;
	struct buf json;
};

static void
call_release(struct call *c)
{
	buf_release(&c->json);
}

static bool
run_hook(struct monitor *m, struct call *c, struct error *err)
{
	AUTO(buf) json = BUF_INIT(2 * JOURNAL_EVENT_MAX);
	AUTO(buf) id = BUF_INIT(128);
	const char *extra[] = {NULL, NULL, NULL};

	c->e.json = buf_bytes(&c->json);
	monitor_event_json(&c->e, &json);
	buf_put_u8(&json, '\n');
	buf_put_str(&id, "MTLOG_EVENT_ID=");
	hex_put(&id, hash_bytes(&c->e.id));
	buf_put_u8(&id, '\0');
	extra[0] = (const char *)id.ptr;
	extra[1] =
	    c->e.repeated ? "MTLOG_EVENT_REPEATED=1" : "MTLOG_EVENT_REPEATED=0";
	return buf_ok(&json, err) && buf_ok(&id, err) &&
	    child_run(m->o.hook, buf_bytes(&json), extra, m->o.hook_ms, err);
}

/* False: it fails, and events wait for the next round. */
static bool
try_hook(struct monitor *m, struct call *c)
{
	struct error why = {0};

	for (unsigned i = 0; i < TRIES; i++) {
		if (i > 0)
			(void)poll(NULL, 0, WAIT_MS);
		why = (struct error){0};
		if (run_hook(m, c, &why))
			return true;
		/* It may have done its work before it failed. */
		c->e.repeated = true;
		monitor_lock(m);
		m->hook_failures++;
		monitor_unlock(m);
		if (monitor_stops(m))
			break;
	}
	(void)error_prefix(&why,
	    "event %llu waits, tried again in the next "
	    "round",
	    (unsigned long long)c->e.seq);
	monitor_trouble(m, NULL, &why);
	return false;
}

/* With the lock held. */
static bool
has_call(struct monitor *m, struct call *c)
{
	return !m->hook_failed && !monitor_stops(m) &&
	    journal_next(m->journal, JOURNAL_HOOK, 0, &c->e);
}

/* Waits for an event. `*over`: none will come. */
static bool
next_call(struct monitor *m, struct call *c, bool *over, struct error *err)
{
	bool ok = true, found;

	buf_clear(&c->json);
	monitor_lock(m);
	while (!(found = has_call(m, c)) && !monitor_stops(m) && m->running > 0)
		(void)monitor_wait(m, &m->news, 0);
	*over = !found;
	if (found) {
		buf_put(&c->json, c->e.json);
		ok = journal_begin(m->journal, JOURNAL_HOOK, c->e.seq, err);
	}
	monitor_unlock(m);
	return ok && buf_ok(&c->json, err);
}

static bool
call_made(struct monitor *m, const struct call *c, bool well, struct error *err)
{
	bool ok = true;

	monitor_lock(m);
	if (well)
		ok = journal_done(m->journal, JOURNAL_HOOK, c->e.seq, err);
	else
		m->hook_failed = true;
	(void)pthread_cond_broadcast(&m->moved);
	monitor_unlock(m);
	return ok;
}

bool
monitor_hook(struct monitor *m, struct error *err)
{
	AUTO(call) c = {.json = BUF_INIT(JOURNAL_EVENT_MAX)};
	bool over;

	for (;;) {
		if (!next_call(m, &c, &over, err))
			return false;
		if (over)
			return true;
		if (!call_made(m, &c, try_hook(m, &c), err))
			return false;
	}
}
