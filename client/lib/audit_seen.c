/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "client/lib/audit.h"
#include "core/base/cleanup.h"
#include "core/model/bundle.h"
#include "core/model/tle.h"
#include "core/tlog/tlog_proof.h"
#include "io/file.h"

/* What a file is searched for, and what was found. */
struct search {
	const char *path;
	const struct vkey *log;
	struct key_verifier *verifier;
	struct audit_seen **list;
	size_t found;
};

static bool
put(const char *name, struct bytes note, bool ours, struct audit_seen **list,
    struct error *err)
{
	struct audit_seen *seen = calloc(1, sizeof(*seen));

	if (!seen)
		return error_set(err, ERR_INTERNAL, "out of memory");
	seen->name = name;
	seen->ours = ours;
	buf_init(&seen->note, NOTE_MAX_LEN);
	buf_put(&seen->note, note);
	seen->next = *list;
	*list = seen;
	return buf_ok(&seen->note, err);
}

bool
audit_seen_put(const char *name, struct bytes note, struct audit_seen **list,
    struct error *err)
{
	return put(name, note, true, list, err);
}

/* Keeps a checkpoint if it is the log's. One that is not signed by it at all is
 * somebody else's; one that claims to be and is not, a forgery. */
static bool
take(struct search *s, struct bytes note, struct error *err)
{
	struct checkpoint c;
	struct error why = {0};

	if (!checkpoint_open(note, s->log, s->verifier, &c, &why)) {
		if (why.code == ERR_NOTFOUND)
			return true;
		if (why.code == ERR_BADSIG)
			why.reason = "log-signature";
		*err = why;
		return error_prefix(err, "%s", s->path);
	}
	s->found++;
	return put(s->path, note, false, s->list, err);
}

/* A bundle's entries may be of several logs, and of kinds that are not read. */
static bool
take_bundle(struct search *s, const struct bundle *b, struct error *err)
{
	for (size_t i = 0; i < b->entry_count; i++) {
		AUTO(tle) t = {0};
		struct error ignored = {0};

		if (tle_parse(b->entries[i], &t, &ignored) &&
		    !take(s, t.checkpoint, err))
			return false;
	}
	return true;
}

static bool
take_json(struct search *s, struct bytes text, struct error *err)
{
	AUTO(tle) t = {0};
	struct bundle b = {0};
	struct error why = {0};
	bool ok;

	if (tle_parse(text, &t, &why))
		return take(s, t.checkpoint, err);
	ok = bundle_parse(text, &b, err);
	ok = ok ? take_bundle(s, &b, err) : error_prefix(err, "%s", s->path);
	bundle_release(&b);
	return ok;
}

static bool
take_text(struct search *s, struct bytes text, struct error *err)
{
	struct tlog_proof proof;

	if (bytes_starts(text, BYTES_LIT("{")))
		return take_json(s, text, err);
	if (!bytes_starts(text, BYTES_LIT("c2sp.org/tlog-proof@")))
		return take(s, text, err);
	if (!tlog_proof_parse(text, &proof, err))
		return error_prefix(err, "%s", s->path);
	return take(s, proof.checkpoint, err);
}

bool
audit_seen_read(const char *path, const struct vkey *log,
    struct audit_seen **list, struct error *err)
{
	AUTO(buf) text = BUF_INIT(BUNDLE_MAX_LEN);
	struct search s = {.path = path, .log = log, .list = list};
	bool ok;

	if (!file_read(path, &text, err))
		return false;
	s.verifier = key_verifier_open(err);
	ok = s.verifier && take_text(&s, buf_bytes(&text), err);
	key_verifier_close(s.verifier);
	if (ok && s.found == 0)
		return error_reason(err, ERR_BADSIG, "unknown-log",
		    "%s has no checkpoint of %s", path, log->name);
	return ok;
}

void
audit_seen_release(struct audit_seen *list)
{
	while (list) {
		struct audit_seen *next = list->next;

		buf_release(&list->note);
		free(list);
		list = next;
	}
}
