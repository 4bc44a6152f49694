/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/model/statement.h"
#include "core/policy/policy_parts.h"

/* What every part of a policy must satisfy, from a file or not. */

static bool
syntax(struct error *err, const char *what)
{
	return error_set(err, ERR_SYNTAX, "%s", what);
}

/* Room is 0, 4, 8, 16 …: a list at one of them is full. */
void *
policy_grow(struct policy *p, const void *list, size_t count, size_t size,
    struct error *err)
{
	bool full = count == 0 || (count >= 4 && (count & (count - 1)) == 0);
	void *larger;

	if (!full)
		return (void *)(uintptr_t)list;
	larger = arena_alloc(&p->storage, count > 0 ? 2 * count : 4, size, err);
	if (larger && count > 0)
		memcpy(larger, list, count * size);
	return larger;
}

/* As a file's items are: what was not read from one may be anything. */
static bool
name_valid(struct bytes name, struct error *err)
{
	if (name.len == 0)
		return syntax(err, "the name is empty");
	if (name.len > POLICY_NAME_MAX)
		return error_set(err, ERR_LIMIT,
		    "the name is longer than %d bytes", POLICY_NAME_MAX);
	if (bytes_equal(name, BYTES_LIT("none")))
		return syntax(err, "the name \"none\" is reserved");
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] <= ' ' || name.ptr[i] == 0x7f)
			return syntax(err, "the name has a space in it");
	return true;
}

bool
policy_push_ca(struct policy *p, struct hasher *h, const struct policy_ca *ca,
    struct error *err)
{
	struct certificate c;
	struct policy_ca *list;

	if (!name_valid(ca->name, err))
		return false;
	if (p->ca_count == POLICY_MAX_CAS)
		return error_set(
		    err, ERR_LIMIT, "more than %d CAs", POLICY_MAX_CAS);
	if (!certificate_parse(ca->der, &c, err))
		return false;
	if (!c.is_ca)
		return syntax(err,
		    "the certificate is no CA's (basic constraints): no path "
		    "could lead to it");
	for (size_t i = 0; i < p->ca_count; i++) {
		if (bytes_equal(ca->name, p->cas[i].name))
			return error_set(
			    err, ERR_CONFLICT, "the name is used already");
		if (bytes_equal(ca->der, p->cas[i].der))
			return error_set(err, ERR_CONFLICT,
			    "the certificate has a name already");
	}
	list = policy_grow(p, p->cas, p->ca_count, sizeof(*list), err);
	if (!list)
		return false;
	p->cas = list;
	list[p->ca_count] = *ca;
	sha256(h, c.key.spki, &list[p->ca_count].key);
	p->ca_count++;
	return hasher_ok(h, err);
}

static const struct {
	const char *word;
	enum certificate_name_kind kind;
} types[] = {
    {"email", CERTIFICATE_EMAIL},
    {"uri", CERTIFICATE_URI},
    {"dns", CERTIFICATE_DNS},
    {"other", CERTIFICATE_OTHER},
};

bool
policy_identity_parse(
    struct bytes text, struct policy_credential *c, struct error *err)
{
	struct reader r = {text};
	struct bytes type;

	if (!reader_until(&r, ':', &type))
		return syntax(err, "not of the form <type>:<value>");
	if (r.rest.len == 0)
		return syntax(err, "the value behind the type is missing");
	if (bytes_equal(type, BYTES_LIT("spki-sha256"))) {
		c->kind = POLICY_CERT_KEY;
		return hex_decode(r.rest, c->key.b, HASH_LEN) ||
		    syntax(err, "not 64 lower-case hex digits");
	}
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (bytes_equal(type, bytes_str(types[i].word))) {
			c->kind = POLICY_CERT;
			c->name =
			    (struct certificate_name){types[i].kind, r.rest};
			return true;
		}
	return syntax(
	    err, "the type is none of email, uri, dns, other, spki-sha256");
}

