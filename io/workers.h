/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_WORKERS_H
#define MTLOG_IO_WORKERS_H

#include <stdbool.h>
#include <stddef.h>

#define WORKERS_MAX 64

/* workers_count: how many threads `pieces` of work get: `wanted`, or with 0 one
 * for each processor this thread may run on. At least 1. */
unsigned workers_count(unsigned wanted, size_t pieces);

/*
 * workers_run calls work(arg, i) once for each i < n, each in a thread of its
 * own; 0 is the caller's. The others take no signal. Once the caller's part is
 * done, `idle` (may be NULL) is called ten times a second until all are. Where
 * a thread cannot be started its part is done by the caller's, so `work` must
 * take whatever is left to do, not a share.
 */
void workers_run(unsigned n, void (*work)(void *arg, unsigned i),
    void (*idle)(void *arg), void *arg);

#endif
