/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_HTTPD_H
#define MTLOG_SERVER_HTTPD_H

#include <netinet/in.h>

#include "core/base/buf.h"
#include "core/base/error.h"

/*
 * The HTTP side; httpd.c is the only file that knows libmicrohttpd. It reads
 * whole requests within limits and deadlines, calls one handler, and sends one
 * answer. A handler answers at once, or keeps the exchange: the connection is
 * then suspended, no thread waits, and any thread answers later.
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

/*
 * The handler: called once per request, whole body read. It answers through
 * exchange_reply, now or later. HEAD: the handler answers as to GET, the body
 * is not sent. Runs on an HTTP thread and must not block.
 */
typedef void httpd_handler(void *arg, struct exchange *x);

/* Numbers that are 0 take the value named here, where one is named. */
struct httpd_options {
	const char *listen;	  /* "ADDR:PORT", "[v6]:PORT"; port 0 = any */
	unsigned threads;	  /* 2 */
	unsigned max_connections; /* 8192 */
	/* Of one address, or for those behind a trusted proxy requests under
	 * way; 0: no limit (loopback). */
	unsigned max_connections_per_client;
	size_t max_body;	    /* bytes of one request: 1 MiB */
	size_t body_budget;	    /* bytes of all request bodies: 64 MiB */
	size_t answer_budget;	    /* bytes of all unsent answers: 64 MiB */
	unsigned header_timeout_ms; /* whole request must be there: 10000 */
	unsigned answer_timeout_ms; /* handler's time: 20000, then 504 */
	unsigned idle_timeout_ms;   /* keep-alive pause: 60000 */
	size_t min_send_rate;	    /* bytes/s a reader must take: 1024 */
	unsigned send_window_ms;    /* judged over this time: 10000 */
	const char *const *trusted_proxies; /* ADDR or ADDR/BITS, NULL-ended */
	httpd_handler *handler;
	void *arg;
	/*
	 * Called when httpd itself refuses (status 400, 408, 413, 429, 503,
	 * 504), from any thread: fills the response in the API's error form.
	 * NULL: plain text. A head that libmicrohttpd cannot read or hold (400,
	 * 414, 431) gets the library's own short answer.
	 */
	void (*refuse)(void *arg, unsigned status, const char *reason,
	    const char *message, struct response *r);
};

enum httpd_refused {
	HTTPD_REFUSED_MALFORMED, /* 400 */
	HTTPD_REFUSED_TIMEOUT,	 /* 408, and silent ends before a request */
	HTTPD_REFUSED_TOO_LARGE, /* 413 */
	HTTPD_REFUSED_CLIENT,	 /* 429: too much from one address */
	HTTPD_REFUSED_BUSY,	 /* 503: a limit over all clients */
	HTTPD_REFUSED_DEADLINE,	 /* 504 */
	HTTPD_REFUSED_COUNT
};

struct httpd_stats {
	uint64_t connections; /* open now */
	uint64_t requests;    /* since the start */
	uint64_t refused[HTTPD_REFUSED_COUNT];
	uint64_t cut;	       /* slow readers cut off */
	uint64_t body_bytes;   /* held now */
	uint64_t answer_bytes; /* held now; a shared body counts once */
};

struct httpd;

/* httpd_open binds and listens (ERR_IO names the address) but serves nothing
 * until httpd_start. The strings in `o` are not kept. httpd_port is the port
 * that was bound. */
struct httpd *httpd_open(const struct httpd_options *o, struct error *err)
    MUST_USE;
unsigned httpd_port(const struct httpd *h);
bool httpd_start(struct httpd *h, struct error *err) MUST_USE;

/*
 * httpd_drain stops accepting and waits up to `ms` for open exchanges to be
 * answered and sent. httpd_close ends everything (NULL-safe): exchanges that a
 * handler still holds stay valid, and what it replies later is dropped.
 * httpd_stats fills a snapshot.
 */
void httpd_drain(struct httpd *h, unsigned ms);
void httpd_close(struct httpd *h);
void httpd_stats(const struct httpd *h, struct httpd_stats *out);

#endif
