/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/monitor.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/lib/lock.h"
#include "client/lib/monitor_parts.h"
#include "core/base/cleanup.h"
#include "core/verify/verdict_code.h"
#include "io/clock.h"
#include "io/file.h"

#define NS_PER_S UINT64_C(1000000000)
#define SHARE_S	 5 /* of a round, for one of several logs */

uint64_t
monitor_now(const struct monitor *m)
{
	int64_t now = m->o.now ? m->o.now() : clock_wall_s();

	return now > 0 ? (uint64_t)now : 0;
}

bool
monitor_stops(const struct monitor *m)
{
	return m->o.stop && m->o.stop(m->o.arg);
}

int
monitor_worse(int a, int b)
{
	/* Of what is wrong with a log, the worst is the smallest. */
	if (a / 10 == 2 && b / 10 == 2)
		return b < a ? b : a;
	return verdict_worse(a, b);
}

void
monitor_counts(struct monitor *m, int code)
{
	m->code = monitor_worse(m->code, code);
}

void
monitor_trouble(struct monitor *m, const struct watched *w, struct error *err)
{
	monitor_counts(m, (int)verdict_code_of(err));
	if (m->o.trouble)
		m->o.trouble(m->o.arg, w ? w->log->key.name : NULL, err);
	*err = (struct error){0};
}

/* --- opening --- */

static bool
read_rules(struct monitor *m, struct watch *out, struct error *err)
{
	AUTO(buf) text = BUF_INIT(WATCH_MAX_LEN);

	if (!file_read(m->o.rules, &text, err))
		return false;
	if (watch_parse(buf_bytes(&text), out, err))
		return true;
	if (err->code != ERR_INTERNAL)
		err->code = ERR_USAGE;
	return error_prefix(err, "%s", m->o.rules);
}

static bool
take_lock(struct monitor *m, struct error *err)
{
	char *path = path_join(m->o.state, "lock");

	if (!path)
		return error_set(err, ERR_INTERNAL, "out of memory");
	m->lock = lock_take(path, 0, m->o.state, err);
	free(path);
	return m->lock >= 0;
}

static bool
open_log(struct monitor *m, struct watched *w, const struct monitor_log *log,
    struct error *err)
{
	struct tile_fetch_options o = {.url = log->url,
	    .source = log->source,
	    .timeout_ms = m->o.timeout_ms};

	w->log = log;
	w->seen_ns = clock_monotonic_ns(); /* it is no younger */
	if (!monitor_state_read(m, w, err))
		return false;
	w->fetch = tile_fetch_open(&o, err);
	if (!w->fetch)
		return false;
	w->tiles = tiles_open(w->fetch, err);
	return w->tiles != NULL;
}

static bool
open_logs(struct monitor *m, struct error *err)
{
	m->logs = calloc(m->o.log_count, sizeof(*m->logs));
	if (!m->logs)
		return error_set(err, ERR_INTERNAL, "out of memory");
	for (size_t i = 0; i < m->o.log_count; i++) {
		for (size_t k = 0; k < i; k++)
			if (bytes_equal(vkey_name(&m->o.logs[i].key),
				vkey_name(&m->o.logs[k].key)))
				return error_set(err, ERR_USAGE,
				    "the log %s is there twice",
				    m->o.logs[i].key.name);
		if (!open_log(m, &m->logs[i], &m->o.logs[i], err))
			return false;
	}
	return true;
}

static bool
open_state(struct monitor *m, struct error *err)
{
	unsigned sinks = 1u << JOURNAL_OUTPUT;
	struct error why = {0};
	char *path;

	/* Public, as the checkpoints in it are; other files are not. */
	if (!folder_create(m->o.state, 0755, &why) && why.code != ERR_CONFLICT)
		return error_set(err, why.code, "%s", why.text);
	if (!take_lock(m, err))
		return false;
	if (m->o.hook)
		sinks |= 1u << JOURNAL_HOOK;
	path = path_join(m->o.state, "journal");
	if (!path)
		return error_set(err, ERR_INTERNAL, "out of memory");
	m->journal = journal_open(path, sinks, err);
	free(path);
	if (!m->journal)
		return false;
	m->opened_at = journal_last(m->journal);
	return true;
}

static bool
options_valid(const struct monitor_options *o, struct error *err)
{
	if (o->log_count == 0 || o->log_count > MONITOR_MAX_LOGS)
		return error_set(
		    err, ERR_USAGE, "1 to %d logs", MONITOR_MAX_LOGS);
	return o->compared_count <= MONITOR_MAX_COMPARED ||
	    error_set(err, ERR_USAGE, "at most %d to compare with",
		MONITOR_MAX_COMPARED);
}

