/* SPDX-License-Identifier: Apache-2.0 */
#include "core/tlog/quorum.h"

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/reader.h"

#define NO_GROUP QUORUM_MAX_GROUPS

/* Where a name leads: a witness or a group, or nowhere yet. */
struct place {
	enum quorum_kind kind;
	size_t index;
};

static bool
syntax(struct error *err, const char *what)
{
	return error_set(err, ERR_SYNTAX, "%s", what);
}

static bool
too_many(struct error *err, const char *what, int max)
{
	return error_set(err, ERR_LIMIT, "more than %d %s", max, what);
}

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

bool
quorum_item(struct reader *line, struct bytes *out)
{
	struct bytes in = line->rest;
	size_t from = 0, to;

	while (from < in.len && is_blank(in.ptr[from]))
		from++;
	to = from;
	while (to < in.len && !is_blank(in.ptr[to]))
		to++;
	if (from == to)
		return false;
	*out = bytes_slice(in, from, to);
	line->rest = bytes_slice(in, to, in.len);
	return true;
}

static bool
at_end(const struct reader *line)
{
	struct reader r = *line;
	struct bytes item;

	return !quorum_item(&r, &item);
}

/* Only the bytes 09, 20-7E and 80-FF; lines have lost their 0A. */
static bool
octets_valid(struct bytes line)
{
	for (size_t i = 0; i < line.len; i++)
		if ((line.ptr[i] < 0x20 && line.ptr[i] != '\t') ||
		    line.ptr[i] == 0x7f)
			return false;
	return true;
}

static struct place
find(const struct quorum *q, struct bytes name)
{
	for (size_t i = 0; i < q->witness_count; i++)
		if (bytes_equal(name, q->witnesses[i].name))
			return (struct place){QUORUM_WITNESS, i};
	for (size_t i = 0; i < q->group_count; i++)
		if (bytes_equal(name, q->groups[i].name))
			return (struct place){QUORUM_GROUP, i};
	return (struct place){QUORUM_NONE, 0};
}

/* A name for a new witness or group. */
static bool
take_name(const struct quorum *q, struct reader *line, struct bytes *out,
    struct error *err)
{
	if (!quorum_item(line, out))
		return syntax(err, "the name is missing");
	if (out->len > QUORUM_NAME_MAX)
		return error_set(err, ERR_LIMIT,
		    "the name is longer than %d bytes", QUORUM_NAME_MAX);
	if (bytes_equal(*out, BYTES_LIT("none")))
		return syntax(err, "the name \"none\" is reserved");
	if (find(q, *out).kind != QUORUM_NONE)
		return error_set(err, ERR_CONFLICT, "the name is used already");
	return true;
}

/* The last item of a line, if it is there. */
static bool
take_url(struct reader *line, struct bytes *out, struct error *err)
{
	*out = (struct bytes){0};
	return at_end(line) || (quorum_item(line, out) && at_end(line)) ||
	    syntax(err, "surplus items");
}

static bool
take_hex(struct bytes item, uint8_t out[HASH_LEN])
{
	return item.len == 2 * HASH_LEN && hex_decode(item, out, HASH_LEN);
}

/* Sigsum's name for a log is made of its key. */
static bool
sigsum_log(struct bytes raw, struct vkey *out, struct error *err)
{
	AUTO(buf) name = BUF_INIT(NOTE_NAME_MAX);
	AUTO(hasher) h = {0};
	struct hash id;

	if (!hasher_open(&h, err))
		return false;
	sha256(&h, raw, &id);
	buf_put_str(&name, "sigsum.org/v1/tree/");
	hex_put(&name, hash_bytes(&id));
	return hasher_ok(&h, err) && buf_ok(&name, err) &&
	    vkey_init(out, buf_bytes(&name), NOTE_ED25519, raw, err);
}

static bool
same_key(const struct vkey *a, const struct vkey *b)
{
	return bytes_equal(
	    bytes_of(a->key, a->key_len), bytes_of(b->key, b->key_len));
}

