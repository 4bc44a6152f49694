/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_WITNESS_FRONT_H
#define MTLOG_SERVER_WITNESS_FRONT_H

#include "server/httpd.h"
#include "server/witness/keeper.h"

#define FRONT_QUEUE_MAX 1024

/*
 * What a witness is over HTTP: add-checkpoint, the last cosigned checkpoint of
 * each log, health, and a page of metrics. One thread asks the keeper; requests
 * wait for it in a queue that is fair by address.
 */
struct front;

/* front_open starts the thread. front_close answers what still waits with 503;
 * NULL-safe, after httpd_close. */
struct front *front_open(struct keeper *keeper, struct error *err) MUST_USE;
void front_close(struct front *f);

/* front_drain says in /readyz that the witness is going down. */
void front_drain(struct front *f);

/* The handlers of the listener, and of that for metrics; `arg` is the front.
 * front_refuse, for httpd_options, says 400 to a body that is too large. */
void front_handle(void *arg, struct exchange *x);
void front_handle_metrics(void *arg, struct exchange *x);
void front_refuse(void *arg, unsigned status, const char *reason,
    const char *message, struct response *r);

/* front_stats_of names the listener whose figures the metrics have. */
void front_stats_of(struct front *f, const struct httpd *h, const char *sandbox,
    const char *keeper_sandbox);

#endif
