/* SPDX-License-Identifier: Apache-2.0 */
#include "server/httpd.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <microhttpd.h>

#include "server/httpd_parts.h"

/*
 * libmicrohttpd (written against 0.9.75) calls the access handler for the head,
 * for each piece of body and once at the end; an answer can be queued in the
 * last of these only. What is refused earlier goes to the socket past the
 * library (refusal_send) and the rest of the request is thrown away.
 *
 * The library's own threads are not used: its epoll loop asks the kernel again,
 * without a time limit, after it got exactly 128 events, and then sits on these
 * until something else happens (observed as stalls of seconds with 256 busy
 * clients). MHD_run never waits; the waiting is done here, in loop_run.
 *
 * Connections are accepted by our watcher and handed to the loops: this way a
 * client over its limit is told so, and nothing depends on MHD_quiesce_daemon,
 * which under load can abort the process (it and a worker both take the socket
 * out of the worker's epoll set, and the second to do so panics).
 */

#define DRAIN_STEP_US 5000

void
connection_suspend(struct MHD_Connection *c)
{
	MHD_suspend_connection(c);
}

static struct conn *
conn_of(struct MHD_Connection *c)
{
	return MHD_get_connection_info(c, MHD_CONNECTION_INFO_SOCKET_CONTEXT)
	    ->socket_context;
}

static void
loop_wake(struct loop *l)
{
	uint64_t one = 1;

	if (!atomic_exchange(&l->woken, true))
		(void)!write(l->wake_fd, &one, sizeof(one));
}

void
connection_resume(struct MHD_Connection *c)
{
	/* Once resumed the connection may be gone; its loop is not. */
	struct loop *l = conn_of(c)->loop;

	MHD_resume_connection(c);
	loop_wake(l);
}

bool
connection_room(struct httpd *h)
{
	struct loop *l = &h->loops[h->next_loop % h->o.threads];
	bool room;

	(void)pthread_mutex_lock(&l->lock);
	room = l->count < LOOP_HANDED;
	(void)pthread_mutex_unlock(&l->lock);
	return room;
}

bool
connection_add(
    struct httpd *h, int fd, const struct sockaddr *sa, socklen_t len)
{
	struct loop *l = &h->loops[h->next_loop++ % h->o.threads];
	bool ok;

	(void)pthread_mutex_lock(&l->lock);
	ok = l->count < LOOP_HANDED && len <= sizeof(l->handed[0].from);
	if (ok) {
		l->handed[l->count].fd = fd;
		l->handed[l->count].len = len;
		memcpy(&l->handed[l->count].from, sa, len);
		l->count++;
	}
	(void)pthread_mutex_unlock(&l->lock);
	if (ok)
		loop_wake(l);
	else
		(void)close(fd);
	return ok;
}

/* Requests. */

/* The connection's exchange, or a new one while a handler still has that. */
static struct exchange *
usable_exchange(struct conn *c)
{
	struct exchange *old = c->x, *x;

	if (old && atomic_load(&old->refs) == 1)
		return old;
	x = exchange_open(c->h);
	(void)pthread_mutex_lock(&c->h->lock);
	c->x = x;
	(void)pthread_mutex_unlock(&c->h->lock);
	if (old)
		exchange_unref(old);
	return x;
}

/* The library is about to write into the target: the query is cut to pieces. */
static void *
on_target(void *arg, const char *uri, struct MHD_Connection *connection)
{
	struct conn *c = conn_of(connection);
	struct exchange *x = c ? usable_exchange(c) : NULL;

	(void)arg;
	if (!x)
		return NULL;
	x->mhd = connection;
	exchange_begin(x, uri ? uri : "");
	return conn_set_phase(c, PHASE_RECEIVING,
		   (atomic_load(&c->clock) & 7) != PHASE_IDLE)
	    ? x
	    : NULL;
}

/* Paths stay as they were sent. */
static size_t
leave_escaped(void *arg, struct MHD_Connection *connection, char *text)
{
	(void)arg;
	(void)connection;
	return strlen(text);
}

static enum MHD_Result
on_header(void *arg, enum MHD_ValueKind kind, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
	(void)kind;
	exchange_add_header(
	    arg, bytes_of(name, name_len), bytes_of(value, value_len));
	return MHD_YES;
}

static enum http_method
method_of(const char *name)
{
	static const struct {
		const char *name;
		enum http_method method;
	} methods[] = {
	    {"GET", HTTP_GET},
	    {"HEAD", HTTP_HEAD},
	    {"POST", HTTP_POST},
	    {"OPTIONS", HTTP_OPTIONS},
	};

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
		if (strcmp(name, methods[i].name) == 0)
			return methods[i].method;
	return HTTP_OTHER;
}

