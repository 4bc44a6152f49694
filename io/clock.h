/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_CLOCK_H
#define MTLOG_IO_CLOCK_H

#include <stdint.h>

/* clock_monotonic_ns: nanoseconds since some fixed moment; never goes back. */
uint64_t clock_monotonic_ns(void);

/* clock_wall_s: seconds since 1970 by the system's clock; may jump. */
int64_t clock_wall_s(void);

#endif
