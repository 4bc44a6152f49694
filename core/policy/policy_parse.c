/* SPDX-License-Identifier: Apache-2.0 */
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/nearest.h"
#include "core/policy/policy_parts.h"

/* Every keyword; those of tlog-policy are read in core/tlog. */
static const struct {
	const char *keyword;
	policy_line_reader *read; /* NULL: quorum_line does */
	bool of_rule;		  /* stands below a model line */
} lines[] = {
    {"log", NULL, false},
    {"witness", NULL, false},
    {"group", NULL, false},
    {"quorum", NULL, false},
    {"mtlog-policy", policy_line_version, false},
    {"serial", policy_line_serial, false},
    {"expires", policy_line_expires, false},
    {"ca", policy_line_ca, false},
    {"signer", policy_line_signer, false},
    {"deny", policy_line_deny, false},
    {"model", policy_line_model, false},
    {"signed-by", policy_line_signed_by, true},
    {"approved-by", policy_line_approved_by, true},
    {"withdrawn-by", policy_line_withdrawn_by, true},
    {"logged", policy_line_logged, true},
    {"fresh", policy_line_fresh, true},
    {"unsigned", policy_line_unsigned, true},
    {"hold", policy_line_hold, true},
};

#define LINES (sizeof(lines) / sizeof(lines[0]))

const char *
policy_shown(struct bytes word, struct policy_word *out)
{
	bool whole = utf8_valid(word);
	size_t n =
	    word.len < sizeof(out->text) ? word.len : sizeof(out->text) - 1;

	/* No character is cut. */
	while (n > 0 && n < word.len && (word.ptr[n] & 0xc0) == 0x80)
		n--;
	for (size_t i = 0; i < n; i++) {
		uint8_t c = word.ptr[i];

		out->text[i] = (char)(whole || c < 0x80 ? c : '?');
	}
	out->text[n] = '\0';
	return out->text;
}

bool
policy_item(
    struct reader *line, const char *what, struct bytes *out, struct error *err)
{
	return quorum_item(line, out) ||
	    error_set(err, ERR_SYNTAX, "the %s is missing", what);
}

bool
policy_end(struct reader *line, struct error *err)
{
	struct policy_word word;
	struct bytes item;

	return !quorum_item(line, &item) ||
	    error_set(err, ERR_SYNTAX, "surplus item \"%s\"",
		policy_shown(item, &word));
}

static bool
unknown_keyword(struct bytes item, struct error *err)
{
	const char *words[LINES + 1] = {NULL};
	struct policy_word word;
	const char *near;

	for (size_t i = 0; i < LINES; i++)
		words[i] = lines[i].keyword;
	near = nearest_word(item, words);
	if (near)
		return error_set(err, ERR_SYNTAX,
		    "unknown keyword \"%s\"; did you mean \"%s\"?",
		    policy_shown(item, &word), near);
	return error_set(err, ERR_SYNTAX,
	    "unknown keyword \"%s\"; mtlog-policy(5) lists them",
	    policy_shown(item, &word));
}

static bool
in_place(const struct policy_reader *r, size_t keyword, struct error *err)
{
	if (lines[keyword].read != policy_line_version && !r->versioned)
		return error_set(err, ERR_SYNTAX,
		    "the line \"mtlog-policy 1\" must stand above it");
	if (lines[keyword].of_rule && r->policy->rule_count == 0)
		return error_set(
		    err, ERR_SYNTAX, "there is no model line above it");
	return true;
}

/* A line that says something: its first item is there. */
static bool
read_items(struct policy_reader *r, struct bytes line, struct error *err)
{
	struct reader rest = {line};
	struct bytes item = {0};
	size_t i = 0;

	if (!quorum_item(&rest, &item))
		return error_set(err, ERR_INTERNAL, "an empty line");
	while (i < LINES && !bytes_equal(item, bytes_str(lines[i].keyword)))
		i++;
	if (i == LINES)
		return unknown_keyword(item, err);
	if (!lines[i].read)
		return quorum_line(&r->policy->quorum, line, err);
	return (in_place(r, i, err) && lines[i].read(r, &rest, err)) ||
	    error_prefix(err, "%s", lines[i].keyword);
}

static bool
octets_valid(struct bytes line)
{
	for (size_t i = 0; i < line.len; i++)
		if ((line.ptr[i] < 0x20 && line.ptr[i] != '\t') ||
		    line.ptr[i] == 0x7f)
			return false;
	return true;
}

static bool
read_line(struct policy_reader *r, struct bytes line, struct error *err)
{
	struct reader rest = {line};
	struct bytes item;

	if (line.len > POLICY_LINE_MAX)
		return error_set(err, ERR_LIMIT,
		    "the line is longer than %d bytes", POLICY_LINE_MAX);
	if (!octets_valid(line))
		return error_set(
		    err, ERR_SYNTAX, "control characters in the line");
	if (!quorum_item(&rest, &item) || item.ptr[0] == '#')
		return true;
	return read_items(r, line, err);
}

static bool
read_lines(struct policy_reader *r, struct bytes text, struct error *err)
{
	struct reader rest = {text};

	while (!reader_done(&rest)) {
		struct bytes line;

		r->line++;
		if (!reader_line(&rest, &line)) { /* without newline: last */
			line = rest.rest;
			rest.rest = (struct bytes){0};
		}
		if (!read_line(r, line, err))
			return error_prefix(err, "line %u", r->line);
	}
	return quorum_complete(&r->policy->quorum, err) &&
	    policy_rules_complete(r->policy, err) &&
	    policy_origins_known(r->policy, err);
}

static bool
read_file(struct policy_reader *r, struct bytes text, struct error *err)
{
	struct policy *p = r->policy;
	struct bytes own;

	if (text.len > POLICY_MAX_LEN)
		return error_set(err, ERR_LIMIT,
		    "%zu bytes; at most %d are read", text.len, POLICY_MAX_LEN);
	if (!hasher_open(&r->hasher, err) ||
	    !arena_dup(&p->storage, text, &own, err) ||
	    !read_lines(r, own, err))
		return false;
	sha256(&r->hasher, own, &p->digest);
	p->has_digest = true;
	return hasher_ok(&r->hasher, err);
}

bool
policy_parse(struct bytes text, struct policy *out, struct error *err)
{
	struct policy_reader r = {.policy = out};
	bool ok;

	policy_clear(out);
	arena_init(&out->storage, POLICY_STORAGE_MAX);
	ok = read_file(&r, text, err);
	hasher_release(&r.hasher);
	if (!ok) {
		policy_release(out);
		/* A certificate's reason is not that of the file. */
		err->reason = NULL;
	}
	return ok;
}