static void
read_head(
    struct exchange *x, struct conn *c, const char *method, struct refusal *out)
{
	(void)MHD_get_connection_values_n(
	    x->mhd, MHD_HEADER_KIND, on_header, x);
	exchange_head(x, method_of(method), c, out);
}

static void
refuse(struct exchange *x, struct conn *c, const struct refusal *why)
{
	(void)pthread_mutex_lock(&x->lock);
	x->state = EXCHANGE_REFUSED;
	(void)pthread_mutex_unlock(&x->lock);
	c->refused = true;
	if (conn_set_phase(c, PHASE_LINGER, false))
		refusal_send(c->h, c->fd, why, x->request.method == HTTP_HEAD);
}

static enum MHD_Result
send_answer(struct exchange *x, struct conn *c)
{
	struct MHD_Response *answer;
	enum MHD_Result rc;
	bool fixed;

	(void)pthread_mutex_lock(&x->lock);
	answer = x->answer;
	fixed = x->fixed;
	x->answer = NULL;
	x->state = EXCHANGE_SENDING;
	(void)pthread_mutex_unlock(&x->lock);
	if (!answer)
		return MHD_NO;
	(void)conn_set_phase(c, PHASE_SENDING, false);
	rc = MHD_queue_response(x->mhd, x->status, answer);
	if (!fixed)
		MHD_destroy_response(answer);
	return rc;
}

static enum MHD_Result
on_whole(struct exchange *x, struct conn *c)
{
	enum exchange_state state;

	(void)pthread_mutex_lock(&x->lock);
	state = x->state;
	(void)pthread_mutex_unlock(&x->lock);
	if (state == EXCHANGE_RECEIVING) {
		if (!conn_set_phase(c, PHASE_HANDLING, false))
			return MHD_NO;
		if (!exchange_handle(x))
			return MHD_YES;
		state = EXCHANGE_ANSWERED;
	}
	if (state == EXCHANGE_ANSWERED)
		return send_answer(x, c);
	return state == EXCHANGE_REFUSED ? MHD_NO : MHD_YES;
}

static enum MHD_Result
on_access(void *arg, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *data, size_t *size,
    void **context)
{
	struct exchange *x = *context;
	struct conn *c = conn_of(connection);
	struct refusal why = {0};

	(void)arg;
	(void)url;
	(void)version;
	if (!x || !c)
		return MHD_NO;
	if (!x->head_read) {
		/* It has read past our check, which must not be. */
		if (++c->begun > c->reader.heads)
			return MHD_NO;
		read_head(x, c, method, &why);
		if (why.status != 0)
			refuse(x, c, &why);
		return MHD_YES;
	}
	if (*size == 0)
		return on_whole(x, c);
	if (x->state != EXCHANGE_REFUSED)
		exchange_body(x, bytes_of(data, *size), &why);
	if (why.status != 0)
		refuse(x, c, &why);
	*size = 0;
	return MHD_YES;
}

static void
on_completed(void *arg, struct MHD_Connection *connection, void **context,
    enum MHD_RequestTerminationCode code)
{
	struct conn *c = conn_of(connection);

	(void)arg;
	if (*context)
		exchange_end(*context);
	*context = NULL;
	if (!c)
		return;
	(void)conn_set_phase(c, PHASE_IDLE, false);
	if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
		conn_read_done(c);
}

/* Connections. */

