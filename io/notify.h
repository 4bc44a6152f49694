/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_NOTIFY_H
#define MTLOG_IO_NOTIFY_H

#include <stdint.h>

#include "core/base/error.h"

/*
 * What a service manager is told (sd_notify(3)'s protocol: a datagram to the
 * socket in NOTIFY_SOCKET). Without that variable every call does nothing.
 * Open it before the sandbox.
 */
struct notify;

/* notify_open returns NULL only when memory ran out; notify_close is
 * NULL-safe. */
struct notify *notify_open(struct error *err) MUST_USE;
void notify_close(struct notify *n);

/* notify_send sends one or more lines, such as "READY=1\nSTATUS=serving". It
 * waits a second at most for a manager that does not read. */
void notify_send(struct notify *n, const char *lines);

/* notify_status sends STATUS= with a sentence; a control character in it
 * becomes a space, so that it cannot begin another line. */
void notify_status(struct notify *n, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* notify_reloading says that a reload has begun, and when; it ends with
 * "READY=1". */
void notify_reloading(struct notify *n);

/* notify_watchdog_ns is how often WATCHDOG=1 is wanted (half of what the
 * manager waits); 0: not at all. */
uint64_t notify_watchdog_ns(const struct notify *n);

#endif
