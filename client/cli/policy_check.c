/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>

#include "client/cli/policies.h"
#include "core/base/json.h"

#define TEXT_MAX 400

/* One look at a policy. */
struct check {
	const struct policy *p;
	uint64_t now;
	bool json;
	struct buf *out;
	size_t count;
};

#define PRINT(b) (int)(b).len, (const char *)(b).ptr

/* A policy's names are printable: the parser says so. `line` 0: no line. */
static void __attribute__((format(printf, 3, 4)))
warn(struct check *c, unsigned line, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	error_text(text, sizeof(text), format, ap);
	va_end(ap);
	if (c->json) {
		buf_printf(c->out,
		    "%s{\"line\":%u,\"text\":", c->count > 0 ? "," : "", line);
		json_put_string(c->out, bytes_str(text));
		buf_put_u8(c->out, '}');
	} else {
		buf_put_str(c->out, "warning: ");
		if (line > 0)
			buf_printf(c->out, "line %u: ", line);
		escaped_put(c->out, bytes_str(text));
		buf_put_u8(c->out, '\n');
	}
	c->count++;
}

static const struct policy_deny *
denied_key(const struct policy *p, const struct policy_credential *c)
{
	if (c->kind != POLICY_KEY && c->kind != POLICY_CERT_KEY)
		return NULL;
	for (size_t i = 0; i < p->deny_count; i++)
		if (p->denies[i].kind == DENY_KEY &&
		    hash_equal(&p->denies[i].digest, &c->key))
			return &p->denies[i];
	return NULL;
}

/* Nothing at all can be signed with it. */
static bool
is_dead(const struct policy *p, const struct policy_credential *c)
{
	return denied_key(p, c) || (c->below_origin.len > 0 && c->below == 0);
}

/* A party that can still sign something. */
static bool
is_alive(const struct policy *p, size_t party)
{
	for (size_t i = 0; i < p->credential_count; i++)
		if (p->credentials[i].party == party &&
		    !is_dead(p, &p->credentials[i]))
			return true;
	return false;
}

static unsigned
count_alive(const struct policy *p, const struct party_set *s, size_t except)
{
	unsigned n = 0;

	for (size_t i = 0; i < p->party_count; i++)
		n += i != except && party_set_has(s, i) && is_alive(p, i);
	return n;
}

static void
check_credentials(struct check *c)
{
	const struct policy *p = c->p;

	for (size_t i = 0; i < p->credential_count; i++) {
		const struct policy_credential *k = &p->credentials[i];
		const struct policy_deny *d = denied_key(p, k);

		if (d)
			warn(c, k->line, "line %u denies this signer's key",
			    d->line);
		else if (k->below_origin.len > 0 && k->below == 0)
			warn(c, k->line, "no entry is below 0");
		else if (k->has_until && k->until <= c->now)
			warn(c, k->line,
			    "until has passed: only what is proven to be "
			    "signed before counts");
	}
}

static void
check_approvals(struct check *c, const struct policy_rule *r)
{
	const struct policy *p = c->p;

	for (size_t i = 0; i < r->approval_count; i++) {
		const struct policy_approval *a = &r->approvals[i];
		size_t can = 0, cannot = 0;
		struct bytes who = {0};

		/* Who signed the model does not approve it. */
		for (size_t k = 0; k < p->party_count; k++) {
			if (!party_set_has(&r->signed_by, k) || !is_alive(p, k))
				continue;
			if (count_alive(p, &a->parties, k) >= a->needed) {
				can++;
				continue;
			}
			cannot++;
			who = p->parties[k];
		}
		if (can == 0 && cannot > 0)
			warn(c, a->line,
			    "can never be met: the signer's own approval does "
			    "not count, and too few others are left");
		else if (cannot > 0)
			warn(c, a->line,
			    "can never be met for what %.*s signs: the "
			    "signer's own approval does not count",
			    PRINT(who));
	}
}

