/* SPDX-License-Identifier: Apache-2.0 */
#include "server/rules.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/crypto/pem.h"
#include "io/file.h"
#include "server/rule_text.h"

#define FILE_LIMIT  (1u << 20)
#define TOKEN_MIN   16 /* characters: what can be guessed is no token */
#define TOKEN_MAX   4096
#define DAY_SECONDS 86400

struct identity_rule {
	struct rule_identity text; /* borrows from the configuration's copy */
	struct buf der;		   /* of all anchors */
	struct bytes anchors[CHAIN_MAX_ANCHORS];
	size_t anchor_count;
};

struct token_rule {
	struct rule_token text;
	struct hash token; /* SHA-256 of it */
	uint64_t day, used;
};

struct rules {
	bool anyone;
	size_t key_count;
	struct hash keys[CONFIG_LIST_MAX];
	size_t identity_count;
	struct identity_rule *identities;
	size_t token_count;
	struct token_rule *tokens;
	char *texts[2 * CONFIG_LIST_MAX]; /* that the rules borrow from */
	size_t text_count;
	pthread_mutex_t lock; /* the tokens' counts */
};

/* A copy of a value, which lives as long as the rules. */
static bool
keep_text(
    struct rules *r, const char *value, struct bytes *out, struct error *err)
{
	char *copy = strdup(value);

	if (!copy)
		return error_set(err, ERR_INTERNAL, "out of memory");
	r->texts[r->text_count++] = copy;
	*out = bytes_str(copy);
	return true;
}

static bool
read_rule_file(const struct config *c, struct bytes path, size_t limit,
    struct buf *out, struct error *err)
{
	char *name = NULL, *full;
	bool ok;

	if (asprintf(&name, "%.*s", (int)path.len, (const char *)path.ptr) < 0)
		return error_set(err, ERR_INTERNAL, "out of memory");
	full = path_join(c->dir, name);
	buf_init(out, limit);
	ok = full ? file_read(full, out, err)
		  : error_set(err, ERR_INTERNAL, "out of memory");
	free(full);
	free(name);
	return ok;
}

static bool
add_key(struct rules *r, const struct config *c, struct hasher *h,
    const char *value, struct error *err)
{
	AUTO(buf) pem = {0};
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	struct public_key key;
	struct rule_key k;

	if (!rule_key_parse(bytes_str(value), &k))
		return error_set(err, ERR_SYNTAX, "it names no key");
	if (!k.is_hash) {
		if (!read_rule_file(c, k.path, FILE_LIMIT, &pem, err) ||
		    !pem_public_key(buf_bytes(&pem), &spki, err) ||
		    !public_key_parse(buf_bytes(&spki), &key, err))
			return false;
		sha256(h, buf_bytes(&spki), &k.spki);
	}
	r->keys[r->key_count++] = k.spki;
	return hasher_ok(h, err);
}

static bool
add_anchor(struct identity_rule *rule, struct bytes der, struct error *err)
{
	struct certificate *cert = calloc(1, sizeof(*cert));
	bool ok;

	if (!cert)
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok = certificate_parse(der, cert, err) &&
	    (rule->anchor_count < CHAIN_MAX_ANCHORS ||
		error_set(err, ERR_LIMIT, "more than %d certificates",
		    CHAIN_MAX_ANCHORS));
	free(cert);
	if (!ok)
		return false;
	/* As an offset while the buffer still moves. */
	rule->anchors[rule->anchor_count].len = der.len;
	rule->anchor_count++;
	buf_put(&rule->der, der);
	return buf_ok(&rule->der, err);
}

static bool
read_anchors(struct identity_rule *rule, struct bytes pem, struct error *err)
{
	AUTO(buf) der = BUF_INIT(CERTIFICATE_MAX_LEN);
	struct reader r = {pem};
	struct bytes label;
	size_t at = 0;

	buf_init(&rule->der, FILE_LIMIT);
	while (pem_next(&r, &label, &der, err)) {
		if (!bytes_equal(label, BYTES_LIT("CERTIFICATE")))
			return error_set(
			    err, ERR_SYNTAX, "it has more than certificates");
		if (!add_anchor(rule, buf_bytes(&der), err))
			return false;
	}
	if (err->code != ERR_NONE)
		return false;
	for (size_t i = 0; i < rule->anchor_count; i++) {
		rule->anchors[i].ptr = rule->der.ptr + at;
		at += rule->anchors[i].len;
	}
	return rule->anchor_count > 0 ||
	    error_set(err, ERR_SYNTAX, "it has no certificate");
}

