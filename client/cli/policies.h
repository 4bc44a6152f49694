/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_CLI_POLICIES_H
#define MTLOG_CLIENT_CLI_POLICIES_H

#include "client/cli/cli.h"

/* cli_policy_read reads a policy as mtlog verify does. What is wrong with its
 * text is ERR_USAGE and names the file. NULL with `err`; cli_policy_close. */
struct policy *cli_policy_read(const char *path, struct error *err) MUST_USE;
void cli_policy_close(struct policy *p);

/*
 * cli_policy_warn appends what a policy that is well formed probably does not
 * mean, judged at `now` (POSIX seconds): rules that nothing can ever meet,
 * credentials that no longer count, and what no rule uses. Lines of text, or
 * with `json` the elements of an array. Returns how many there are.
 */
size_t cli_policy_warn(
    const struct policy *p, uint64_t now, bool json, struct buf *out);

/* The sub-commands check, explain and test; operands begin behind the word. */
int cli_policy_check(struct cli_args *a, struct error *err);
int cli_policy_explain(struct cli_args *a, struct error *err);
int cli_policy_test(struct cli_args *a, struct error *err);

#endif
