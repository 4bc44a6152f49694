/* SPDX-License-Identifier: Apache-2.0 */
#include "server/restore_witnesses.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "io/file.h"

static void
warn(const char *text)
{
	(void)fprintf(stderr, "warning: %s\n", text);
}

static void
warn_of(const struct witness *w, const struct error *why)
{
	(void)fprintf(stderr, "warning: witness %s: %s\n", w->name, why->text);
}

bool
restore_witnesses_open(const char *backup, const char *file,
    const struct vkey *log, struct restore_witnesses *out, struct error *err)
{
	char *copy;

	*out = (struct restore_witnesses){0};
	if (!config_load(backup, NULL, NULL, &out->config, err))
		return false;
	if (file) {
		copy = strdup(file);
		if (!copy)
			return error_set(err, ERR_INTERNAL, "out of memory");
		free(out->config.witness_policy);
		out->config.witness_policy = copy;
	} else if (out->config.witness_mode == CONFIG_WITNESS_OFF) {
		return true;
	}
	if (witness_policy_read(&out->config, log, warn, &out->policy, err))
		return true;
	return error_prefix(err,
	    "the witnesses have to be asked (--witness-policy names another "
	    "file)");
}

void
restore_witnesses_release(struct restore_witnesses *w)
{
	witness_policy_release(&w->policy);
	config_release(&w->config);
}

bool
restore_witnesses_shown(const struct restore_witnesses *w,
    const struct vkey *log,
    bool (*found)(
	void *arg, struct bytes note, const char *name, struct error *err),
    void *arg, struct error *err)
{
	struct key_verifier *verifier = key_verifier_open(err);
	bool ok = verifier != NULL;

	for (size_t i = 0; ok && i < w->policy.count; i++) {
		const struct witness *x = &w->policy.witnesses[i];
		void *handle = witness_http.open(x->timeout_ms, err);
		AUTO(buf) note = BUF_INIT(WITNESS_NOTE_MAX);
		struct error why = {0};
		struct checkpoint c;

		ok = handle != NULL;
		if (ok &&
		    witness_shown(x, &witness_http, handle, log, verifier,
			&note, &c, &why))
			ok = found(arg, buf_bytes(&note), x->name, err);
		else if (ok)
			warn_of(x, &why);
		if (handle)
			witness_http.close(handle);
	}
	key_verifier_close(verifier);
	return ok;
}

static bool
prove(void *arg, uint64_t old, uint64_t size, struct proof *out,
    struct error *err)
{
	struct tree_cursor *c = arg;
	struct node_reader nodes = tree_nodes(c);

	return proof_consistency(&c->hasher, &nodes, old, size, out, err);
}

/* Whether this one cosigned; its line is appended. */
static bool
confirm_one(const struct witness *w, struct witness_question *q,
    struct key_verifier *verifier, struct buf *lines, bool *did,
    struct error *err)
{
	void *handle = witness_http.open(w->timeout_ms, err);
	struct witness_reply r = {0};
	bool ok = handle &&
	    witness_ask(w, &witness_http, handle, q, verifier, &r, err);

	*did = ok && r.result == WITNESS_COSIGNED;
	if (*did)
		buf_put(lines, buf_bytes(&r.line));
	else if (ok)
		warn_of(w, &r.why);
	witness_reply_release(&r);
	if (handle)
		witness_http.close(handle);
	return ok;
}

bool
restore_witnesses_confirm(const struct restore_witnesses *w,
    const struct vkey *log, struct bytes note, struct tree *tree, bool *all,
    struct buf *cosigned, struct error *err)
{
	AUTO(buf) lines = BUF_INIT(WITNESS_NOTE_MAX);
	AUTO(tree_cursor) cursor = {0};
	struct witness_question q = {
	    .log = log, .note = note, .prove = prove, .arg = &cursor};
	struct key_verifier *verifier = key_verifier_open(err);
	struct checkpoint head;
	uint64_t set = 0;
	bool ok = verifier && tree_cursor_open(&cursor, tree, err) &&
	    checkpoint_open(note, log, verifier, &head, err);

	*all = false;
	q.size = q.old = ok ? head.size : 0;
	for (size_t i = 0; ok && i < w->policy.count; i++) {
		const struct witness *x = &w->policy.witnesses[i];
		bool did;

		ok = confirm_one(x, &q, verifier, &lines, &did, err);
		if (did)
			set |= 1ull << x->number;
	}
	key_verifier_close(verifier);
	if (!ok || w->policy.count == 0)
		return ok;
	*all = witness_policy_decides(&w->policy, set);
	if (quorum_met(w->policy.quorum, set)) {
		buf_put(cosigned, note);
		buf_put(cosigned, buf_bytes(&lines));
	}
	return buf_ok(&lines, err);
}
