/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_PINS_PARTS_H
#define MTLOG_CLIENT_LIB_PINS_PARTS_H

#include "client/lib/pins.h"

/* What pins.c (what a pin means) and pins_file.c (how it is kept) share. */

/* pins_lock gives a descriptor that holds the lock on the file of pins until it
 * is closed; -1 with the errors of lock_take. */
int pins_lock(const char *path, struct error *err) MUST_USE;

/* pins_write replaces the file, whose lock the caller holds. */
bool pins_write(const char *path, const struct pins *p, struct error *err)
    MUST_USE;

/* pin_release frees what one pin owns. */
void pin_release(struct pin *p);

#endif
