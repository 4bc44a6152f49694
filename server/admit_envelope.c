/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/cleanup.h"
#include "core/model/tle.h"
#include "io/clock.h"
#include "server/admit_parts.h"
#include "server/api/prove.h"

#define FIRST_LOOK 32 /* entries looked at for the first of a signer */

/*
 * Where the signer logged this envelope first: perhaps as a bare digest. Who
 * logs the same signature again, as another leaf, must not make it look newer.
 */
static bool
find_first(struct worker *w, const struct submission *s,
    struct store_link *link, struct error *err)
{
	uint64_t found[FIRST_LOOK], complete;
	size_t n = 0;

	if (!lookup_find(w->admit->p.lookup, INDEX_DIGEST, &s->keys.digest, 0,
		false, FIRST_LOOK, found, &n, &complete, err))
		return false;
	for (size_t i = 0; i < n; i++) {
		AUTO(buf) stored = BUF_INIT(UINT16_MAX);
		AUTO(entry) e = {0};

		if (!tree_entry(&w->cursor, found[i], &stored, err) ||
		    !entry_parse(buf_bytes(&stored), &e, err))
			return false;
		if (envelope_logged(&w->cursor.hasher, link, &e)) {
			link->index = found[i];
			return true;
		}
	}
	return true;
}

/* What the store has of the envelope: linked for this signer, or dropped. */
static bool
find_stored(struct worker *w, const struct store_link *link, bool *linked,
    bool *dropped, struct error *err)
{
	const struct admit_parts *p = &w->admit->p;
	struct store_reader *r = tree_reader_take(p->tree, err);
	struct error why = {0}, gone = {0};
	uint64_t index;
	bool ok;

	if (!r)
		return false;
	*linked =
	    p->backend->find_link(r, &link->s, &link->signer, &index, &why);
	(void)!p->backend->read_envelope(
	    r, hash_bytes(&link->s), UINT64_MAX, NULL, &gone);
	tree_reader_give(p->tree, r);
	*dropped = strcmp(error_reason_name(&gone), "envelope-dropped") == 0;
	ok = (*linked || why.code == ERR_NOTFOUND) &&
	    (gone.code == ERR_NONE || gone.code == ERR_NOTFOUND);
	if (!ok)
		*err = *linked ? gone : why;
	return ok;
}

static bool
take_quota(struct worker *w, const struct line *line, struct error *err)
{
	const struct enclosure *x = &line->job->bundle->enclosure;
	const struct http_client *c = &exchange_request(line->job->x)->client;

	return quota_take(w->admit->p.quota, BYTES_OF(c->address),
		   hash_bytes(&x->link.signer), enclosure_bytes(x),
		   (uint64_t)clock_wall_s()) ||
	    error_reason(err, ERR_UNAVAILABLE, "envelope-quota",
		"this address or signer has had as many bytes of envelopes "
		"kept today as the log allows");
}

bool
admit_enclose(struct worker *w, struct line *line, const struct entry *e,
    struct error *err)
{
	struct bundle_work *b = line->job->bundle;
	bool linked = false, dropped = false;

	if (!bundle_work_enclose(b, &w->cursor.hasher, e, err) ||
	    !find_stored(w, &b->enclosure.link, &linked, &dropped, err))
		return false;
	if (dropped)
		return error_reason(err, ERR_DENIED, "envelope-dropped",
		    "the operator of the log dropped this envelope, and it is "
		    "not taken again");
	line->s.enclosed = linked;
	if (linked)
		return true;
	if (!find_first(w, &line->s, &b->enclosure.link, err) ||
	    !take_quota(w, line, err))
		return false;
	line->s.enclosure = &b->enclosure;
	return true;
}

void
admit_unenclose(struct worker *w, struct line *line)
{
	const struct http_client *c = &exchange_request(line->job->x)->client;
	const struct enclosure *x = line->s.enclosure;

	if (x)
		quota_give(w->admit->p.quota, BYTES_OF(c->address),
		    hash_bytes(&x->link.signer), enclosure_bytes(x),
		    (uint64_t)clock_wall_s());
	line->s.enclosure = NULL;
}

void
admit_enclose_known(struct worker *w, struct line *line, const struct entry *e)
{
	struct submission *s = &line->s;
	struct error why = {0};

	if (!line->job->bundle || s->enclosed ||
	    !health_writable(w->admit->p.health, &why))
		return;
	if (!s->enclosure && !admit_enclose(w, line, e, &why))
		return;
	if (s->enclosed)
		return;
	s->known = true;
	atomic_fetch_add(&line->job->waiting, 1);
	if (pool_put(w->admit->p.pool, s, 0, &why) == POOL_TAKEN)
		return;
	atomic_fetch_sub(&line->job->waiting, 1);
	admit_unenclose(w, line);
}

bool
admit_enclose_late(struct worker *w, struct job *job)
{
	struct line *line = &job->lines[0];
	struct submission *s = &line->s;
	AUTO(entry) e = {0};
	struct error why = {0};

	if (!job->bundle || line->state != LINE_NEW || s->enclosed ||
	    s->err.code != ERR_NONE ||
	    !entry_parse(buf_bytes(&s->leaf), &e, &why))
		return false;
	line->state = LINE_KNOWN;
	head_release(s->head);
	s->head = NULL;
	atomic_store(&job->waiting, 1);
	admit_enclose_known(w, line, &e);
	if (!s->known)
		return false;
	admit_step(job);
	return true;
}

bool
admit_put_entry(struct worker *w, struct line *line, const struct head *head,
    struct buf *out)
{
	const struct admit_parts *p = &w->admit->p;
	AUTO(buf) tle = BUF_INIT(TLE_MAX_LEN);
	struct bytes leaf = buf_bytes(&line->s.leaf);

	if (line->job->kind != ADMIT_BUNDLE)
		return prove_entry(&w->cursor, &p->vkey.log_id, head,
		    line->s.index, leaf, out, &line->err);
	return prove_entry(&w->cursor, &p->vkey.log_id, head, line->s.index,
		   leaf, &tle, &line->err) &&
	    bundle_work_complete(line->job->bundle, buf_bytes(&tle), leaf,
		&p->vkey, &w->cursor.hasher, w->verifier, out, &line->err);
}
