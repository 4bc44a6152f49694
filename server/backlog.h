/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_BACKLOG_H
#define MTLOG_SERVER_BACKLOG_H

#include <stddef.h>
#include <stdint.h>

#define BACKLOG_MARKS 512

/*
 * What is signed and waits for its quorum: how much, and since when. The moment
 * is known to a tenth of a second, and never later than it was; all zero is
 * nothing. Times are monotonic nanoseconds.
 */
struct backlog {
	uint64_t signed_size, cosigned_size;
	size_t first, count; /* of the marks, in a ring */
	struct {
		uint64_t size; /* up to here, */
		uint64_t ns;   /* some of it waiting since then */
	} marks[BACKLOG_MARKS];
};

/* backlog_signed: the log now has a signed head of this size. */
void backlog_signed(struct backlog *b, uint64_t size, uint64_t now_ns);

/* backlog_cosigned: everything below this size has its quorum. */
void backlog_cosigned(struct backlog *b, uint64_t size);

/* backlog_size counts the entries that wait; backlog_age is how long the oldest
 * of them has (0: none). */
uint64_t backlog_size(const struct backlog *b);
uint64_t backlog_age(const struct backlog *b, uint64_t now_ns);

#endif
