/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/encoding.h"
#include "core/base/nearest.h"
#include "core/policy/watch_parts.h"
#include "core/tlog/quorum.h"

#define STORAGE_MAX (8u << 20)

/* A line that is being read, and the item that it has come to. */
struct line {
	struct bytes whole;
	struct reader rest;
	struct bytes item; /* where a fault is */
	unsigned number;
	struct watch *watch;
};

/* A word of the file as a message may show it. */
struct shown {
	char text[64];
};

static const char *
shown(struct bytes word, struct shown *out)
{
	size_t n =
	    word.len < sizeof(out->text) - 1 ? word.len : sizeof(out->text) - 1;

	for (size_t i = 0; i < n; i++)
		out->text[i] = (char)(word.ptr[i] < 0x80 ? word.ptr[i] : '?');
	out->text[n] = '\0';
	return out->text;
}

/* The next item; false at the end, which is then the place of a fault. */
static bool
next_item(struct line *l)
{
	if (quorum_item(&l->rest, &l->item))
		return true;
	l->item = bytes_slice(l->whole, l->whole.len, l->whole.len);
	return false;
}

static bool
need_item(struct line *l, const char *what, struct error *err)
{
	return next_item(l) ||
	    error_set(err, ERR_SYNTAX, "the %s is missing", what);
}

static const struct watch_word *
find_word(const struct watch_word *list, struct bytes item)
{
	while (list->word && !bytes_equal(item, bytes_str(list->word)))
		list++;
	return list->word ? list : NULL;
}

static bool
unknown(const struct line *l, const struct watch_word *list, const char *what,
    struct error *err)
{
	const char *words[16] = {NULL};
	struct shown word;
	const char *near;

	for (size_t i = 0; i < 15 && list[i].word; i++)
		words[i] = list[i].word;
	near = nearest_word(l->item, words);
	return error_set(err, ERR_SYNTAX, "unknown %s \"%s\"%s%s%s", what,
	    shown(l->item, &word), near ? "; did you mean \"" : "",
	    near ? near : "", near ? "\"?" : "");
}

/* "<word>:<rest>" with a word of the list. */
static bool
take_typed(struct line *l, const struct watch_word *list, const char *what,
    const struct watch_word **word, struct bytes *rest, struct error *err)
{
	struct reader r = {l->item};
	struct bytes type;

	if (!reader_until(&r, ':', &type))
		return error_set(
		    err, ERR_SYNTAX, "not of the form <%s>:<value>", what);
	*word = find_word(list, type);
	if (!*word) {
		l->item = type;
		return unknown(l, list, what, err);
	}
	*rest = l->item = r.rest;
	return r.rest.len > 0 ||
	    error_set(
		err, ERR_SYNTAX, "the value behind the %s is missing", what);
}

static bool
take_key(struct line *l, struct hash *out, struct error *err)
{
	struct reader r = {l->item};

	return (reader_literal(&r, BYTES_LIT("sha256:")) &&
		   hex_decode(r.rest, out->b, HASH_LEN)) ||
	    error_set(err, ERR_SYNTAX,
		"not sha256: and 64 lower-case hex digits, the SHA-256 of a "
		"key's SubjectPublicKeyInfo");
}

/* A star stands alone, or at the end behind a slash. */
static bool
pattern_valid(struct bytes p, struct error *err)
{
	for (size_t i = 0; i < p.len; i++)
		if (p.ptr[i] == '*' && p.len > 1 &&
		    (i + 1 < p.len || i < 2 || p.ptr[i - 1] != '/'))
			return error_set(err, ERR_SYNTAX,
			    "a pattern is a whole name, prefix/* or *");
	return true;
}

static bool
take_model(struct line *l, struct watch_rule *r, struct error *err)
{
	struct bytes name;

	if (!need_item(l, "pattern", err) || !pattern_valid(l->item, err))
		return false;
	r->pattern = name = l->item;
	if (bytes_equal(name, BYTES_LIT("*")))
		return true;
	if (name.ptr[name.len - 1] == '*')
		name.len -= 2;
	return model_name_valid(name) ||
	    error_set(err, ERR_SYNTAX,
		"no model can have such a name: segments of letters, digits, "
		". _ - joined by /");
}

