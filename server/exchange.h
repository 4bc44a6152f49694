/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_EXCHANGE_H
#define MTLOG_SERVER_EXCHANGE_H

#include "core/base/buf.h"
#include "core/base/error.h"

/*
 * One request and its one answer, as handlers see them. A handler answers at
 * once, or keeps the exchange: the connection is then suspended, no thread
 * waits, and any thread answers later.
 */

/* An immutable body shared by several answers (a tile in the cache). The
 * holder calls httpd_body_release once; the last one calls `free`. */
struct httpd_body {
	struct bytes data;
	unsigned refs; /* atomic */
	void (*free)(struct httpd_body *);
	unsigned sending; /* atomic; httpd's own: answers it is in */
	void *fixed;	  /* atomic; httpd's own: see response.fixed */
};
/* httpd_body_hold takes one more reference; httpd_body_release gives one back
 * and calls `free` with the last. */
void httpd_body_hold(struct httpd_body *b);
void httpd_body_release(struct httpd_body *b);

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_OPTIONS, HTTP_OTHER };

/* One client address as limits see it: IPv4, or IPv6 cut to /64. */
struct http_client {
	uint8_t address[16];
};

/*
 * A whole request. Views are valid until exchange_reply, even if the deadline
 * passes or the client leaves before that.
 * `path` excludes the query; it is raw (no percent-decoding, none is needed).
 */
struct request {
	enum http_method method;
	struct bytes path;
	struct bytes query;
	struct bytes body;
	struct http_client client; /* after trusted-proxy */
};

struct exchange;

/* exchange_request views the request. exchange_header views one header's
 * value, or is empty; names in lower case; only the first 32 are kept. */
const struct request *exchange_request(const struct exchange *x);
struct bytes exchange_header(const struct exchange *x, const char *name);

#define RESPONSE_MAX_HEADERS 12

/*
 * An answer. Header values are copied when answering. The body is `text`
 * (owned; the answer takes it) or `shared` (a reference that the answer takes);
 * at most one of the two.
 */
struct response {
	unsigned status;
	const char *content_type; /* NULL: none */
	struct {
		const char *name; /* literal */
		char value[96];
	} headers[RESPONSE_MAX_HEADERS];
	size_t header_count;
	struct buf text;
	struct httpd_body *shared;
	size_t shared_offset; /* what part of `shared` is sent */
	size_t shared_len;
	/* 200 with the whole of `shared`, which never has other headers: the
	 * answer is kept with the body, for exchange_reply_again. */
	bool fixed;
};

/* response_header adds one header (the value is cut at 95 bytes; one too many
 * is left out). response_release drops a response that is not sent after all.
 */
void response_header(struct response *r, const char *name, const char *format,
    ...) __attribute__((format(printf, 3, 4)));
void response_release(struct response *r);

/*
 * exchange_reply answers; exactly once per exchange, from any thread, and the
 * exchange must not be touched afterwards. Takes the response's contents.
 * If the deadline passed meanwhile, the client has had its 504 and the answer
 * is dropped.
 */
void exchange_reply(struct exchange *x, struct response *r);

/*
 * exchange_reply_again answers with `body`, taking the reference, as a fixed
 * response has before. False: there is none to repeat, or the server is going
 * down and has a header to add; nothing was answered or taken.
 */
bool exchange_reply_again(struct exchange *x, struct httpd_body *body) MUST_USE;

#endif
