/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "client/cli/policies.h"
#include "client/cli/verbs.h"
#include "client/lib/policy_file.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/reader.h"
#include "core/base/times.h"
#include "io/clock.h"
#include "io/file.h"

#define OUTPUT_MAX (4u << 20)
#define CASES_MAX  (1u << 20) /* bytes */

static const struct cli_option options[] = {
    {"--policy", "FILE", "explain: the policy", false},
    {"-p", "FILE", "the same", false},
    {"--name", "NAME", "explain: of a model of this name", false},
    {"--version", "V", "explain: and of this version", false},
    {"--signature", "FILE", "explain: the bundle, if it lies elsewhere", false},
    {"--evidence", "PATH", "explain: more statements: a bundle or a folder",
	true},
    {"--online", NULL, "explain: ask the log what is new", false},
    {"--log-url", "URL", "explain: where to ask it", false},
    {"--state", "DIR", "explain: remember, and refuse what is older", false},
    {"--at", "TIME", "judge as of this time (RFC 3339)", false},
    {"--json", NULL, "check: one line of JSON", false},
    {0},
};

struct policy *
cli_policy_read(const char *path, struct error *err)
{
	AUTO(buf) text = BUF_INIT(POLICY_MAX_LEN);
	struct policy *p = calloc(1, sizeof(*p));

	if (!p) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	if (!policy_file_read(path, NULL, &text, err)) {
		free(p);
		return NULL;
	}
	if (policy_parse(buf_bytes(&text), p, err))
		return p;
	free(p);
	if (err->code != ERR_INTERNAL) {
		err->code = ERR_USAGE;
		err->reason = NULL;
	}
	(void)error_prefix(err, "%s", path);
	return NULL;
}

void
cli_policy_close(struct policy *p)
{
	if (p)
		policy_release(p);
	free(p);
}

static bool
read_now(const struct cli_args *a, uint64_t *out, struct error *err)
{
	const char *at = cli_value(a, "--at");

	int64_t wall = clock_wall_s();

	*out = wall > 0 ? (uint64_t)wall : 0;
	return !at || time_parse(bytes_str(at), out) ||
	    error_set(err, ERR_USAGE,
		"--at %s is no time; write 2026-11-25T12:00:00Z", at);
}

static void
put_summary(const struct policy *p, size_t warnings, struct buf *out)
{
	buf_put_str(out, "policy   sha256:");
	hex_put(out, hash_bytes(&p->digest));
	if (p->serial > 0)
		buf_printf(out, " serial %llu", (unsigned long long)p->serial);
	if (p->has_expires) {
		buf_put_str(out, ", expires ");
		time_put(out, p->expires);
	}
	buf_printf(out,
	    "\nwell formed: %zu rules, %zu signers, %zu CAs, %zu logs, %zu "
	    "witnesses; %zu warnings\n",
	    p->rule_count, p->party_count, p->ca_count, p->quorum.log_count,
	    p->quorum.witness_count, warnings);
}

int
cli_policy_check(struct cli_args *a, struct error *err)
{
	AUTO(buf) warnings = BUF_INIT(OUTPUT_MAX);
	AUTO(buf) out = BUF_INIT(OUTPUT_MAX);
	bool json = cli_flag(a, "--json"), ok;
	struct policy *p;
	uint64_t now;
	size_t n;

	if (a->operand_count != 2) {
		(void)error_set(err, ERR_USAGE, "say: mtlog policy check FILE");
		return -1;
	}
	if (!read_now(a, &now, err))
		return -1;
	p = cli_policy_read(a->operands[1], err);
	if (!p)
		return -1;
	n = cli_policy_warn(p, now, json, &warnings);
	if (json) {
		buf_put_str(&out, "{\"policy\":\"");
		hex_put(&out, hash_bytes(&p->digest));
		buf_put_str(&out, "\",\"warnings\":[");
		buf_put(&out, buf_bytes(&warnings));
		buf_put_str(&out, "]}\n");
	} else {
		put_summary(p, n, &out);
		buf_put(&out, buf_bytes(&warnings));
	}
	ok = buf_ok(&warnings, err) && buf_ok(&out, err) &&
	    cli_print(buf_bytes(&out), err);
	cli_policy_close(p);
	return ok ? VERDICT_ACCEPTED : -1;
}

/* One case: a name, and the rule that must decide for it. */
struct test_case {
	struct bytes name, want;
	unsigned line;
};

