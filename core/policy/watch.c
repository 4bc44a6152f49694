/* SPDX-License-Identifier: Apache-2.0 */
#include "core/policy/watch.h"

#include "core/base/encoding.h"
#include "core/policy/watch_parts.h"

const struct watch_word watch_kinds[] = {
    {"model", WATCH_MODEL},
    {"signer", WATCH_SIGNER},
    {"identity", WATCH_IDENTITY},
    {"digest", WATCH_DIGEST},
    {"opaque", WATCH_OPAQUE},
    {NULL, 0},
};

const struct watch_word watch_statements[] = {
    {"model", 1u << STATEMENT_MODEL | 1u << STATEMENT_MODEL_V02},
    {"approval", 1u << STATEMENT_APPROVAL},
    {"withdrawal", 1u << STATEMENT_WITHDRAWAL},
    {"key-revocation", 1u << STATEMENT_REVOCATION},
    {"status", 1u << STATEMENT_STATUS},
    {"other", WATCH_OTHER},
    {NULL, 0},
};

const struct watch_word watch_names[] = {
    {"email", CERTIFICATE_EMAIL},
    {"uri", CERTIFICATE_URI},
    {"dns", CERTIFICATE_DNS},
    {"other", CERTIFICATE_OTHER},
    {NULL, 0},
};

const struct watch_word watch_digests[] = {
    {"sha256", 32},
    {"sha384", 48},
    {"sha512", 64},
    {"blake2b", 64},
    {"blake3", 32},
    {NULL, 0},
};

const char *
watch_word_of(const struct watch_word *list, unsigned value)
{
	while (list->word && list->value != value)
		list++;
	return list->word ? list->word : "";
}

void
watch_release(struct watch *w)
{
	arena_release(&w->storage);
	*w = (struct watch){0};
}

static void
put_key(struct buf *out, const struct hash *key)
{
	buf_put_str(out, " sha256:");
	hex_put(out, hash_bytes(key));
}

static void
put_what(const struct watch_rule *r, struct buf *out)
{
	switch (r->kind) {
	case WATCH_MODEL:
		buf_put_u8(out, ' ');
		buf_put(out, r->pattern);
		break;
	case WATCH_IDENTITY:
		buf_printf(
		    out, " %s:", watch_word_of(watch_names, r->name_kind));
		buf_put(out, r->pattern);
		break;
	case WATCH_SIGNER:
		put_key(out, &r->key);
		break;
	case WATCH_DIGEST:
		buf_put_u8(out, ' ');
		buf_put(out, r->digest_name);
		buf_put_u8(out, ':');
		hex_put(out, r->digest);
		break;
	case WATCH_OPAQUE:
		break;
	}
}

void
watch_rule_put(const struct watch_rule *r, struct buf *out)
{
	buf_put_str(out, watch_word_of(watch_kinds, r->kind));
	put_what(r, out);
	if (r->statements != WATCH_STATEMENTS) {
		buf_put_str(out, " only");
		for (const struct watch_word *w = watch_statements; w->word;
		     w++)
			if ((r->statements & w->value) != 0)
				buf_printf(out, " %s", w->word);
	}
	if (r->except_count > 0)
		buf_put_str(out, " except");
	for (size_t i = 0; i < r->except_count; i++)
		put_key(out, &r->except[i]);
}

void
watch_format(const struct watch *w, struct buf *out)
{
	for (size_t i = 0; i < w->rule_count; i++) {
		watch_rule_put(&w->rules[i], out);
		buf_put_u8(out, '\n');
	}
}

bool
watch_pattern_match(struct bytes pattern, struct bytes name)
{
	struct bytes prefix;

	if (bytes_equal(pattern, BYTES_LIT("*")))
		return true;
	if (pattern.len < 3 || pattern.ptr[pattern.len - 1] != '*' ||
	    pattern.ptr[pattern.len - 2] != '/')
		return bytes_equal(pattern, name);
	prefix = bytes_slice(pattern, 0, pattern.len - 1);
	return name.len > prefix.len && bytes_starts(name, prefix);
}

/* Names that a statement is about: a 0.2 statement's subjects are files, a
 * revocation's is a key. */
static bool
model_matches(const struct watch_rule *r, const struct statement *s)
{
	if (!s)
		return false;
	if (bytes_equal(r->pattern, BYTES_LIT("*")))
		return true;
	if (s->kind == STATEMENT_MODEL_V02 || s->kind == STATEMENT_REVOCATION)
		return false;
	for (size_t i = 0; i < s->subject_count; i++)
		if (watch_pattern_match(r->pattern, s->subjects[i].name))
			return true;
	return false;
}

static bool
about(const struct statement *s, struct bytes digest)
{
	for (size_t i = 0; s && i < s->subject_count; i++)
		if (bytes_equal(digest, hash_bytes(&s->subjects[i].digest)))
			return true;
	return false;
}

static bool
digest_matches(const struct watch_rule *r, const struct watch_entry *e)
{
	if (bytes_equal(r->digest, e->digest) ||
	    (e->s && bytes_equal(r->digest, hash_bytes(e->s))) ||
	    about(e->statement, r->digest))
		return true;
	for (size_t i = 0; e->manifest && i < e->manifest->count; i++)
		if (bytes_equal(r->digest, e->manifest->resources[i].digest))
			return true;
	return false;
}

static bool
identity_matches(const struct watch_rule *r, const struct watch_entry *e)
{
	for (size_t i = 0; i < e->name_count; i++)
		if (e->names[i].kind == r->name_kind &&
		    watch_pattern_match(r->pattern, e->names[i].value))
			return true;
	return false;
}

/* A revocation of a key concerns its owner, whoever signed it. */
static bool
signer_matches(const struct watch_rule *r, const struct watch_entry *e)
{
	return hash_equal(&r->key, &e->key) ||
	    (e->statement && e->statement->kind == STATEMENT_REVOCATION &&
		about(e->statement, hash_bytes(&r->key)));
}

static bool
concerns(const struct watch_rule *r, const struct watch_entry *e)
{
	switch (r->kind) {
	case WATCH_MODEL:
		return model_matches(r, e->statement);
	case WATCH_SIGNER:
		return signer_matches(r, e);
	case WATCH_IDENTITY:
		return identity_matches(r, e);
	case WATCH_DIGEST:
		return digest_matches(r, e);
	case WATCH_OPAQUE:
		return !e->statement;
	}
	return false;
}

bool
watch_match(const struct watch_rule *r, const struct watch_entry *e)
{
	unsigned kind =
	    e->statement ? 1u << (unsigned)e->statement->kind : WATCH_OTHER;

	if ((r->statements & kind) == 0 || !concerns(r, e))
		return false;
	for (size_t i = 0; e->signature_valid && i < r->except_count; i++)
		if (hash_equal(&r->except[i], &e->key))
			return false;
	return true;
}

/* Whose key an entry has is in its leaf; all else is in its statement. A
 * revocation of a watched key may be anybody's. */
bool
watch_reads(const struct watch *w)
{
	for (size_t i = 0; i < w->rule_count; i++) {
		const struct watch_rule *r = &w->rules[i];

		if (r->kind != WATCH_IDENTITY &&
		    (r->kind != WATCH_SIGNER ||
			(r->statements & 1u << STATEMENT_REVOCATION) != 0))
			return true;
	}
	return false;
}
