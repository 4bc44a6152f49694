/* SPDX-License-Identifier: Apache-2.0 */
#include "io/meter.h"

#include "io/clock.h"

#define STEP_NS 100000000

void
meter_init(struct meter *m,
    bool (*progress)(
	void *arg, struct bytes name, uint64_t done, uint64_t total),
    void *arg, uint64_t total)
{
	memset(m, 0, sizeof(*m));
	m->progress = progress;
	m->arg = arg;
	m->total = total;
	m->told_at = clock_monotonic_ns();
}

void
meter_begin(struct meter *m, unsigned worker, const struct bytes *name)
{
	atomic_store_explicit(
	    &m->slots[worker].name, name, memory_order_relaxed);
}

bool
meter_add(struct meter *m, unsigned worker, uint64_t bytes)
{
	struct meter_slot *s = &m->slots[worker];
	uint64_t done = atomic_load_explicit(&s->done, memory_order_relaxed);

	/* No one else writes there: no need to add atomically. */
	atomic_store_explicit(&s->done, done + bytes, memory_order_relaxed);
	if (worker == 0)
		meter_tell(m, false);
	return !meter_stopped(m);
}

void
meter_tell(struct meter *m, bool last)
{
	struct bytes name = {0};
	uint64_t done = 0, now;

	if (!m->progress || meter_stopped(m))
		return;
	now = clock_monotonic_ns();
	if (!last && now - m->told_at < STEP_NS)
		return;
	m->told_at = now;
	for (unsigned i = 0; i < WORKERS_MAX; i++) {
		const struct bytes *at = atomic_load(&m->slots[i].name);

		done += atomic_load(&m->slots[i].done);
		if (name.len == 0 && at)
			name = *at;
	}
	if (!m->progress(m->arg, name, done, m->total))
		atomic_store(&m->stop, true);
}