static bool
has_key(const struct policy_credential *c)
{
	return c->kind == POLICY_KEY || c->kind == POLICY_CERT_KEY;
}

static bool
same_name(const struct policy_credential *a, const struct policy_credential *b)
{
	return a->name.kind == b->name.kind &&
	    bytes_equal(a->name.value, b->name.value);
}

/* One credential, but for its limits. */
static bool
same(const struct policy_credential *a, const struct policy_credential *b)
{
	if (a->kind != b->kind)
		return false;
	if (a->kind == POLICY_KEY)
		return hash_equal(&a->key, &b->key);
	return a->ca == b->ca && bytes_equal(a->issuer, b->issuer) &&
	    (a->kind != POLICY_CERT_KEY || hash_equal(&a->key, &b->key)) &&
	    (a->kind != POLICY_CERT || same_name(a, b));
}

/*
 * Whether one signature could be that of both. A CA that has several
 * certificates for its key is one CA here.
 */
static bool
overlap(const struct policy *p, const struct policy_credential *a,
    const struct policy_credential *b)
{
	bool any = a->kind == POLICY_CERT_ANY || b->kind == POLICY_CERT_ANY;

	if (has_key(a) && has_key(b))
		return hash_equal(&a->key, &b->key);
	if (a->kind == POLICY_KEY || b->kind == POLICY_KEY ||
	    !hash_equal(&p->cas[a->ca].key, &p->cas[b->ca].key))
		return false;
	if (a->issuer.len > 0 && b->issuer.len > 0 &&
	    !bytes_equal(a->issuer, b->issuer))
		return false;
	return any || (a->kind == b->kind && same_name(a, b));
}

/* `party` is the count of parties for a new one. */
static bool
unique(const struct policy *p, size_t party, const struct policy_credential *c,
    struct error *err)
{
	struct policy_word word;

	for (size_t i = 0; i < p->credential_count; i++) {
		const struct policy_credential *b = &p->credentials[i];

		if (b->party == party ? same(b, c) : overlap(p, b, c))
			return error_set(err, ERR_CONFLICT,
			    "this credential is that of \"%s\" already "
			    "(line %u)",
			    policy_shown(p->parties[b->party], &word), b->line);
	}
	return true;
}

static bool
credential_valid(const struct policy *p, struct hasher *h,
    struct policy_credential *c, struct error *err)
{
	struct public_key key;

	if (c->kind == POLICY_KEY) {
		if (!public_key_parse(c->spki, &key, err))
			return error_prefix(err, "the key");
		sha256(h, c->spki, &c->key);
		return hasher_ok(h, err);
	}
	return c->ca < p->ca_count ||
	    error_set(err, ERR_USAGE, "there is no such CA");
}

static bool
push_party(struct policy *p, struct bytes name, struct error *err)
{
	struct bytes *list;

	if (p->party_count == POLICY_MAX_PARTIES)
		return error_set(err, ERR_LIMIT,
		    "more than %d names of signers", POLICY_MAX_PARTIES);
	list = policy_grow(p, p->parties, p->party_count, sizeof(*list), err);
	if (!list)
		return false;
	p->parties = list;
	list[p->party_count++] = name;
	return true;
}

bool
policy_push_credential(struct policy *p, struct hasher *h, struct bytes name,
    const struct policy_credential *c, struct error *err)
{
	struct policy_credential mine = *c;
	struct policy_credential *list;

	if (!name_valid(name, err) || !credential_valid(p, h, &mine, err))
		return false;
	if (p->credential_count == POLICY_MAX_CREDENTIALS)
		return error_set(err, ERR_LIMIT, "more than %d signer lines",
		    POLICY_MAX_CREDENTIALS);
	if (!policy_party_find(p, name, &mine.party))
		mine.party = p->party_count;
	if (!unique(p, mine.party, &mine, err))
		return false;
	if (mine.party == p->party_count && !push_party(p, name, err))
		return false;
	list = policy_grow(
	    p, p->credentials, p->credential_count, sizeof(*list), err);
	if (!list)
		return false;
	p->credentials = list;
	list[p->credential_count++] = mine;
	return true;
}

