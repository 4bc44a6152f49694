/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_ONLINE_H
#define MTLOG_CLIENT_LIB_ONLINE_H

#include "client/lib/job.h"
#include "client/lib/sources.h"

/*
 * What the log says today about the statement in a bundle: its current
 * checkpoint, how the bundle's tree leads to it, and which statements about
 * this one it shows. All of it is for verify() to judge.
 */
struct online;

/*
 * online_open asks the log at job->log_url, else the policy's URL of the log
 * whose checkpoint is in the bundle, else that of its pin in job->pins. What a
 * pinned log shows is held to the pin (pins_saw, and its errors). NULL:
 * "network" and the other reasons of log_client.h; ERR_USAGE where no address is
 * known; what bundle_parse says.
 */
struct online *online_open(
    const struct job *job, struct bytes bundle, struct error *err) MUST_USE;
void online_close(struct online *o);

/* online_current is what verify() takes; NULL if the bundle is not logged. */
const struct verify_current *online_current(const struct online *o);

/* online_evidence adds the withdrawals and revocations that a search shows, as
 * many as fit. */
bool online_evidence(
    struct online *o, struct evidence_list *l, struct error *err) MUST_USE;

#endif