static void
check_rule(struct check *c, const struct policy_rule *r)
{
	const struct policy *p = c->p;

	if (count_alive(p, &r->signed_by, POLICY_MAX_PARTIES) == 0)
		warn(c, r->signed_by_line,
		    "can never be met: nothing that these signers sign "
		    "counts");
	check_approvals(c, r);
	if (r->logged && p->quorum.log_count == 0)
		warn(c, r->logged_line > 0 ? r->logged_line : r->line,
		    "can never be met: the rule wants an entry in a log, and "
		    "no log is named");
	if (r->fresh == FRESH_ONLINE && p->quorum.kind == QUORUM_NONE)
		warn(c, r->fresh_line,
		    "can never be met: with quorum none nobody says how old a "
		    "checkpoint is");
	if (r->fresh == FRESH_STATUS &&
	    count_alive(p, &r->fresh_by, POLICY_MAX_PARTIES) == 0)
		warn(c, r->fresh_line,
		    "can never be met: nothing that these signers sign "
		    "counts");
}

static bool
party_used(const struct policy *p, size_t party)
{
	for (size_t i = 0; i < p->rule_count; i++) {
		const struct policy_rule *r = &p->rules[i];

		if (party_set_has(&r->signed_by, party) ||
		    party_set_has(&r->withdrawn_by, party) ||
		    party_set_has(&r->fresh_by, party))
			return true;
		for (size_t k = 0; k < r->approval_count; k++)
			if (party_set_has(&r->approvals[k].parties, party))
				return true;
	}
	return false;
}

static void
check_parties(struct check *c)
{
	const struct policy *p = c->p;

	for (size_t i = 0; i < p->party_count; i++) {
		unsigned line = 0;

		if (party_used(p, i))
			continue;
		for (size_t k = p->credential_count; k-- > 0;)
			if (p->credentials[k].party == i)
				line = p->credentials[k].line;
		warn(c, line, "no rule uses the signer %.*s",
		    PRINT(p->parties[i]));
	}
}

static bool
ca_used(const struct policy *p, size_t ca)
{
	for (size_t i = 0; i < p->credential_count; i++)
		if (p->credentials[i].kind != POLICY_KEY &&
		    p->credentials[i].ca == ca)
			return true;
	return false;
}

static void
check_cas(struct check *c)
{
	for (size_t i = 0; i < c->p->ca_count; i++) {
		const struct policy_ca *ca = &c->p->cas[i];
		struct error ignored = {0};
		struct certificate x;

		if (!ca_used(c->p, i))
			warn(c, ca->line,
			    "no signer is under the CA %.*s: it counts for "
			    "time stamps only",
			    PRINT(ca->name));
		if (certificate_parse(ca->der, &x, &ignored) &&
		    x.not_after < c->now)
			warn(c, ca->line,
			    "the CA %.*s has expired: only what is proven to "
			    "be signed before counts",
			    PRINT(ca->name));
	}
}

static bool
witness_used(const struct quorum *q, size_t witness)
{
	size_t group = q->witnesses[witness].group;

	if (q->kind == QUORUM_WITNESS)
		return q->index == witness;
	/* A group points at later ones: this ends. */
	for (; q->kind == QUORUM_GROUP && group < q->group_count;
	     group = q->groups[group].group)
		if (group == q->index)
			return true;
	return false;
}

static void
check_whole(struct check *c)
{
	const struct policy *p = c->p;

	if (p->rule_count == 0)
		warn(c, 0, "there is no rule: every model is refused");
	if (p->has_expires && p->expires <= c->now)
		warn(c, 0, "the policy has expired: every model is refused");
	for (size_t i = 0; i < p->quorum.witness_count; i++)
		if (!witness_used(&p->quorum, i))
			warn(c, 0, "the quorum does not use the witness %.*s",
			    PRINT(p->quorum.witnesses[i].name));
}

size_t
cli_policy_warn(
    const struct policy *p, uint64_t now, bool json, struct buf *out)
{
	struct check c = {.p = p, .now = now, .json = json, .out = out};

	check_whole(&c);
	check_cas(&c);
	check_credentials(&c);
	check_parties(&c);
	for (size_t i = 0; i < p->rule_count; i++)
		check_rule(&c, &p->rules[i]);
	return c.count;
}
