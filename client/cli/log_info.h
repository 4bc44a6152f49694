/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_CLI_LOG_INFO_H
#define MTLOG_CLIENT_CLI_LOG_INFO_H

#include "client/cli/pinned.h"

/*
 * log_info appends what `mtlog log info` says of a log and the checkpoint that
 * it shows: text, or one line of JSON. Cosignatures are verified only where
 * --policy names their keys; others are shown as what they claim.
 */
void log_info(const struct cli_reading *r, const struct cli_head *h, bool json,
    struct buf *out);

#endif
