/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/encoding.h"
#include "core/base/times.h"
#include "core/policy/policy_explain.h"

static void
put_word(struct buf *out, struct bytes word)
{
	buf_put_u8(out, ' ');
	buf_put(out, word);
}

static void
put_time(struct buf *out, const char *before, uint64_t time)
{
	buf_put_str(out, before);
	time_put(out, time);
}

static const char *const types[] = {
    [CERTIFICATE_EMAIL] = "email",
    [CERTIFICATE_URI] = "uri",
    [CERTIFICATE_DNS] = "dns",
    [CERTIFICATE_OTHER] = "other",
};

static void
put_identity(const struct policy_credential *c, struct buf *out)
{
	switch (c->kind) {
	case POLICY_CERT:
		buf_printf(out, " %s:", types[c->name.kind]);
		buf_put(out, c->name.value);
		return;
	case POLICY_CERT_KEY:
		buf_put_str(out, " spki-sha256:");
		hex_put(out, hash_bytes(&c->key));
		return;
	case POLICY_CERT_ANY:
		buf_put_str(out, " any");
		return;
	case POLICY_KEY:
		return;
	}
}

void
policy_credential_put(
    const struct policy *p, const struct policy_credential *c, struct buf *out)
{
	if (c->kind == POLICY_KEY) {
		buf_put_str(out, "key ");
		base64_put(out, c->spki);
	} else {
		buf_put_str(out, "cert");
		put_word(out, p->cas[c->ca].name);
		put_identity(c, out);
		if (c->issuer.len > 0) {
			buf_put_str(out, " issuer");
			put_word(out, c->issuer);
		}
	}
	if (c->has_until)
		put_time(out, " until ", c->until);
	if (c->below_origin.len > 0) {
		buf_put_str(out, " below");
		put_word(out, c->below_origin);
		buf_printf(out, " %llu", (unsigned long long)c->below);
	}
}

static void
put_parties(
    const struct policy *p, const struct party_set *set, struct buf *out)
{
	for (size_t i = 0; i < p->party_count; i++)
		if (party_set_has(set, i))
			put_word(out, p->parties[i]);
}

static void
put_fresh(const struct policy *p, const struct policy_rule *r, struct buf *out)
{
	static const char *const words[] = {
	    [FRESH_NOT_ASKED] = "",
	    [FRESH_ONLINE] = "online",
	    [FRESH_SCAN] = "scan",
	    [FRESH_STATUS] = "status",
	};
	unsigned long long hours = r->fresh_seconds / 3600;

	/* "24h" is what people write. */
	if (hours % 24 == 0 && hours > 24)
		buf_printf(out, "fresh %llud ", hours / 24);
	else
		buf_printf(out, "fresh %lluh ", hours);
	buf_put_str(out, words[r->fresh]);
	put_parties(p, &r->fresh_by, out);
}

void
policy_rule_line_put(const struct policy *p, const struct policy_rule *r,
    const struct policy_rule_line *line, struct buf *out)
{
	const struct policy_approval *a = &r->approvals[line->approval];

	switch (line->kind) {
	case POLICY_LINE_SIGNED_BY:
		buf_put_str(out, "signed-by");
		put_parties(p, &r->signed_by, out);
		return;
	case POLICY_LINE_APPROVED_BY:
		buf_printf(out, "approved-by %u", a->needed);
		put_parties(p, &a->parties, out);
		return;
	case POLICY_LINE_WITHDRAWN_BY:
		buf_put_str(out, "withdrawn-by");
		put_parties(p, &r->withdrawn_by, out);
		return;
	case POLICY_LINE_LOGGED:
		buf_put_str(out, r->logged ? "logged yes" : "logged no");
		return;
	case POLICY_LINE_FRESH:
		put_fresh(p, r, out);
		return;
	case POLICY_LINE_UNSIGNED:
		buf_put_str(out,
		    r->unsigned_ignored ? "unsigned ignore"
					: "unsigned refuse");
		return;
	case POLICY_LINE_HOLD:
		buf_printf(out, "hold %s", hold_strength_name(r->hold));
		return;
	}
}

/* Behind those that come before it in the file; a default behind all. */
static void
insert(
    struct policy_rule_line *list, size_t *count, struct policy_rule_line one)
{
	size_t at = *count;

