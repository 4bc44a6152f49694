/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/cli/policies.h"
#include "client/lib/job.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/times.h"
#include "core/model/statement.h"
#include "core/policy/policy_explain.h"
#include "io/progress.h"

#define OUTPUT_MAX (1u << 20)
#define LINE_WIDTH 24 /* of a requirement, before what is said of it */

/* Marks of a line: the requirement holds, does not, or nobody knows. */
enum mark { MARK_NONE, MARK_HOLDS, MARK_FAILS, MARK_UNKNOWN };

static const char *const marks[] = {
    [MARK_NONE] = " ",
    [MARK_HOLDS] = "\xe2\x9c\x93",
    [MARK_FAILS] = "\xe2\x9c\x97",
    [MARK_UNKNOWN] = "-",
};

/* What is explained. */
struct explanation {
	const struct policy *p;
	const struct policy_rule *r;
	const struct verdict *v; /* NULL: no model was looked at */
	struct buf *out;
};

/* The requirements of the verifier that a line of a rule makes. */
static const char *const *
checks_of(enum policy_line_kind kind)
{
	static const char *const signed_by[] = {
	    "material", "signature", "signer", "certificate", "limits", NULL};
	static const char *const logged[] = {
	    "entry", "inclusion", "checkpoint", "quorum", NULL};
	static const char *const approved[] = {"approvals", NULL};
	static const char *const withdrawn[] = {"withdrawn", NULL};
	static const char *const fresh[] = {"current", NULL};
	static const char *const files[] = {"unsigned", NULL};
	static const char *const held[] = {"hold", NULL};

	switch (kind) {
	case POLICY_LINE_SIGNED_BY:
		return signed_by;
	case POLICY_LINE_APPROVED_BY:
		return approved;
	case POLICY_LINE_WITHDRAWN_BY:
		return withdrawn;
	case POLICY_LINE_LOGGED:
		return logged;
	case POLICY_LINE_FRESH:
		return fresh;
	case POLICY_LINE_UNSIGNED:
		return files;
	case POLICY_LINE_HOLD:
		return held;
	}
	return held;
}

static const struct verdict_check *
find_check(const struct verdict *v, const char *name)
{
	for (size_t i = 0; i < v->check_count; i++)
		if (strcmp(v->checks[i].name, name) == 0)
			return &v->checks[i];
	return NULL;
}

/* What became of a line, and the words of the check that decided it. */
static enum mark
judge(const struct explanation *e, enum policy_line_kind kind,
    const struct verdict_check **said)
{
	const char *const *names = checks_of(kind);
	enum mark mark = MARK_UNKNOWN;

	*said = NULL;
	for (size_t i = 0; names[i]; i++) {
		const struct verdict_check *c = find_check(e->v, names[i]);

		if (!c || c->result == CHECK_NOT_REACHED) {
			*said = NULL;
			return MARK_UNKNOWN;
		}
		if (c->result == CHECK_FAIL) {
			*said = c;
			return MARK_FAILS;
		}
		if (c->result == CHECK_PASS)
			mark = MARK_HOLDS;
		if (c->result == CHECK_PASS || !*said)
			*said = c;
	}
	return mark;
}

/* One check judges all approved-by lines, in order, and names the one that is
 * not met. */
static enum mark
judge_approval(
    const struct policy_rule *r, size_t approval, const struct verdict_check *c)
{
	size_t failed = r->approval_count;
	char line[32];

	for (size_t i = 0; i < r->approval_count; i++) {
		(void)snprintf(
		    line, sizeof(line), "(line %u)", r->approvals[i].line);
		if (strstr(c->message, line)) {
			failed = i;
			break;
		}
	}
	if (failed == r->approval_count || approval == failed)
		return MARK_FAILS;
	return approval < failed ? MARK_HOLDS : MARK_UNKNOWN;
}

