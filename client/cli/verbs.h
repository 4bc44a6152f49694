/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_CLI_VERBS_H
#define MTLOG_CLIENT_CLI_VERBS_H

#include "client/cli/cli.h"

/* The verbs, each in a file of its name. */
extern const struct cli_verb verb_approve, verb_audit, verb_completion,
    verb_diff, verb_digest, verb_get, verb_help, verb_inspect, verb_key,
    verb_log, verb_monitor, verb_policy, verb_proof, verb_publish,
    verb_revoke_key, verb_scan, verb_search, verb_sign, verb_submit,
    verb_verify, verb_withdraw, verb_witness;

#endif