static bool
line_log(struct quorum *q, struct reader *line, struct error *err)
{
	struct quorum_log *log = &q->logs[q->log_count];
	uint8_t raw[HASH_LEN];
	struct bytes item;

	if (q->log_count == QUORUM_MAX_LOGS)
		return too_many(err, "logs", QUORUM_MAX_LOGS);
	if (!quorum_item(line, &item))
		return syntax(err, "the vkey is missing");
	if (take_hex(item, raw) ? !sigsum_log(BYTES_OF(raw), &log->key, err)
				: !vkey_parse(item, &log->key, err))
		return false;
	if (log->key.type != NOTE_ED25519 && log->key.type != NOTE_ECDSA)
		return syntax(err, "not the key of a log");
	for (size_t i = 0; i < q->log_count; i++)
		if (same_key(&q->logs[i].key, &log->key))
			return error_set(
			    err, ERR_CONFLICT, "a log has this key already");
	if (!take_url(line, &log->url, err))
		return false;
	q->log_count++;
	return true;
}

/* Type 01 is what policies in the wild say where they mean 04. */
static bool
witness_key(
    struct bytes name, struct bytes item, struct vkey *out, struct error *err)
{
	uint8_t raw[HASH_LEN];
	struct vkey v;

	if (take_hex(item, raw))
		return vkey_init(
		    out, name, NOTE_COSIGNATURE, BYTES_OF(raw), err);
	if (!vkey_parse(item, &v, err))
		return false;
	if (v.type == NOTE_ED25519)
		return vkey_init(out, vkey_name(&v), NOTE_COSIGNATURE,
		    bytes_of(v.key, v.key_len), err);
	if (v.type != NOTE_COSIGNATURE && v.type != NOTE_MLDSA44)
		return syntax(err, "not the key of a witness");
	*out = v;
	return true;
}

static bool
line_witness(struct quorum *q, struct reader *line, struct error *err)
{
	struct quorum_witness *w = &q->witnesses[q->witness_count];
	struct bytes item;

	if (q->witness_count == QUORUM_MAX_WITNESSES)
		return too_many(err, "witnesses", QUORUM_MAX_WITNESSES);
	if (!take_name(q, line, &w->name, err))
		return false;
	if (!quorum_item(line, &item))
		return syntax(err, "the vkey is missing");
	if (!witness_key(w->name, item, &w->key, err))
		return false;
	for (size_t i = 0; i < q->witness_count; i++)
		if (same_key(&q->witnesses[i].key, &w->key))
			return error_set(err, ERR_CONFLICT,
			    "a witness has this key already");
	if (!take_url(line, &w->url, err))
		return false;
	w->group = NO_GROUP;
	q->witness_count++;
	return true;
}

/* Puts the one that `name` names into the group that comes next. */
static bool
join(struct quorum *q, struct bytes name, struct error *err)
{
	struct place at = find(q, name);
	size_t *group;

	if (at.kind == QUORUM_NONE)
		return syntax(
		    err, "a member is not defined on an earlier line");
	group = at.kind == QUORUM_WITNESS ? &q->witnesses[at.index].group
					  : &q->groups[at.index].group;
	if (*group != NO_GROUP)
		return error_set(
		    err, ERR_CONFLICT, "a member is in a group already");
	*group = q->group_count;
	return true;
}

static bool
group_needed(struct bytes item, struct quorum_group *g, struct error *err)
{
	uint64_t k;

	if (bytes_equal(item, BYTES_LIT("any")))
		k = 1;
	else if (bytes_equal(item, BYTES_LIT("all")))
		k = g->members;
	else if (!decimal_parse(item, &k))
		return syntax(err, "neither all, any nor a number");
	if (k < 1 || k > g->members)
		return syntax(err, "wants none, or more members than it has");
	g->needed = (unsigned)k;
	return true;
}

