/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/log_info.h"

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/times.h"
#include "core/verify/verdict.h"
#include "io/clock.h"

#define YEAR_10000 UINT64_C(253402300800)

/* One signature beside the log's own. */
struct cosigned {
	const struct note_signature *line;
	bool verified;
	bool dated;
	uint64_t time;
};

/* Which witness of the policy has this line, if its cosignature verified. */
static bool
is_verified(const struct cli_reading *r, const struct cli_head *h,
    const struct note_signature *s)
{
	const struct quorum *q = r->policy ? &r->policy->quorum : NULL;

	for (size_t i = 0; q && h->judged && i < q->witness_count; i++) {
		const struct vkey *k = &q->witnesses[i].key;

		if (((h->quorum->cosigned >> i) & 1) != 0 &&
		    k->key_id == s->key_id &&
		    bytes_equal(vkey_name(k), s->name))
			return true;
	}
	return false;
}

static bool
is_cosignature(const struct cli_reading *r, const struct cli_head *h, size_t i,
    struct cosigned *out)
{
	const struct note_signature *s = &h->note.signatures[i];
	struct error ignored = {0};
	struct cosignature c;
	enum note_type type = s->signature.len == COSIGNATURE_MLDSA44_LEN
	    ? NOTE_MLDSA44
	    : NOTE_COSIGNATURE;

	if (s->key_id == r->key.key_id &&
	    bytes_equal(s->name, vkey_name(&r->key)))
		return false;
	*out = (struct cosigned){.line = s};
	out->verified = is_verified(r, h, s);
	out->dated = cosignature_parse(s->signature, type, &c, &ignored) &&
	    c.time > 0 && c.time < YEAR_10000;
	if (out->dated)
		out->time = c.time;
	return true;
}

static void
put_age(struct buf *out, uint64_t time)
{
	int64_t age = clock_wall_s() - (int64_t)time;

	time_put(out, time);
	if (age < 0)
		buf_printf(
		    out, " (%lld s ahead of this clock)", (long long)-age);
	else
		buf_printf(out, " (%lld s ago)", (long long)age);
}

static void
text_witnesses(
    const struct cli_reading *r, const struct cli_head *h, struct buf *out)
{
	for (size_t i = 0; i < h->note.signature_count; i++) {
		struct cosigned c;

		if (!is_cosignature(r, h, i, &c))
			continue;
		buf_put_str(out, "  cosigned by  ");
		escaped_put(out, c.line->name);
		buf_printf(out, " (key ID %08x), ", c.line->key_id);
		if (c.dated)
			put_age(out, c.time);
		else
			buf_put_str(out, "no time");
		buf_put_str(
		    out, c.verified ? ", verified\n" : ", not verified\n");
	}
}

static void
text_quorum(const struct cli_head *h, struct buf *out)
{
	const struct quorum_result *q = h->quorum;

	if (!h->judged)
		return;
	buf_put_str(out, "  quorum       ");
	if (!q->dated) {
		buf_printf(out, "not met, or none is asked\n");
		return;
	}
	buf_put_str(out, "met; fresh since ");
	put_age(out, q->fresh_since);
	buf_put_u8(out, '\n');
}

static void
text(const struct cli_reading *r, const struct cli_head *h, struct buf *out)
{
	static const char *const sights[] = {
	    [PINS_NOT_PINNED] = "no",
	    [PINS_SAME] = "yes, and as it was seen before",
	    [PINS_LARGER] = "yes, and grown since it was seen before",
	    [PINS_OLDER] = "yes; what was seen before is larger, and agrees",
	};

	buf_printf(out, "%s\n  address      ", r->key.name);
	escaped_put(out, bytes_str(log_client_url(r->client)));
	buf_put_str(out, "\n  key          ");
	vkey_format(&r->key, out);
	buf_printf(out,
	    "\n  pinned       %s\n  tree size    %llu\n  root hash    ",
	    sights[h->sight], (unsigned long long)h->now.size);
	hex_put(out, hash_bytes(&h->now.root));
	buf_put_u8(out, '\n');
	text_witnesses(r, h, out);
	text_quorum(h, out);
}

static void
json_witnesses(
    const struct cli_reading *r, const struct cli_head *h, struct buf *out)
{
	bool first = true;

	buf_put_str(out, ",\"witnesses\":[");
	for (size_t i = 0; i < h->note.signature_count; i++) {
		struct cosigned c;

		if (!is_cosignature(r, h, i, &c))
			continue;
		buf_put_str(out, first ? "{\"name\":" : ",{\"name\":");
		first = false;
		json_put_string(out, c.line->name);
		buf_printf(
		    out, ",\"keyId\":\"%08x\",\"time\":", c.line->key_id);
		if (c.dated) {
			buf_put_u8(out, '"');
			time_put(out, c.time);
			buf_put_u8(out, '"');
		} else {
			buf_put_str(out, "null");
		}
		buf_printf(
		    out, ",\"verified\":%s}", c.verified ? "true" : "false");
	}
	buf_put_u8(out, ']');
}

static void
json(const struct cli_reading *r, const struct cli_head *h, struct buf *out)
{
	buf_put_str(out, "{\"log\":");
	json_put_string(out, vkey_name(&r->key));
	buf_put_str(out, ",\"url\":");
	json_put_string(out, bytes_str(log_client_url(r->client)));
	buf_put_str(out, ",\"vkey\":\"");
	vkey_format(&r->key, out);
	buf_printf(out, "\",\"sight\":\"%s\",\"size\":\"%llu\",\"root\":\"",
	    cli_sight_name(h->sight), (unsigned long long)h->now.size);
	hex_put(out, hash_bytes(&h->now.root));
	buf_put_u8(out, '"');
	json_witnesses(r, h, out);
	buf_put_str(out, ",\"freshSince\":");
	if (h->judged && h->quorum->dated) {
		buf_put_u8(out, '"');
		time_put(out, h->quorum->fresh_since);
		buf_put_u8(out, '"');
	} else {
		buf_put_str(out, "null");
	}
	buf_put_str(out, "}\n");
}

void
log_info(const struct cli_reading *r, const struct cli_head *h, bool as_json,
    struct buf *out)
{
	if (as_json)
		json(r, h, out);
	else
		text(r, h, out);
}
