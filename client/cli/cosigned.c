/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/cosigned.h"

#include <stdlib.h>
#include <time.h>

#include "core/base/cleanup.h"
#include "core/tlog/tlog_proof.h"
#include "io/clock.h"

#define NS_PER_MS UINT64_C(1000000)
#define STEP_MS	  200 /* before the log is asked again */

void
cosigned_release(struct cosigned *c)
{
	buf_release(&c->checkpoint);
	*c = (struct cosigned){0};
}

static bool
quorum_enough(const struct policy *p, const struct note *n, bool *enough,
    struct error *err)
{
	struct key_verifier *v = key_verifier_open(err);
	struct quorum_result *q = calloc(1, sizeof(*q));
	struct error why = {0};

	*enough = v && q && quorum_verify(&p->quorum, n, v, q, &why);
	free(q);
	key_verifier_close(v);
	if (!v || !q)
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (*enough || (why.reason && strcmp(why.reason, "quorum") == 0))
		return true;
	*err = why;
	return false;
}

bool
cosigned_enough(
    const struct cli_log *l, struct bytes note, bool *enough, struct error *err)
{
	AUTO(note) n = {0};

	if (!note_parse(note, &n, err))
		return false;
	if (l->witnesses)
		return quorum_enough(l->witnesses, &n, enough, err);
	*enough = pins_cosigned(&n, &l->key);
	return true;
}

/* Milliseconds that are left for witnesses, who were first asked at `began`. */
static unsigned
time_left(const struct cli_log *l, uint64_t began)
{
	uint64_t spent =
	    l->waited_ms + (clock_monotonic_ns() - began) / NS_PER_MS;

	return spent >= l->wait_ms ? 0 : (unsigned)(l->wait_ms - spent);
}

/* What came must be of this entry, of this log, and of the tree that it showed
 * before. */
static bool
take(struct cli_log *l, struct log_cosigned *from, struct cosigned *out,
    struct error *err)
{
	AUTO(hasher) h = {0};
	struct key_verifier *v = key_verifier_open(err);
	struct tlog_proof p = {
	    .index = out->t.index,
	    .proof = from->proof,
	    .checkpoint = buf_bytes(&from->checkpoint),
	};
	struct checkpoint head;
	struct hash leaf;
	bool ok = v && hasher_open(&h, err);

	if (ok) {
		merkle_leaf(&h, out->t.body, &leaf);
		ok = tlog_proof_verify(&p, &leaf, &l->key, &h, v, &head, err) &&
		    hasher_ok(&h, err) &&
		    cli_saw(l->pins, &l->key, l->client, p.checkpoint, err);
	}
	key_verifier_close(v);
	if (!ok)
		return false;
	out->checkpoint = from->checkpoint;
	from->checkpoint = (struct buf){0}; /* handed over */
	out->t.log_id = l->key.log_id;
	out->t.size = head.size;
	out->t.root = head.root;
	out->t.proof = from->proof;
	out->t.checkpoint = buf_bytes(&out->checkpoint);
	return true;
}

/* One question. What the network or a busy server says is not yet. */
static bool
ask(struct cli_log *l, unsigned left, struct cosigned *out,
    struct log_cosigned *answer, struct error *err)
{
	struct error why = {0};
	bool enough;

	buf_clear(&answer->checkpoint);
	if (!log_client_cosigned(l->client, out->t.index, left, answer, &why)) {
		if (why.code == ERR_INTERNAL) {
			*err = why;
			return false;
		}
		answer->state = LOG_NOT_YET;
	}
	if (answer->state != LOG_COSIGNED)
		return true;
	if (!cosigned_enough(l, buf_bytes(&answer->checkpoint), &enough, err))
		return false;
	if (!enough)
		answer->state = LOG_NOT_YET;
	return !enough || take(l, answer, out, err);
}

static void
pause_for(unsigned left, unsigned retry_after)
{
	unsigned ms = retry_after > 0 ? retry_after * 1000 : STEP_MS;
	struct timespec t;

	if (ms > left)
		ms = left;
	t = (struct timespec){ms / 1000, (long)(ms % 1000) * 1000000};
	(void)nanosleep(&t, NULL);
}

/* Asks until it is there, or for as long as may be waited. */
static bool
ask_until(struct cli_log *l, struct cosigned *out, struct log_cosigned *answer,
    struct error *err)
{
	uint64_t began = clock_monotonic_ns();
	unsigned left = time_left(l, began);
	bool ok = true;

	while (ok && left > 0) {
		ok = ask(l, left, out, answer, err);
		left = time_left(l, began);
		if (!ok || answer->state != LOG_NOT_YET || left == 0)
			break;
		pause_for(left, answer->retry_after);
		left = time_left(l, began);
	}
	l->waited_ms = l->wait_ms - left;
	return ok;
}

/* No failure, since a log need have no witnesses; but who stands between could
 * say the same of one that has. */
static void
say_alone(struct cli_log *l)
{
	if (!l->alone_said)
		(void)fprintf(stderr,
		    "mtlog: %s says that it has no witnesses, so nobody else "
		    "says that others see the same tree (to demand that: "
		    "--witnesses FILE)\n",
		    l->key.name);
	l->alone_said = true;
}

bool
cosigned_get(struct cli_log *l, uint64_t index, struct bytes leaf,
    struct cosigned *out, bool *got, struct error *err)
{
	struct log_cosigned answer = {
	    .state = LOG_NOT_YET,
	    .checkpoint = BUF_INIT(NOTE_MAX_LEN),
	};
	bool ok = true;

	*got = false;
	*out = (struct cosigned){.t = {.index = index, .body = leaf}};
	if (l->wait_ms == 0)
		return true;
	if (l->no_witnesses)
		answer.state = LOG_NO_WITNESSES;
	else
		ok = ask_until(l, out, &answer, err);
	buf_release(&answer.checkpoint);
	l->no_witnesses = ok && answer.state == LOG_NO_WITNESSES;
	*got = ok && answer.state == LOG_COSIGNED;
	if (ok && !*got &&
	    (l->witnesses || l->witnessed || answer.state == LOG_NOT_YET))
		l->uncosigned++;
	else if (ok && !*got)
		say_alone(l);
	return ok;
}

bool
cosigned_end(const struct cli_log *l, struct error *err)
{
	if (l->uncosigned == 0)
		return true;
	if (l->no_witnesses && !l->witnesses)
		return error_reason(err, ERR_UNAVAILABLE, "not-cosigned-yet",
		    "logged, but without cosignatures: %s says that it has no "
		    "witnesses, and showed a cosigned checkpoint before. If it "
		    "has given them up, mtlog log forget and trust it anew",
		    l->key.name);
	return error_reason(err, ERR_UNAVAILABLE, "not-cosigned-yet",
	    "logged, but within %llu ms no quorum of witnesses has cosigned "
	    "%s: the proof that was kept shows what the log signed, and not "
	    "that others see the same. Repeat this later",
	    (unsigned long long)l->wait_ms,
	    l->uncosigned == 1 ? "it" : "all of it");
}