static bool
pattern_valid(struct bytes pattern)
{
	if (bytes_equal(pattern, BYTES_LIT("*")))
		return true;
	if (pattern.len > 2 && pattern.ptr[pattern.len - 1] == '*' &&
	    pattern.ptr[pattern.len - 2] == '/')
		pattern = bytes_slice(pattern, 0, pattern.len - 2);
	return model_name_valid(pattern);
}

bool
policy_push_rule(
    struct policy *p, const struct policy_rule *rule, struct error *err)
{
	struct policy_word word;
	struct policy_rule *list;

	if (!pattern_valid(rule->pattern))
		return error_set(err, ERR_SYNTAX,
		    "\"%s\" is neither a model's name, nor one with /* behind, "
		    "nor *",
		    policy_shown(rule->pattern, &word));
	for (size_t i = 0; i < p->rule_count; i++)
		if (bytes_equal(rule->pattern, p->rules[i].pattern))
			return error_set(err, ERR_CONFLICT,
			    "the rule on line %u has this pattern already",
			    p->rules[i].line);
	if (p->rule_count == POLICY_MAX_RULES)
		return error_set(
		    err, ERR_LIMIT, "more than %d rules", POLICY_MAX_RULES);
	list = policy_grow(p, p->rules, p->rule_count, sizeof(*list), err);
	if (!list)
		return false;
	p->rules = list;
	list[p->rule_count++] = *rule;
	return true;
}

void
policy_init(struct policy *p)
{
	policy_clear(p);
	arena_init(&p->storage, POLICY_STORAGE_MAX);
	p->quorum.decided = true; /* none */
}

void
policy_rule_init(struct policy_rule *r)
{
	*r = (struct policy_rule){
	    .pattern = BYTES_LIT("*"),
	    .logged = true,
	    .hold = HOLD_LEASE,
	};
}

bool
policy_add_log(struct policy *p, struct bytes vkey, struct error *err)
{
	AUTO(buf) text = BUF_INIT(QUORUM_LINE_MAX);
	struct bytes line;

	buf_put_str(&text, "log ");
	buf_put(&text, vkey);
	return buf_ok(&text, err) &&
	    arena_dup(&p->storage, buf_bytes(&text), &line, err) &&
	    quorum_line(&p->quorum, line, err);
}

bool
policy_add_ca(
    struct policy *p, struct bytes name, struct bytes der, struct error *err)
{
	AUTO(hasher) h = {0};
	struct policy_ca ca = {0};

	return hasher_open(&h, err) &&
	    arena_dup(&p->storage, name, &ca.name, err) &&
	    arena_dup(&p->storage, der, &ca.der, err) &&
	    policy_push_ca(p, &h, &ca, err);
}

bool
policy_add_credential(struct policy *p, struct bytes name,
    const struct policy_credential *c, struct error *err)
{
	AUTO(hasher) h = {0};
	struct policy_credential mine = *c;
	struct arena *a = &p->storage;

	return hasher_open(&h, err) && arena_dup(a, name, &name, err) &&
	    arena_dup(a, c->spki, &mine.spki, err) &&
	    arena_dup(a, c->name.value, &mine.name.value, err) &&
	    arena_dup(a, c->issuer, &mine.issuer, err) &&
	    arena_dup(a, c->below_origin, &mine.below_origin, err) &&
	    policy_push_credential(p, &h, name, &mine, err);
}

bool
policy_add_rule(
    struct policy *p, const struct policy_rule *rule, struct error *err)
{
	struct policy_rule mine = *rule;

	if (party_set_count(&mine.signed_by) == 0)
		return syntax(err, "the rule has no signer");
	return arena_dup(&p->storage, rule->pattern, &mine.pattern, err) &&
	    policy_push_rule(p, &mine, err);
}