static void
conn_open(
    struct loop *l, struct MHD_Connection *connection, int fd, void **context)
{
	struct httpd *h = l->h;
	const struct sockaddr *sa = MHD_get_connection_info(
	    connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
					->client_addr;
	struct conn *c = calloc(1, sizeof(*c));

	*context = c;
	if (!c) {
		(void)shutdown(fd, SHUT_RDWR);
		return;
	}
	c->h = h;
	c->loop = l;
	c->fd = fd;
	if (!conn_read_begin(c))
		(void)shutdown(fd, SHUT_RDWR);
	c->peer = address_of(sa);
	c->proxied = proxy_trusted(h, &c->peer);
	atomic_init(&c->clock, now_ms() << 3 | PHASE_FRESH);
	c->x = exchange_open(h);
	(void)pthread_mutex_lock(&h->lock);
	c->next = h->conns;
	if (c->next)
		c->next->prev = c;
	h->conns = c;
	(void)pthread_mutex_unlock(&h->lock);
}

/* The library closes the descriptor after this: from here on the watcher must
 * not know it. */
static void
conn_close(struct httpd *h, struct conn *c)
{
	conn_read_end(c);
	(void)pthread_mutex_lock(&h->lock);
	if (c->prev)
		c->prev->next = c->next;
	else
		h->conns = c->next;
	if (c->next)
		c->next->prev = c->prev;
	(void)pthread_mutex_unlock(&h->lock);
	if (c->x) {
		exchange_end(c->x);
		exchange_unref(c->x);
	}
	free(c);
}

static void
on_connection(void *arg, struct MHD_Connection *connection, void **context,
    enum MHD_ConnectionNotificationCode code)
{
	struct loop *l = arg;
	struct httpd *h = l->h;
	struct address peer;
	struct http_client client;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		conn_open(l, connection,
		    MHD_get_connection_info(
			connection, MHD_CONNECTION_INFO_CONNECTION_FD)
			->connect_fd,
		    context);
		return;
	}
	if (*context)
		conn_close(h, *context);
	*context = NULL;
	peer = address_of(MHD_get_connection_info(
	    connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)
			      ->client_addr);
	client = address_client(&peer);
	client_give(&h->clients, &client);
	(void)atomic_fetch_sub(&h->open, 1);
}

/* The loops. */

/* Takes in what the watcher has accepted. */
static void
loop_take(struct loop *l)
{
	struct handed taken[LOOP_HANDED];
	size_t n;

	(void)pthread_mutex_lock(&l->lock);
	n = l->count;
	memcpy(taken, l->handed, n * sizeof(taken[0]));
	l->count = 0;
	(void)pthread_mutex_unlock(&l->lock);
	for (size_t i = 0; i < n; i++) {
		const struct sockaddr *sa =
		    (const struct sockaddr *)&taken[i].from;
		struct address peer = address_of(sa);
		struct http_client client = address_client(&peer);

		/* It closes what it does not take. */
		if (MHD_add_connection(l->mhd, taken[i].fd, sa, taken[i].len) ==
		    MHD_YES)
			continue;
		client_give(&l->h->clients, &client);
		(void)atomic_fetch_sub(&l->h->open, 1);
	}
}

static void *
loop_run(void *arg)
{
	struct loop *l = arg;
	struct pollfd fds[] = {
	    {.events = POLLIN,
		.fd = MHD_get_daemon_info(l->mhd, MHD_DAEMON_INFO_EPOLL_FD)
			  ->epoll_fd},
	    {.events = POLLIN, .fd = l->wake_fd},
	};

	while (!atomic_load(&l->h->closed)) {
		MHD_UNSIGNED_LONG_LONG ms = 0;
		uint64_t ignored;
		int wait = -1;

		if (MHD_get_timeout(l->mhd, &ms) == MHD_YES)
			wait = ms < 1000 ? (int)ms : 1000;
		(void)poll(fds, 2, wait);
		if (fds[1].revents != 0) {
			(void)!read(l->wake_fd, &ignored, sizeof(ignored));
			atomic_store(&l->woken, false);
			loop_take(l);
		}
		(void)MHD_run(l->mhd);
	}
	return NULL;
}

static bool
loop_start(struct httpd *h, struct loop *l, struct error *err)
{
	sigset_t all, was;
	int rc;

	/* Its own limit lies above ours, which tells the client. */
	l->mhd = MHD_start_daemon(
	    MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET,
	    0, NULL, NULL, on_access, h, MHD_OPTION_CONNECTION_LIMIT,
	    h->o.max_connections + 64, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
	    (size_t)HTTPD_POOL_SIZE, MHD_OPTION_CONNECTION_TIMEOUT, 0U,
	    MHD_OPTION_URI_LOG_CALLBACK, on_target, h,
	    MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, h,
	    MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,
	    MHD_OPTION_NOTIFY_CONNECTION, on_connection, l, MHD_OPTION_END);
	if (!l->mhd)
		return error_set(err, ERR_IO, "cannot start the HTTP server");
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &was);
	rc = pthread_create(&l->thread, NULL, loop_run, l);
	(void)pthread_sigmask(SIG_SETMASK, &was, NULL);
	l->running = rc == 0;
	return l->running ||
	    error_set(err, ERR_IO, "cannot start a thread: %s", strerror(rc));
}

