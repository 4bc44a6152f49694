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

uint64_t
monitor_now(const struct monitor *m)
{
	int64_t now = m->o.now ? m->o.now() : clock_wall_s();

	return now > 0 ? (uint64_t)now : 0;
}

bool
monitor_stops(const struct monitor *m)
{
	return atomic_load(&m->ending);
}

void
monitor_lock(struct monitor *m)
{
	(void)pthread_mutex_lock(&m->lock);
}

void
monitor_unlock(struct monitor *m)
{
	(void)pthread_mutex_unlock(&m->lock);
}

void
monitor_counts(int *into, int code)
{
	/* Of what is wrong with a log, the worst is the smallest. */
	if (*into / 10 == 2 && code / 10 == 2)
		*into = code < *into ? code : *into;
	else
		*into = verdict_worse(*into, code);
}

void
monitor_show(struct watched *w)
{
	w->shown = (struct watched_numbers){.size = w->size,
	    .next = w->next,
	    .seen = w->seen,
	    .stalled = w->stalled,
	    .reached = w->reached,
	    .failures = w->failures,
	    .opaque = w->opaque};
}

void
monitor_trouble(struct monitor *m, struct watched *w, struct error *err)
{
	int code = (int)verdict_code_of(err);

	if (strcmp(error_reason_name(err), "cancelled") != 0) {
		monitor_lock(m);
		monitor_counts(w ? &w->code : &m->code, code);
		if (m->o.trouble)
			m->o.trouble(
			    m->o.arg, w ? w->log->key.name : NULL, err);
		monitor_unlock(m);
	}
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
	m->folder_lock = lock_take(path, 0, m->o.state, err);
	free(path);
	return m->folder_lock >= 0;
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
	if (!hasher_open(&w->hasher, err) ||
	    !(w->verifier = key_verifier_open(err)) ||
	    !monitor_state_read(m, w, err))
		return false;
	w->synced = m->opened_at;
	monitor_show(w);
	w->fetch = tile_fetch_open(&o, err);
	if (!w->fetch)
		return false;
	w->tiles = tiles_open(w->fetch, err);
	if (!w->tiles)
		return false;
	w->statements = statements_open(log, m->o.timeout_ms, err);
	return w->statements != NULL;
}

/* Before anything is made or locked: they may be wrong. */
static bool
open_rules(struct monitor *m, struct error *err)
{
	m->logs = calloc(m->o.log_count, sizeof(*m->logs));
	if (!m->logs)
		return error_set(err, ERR_INTERNAL, "out of memory");
	for (size_t i = 0; i < m->o.log_count; i++) {
		m->logs[i].m = m;
		if (!read_rules(m, &m->logs[i].watch, err))
			return false;
	}
	return true;
}

static bool
open_logs(struct monitor *m, struct error *err)
{
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

static void
init_threads(struct monitor *m)
{
	pthread_condattr_t monotonic;

	(void)pthread_mutex_init(&m->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&m->news, &monotonic);
	(void)pthread_cond_init(&m->moved, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
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
	m->folder_lock = -1;
	buf_init(&m->lines, (size_t)MONITOR_LINES * 2 * JOURNAL_EVENT_MAX);
	init_threads(m);
	if (options_valid(o, err) && hasher_open(&m->hasher, err) &&
	    open_rules(m, err) && open_state(m, err) && open_logs(m, err))
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
	journal_close(m->journal);
	buf_release(&m->lines);
	hasher_release(&m->hasher);
	(void)pthread_cond_destroy(&m->news);
	(void)pthread_cond_destroy(&m->moved);
	(void)pthread_mutex_destroy(&m->lock);
	if (m->folder_lock >= 0)
		(void)close(m->folder_lock); /* lets the lock go */
	free(m);
}

/* --- a round --- */

/* A file that cannot be read today: yesterday's rules go on. */
static void
reload_rules(struct monitor *m, struct watched *w)
{
	struct error why = {0};
	struct watch fresh;

	if (!read_rules(m, &fresh, &why)) {
		(void)error_prefix(&why, "the old rules stay");
		monitor_trouble(m, w, &why);
		return;
	}
	watch_release(&w->watch);
	w->watch = fresh;
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
	sha256(&w->hasher, buf_bytes(&about), &f.about);
	if (w->stalled > 0) {
		monitor_counts(&w->code, VERDICT_LOG_STALLED);
		return true;
	}
	if (!monitor_event_finding(m, w, &f, err))
		return false;
	w->stalled = monitor_now(m);
	w->dirty = true;
	return monitor_state_write(w, err);
}

bool
monitor_visit(struct monitor *m, struct watched *w, struct error *err)
{
	bool current;

	w->code = VERDICT_ACCEPTED;
	w->cut = false;
	reload_rules(m, w);
	if (!monitor_head(m, w, &current, err) ||
	    (current && !monitor_compare(m, w, err)) ||
	    (current && !monitor_entries(m, w, err)) || !check_age(m, w, err) ||
	    (w->dirty && !monitor_state_write(w, err)))
		return false;
	if (w->code == VERDICT_ACCEPTED || w->code == VERDICT_WATCH_HIT)
		w->reached = monitor_now(m);
	else
		w->failures++;
	return true;
}

bool
monitor_tidy(struct monitor *m, struct error *err)
{
	struct journal_stay stay = {
	    .after = m->opened_at, .up_to = m->opened_at, .above = UINT64_MAX};
	bool ok;

	monitor_lock(m);
	for (size_t i = 0; i < m->o.log_count; i++) {
		const struct watched *w = &m->logs[i];

		if (!w->settled && w->journal < stay.after)
			stay.after = w->journal;
		/* What this one found, state.json does not know yet. */
		if (w->visited && w->synced < stay.above)
			stay.above = w->synced;
	}
	ok = journal_compact(m->journal, &stay, err);
	monitor_unlock(m);
	return ok;
}
