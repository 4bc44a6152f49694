/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/times.h"
#include "core/policy/policy_parts.h"

/* The lines of a policy that stand outside its rules. */

static bool
syntax(struct error *err, const char *what)
{
	return error_set(err, ERR_SYNTAX, "%s", what);
}

static bool
there_already(struct error *err)
{
	return error_set(err, ERR_CONFLICT, "there is one already");
}

bool
policy_line_version(
    struct policy_reader *r, struct reader *line, struct error *err)
{
	struct bytes item;

	if (r->versioned)
		return there_already(err);
	if (!policy_item(line, "version", &item, err) || !policy_end(line, err))
		return false;
	if (!bytes_equal(item, BYTES_LIT("1")))
		return syntax(err, "only version 1 is known");
	r->versioned = true;
	return true;
}

bool
policy_line_serial(
    struct policy_reader *r, struct reader *line, struct error *err)
{
	struct bytes item;

	if (r->policy->serial > 0)
		return there_already(err);
	if (!policy_item(line, "number", &item, err) || !policy_end(line, err))
		return false;
	return (decimal_parse(item, &r->policy->serial) &&
		   r->policy->serial > 0) ||
	    syntax(err, "not a number from 1");
}

static bool
take_time(struct reader *line, uint64_t *out, struct error *err)
{
	struct bytes item;

	return policy_item(line, "time", &item, err) &&
	    (time_parse(item, out) ||
		syntax(err,
		    "not a time such as 2027-01-31 or "
		    "2027-01-31T12:00:00Z"));
}

bool
policy_line_expires(
    struct policy_reader *r, struct reader *line, struct error *err)
{
	if (r->policy->has_expires)
		return there_already(err);
	r->policy->has_expires = true;
	return take_time(line, &r->policy->expires, err) &&
	    policy_end(line, err);
}

/* The item as bytes, in the policy's storage. */
static bool
take_base64(struct policy_reader *r, struct reader *line, const char *what,
    struct bytes *out, struct error *err)
{
	AUTO(buf) raw = BUF_INIT(POLICY_LINE_MAX);
	struct bytes item;

	if (!policy_item(line, what, &item, err))
		return false;
	/* A line's base64 fits: only memory can be what was missing. */
	if (!base64_decode(item, &raw))
		return raw.failed
		    ? error_set(err, ERR_INTERNAL, "out of memory")
		    : error_set(err, ERR_SYNTAX, "the %s is not base64", what);
	return arena_dup(&r->policy->storage, buf_bytes(&raw), out, err);
}

bool
policy_line_ca(struct policy_reader *r, struct reader *line, struct error *err)
{
	struct policy_ca ca = {.line = r->line};

	return policy_item(line, "name", &ca.name, err) &&
	    take_base64(r, line, "certificate", &ca.der, err) &&
	    policy_end(line, err) &&
	    policy_push_ca(r->policy, &r->hasher, &ca, err);
}

static bool
take_below(struct reader *line, struct policy_credential *c, struct error *err)
{
	struct bytes item;

	if (c->below_origin.len > 0)
		return error_set(
		    err, ERR_CONFLICT, "the limit below stands twice");
	return policy_item(
		   line, "origin behind below", &c->below_origin, err) &&
	    policy_item(line, "index behind below", &item, err) &&
	    (decimal_parse(item, &c->below) ||
		syntax(err, "the index behind below is not a number"));
}

static bool
take_until(struct reader *line, struct policy_credential *c, struct error *err)
{
	if (c->has_until)
		return error_set(
		    err, ERR_CONFLICT, "the limit until stands twice");
	c->has_until = true;
	return take_time(line, &c->until, err);
}

/* [issuer <url>] [<limit>]... up to the line's end. */
static bool
take_conditions(
    struct reader *line, struct policy_credential *c, struct error *err)
{
	struct policy_word word;
	struct bytes item;
	bool first = c->kind != POLICY_KEY;

	for (; quorum_item(line, &item); first = false) {
		bool ok;

		if (first && bytes_equal(item, BYTES_LIT("issuer")))
			ok = policy_item(
			    line, "URL behind issuer", &c->issuer, err);
		else if (bytes_equal(item, BYTES_LIT("until")))
			ok = take_until(line, c, err);
		else if (bytes_equal(item, BYTES_LIT("below")))
			ok = take_below(line, c, err);
		else
			ok = error_set(err, ERR_SYNTAX, "surplus item \"%s\"",
			    policy_shown(item, &word));
		if (!ok)
			return false;
	}
	return true;
}

