/* SPDX-License-Identifier: Apache-2.0 */
#include "server/health.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define SENTENCE_MAX 300

struct health {
	atomic_uint conditions; /* a bit each; read without the lock */
	pthread_mutex_t lock;
	char sentence[HEALTH_CONDITIONS][SENTENCE_MAX];
};

static const struct {
	const char *name;
	enum error_code code;
} conditions[HEALTH_CONDITIONS] = {
    [HEALTH_STARTING] = {"starting", ERR_UNAVAILABLE},
    [HEALTH_LATCHED] = {"log-latched", ERR_UNAVAILABLE},
    [HEALTH_RESTARTING] = {"restarting", ERR_UNAVAILABLE},
    [HEALTH_FROZEN] = {"log-frozen", ERR_DENIED},
    [HEALTH_DISK_LOW] = {"disk-low", ERR_UNAVAILABLE},
    [HEALTH_INDEX_BEHIND] = {"index-behind", ERR_UNAVAILABLE},
    [HEALTH_UNASKED] = {"witnesses-unasked", ERR_UNAVAILABLE},
    [HEALTH_QUORUM_BEHIND] = {"quorum-behind", ERR_UNAVAILABLE},
    [HEALTH_DRAINING] = {"draining", ERR_UNAVAILABLE},
};

/* Gravest first: what a submitter is told when several hold. */
static const enum health_condition by_gravity[] = {
    HEALTH_LATCHED,
    HEALTH_FROZEN,
    HEALTH_RESTARTING,
    HEALTH_STARTING,
    HEALTH_DRAINING,
    HEALTH_UNASKED,
    HEALTH_QUORUM_BEHIND,
    HEALTH_DISK_LOW,
    HEALTH_INDEX_BEHIND,
};

struct health *
health_open(void)
{
	struct health *h = calloc(1, sizeof(*h));

	if (h)
		(void)pthread_mutex_init(&h->lock, NULL);
	return h;
}

void
health_close(struct health *h)
{
	if (!h)
		return;
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
}

void
health_set(
    struct health *h, enum health_condition c, bool on, const char *format, ...)
{
	unsigned bit = 1u << c;
	va_list ap;

	(void)pthread_mutex_lock(&h->lock);
	if (on && !(atomic_load(&h->conditions) & bit)) {
		va_start(ap, format);
		error_text(h->sentence[c], sizeof(h->sentence[c]), format, ap);
		va_end(ap);
		atomic_fetch_or(&h->conditions, bit);
	} else if (!on && c != HEALTH_LATCHED) {
		atomic_fetch_and(&h->conditions, ~bit);
	}
	(void)pthread_mutex_unlock(&h->lock);
}

bool
health_is(const struct health *h, enum health_condition c)
{
	return atomic_load(&h->conditions) & 1u << c;
}

bool
health_writable(struct health *h, struct error *err)
{
	char sentence[SENTENCE_MAX];

	if (atomic_load(&h->conditions) == 0)
		return true;
	for (size_t i = 0; i < HEALTH_CONDITIONS; i++) {
		enum health_condition c = by_gravity[i];

		if (!health_is(h, c))
			continue;
		(void)pthread_mutex_lock(&h->lock);
		memcpy(sentence, h->sentence[c], sizeof(sentence));
		(void)pthread_mutex_unlock(&h->lock);
		return error_reason(err, conditions[c].code, conditions[c].name,
		    "%s", sentence);
	}
	return true;
}

const char *
health_name(enum health_condition c)
{
	return conditions[c].name;
}
