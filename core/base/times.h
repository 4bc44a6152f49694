/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_BASE_TIMES_H
#define MTLOG_CORE_BASE_TIMES_H

#include "core/base/buf.h"

/*
 * Points in time as text, always UTC; POSIX seconds as numbers, years 1970 to
 * 9999. time_parse reads "2027-01-31" (the start of that day) or RFC 3339 with
 * seconds and Z, "2026-11-23T07:00:00Z". time_put appends the latter.
 */
bool time_parse(struct bytes text, uint64_t *out) MUST_USE;
void time_put(struct buf *out, uint64_t seconds);

/* time_of_parts is the POSIX time of a calendar date; false if there is none
 * (month 1..12, day 1..31 …; second 60 is none). */
bool time_of_parts(unsigned year, unsigned month, unsigned day, unsigned hour,
    unsigned minute, unsigned second, uint64_t *out) MUST_USE;

#endif
