/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_API_REPLY_H
#define MTLOG_SERVER_API_REPLY_H

#include "server/exchange.h"

#define REPLY_MAX_LEN (64u << 20)

/* How a failure is told over HTTP. */
struct reply_status {
	unsigned http;
	unsigned grpc; /* google.rpc.Code, as Rekor's clients know it */
};

/* reply_status_of maps a failure; a few reasons have a status of their own. */
struct reply_status reply_status_of(const struct error *err);

/* reply_error_body appends {"code":…,"message":"…","details":[{"reason":…}]}.
 */
void reply_error_body(struct buf *out, const struct error *err);

/* reply_error fills `r` from a failure, with Retry-After where it helps. */
void reply_error(struct response *r, const struct error *err);

/* exchange_fail answers with a failure. */
void exchange_fail(struct exchange *x, const struct error *err);

/* reply_text begins an answer whose body is written into r->text. */
void reply_text(struct response *r, unsigned status, const char *content_type);

/*
 * reply_conditional finishes an answer to a read: `etag` (quoted) is sent; an
 * equal If-None-Match turns it into 304, a single byte Range of a GET into 206
 * or 416, unless If-Range has another tag. Then it answers.
 */
void reply_conditional(
    struct exchange *x, struct response *r, const char *etag);

/*
 * reply_again answers a read without conditions as it was answered before
 * (response.fixed), and takes the reference. False: nothing was done.
 */
bool reply_again(struct exchange *x, struct httpd_body *body) MUST_USE;

#endif
