/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_WITNESS_FRONT_METRICS_H
#define MTLOG_SERVER_WITNESS_FRONT_METRICS_H

#include <stdatomic.h>

#include "server/httpd.h"
#include "server/witness/keeper.h"

#define FRONT_METRIC_LOGS 1000 /* at most this many logs have lines */

/* Submissions by result: a row of the judge, or why there was none. */
enum front_result {
	RESULT_RATE = JUDGE_ROWS, /* 429 */
	RESULT_UNAVAILABLE,	  /* 503 */
	RESULT_COUNT
};

struct front_figures {
	atomic_ullong submissions[RESULT_COUNT];
	const struct httpd *httpd; /* NULL: not yet */
	const char *sandbox, *keeper_sandbox;
};

/* front_figures_add counts one answered submission. Any thread. */
void front_figures_add(
    struct front_figures *f, enum judge_row row, unsigned status);

/* front_metrics_render appends the page (Prometheus text, 0.0.4); the heads come
 * from `keeper` (NULL: none), whose caller this thread must be. */
void front_metrics_render(
    struct front_figures *f, struct keeper *keeper, struct buf *out);

#endif