	while (at > 0 && one.line > 0 &&
	    (list[at - 1].line == 0 || list[at - 1].line > one.line))
		at--;
	memmove(list + at + 1, list + at, (*count - at) * sizeof(*list));
	list[at] = one;
	(*count)++;
}

size_t
policy_rule_lines(const struct policy_rule *r,
    struct policy_rule_line out[POLICY_MAX_RULE_LINES])
{
	const struct {
		enum policy_line_kind kind;
		unsigned line;
		bool there;
	} others[] = {
	    {POLICY_LINE_WITHDRAWN_BY, r->withdrawn_by_line,
		party_set_count(&r->withdrawn_by) > 0},
	    {POLICY_LINE_LOGGED, r->logged_line, true},
	    {POLICY_LINE_FRESH, r->fresh_line, r->fresh != FRESH_NOT_ASKED},
	    {POLICY_LINE_UNSIGNED, r->unsigned_line, true},
	    {POLICY_LINE_HOLD, r->hold_line, true},
	};
	size_t n = 0;

	insert(out, &n,
	    (struct policy_rule_line){
		POLICY_LINE_SIGNED_BY, 0, r->signed_by_line});
	for (size_t i = 0; i < r->approval_count; i++)
		insert(out, &n,
		    (struct policy_rule_line){
			POLICY_LINE_APPROVED_BY, i, r->approvals[i].line});
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (others[i].there)
			insert(out, &n,
			    (struct policy_rule_line){
				others[i].kind, 0, others[i].line});
	return n;
}

static bool
is_default(const struct policy_rule *r, enum policy_line_kind kind)
{
	return (kind == POLICY_LINE_LOGGED && r->logged) ||
	    (kind == POLICY_LINE_UNSIGNED && !r->unsigned_ignored) ||
	    (kind == POLICY_LINE_HOLD && r->hold == HOLD_LEASE);
}

static void
put_rule(const struct policy *p, const struct policy_rule *r, struct buf *out)
{
	struct policy_rule_line list[POLICY_MAX_RULE_LINES];
	size_t n = policy_rule_lines(r, list);

	buf_put_str(out, "model");
	put_word(out, r->pattern);
	buf_put_u8(out, '\n');
	/* By kind, not as the file has them: one form of one policy. */
	for (unsigned kind = POLICY_LINE_SIGNED_BY; kind <= POLICY_LINE_HOLD;
	     kind++)
		for (size_t i = 0; i < n; i++) {
			if (list[i].kind != kind || is_default(r, kind))
				continue;
			buf_put_str(out, "  ");
			policy_rule_line_put(p, r, &list[i], out);
			buf_put_u8(out, '\n');
		}
}

static void
put_deny(const struct policy_deny *d, struct buf *out)
{
	static const char *const words[] = {
	    [DENY_STATEMENT] = "statement",
	    [DENY_FILE] = "file",
	    [DENY_KEY] = "key",
	};

	buf_printf(out, "deny %s ", words[d->kind]);
	hex_put(out, hash_bytes(&d->digest));
	buf_put_u8(out, '\n');
}

static void
put_ca(const struct policy_ca *ca, struct buf *out)
{
	buf_put_str(out, "ca");
	put_word(out, ca->name);
	buf_put_u8(out, ' ');
	base64_put(out, ca->der);
	buf_put_u8(out, '\n');
}

void
policy_format(const struct policy *p, struct buf *out)
{
	quorum_format(&p->quorum, out);
	buf_put_str(out, "mtlog-policy 1\n");
	if (p->serial > 0)
		buf_printf(out, "serial %llu\n", (unsigned long long)p->serial);
	if (p->has_expires) {
		put_time(out, "expires ", p->expires);
		buf_put_u8(out, '\n');
	}
	for (size_t i = 0; i < p->ca_count; i++)
		put_ca(&p->cas[i], out);
	for (size_t i = 0; i < p->credential_count; i++) {
		const struct policy_credential *c = &p->credentials[i];

		buf_put_str(out, "signer");
		put_word(out, p->parties[c->party]);
		buf_put_u8(out, ' ');
		policy_credential_put(p, c, out);
		buf_put_u8(out, '\n');
	}
	for (size_t i = 0; i < p->deny_count; i++)
		put_deny(&p->denies[i], out);
	for (size_t i = 0; i < p->rule_count; i++)
		put_rule(p, &p->rules[i], out);
}
