/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_SCAN_VIEW_H
#define MTLOG_CLIENT_LIB_SCAN_VIEW_H

#include "client/lib/sources.h"
#include "core/verify/verify.h"

/*
 * What the scans in a state folder (mtlog scan) say about the statement in a
 * bundle: for verify() to judge. No log is asked.
 */
struct scan_view {
	bool there;
	struct verify_scan scan; /* of the bundle's log */
	char origin[NOTE_NAME_MAX + 1];
};

/*
 * scan_view_read reads the books of the policy's logs, adds to `l` the
 * withdrawals and revocations that speak about the bundle's statement, those in
 * `l`, or their keys, and fills `out`. A bundle that cannot be read is left for
 * verify() to refuse. ERR_IO, ERR_LIMIT, ERR_INTERNAL.
 */
bool scan_view_read(const char *dir, const struct policy *policy,
    struct bytes bundle, struct evidence_list *l, struct scan_view *out,
    struct error *err) MUST_USE;

#endif
