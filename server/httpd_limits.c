/* SPDX-License-Identifier: Apache-2.0 */
#include "server/httpd_parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/tcp.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "core/base/reader.h"

#define LINGER_MS      2000 /* for a refused client to read why */
#define BUSY_MS	       2
#define EXHAUSTED_MS   100 /* pause when descriptors ran out */
#define DRAIN_GRACE_MS 100 /* a new connection's first request */
#define ACCEPT_BURST   64
#define UNSENT_MAX     (128 * 1024) /* bytes the kernel takes ahead */

/* Clients. */

bool
client_table_open(struct client_table *t, uint32_t max, struct error *err)
{
	uint32_t size = 64;

	while (size < max && size < 1u << 24)
		size *= 2;
	t->mask = size - 1;
	t->buckets = calloc(size, sizeof(*t->buckets));
	t->entries = calloc(max, sizeof(*t->entries));
	if (!t->buckets || !t->entries)
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (getrandom(t->seed, sizeof(t->seed), 0) != (ssize_t)sizeof(t->seed))
		return error_set(err, ERR_IO, "no random numbers");
	for (uint32_t i = 0; i < max; i++)
		t->entries[i].next = i + 1 < max ? i + 2 : 0;
	t->free = 1;
	return true;
}

void
client_table_close(struct client_table *t)
{
	free(t->buckets);
	free(t->entries);
	t->buckets = NULL;
	t->entries = NULL;
}

/* Keyed, so that nobody can choose addresses that share a bucket. */
static uint32_t *
bucket_of(struct client_table *t, const struct http_client *c)
{
	uint64_t high, low;
	unsigned __int128 product;

	memcpy(&high, c->address, 8);
	memcpy(&low, c->address + 8, 8);
	product =
	    (unsigned __int128)(high ^ t->seed[0]) * ((low ^ t->seed[1]) | 1);
	product ^= product >> 64;
	return &t->buckets[((uint64_t)product ^ (uint64_t)product >> 29) &
	    t->mask];
}

static uint32_t *
find_client(struct client_table *t, const struct http_client *c)
{
	uint32_t *at = bucket_of(t, c);

	while (
	    *at != 0 && memcmp(&t->entries[*at - 1].client, c, sizeof(*c)) != 0)
		at = &t->entries[*at - 1].next;
	return at;
}

bool
client_take(struct client_table *t, const struct http_client *c, unsigned limit)
{
	uint32_t *at;
	bool taken = false;

	(void)pthread_mutex_lock(&t->lock);
	at = find_client(t, c);
	if (*at == 0 && t->free != 0) {
		*at = t->free;
		t->free = t->entries[*at - 1].next;
		t->entries[*at - 1] = (struct client_entry){.client = *c};
	}
	if (*at != 0) {
		struct client_entry *e = &t->entries[*at - 1];

		taken = limit == 0 || e->count < limit;
		e->count += taken;
	}
	(void)pthread_mutex_unlock(&t->lock);
	return taken;
}

void
client_give(struct client_table *t, const struct http_client *c)
{
	uint32_t *at;

	(void)pthread_mutex_lock(&t->lock);
	at = find_client(t, c);
	if (*at != 0 && --t->entries[*at - 1].count == 0) {
		uint32_t i = *at;

		*at = t->entries[i - 1].next;
		t->entries[i - 1].next = t->free;
		t->free = i;
	}
	(void)pthread_mutex_unlock(&t->lock);
}

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static struct address
address_v4(const void *four)
{
	struct address a = {{0}};

	memcpy(a.byte, mapped, sizeof(mapped));
	memcpy(a.byte + sizeof(mapped), four, 4);
	return a;
}

struct address
address_of(const struct sockaddr *sa)
{
	struct address a = {{0}};

	if (sa->sa_family == AF_INET)
		return address_v4(
		    &((const struct sockaddr_in *)(const void *)sa)->sin_addr);
	if (sa->sa_family == AF_INET6)
		memcpy(a.byte,
		    &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr,
		    sizeof(a.byte));
	return a;
}

