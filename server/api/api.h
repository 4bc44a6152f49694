/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_API_API_H
#define MTLOG_SERVER_API_API_H

#include <pthread.h>

#include "core/tlog/note.h"
#include "server/admit.h"
#include "server/httpd.h"
#include "server/witnessing.h"

#define API_CURSORS 8

/* What the handlers work on. Borrowed; outlives the HTTP server. */
struct api {
	struct admit *admit;
	struct tree *tree;
	const struct store_backend *backend; /* the tree's */
	struct lookup *lookup;
	struct head_slot *heads;    /* what reads may show, up to its size */
	struct head_slot *cosigned; /* what witnesses cosigned; NULL: nobody is
				       asked */
	struct witnessing *witnessing; /* or NULL */
	struct health *health;
	struct vkey vkey; /* the log's */
	const char *url;  /* how the log is reached from outside */
	/* vkeys of logs that this one follows, NULL-ended */
	const char *const *former;
	void (*counted)(void *arg, const char *route, unsigned status);
	void *arg;

	/* Hashers and held tiles, shared by the HTTP threads. */
	pthread_mutex_t lock;
	struct tree_cursor cursors[API_CURSORS];
	size_t cursor_count;
};

/* api_init readies `api` (its fields set by the caller); api_release. */
void api_init(struct api *api);
void api_release(struct api *api);

/* api_handle is the httpd_handler of the public listener; `arg` is the api.
 * api_refuse is httpd_options.refuse. */
void api_handle(void *arg, struct exchange *x);
void api_refuse(void *arg, unsigned status, const char *reason,
    const char *message, struct response *r);

/* A cursor for the length of one request. */
bool api_cursor_take(
    struct api *api, struct tree_cursor *out, struct error *err) MUST_USE;
void api_cursor_give(struct api *api, struct tree_cursor *c);

/*
 * One route's work: `rest` is the path after the route's prefix. Answers the
 * exchange, now or later, and returns true; or fails with `err` and has not
 * answered.
 */
typedef bool api_route(
    struct api *api, struct exchange *x, struct bytes rest, struct error *err);

/* read.c */
api_route api_checkpoint, api_signed, api_tile, api_entry, api_inclusion,
    api_consistency;
/* envelope.c */
api_route api_envelope;
/* search.c */
api_route api_search;
/* write.c */
api_route api_submit, api_batch, api_bundle;
/* ops.c */
api_route api_healthz, api_readyz, api_openapi, api_vkey, api_trusted_root,
    api_signing_config;

#endif