struct monitor *
monitor_open(const struct monitor_options *o, struct error *err)
{
	struct monitor *m = calloc(1, sizeof(*m));

	if (!m) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	m->o = *o;
	m->lock = -1;
	if (options_valid(o, err) && hasher_open(&m->hasher, err) &&
	    (m->verifier = key_verifier_open(err)) &&
	    read_rules(m, &m->watch, err) && open_state(m, err) &&
	    open_logs(m, err))
		return m;
	monitor_close(m);
	return NULL;
}

void
monitor_close(struct monitor *m)
{
	if (!m)
		return;
	for (size_t i = 0; m->logs && i < m->o.log_count; i++)
		monitor_state_release(&m->logs[i]);
	free(m->logs);
	for (size_t i = 0; i < MONITOR_MAX_COMPARED; i++)
		tile_fetch_close(m->compared[i]);
	journal_close(m->journal);
	watch_release(&m->watch);
	key_verifier_close(m->verifier);
	hasher_release(&m->hasher);
	if (m->lock >= 0)
		(void)close(m->lock); /* lets the lock go */
	free(m);
}

/* --- a round --- */

/* A file that cannot be read today: yesterday's rules go on. */
static void
reload_rules(struct monitor *m)
{
	struct error why = {0};
	struct watch fresh;

	if (!read_rules(m, &fresh, &why)) {
		(void)error_prefix(&why, "the old rules stay");
		monitor_trouble(m, NULL, &why);
		return;
	}
	watch_release(&m->watch);
	m->watch = fresh;
}

/* Seconds without a new checkpoint. A clock that goes back makes nothing old, and
 * one that was ahead hides nothing from a monitor that was there all the time. */
static uint64_t
age_of(const struct monitor *m, const struct watched *w)
{
	uint64_t now = monitor_now(m);
	uint64_t by_clock = now > w->seen ? now - w->seen : 0;
	uint64_t here = (clock_monotonic_ns() - w->seen_ns) / NS_PER_S;

	return by_clock > here ? by_clock : here;
}

static bool
check_age(struct monitor *m, struct watched *w, struct error *err)
{
	struct monitor_finding f = {.kind = MONITOR_STALLED,
	    .reason = "checkpoint-old",
	    .message = "the log has had no new checkpoint for too long"};
	AUTO(buf) about = BUF_INIT(64);

	if (m->o.stalled_after == 0 || !w->has_head ||
	    age_of(m, w) < m->o.stalled_after)
		return true;
	buf_put_u64(&about, w->size);
	buf_put(&about, hash_bytes(&w->root));
	buf_put_u64(&about, w->seen);
	sha256(&m->hasher, buf_bytes(&about), &f.about);
	if (w->stalled > 0) {
		monitor_counts(m, VERDICT_LOG_STALLED);
		return true;
	}
	if (!monitor_event_finding(m, w, &f, err))
		return false;
	w->stalled = monitor_now(m);
	w->dirty = true;
	return monitor_state_write(w, err);
}

static bool
visit(struct monitor *m, struct watched *w, struct error *err)
{
	int before = m->code;
	bool current;

	m->code = VERDICT_ACCEPTED;
	w->cut = false;
	w->until =
	    m->o.log_count > 1 ? clock_monotonic_ns() + SHARE_S * NS_PER_S : 0;
	if (!monitor_head(m, w, &current, err) ||
	    (current && !monitor_compare(m, w, err)) ||
	    (current && !monitor_entries(m, w, err)) || !check_age(m, w, err) ||
	    (w->dirty && !monitor_state_write(w, err)))
		return false;
	if (m->code == VERDICT_ACCEPTED || m->code == VERDICT_WATCH_HIT)
		w->reached = monitor_now(m);
	else
		w->failures++;
	monitor_counts(m, before);
	return true;
}

bool
monitor_tidy(struct monitor *m, struct error *err)
{
	uint64_t after = m->opened_at;

	for (size_t i = 0; i < m->o.log_count; i++)
		if (!m->logs[i].settled && m->logs[i].journal < after)
			after = m->logs[i].journal;
	return journal_compact(m->journal, after, m->opened_at, err);
}

bool
monitor_unfinished(const struct monitor *m)
{
	for (size_t i = 0; i < m->o.log_count; i++)
		if (m->logs[i].cut)
			return true;
	return false;
}

bool
monitor_round(struct monitor *m, int *code, struct error *err)
{
	m->code = VERDICT_ACCEPTED;
	m->hook_failed = false;
	reload_rules(m);
	/* What an earlier run could not tell. */
	if (!monitor_tell(m, err))
		return false;
	for (size_t i = 0; i < m->o.log_count && !monitor_stops(m); i++)
		if (!visit(m, &m->logs[i], err))
			return false;
	if (!monitor_tell(m, err) || !monitor_feed(m, err) ||
	    !monitor_metrics(m, err) || !monitor_tidy(m, err))
		return false;
	*code = m->code;
	return true;
}
