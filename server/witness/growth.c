/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witness/growth.h"

#include <stdlib.h>

#define SECOND_NS UINT64_C(1000000000)
#define DAY_NS	  (86400 * SECOND_NS)

/* `due` is when the next growth would come at exactly the rate. */
struct one {
	struct hash log;
	uint64_t due;
};

struct growth {
	struct one *logs;
	size_t count, room;
};

struct growth *
growth_open(struct error *err)
{
	struct growth *g = calloc(1, sizeof(*g));

	if (!g)
		(void)error_set(err, ERR_INTERNAL, "out of memory");
	return g;
}

void
growth_close(struct growth *g)
{
	if (!g)
		return;
	free(g->logs);
	free(g);
}

uint64_t
growth_interval_ns(uint64_t per_day)
{
	return per_day > 0 ? DAY_NS / per_day : DAY_NS;
}

/* Those whom the operator named: few. */
static struct one *
find(struct growth *g, const struct hash *log)
{
	for (size_t i = 0; i < g->count; i++)
		if (hash_equal(&g->logs[i].log, log))
			return &g->logs[i];
	if (g->count == g->room) {
		size_t room = g->room ? 2 * g->room : 16;
		struct one *more =
		    reallocarray(g->logs, room, sizeof(*g->logs));

		if (!more)
			return NULL;
		g->logs = more;
		g->room = room;
	}
	g->logs[g->count] = (struct one){.log = *log};
	return &g->logs[g->count++];
}

bool
growth_take(struct growth *g, const struct hash *log, uint64_t per_day,
    uint64_t now_ns, uint64_t *retry_s, struct error *err)
{
	uint64_t interval = growth_interval_ns(per_day);
	uint64_t burst = per_day < GROWTH_BURST ? per_day : GROWTH_BURST;
	uint64_t ahead = burst > 1 ? (burst - 1) * interval : 0;
	struct one *one = find(g, log);

	if (!one)
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (one->due < now_ns)
		one->due = now_ns;
	if (one->due - now_ns > ahead) {
		*retry_s =
		    (one->due - now_ns - ahead + SECOND_NS - 1) / SECOND_NS;
		return error_reason(err, ERR_UNAVAILABLE, "log-rate",
		    "this log grows more often than was agreed, %llu times a "
		    "day",
		    (unsigned long long)per_day);
	}
	one->due += interval;
	return true;
}
