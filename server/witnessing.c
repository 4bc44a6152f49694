/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witnessing.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "io/clock.h"
#include "io/log.h"

#define ASK_MAX_MS   10000 /* that a start waits for witnesses */
#define BEHIND_NS    (30 * 1000000000ull)
#define BEHIND_COUNT 100000
#define STALE_S	     7200

const char *const witnessing_files[WITNESSING_FILES] = {
    "/etc/resolv.conf",
    "/run/systemd/resolve", /* where that may point */
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/nsswitch.conf",
    "/etc/gai.conf",
    "/etc/ssl",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates", /* where links in /etc/ssl point */
    "/usr/local/share/ca-certificates",
};

struct witnessing {
	struct witnessing_parts p;
	bool required;
	struct witness_policy policy;
	struct head_slot *cosigned;
	struct witness_collect *collect;
	struct tree *tree;
	bool begun; /* it was asked, so what was shown is shown */
	_Atomic(struct admit *) admit;
	atomic_bool restart;
};

static void
set_behind(struct witnessing *w)
{
	struct witness_collect_state s;

	if (!w->required)
		return;
	witness_collect_state(w->collect, &s);
	health_set(w->p.health, HEALTH_QUORUM_BEHIND,
	    s.waiting >= BEHIND_COUNT || s.waiting_ns > BEHIND_NS,
	    "too many entries wait for the witnesses to cosign them; nothing "
	    "new is taken until they have");
}

/* What the collector tells; on its threads. */

static void
published(void *arg, uint64_t size)
{
	struct witnessing *w = arg;
	struct admit *a = atomic_load(&w->admit);

	set_behind(w);
	if (a)
		admit_cosigned(a, size);
}

static void
asked(void *arg)
{
	struct witnessing *w = arg;

	health_set(w->p.health, HEALTH_UNASKED, false, "%s", "");
	log_event(LOG_LEVEL_INFO, "witnesses-asked",
	    "no witness knows a newer state of this log");
	if (atomic_load(&w->restart))
		w->p.restart(w->p.arg);
}

static void
doubt(void *arg, const struct error *why)
{
	struct witnessing *w = arg;

	health_set(w->p.health, HEALTH_LATCHED, true,
	    "the log takes no new entries: %s", why->text);
	log_event(LOG_LEVEL_ERROR, "log-latched", "reason=%s: %s",
	    error_reason_name(why), why->text);
}

static void
event(void *arg, bool bad, const char *what, const char *text)
{
	(void)arg;
	log_event(bad ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, what, "%s", text);
}

static void
warn(const char *text)
{
	log_event(LOG_LEVEL_WARN, "witness-policy", "%s", text);
}

struct witnessing *
witnessing_open(const struct witnessing_parts *parts, struct error *err)
{
	struct witnessing *w = calloc(1, sizeof(*w));
	struct witness_collect_parts c = {
	    .transport = &witness_http,
	    .log = parts->log,
	    .folder = parts->config->database,
	    .published = published,
	    .asked = asked,
	    .doubt = doubt,
	    .event = event,
	    .arg = w,
	};

	if (!w) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	w->p = *parts;
	w->required = parts->config->witness_mode == CONFIG_WITNESS_REQUIRED;
	w->cosigned = head_slot_open();
	if (!w->cosigned)
		(void)error_set(err, ERR_INTERNAL, "out of memory");
	c.policy = &w->policy;
	c.required = w->required;
	c.cosigned = w->cosigned;
	if (w->cosigned &&
	    witness_policy_read(
		parts->config, parts->log, warn, &w->policy, err))
		w->collect = witness_collect_open(&c, err);
	if (!w->collect) {
		witnessing_close(w);
		return NULL;
	}
	health_set(parts->health, HEALTH_UNASKED, true,
	    "the witnesses have not yet said whether they know a newer state "
	    "of this log; new entries are taken when they have");
	return w;
}

void
witnessing_stop(struct witnessing *w)
{
	if (w)
		witness_collect_stop(w->collect);
}

void
witnessing_close(struct witnessing *w)
{
	if (!w)
		return;
	witness_collect_close(w->collect);
	witness_policy_release(&w->policy);
	head_slot_close(w->cosigned);
	free(w);
}

