/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/cosigned.h"
#include "client/cli/verbs.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "io/file.h"

static const struct cli_option options[] = {
    CLI_SIGN_OPTIONS,
    CLI_LOG_OPTIONS,
    CLI_DIGEST_OPTION,
    {"--again", NULL, "a new signature and entry, though it is logged", false},
    {0},
};

static void
tell(const struct cli_signed *s, const struct cli_log *log, uint64_t index)
{
	AUTO(buf) digest = BUF_INIT(2 * HASH_LEN);

	hex_put(&digest, hash_bytes(&s->statement));
	(void)printf("%s: %.*s is entry %llu of %s, statement %.*s\n", s->path,
	    (int)s->name.len, (const char *)s->name.ptr,
	    (unsigned long long)index, log->key.name, (int)digest.len,
	    (const char *)digest.ptr);
}

/* What publish works with. */
struct work {
	struct cli_signer who;
	struct cli_signed s;
	struct cli_log log;
	struct bytes verifier; /* the SPKI; empty: a certificate */
	struct bundle ours;    /* made here */
	struct buf text;       /* of the bundle that lies there, */
	struct bundle theirs;  /* and what it says */
	uint64_t index;
};

static void
work_release(struct work *w)
{
	bundle_release(&w->ours);
	bundle_release(&w->theirs);
	buf_release(&w->text);
	cli_signed_release(&w->s);
	cli_log_close(&w->log);
	cli_signer_close(&w->who);
}

static bool
prepare(const struct cli_args *a, struct work *w, struct error *err)
{
	/* The key comes first: nobody should wait for hashes in vain. */
	if (!cli_signer_open(a, &w->who, err) || !cli_log_open(a, &w->log, err))
		return false;
	w->log.digest_only = cli_flag(a, "--no-envelope");
	if (!cli_sign_with(a, &w->who, &w->s, err) ||
	    !bundle_parse(buf_bytes(&w->s.bundle), &w->ours, err))
		return false;
	if (w->who.identity.certificate_count == 0)
		w->verifier = buf_bytes(&w->who.signer.spki);
	return cli_log_fits(&w->log, &w->ours.envelope, err);
}

static bool
signature_good(const struct envelope *e, struct bytes spki, struct error *err)
{
	struct key_verifier *v = key_verifier_open(err);
	struct public_key key;
	bool ok = v && public_key_parse(spki, &key, err) &&
	    dsse_verify(e, &key, v, err);

	key_verifier_close(v);
	return ok;
}

/*
 * Whether what lies there is this very statement, signed with this key or
 * certificate, and in this log. Another signature of it would be another entry
 * that says nothing new.
 */
static bool
is_published(struct work *w)
{
	const struct bundle *a = &w->ours, *b = &w->theirs;
	struct error no = {0};

	buf_init(&w->text, BUNDLE_MAX_LEN);
	return file_read(w->s.path, &w->text, &no) &&
	    bundle_parse(buf_bytes(&w->text), &w->theirs, &no) &&
	    a->material == b->material && bytes_equal(a->hint, b->hint) &&
	    bytes_equal(a->certificates[0], b->certificates[0]) &&
	    bytes_equal(a->envelope.payload_type, b->envelope.payload_type) &&
	    bytes_equal(a->envelope.payload, b->envelope.payload) &&
	    signature_good(&b->envelope, buf_bytes(&w->who.signer.spki), &no) &&
	    cli_log_has(&w->log, b, w->verifier, &w->index, &no);
}

/* It is there; so must the statement be. The file is left alone, but for a proof
 * with witnesses in place of one without. */
static bool
leave(struct work *w, struct error *err)
{
	AUTO(buf) done = BUF_INIT(BUNDLE_MAX_LEN);
	struct error why = {0};

	if (!w->log.digest_only &&
	    !cli_log_keeps(&w->log, &w->theirs.envelope, &why)) {
		if (why.code != ERR_NOTFOUND) {
			*err = why;
			return false;
		}
		if (!cli_log_bundle(&w->log, buf_bytes(&w->text), w->verifier,
			&done, &w->index, err))
			return false;
		buf_clear(&done);
	}
	if (!cli_log_upgrade(
		&w->log, buf_bytes(&w->text), w->verifier, &done, err) ||
	    (done.len > 0 &&
		!file_write(w->s.path, buf_bytes(&done), 0644, err)))
		return false;
	(void)printf(
	    "%s: is entry %llu of %s already%s; --again makes another\n",
	    w->s.path, (unsigned long long)w->index, w->log.key.name,
	    done.len > 0 ? ", now with its witnesses" : "");
	return cosigned_end(&w->log, err);
}

static bool
publish(const struct cli_args *a, struct work *w, struct error *err)
{
	AUTO(buf) done = BUF_INIT(BUNDLE_MAX_LEN);

	if (!prepare(a, w, err))
		return false;
	if (!cli_flag(a, "--again") && is_published(w))
		return leave(w, err);
	/* Nothing is written before the answer has been verified. */
	if (!cli_ask_to_publish(a, &w->who, &w->log, &w->s, err) ||
	    !cli_log_bundle(&w->log, buf_bytes(&w->s.bundle), w->verifier,
		&done, &w->index, err) ||
	    !file_write(w->s.path, buf_bytes(&done), 0644, err))
		return false;
	tell(&w->s, &w->log, w->index);
	return cosigned_end(&w->log, err);
}

static int
run(struct cli_args *a, struct error *err)
{
	struct work w = {0};
	bool ok = publish(a, &w, err);

	work_release(&w);
	return ok ? VERDICT_ACCEPTED : -1;
}

const struct cli_verb verb_publish = {
    .name = "publish",
    .arguments = "MODEL",
    .summary = "Sign a model, log it, and keep the proven bundle beside it",
    .details =
	"Says what becomes public, and asks unless --yes. The bundle is "
	"written\n"
	"only after the log's answer has been verified. Safe to repeat: what "
	"the\n"
	"bundle beside the model proves already is not logged again.",
    .run = run,
    .options = options,
};