static bool
line_group(struct quorum *q, struct reader *line, struct error *err)
{
	struct quorum_group *g = &q->groups[q->group_count];
	struct bytes needed, member;

	if (q->group_count == QUORUM_MAX_GROUPS)
		return too_many(err, "groups", QUORUM_MAX_GROUPS);
	*g = (struct quorum_group){.group = NO_GROUP};
	if (!take_name(q, line, &g->name, err))
		return false;
	if (!quorum_item(line, &needed))
		return syntax(err, "all, any or a number is missing");
	while (quorum_item(line, &member)) {
		if (!join(q, member, err))
			return false;
		g->members++;
	}
	if (!group_needed(needed, g, err))
		return false;
	q->group_count++;
	return true;
}

static bool
line_quorum(struct quorum *q, struct reader *line, struct error *err)
{
	struct place at = {0};
	struct bytes name;

	if (q->decided)
		return error_set(err, ERR_CONFLICT, "there is one already");
	if (!quorum_item(line, &name))
		return syntax(err, "the name is missing");
	if (!at_end(line))
		return syntax(err, "surplus items");
	if (!bytes_equal(name, BYTES_LIT("none"))) {
		at = find(q, name);
		if (at.kind == QUORUM_NONE)
			return syntax(
			    err, "the name is not defined on an earlier line");
	}
	q->decided = true;
	q->kind = at.kind;
	q->index = at.index;
	return true;
}

static const struct {
	const char *keyword;
	bool (*read)(struct quorum *q, struct reader *line, struct error *err);
} lines[] = {
    {"log", line_log},
    {"witness", line_witness},
    {"group", line_group},
    {"quorum", line_quorum},
};

#define LINES (sizeof(lines) / sizeof(lines[0]))

/* LINES: it is none of them. */
static size_t
keyword_index(struct bytes item)
{
	size_t i = 0;

	while (i < LINES && !bytes_equal(item, bytes_str(lines[i].keyword)))
		i++;
	return i;
}

bool
quorum_keyword(struct bytes item)
{
	return keyword_index(item) < LINES;
}

bool
quorum_line(struct quorum *q, struct bytes line, struct error *err)
{
	struct reader r = {line};
	struct bytes item = {0};
	size_t i;

	if (line.len > QUORUM_LINE_MAX)
		return error_set(err, ERR_LIMIT,
		    "the line is longer than %d bytes", QUORUM_LINE_MAX);
	if (!octets_valid(line))
		return syntax(err, "control characters in the line");
	if (!quorum_item(&r, &item))
		return syntax(err, "an empty line");
	i = keyword_index(item);
	if (i == LINES)
		return syntax(err, "none of log, witness, group, quorum");
	return lines[i].read(q, &r, err) ||
	    error_prefix(err, "%s", lines[i].keyword);
}

bool
quorum_complete(const struct quorum *q, struct error *err)
{
	return q->decided ||
	    syntax(err, "the policy has no quorum line (say \"quorum none\")");
}

/* What stands in a file and says nothing. */
static bool
is_comment(struct bytes line)
{
	struct reader r = {line};
	struct bytes item;

	return !quorum_item(&r, &item) || item.ptr[0] == '#';
}

void
quorum_init(struct quorum *q)
{
	q->log_count = q->witness_count = q->group_count = 0;
	q->decided = false;
	q->kind = QUORUM_NONE;
	q->index = 0;
}

bool
quorum_parse(struct bytes text, struct quorum *out, struct error *err)
{
	struct reader r = {text};
	unsigned number = 0;

	quorum_init(out);
	if (text.len > QUORUM_MAX_LEN)
		return error_set(err, ERR_LIMIT,
		    "policy: %zu bytes; at most %d are read", text.len,
		    QUORUM_MAX_LEN);
	while (!reader_done(&r)) {
		struct bytes line;

		number++;
		if (!reader_line(&r, &line)) { /* the last, without newline */
			line = r.rest;
			r.rest = (struct bytes){0};
		}
		if (!octets_valid(line))
			return error_set(err, ERR_SYNTAX,
			    "policy: line %u: control characters", number);
		if (!is_comment(line) && !quorum_line(out, line, err))
			return error_prefix(err, "policy: line %u", number);
	}
	return quorum_complete(out, err);
}

