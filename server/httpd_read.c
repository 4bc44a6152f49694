/* SPDX-License-Identifier: Apache-2.0 */
#include "server/httpd_parts.h"

#include <errno.h>

/*
 * What libmicrohttpd reads from its sockets passes through here first. It has
 * no hook for that, and answers some malformed requests by itself, with a page
 * that names no reason; and it takes some that another reader would understand
 * differently. But it reads with recv(2) alone, and a program may define a
 * function that its libraries call, as replacements of malloc do. So this
 * recv() sees every byte of every request, pipelined ones and chunks too, for
 * no system call more. Were it not called, nothing would be served: read_head
 * asks for a head that has passed here.
 */

#define READ_FDS    65536
#define WASTE_TURNS 64 /* pieces thrown away in one go */

/* The limit depends on the path, and is exchange_head's to judge; here only
 * what nobody could count is refused. */
#define BODY_COUNTABLE (UINT64_C(1) << 60)

/* By descriptor; each entry is written and read by the thread of its loop. */
static _Atomic(struct conn *) conns[READ_FDS];

/* The limit that no request is above. */
static size_t
largest_body(const struct httpd *h)
{
	const struct httpd_options *o = &h->o;

	return o->large_path && o->max_large_body > o->max_body
	    ? o->max_large_body
	    : o->max_body;
}

bool
conn_read_begin(struct conn *c)
{
	if (c->fd < 0 || c->fd >= READ_FDS)
		return false;
	http_reader_init(&c->reader, BODY_COUNTABLE);
	atomic_store(&conns[c->fd], c);
	return true;
}

void
conn_read_end(const struct conn *c)
{
	if (c->fd >= 0 && c->fd < READ_FDS)
		atomic_store(&conns[c->fd], NULL);
}

/* Answers what was found. */
static void
fault_answer(struct conn *c)
{
	const struct http_fault_answer *a = http_fault_answer(c->reader.fault);
	struct refusal why = {0};

	/* Those before it are answered first. */
	if (c->reader.fault == HTTP_FAULT_NONE || c->refused ||
	    c->done < c->reader.whole)
		return;
	c->refused = true;
	if (!conn_set_phase(c, PHASE_LINGER, false))
		return;
	if (c->reader.fault == HTTP_FAULT_BODY_LARGE)
		refusal_set(c->h, &why, a->status, a->reason, "%s of %zu bytes",
		    a->message, largest_body(c->h));
	else
		refusal_set(c->h, &why, a->status, a->reason, "%s", a->message);
	refusal_send(c->h, c->fd, &why, c->reader.head_only);
}

void
conn_read_done(struct conn *c)
{
	c->done++;
	fault_answer(c);
	if (c->ended && c->done == c->reader.whole)
		(void)shutdown(c->fd, SHUT_RDWR);
}

/* Nothing more comes. The library would drop the answers under way. */
static ssize_t
read_ended(struct conn *c)
{
	http_reader_end(&c->reader);
	fault_answer(c);
	c->ended = !c->refused && c->done < c->reader.whole &&
	    (atomic_load(&c->clock) & 7) != PHASE_CUT;
	errno = EAGAIN;
	return c->ended ? -1 : 0;
}

/* The deadline of a request runs from its first byte. */
static void
note_begun(struct conn *c)
{
	uint64_t phase = atomic_load(&c->clock) & 7;

	if ((phase == PHASE_FRESH || phase == PHASE_IDLE) &&
	    !http_reader_between(&c->reader) && c->begun == c->reader.heads)
		(void)conn_set_phase(c, PHASE_RECEIVING, phase == PHASE_FRESH);
}

/* An end that came with the bytes before it is not told again. */
static void
note_end(struct conn *c)
{
	uint8_t byte;

	if (http_reader_between(&c->reader) ||
	    recvfrom(c->fd, &byte, 1, MSG_PEEK, NULL, NULL) != 0)
		return;
	http_reader_end(&c->reader);
	fault_answer(c);
}

static ssize_t
conn_read(struct conn *c, void *to, size_t len)
{
	uint8_t waste[8192];

	for (unsigned i = 0; i < WASTE_TURNS; i++) {
		bool drop = c->reader.fault != HTTP_FAULT_NONE;
		ssize_t n = drop
		    ? recvfrom(c->fd, waste, sizeof(waste), 0, NULL, NULL)
		    : recvfrom(c->fd, to, len, 0, NULL, NULL);
		size_t passed;

		if (n < 0)
			return n;
		if (n == 0)
			return read_ended(c);
		if (drop)
			continue;
		passed = http_reader_take(&c->reader, bytes_of(to, (size_t)n));
		fault_answer(c);
		note_begun(c);
		if ((size_t)n < len)
			note_end(c);
		if (passed > 0)
			return (ssize_t)passed;
	}
	errno = EAGAIN;
	return -1;
}

/* Under another name, for the C library's header may define recv inline. */
__attribute__((visibility("default"), used)) ssize_t httpd_recv(
    int fd, void *to, size_t len, int flags) __asm__("recv");

ssize_t
httpd_recv(int fd, void *to, size_t len, int flags)
{
	struct conn *c = fd >= 0 && fd < READ_FDS
	    ? atomic_load_explicit(&conns[fd], memory_order_acquire)
	    : NULL;

	return c ? conn_read(c, to, len)
		 : recvfrom(fd, to, len, flags, NULL, NULL);
}
