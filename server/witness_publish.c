/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/tlog/evidence.h"
#include "io/clock.h"
#include "io/file.h"
#include "server/cosigned.h"
#include "server/witness_seat.h"

#define RETRY_NS 1000000000u

/* The witnesses whose cosignature of the candidate we have. */
static uint64_t
cosigners(const struct witness_collect *c, uint64_t now)
{
	uint64_t set = 0;

	for (size_t i = 0; i < c->count; i++) {
		const struct seat *s = &c->seats[i];

		if (s->serial == c->serial &&
		    now - s->line_ns < WITNESS_FRESH_NS)
			set |= 1ull << s->witness->number;
	}
	return set;
}

bool
witness_publish_due(const struct witness_collect *c, uint64_t now)
{
	return c->candidate && c->version != c->shown && now >= c->retry_ns &&
	    c->candidate->size >= c->backlog.cosigned_size &&
	    quorum_met(c->p.policy->quorum, cosigners(c, now));
}

/* What is to be shown: a note with every cosignature there is. */
struct shown {
	struct head *of; /* the candidate, held */
	uint64_t serial, version;
	struct buf note;
	struct quorum_result result;
};

static bool
gather(struct witness_collect *c, struct shown *out)
{
	bool due;

	(void)pthread_mutex_lock(&c->lock);
	due = witness_publish_due(c, clock_monotonic_ns());
	if (due) {
		out->of = c->candidate;
		httpd_body_hold(&out->of->body);
		out->serial = c->serial;
		out->version = c->version;
		buf_put(&out->note, buf_bytes(&out->of->note));
		for (size_t i = 0; i < c->count; i++)
			if (c->seats[i].serial == c->serial)
				buf_put(
				    &out->note, buf_bytes(&c->seats[i].line));
	}
	(void)pthread_mutex_unlock(&c->lock);
	return due;
}

/* Durable first. What is shown was verified as a client would. */
static bool
make_durable(struct witness_collect *c, struct key_verifier *verifier,
    struct shown *s, struct error *err)
{
	bool met;

	return buf_ok(&s->note, err) &&
	    cosigned_judge(buf_bytes(&s->note), c->p.policy->quorum, verifier,
		&met, &s->result, err) &&
	    (met || error_set(err, ERR_INTERNAL, "no quorum after all")) &&
	    cosigned_write(c->p.folder, buf_bytes(&s->note), err);
}

static void
show(struct witness_collect *c, const struct shown *s, struct head *head)
{
	bool larger;

	head_publish(c->p.cosigned, head);
	(void)pthread_mutex_lock(&c->lock);
	larger = s->of->size > c->backlog.cosigned_size;
	backlog_cosigned(&c->backlog, s->of->size);
	c->quorum_time = s->result.fresh_since;
	if (s->serial == c->serial) {
		c->shown = s->version;
		c->met = true;
	}
	(void)pthread_cond_broadcast(&c->wake);
	(void)pthread_mutex_unlock(&c->lock);
	if (larger)
		c->p.published(c->p.arg, s->of->size);
}

static void
publish_failed(struct witness_collect *c, const struct error *err)
{
	(void)pthread_mutex_lock(&c->lock);
	c->retry_ns = clock_monotonic_ns() + RETRY_NS;
	(void)pthread_mutex_unlock(&c->lock);
	c->p.event(c->p.arg, true, "not-published", err->text);
}

void
witness_publish(struct witness_collect *c, struct key_verifier *verifier)
{
	struct shown s = {.note = BUF_INIT(COSIGNED_MAX)};
	struct error err = {0};
	struct head *head = NULL;

	(void)pthread_mutex_lock(&c->publishing);
	if (gather(c, &s)) {
		if (make_durable(c, verifier, &s, &err)) {
			head = head_new(
			    s.of->size, &s.of->root, buf_bytes(&s.note));
			(void)(head ||
			    error_set(&err, ERR_INTERNAL, "out of memory"));
		}
		if (head)
			show(c, &s, head);
		else
			publish_failed(c, &err);
	}
	(void)pthread_mutex_unlock(&c->publishing);
	head_release(s.of);
	buf_release(&s.note);
}

/* Two heads of our key that contradict each other, as anybody can check. */
static bool
put_evidence(struct seat *s, const struct head *ours, struct bytes note,
    const struct checkpoint *theirs, struct buf *out, struct error *err)
{
	struct node_reader nodes = tree_nodes(&s->cursor);
	struct evidence e = {
	    .key = *s->collect->p.log,
	    .smaller = note,
	    .larger = buf_bytes(&ours->note),
	    .has_root = theirs->size < ours->size,
	};

	/* The larger one's own tree, at the smaller size. */
	if (e.has_root &&
	    (!merkle_root(
		 &s->cursor.hasher, &nodes, theirs->size, &e.root, err) ||
		(theirs->size > 0 &&
		    !proof_consistency(&s->cursor.hasher, &nodes, theirs->size,
			ours->size, &e.proof, err))))
		return false;
	evidence_format(&e, out);
	return buf_ok(out, err);
}

/*
 * What is kept, and keeps the log from signing after a start, too: evidence of
 * a fork; or, where theirs is larger, the checkpoint alone. It may be one of a
 * longer tree that was ours: `restore --seen` takes it. The first one stays.
 */
