/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_SIGNER_MESSAGE_H
#define MTLOG_SERVER_SIGNER_MESSAGE_H

#include "server/signer.h"

/*
 * What server and signer say to each other: one packet each way per request,
 * after the signer's greeting (a hello, or the error that ended it). Both ends
 * are one binary, so there is no version. Integers are big-endian.
 *
 *	sign    = 01 u64 size, root[32], u64 store identity, hashes[32] *
 *	freeze  = 02
 *
 *	done    = 11 signed note (may be empty)
 *	error   = 12 u8 class, u8 reason, text
 *	hello   = 13 u8 guard, u16 length and vkey text, u16 length and
 *	          note_error, u16 length and sandbox, guard slot[4096] or
 *nothing
 */
#define SIGNER_MESSAGE_MAX 8192

enum signer_verb { SIGNER_SIGN = 0x01, SIGNER_FREEZE = 0x02 };

struct signer_request {
	enum signer_verb verb;
	uint64_t size;
	struct hash root;
	uint64_t store_identity;
	struct proof proof;
};

void signer_request_format(const struct signer_request *r, struct buf *out);
bool signer_request_parse(
    struct bytes in, struct signer_request *out, struct error *err) MUST_USE;

/* An answer: `error.code` is ERR_NONE and `note` counts, or the error does. */
struct signer_reply {
	struct error error;
	struct bytes note; /* borrows from the packet */
};

/* A reason that signer_message.c does not list is sent as none. */
void signer_reply_format(const struct signer_reply *r, struct buf *out);
bool signer_reply_parse(
    struct bytes in, struct signer_reply *out, struct error *err) MUST_USE;

bool signer_hello_format(struct hasher *h, const struct signer_hello *hello,
    struct buf *out, struct error *err) MUST_USE;
/* signer_hello_parse gives ERR_SYNTAX, or the error that was sent instead. */
bool signer_hello_parse(struct hasher *h, struct bytes in,
    struct signer_hello *out, struct error *err) MUST_USE;

#endif
