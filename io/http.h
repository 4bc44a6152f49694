/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_IO_HTTP_H
#define MTLOG_IO_HTTP_H

#include "core/base/buf.h"
#include "core/base/error.h"

/*
 * HTTP as a client: the only file that knows libcurl. One handle keeps its
 * connection between calls and belongs to one thread. Redirects are not
 * followed, only http and https are spoken, answers are bounded (unpacked, if
 * they came as gzip).
 */
struct http;

/* http_open makes a client; `timeout_ms` bounds each whole call. ERR_INTERNAL.
 */
struct http *http_open(unsigned timeout_ms, struct error *err) MUST_USE;
void http_close(struct http *h);

/* http_cancel ends the call under way, and those that follow, with
 * ERR_UNAVAILABLE. Any thread may call it. */
void http_cancel(struct http *h);

/* http_limit bounds the calls that follow: each whole one by `timeout_ms`. */
void http_limit(struct http *h, unsigned timeout_ms);

/* http_token sends "Authorization: Bearer TOKEN" with every call that follows;
 * NULL: no more. ERR_USAGE for a token that no header may hold. */
bool http_token(struct http *h, const char *token, struct error *err) MUST_USE;

/* http_header sends this line ("Name: value") with every call that follows;
 * NULL: no more. ERR_USAGE for a line that no header may be. */
bool http_header(struct http *h, const char *line, struct error *err) MUST_USE;

/* http_compressed asks for gzip in every call that follows. It costs a server
 * that packs as it goes more time than it saves on a fast line. What comes as
 * gzip is unpacked in any case. */
void http_compressed(struct http *h);

/* What came back. Release `body`. */
struct http_answer {
	unsigned status;
	unsigned retry_after; /* seconds, 0 when not said */
	struct buf body;
};

/*
 * http_get and http_post fetch `url` (NUL-terminated); the body is appended to
 * `out->body`, whose limit the caller has set. Any HTTP status is success here.
 * ERR_UNAVAILABLE reason "network" when there is no answer, ERR_LIMIT when the
 * answer is larger than the limit, ERR_USAGE for a bad URL.
 */
bool http_get(struct http *h, const char *url, struct http_answer *out,
    struct error *err) MUST_USE;
bool http_post(struct http *h, const char *url, const char *content_type,
    struct bytes body, struct http_answer *out, struct error *err) MUST_USE;

#endif