static bool
is_blank(uint8_t c)
{
	return c == ' ' || c == '\t';
}

static bool
take_word(struct bytes *line, struct bytes *out)
{
	size_t from = 0, to;

	while (from < line->len && is_blank(line->ptr[from]))
		from++;
	to = from;
	while (to < line->len && !is_blank(line->ptr[to]))
		to++;
	*out = bytes_slice(*line, from, to);
	*line = bytes_slice(*line, to, line->len);
	return out->len > 0;
}

/* Whether this is the rule that the case wants: by line, pattern, or none. */
static bool
is_wanted(const struct policy_rule *r, struct bytes want)
{
	uint64_t line;

	if (bytes_equal(want, BYTES_LIT("none")))
		return r == NULL;
	if (decimal_parse(want, &line))
		return r && r->line == line;
	return r && bytes_equal(r->pattern, want);
}

static void
put_difference(const char *path, const struct test_case *c,
    const struct policy_rule *r, struct buf *out)
{
	escaped_put(out, bytes_str(path));
	buf_printf(out, ":%u: ", c->line);
	escaped_put(out, c->name);
	if (r) {
		buf_printf(out, ": line %u (", r->line);
		escaped_put(out, r->pattern);
		buf_put_str(out, ") decides, not ");
	} else {
		buf_put_str(out, ": no rule decides, not ");
	}
	escaped_put(out, c->want);
	buf_put_u8(out, '\n');
}

static bool
run_cases(const struct policy *p, const char *path, struct bytes text,
    size_t *count, size_t *differ, struct buf *out, struct error *err)
{
	struct test_case c = {0};
	struct reader r = {text};
	struct bytes line, more;

	while (!reader_done(&r)) {
		const struct policy_rule *rule;

		if (!reader_line(&r, &line)) {
			line = r.rest;
			r.rest = (struct bytes){0};
		}
		c.line++;
		if (!take_word(&line, &c.name) || c.name.ptr[0] == '#')
			continue;
		if (!take_word(&line, &c.want) || take_word(&line, &more))
			return error_set(err, ERR_USAGE,
			    "%s: line %u: a case is NAME and a rule: its "
			    "pattern, its line, or none",
			    path, c.line);
		rule = policy_rule_for(p, c.name);
		++*count;
		if (is_wanted(rule, c.want))
			continue;
		++*differ;
		put_difference(path, &c, rule, out);
	}
	return *count > 0 ||
	    error_set(err, ERR_USAGE, "%s: there is no case", path);
}

int
cli_policy_test(struct cli_args *a, struct error *err)
{
	AUTO(buf) text = BUF_INIT(CASES_MAX);
	AUTO(buf) out = BUF_INIT(OUTPUT_MAX);
	size_t count = 0, differ = 0;
	struct policy *p;
	bool ok;

	if (a->operand_count != 3) {
		(void)error_set(
		    err, ERR_USAGE, "say: mtlog policy test FILE CASES");
		return -1;
	}
	p = cli_policy_read(a->operands[1], err);
	if (!p)
		return -1;
	ok = file_read(a->operands[2], &text, err) &&
	    run_cases(p, a->operands[2], buf_bytes(&text), &count, &differ,
		&out, err);
	buf_printf(&out, "%zu cases, %zu differ\n", count, differ);
	ok = ok && buf_ok(&out, err) && cli_print(buf_bytes(&out), err);
	cli_policy_close(p);
	if (!ok)
		return -1;
	return differ > 0 ? VERDICT_NOT_ALLOWED : VERDICT_ACCEPTED;
}

static const char *const words[] = {"check", "explain", "test", NULL};

static int
run(struct cli_args *a, struct error *err)
{
	static cli_word_run *const runs[] = {
	    cli_policy_check, cli_policy_explain, cli_policy_test};

	return cli_run_word(a, runs, err);
}

const struct cli_verb verb_policy = {
    .name = "policy",
    .arguments = "check FILE | explain [MODEL] | test FILE CASES",
    .summary = "Read a policy, explain it for a name or model, test its rules",
    .details =
	"check reads FILE and warns of what it can hardly mean. explain says\n"
	"which rule decides for --name, and what it asks; with MODEL also "
	"what\n"
	"of it holds. test reads CASES, lines of a NAME and the rule that "
	"must\n"
	"decide for it: its pattern, the line it stands on, or none; exit "
	"code\n"
	"13 if another one does.",
    .run = run,
    .options = options,
    .words = words,
};
