/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_WITNESS_JUDGE_H
#define MTLOG_SERVER_WITNESS_JUDGE_H

#include "core/tlog/witness_request.h"

/*
 * What a witness finds about a submission, in the order in which it looks
 * (c2sp.org/tlog-witness, add-checkpoint). Pure: what was cosigned last and
 * whose keys count is handed in.
 */
enum judge_row {
	JUDGE_BROKEN,		/* 500: no memory, or a defect */
	JUDGE_MALFORMED,	/* 400: body or checkpoint; extension lines */
	JUDGE_UNKNOWN,		/* 404: the origin is no log's */
	JUDGE_SIGNATURE,	/* 403: none by the log, or a wrong one */
	JUDGE_OLD_LARGER,	/* 400: old size over the checkpoint's */
	JUDGE_STALE,		/* 409: old size is not the last cosigned */
	JUDGE_EMPTY_ROOT,	/* 422: size 0, but not the empty tree's root */
	JUDGE_PROOF_FROM_EMPTY, /* 422: a proof from the empty tree */
	JUDGE_FORK,		/* 422: two roots of one size */
	JUDGE_INCONSISTENT,	/* 422: the proof does not verify */
	JUDGE_COSIGN,		/* 200 */
	JUDGE_ROWS
};

/* judge_status is the row's HTTP status, judge_name its stable name. */
unsigned judge_status(enum judge_row row);
const char *judge_name(enum judge_row row);

/* A submission taken apart. Borrows from the body; addition_release. */
struct addition {
	struct witness_request request;
	struct note note;
	struct checkpoint head;
};

/*
 * judge_form reads a submission (first row). JUDGE_COSIGN: nothing is wrong so
 * far; else `err` says what is. An extension line is refused: what it means is
 * not known, and it would be cosigned.
 */
enum judge_row judge_form(
    struct bytes body, struct addition *out, struct error *err) MUST_USE;
void addition_release(struct addition *s);

/* judge_signatures is the third row: each signature by one of the keys must
 * verify, and there must be one. */
enum judge_row judge_signatures(const struct addition *s,
    const struct vkey *keys, size_t count, struct key_verifier *verifier,
    struct error *err) MUST_USE;

/* The last tree that was cosigned; H("") of size 0 if none was. */
struct judge_last {
	uint64_t size;
	struct hash root;
};

/* judge_growth is the fourth row to the ninth. */
enum judge_row judge_growth(const struct addition *s,
    const struct judge_last *last, struct hasher *h, struct error *err)
    MUST_USE;

/*
 * judge_note appends the submission's checkpoint with one signature by each of
 * the keys that signed, all of which must have been verified, and without any
 * line that was not: a signed note that proves what the log has shown.
 */
void judge_note(const struct addition *s, const struct vkey *keys, size_t count,
    struct buf *out);

#endif
