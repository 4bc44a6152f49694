/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witness_ask.h"

#include "core/base/cleanup.h"
#include "core/base/reader.h"
#include "core/tlog/witness_request.h"

/* The client's side of c2sp.org/tlog-witness, one witness and one checkpoint at
 * a time. */

static void *
transport_open(unsigned timeout_ms, struct error *err)
{
	return http_open(timeout_ms, err);
}

static bool
transport_post(void *handle, const char *url, struct bytes body,
    struct http_answer *out, struct error *err)
{
	return http_post(
	    handle, url, "text/plain; charset=utf-8", body, out, err);
}

static bool
transport_get(
    void *handle, const char *url, struct http_answer *out, struct error *err)
{
	return http_get(handle, url, out, err);
}

static void
transport_cancel(void *handle)
{
	http_cancel(handle);
}

static void
transport_close(void *handle)
{
	http_close(handle);
}

const struct witness_transport witness_http = {
    .open = transport_open,
    .post = transport_post,
    .get = transport_get,
    .cancel = transport_cancel,
    .close = transport_close,
};

static const char *const result_names[WITNESS_RESULTS] = {
    [WITNESS_COSIGNED] = "cosigned",
    [WITNESS_CONFLICT] = "conflict",
    [WITNESS_LIMITED] = "limited",
    [WITNESS_UNREACHABLE] = "unreachable",
    [WITNESS_REFUSED] = "refused",
    [WITNESS_NONSENSE] = "nonsense",
    [WITNESS_FORGED] = "forged",
    [WITNESS_LYING] = "lying",
};

const char *
witness_result_name(enum witness_result r)
{
	return result_names[r];
}

void
witness_reply_release(struct witness_reply *r)
{
	buf_release(&r->line);
}

/* "<size>\n": one number, as decimals are written, and nothing else. */
static bool
read_size(struct bytes body, uint64_t *out)
{
	struct reader r = {body};

	return reader_decimal(&r, out) && *out <= TREE_MAX_SIZE &&
	    reader_literal(&r, BYTES_LIT("\n")) && reader_done(&r);
}

/* The latest of the witness's signatures on a verified note, as a line. */
static void
put_line(const struct note *n, const struct vkey *key, uint64_t time,
    struct buf *out)
{
	for (size_t i = 0; i < n->signature_count; i++) {
		const struct note_signature *s = &n->signatures[i];
		struct cosignature c;
		struct error err = {0};

		if (s->key_id != key->key_id ||
		    !bytes_equal(s->name, vkey_name(key)) ||
		    !cosignature_parse(s->signature, key->type, &c, &err) ||
		    c.time != time)
			continue;
		note_signature_put(out, s->name, s->key_id, s->signature);
		return;
	}
}

/*
 * A body of signature lines is read as what it is once it stands under the
 * checkpoint. One that would make the text longer was no signature line.
 */
static bool
read_cosignature(const struct witness *w, const struct witness_question *q,
    struct bytes body, struct key_verifier *verifier, struct witness_reply *out)
{
	AUTO(buf) whole = BUF_INIT(NOTE_MAX_LEN);
	AUTO(note) n = {0}, ours = {0};
	struct cosignature_times times;
	struct error *err = &out->why;

	buf_put(&whole, q->note);
	buf_put(&whole, body);
	out->result = WITNESS_NONSENSE;
	if (!buf_ok(&whole, err) || !note_parse(q->note, &ours, err) ||
	    !note_parse(buf_bytes(&whole), &n, err))
		return false;
	if (!bytes_equal(n.text, ours.text) ||
	    n.signature_count <= ours.signature_count)
		return error_set(
		    err, ERR_SYNTAX, "an answer that is no signature line");
	out->result = WITNESS_FORGED;
	if (!cosignature_verify(&n, w->key, verifier, &times, err))
		return false;
	if (times.last <= q->newer_than)
		return error_set(err, ERR_BADSIG,
		    "a cosignature that is not newer than its last one");
	buf_init(&out->line, WITNESS_ANSWER_MAX);
	put_line(&n, w->key, times.last, &out->line);
	if (!buf_ok(&out->line, err) || out->line.len == 0)
		return error_set(err, ERR_INTERNAL, "no signature line");
	out->result = WITNESS_COSIGNED;
	out->time = times.last;
	return true;
}