static void
loop_stop(struct loop *l)
{
	if (l->running) {
		loop_wake(l);
		(void)pthread_join(l->thread, NULL);
		loop_take(l);
	}
	l->running = false;
	if (l->mhd)
		MHD_stop_daemon(l->mhd);
	l->mhd = NULL;
}

static bool
loops_open(struct httpd *h, struct error *err)
{
	h->loops = calloc(h->o.threads, sizeof(*h->loops));
	if (!h->loops)
		return error_set(err, ERR_INTERNAL, "out of memory");
	for (unsigned i = 0; i < h->o.threads; i++) {
		h->loops[i].h = h;
		h->loops[i].wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		(void)pthread_mutex_init(&h->loops[i].lock, NULL);
	}
	for (unsigned i = 0; i < h->o.threads; i++)
		if (h->loops[i].wake_fd < 0)
			return error_set(err, ERR_IO, "no eventfd");
	return true;
}

static void
loops_close(struct httpd *h)
{
	atomic_store(&h->closed, true);
	for (unsigned i = 0; h->loops && i < h->o.threads; i++) {
		loop_stop(&h->loops[i]);
		if (h->loops[i].wake_fd >= 0)
			(void)close(h->loops[i].wake_fd);
		(void)pthread_mutex_destroy(&h->loops[i].lock);
	}
	free(h->loops);
	h->loops = NULL;
}

/* The server. */

struct httpd *
httpd_open(const struct httpd_options *o, struct error *err)
{
	struct httpd *h = aligned_alloc(_Alignof(struct httpd), sizeof(*h));

	if (!h) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	memset(h, 0, sizeof(*h));
	h->o = *o;
	h->o.listen = NULL;
	h->o.trusted_proxies = NULL;
	h->listen_fd = -1;
	atomic_init(&h->refs, 1);
	(void)pthread_mutex_init(&h->lock, NULL);
	(void)pthread_mutex_init(&h->clients.lock, NULL);
	for (size_t i = 0; i < HTTPD_REFUSED_SOCKETS; i++)
		h->refused_sockets[i].fd = -1;
	h->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	options_fill(h);
	/* Twice: behind proxies, connections and requests are counted. */
	if ((h->wake_fd >= 0 || error_set(err, ERR_IO, "no eventfd")) &&
	    client_table_open(&h->clients, 2 * h->o.max_connections + 1, err) &&
	    options_proxies(h, o->trusted_proxies, err) && loops_open(h, err) &&
	    listen_open(h, o->listen, err))
		return h;
	httpd_close(h);
	return NULL;
}

unsigned
httpd_port(const struct httpd *h)
{
	return h->port;
}

bool
httpd_start(struct httpd *h, struct error *err)
{
	for (unsigned i = 0; i < h->o.threads; i++)
		if (!loop_start(h, &h->loops[i], err))
			return false;
	return watcher_start(h, err);
}

void
httpd_drain(struct httpd *h, unsigned ms)
{
	uint64_t until = now_ms() + ms;

	atomic_store(&h->draining, true);
	watcher_wake(h);
	while (h->watching && !conns_quiet(h) && now_ms() < until)
		(void)usleep(DRAIN_STEP_US);
}

void
httpd_unref(struct httpd *h)
{
	if (atomic_fetch_sub(&h->refs, 1) != 1)
		return;
	client_table_close(&h->clients);
	free(h->proxies);
	if (h->wake_fd >= 0)
		(void)close(h->wake_fd);
	(void)pthread_mutex_destroy(&h->clients.lock);
	(void)pthread_mutex_destroy(&h->lock);
	free(h);
}

void
httpd_close(struct httpd *h)
{
	if (!h)
		return;
	watcher_stop(h);
	/* The library aborts the process if it is stopped with connections
	 * suspended. None is from here on: new ones see `closing`. */
	atomic_store(&h->closing, true);
	(void)pthread_mutex_lock(&h->lock);
	for (struct conn *c = h->conns; c; c = c->next)
		if (c->x)
			exchange_overdue(c->x, 0, true);
	(void)pthread_mutex_unlock(&h->lock);
	loops_close(h);
	httpd_unref(h);
}

void
httpd_stats(const struct httpd *h, struct httpd_stats *out)
{
	out->connections = atomic_load(&h->open);
	out->requests = atomic_load(&h->requests);
	for (size_t i = 0; i < HTTPD_REFUSED_COUNT; i++)
		out->refused[i] = atomic_load(&h->refused[i]);
	out->cut = atomic_load(&h->cut);
	out->body_bytes = atomic_load(&h->body_bytes);
	out->answer_bytes = atomic_load(&h->answer_bytes);
}