static bool
take_ca(struct policy_reader *r, struct reader *line, size_t *out,
    struct error *err)
{
	const struct policy *p = r->policy;
	struct policy_word word;
	struct bytes name;

	if (!policy_item(line, "name of the ca", &name, err))
		return false;
	for (size_t i = 0; i < p->ca_count; i++)
		if (bytes_equal(name, p->cas[i].name)) {
			*out = i;
			return true;
		}
	return error_set(err, ERR_SYNTAX,
	    "there is no ca \"%s\" on an earlier line",
	    policy_shown(name, &word));
}

static bool
take_certificate(struct policy_reader *r, struct reader *line,
    struct policy_credential *c, struct error *err)
{
	struct bytes item;

	return take_ca(r, line, &c->ca, err) &&
	    policy_item(line, "<type>:<value>", &item, err) &&
	    policy_identity_parse(item, c, err);
}

bool
policy_line_signer(
    struct policy_reader *r, struct reader *line, struct error *err)
{
	struct policy_credential c = {.line = r->line};
	struct bytes name, item;
	bool ok;

	if (!policy_item(line, "name", &name, err) ||
	    !policy_item(line, "kind (key or cert)", &item, err))
		return false;
	if (bytes_equal(item, BYTES_LIT("key"))) {
		c.kind = POLICY_KEY;
		ok = take_base64(r, line, "key", &c.spki, err);
	} else if (bytes_equal(item, BYTES_LIT("cert"))) {
		ok = take_certificate(r, line, &c, err);
	} else {
		return syntax(err, "neither key nor cert");
	}
	return ok && take_conditions(line, &c, err) &&
	    policy_push_credential(r->policy, &r->hasher, name, &c, err);
}

bool
policy_origins_known(const struct policy *p, struct error *err)
{
	struct policy_word word;

	for (size_t i = 0; i < p->credential_count; i++) {
		const struct policy_credential *c = &p->credentials[i];
		size_t k = 0;

		if (c->below_origin.len == 0)
			continue;
		while (k < p->quorum.log_count &&
		    !bytes_equal(
			c->below_origin, vkey_name(&p->quorum.logs[k].key)))
			k++;
		if (k == p->quorum.log_count)
			return error_set(err, ERR_SYNTAX,
			    "line %u: signer: below: \"%s\" is no log of this "
			    "policy",
			    c->line, policy_shown(c->below_origin, &word));
	}
	return true;
}

static const struct {
	const char *word;
	enum policy_deny_kind kind;
} denied[] = {
    {"statement", DENY_STATEMENT},
    {"file", DENY_FILE},
    {"key", DENY_KEY},
};

static bool
deny_kind(struct bytes item, enum policy_deny_kind *out)
{
	for (size_t i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
		if (bytes_equal(item, bytes_str(denied[i].word))) {
			*out = denied[i].kind;
			return true;
		}
	return false;
}

bool
policy_line_deny(
    struct policy_reader *r, struct reader *line, struct error *err)
{
	struct policy *p = r->policy;
	struct policy_deny d = {.line = r->line};
	struct policy_deny *list;
	struct bytes item;

	if (!policy_item(line, "kind (statement, file or key)", &item, err))
		return false;
	if (!deny_kind(item, &d.kind))
		return syntax(err, "neither statement, file nor key");
	if (!policy_item(line, "digest", &item, err) || !policy_end(line, err))
		return false;
	if (!hex_decode(item, d.digest.b, HASH_LEN))
		return syntax(err, "not 64 lower-case hex digits");
	for (size_t i = 0; i < p->deny_count; i++)
		if (p->denies[i].kind == d.kind &&
		    hash_equal(&p->denies[i].digest, &d.digest))
			return error_set(err, ERR_CONFLICT,
			    "line %u says so already", p->denies[i].line);
	if (p->deny_count == POLICY_MAX_DENIES)
		return error_set(
		    err, ERR_LIMIT, "more than %d denials", POLICY_MAX_DENIES);
	list = policy_grow(p, p->denies, p->deny_count, sizeof(*list), err);
	if (!list)
		return false;
	p->denies = list;
	list[p->deny_count++] = d;
	return true;
}