static void
read_answer(const struct witness *w, const struct witness_question *q,
    const struct http_answer *a, struct key_verifier *verifier,
    struct witness_reply *out)
{
	out->status = a->status;
	switch (a->status) {
	case 200:
		(void)read_cosignature(
		    w, q, buf_bytes(&a->body), verifier, out);
		return;
	case 409:
		out->result = read_size(buf_bytes(&a->body), &out->size)
		    ? WITNESS_CONFLICT
		    : WITNESS_NONSENSE;
		(void)error_set(&out->why, ERR_CONFLICT,
		    out->result == WITNESS_CONFLICT
			? "it has cosigned another size: %llu"
			: "status 409 without a size",
		    (unsigned long long)out->size);
		return;
	case 429:
		out->result = WITNESS_LIMITED;
		out->retry_after = a->retry_after;
		break;
	default:
		out->result = WITNESS_REFUSED;
		out->retry_after = a->retry_after;
		break;
	}
	(void)error_set(&out->why, ERR_UNAVAILABLE, "status %u", a->status);
}

/* One request and its answer. */
static bool
exchange(const struct witness *w, const struct witness_transport *transport,
    void *handle, const struct witness_question *q,
    struct key_verifier *verifier, struct witness_reply *out, struct error *err)
{
	struct witness_request request = {
	    .old_size = q->old,
	    .checkpoint = q->note,
	};
	AUTO(buf) body = BUF_INIT(WITNESS_REQUEST_MAX_LEN);
	struct http_answer answer = {.body = BUF_INIT(WITNESS_ANSWER_MAX)};

	*out = (struct witness_reply){0};
	if (q->old > 0 && q->old < q->size &&
	    !q->prove(q->arg, q->old, q->size, &request.proof, err))
		return false;
	witness_request_format(&request, &body);
	if (!buf_ok(&body, err))
		return false;
	if (transport->post(
		handle, w->add_url, buf_bytes(&body), &answer, &out->why))
		read_answer(w, q, &answer, verifier, out);
	else
		out->result = out->why.code == ERR_LIMIT ? WITNESS_NONSENSE
							 : WITNESS_UNREACHABLE;
	buf_release(&answer.body);
	return true;
}

bool
witness_ask(const struct witness *w, const struct witness_transport *transport,
    void *handle, const struct witness_question *question,
    struct key_verifier *verifier, struct witness_reply *out, struct error *err)
{
	struct witness_question q = *question;

	if (!exchange(w, transport, handle, &q, verifier, out, err))
		return false;
	if (out->result != WITNESS_CONFLICT || out->size > q.size)
		return true;
	/* It knew better; but to say so twice, or of what it was told, helps
	 * nobody. */
	if (out->size == q.old) {
		out->result = WITNESS_NONSENSE;
		return true;
	}
	q.old = out->size;
	if (!exchange(w, transport, handle, &q, verifier, out, err))
		return false;
	if (out->result == WITNESS_CONFLICT && out->size <= q.size)
		out->result = WITNESS_NONSENSE;
	return true;
}

bool
witness_shown(const struct witness *w,
    const struct witness_transport *transport, void *handle,
    const struct vkey *log, struct key_verifier *verifier, struct buf *note,
    struct checkpoint *out, struct error *err)
{
	struct http_answer answer = {.body = BUF_INIT(WITNESS_NOTE_MAX)};
	bool ok = transport->get(handle, w->checkpoint_url, &answer, err);

	if (ok && answer.status == 404)
		ok = error_set(
		    err, ERR_NOTFOUND, "%s: nothing there", w->checkpoint_url);
	else if (ok && answer.status != 200)
		ok = error_set(err, ERR_UNAVAILABLE, "%s: status %u",
		    w->checkpoint_url, answer.status);
	if (ok)
		buf_put(note, buf_bytes(&answer.body));
	buf_release(&answer.body);
	return ok && buf_ok(note, err) &&
	    checkpoint_open(buf_bytes(note), log, verifier, out, err);
}
