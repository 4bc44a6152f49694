/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witness_policy.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "io/file.h"
#include "server/rule_text.h"

#define NS_OF_MS 1000000u

void
witness_policy_release(struct witness_policy *p)
{
	for (size_t i = 0; i < p->count; i++) {
		free(p->witnesses[i].name);
		free(p->witnesses[i].add_url);
		free(p->witnesses[i].checkpoint_url);
	}
	free(p->witnesses);
	free(p->quorum);
	buf_release(&p->text);
	*p = (struct witness_policy){0};
}

/* The option for this witness; false: there is none. */
static bool
find_option(const struct config *c, struct bytes name, struct rule_witness *out)
{
	for (size_t i = 0; i < c->witness_options.count; i++)
		if (rule_witness_parse(
			bytes_str(c->witness_options.items[i]), out) &&
		    bytes_equal(out->name, name))
			return true;
	*out = (struct rule_witness){0};
	return false;
}

/* "<prefix>/<hex of the origin's hash>/checkpoint" */
static bool
checkpoint_url(
    struct bytes prefix, const struct vkey *log, char **out, struct error *err)
{
	AUTO(buf) hex = BUF_INIT(2 * HASH_LEN);
	AUTO(hasher) h = {0};
	struct hash origin;

	if (!hasher_open(&h, err))
		return false;
	sha256(&h, vkey_name(log), &origin);
	hex_put(&hex, hash_bytes(&origin));
	if (!hasher_ok(&h, err))
		return false;
	if (asprintf(out, "%.*s/%.*s/checkpoint", (int)prefix.len, prefix.ptr,
		(int)hex.len, (const char *)hex.ptr) < 0)
		*out = NULL;
	return true;
}

static bool
fill(const struct config *c, const struct vkey *log,
    const struct quorum_witness *from, struct witness *out, struct error *err)
{
	struct rule_witness option;
	struct bytes url = from->url, monitoring;

	while (url.len > 0 && url.ptr[url.len - 1] == '/')
		url.len--;
	(void)find_option(c, from->name, &option);
	monitoring = option.monitoring.len > 0 ? option.monitoring : url;
	out->key = &from->key;
	out->interval_ns = NS_OF_MS *
	    (option.interval_ms ? option.interval_ms : c->witness_interval_ms);
	out->timeout_ms = (unsigned)(option.timeout_s ? option.timeout_s * 1000
						      : c->witness_timeout_ms);
	if (!checkpoint_url(monitoring, log, &out->checkpoint_url, err))
		return false;
	if (asprintf(&out->name, "%.*s", (int)from->name.len, from->name.ptr) <
	    0)
		out->name = NULL;
	if (asprintf(&out->add_url, "%.*s/add-checkpoint", (int)url.len,
		url.ptr) < 0)
		out->add_url = NULL;
	return (out->name && out->add_url && out->checkpoint_url) ||
	    error_set(err, ERR_INTERNAL, "out of memory");
}

/* Why a witness is not asked, or NULL. */
static const char *
unfit(const struct quorum_witness *w)
{
	if (w->url.len == 0)
		return "has no URL";
	if (!bytes_starts(w->url, BYTES_LIT("https://")) &&
	    !bytes_starts(w->url, BYTES_LIT("http://")))
		return "has a URL that is neither http nor https";
	if (w->key.type != NOTE_COSIGNATURE)
		return "has a key that is not Ed25519";
	return NULL;
}

static bool
choose(const struct config *c, const struct vkey *log,
    void (*warning)(const char *), struct witness_policy *p, struct error *err)
{
	const struct quorum *q = p->quorum;

	p->witnesses = calloc(q->witness_count + 1, sizeof(*p->witnesses));
	if (!p->witnesses)
		return error_set(err, ERR_INTERNAL, "out of memory");
	for (size_t i = 0; i < q->witness_count; i++) {
		const struct quorum_witness *w = &q->witnesses[i];
		const char *why = unfit(w);
		char text[400];

		if (!why) {
			struct witness *out = &p->witnesses[p->count++];

			out->number = i;
			if (!fill(c, log, w, out, err))
				return false;
			continue;
		}
		(void)snprintf(text, sizeof(text),
		    "witness %.*s %s and is not asked",
		    (int)(w->name.len < 200 ? w->name.len : 200), w->name.ptr,
		    why);
		if (warning)
			warning(text);
	}
	return true;
}

/* A policy without logs is about this one: quorum_verify wants to know. */
static bool
knows_log(struct quorum *q, const struct vkey *log)
{
	if (q->log_count == 0)
		q->logs[q->log_count++].key = *log;
	for (size_t i = 0; i < q->log_count; i++)
		if (hash_equal(&q->logs[i].key.log_id, &log->log_id) &&
		    bytes_equal(vkey_name(&q->logs[i].key), vkey_name(log)))
			return true;
	return false;
}

static bool
check_options(
    const struct config *c, const struct witness_policy *p, struct error *err)
{
	for (size_t i = 0; i < c->witness_options.count; i++) {
		struct rule_witness option;
		bool found = false;

		if (!rule_witness_parse(
			bytes_str(c->witness_options.items[i]), &option))
			continue;
		for (size_t k = 0; k < p->count; k++)
			found |= bytes_equal(
			    bytes_str(p->witnesses[k].name), option.name);
		if (!found)
			return error_set(err, ERR_USAGE,
			    "witness-option = %s: no witness of that name is "
			    "asked",
			    c->witness_options.items[i]);
	}
	return true;
}

static bool
check(const struct config *c, const struct vkey *log,
    const struct witness_policy *p, struct error *err)
{
	const char *file = c->witness_policy;

	if (p->quorum->kind == QUORUM_NONE)
		return error_set(err, ERR_USAGE,
		    "%s: the quorum is none; say witness-mode = off if no "
		    "witness is wanted",
		    file);
	if (!knows_log(p->quorum, log))
		return error_set(err, ERR_USAGE,
		    "%s: it has logs, and %s with its key is not among them",
		    file, log->name);
	if (!quorum_met(p->quorum, witness_policy_set(p)))
		return error_set(err, ERR_USAGE,
		    "%s: the witnesses that can be asked (http or https URL, "
		    "Ed25519 key) are no quorum",
		    file);
	if (c->witness_mode == CONFIG_WITNESS_REQUIRED &&
	    !witness_policy_decides(p, witness_policy_set(p)))
		return error_set(err, ERR_USAGE,
		    "%s: there is a quorum without any witness that can be "
		    "asked, so witness-mode = required could prevent nothing",
		    file);
	return check_options(c, p, err);
}

bool
witness_policy_read(const struct config *c, const struct vkey *log,
    void (*warning)(const char *), struct witness_policy *out,
    struct error *err)
{
	*out = (struct witness_policy){.text = BUF_INIT(QUORUM_MAX_LEN)};
	out->quorum = calloc(1, sizeof(*out->quorum));
	if (!out->quorum)
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (!file_read(c->witness_policy, &out->text, err))
		return error_prefix(err,
		    "witness-policy (a relative path begins at %s)", c->dir);
	if (!quorum_parse(buf_bytes(&out->text), out->quorum, err))
		return error_prefix(err, "%s", c->witness_policy);
	return choose(c, log, warning, out, err) && check(c, log, out, err);
}

uint64_t
witness_policy_set(const struct witness_policy *p)
{
	uint64_t set = 0;

	for (size_t i = 0; i < p->count; i++)
		set |= 1ull << p->witnesses[i].number;
	return set;
}

bool
witness_policy_decides(const struct witness_policy *p, uint64_t set)
{
	return !quorum_met(p->quorum, ~set);
}
