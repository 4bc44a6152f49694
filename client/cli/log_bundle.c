/* SPDX-License-Identifier: Apache-2.0 */
/* A bundle on its way into a log, and whether the answer proves that it is
 * there. */
#include "client/cli/cosigned.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/model/entry.h"
#include "core/model/tle.h"

#define REQUEST_MAX (4 * ENTRY_LEAF_MAX)

/* Where an entry is, and the checkpoint that shows it. */
struct place {
	uint64_t index;
	struct buf head;
};

static void
place_release(struct place *p)
{
	buf_release(&p->head);
}

/* The entry of our log among those of the answer: verified, or nothing. */
static bool
verify_entry(const struct cli_log *l, const struct bundle *b, struct bytes leaf,
    struct place *out, struct error *err)
{
	AUTO(hasher) h = {0};
	struct key_verifier *v = key_verifier_open(err);
	struct error why = {0};
	bool ok = false;

	(void)error_reason(&why, ERR_BADSIG, "no-entry",
	    "%s answered without an entry", log_client_url(l->client));
	for (size_t i = 0;
	     v && (h.md || hasher_open(&h, err)) && !ok && i < b->entry_count;
	     i++) {
		AUTO(tle) t = {0};
		struct error no = {0};

		ok = tle_parse(b->entries[i], &t, &no) &&
		    tle_verify(&t, &l->key, leaf, &h, v, &no);
		if (!ok) {
			why = no;
			continue;
		}
		out->index = t.index;
		buf_put(&out->head, t.checkpoint);
	}
	key_verifier_close(v);
	if (!ok && err->code == ERR_NONE)
		*err = why;
	return ok;
}

bool
cli_log_keeps(struct cli_log *l, const struct envelope *e, struct error *err)
{
	AUTO(buf) payload = BUF_INIT(BUNDLE_MAX_LEN);
	struct hash statement;

	if (!dsse_statement_digest(e, &statement, err) ||
	    !log_client_envelope(l->client, &statement, &payload, err))
		return error_prefix(err, "the log does not keep the statement");
	return bytes_equal(buf_bytes(&payload), e->payload) ||
	    error_reason(err, ERR_BADSIG, "envelope",
		"%s gives back another statement than was sent",
		log_client_url(l->client));
}

static bool
same_statement(
    const struct bundle *sent, const struct bundle *got, struct error *err)
{
	if (bytes_equal(sent->envelope.payload, got->envelope.payload) &&
	    bytes_equal(sent->envelope.signature, got->envelope.signature) &&
	    bytes_equal(
		sent->envelope.payload_type, got->envelope.payload_type))
		return true;
	return error_reason(err, ERR_BADSIG, "wrong-entry",
	    "the log answered with another statement than was sent");
}

static bool
leaf_of(const struct bundle *b, struct bytes verifier, struct buf *leaf,
    struct error *err)
{
	return bundle_leaf(b,
	    b->material == BUNDLE_KEY ? verifier : b->certificates[0], leaf,
	    err);
}

bool
cli_log_has(const struct cli_log *l, const struct bundle *b,
    struct bytes verifier, uint64_t *index, struct error *err)
{
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(place) place = {.head = BUF_INIT(NOTE_MAX_LEN)};

	if (!leaf_of(b, verifier, &leaf, err) ||
	    !verify_entry(l, b, buf_bytes(&leaf), &place, err))
		return false;
	*index = place.index;
	return true;
}

static bool
check_answer(struct cli_log *l, struct bytes sent, struct bytes answer,
    struct bytes verifier, uint64_t *index, struct error *err)
{
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(place) place = {.head = BUF_INIT(NOTE_MAX_LEN)};
	struct bundle ours = {0}, got = {0};
	bool ok = bundle_parse(sent, &ours, err) &&
	    leaf_of(&ours, verifier, &leaf, err);

	if (ok && !bundle_parse(answer, &got, err)) {
		err->reason = "server-error";
		ok = error_prefix(err, "the log's answer");
	}
	ok = ok && same_statement(&ours, &got, err) &&
	    verify_entry(l, &got, buf_bytes(&leaf), &place, err) &&
	    buf_ok(&place.head, err) &&
	    cli_saw(l->pins, &l->key, l->client, buf_bytes(&place.head), err) &&
	    (l->digest_only || cli_log_keeps(l, &ours.envelope, err));
	*index = place.index;
	bundle_release(&ours);
	bundle_release(&got);
	return ok;
}

/* What Rekor v2 takes of the entry: the digest, and who signed it how. */
static void
put_request(const struct entry *e, struct buf *out)
{
	buf_put_str(out, "{\"hashedRekordRequestV002\":{\"digest\":\"");
	base64_put(out, e->digest);
	buf_put_str(out, "\",\"signature\":{\"content\":\"");
	base64_put(out, e->signature);
	buf_printf(out, "\",\"verifier\":{\"%s\":{\"rawBytes\":\"",
	    e->is_certificate ? "x509Certificate" : "publicKey");
	base64_put(out, e->verifier);
	buf_printf(out, "\"},\"keyDetails\":\"%s\"}}}}",
	    entry_key_details(e->key.algorithm));
}

