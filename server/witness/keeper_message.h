/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_WITNESS_KEEPER_MESSAGE_H
#define MTLOG_SERVER_WITNESS_KEEPER_MESSAGE_H

#include "server/witness/keeper.h"

/*
 * What the two processes say to each other: one packet each way. Both ends are
 * one binary, so there is no version. Integers are big-endian.
 *
 *	question = u8 verb, what it asks about
 *	answer   = u16 status, u8 row, u64 size, u64 time, u64 retry, log[32],
 *	           text
 *	hello    = 00 u16 length and vkey text, sandbox
 *	failure  = u8 class (not 0), text
 */
#define KEEPER_MESSAGE_MAX (WITNESS_REQUEST_MAX_LEN + 256)

void keeper_answer_format(const struct cosigner_answer *a, struct buf *out);

/* keeper_answer_parse copies the text. ERR_SYNTAX. */
bool keeper_answer_parse(
    struct bytes in, struct cosigner_answer *out, struct error *err) MUST_USE;

void keeper_hello_format(const struct keeper_hello *hello, struct buf *out);
void keeper_failure_format(const struct error *why, struct buf *out);

/* keeper_hello_parse gives ERR_SYNTAX, or the failure that was sent instead. */
bool keeper_hello_parse(
    struct bytes in, struct keeper_hello *out, struct error *err) MUST_USE;

#endif
