/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_HTTPD_H
#define MTLOG_SERVER_HTTPD_H

#include <netinet/in.h>

#include "server/exchange.h"

/*
 * The HTTP side; httpd.c and httpd_answer.c alone know libmicrohttpd. It checks
 * every byte before the library sees it (httpd_read.c, httpd_head.c), reads
 * whole requests within limits and deadlines, calls one handler, and sends one
 * answer.
 */

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
	size_t max_body; /* bytes of one request: 1 MiB */
	/* Requests for exactly this path may be larger; NULL: none. */
	const char *large_path;
	size_t max_large_body;
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
	 * Called when httpd itself refuses (status 400, 408, 413, 414, 429,
	 * 431, 503, 504), from any thread: fills the response in the API's
	 * error form. NULL: plain text.
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