static bool
take_identity(struct line *l, struct watch_rule *r, struct error *err)
{
	const struct watch_word *type;

	if (!need_item(l, "identity", err) ||
	    !take_typed(l, watch_names, "type", &type, &r->pattern, err))
		return false;
	r->name_kind = (enum certificate_name_kind)type->value;
	return pattern_valid(r->pattern, err);
}

static bool
take_digest(struct line *l, struct watch_rule *r, struct error *err)
{
	const struct watch_word *name;
	uint8_t raw[CONTENT_DIGEST_MAX];
	struct bytes hex;

	if (!need_item(l, "digest", err) ||
	    !take_typed(l, watch_digests, "algorithm", &name, &hex, err))
		return false;
	if (!hex_decode(hex, raw, name->value))
		return error_set(err, ERR_SYNTAX,
		    "not %u lower-case hex digits", 2 * name->value);
	r->digest_name = bytes_str(name->word);
	return arena_dup(
	    &l->watch->storage, bytes_of(raw, name->value), &r->digest, err);
}

static bool
take_what(struct line *l, struct watch_rule *r, struct error *err)
{
	const struct watch_word *kind = find_word(watch_kinds, l->item);

	if (!kind)
		return unknown(l, watch_kinds, "keyword", err);
	r->kind = (enum watch_kind)kind->value;
	switch (r->kind) {
	case WATCH_MODEL:
		return take_model(l, r, err);
	case WATCH_IDENTITY:
		return take_identity(l, r, err);
	case WATCH_DIGEST:
		return take_digest(l, r, err);
	case WATCH_SIGNER:
		return need_item(l, "key", err) && take_key(l, &r->key, err);
	case WATCH_OPAQUE:
		return true;
	}
	return error_set(err, ERR_INTERNAL, "a keyword without a reader");
}

/* `only <kind>...`; ends at `except` or at the line's end. */
static bool
take_only(struct line *l, struct watch_rule *r, bool *more, struct error *err)
{
	r->statements = 0;
	while ((*more = next_item(l)) &&
	    !bytes_equal(l->item, BYTES_LIT("except"))) {
		const struct watch_word *w =
		    find_word(watch_statements, l->item);

		if (!w)
			return unknown(
			    l, watch_statements, "kind of statement", err);
		if ((r->statements & w->value) != 0)
			return error_set(
			    err, ERR_CONFLICT, "the kind stands twice");
		r->statements |= w->value;
	}
	return r->statements != 0 ||
	    error_set(err, ERR_SYNTAX, "the kind of statement is missing");
}

static bool
take_except(struct line *l, struct watch_rule *r, struct error *err)
{
	struct hash keys[WATCH_MAX_EXCEPT];

	while (next_item(l)) {
		if (r->except_count == WATCH_MAX_EXCEPT)
			return error_set(err, ERR_LIMIT,
			    "more than %d keys in one line", WATCH_MAX_EXCEPT);
		if (!take_key(l, &keys[r->except_count], err))
			return false;
		for (size_t i = 0; i < r->except_count; i++)
			if (hash_equal(&keys[i], &keys[r->except_count]))
				return error_set(
				    err, ERR_CONFLICT, "the key stands twice");
		r->except_count++;
	}
	if (r->except_count == 0)
		return error_set(err, ERR_SYNTAX, "the key is missing");
	r->except = arena_alloc(
	    &l->watch->storage, r->except_count, sizeof(keys[0]), err);
	if (!r->except)
		return false;
	memcpy(r->except, keys, r->except_count * sizeof(keys[0]));
	return true;
}

static bool
take_limits(struct line *l, struct watch_rule *r, struct error *err)
{
	bool more = next_item(l);

	r->statements = WATCH_STATEMENTS;
	if (more && bytes_equal(l->item, BYTES_LIT("only")) &&
	    !take_only(l, r, &more, err))
		return false;
	if (!more)
		return true;
	if (!bytes_equal(l->item, BYTES_LIT("except")))
		return error_set(err, ERR_SYNTAX,
		    "surplus item; only and except may follow, in this order");
	return take_except(l, r, err);
}