static bool
add_identity(struct rules *r, const struct config *c, struct hasher *h,
    const char *value, struct error *err)
{
	AUTO(buf) pem = {0};
	struct identity_rule *rule = &r->identities[r->identity_count++];
	struct bytes text = {0};

	(void)h;
	return keep_text(r, value, &text, err) &&
	    (rule_identity_parse(text, &rule->text) ||
		error_set(err, ERR_SYNTAX, "it names no identity")) &&
	    read_rule_file(c, rule->text.path, FILE_LIMIT, &pem, err) &&
	    read_anchors(rule, buf_bytes(&pem), err);
}

/* The one line of the file: what has more is something else, such as a key. */
static bool
token_in(struct bytes text, struct bytes *out, struct error *err)
{
	struct reader r = {text};

	*out = text;
	if (reader_line(&r, out) && !reader_done(&r))
		return error_set(
		    err, ERR_SYNTAX, "a token's file has one line");
	for (size_t i = 0; i < out->len; i++)
		if (out->ptr[i] <= ' ' || out->ptr[i] > '~')
			return error_set(err, ERR_SYNTAX,
			    "a token has no blanks, and nothing but ASCII");
	return out->len >= TOKEN_MIN ||
	    error_set(err, ERR_USAGE, "a token has at least %d characters",
		TOKEN_MIN);
}

static bool
add_token(struct rules *r, const struct config *c, struct hasher *h,
    const char *value, struct error *err)
{
	AUTO(buf) file = {0};
	struct token_rule *rule = &r->tokens[r->token_count++];
	struct bytes text = {0}, token;

	if (!keep_text(r, value, &text, err))
		return false;
	if (!rule_token_parse(text, &rule->text))
		return error_set(err, ERR_SYNTAX, "it names no token");
	if (!read_rule_file(c, rule->text.path, TOKEN_MAX, &file, err))
		return false;
	if (!token_in(buf_bytes(&file), &token, err))
		return false;
	sha256(h, token, &rule->token);
	if (file.ptr)
		explicit_bzero(file.ptr, file.len);
	for (size_t i = 0; i + 1 < r->token_count; i++)
		if (hash_equal(&r->tokens[i].token, &rule->token))
			return error_set(err, ERR_USAGE,
			    "another admit-token has the same token");
	return hasher_ok(h, err);
}

typedef bool rule_adder(struct rules *r, const struct config *c,
    struct hasher *h, const char *value, struct error *err);

static bool
add_all(struct rules *r, const struct config *c, struct hasher *h,
    const char *key, const struct config_list *values, rule_adder *add,
    struct error *err)
{
	for (size_t i = 0; i < values->count; i++)
		if (!add(r, c, h, values->items[i], err))
			return error_prefix(
			    err, "%s = %s", key, values->items[i]);
	return true;
}

struct rules *
rules_open(const struct config *c, struct error *err)
{
	struct rules *r = calloc(1, sizeof(*r));
	AUTO(hasher) h = {0};

	if (!r) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	(void)pthread_mutex_init(&r->lock, NULL);
	r->anyone = c->admit == CONFIG_ADMIT_ANYONE;
	r->identities =
	    calloc(c->admit_identities.count + 1, sizeof(*r->identities));
	r->tokens = calloc(c->admit_tokens.count + 1, sizeof(*r->tokens));
	if (!r->identities || !r->tokens)
		(void)error_set(err, ERR_INTERNAL, "out of memory");
	else if (hasher_open(&h, err) &&
	    add_all(r, c, &h, "admit-key", &c->admit_keys, add_key, err) &&
	    add_all(r, c, &h, "admit-identity", &c->admit_identities,
		add_identity, err) &&
	    add_all(r, c, &h, "admit-token", &c->admit_tokens, add_token, err))
		return r;
	rules_close(r);
	return NULL;
}

void
rules_close(struct rules *r)
{
	if (!r)
		return;
	for (size_t i = 0; r->identities && i < r->identity_count; i++)
		buf_release(&r->identities[i].der);
	for (size_t i = 0; i < r->text_count; i++)
		free(r->texts[i]);
	free(r->identities);
	free(r->tokens);
	(void)pthread_mutex_destroy(&r->lock);
	free(r);
}

bool
rules_anyone(const struct rules *r)
{
	return r->anyone;
}

static bool
key_listed(const struct rules *r, struct hasher *h, const struct entry *e)
{
	struct hash spki;

	sha256(h, e->key.spki, &spki);
	for (size_t i = 0; i < r->key_count; i++)
		if (!h->failed && hash_equal(&spki, &r->keys[i]))
			return true;
	return false;
}

static bool
chain_ends(const struct identity_rule *rule, const struct rules_asked *asked,
    struct error *why)
{
	struct chain chain = {
	    .anchor_count = rule->anchor_count,
	    .anchors = rule->anchors,
	    .intermediate_count = asked->intermediate_count,
	    .intermediates = asked->intermediates,
	    .leaf = asked->entry->verifier,
	    .time = asked->now,
	};
	size_t anchor;

