/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_DESCRIPTORS_H
#define MTLOG_IO_DESCRIPTORS_H

#include <stdbool.h>

/*
 * descriptors_fill opens /dev/null on whatever of the descriptors 0 to 2 is
 * closed, for a program to call before it opens anything: else the first file
 * or socket that it opens gets such a number, and what is meant for a terminal
 * goes there. All three are opened for reading, so that a write to a standard
 * output that is not there fails and is not taken for done. False, with errno,
 * where /dev/null cannot be opened.
 */
bool descriptors_fill(void);

#endif