static void
put_vkey(struct buf *out, const struct vkey *key, struct bytes url)
{
	vkey_format(key, out);
	if (url.len > 0)
		buf_put_u8(out, ' ');
	buf_put(out, url);
	buf_put_u8(out, '\n');
}

static void
put_group(struct buf *out, const struct quorum *q, size_t index)
{
	const struct quorum_group *g = &q->groups[index];

	buf_put_str(out, "group ");
	buf_put(out, g->name);
	buf_printf(out, " %u", g->needed);
	for (size_t i = 0; i < q->witness_count; i++) {
		if (q->witnesses[i].group != index)
			continue;
		buf_put_u8(out, ' ');
		buf_put(out, q->witnesses[i].name);
	}
	for (size_t i = 0; i < index; i++) {
		if (q->groups[i].group != index)
			continue;
		buf_put_u8(out, ' ');
		buf_put(out, q->groups[i].name);
	}
	buf_put_u8(out, '\n');
}

void
quorum_format(const struct quorum *q, struct buf *out)
{
	struct bytes name = BYTES_LIT("none");

	for (size_t i = 0; i < q->log_count; i++) {
		buf_put_str(out, "log ");
		put_vkey(out, &q->logs[i].key, q->logs[i].url);
	}
	for (size_t i = 0; i < q->witness_count; i++) {
		buf_put_str(out, "witness ");
		buf_put(out, q->witnesses[i].name);
		buf_put_u8(out, ' ');
		put_vkey(out, &q->witnesses[i].key, q->witnesses[i].url);
	}
	for (size_t i = 0; i < q->group_count; i++)
		put_group(out, q, i);
	if (!q->decided)
		return;
	if (q->kind == QUORUM_WITNESS)
		name = q->witnesses[q->index].name;
	else if (q->kind == QUORUM_GROUP)
		name = q->groups[q->index].name;
	buf_put_str(out, "quorum ");
	buf_put(out, name);
	buf_put_u8(out, '\n');
}

/*
 * A group comes before the one that it is in, so that one pass over the groups
 * in their order finds every count complete.
 */
bool
quorum_met(const struct quorum *q, uint64_t witnesses)
{
	/* One more than there are: it gathers those that are in no group. */
	unsigned count[QUORUM_MAX_GROUPS + 1] = {0};
	bool met[QUORUM_MAX_GROUPS] = {false};

	if (!q->decided)
		return false;
	if (q->kind == QUORUM_NONE)
		return true;
	if (q->kind == QUORUM_WITNESS)
		return (witnesses >> q->index & 1) != 0;
	for (size_t i = 0; i < q->witness_count; i++)
		if ((witnesses >> i & 1) != 0)
			count[q->witnesses[i].group]++;
	for (size_t i = 0; i < q->group_count; i++) {
		met[i] = count[i] >= q->groups[i].needed;
		if (met[i])
			count[q->groups[i].group]++;
	}
	return met[q->index];
}

/* The error keeps its class, but that nobody signed is not "not there". */
static bool
refused(struct error *err, const struct error *why, const char *reason)
{
	if (why->code == ERR_BADSIG || why->code == ERR_NOTFOUND)
		return error_reason(err, ERR_BADSIG, reason, "%s", why->text);
	return error_set(err, why->code, "%s", why->text);
}

/* An origin may have several keys: one must have signed, none wrongly. */
static bool
verify_log(const struct quorum *q, const struct note *n,
    struct key_verifier *verifier, struct quorum_result *out, struct error *err)
{
	struct error absent = {0};
	bool known = false, verified = false;

	for (size_t i = 0; i < q->log_count; i++) {
		const struct vkey *key = &q->logs[i].key;
		struct error why = {0};

		if (!bytes_equal(out->head.origin, vkey_name(key)))
			continue;
		known = true;
		if (note_verify(n, key, verifier, &why)) {
			if (!verified)
				out->log = i;
			verified = true;
		} else if (why.code != ERR_NOTFOUND) {
			return refused(err, &why, "log-signature");
		} else {
			absent = why;
		}
	}
	if (!known)
		return error_reason(err, ERR_DENIED, "unknown-log",
		    "the checkpoint is of no log of the policy");
	return verified || refused(err, &absent, "log-signature");
}

