/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_TREE_PARTS_H
#define MTLOG_IO_TREE_PARTS_H

#include <sys/types.h>

#include "io/tree.h"

/* What tree*.c and hold*.c share, and no one else has. */

/* tree_fault_of is what an errno means for one file. */
struct tree_fault tree_fault_of(int cause);

/* tree_printable writes a name for a sentence to `out`, escaped and cut where
 * it must be; returns `out`. */
const char *tree_printable(struct bytes name, char *out, size_t size);

/* tree_name_relative: components are names of something, not "", ".", "..". */
bool tree_name_relative(struct bytes name) MUST_USE;

/* tree_read_at is pread that goes on after a signal. */
ssize_t tree_read_at(int fd, void *to, size_t len, uint64_t at);

#endif
