/* SPDX-License-Identifier: Apache-2.0 */
#include "server/httpd_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>

#include "core/base/cleanup.h"
#include "core/base/reader.h"

#define BODY_FIRST    (64 * 1024) /* most that is taken on an announcement */
#define TEXT_KEEP     4096	  /* of memory between requests */
#define REFUSAL_LIMIT 8192

void
httpd_body_hold(struct httpd_body *b)
{
	(void)__atomic_add_fetch(&b->refs, 1, __ATOMIC_RELAXED);
}

void
httpd_body_release(struct httpd_body *b)
{
	if (__atomic_sub_fetch(&b->refs, 1, __ATOMIC_ACQ_REL) != 0)
		return;
	if (b->fixed)
		answer_drop(b->fixed);
	b->fixed = NULL;
	if (b->free)
		b->free(b);
}

/* Answers. */

void
response_header(struct response *r, const char *name, const char *format, ...)
{
	char *value;
	va_list ap;

	if (r->header_count >= RESPONSE_MAX_HEADERS)
		return;
	value = r->headers[r->header_count].value;
	va_start(ap, format);
	(void)vsnprintf(value, sizeof(r->headers[0].value), format, ap);
	va_end(ap);
	/* A line break would let a value end the head. */
	for (char *p = value; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	r->headers[r->header_count++].name = name;
}

void
response_release(struct response *r)
{
	if (r->shared)
		httpd_body_release(r->shared);
	buf_release(&r->text);
	r->shared = NULL;
	r->header_count = 0;
}

static bool
has_header(const struct response *r, const char *name)
{
	for (size_t i = 0; i < r->header_count; i++)
		if (strcasecmp(r->headers[i].name, name) == 0)
			return true;
	return false;
}

static void
refusal_response(
    struct httpd *h, const struct refusal *refusal, struct response *r)
{
	uint8_t chance = 0;

	*r = (struct response){.status = refusal->status};
	buf_init(&r->text, REFUSAL_LIMIT);
	if (h->o.refuse) {
		h->o.refuse(h->o.arg, refusal->status, refusal->reason,
		    refusal->message, r);
	} else {
		r->content_type = "text/plain";
		buf_put_str(&r->text, refusal->message);
		buf_put_u8(&r->text, '\n');
	}
	if ((refusal->status == 503 || refusal->status == 429) &&
	    !has_header(r, "Retry-After")) {
		/* Jittered, or all the refused come back at once. */
		(void)!getrandom(&chance, sizeof(chance), GRND_NONBLOCK);
		response_header(r, "Retry-After", "%u", 1 + chance % 4U);
	}
}

static enum httpd_refused
refused_kind(unsigned status)
{
	switch (status) {
	case 408:
		return HTTPD_REFUSED_TIMEOUT;
	case 413:
		return HTTPD_REFUSED_TOO_LARGE;
	case 429:
		return HTTPD_REFUSED_CLIENT;
	case 503:
		return HTTPD_REFUSED_BUSY;
	case 504:
		return HTTPD_REFUSED_DEADLINE;
	default:
		return HTTPD_REFUSED_MALFORMED;
	}
}

void
refusal_set(struct httpd *h, struct refusal *out, unsigned status,
    const char *reason, const char *format, ...)
{
	va_list ap;

	out->status = status;
	out->reason = reason;
	va_start(ap, format);
	(void)vsnprintf(out->message, sizeof(out->message), format, ap);
	va_end(ap);
	(void)atomic_fetch_add(&h->refused[refused_kind(status)], 1);
}

static const char *
phrase(unsigned status)
{
	static const struct {
		unsigned status;
		const char *phrase;
	} phrases[] = {
	    {400, "Bad Request"},
	    {408, "Request Timeout"},
	    {413, "Content Too Large"},
	    {414, "URI Too Long"},
	    {429, "Too Many Requests"},
	    {431, "Request Header Fields Too Large"},
	    {503, "Service Unavailable"},
	};

	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Error";
}

void
refusal_send(
    struct httpd *h, int fd, const struct refusal *refusal, bool head_only)
{
	AUTO(buf) out = BUF_INIT(2 * REFUSAL_LIMIT);
	AUTO(response) r;

	refusal_response(h, refusal, &r);
	buf_printf(&out, "HTTP/1.1 %u %s\r\nConnection: close\r\n", r.status,
	    phrase(r.status));
	if (r.content_type)
		buf_printf(&out, "Content-Type: %s\r\n", r.content_type);
	for (size_t i = 0; i < r.header_count; i++)
		buf_printf(
		    &out, "%s: %s\r\n", r.headers[i].name, r.headers[i].value);
	buf_printf(&out, "Content-Length: %zu\r\n\r\n", r.text.len);
	if (!head_only)
		buf_put(&out, buf_bytes(&r.text));
	if (!out.failed)
		(void)!send(fd, out.ptr, out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)shutdown(fd, SHUT_WR);
}

/* Exchanges. */

struct exchange *
exchange_open(struct httpd *h)
{
	struct exchange *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->h = h;
	(void)pthread_mutex_init(&x->lock, NULL);
	atomic_init(&x->refs, 1);
	buf_init(&x->text, 2 * HTTPD_POOL_SIZE);
	(void)atomic_fetch_add(&h->refs, 1);
	return x;
}

/* The request's memory, once neither side looks at it. */
static void
forget_request(struct exchange *x)
{
	if (x->body_charged > 0)
		(void)atomic_fetch_sub(&x->h->body_bytes, x->body_charged);
	x->body_charged = 0;
	if (x->body.ptr)
		buf_release(&x->body);
	if (x->text.cap > TEXT_KEEP)
		buf_release(&x->text);
}

void
exchange_unref(struct exchange *x)
{
	struct httpd *h = x->h;

	if (atomic_fetch_sub(&x->refs, 1) != 1)
		return;
	forget_request(x);
	buf_release(&x->text);
	(void)pthread_mutex_destroy(&x->lock);
	free(x);
	httpd_unref(h);
}

const struct request *
exchange_request(const struct exchange *x)
{
	return &x->request;
}

struct bytes
exchange_header(const struct exchange *x, const char *name)
{
	size_t len = strlen(name);

	for (unsigned i = 0; i < x->header_count; i++) {
		const struct kept_header *k = &x->headers[i];

		if (k->name_len == len &&
		    strncasecmp(
			(const char *)x->text.ptr + k->name, name, len) == 0)
			return bytes_of(x->text.ptr + k->value, k->value_len);
	}
	return (struct bytes){0};
}

void
exchange_begin(struct exchange *x, const char *target)
{
	x->target_len = strlen(target);
	buf_clear(&x->text);
	buf_put(&x->text, bytes_of(target, x->target_len));
	buf_init(&x->body, 0);
	x->header_count = 0;
	x->head_read = false;
	x->announced = 0;
	(void)pthread_mutex_lock(&x->lock);
	x->state = EXCHANGE_RECEIVING;
	x->ended = false;
	(void)pthread_mutex_unlock(&x->lock);
	(void)atomic_fetch_add_explicit(
	    &x->h->requests, 1, memory_order_relaxed);
}

/* Request heads, which httpd_head.c has checked. */

static bool
name_is(struct bytes name, struct bytes want)
{
	return name.len == want.len &&
	    strncasecmp(
		(const char *)name.ptr, (const char *)want.ptr, want.len) == 0;
}

static void
keep_header(struct exchange *x, struct bytes name, struct bytes value)
{
	struct kept_header *k = &x->headers[x->header_count];

	if (x->header_count == REQUEST_MAX_HEADERS)
		return;
	*k = (struct kept_header){
	    .name = (uint16_t)x->text.len,
	    .name_len = (uint16_t)name.len,
	    .value = (uint16_t)(x->text.len + name.len),
	    .value_len = (uint16_t)value.len,
	};
	buf_put(&x->text, name);
	buf_put(&x->text, value);
	if (!x->text.failed)
		x->header_count++;
}

void
exchange_add_header(struct exchange *x, struct bytes name, struct bytes value)
{
	while (value.len > 0 &&
	    (value.ptr[value.len - 1] == ' ' ||
		value.ptr[value.len - 1] == '\t'))
		value.len--;
	if (name_is(name, BYTES_LIT("content-length")) &&
	    !decimal_parse(value, &x->announced))
		x->announced = 0;
	keep_header(x, name, value);
}

/* Who asks: the peer, or whom a trusted proxy names. */
static void
find_client(struct exchange *x, const struct conn *c)
{
	struct address a = c->peer;

	if (c->proxied)
		for (unsigned i = x->header_count; i > 0; i--) {
			const struct kept_header *k = &x->headers[i - 1];
			const uint8_t *text = x->text.ptr;

			if (name_is(bytes_of(text + k->name, k->name_len),
				BYTES_LIT("x-forwarded-for")) &&
			    proxy_step(x->h,
				bytes_of(text + k->value, k->value_len), &a))
				break;
		}
	x->request.client = address_client(&a);
}

/* "/path", or "http://host/path": the host is the one that was asked. */
static void
view_target(struct exchange *x)
{
	struct bytes target = bytes_of(x->text.ptr, x->target_len);
	struct bytes path;
	size_t from = 0, at;

	if (target.len > 0 && (target.ptr[0] | 0x20) == 'h') {
		const uint8_t *colon = memchr(target.ptr, ':', target.len);

		from = colon ? (size_t)(colon - target.ptr) + 3 : 0;
		while (from < target.len && target.ptr[from] != '/' &&
		    target.ptr[from] != '?')
			from++;
	}
	for (at = from; at < target.len && target.ptr[at] != '?';)
		at++;
	path = bytes_slice(target, from, at);
	x->request.path = path.len > 0 ? path : BYTES_LIT("/");
	x->request.query =
	    bytes_slice(target, at < target.len ? at + 1 : at, target.len);
}

/* How large this request's body may be; there is none of it yet. */
static void
choose_limit(struct exchange *x)
{
	const struct httpd_options *o = &x->h->o;

	x->max_body = o->max_body;
	if (o->large_path && o->max_large_body > o->max_body &&
	    bytes_equal(x->request.path, bytes_str(o->large_path)))
		x->max_body = o->max_large_body;
	buf_init(&x->body, x->max_body);
}

void
exchange_head(struct exchange *x, enum http_method method, const struct conn *c,
    struct refusal *out)
{
	struct httpd *h = x->h;

	x->head_read = true;
	x->request.method = method;
	x->request.body = (struct bytes){0};
	view_target(x);
	find_client(x, c);
	choose_limit(x);
	if (x->text.failed) {
		refusal_set(
		    h, out, 503, "server-busy", "out of memory; try again");
		return;
	}
	if (x->announced > x->max_body) {
		refusal_set(h, out, 413, "body-too-large",
		    "the body is larger than the limit of %zu bytes",
		    x->max_body);
		return;
	}
	if (!c->proxied || h->o.max_connections_per_client == 0)
		return;
	x->counted = client_take(
	    &h->clients, &x->request.client, h->o.max_connections_per_client);
	if (!x->counted)
		refusal_set(h, out, 429, "too-many-requests",
		    "more than %u requests at a time from one address",
		    h->o.max_connections_per_client);
}

void
exchange_body(struct exchange *x, struct bytes piece, struct refusal *out)
{
	struct httpd *h = x->h;
	size_t first =
	    x->announced < BODY_FIRST ? (size_t)x->announced : BODY_FIRST;
	size_t more;

	if (piece.len > x->max_body - x->body.len) {
		refusal_set(h, out, 413, "body-too-large",
		    "the body is larger than the limit of %zu bytes",
		    x->max_body);
		return;
	}
	if (!x->body.ptr)
		(void)buf_reserve(
		    &x->body, first > piece.len ? first : piece.len);
	buf_put(&x->body, piece);
	more = x->body.cap - x->body_charged;
	x->body_charged += more;
	if (atomic_fetch_add(&h->body_bytes, more) + more > h->o.body_budget ||
	    x->body.failed)
		refusal_set(h, out, 503, "server-busy",
		    "too many bytes of requests are held; try again");
}

/* Handing over and answering. */

static void
charge_answer(struct exchange *x, const struct response *r)
{
	size_t more = 0;

	if (r->shared) {
		x->shared = r->shared;
		/* One buffer in memory, however many answers send it. */
		if (__atomic_fetch_add(
			&x->shared->sending, 1, __ATOMIC_RELAXED) == 0)
			more = x->shared->data.len;
	} else {
		x->text_charged = more = r->text.cap;
	}
	if (more > 0)
		(void)atomic_fetch_add(&x->h->answer_bytes, more);
}

static void
uncharge_answer(struct exchange *x)
{
	size_t less = x->text_charged;

	if (x->shared &&
	    __atomic_sub_fetch(&x->shared->sending, 1, __ATOMIC_RELAXED) == 0)
		less += x->shared->data.len;
	if (less > 0)
		(void)atomic_fetch_sub(&x->h->answer_bytes, less);
	if (x->fixed && x->shared)
		httpd_body_release(x->shared);
	x->shared = NULL;
	x->fixed = false;
	x->text_charged = 0;
}

/* Under the lock, in state HANDLING or SUSPENDED. */
static void
give_answer(struct exchange *x, struct response *r)
{
	bool suspended = x->state == EXCHANGE_SUSPENDED;

	charge_answer(x, r);
	x->status = r->status;
	/* One that repeats has no headers of its own, and must not be built. */
	x->fixed = r->fixed && r->shared &&
	    r->shared_len == r->shared->data.len &&
	    (r->header_count == 0 || !atomic_load(&x->h->draining));
	if (x->fixed) {
		x->answer = answer_fixed(r);
		r->shared = NULL; /* transferred */
		response_release(r);
	} else {
		x->answer = answer_make(x->h, r);
	}
	if (!x->answer)
		uncharge_answer(x);
	x->state = EXCHANGE_ANSWERED;
	if (suspended)
		connection_resume(x->mhd);
}

static void
give_refusal(struct exchange *x, const struct refusal *refusal)
{
	struct response r;

	refusal_response(x->h, refusal, &r);
	give_answer(x, &r);
}

static bool
over_budget(struct exchange *x, struct response *r)
{
	struct httpd *h = x->h;
	struct refusal busy = {0};
	size_t need = r->text.len;

	if (r->shared &&
	    __atomic_load_n(&r->shared->sending, __ATOMIC_RELAXED) == 0)
		need = r->shared->data.len;
	else if (r->shared)
		need = 0;
	if (need == 0 ||
	    atomic_load(&h->answer_bytes) + need <= h->o.answer_budget)
		return false;
	response_release(r);
	refusal_set(h, &busy, 503, "server-busy",
	    "too many bytes of answers wait for slow readers; try again");
	give_refusal(x, &busy);
	return true;
}

void
exchange_reply(struct exchange *x, struct response *r)
{
	bool taken;

	(void)pthread_mutex_lock(&x->lock);
	taken = x->state == EXCHANGE_HANDLING || x->state == EXCHANGE_SUSPENDED;
	x->held = false;
	if (taken && !over_budget(x, r))
		give_answer(x, r);
	if (x->ended)
		forget_request(x);
	(void)pthread_mutex_unlock(&x->lock);
	if (!taken)
		response_release(r);
	exchange_unref(x);
}

bool
exchange_reply_again(struct exchange *x, struct httpd_body *body)
{
	struct response r;

	if (!__atomic_load_n(&body->fixed, __ATOMIC_ACQUIRE) ||
	    atomic_load_explicit(&x->h->draining, memory_order_relaxed))
		return false;
	r.status = 200;
	r.content_type = NULL;
	r.header_count = 0;
	r.text = (struct buf){0};
	r.shared = body;
	r.shared_offset = 0;
	r.shared_len = body->data.len;
	r.fixed = true;
	exchange_reply(x, &r);
	return true;
}

bool
exchange_handle(struct exchange *x)
{
	struct refusal closing = {0};
	bool answered;

	x->request.body = buf_bytes(&x->body);
	(void)pthread_mutex_lock(&x->lock);
	x->state = EXCHANGE_HANDLING;
	x->since = now_ms();
	if (atomic_load(&x->h->closing)) {
		refusal_set(x->h, &closing, 503, "server-closing",
		    "the server is going down");
		give_refusal(x, &closing);
		(void)pthread_mutex_unlock(&x->lock);
		return true;
	}
	x->held = true;
	(void)atomic_fetch_add(&x->refs, 1);
	(void)pthread_mutex_unlock(&x->lock);

	x->h->o.handler(x->h->o.arg, x);

	/* The answer may come before the handler is back. The lock makes
	 * "suspended" and the state that lets others resume one step. */
	(void)pthread_mutex_lock(&x->lock);
	answered = x->state != EXCHANGE_HANDLING;
	if (!answered) {
		x->state = EXCHANGE_SUSPENDED;
		connection_suspend(x->mhd);
	}
	(void)pthread_mutex_unlock(&x->lock);
	return answered;
}

void
exchange_overdue(struct exchange *x, uint64_t before, bool closing)
{
	struct refusal late = {0};

	(void)pthread_mutex_lock(&x->lock);
	if ((x->state == EXCHANGE_HANDLING || x->state == EXCHANGE_SUSPENDED) &&
	    (closing || x->since <= before)) {
		if (closing)
			refusal_set(x->h, &late, 503, "server-closing",
			    "the server is going down");
		else
			refusal_set(x->h, &late, 504, "deadline",
			    "no answer within %u ms; what was submitted may be "
			    "logged all the same: send it again to see",
			    x->h->o.answer_timeout_ms);
		give_refusal(x, &late);
	}
	(void)pthread_mutex_unlock(&x->lock);
}

void
exchange_end(struct exchange *x)
{
	(void)pthread_mutex_lock(&x->lock);
	if (x->answer && !x->fixed)
		answer_drop(x->answer);
	x->answer = NULL;
	uncharge_answer(x);
	if (x->counted)
		client_give(&x->h->clients, &x->request.client);
	x->counted = false;
	x->state = EXCHANGE_IDLE;
	x->ended = true;
	if (!x->held)
		forget_request(x);
	(void)pthread_mutex_unlock(&x->lock);
}
