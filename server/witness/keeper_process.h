/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_WITNESS_KEEPER_PROCESS_H
#define MTLOG_SERVER_WITNESS_KEEPER_PROCESS_H

/*
 * keeper_process_run is the whole life of the keeper, from the fork to its
 * exit: `fd` is its end of the socket, `arg` the witness's folder. Never
 * returns.
 */
void keeper_process_run(int fd, const void *arg);

#endif
