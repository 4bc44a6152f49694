/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_PROGRESS_H
#define MTLOG_IO_PROGRESS_H

#include "core/base/bytes.h"

/*
 * One line on a terminal that says how far reading is: a bar, bytes, rate, time
 * left, the file at hand. It appears after half a second, so that what is quick
 * stays silent, and is gone at the end. Where `fd` is no terminal nothing is
 * ever written.
 */
struct progress {
	int fd;
	const char *unit; /* what is counted; NULL: bytes */
	bool terminal;
	bool shown;
	uint64_t began, drawn; /* monotonic, ns */
};

/* progress_init begins now, on the descriptor `fd` (standard error). */
void progress_init(struct progress *p, int fd);

/* progress_release takes the line away; safe twice. */
void progress_release(struct progress *p);

/*
 * progress_update draws the line anew if a tenth of a second has passed since
 * it was drawn last. `total` 0: not known. Never cancels: returns true. Its
 * first argument is a struct progress, as tree_hash_options.progress has it.
 */
bool progress_update(
    void *progress, struct bytes name, uint64_t done, uint64_t total);

#endif