static bool
verify_witnesses(const struct quorum *q, const struct note *n,
    struct key_verifier *verifier, struct quorum_result *out, struct error *err)
{
	for (size_t i = 0; i < q->witness_count; i++) {
		struct error why = {0};

		if (cosignature_verify(n, &q->witnesses[i].key, verifier,
			&out->times[i], &why))
			out->cosigned |= UINT64_C(1) << i;
		else if (why.code == ERR_UNAVAILABLE)
			out->unchecked |= UINT64_C(1) << i;
		else if (why.code != ERR_NOTFOUND)
			return refused(err, &why, "cosignature");
	}
	return true;
}

static unsigned
count_of(uint64_t witnesses)
{
	unsigned count = 0;

	for (; witnesses; witnesses >>= 1)
		count += (unsigned)(witnesses & 1);
	return count;
}

static bool
verify_quorum(
    const struct quorum *q, const struct quorum_result *r, struct error *err)
{
	if (quorum_met(q, r->cosigned))
		return true;
	if (quorum_met(q, r->cosigned | r->unchecked))
		return error_reason(err, ERR_UNAVAILABLE, "quorum",
		    "the quorum needs cosignatures by ML-DSA keys, which this "
		    "OpenSSL cannot check");
	return error_reason(err, ERR_DENIED, "quorum",
	    "too few witnesses cosigned the checkpoint: %u of the policy's %zu",
	    count_of(r->cosigned), q->witness_count);
}

/* The witnesses who cosigned at `time` or before, or at `time` or after. */
static uint64_t
cosigned_when(const struct quorum_result *r, uint64_t time, bool before)
{
	uint64_t set = 0;

	for (size_t i = 0; i < QUORUM_MAX_WITNESSES; i++) {
		const struct cosignature_times *t = &r->times[i];

		if ((r->cosigned >> i & 1) != 0 &&
		    (before ? t->first <= time : t->last >= time))
			set |= UINT64_C(1) << i;
	}
	return set;
}

/* Both times are some witness's, since only there the sets change. */
static void
find_times(const struct quorum *q, struct quorum_result *r)
{
	if (q->kind == QUORUM_NONE)
		return;
	r->existed_by = UINT64_MAX;
	for (size_t i = 0; i < q->witness_count; i++) {
		uint64_t first = r->times[i].first, last = r->times[i].last;

		if ((r->cosigned >> i & 1) == 0)
			continue;
		if (first < r->existed_by &&
		    quorum_met(q, cosigned_when(r, first, true)))
			r->existed_by = first;
		if (last > r->fresh_since &&
		    quorum_met(q, cosigned_when(r, last, false)))
			r->fresh_since = last;
	}
	r->dated = true;
}

bool
quorum_verify(const struct quorum *q, const struct note *n,
    struct key_verifier *verifier, struct quorum_result *out, struct error *err)
{
	struct quorum_result r = {0};

	*out = r;
	if (!quorum_complete(q, err) ||
	    !checkpoint_parse(n->text, &r.head, err) ||
	    !verify_log(q, n, verifier, &r, err) ||
	    !verify_witnesses(q, n, verifier, &r, err))
		return false;
	*out = r;
	if (!verify_quorum(q, &r, err))
		return false;
	find_times(q, out);
	return true;
}

bool
quorum_verify_proof(const struct quorum *q, const struct tlog_proof *p,
    const struct hash *leaf, struct hasher *h, struct key_verifier *verifier,
    struct quorum_result *out, struct error *err)
{
	AUTO(note) note = {0};

	*out = (struct quorum_result){0};
	return note_parse(p->checkpoint, &note, err) &&
	    quorum_verify(q, &note, verifier, out, err) &&
	    tlog_proof_verify_inclusion(p, leaf, &out->head, h, err);
}
