/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_HTTPD_PARTS_H
#define MTLOG_SERVER_HTTPD_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <time.h>

#include "server/httpd.h"
#include "server/httpd_head.h"

/*
 * What the files httpd_*.c share; for no one else.
 *
 * Locks, in the order in which they are taken: httpd.lock (the list of
 * connections), exchange.lock, libmicrohttpd's own.
 */

struct MHD_Daemon;
struct MHD_Connection;

#define REQUEST_MAX_HEADERS   32
#define HTTPD_POOL_SIZE	      (8 * 1024) /* libmicrohttpd's, per connection */
#define HTTPD_REFUSED_SOCKETS 64

/* How many connections (or proxied requests) each client has. */
struct client_entry {
	struct http_client client;
	uint32_t count;
	uint32_t next; /* index + 1; 0 ends */
};

struct client_table {
	pthread_mutex_t lock;
	uint64_t seed[2];
	uint32_t mask;
	uint32_t *buckets;
	struct client_entry *entries;
	uint32_t free;
};

/* client_table_open makes room for `max` clients at a time. */
bool client_table_open(struct client_table *t, uint32_t max, struct error *err)
    MUST_USE;
void client_table_close(struct client_table *t);

/* client_take counts one more of `c`, unless it has `limit` already (0: none)
 * or the table is full. client_give takes one back. */
bool client_take(struct client_table *t, const struct http_client *c,
    unsigned limit) MUST_USE;
void client_give(struct client_table *t, const struct http_client *c);

/* An address in the form of IPv6 (IPv4 mapped), whole. */
struct address {
	uint8_t byte[16];
};

struct proxy {
	struct address net;
	unsigned bits;
};

/* address_of reads a socket's address. address_client cuts IPv6 to /64.
 * proxy_parse reads "ADDR" or "ADDR/BITS". */
struct address address_of(const struct sockaddr *sa);
struct http_client address_client(const struct address *a);
bool proxy_parse(const char *text, struct proxy *out, struct error *err)
    MUST_USE;
bool proxy_trusted(const struct httpd *h, const struct address *a);

/* proxy_step goes one X-Forwarded-For value from right to left, past trusted
 * proxies, to the client. False: all of it was trusted, look further left. */
bool proxy_step(const struct httpd *h, struct bytes value, struct address *a);

/* What a connection is doing, and since when: one word, `ms << 3 | phase`, so
 * that the watcher judges and changes both at once. */
enum phase {
	PHASE_FRESH,	 /* accepted, no request line yet */
	PHASE_RECEIVING, /* request line seen */
	PHASE_HANDLING,	 /* the exchange's own deadline counts */
	PHASE_SENDING,
	PHASE_IDLE,   /* between requests */
	PHASE_LINGER, /* refused; what the client still sends is thrown away */
	PHASE_CUT,    /* shut down by the watcher */
};

struct conn {
	struct loop *loop;
	struct httpd *h;
	struct conn *prev, *next; /* under httpd.lock */
	int fd;
	struct address peer;
	bool proxied;
	_Atomic uint64_t clock;
	struct exchange *x; /* changes only under httpd.lock */
	/* The loop's: what came in, how many requests the library began and
	 * how many are done with; that it was refused; that the client sends no more. */
	struct http_reader reader;
	uint64_t begun, done;
	bool refused, ended;
	/* The watcher's: where a slow reader was when last looked at. */
	uint64_t mark_clock, mark_ms, mark_acked;
};

struct refused_socket {
	int fd;
	uint64_t until;
};

/* A socket on its way from the watcher to the loop that will serve it. */
struct handed {
	int fd;
	struct sockaddr_storage from;
	socklen_t len;
};

#define LOOP_HANDED 256

/* One thread that serves connections, with a library daemon of its own. */
struct loop {
	struct httpd *h;
	struct MHD_Daemon *mhd;
	int wake_fd;
	atomic_bool woken; /* wake_fd has been written to */
	pthread_t thread;
	bool running;
	pthread_mutex_t lock;
	struct handed handed[LOOP_HANDED];
	size_t count;
};

struct httpd {
	struct httpd_options o;
	struct loop *loops; /* o.threads of them */
	unsigned next_loop;
	int listen_fd; /* the watcher's, once it runs */
	int wake_fd;
	unsigned port;
	unsigned tick_ms;
	atomic_uint refs; /* the owner's, and one per exchange */
	atomic_bool draining, closing, stopped, closed;
	pthread_t watcher;
	bool watching;
	struct client_table clients;
	struct proxy *proxies;
	size_t proxy_count;
	struct refused_socket refused_sockets[HTTPD_REFUSED_SOCKETS];
	size_t refused_next;
	uint64_t accept_again; /* out of descriptors until then */
	pthread_mutex_t lock;
	struct conn *conns;
	_Atomic uint64_t open; /* counted when accepted */
	_Atomic uint64_t refused[HTTPD_REFUSED_COUNT];
	_Atomic uint64_t cut;
	/* Written at each request by each thread: a cache line for each. */
	_Alignas(64) _Atomic uint64_t requests;
	_Alignas(64) atomic_size_t body_bytes;
	_Alignas(64) atomic_size_t answer_bytes;
};

void httpd_unref(struct httpd *h);

/* One header as kept: offsets into exchange.text. */
struct kept_header {
	uint16_t name, name_len, value, value_len;
};

