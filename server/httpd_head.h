/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_HTTPD_HEAD_H
#define MTLOG_SERVER_HTTPD_HEAD_H

#include "core/base/bytes.h"

/*
 * Checks the framing of HTTP/1 requests as their bytes arrive: what two readers
 * could understand differently is refused, and so is what does not fit. It
 * looks at each byte once, holds none of the text, and does not interpret:
 * that is the library's part, which gets only what passed here.
 *
 * RFC 9110, RFC 9112.
 */

#define HTTP_TARGET_MAX	 4096 /* bytes of a request target */
#define HTTP_HEAD_MAX	 6144 /* what a head may take in the library, bytes */
#define HTTP_TRAILER_MAX 512  /* bytes of trailers, all together */
#define HTTP_CHUNK_LINE	 128  /* bytes of a chunk's size and extensions */

enum http_fault {
	HTTP_FAULT_NONE,
	HTTP_FAULT_TLS,
	HTTP_FAULT_METHOD,
	HTTP_FAULT_TARGET,
	HTTP_FAULT_TARGET_FORM,
	HTTP_FAULT_TARGET_LONG,
	HTTP_FAULT_VERSION,
	HTTP_FAULT_LINE_END,
	HTTP_FAULT_NAME,
	HTTP_FAULT_VALUE,
	HTTP_FAULT_FOLDED,
	HTTP_FAULT_HEAD_LARGE,
	HTTP_FAULT_LENGTH,
	HTTP_FAULT_LENGTH_TWICE,
	HTTP_FAULT_ENCODING,
	HTTP_FAULT_ENCODING_OLD,
	HTTP_FAULT_HOST,
	HTTP_FAULT_BODY_UNWANTED,
	HTTP_FAULT_BODY_LARGE,
	HTTP_FAULT_CHUNK,
	HTTP_FAULT_INCOMPLETE,
	HTTP_FAULT_COUNT
};

/* How a fault is answered: status, stable reason, sentence. */
struct http_fault_answer {
	unsigned status;
	const char *reason;
	const char *message;
};

const struct http_fault_answer *http_fault_answer(enum http_fault fault);

/* Where a connection's stream is. Plain data; http_reader_init begins. The
 * fields are the reader's own but for the first four. */
struct http_reader {
	uint64_t heads;	       /* whole heads that passed */
	uint64_t whole;	       /* whole requests that passed */
	enum http_fault fault; /* final */
	bool head_only;	       /* the request at hand is a HEAD */
	uint8_t state;	       /* enum state */
	bool old;	       /* HTTP/1.0 */
	bool bodyless;	       /* GET or HEAD */
	bool close, keep;      /* Connection says so */
	bool trailer;	       /* the header lines are trailers */
	uint8_t hosts, lengths, encodings;
	uint8_t header;	  /* enum header */
	uint8_t word_len; /* UINT8_MAX: longer than `word` */
	char word[40];	  /* method, version, name or value */
	uint32_t at;	  /* bytes of target, chunk line or trailers */
	uint32_t weight;  /* of the head, see HTTP_HEAD_MAX */
	uint64_t left;	  /* bytes of the body, or of the chunk, to come */
	uint64_t length;  /* of the body so far announced */
	uint64_t max_body;
};

void http_reader_init(struct http_reader *r, uint64_t max_body);

/*
 * http_reader_take looks at the next bytes. Returns how many of them may be
 * passed on: all of them, or, after a fault, those before the request that has
 * it (none, if that began earlier). Bytes after a request that ends the
 * connection are not looked at and not passed on.
 */
size_t http_reader_take(struct http_reader *r, struct bytes in) MUST_USE;

/* http_reader_end tells that no more bytes come: a fault within a request. */
void http_reader_end(struct http_reader *r);

/* http_reader_between: no byte of a next request has been seen. */
bool http_reader_between(const struct http_reader *r);

#endif