static bool
same(const struct watch_rule *a, const struct watch_rule *b)
{
	if (a->kind != b->kind || a->statements != b->statements ||
	    a->name_kind != b->name_kind ||
	    a->except_count != b->except_count ||
	    !bytes_equal(a->pattern, b->pattern) ||
	    !bytes_equal(a->digest_name, b->digest_name) ||
	    !bytes_equal(a->digest, b->digest) || !hash_equal(&a->key, &b->key))
		return false;
	for (size_t i = 0; i < a->except_count; i++)
		if (!hash_equal(&a->except[i], &b->except[i]))
			return false;
	return true;
}

static bool
is_new(const struct watch *w, const struct watch_rule *r, struct error *err)
{
	for (size_t i = 0; i < w->rule_count; i++)
		if (same(&w->rules[i], r))
			return error_set(err, ERR_CONFLICT,
			    "line %u says so already", w->rules[i].line);
	return true;
}

static bool
octets_valid(struct line *l)
{
	for (size_t i = 0; i < l->whole.len; i++)
		if ((l->whole.ptr[i] < 0x20 && l->whole.ptr[i] != '\t') ||
		    l->whole.ptr[i] == 0x7f) {
			l->item = bytes_slice(l->whole, i, i + 1);
			return false;
		}
	return true;
}

static bool
read_line(struct line *l, struct error *err)
{
	struct watch_rule rule = {.line = l->number};
	struct watch *w = l->watch;
	struct bytes first;

	l->item = bytes_slice(l->whole, 0, 0);
	if (l->whole.len > WATCH_LINE_MAX)
		return error_set(err, ERR_LIMIT,
		    "the line is longer than %d bytes", WATCH_LINE_MAX);
	if (!octets_valid(l) || !utf8_valid(l->whole))
		return error_set(
		    err, ERR_SYNTAX, "control characters, or no UTF-8");
	if (!next_item(l) || l->item.ptr[0] == '#')
		return true;
	first = l->item;
	if (w->rule_count == WATCH_MAX_RULES)
		return error_set(
		    err, ERR_LIMIT, "more than %d rules", WATCH_MAX_RULES);
	if (!take_what(l, &rule, err) || !take_limits(l, &rule, err))
		return false;
	l->item = first;
	if (!is_new(w, &rule, err))
		return false;
	w->rules[w->rule_count++] = rule;
	return true;
}

static bool
read_lines(struct watch *w, struct bytes text, struct error *err)
{
	struct line l = {.watch = w};
	struct reader rest = {text};

	while (!reader_done(&rest)) {
		l.number++;
		if (!reader_line(&rest, &l.whole)) { /* without newline: last */
			l.whole = rest.rest;
			rest.rest = (struct bytes){0};
		}
		l.rest.rest = l.whole;
		if (!read_line(&l, err))
			return error_prefix(err, "line %u, column %zu",
			    l.number, (size_t)(l.item.ptr - l.whole.ptr) + 1);
	}
	return w->rule_count > 0 ||
	    error_set(err, ERR_SYNTAX,
		"line 1, column 1: there is no rule in it; see "
		"mtlog-monitor(1)");
}

/* Rules as they may come to be; no line is shorter than two bytes. */
static size_t
rules_at_most(struct bytes text)
{
	size_t n = text.len / 2 + 1;

	return n < WATCH_MAX_RULES ? n : WATCH_MAX_RULES;
}

bool
watch_parse(struct bytes text, struct watch *out, struct error *err)
{
	struct bytes own;

	*out = (struct watch){0};
	arena_init(&out->storage, STORAGE_MAX);
	if (text.len > WATCH_MAX_LEN)
		return error_set(err, ERR_LIMIT,
		    "%zu bytes; at most %d are read", text.len, WATCH_MAX_LEN);
	out->rules = arena_alloc(
	    &out->storage, rules_at_most(text), sizeof(out->rules[0]), err);
	if (out->rules && arena_dup(&out->storage, text, &own, err) &&
	    read_lines(out, own, err))
		return true;
	watch_release(out);
	return false;
}
