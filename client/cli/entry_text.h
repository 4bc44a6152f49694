/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_CLI_ENTRY_TEXT_H
#define MTLOG_CLIENT_CLI_ENTRY_TEXT_H

#include "core/model/entry.h"

/* What is said of an entry wherever one is shown. */

/* cli_digest_name: "sha256", "sha384", "sha512". */
const char *cli_digest_name(enum digest_algorithm algorithm);

/*
 * cli_entry_names appends the names in an entry's certificate, escaped: nobody
 * has checked it. As JSON they are strings with commas between them; else each
 * stands on a line, behind `before` and before `behind`.
 */
void cli_entry_names(const struct entry *e, bool json, const char *before,
    const char *behind, struct buf *out);

#endif