void
witnessing_tree(struct witnessing *w, struct tree *tree)
{
	if (w)
		w->tree = tree;
}

/* As long as the slowest may take, within reason. */
static unsigned
ask_ms(const struct witnessing *w)
{
	unsigned ms = 0;

	for (size_t i = 0; i < w->policy.count; i++)
		if (w->policy.witnesses[i].timeout_ms > ms)
			ms = w->policy.witnesses[i].timeout_ms;
	return ms + 1000 < ASK_MAX_MS ? ms + 1000 : ASK_MAX_MS;
}

bool
witnessing_ask(void *arg, struct head *head, struct error *err)
{
	struct witnessing *w = arg;
	struct error why = {0};

	w->begun = true;
	if (!witness_collect_load(w->collect, w->tree, head, &why) ||
	    !witness_collect_start(w->collect, head, &why))
		return error_reason(
		    err, ERR_CONFLICT, error_reason_name(&why), "%s", why.text);
	if (witness_collect_asked(w->collect, ask_ms(w))) {
		health_set(w->p.health, HEALTH_UNASKED, false, "%s", "");
		return true;
	}
	return health_is(w->p.health, HEALTH_LATCHED)
	    ? error_reason(err, ERR_CONFLICT, "inconsistent",
		  "a witness shows a head that this log does not know")
	    : error_reason(err, ERR_UNAVAILABLE, "witnesses-unasked",
		  "entries wait to be signed until the witnesses have said "
		  "whether they know a newer state of this log");
}

void
witnessing_begin(struct witnessing *w, struct head *head)
{
	struct error why = {0};

	if (!w || !head)
		return;
	if (w->begun) {
		/* NULL before it was started; it is a later one than that. */
		witnessing_signed(w, head);
		return;
	}
	if (!witness_collect_load(w->collect, w->tree, head, &why))
		log_event(LOG_LEVEL_ERROR, "cosigned", "%s", why.text);
}

void
witnessing_restart(struct witnessing *w)
{
	atomic_store(&w->restart, true);
	if (witness_collect_asked(w->collect, 0))
		w->p.restart(w->p.arg);
}

void
witnessing_signed(struct witnessing *w, struct head *head)
{
	if (!w)
		return;
	witness_collect_signed(w->collect, head);
	set_behind(w);
}

void
witnessing_admit(struct witnessing *w, struct admit *a)
{
	struct head *head;

	if (!w || !a)
		return;
	atomic_store(&w->admit, a);
	head = head_current(w->cosigned);
	if (head)
		admit_cosigned(a, head->size);
	head_release(head);
}

struct head_slot *
witnessing_slot(struct witnessing *w)
{
	return w ? w->cosigned : NULL;
}

bool
witnessing_required(const struct witnessing *w)
{
	return w && w->required;
}

void
witnessing_tick(struct witnessing *w)
{
	if (w)
		set_behind(w);
}

bool
witnessing_ready(struct witnessing *w, struct error *err)
{
	struct witness_collect_state s;
	uint64_t now = (uint64_t)clock_wall_s();

	if (!w)
		return true;
	witness_collect_state(w->collect, &s);
	if (s.waiting_ns > s.patience_ns)
		return error_reason(err, ERR_UNAVAILABLE, "cosigning-behind",
		    "%llu entries wait for witnesses, the oldest for %llu s",
		    (unsigned long long)s.waiting,
		    (unsigned long long)(s.waiting_ns / 1000000000));
	if (s.quorum_time + STALE_S < now)
		return error_reason(err, ERR_UNAVAILABLE, "quorum-stale",
		    "no quorum of witnesses has cosigned for two hours");
	return true;
}

void
witnessing_metrics(struct witnessing *w, struct metrics_now *now)
{
	struct witness_collect_state s;

	if (!w)
		return;
	witness_collect_state(w->collect, &s);
	now->cosigned_size = s.cosigned_size;
	now->uncosigned = s.waiting;
	now->uncosigned_ns = s.waiting_ns;
	now->quorum_time = s.quorum_time;
	now->witness_count = witness_collect_stats(
	    w->collect, now->witnesses, QUORUM_MAX_WITNESSES);
}