enum exchange_state {
	EXCHANGE_IDLE,
	EXCHANGE_RECEIVING,
	EXCHANGE_REFUSED, /* answered before it was whole */
	EXCHANGE_HANDLING,
	EXCHANGE_SUSPENDED,
	EXCHANGE_ANSWERED, /* `answer` waits for the HTTP thread */
	EXCHANGE_SENDING,
};

/*
 * One request and its answer. It belongs to its connection, which uses it
 * again for the next request; while a handler holds it too, the connection
 * takes another. Fields above `lock` are the HTTP thread's until the handler
 * is called and do not change from then on.
 */
struct exchange {
	struct httpd *h;
	struct MHD_Connection *mhd;
	struct request request;
	struct buf text; /* target and headers */
	struct kept_header headers[REQUEST_MAX_HEADERS];
	unsigned header_count;
	size_t target_len;
	bool head_read;
	bool counted;	    /* request.client has one more for this request */
	uint64_t announced; /* Content-Length */
	size_t max_body;    /* of this request */
	struct buf body;
	size_t body_charged;

	pthread_mutex_t lock;
	enum exchange_state state;
	uint64_t since;
	bool held;  /* a handler has it */
	bool ended; /* the connection is done with it */
	unsigned status;
	void *answer; /* struct MHD_Response */
	size_t text_charged;
	struct httpd_body *shared; /* charged; the answer has the reference */
	bool fixed; /* but for this: `answer` is the body's, we hold that */
	atomic_uint refs;
};

struct exchange *exchange_open(struct httpd *h);
void exchange_unref(struct exchange *x);

/* exchange_begin: the request line is there; `target` is its raw middle. */
void exchange_begin(struct exchange *x, const char *target);

/* exchange_add_header keeps one header. */
void exchange_add_header(
    struct exchange *x, struct bytes name, struct bytes value);

/* A refusal of httpd's own; status 0: none. */
struct refusal {
	unsigned status;
	const char *reason;
	char message[160];
};

/* exchange_head looks at the whole head; exchange_body takes a piece of body.
 * `out` is left alone when all is well. */
void exchange_head(struct exchange *x, enum http_method method,
    const struct conn *c, struct refusal *out);
void exchange_body(struct exchange *x, struct bytes piece, struct refusal *out);

/* exchange_handle calls the handler. True: an answer is there to be queued.
 * False: the connection has been suspended. */
bool exchange_handle(struct exchange *x);

/* exchange_overdue gives 504 (or 503, when closing) in the handler's stead, if
 * it has had the exchange since `before` or longer. */
void exchange_overdue(struct exchange *x, uint64_t before, bool closing);

/* exchange_end: the connection is done with this request. */
void exchange_end(struct exchange *x);

/* refusal_set fills `out` and counts it. refusal_send writes it to a socket
 * past libmicrohttpd, which cannot answer while a body arrives, and ends the
 * sending side. */
void refusal_set(struct httpd *h, struct refusal *out, unsigned status,
    const char *reason, const char *format, ...)
    __attribute__((format(printf, 5, 6)));
void refusal_send(
    struct httpd *h, int fd, const struct refusal *refusal, bool head_only);

/* An answer in libmicrohttpd's form; NULL when memory ran out. answer_make
 * takes `r`'s contents whatever happens, answer_fixed nothing: its answer
 * belongs to the body. */
void *answer_make(struct httpd *h, struct response *r);
void *answer_fixed(const struct response *r);
void answer_drop(void *answer);

/* In httpd.c, beside the loops. */
void connection_suspend(struct MHD_Connection *c);
void connection_resume(struct MHD_Connection *c);
/* connection_room tells whether the next connection can be handed over. */
bool connection_room(struct httpd *h);
bool connection_add(
    struct httpd *h, int fd, const struct sockaddr *sa, socklen_t len);

/*
 * In httpd_read.c: what the library reads is checked first. conn_read_begin
 * starts that (false: the descriptor is too large a number), conn_read_end
 * must come before the descriptor is closed. conn_read_done tells that a request
 * has been answered: what was found after it is answered now.
 */
bool conn_read_begin(struct conn *c) MUST_USE;
void conn_read_end(const struct conn *c);
void conn_read_done(struct conn *c);

/* In httpd_options.c: zeros become defaults; the trusted proxies are read. */
void options_fill(struct httpd *h);
bool options_proxies(
    struct httpd *h, const char *const *texts, struct error *err) MUST_USE;

/* conn_set_phase moves to `phase` now, unless the watcher cut the connection:
 * then false. `keep_since` keeps the time of the phase before. */
bool conn_set_phase(struct conn *c, enum phase phase, bool keep_since);

/* listen_open binds. watcher_start starts the thread that accepts, and that
 * holds every deadline; watcher_stop ends it. conns_quiet cuts the connections
 * that wait for nothing, and tells that there is none left at work. */
bool listen_open(struct httpd *h, const char *text, struct error *err) MUST_USE;
bool watcher_start(struct httpd *h, struct error *err) MUST_USE;
void watcher_wake(struct httpd *h);
void watcher_stop(struct httpd *h);
bool conns_quiet(struct httpd *h);

/* now_ms: monotonic; exact to the kernel's tick, which costs no call. */
static inline uint64_t
now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

#endif
