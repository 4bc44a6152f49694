/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_WITNESS_COMMANDS_H
#define MTLOG_SERVER_WITNESS_COMMANDS_H

#include "server/command.h"

#define WITNESS_LISTEN "127.0.0.1:8090"

/* Those of mtlog-witness, as in mtlog-witness(1). */
command_run witness_init, witness_serve, witness_add_log, witness_status,
    witness_evidence;

/* witness_arguments is arguments_read without mtlogd's configuration: any other
 * option is ERR_USAGE. */
bool witness_arguments(int argc, char **argv, const char *const *own,
    struct arguments *out, struct error *err) MUST_USE;

#endif
