/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_HEAD_H
#define MTLOG_SERVER_HEAD_H

#include "core/base/buf.h"
#include "core/crypto/hash.h"
#include "server/exchange.h"

/*
 * A published head: a signed checkpoint that everyone may see. Immutable and
 * counted; `body` is the signed note as it is served.
 */
struct head {
	struct httpd_body body; /* first: a head is sent as it is */
	uint64_t size;
	struct hash root;
	struct buf note;
	char etag[64]; /* quoted */
};

/* head_new copies the note; one reference for the caller. NULL: no memory. */
struct head *head_new(
    uint64_t size, const struct hash *root, struct bytes note);

/* head_release gives a reference back (NULL-safe). */
void head_release(struct head *h);

/* The place where the newest head stands; one thread publishes, in order. */
struct head_slot;

struct head_slot *head_slot_open(void);
void head_slot_close(struct head_slot *s);

/* head_publish puts `h` there (and takes the reference). */
void head_publish(struct head_slot *s, struct head *h);

/* head_current returns the newest with a reference for the caller, or NULL
 * before the first. */
struct head *head_current(struct head_slot *s);

#endif