/* Who may sign: each credential of each party. */
static void
put_credentials(const struct explanation *e, const struct party_set *set)
{
	const struct policy *p = e->p;

	for (size_t i = 0; i < p->credential_count; i++) {
		const struct policy_credential *c = &p->credentials[i];
		AUTO(buf) text = BUF_INIT(POLICY_LINE_MAX);

		if (!party_set_has(set, c->party))
			continue;
		policy_credential_put(p, c, &text);
		buf_put_str(e->out, "                 ");
		escaped_put(e->out, p->parties[c->party]);
		buf_printf(e->out, " (line %u): ", c->line);
		if (c->kind == POLICY_KEY) {
			buf_put_str(e->out, "key with spki-sha256 ");
			hex_put(e->out, hash_bytes(&c->key));
		} else {
			escaped_put(e->out, buf_bytes(&text));
		}
		buf_put_u8(e->out, '\n');
	}
}

static void
put_line(const struct explanation *e, const struct policy_rule_line *line)
{
	AUTO(buf) text = BUF_INIT(POLICY_LINE_MAX);
	const struct verdict_check *said = NULL;
	enum mark mark = MARK_NONE;
	char where[32] = "default";

	policy_rule_line_put(e->p, e->r, line, &text);
	if (e->v) {
		mark = judge(e, line->kind, &said);
		if (mark == MARK_FAILS && line->kind == POLICY_LINE_APPROVED_BY)
			mark = judge_approval(e->r, line->approval, said);
	}
	if (line->line > 0)
		(void)snprintf(where, sizeof(where), "line %u", line->line);
	buf_printf(e->out, "  %s %-8s ", marks[mark], where);
	escaped_put(e->out, buf_bytes(&text));
	if (e->v) {
		buf_printf(e->out, "%*s ",
		    text.len < LINE_WIDTH ? (int)(LINE_WIDTH - text.len) : 1,
		    "");
		if (mark == MARK_UNKNOWN && !said)
			buf_put_str(e->out, "not judged");
		else if (line->kind == POLICY_LINE_APPROVED_BY &&
		    mark != MARK_FAILS)
			buf_put_str(
			    e->out, mark == MARK_HOLDS ? "met" : "not judged");
		else if (said)
			escaped_put(e->out, bytes_str(said->message));
	}
	buf_put_u8(e->out, '\n');
	if (!e->v && line->kind == POLICY_LINE_SIGNED_BY)
		put_credentials(e, &e->r->signed_by);
	if (!e->v && line->kind == POLICY_LINE_APPROVED_BY)
		put_credentials(e, &e->r->approvals[line->approval].parties);
}

static bool
matches(const struct policy_rule *r, struct bytes name)
{
	struct bytes prefix = bytes_slice(r->pattern, 0, r->pattern.len - 1);

	if (r->pattern.ptr[r->pattern.len - 1] != '*')
		return bytes_equal(r->pattern, name);
	return prefix.len == 0 ||
	    (model_name_valid(name) && bytes_starts(name, prefix));
}

static void
put_head(const struct explanation *e, struct bytes name)
{
	const struct policy *p = e->p;
	size_t n = 0;

	buf_put_str(e->out, "policy   sha256:");
	hex_put(e->out, hash_bytes(&p->digest));
	if (p->serial > 0)
		buf_printf(
		    e->out, " serial %llu", (unsigned long long)p->serial);
	if (p->has_expires) {
		buf_put_str(e->out, ", expires ");
		time_put(e->out, p->expires);
	}
	if (!e->r) {
		buf_put_str(e->out, "\nrule     none matches: refused\n");
		return;
	}
	for (size_t i = 0; i < p->rule_count; i++)
		n += matches(&p->rules[i], name);
	buf_printf(e->out, "\nrule     line %u, ", e->r->line);
	escaped_put(e->out, e->r->pattern);
	if (n == 1)
		buf_put_str(e->out, " (the only match)\n");
	else
		buf_printf(e->out, " (the closest of %zu matches)\n", n);
}

static void
put_end(const struct explanation *e)
{
	const struct verdict *v = e->v;

	if (v->code == VERDICT_ACCEPTED) {
		buf_put_str(e->out, "accepted\n");
		return;
	}
	buf_printf(e->out, "refused  [%s] ",
	    v->reason ? v->reason : verdict_code_name((int)v->code));
	escaped_put(e->out, bytes_str(v->message));
	buf_put_u8(e->out, '\n');
	if (v->reason && strcmp(v->reason, "approval-missing") == 0)
		buf_put_str(e->out,
		    "         ask them:  mtlog approve MODEL --as NAME --key "
		    "…\n");
}

