/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_SIGNER_PROCESS_H
#define MTLOG_SERVER_SIGNER_PROCESS_H

#include "server/signer.h"

/* What a forked signer process is to do. */
struct signer_task {
	const struct signer_options *options;
	bool init; /* make the guard files and end, instead of serving */
	uint64_t store_identity; /* for init */
};

/*
 * signer_process_run is the whole life of the signer process, from the fork to
 * its exit: `fd` is its end of the socket, all that it keeps of its parent;
 * `arg` is its struct signer_task. Never returns.
 */
void signer_process_run(int fd, const void *arg);

#endif