struct http_client
address_client(const struct address *a)
{
	struct http_client c;

	memcpy(c.address, a->byte, sizeof(c.address));
	if (memcmp(a->byte, mapped, sizeof(mapped)) != 0)
		memset(c.address + 8, 0, 8);
	return c;
}

static bool
address_parse(const char *text, struct address *out, unsigned *bits)
{
	struct in_addr four;

	if (inet_pton(AF_INET, text, &four) == 1) {
		*out = address_v4(&four);
		*bits = 32;
		return true;
	}
	*bits = 128;
	return inet_pton(AF_INET6, text, out->byte) == 1;
}

bool
proxy_parse(const char *text, struct proxy *out, struct error *err)
{
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);
	char address[INET6_ADDRSTRLEN];
	unsigned width = 0;
	uint64_t bits = 0;

	if (len < sizeof(address)) {
		memcpy(address, text, len);
		address[len] = '\0';
	}
	if (len >= sizeof(address) ||
	    !address_parse(address, &out->net, &width) ||
	    (slash &&
		(!decimal_parse(bytes_str(slash + 1), &bits) || bits > width)))
		return error_set(err, ERR_USAGE,
		    "trusted proxy '%s' is not an address or ADDRESS/BITS",
		    text);
	out->bits = 128 - width + (slash ? (unsigned)bits : width);
	return true;
}

static bool
in_net(const struct proxy *p, const struct address *a)
{
	size_t whole = p->bits / 8;
	unsigned rest = p->bits % 8;

	if (memcmp(p->net.byte, a->byte, whole) != 0)
		return false;
	return rest == 0 ||
	    (p->net.byte[whole] ^ a->byte[whole]) >> (8 - rest) == 0;
}

bool
proxy_trusted(const struct httpd *h, const struct address *a)
{
	for (size_t i = 0; i < h->proxy_count; i++)
		if (in_net(&h->proxies[i], a))
			return true;
	return false;
}

/* One hop: "1.2.3.4", "1.2.3.4:56", "2001:db8::1" or "[2001:db8::1]:56". */
static bool
hop_parse(struct bytes hop, struct address *out)
{
	char text[INET6_ADDRSTRLEN + 8];
	char *host = text, *colon;
	unsigned bits;

	while (hop.len > 0 && (hop.ptr[0] == ' ' || hop.ptr[0] == '\t'))
		hop = bytes_slice(hop, 1, hop.len);
	while (hop.len > 0 &&
	    (hop.ptr[hop.len - 1] == ' ' || hop.ptr[hop.len - 1] == '\t'))
		hop.len--;
	if (hop.len == 0 || hop.len >= sizeof(text))
		return false;
	memcpy(text, hop.ptr, hop.len);
	text[hop.len] = '\0';
	colon = strchr(text, ':');
	if (text[0] == '[') {
		host = text + 1;
		colon = strchr(text, ']');
		if (!colon)
			return false;
		*colon = '\0';
	} else if (colon && !strchr(colon + 1, ':')) {
		*colon = '\0';
	}
	return address_parse(host, out, &bits);
}

bool
proxy_step(const struct httpd *h, struct bytes value, struct address *a)
{
	while (value.len > 0) {
		size_t from = value.len;
		struct address hop;

		while (from > 0 && value.ptr[from - 1] != ',')
			from--;
		/* Nonsense: the proxy that passed it on is as far as
		 * anyone can be believed. */
		if (!hop_parse(bytes_slice(value, from, value.len), &hop))
			return true;
		*a = hop;
		if (!proxy_trusted(h, &hop))
			return true;
		value.len = from > 0 ? from - 1 : 0;
	}
	return false;
}

/* The listening socket. */

