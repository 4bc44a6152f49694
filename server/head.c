/* SPDX-License-Identifier: Apache-2.0 */
#include "server/head.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/tlog/note.h"

struct head_slot {
	pthread_mutex_t lock;
	struct head *newest;
};

static void
head_free(struct httpd_body *b)
{
	struct head *h = (struct head *)b;

	buf_release(&h->note);
	free(h);
}

/* FNV-1a: the same head may be cosigned anew, in as many bytes. */
static uint64_t
fingerprint(struct bytes note)
{
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < note.len; i++)
		h = (h ^ note.ptr[i]) * 0x100000001b3;
	return h;
}

struct head *
head_new(uint64_t size, const struct hash *root, struct bytes note)
{
	struct head *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->size = size;
	h->root = *root;
	buf_init(&h->note, NOTE_MAX_LEN);
	buf_put(&h->note, note);
	h->body = (struct httpd_body){
	    .data = buf_bytes(&h->note),
	    .refs = 1,
	    .free = head_free,
	};
	(void)snprintf(h->etag, sizeof(h->etag),
	    "\"%llu-%02x%02x%02x%02x-%016llx\"", (unsigned long long)size,
	    root->b[0], root->b[1], root->b[2], root->b[3],
	    (unsigned long long)fingerprint(note));
	if (h->note.failed) {
		head_free(&h->body);
		return NULL;
	}
	return h;
}

void
head_release(struct head *h)
{
	if (h)
		httpd_body_release(&h->body);
}

struct head_slot *
head_slot_open(void)
{
	struct head_slot *s = calloc(1, sizeof(*s));

	if (s)
		(void)pthread_mutex_init(&s->lock, NULL);
	return s;
}

void
head_slot_close(struct head_slot *s)
{
	if (!s)
		return;
	head_release(s->newest);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

void
head_publish(struct head_slot *s, struct head *h)
{
	struct head *old;

	(void)pthread_mutex_lock(&s->lock);
	old = s->newest;
	s->newest = h;
	(void)pthread_mutex_unlock(&s->lock);
	head_release(old);
}

struct head *
head_current(struct head_slot *s)
{
	struct head *h;

	(void)pthread_mutex_lock(&s->lock);
	h = s->newest;
	if (h)
		httpd_body_hold(&h->body);
	(void)pthread_mutex_unlock(&s->lock);
	return h;
}
