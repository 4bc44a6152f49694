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

/* notify_open returns NULL only when memory ran out. */
struct notify *notify_open(struct error *err) MUST_USE;
void notify_close(struct notify *n);

/* notify_send sends one or more lines, such as "READY=1\nSTATUS=serving". */
void notify_send(struct notify *n, const char *lines);

/* notify_watchdog_ns is how often WATCHDOG=1 is wanted; 0: not at all. */
uint64_t notify_watchdog_ns(const struct notify *n);

#endif