static void
explain(const struct explanation *e, struct bytes name)
{
	struct policy_rule_line lines[POLICY_MAX_RULE_LINES];
	size_t n;

	put_head(e, name);
	if (e->r) {
		n = policy_rule_lines(e->r, lines);
		for (size_t i = 0; i < n; i++)
			put_line(e, &lines[i]);
	}
	if (e->v)
		put_end(e);
}

static bool
read_job(const struct cli_args *a, struct job *job, struct error *err)
{
	const char *at = cli_value(a, "--at");

	job->dirfd = AT_FDCWD;
	job->path = a->operands[1];
	job->name = cli_value(a, "--name");
	job->version = cli_value(a, "--version");
	job->signature = cli_value(a, "--signature");
	job->evidence = cli_values(a, "--evidence");
	job->online = cli_flag(a, "--online");
	job->log_url = cli_value(a, "--log-url");
	job->state = cli_value(a, "--state");
	job->timeout_ms = JOB_TIMEOUT_MS;
	job->has_now = at != NULL;
	return !at || time_parse(bytes_str(at), &job->now) ||
	    error_set(err, ERR_USAGE,
		"--at %s is no time; write 2026-11-25T12:00:00Z", at);
}

/* The same verification as mtlog verify's. NULL with `err`. */
static struct verdict *
verify_model(
    const struct cli_args *a, const struct policy *p, struct error *err)
{
	struct job job = {.policy = p};
	struct verdict *v = malloc(sizeof(*v));
	struct progress bar;

	if (!v) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	verdict_init(v);
	if (!read_job(a, &job, err)) {
		verdict_release(v);
		free(v);
		return NULL;
	}
	progress_init(&bar, STDERR_FILENO);
	job.progress = progress_update;
	job.progress_arg = &bar;
	if (!job_run(&job, v, NULL) && v->code == VERDICT_ACCEPTED)
		v->code = VERDICT_INTERNAL;
	progress_release(&bar);
	return v;
}

static const char *
policy_path(const struct cli_args *a, struct error *err)
{
	const char *path = cli_value(a, "--policy"), *p = cli_value(a, "-p");

	if (path && p) {
		(void)error_set(
		    err, ERR_USAGE, "say --policy or -p, which are the same");
		return NULL;
	}
	return p ? p : cli_need(a, "--policy", err);
}

static bool
explain_to(
    const struct cli_args *a, struct policy *p, int *code, struct error *err)
{
	AUTO(buf) out = BUF_INIT(OUTPUT_MAX);
	struct bytes name = bytes_str(cli_value(a, "--name"));
	struct explanation e = {
	    .p = p, .r = policy_rule_for(p, name), .out = &out};
	struct verdict *v = NULL;
	bool ok;

	if (a->operand_count == 2) {
		v = verify_model(a, p, err);
		if (!v)
			return false;
		e.v = v;
	}
	explain(&e, name);
	*code = v ? (int)v->code : e.r ? VERDICT_ACCEPTED : VERDICT_NOT_ALLOWED;
	if (v)
		verdict_release(v);
	free(v);
	ok = buf_ok(&out, err) && cli_print(buf_bytes(&out), err);
	return ok;
}

int
cli_policy_explain(struct cli_args *a, struct error *err)
{
	const char *path = policy_path(a, err);
	int code = VERDICT_INTERNAL;
	struct policy *p;
	bool ok;

	if (!path || !cli_need(a, "--name", err))
		return -1;
	if (a->operand_count > 2) {
		(void)error_set(err, ERR_USAGE,
		    "say: mtlog policy explain --policy FILE --name NAME "
		    "[MODEL]");
		return -1;
	}
	p = cli_policy_read(path, err);
	if (!p)
		return -1;
	ok = explain_to(a, p, &code, err);
	cli_policy_close(p);
	return ok ? code : -1;
}