/* The bundle with this entry, in place of one of the same log. */
static bool
put_completed(const struct cli_log *l, const struct bundle *b, struct bytes tle,
    struct buf *out, struct error *err)
{
	struct bundle full = *b; /* a view: nothing of it is released */

	full.entry_count = 0;
	for (size_t i = 0; i < b->entry_count; i++) {
		AUTO(tle) t = {0};
		struct error ignored = {0};

		if (!tle_parse(b->entries[i], &t, &ignored) ||
		    !hash_equal(&t.log_id, &l->key.log_id))
			full.entries[full.entry_count++] = b->entries[i];
	}
	if (full.entry_count == BUNDLE_MAX_ENTRIES)
		return error_set(err, ERR_LIMIT,
		    "the bundle has %d log entries already",
		    BUNDLE_MAX_ENTRIES);
	full.entries[full.entry_count++] = tle;
	bundle_format(&full, out);
	return buf_ok(out, err);
}

/* Logs the digest alone, and completes the bundle here. */
static bool
log_digest(struct cli_log *l, struct bytes bundle, struct bytes verifier,
    struct buf *out, struct error *err)
{
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(buf) request = BUF_INIT(REQUEST_MAX);
	AUTO(buf) answer = BUF_INIT(TLE_MAX_LEN);
	AUTO(bundle) b = {0};
	AUTO(entry) e = {0};
	AUTO(tle) t = {0};

	if (!bundle_parse(bundle, &b, err) ||
	    !leaf_of(&b, verifier, &leaf, err) ||
	    !entry_parse(buf_bytes(&leaf), &e, err))
		return false;
	put_request(&e, &request);
	if (!buf_ok(&request, err) ||
	    !log_client_post(l->client, "/api/v2/log/entries",
		"application/json", buf_bytes(&request), &answer, err))
		return false;
	if (!tle_parse(buf_bytes(&answer), &t, err)) {
		err->reason = "server-error";
		return error_prefix(err, "the log's answer");
	}
	return put_completed(l, &b, buf_bytes(&answer), out, err);
}

/* The bundle with the proof that the witnesses have cosigned, if it comes. */
static bool
cosign(struct cli_log *l, const struct bundle *b, const struct place *place,
    struct bytes leaf, struct buf *out, struct error *err)
{
	AUTO(buf) tle = BUF_INIT(TLE_MAX_LEN);
	AUTO(cosigned) c = {0};
	bool got;

	if (!cosigned_enough(l, buf_bytes(&place->head), &got, err))
		return false;
	if (got)
		return true;
	if (!cosigned_get(l, place->index, leaf, &c, &got, err))
		return false;
	if (!got)
		return true;
	tle_format(&c.t, &tle);
	return buf_ok(&tle, err) &&
	    put_completed(l, b, buf_bytes(&tle), out, err);
}

bool
cli_log_upgrade(struct cli_log *l, struct bytes bundle, struct bytes verifier,
    struct buf *done, struct error *err)
{
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(place) place = {.head = BUF_INIT(NOTE_MAX_LEN)};
	AUTO(bundle) b = {0};

	return bundle_parse(bundle, &b, err) &&
	    leaf_of(&b, verifier, &leaf, err) &&
	    verify_entry(l, &b, buf_bytes(&leaf), &place, err) &&
	    buf_ok(&place.head, err) &&
	    cosign(l, &b, &place, buf_bytes(&leaf), done, err);
}

bool
cli_log_bundle(struct cli_log *l, struct bytes bundle, struct bytes verifier,
    struct buf *out, uint64_t *index, struct error *err)
{
	AUTO(buf) cosigned = BUF_INIT(BUNDLE_MAX_LEN);
	bool ok = l->digest_only
	    ? log_digest(l, bundle, verifier, out, err)
	    : log_client_bundle(l->client, bundle, verifier, out, err);

	if (!ok ||
	    !check_answer(l, bundle, buf_bytes(out), verifier, index, err) ||
	    !cli_log_upgrade(l, buf_bytes(out), verifier, &cosigned, err))
		return false;
	if (cosigned.len > 0) {
		buf_clear(out);
		buf_put(out, buf_bytes(&cosigned));
	}
	return buf_ok(out, err);
}

bool
cli_log_fits(
    const struct cli_log *l, const struct envelope *e, struct error *err)
{
	return l->digest_only || dsse_is_kept(e->payload_type, e->payload) ||
	    error_set(err, ERR_USAGE,
		"nothing was sent: the statement has %zu bytes, and a log "
		"keeps at most %u of one; sign fewer files (pack small ones "
		"together, or --ignore them), or say --no-envelope to log its "
		"digest alone",
		e->payload.len, ENVELOPE_MAX_LEN - ENVELOPE_TYPE_MAX);
}
