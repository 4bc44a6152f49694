/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_MONITOR_EVENT_H
#define MTLOG_CLIENT_LIB_MONITOR_EVENT_H

#include "client/lib/journal.h"
#include "core/crypto/key.h"
#include "core/policy/watch.h"

/* What a monitor reports: its events, into the journal and out of it. Part of
 * monitor.c; nobody else includes it. */

struct monitor;
struct watched;

enum monitor_kind {
	MONITOR_ENTRY = 0, /* a rule matches */
	MONITOR_FORK,	   /* with evidence */
	MONITOR_ROLLBACK,  /* a smaller tree than before */
	MONITOR_BAD_DATA,  /* what contradicts the log's own checkpoint */
	MONITOR_BEHIND,	   /* others were shown a larger tree */
	MONITOR_STALLED,   /* nothing new for too long */
	MONITOR_RESUMED,   /* and something again */
	MONITOR_KINDS
};

/* An entry as it is reported. */
struct monitor_hit {
	uint64_t index;
	const struct watch_rule *rule;
	const struct watch_entry *entry;
	enum digest_algorithm algorithm; /* of the entry's digest */
	bool certificate;
	const char *envelope; /* "present", "missing", "forged", "unknown" */
	bool known;	      /* false: nothing but its index is */
};

/* monitor_event_room waits while too much of what was found before is being
 * told. ERR_LIMIT "too-many-files": that takes too long, or the hook fails. */
bool monitor_event_room(
    struct monitor *m, const struct watched *w, struct error *err) MUST_USE;

/* monitor_event_entry puts an event into the journal. */
bool monitor_event_entry(struct monitor *m, struct watched *w,
    const struct monitor_hit *hit, struct error *err) MUST_USE;

/* An event about the log itself. What is empty or NULL is left out. */
struct monitor_finding {
	enum monitor_kind kind;
	const char *reason;   /* stable name */
	const char *message;  /* a sentence */
	struct bytes shown;   /* a signed note that the log showed */
	const char *from;     /* who showed it, if not the log */
	const char *evidence; /* path of a file */
	int code;	      /* 0: the usual one of its kind */
	struct hash about;    /* with kind, reason and origin: its id */
};

bool monitor_event_finding(struct monitor *m, struct watched *w,
    const struct monitor_finding *f, struct error *err) MUST_USE;

/* monitor_event_text appends an event's line for a person. */
bool monitor_event_text(
    const struct journal_event *e, struct buf *out, struct error *err) MUST_USE;

/* monitor_event_json appends it as it is told: marked if it is repeated. */
void monitor_event_json(const struct journal_event *e, struct buf *out);

/* monitor_kind_name is its word. */
const char *monitor_kind_name(enum monitor_kind kind);

#endif
