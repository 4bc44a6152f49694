/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_CONFIG_READER_H
#define MTLOG_SERVER_CONFIG_READER_H

#include <sys/types.h>

#include "core/base/buf.h"
#include "core/base/error.h"

/*
 * A process that reads one file, the configuration, each time it is asked.
 * Landlock knows files, not names, so a confined server could only read the
 * file it was started with, while editors and tools put a new one in its
 * place. This process may open any file for reading and nothing else, is asked
 * without words, and has neither the network nor a key. It ends at end of file
 * on its socket.
 */
struct config_reader;

#define CONFIG_READER_SANDBOX_MAX 100

/*
 * config_reader_start forks it; call before any thread. `path` may be relative
 * to the current folder. `sandbox` becomes what confines it, for `status`.
 * ERR_IO: no process, or it could not confine itself; ERR_UNAVAILABLE
 * "config-reader-down": it has ended.
 */
struct config_reader *config_reader_start(const char *path,
    char sandbox[CONFIG_READER_SANDBOX_MAX], struct error *err) MUST_USE;

/* config_reader_close closes the socket, at which the process ends, and waits
 * for it up to ten seconds (NULL-safe). */
void config_reader_close(struct config_reader *r);

/* config_reader_pid is the process; -1 once it was reaped. */
pid_t config_reader_pid(const struct config_reader *r);

/*
 * config_reader_read appends what the file holds now, at most CONFIG_MAX_LEN
 * bytes, to `text`. Errors of file_read; ERR_UNAVAILABLE "config-reader-down"
 * once it has ended or hangs, and for good. One thread at a time; waits ten
 * seconds at most.
 */
bool config_reader_read(
    struct config_reader *r, struct buf *text, struct error *err) MUST_USE;

#endif
