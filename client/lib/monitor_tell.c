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

#define AT_ONCE 64   /* lines: each time costs a sync */
#define TRIES	2    /* of a hook, in one round */
#define WAIT_MS 1000 /* before the second */

/* A signal ends the waiting for somebody who does not read; what was begun is
 * told again by the next run. */
static bool
put_all(struct monitor *m, struct bytes data, struct error *err)
{
	while (data.len > 0) {
		struct pollfd p = {.fd = m->o.output, .events = POLLOUT};
		ssize_t n;

		if (poll(&p, 1, WAIT_MS) == 0 && !monitor_stops(m))
			continue;
		if (monitor_stops(m) && (p.revents & POLLOUT) == 0)
			return error_reason(err, ERR_IO, "cancelled",
			    "stopped while nobody read the output");
		n = write(m->o.output, data.ptr,
		    data.len < PIPE_BUF ? data.len : PIPE_BUF);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(err, ERR_IO,
			    "standard output cannot be written to: %s",
			    strerror(errno));
		data = bytes_slice(data, (size_t)n, data.len);
	}
	return true;
}

/* Lines of the next events, as many as go out at once: `*last` is the number of
 * the last one, 0 if there is none. */
static bool
put_lines(struct monitor *m, struct buf *out, uint64_t *last, bool *entries,
    struct error *err)
{
	struct journal_event e;

	*last = 0;
	*entries = false;
	for (size_t i = 0;
	     i < AT_ONCE && journal_next(m->journal, JOURNAL_OUTPUT, i, &e);
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

static bool
tell_output(struct monitor *m, struct error *err)
{
	for (;;) {
		AUTO(buf) lines = BUF_INIT(AT_ONCE * 2 * JOURNAL_EVENT_MAX);
		uint64_t last;
		bool entries;

		if (!put_lines(m, &lines, &last, &entries, err))
			return false;
		if (last == 0)
			return true;
		if (!journal_begin(m->journal, JOURNAL_OUTPUT, last, err) ||
		    !put_all(m, buf_bytes(&lines), err) ||
		    !journal_done(m->journal, JOURNAL_OUTPUT, last, err))
			return false;
		/* What is wrong with a log was counted when it was found. */
		if (entries)
			monitor_counts(m, VERDICT_WATCH_HIT);
	}
}

static bool
run_hook(struct monitor *m, const struct journal_event *e, struct error *err)
{
	AUTO(buf) json = BUF_INIT(2 * JOURNAL_EVENT_MAX);
	AUTO(buf) id = BUF_INIT(128);
	const char *extra[] = {NULL, NULL, NULL};

	monitor_event_json(e, &json);
	buf_put_u8(&json, '\n');
	buf_put_str(&id, "MTLOG_EVENT_ID=");
	hex_put(&id, hash_bytes(&e->id));
	buf_put_u8(&id, '\0');
	extra[0] = (const char *)id.ptr;
	extra[1] =
	    e->repeated ? "MTLOG_EVENT_REPEATED=1" : "MTLOG_EVENT_REPEATED=0";
	return buf_ok(&json, err) && buf_ok(&id, err) &&
	    child_run(m->o.hook, buf_bytes(&json), extra, m->o.hook_ms, err);
}

/* False: it fails, and events wait for the next round. */
static bool
try_hook(struct monitor *m, struct journal_event *e)
{
	struct error why = {0};

	for (unsigned i = 0; i < TRIES; i++) {
		if (i > 0)
			(void)poll(NULL, 0, WAIT_MS);
		why = (struct error){0};
		if (run_hook(m, e, &why))
			return true;
		/* It may have done its work before it failed. */
		e->repeated = true;
		m->hook_failures++;
		if (monitor_stops(m))
			break;
	}
	(void)error_prefix(&why,
	    "event %llu waits, tried again in the next "
	    "round",
	    (unsigned long long)e->seq);
	monitor_trouble(m, NULL, &why);
	return false;
}

static bool
tell_hook(struct monitor *m, struct error *err)
{
	struct journal_event e;

	while (!m->hook_failed && !monitor_stops(m) &&
	    journal_next(m->journal, JOURNAL_HOOK, 0, &e)) {
		if (!journal_begin(m->journal, JOURNAL_HOOK, e.seq, err))
			return false;
		if (!try_hook(m, &e)) {
			m->hook_failed = true;
			return true;
		}
		if (!journal_done(m->journal, JOURNAL_HOOK, e.seq, err))
			return false;
	}
	return true;
}

bool
monitor_tell(struct monitor *m, struct error *err)
{
	return tell_output(m, err) && tell_hook(m, err);
}
