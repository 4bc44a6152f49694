/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_WITNESS_ASK_H
#define MTLOG_SERVER_WITNESS_ASK_H

#include "core/tlog/cosignature.h"
#include "core/tlog/proof.h"
#include "io/http.h"
#include "server/witness_policy.h"

#define WITNESS_ANSWER_MAX 16384 /* of an answer's body */
#define WITNESS_NOTE_MAX   65536 /* of the checkpoint that it shows */

/* How requests get there; the tests have one of their own. A handle belongs to
 * one thread, but for `cancel`. */
struct witness_transport {
	void *(*open)(unsigned timeout_ms, struct error *err);
	bool (*post)(void *handle, const char *url, struct bytes body,
	    struct http_answer *out, struct error *err);
	bool (*get)(void *handle, const char *url, struct http_answer *out,
	    struct error *err);
	void (*cancel)(void *handle); /* from another thread: ends a call */
	void (*close)(void *handle);
};

/* witness_http is the one over io/http.h. */
extern const struct witness_transport witness_http;

enum witness_result {
	WITNESS_COSIGNED,
	/* it says that it has cosigned another size */
	WITNESS_CONFLICT,
	WITNESS_LIMITED,     /* 429: not so often */
	WITNESS_UNREACHABLE, /* no answer, or none in time */
	WITNESS_REFUSED,     /* any other status */
	WITNESS_NONSENSE,    /* an answer that is none */
	WITNESS_FORGED,	     /* its cosignature does not verify, or is older
				than the one we have */
	/* it claims a size that we have not signed, and cannot show it */
	WITNESS_LYING,
	WITNESS_RESULTS
};

/* witness_result_name is a word for metrics: "cosigned", "conflict" … */
const char *witness_result_name(enum witness_result r);

struct witness_question {
	const struct vkey *log;
	struct bytes note; /* the log's signed checkpoint, without others' */
	uint64_t size;
	uint64_t old;	     /* what the witness is thought to have, <= size */
	uint64_t newer_than; /* time of its last cosignature of this very
				checkpoint; 0: none */
	/* the proof from `old` (> 0) to `size` (> old) */
	bool (*prove)(void *arg, uint64_t old, uint64_t size, struct proof *out,
	    struct error *err);
	void *arg;
};

struct witness_reply {
	enum witness_result result;
	unsigned status;      /* of HTTP; 0: no answer */
	uint64_t size;	      /* of WITNESS_CONFLICT */
	unsigned retry_after; /* seconds it asked for; 0: not said */
	uint64_t time;	      /* of WITNESS_COSIGNED */
	struct buf line;      /* of WITNESS_COSIGNED: its signature line */
	struct error why;     /* of all others */
};
void witness_reply_release(struct witness_reply *r);

/*
 * witness_ask asks `w` to cosign. Where it says that it has another size, not
 * above this one, it is asked once more with that. What it answers is verified
 * before it is believed: `line` holds what this witness signed and nothing else
 * that came with it. False only if the question could not be made (no proof …);
 * release `out` in any case.
 */
bool witness_ask(const struct witness *w,
    const struct witness_transport *transport, void *handle,
    const struct witness_question *q, struct key_verifier *verifier,
    struct witness_reply *out, struct error *err) MUST_USE;

/*
 * witness_shown fetches the checkpoint that `w` shows for the log and verifies
 * the log's signature. `note` is appended to; `out` borrows from it.
 * ERR_NOTFOUND: it shows none; ERR_BADSIG, ERR_SYNTAX: not one of this log;
 * ERR_UNAVAILABLE, ERR_LIMIT.
 */
bool witness_shown(const struct witness *w,
    const struct witness_transport *transport, void *handle,
    const struct vkey *log, struct key_verifier *verifier, struct buf *note,
    struct checkpoint *out, struct error *err) MUST_USE;

#endif