static const char *
keep(struct seat *s, const struct head *ours, struct bytes note,
    const struct checkpoint *theirs)
{
	struct witness_collect *c = s->collect;
	bool fork = theirs->size <= ours->size;
	const char *name = fork ? WITNESS_EVIDENCE : WITNESS_UNKNOWN;
	AUTO(buf) text = BUF_INIT(EVIDENCE_MAX_LEN);
	char *path = path_join(c->p.folder, name);
	struct error err = {0};
	bool ok = path != NULL;

	if (ok && fork)
		ok = put_evidence(s, ours, note, theirs, &text, &err);
	else
		buf_put(&text, note);
	ok = ok && file_create(path, buf_bytes(&text), 0644, &err);
	if (!ok && err.code != ERR_CONFLICT)
		c->p.event(c->p.arg, true, "no-evidence", err.text);
	free(path);
	return name;
}

void
witness_doubt(
    struct seat *s, struct bytes note, const struct checkpoint *theirs)
{
	struct witness_collect *c = s->collect;
	struct error why = {0};
	struct head *ours;
	bool known;

	(void)pthread_mutex_lock(&c->lock);
	known = c->doubtful;
	c->doubtful = true;
	ours = c->newest;
	httpd_body_hold(&ours->body);
	(void)pthread_cond_broadcast(&c->wake);
	(void)pthread_mutex_unlock(&c->lock);
	if (!known)
		(void)error_reason(&why, ERR_CONFLICT, "inconsistent",
		    "witness %s shows a checkpoint with this log's signature "
		    "that this log does not know: it was put back to an older "
		    "state, or its key is used elsewhere. It is in %s/%s",
		    s->witness->name, c->p.folder, keep(s, ours, note, theirs));
	head_release(ours);
	if (!known)
		c->p.doubt(c->p.arg, &why);
}

static bool
not_there(const struct witness_collect *c, const char *name, struct error *err)
{
	char *path = path_join(c->p.folder, name);
	AUTO(buf) text = BUF_INIT(EVIDENCE_MAX_LEN);
	struct error why = {0};

	if (path)
		(void)!file_read(path, &text, &why);
	free(path);
	return why.code == ERR_NOTFOUND ||
	    error_reason(err, ERR_CONFLICT, "inconsistent",
		"%s/%s shows that this log's key signed something else",
		c->p.folder, name);
}

/* The stored head must be one of this tree. */
static bool
check_stored(struct tree *tree, const struct checkpoint *stored,
    const struct head *head, struct error *err)
{
	AUTO(tree_cursor) cursor = {0};
	struct node_reader nodes;
	struct hash root;

	if (stored->size > head->size)
		return error_reason(err, ERR_CONFLICT, "inconsistent",
		    "the checkpoint that was shown last has %llu entries, more "
		    "than the %llu of the last signed one",
		    (unsigned long long)stored->size,
		    (unsigned long long)head->size);
	if (!tree_cursor_open(&cursor, tree, err))
		return false;
	nodes = tree_nodes(&cursor);
	if (!merkle_root(&cursor.hasher, &nodes, stored->size, &root, err))
		return false;
	return hash_equal(&root, &stored->root) ||
	    error_reason(err, ERR_CONFLICT, "inconsistent",
		"the checkpoint that was shown last, of %llu entries, is not "
		"one of this tree",
		(unsigned long long)stored->size);
}

static bool
take_stored(struct witness_collect *c, struct bytes note, bool met,
    const struct quorum_result *r, struct error *err)
{
	struct head *shown;

	backlog_cosigned(&c->backlog, r->head.size);
	if (!met) {
		c->p.event(c->p.arg, true, "policy-changed",
		    "what was shown last is no quorum of today's policy, and "
		    "is not shown until witnesses cosign again");
		return true;
	}
	shown = head_new(r->head.size, &r->head.root, note);
	if (!shown)
		return error_set(err, ERR_INTERNAL, "out of memory");
	head_publish(c->p.cosigned, shown);
	c->quorum_time = r->fresh_since;
	return true;
}

bool
witness_collect_load(struct witness_collect *c, struct tree *tree,
    const struct head *head, struct error *err)
{
	AUTO(buf) note = BUF_INIT(COSIGNED_MAX);
	struct key_verifier *verifier = key_verifier_open(err);
	struct error why = {0};
	struct quorum_result r;
	bool met, ok = verifier != NULL;

	c->tree = tree;
	if (ok && !cosigned_read(c->p.folder, &note, &why)) {
		ok = why.code == ERR_NOTFOUND;
		if (!ok)
			*err = why;
	} else if (ok) {
		ok = cosigned_judge(buf_bytes(&note), c->p.policy->quorum,
			 verifier, &met, &r, err) &&
		    check_stored(tree, &r.head, head, err) &&
		    take_stored(c, buf_bytes(&note), met, &r, err);
		if (!ok)
			(void)error_prefix(
			    err, "%s/" COSIGNED_FILE, c->p.folder);
	}
	key_verifier_close(verifier);
	/* Shown all the same: it is what was certainly shown before. */
	return ok && not_there(c, WITNESS_EVIDENCE, err) &&
	    not_there(c, WITNESS_UNKNOWN, err);
}
