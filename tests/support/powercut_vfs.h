/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_SUPPORT_POWERCUT_VFS_H
#define MTLOG_TESTS_SUPPORT_POWERCUT_VFS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * A SQLite VFS whose files are in memory, twice: as the page cache shows them
 * and as they are on the disk. A write goes to the cache and makes its 4 KiB
 * pages dirty; a sync carries dirty pages to the disk; so does, now and then,
 * the kernel on its own. When the power goes, every sector (512 or 4,096 bytes,
 * by chance) of every dirty page is on the disk in its old form, in its new one
 * or as garbage, and the length of a file is the old, the new or one between.
 * A sync can be made to fail as Linux fails it: some pages or none reach the
 * disk, all are clean afterwards, and reads still see them.
 *
 * Makings and removals of files are durable at once. One thread only.
 * The same seed and the same calls give the same run.
 */
struct powercut;

/* powercut_open registers a VFS under `name`; powercut_close removes it. No
 * file may be open then. */
struct powercut *powercut_open(const char *name, uint64_t seed);
void powercut_close(struct powercut *p);

/* powercut_wipe removes all files. */
void powercut_wipe(struct powercut *p);

/* powercut_arm lets the power go at the `after`th write, truncation or sync
 * from now (0: never); from then on every call fails. */
void powercut_arm(struct powercut *p, uint64_t after);
bool powercut_is_cut(const struct powercut *p);

/* powercut_fail_sync makes the `nth` sync from now fail (0: none). */
void powercut_fail_sync(struct powercut *p, uint64_t nth);

/* powercut_room lets files grow by `bytes` more, then the disk is full. */
void powercut_room(struct powercut *p, uint64_t bytes);
#define POWERCUT_ENOUGH UINT64_MAX

/*
 * powercut_restart: the process is gone (all connections are closed), and with
 * `power` the page cache as well. Everything armed is off again.
 */
void powercut_restart(struct powercut *p, bool power);

/* powercut_writes is how many writes, truncations and syncs there have been. */
uint64_t powercut_writes(const struct powercut *p);

/* powercut_random: 64 bits of the run's own randomness. */
uint64_t powercut_random(struct powercut *p);

#endif