static bool
split_listen(const char *text, char *host, size_t host_size, char *port,
    size_t port_size)
{
	const char *colon = strrchr(text, ':');
	size_t len;

	if (!colon)
		return false;
	len = (size_t)(colon - text);
	if (text[0] == '[') {
		if (len < 2 || text[len - 1] != ']')
			return false;
		text++;
		len -= 2;
	} else if (memchr(text, ':', len)) {
		return false;
	}
	if (len == 0 || len >= host_size || colon[1] == '\0' ||
	    strlen(colon + 1) >= port_size ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	memcpy(port, colon + 1, strlen(colon + 1) + 1);
	return true;
}

static unsigned
bound_port(const struct sockaddr_storage *bound)
{
	struct sockaddr_in6 six = {0};
	struct sockaddr_in four = {0};

	memcpy(&six, bound, sizeof(six));
	memcpy(&four, bound, sizeof(four));
	return ntohs(
	    bound->ss_family == AF_INET6 ? six.sin6_port : four.sin_port);
}

static bool
bind_to(struct httpd *h, const struct addrinfo *ai)
{
	int on = 1, off = 0, unsent = UNSENT_MAX;
	struct sockaddr_storage bound = {0};
	socklen_t len = sizeof(bound);
	int fd = socket(ai->ai_family,
	    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);

	h->listen_fd = fd;
	if (fd < 0)
		return false;
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (ai->ai_family == AF_INET6)
		(void)setsockopt(
		    fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	/* Accepted sockets inherit these. What the kernel takes ahead of the
	 * reader is memory too, and would hide a slow one. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(
	    fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof(unsent));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 ||
	    listen(fd, SOMAXCONN) != 0 ||
	    getsockname(fd, (struct sockaddr *)&bound, &len) != 0)
		return false;
	h->port = bound_port(&bound);
	return true;
}

bool
listen_open(struct httpd *h, const char *text, struct error *err)
{
	struct addrinfo hints = {
	    .ai_flags = AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
	struct addrinfo *ai = NULL;
	char host[256], port[6];
	int rc;
	bool ok;

	if (!split_listen(text, host, sizeof(host), port, sizeof(port)))
		return error_set(err, ERR_USAGE,
		    "listen address '%s' is not ADDR:PORT or [ADDR]:PORT",
		    text);
	rc = getaddrinfo(host, port, &hints, &ai);
	if (rc != 0)
		return error_set(err, ERR_IO, "listen address '%s': %s", text,
		    gai_strerror(rc));
	ok = bind_to(h, ai);
	freeaddrinfo(ai);
	return ok ||
	    error_set(
		err, ERR_IO, "cannot listen on %s: %s", text, strerror(errno));
}

/* The watcher: accepts, and holds every deadline. */

bool
conn_set_phase(struct conn *c, enum phase phase, bool keep_since)
{
	uint64_t was = atomic_load(&c->clock), is, now = now_ms();

	do {
		if ((was & 7) == PHASE_CUT)
			return phase == PHASE_CUT;
		is = (keep_since ? was & ~(uint64_t)7 : now << 3) |
		    (uint64_t)phase;
	} while (!atomic_compare_exchange_weak(&c->clock, &was, is));
	return true;
}

/* Only if the connection still does what it was judged for. */
static bool
cut(struct conn *c, uint64_t judged, const struct refusal *why)
{
	if (!atomic_compare_exchange_strong(
		&c->clock, &judged, now_ms() << 3 | PHASE_CUT))
		return false;
	if (why)
		refusal_send(c->h, c->fd, why, false);
	(void)shutdown(c->fd, SHUT_RDWR);
	return true;
}

static void
cut_late(struct conn *c, uint64_t clock, bool request_seen)
{
	struct refusal why = {0};

	if (request_seen)
		refusal_set(c->h, &why, 408, "request-timeout",
		    "the whole request must arrive within %u ms",
		    c->h->o.header_timeout_ms);
	else
		(void)atomic_fetch_add(
		    &c->h->refused[HTTPD_REFUSED_TIMEOUT], 1);
	(void)cut(c, clock, request_seen ? &why : NULL);
}

static bool
bytes_taken(const struct conn *c, uint64_t *out)
{
	struct tcp_info info;
	socklen_t len = sizeof(info);

	if (getsockopt(c->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0 ||
	    len < offsetof(struct tcp_info, tcpi_bytes_received))
		return false;
	*out = info.tcpi_bytes_acked;
	return true;
}

static void
watch_sending(struct conn *c, uint64_t clock, uint64_t now)
{
	const struct httpd_options *o = &c->h->o;
	uint64_t taken = 0;

	if (c->mark_clock == clock && now - c->mark_ms < o->send_window_ms)
		return;
	if (!bytes_taken(c, &taken))
		return;
	if (c->mark_clock == clock &&
	    taken - c->mark_acked <
		(uint64_t)o->min_send_rate * o->send_window_ms / 1000) {
		if (cut(c, clock, NULL))
			(void)atomic_fetch_add(&c->h->cut, 1);
		return;
	}
	c->mark_clock = clock;
	c->mark_ms = now;
	c->mark_acked = taken;
}

static void
watch_conn(struct conn *c, uint64_t now)
{
	const struct httpd_options *o = &c->h->o;
	uint64_t clock = atomic_load(&c->clock);
	uint64_t since = clock >> 3;
	uint64_t age = now > since ? now - since : 0;

	switch ((enum phase)(clock & 7)) {
	case PHASE_FRESH:
	case PHASE_RECEIVING:
		if (age > o->header_timeout_ms)
			cut_late(c, clock, (clock & 7) == PHASE_RECEIVING);
		break;
	case PHASE_HANDLING:
		if (age > o->answer_timeout_ms && c->x)
			exchange_overdue(
			    c->x, now - o->answer_timeout_ms, false);
		break;
	case PHASE_SENDING:
		watch_sending(c, clock, now);
		break;
	case PHASE_IDLE:
		if (age > o->idle_timeout_ms)
			(void)cut(c, clock, NULL);
		break;
	case PHASE_LINGER:
		if (age > LINGER_MS)
			(void)cut(c, clock, NULL);
		break;
	case PHASE_CUT:
	default:
		break;
	}
}

static void
watch_all(struct httpd *h)
{
	uint64_t now = now_ms();

	(void)pthread_mutex_lock(&h->lock);
	for (struct conn *c = h->conns; c; c = c->next)
		watch_conn(c, now);
	(void)pthread_mutex_unlock(&h->lock);
	for (size_t i = 0; i < HTTPD_REFUSED_SOCKETS; i++) {
		struct refused_socket *s = &h->refused_sockets[i];

		if (s->fd >= 0 && (s->until <= now || h->stopped)) {
			(void)close(s->fd);
			s->fd = -1;
		}
	}
}

bool
conns_quiet(struct httpd *h)
{
	uint64_t now = now_ms();
	bool quiet = true;

	(void)pthread_mutex_lock(&h->lock);
	for (struct conn *c = h->conns; c; c = c->next) {
		uint64_t clock = atomic_load(&c->clock);
		enum phase phase = (enum phase)(clock & 7);

		if (phase == PHASE_IDLE ||
		    (phase == PHASE_FRESH &&
			now > (clock >> 3) + DRAIN_GRACE_MS))
			(void)cut(c, clock, NULL);
		quiet = quiet && (atomic_load(&c->clock) & 7) == PHASE_CUT;
	}
	(void)pthread_mutex_unlock(&h->lock);
	return quiet;
}

/* The refused socket stays a while: closing it with the client's request
 * unread would take the answer back. */
static void
refuse_socket(struct httpd *h, int fd, const struct refusal *why)
{
	struct refused_socket *s = &h->refused_sockets[h->refused_next];

	refusal_send(h, fd, why, false);
	if (s->fd >= 0)
		(void)close(s->fd);
	*s = (struct refused_socket){fd, now_ms() + LINGER_MS};
	h->refused_next = (h->refused_next + 1) % HTTPD_REFUSED_SOCKETS;
}

static void
admit_socket(struct httpd *h, int fd, const struct sockaddr *sa, socklen_t len)
{
	struct address peer = address_of(sa);
	struct http_client client = address_client(&peer);
	bool proxy = proxy_trusted(h, &peer);
	struct refusal why = {0};

	if (atomic_load(&h->open) >= h->o.max_connections)
		refusal_set(h, &why, 503, "server-busy",
		    "all %u connections are in use; try again",
		    h->o.max_connections);
	else if (!client_take(&h->clients, &client,
		     proxy ? 0 : h->o.max_connections_per_client))
		refusal_set(h, &why, 429, "too-many-connections",
		    "more than %u connections from one address",
		    h->o.max_connections_per_client);
	if (why.status != 0) {
		refuse_socket(h, fd, &why);
		return;
	}
	(void)atomic_fetch_add(&h->open, 1);
	if (!connection_add(h, fd, sa, len)) {
		(void)atomic_fetch_sub(&h->open, 1);
		client_give(&h->clients, &client);
	}
}

static void
accept_some(struct httpd *h)
{
	for (unsigned i = 0; i < ACCEPT_BURST; i++) {
		struct sockaddr_storage from = {0};
		socklen_t len = sizeof(from);
		int fd;

		/* The kernel's queue is the place to wait in. */
		if (!connection_room(h)) {
			h->accept_again = now_ms() + BUSY_MS;
			return;
		}
		fd = accept4(h->listen_fd, (struct sockaddr *)&from, &len,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd >= 0) {
			admit_socket(h, fd, (struct sockaddr *)&from, len);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM)
			h->accept_again = now_ms() + EXHAUSTED_MS;
		if (errno != ECONNABORTED && errno != EINTR)
			return;
	}
}

static void *
watcher_run(void *arg)
{
	struct httpd *h = arg;
	uint64_t next = now_ms() + h->tick_ms;

	while (!atomic_load(&h->stopped)) {
		uint64_t now = now_ms();
		bool listening = h->listen_fd >= 0 && now >= h->accept_again;
		struct pollfd fds[2] = {{.fd = h->wake_fd, .events = POLLIN},
		    {.fd = listening ? h->listen_fd : -1, .events = POLLIN}};
		uint64_t ignored;

		uint64_t until =
		    !listening && h->listen_fd >= 0 && h->accept_again < next
		    ? h->accept_again
		    : next;

		(void)poll(fds, 2, until > now ? (int)(until - now) : 0);
		if (fds[0].revents != 0)
			(void)!read(h->wake_fd, &ignored, sizeof(ignored));
		if (atomic_load(&h->draining) && h->listen_fd >= 0) {
			/* Whoever waits in its queue is told at once. */
			(void)close(h->listen_fd);
			h->listen_fd = -1;
		} else if (fds[1].revents != 0) {
			accept_some(h);
		}
		now = now_ms();
		if (now >= next) {
			watch_all(h);
			next = now + h->tick_ms;
		}
	}
	watch_all(h);
	return NULL;
}

bool
watcher_start(struct httpd *h, struct error *err)
{
	sigset_t all, was;
	int rc;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &was);
	rc = pthread_create(&h->watcher, NULL, watcher_run, h);
	(void)pthread_sigmask(SIG_SETMASK, &was, NULL);
	if (rc != 0)
		return error_set(
		    err, ERR_IO, "cannot start a thread: %s", strerror(rc));
	h->watching = true;
	return true;
}

void
watcher_wake(struct httpd *h)
{
	uint64_t one = 1;

	(void)!write(h->wake_fd, &one, sizeof(one));
}

void
watcher_stop(struct httpd *h)
{
	atomic_store(&h->stopped, true);
	if (h->watching) {
		watcher_wake(h);
		(void)pthread_join(h->watcher, NULL);
	}
	h->watching = false;
	if (h->listen_fd >= 0)
		(void)close(h->listen_fd);
	h->listen_fd = -1;
}
