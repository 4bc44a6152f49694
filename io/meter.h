/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_METER_H
#define MTLOG_IO_METER_H

#include <stdatomic.h>

#include "core/base/bytes.h"
#include "io/workers.h"

/*
 * What several workers have done, told about ten times a second by the caller's
 * own thread (worker 0), which also learns from it that it is to stop.
 */
struct meter_slot {
	/* A cache line each: every worker writes to its own all the time. */
	_Alignas(64) atomic_uint_least64_t done; /* bytes */
	_Atomic(const struct bytes *) name;	 /* of the file at hand */
};

struct meter {
	/* may be NULL; false stops */
	bool (*progress)(
	    void *arg, struct bytes name, uint64_t done, uint64_t total);
	void *arg;
	uint64_t total; /* 0: not known */
	uint64_t told_at;
	atomic_bool stop;
	struct meter_slot slots[WORKERS_MAX];
};

/* meter_init: `m` as good as zeroed, but for what is told, and to whom. */
void meter_init(struct meter *m,
    bool (*progress)(
	void *arg, struct bytes name, uint64_t done, uint64_t total),
    void *arg, uint64_t total);

/* meter_begin: the worker has this file at hand (NULL: none). The name must
 * outlive the meter. */
void meter_begin(struct meter *m, unsigned worker, const struct bytes *name);

/* meter_add counts; false if the worker is to stop. */
bool meter_add(struct meter *m, unsigned worker, uint64_t bytes);

/* meter_stopped tells whether everyone is to stop. */
static inline bool
meter_stopped(const struct meter *m)
{
	return atomic_load_explicit(&m->stop, memory_order_relaxed);
}

/* meter_tell is for worker 0 only; the last time it tells at once. */
void meter_tell(struct meter *m, bool last);

#endif
