/* SPDX-License-Identifier: Apache-2.0 */
#include "core/model/statement.h"
#include "core/policy/policy_parts.h"

/* A `model` line, and those below it. */

static bool
syntax(struct error *err, const char *what)
{
	return error_set(err, ERR_SYNTAX, "%s", what);
}

static struct policy_rule *
rule_of(struct policy_reader *r)
{
	return &r->policy->rules[r->policy->rule_count - 1];
}

/* Most lines stand once in a rule; `at` is where this kind's line is kept. */
static bool
first_time(const struct policy_reader *r, unsigned *at, struct error *err)
{
	if (*at > 0)
		return error_set(err, ERR_CONFLICT,
		    "the rule has one already, on line %u", *at);
	*at = r->line;
	return true;
}

bool
policy_line_model(
    struct policy_reader *r, struct reader *line, struct error *err)
{
	struct policy_rule rule;

	policy_rule_init(&rule);
	rule.line = r->line;
	return policy_item(line, "pattern", &rule.pattern, err) &&
	    policy_end(line, err) && policy_push_rule(r->policy, &rule, err);
}

/* All items up to the line's end, each a party's name. */
static bool
take_parties(const struct policy_reader *r, struct reader *line,
    struct party_set *out, struct error *err)
{
	struct policy_word word;
	struct bytes name;
	size_t party;

	while (quorum_item(line, &name)) {
		if (!policy_party_find(r->policy, name, &party))
			return error_set(err, ERR_SYNTAX,
			    "there is no signer \"%s\" on an earlier line",
			    policy_shown(name, &word));
		if (party_set_has(out, party))
			return error_set(err, ERR_CONFLICT,
			    "the signer \"%s\" stands twice",
			    policy_shown(name, &word));
		party_set_add(out, party);
	}
	return party_set_count(out) > 0 ||
	    syntax(err, "the name of a signer is missing");
}

bool
policy_line_signed_by(
    struct policy_reader *r, struct reader *line, struct error *err)
{
	struct policy_rule *rule = rule_of(r);

	return first_time(r, &rule->signed_by_line, err) &&
	    take_parties(r, line, &rule->signed_by, err);
}

bool
policy_line_withdrawn_by(
    struct policy_reader *r, struct reader *line, struct error *err)
{
	struct policy_rule *rule = rule_of(r);

	return first_time(r, &rule->withdrawn_by_line, err) &&
	    take_parties(r, line, &rule->withdrawn_by, err);
}

static bool
needed(struct bytes item, unsigned parties, unsigned *out, struct error *err)
{
	uint64_t k;

	if (bytes_equal(item, BYTES_LIT("any")))
		k = 1;
	else if (bytes_equal(item, BYTES_LIT("all")))
		k = parties;
	else if (!decimal_parse(item, &k))
		return syntax(err, "neither all, any nor a number");
	if (k < 1 || k > parties)
		return syntax(err, "wants none, or more signers than it names");
	*out = (unsigned)k;
	return true;
}

bool
policy_line_approved_by(
    struct policy_reader *r, struct reader *line, struct error *err)
{
	struct policy_rule *rule = rule_of(r);
	struct policy_approval a = {.line = r->line};
	struct bytes item;

	if (rule->approval_count == POLICY_MAX_APPROVALS)
		return error_set(err, ERR_LIMIT, "more than %d in one rule",
		    POLICY_MAX_APPROVALS);
	if (!policy_item(line, "number (all, any or a number)", &item, err) ||
	    !take_parties(r, line, &a.parties, err) ||
	    !needed(item, party_set_count(&a.parties), &a.needed, err))
		return false;
	for (size_t i = 0; i < rule->approval_count; i++) {
		const struct policy_approval *b = &rule->approvals[i];

		if (a.needed == b->needed &&
		    memcmp(&a.parties, &b->parties, sizeof(a.parties)) == 0)
			return error_set(err, ERR_CONFLICT,
			    "line %u says so already", b->line);
	}
	rule->approvals[rule->approval_count++] = a;
	return true;
}

/* One of two words; the first is true. */
static bool
take_choice(struct reader *line, const char *yes, const char *no, bool *out,
    struct error *err)
{
	struct bytes item;

	if (!policy_item(line, "word", &item, err) || !policy_end(line, err))
		return false;
	*out = bytes_equal(item, bytes_str(yes));
	return *out || bytes_equal(item, bytes_str(no)) ||
	    error_set(err, ERR_SYNTAX, "neither %s nor %s", yes, no);
}

bool
policy_line_logged(
    struct policy_reader *r, struct reader *line, struct error *err)
{
	struct policy_rule *rule = rule_of(r);

	return first_time(r, &rule->logged_line, err) &&
	    take_choice(line, "yes", "no", &rule->logged, err);
}

bool
policy_line_unsigned(
    struct policy_reader *r, struct reader *line, struct error *err)
{
	struct policy_rule *rule = rule_of(r);

	return first_time(r, &rule->unsigned_line, err) &&
	    take_choice(line, "ignore", "refuse", &rule->unsigned_ignored, err);
}

bool
policy_line_hold(
    struct policy_reader *r, struct reader *line, struct error *err)
{
	struct policy_rule *rule = rule_of(r);
	struct bytes item;

	if (!first_time(r, &rule->hold_line, err) ||
	    !policy_item(line, "word", &item, err) || !policy_end(line, err))
		return false;
	return hold_strength_find(item, &rule->hold) ||
	    syntax(err, "neither copy, verity, lease nor open");
}

/* <n>h or <n>d */
static bool
take_span(struct reader *line, uint64_t *out, struct error *err)
{
	struct reader r = {{0}};
	uint64_t n, unit;
	uint8_t letter;

	if (!policy_item(line, "time span", &r.rest, err))
		return false;
	if (!reader_decimal(&r, &n) || !reader_u8(&r, &letter) ||
	    !reader_done(&r) || (letter != 'h' && letter != 'd'))
		return syntax(err, "not a time span such as 24h or 7d");
	unit = letter == 'h' ? 3600 : 86400;
	if (n < 1 || n > POLICY_MAX_FRESH / unit)
		return error_set(err, ERR_LIMIT, "a time span is 1h to %ud",
		    POLICY_MAX_FRESH / 86400);
	*out = n * unit;
	return true;
}

bool
policy_line_fresh(
    struct policy_reader *r, struct reader *line, struct error *err)
{
	struct policy_rule *rule = rule_of(r);
	struct bytes item;

	if (!first_time(r, &rule->fresh_line, err) ||
	    !take_span(line, &rule->fresh_seconds, err) ||
	    !policy_item(line, "word (online, scan or status)", &item, err))
		return false;
	if (bytes_equal(item, BYTES_LIT("status"))) {
		rule->fresh = FRESH_STATUS;
		return take_parties(r, line, &rule->fresh_by, err);
	}
	if (bytes_equal(item, BYTES_LIT("online")))
		rule->fresh = FRESH_ONLINE;
	else if (bytes_equal(item, BYTES_LIT("scan")))
		rule->fresh = FRESH_SCAN;
	else
		return syntax(err, "neither online, scan nor status");
	return policy_end(line, err);
}

bool
policy_rules_complete(const struct policy *p, struct error *err)
{
	for (size_t i = 0; i < p->rule_count; i++)
		if (party_set_count(&p->rules[i].signed_by) == 0)
			return error_set(err, ERR_SYNTAX,
			    "line %u: model: the rule has no signed-by line",
			    p->rules[i].line);
	return true;
}
