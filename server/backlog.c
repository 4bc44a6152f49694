/* SPDX-License-Identifier: Apache-2.0 */
#include "server/backlog.h"

#define GRAIN_NS 100000000u

void
backlog_signed(struct backlog *b, uint64_t size, uint64_t now_ns)
{
	size_t last = (b->first + b->count + BACKLOG_MARKS - 1) % BACKLOG_MARKS;

	if (size <= b->signed_size)
		return;
	b->signed_size = size;
	if (size <= b->cosigned_size)
		return;
	if (b->count == BACKLOG_MARKS ||
	    (b->count > 0 && now_ns - b->marks[last].ns < GRAIN_NS)) {
		b->marks[last].size = size;
		return;
	}
	last = (b->first + b->count++) % BACKLOG_MARKS;
	b->marks[last].size = size;
	b->marks[last].ns = now_ns;
}

void
backlog_cosigned(struct backlog *b, uint64_t size)
{
	if (size <= b->cosigned_size)
		return;
	b->cosigned_size = size;
	while (b->count > 0 && b->marks[b->first].size <= size) {
		b->first = (b->first + 1) % BACKLOG_MARKS;
		b->count--;
	}
}

uint64_t
backlog_size(const struct backlog *b)
{
	return b->signed_size > b->cosigned_size
	    ? b->signed_size - b->cosigned_size
	    : 0;
}

uint64_t
backlog_age(const struct backlog *b, uint64_t now_ns)
{
	return b->count > 0 && now_ns > b->marks[b->first].ns
	    ? now_ns - b->marks[b->first].ns
	    : 0;
}