	return chain_verify(&chain, CHAIN_CODE_SIGNING, &anchor, why);
}

/* `why` is what was wrong with a certificate whose name is listed. */
static bool
identity_listed(
    const struct rules *r, const struct rules_asked *asked, struct error *why)
{
	struct certificate *cert;
	struct error ignored = {0};
	bool found = false;

	if (!asked->entry->is_certificate || r->identity_count == 0)
		return false;
	cert = calloc(1, sizeof(*cert));
	if (!cert ||
	    !certificate_parse(asked->entry->verifier, cert, &ignored)) {
		free(cert);
		return false;
	}
	for (size_t i = 0; !found && i < r->identity_count; i++) {
		const struct identity_rule *rule = &r->identities[i];

		if (!certificate_has_name(
			cert, rule->text.kind, rule->text.value) ||
		    (rule->text.issuer.len > 0 &&
			!bytes_equal(rule->text.issuer, cert->oidc_issuer)))
			continue;
		found = chain_ends(rule, asked, why);
	}
	free(cert);
	return found;
}

/* Every token is compared, each in the same time, whatever is shown. */
static struct token_rule *
find_token(struct rules *r, struct hasher *h, struct bytes shown)
{
	struct token_rule *found = NULL;
	struct hash token;

	sha256(h, shown, &token);
	for (size_t i = 0; i < r->token_count; i++) {
		uint8_t differ = h->failed;

		for (size_t k = 0; k < HASH_LEN; k++)
			differ |= token.b[k] ^ r->tokens[i].token.b[k];
		found = differ == 0 ? &r->tokens[i] : found;
	}
	return found;
}

static bool
use_token(struct rules *r, struct token_rule *t, struct rules_asked *asked,
    struct error *err)
{
	uint64_t day = asked->now / DAY_SECONDS;
	bool left;

	if (!rule_pattern_matches(t->text.pattern, asked->name))
		return error_reason(err, ERR_DENIED, "token-name",
		    "this token is for %.*s, and %s%.*s",
		    (int)t->text.pattern.len, t->text.pattern.ptr,
		    asked->name.len > 0
			? "the model's name is "
			: "a submission without envelope names no model",
		    (int)(asked->name.len < 100 ? asked->name.len : 100),
		    asked->name.len > 0 ? (const char *)asked->name.ptr : "");
	(void)pthread_mutex_lock(&r->lock);
	if (t->day != day) {
		t->day = day;
		t->used = 0;
	}
	left = t->used < t->text.per_day;
	t->used += left;
	(void)pthread_mutex_unlock(&r->lock);
	asked->used = left ? (size_t)(t - r->tokens) + 1 : 0;
	return left ||
	    error_reason(err, ERR_DENIED, "token-quota",
		"this token has been used for %llu entries today, which is "
		"all that it allows",
		(unsigned long long)t->text.per_day);
}

static bool
refuse(const struct rules *r, const struct error *why, struct error *err)
{
	if (why->code != ERR_NONE)
		return error_reason(err, ERR_DENIED, "not-admitted",
		    "this log takes entries of this identity, but not with "
		    "this certificate: %s",
		    why->text);
	if (r->token_count > 0)
		return error_reason(err, ERR_DENIED, "token-missing",
		    "this log takes new entries from those it knows: show a "
		    "token of this log (Authorization: Bearer …)");
	return error_reason(err, ERR_DENIED, "not-admitted",
	    "this log takes new entries of certain signers only, and this is "
	    "none of them");
}

bool
rules_admit(struct rules *r, struct hasher *h, struct rules_asked *asked,
    struct error *err)
{
	struct reader header = {asked->authorization};
	struct token_rule *token;
	struct error why = {0};

	asked->used = 0;
	if (r->anyone || key_listed(r, h, asked->entry) ||
	    identity_listed(r, asked, &why))
		return true;
	if (r->token_count == 0 ||
	    !reader_literal(&header, BYTES_LIT("Bearer ")))
		return refuse(r, &why, err);
	token = find_token(r, h, header.rest);
	if (!token)
		return error_reason(err, ERR_DENIED, "token-unknown",
		    "this log does not know the token that was shown");
	return use_token(r, token, asked, err);
}

void
rules_give_back(struct rules *r, const struct rules_asked *asked)
{
	struct token_rule *t;

	if (asked->used == 0)
		return;
	t = &r->tokens[asked->used - 1];
	(void)pthread_mutex_lock(&r->lock);
	if (t->day == asked->now / DAY_SECONDS && t->used > 0)
		t->used--;
	(void)pthread_mutex_unlock(&r->lock);
}
