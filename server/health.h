/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_HEALTH_H
#define MTLOG_SERVER_HEALTH_H

#include "core/base/error.h"

/*
 * What keeps the log from taking new entries. Several conditions may hold; the
 * gravest is told. Setting is thread-safe. A latch is never lifted while the
 * process lives: doubt about what was signed ends with a person.
 */
enum health_condition {
	HEALTH_STARTING,      /* recovery is not finished */
	HEALTH_LATCHED,	      /* doubt: reads only until someone looked */
	HEALTH_RESTARTING,    /* storage or signer failed; the process ends */
	HEALTH_FROZEN,	      /* no new entries ever (405) */
	HEALTH_DISK_LOW,      /* read-only until there is space */
	HEALTH_INDEX_BEHIND,  /* the index tail is full */
	HEALTH_UNASKED,	      /* witnesses have not answered since the start */
	HEALTH_QUORUM_BEHIND, /* too much waits for the witnesses */
	HEALTH_DRAINING,      /* TERM arrived */
	HEALTH_CONDITIONS
};

struct health;

struct health *health_open(void);
void health_close(struct health *h);

/* health_set sets or clears one condition with a sentence (cut at 300 bytes)
 * that says what happened and what to do; the first sentence stays until the
 * condition is cleared.
 */
void health_set(struct health *h, enum health_condition c, bool on,
    const char *format, ...) __attribute__((format(printf, 4, 5)));
bool health_is(const struct health *h, enum health_condition c);

/*
 * health_writable: whether a new entry can be taken; if not, `err` is what a
 * submitter is told: ERR_UNAVAILABLE (503) or ERR_DENIED (405, frozen), with
 * the condition's stable name as reason.
 */
bool health_writable(struct health *h, struct error *err);

/* health_name is the stable name of a condition, such as "log-latched". */
const char *health_name(enum health_condition c);

#endif
