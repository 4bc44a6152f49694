/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_CORE_VERIFY_SCENE_H
#define MTLOG_TESTS_CORE_VERIFY_SCENE_H

#include "core/base/encoding.h"
#include "core/base/times.h"
#include "core/model/entry.h"
#include "core/model/tle.h"
#include "core/verify/verify.h"
#include "tests/core/verify/parties.h"
#include "tests/support/memory_tree.h"

/*
 * A signed model with all that a verifier can ask for, every part of which a
 * test can spoil. scene_init gives one that is accepted; a test changes a
 * field, scene_build makes bundles, log and policy of it, and scene_verify
 * judges. There are no files: the callback tells what the fields say.
 */
#define NOW	 UINT64_C(1795600000)
#define DAY	 UINT64_C(86400)
#define SIGNED	 (NOW - DAY)
#define NAME	 "acme/prod/m"
#define ORIGIN	 "log.example"
#define IDENTITY "email:ci@acme.example"

#define SCENE_EVIDENCE 4
#define MODEL_INDEX    5 /* in the log; evidence follows */

enum signed_with { WITH_CERTIFICATE, WITH_KEY };

/* A statement beside the model. */
struct scene_evidence {
	enum statement_kind kind; /* 0: it is not there */
	enum party by;
	bool unlogged;
	bool of_other;		    /* another S than the model's */
	bool of_name_only;	    /* another name than the model's */
	const struct hash *subject; /* instead of S */
	bool earlier;		    /* revocation: "withdraw" */
	uint64_t age, tree_size;    /* status */
	bool incomplete, withdraws, revokes;
	bool revokes_approval, withdraws_approval;
	const char *log; /* status; NULL: ORIGIN */
	bool certified;	 /* with ci's certificate in it */
	bool spoiled;	 /* its signature */
	struct hash digest;
	struct buf payload, json;
};

struct scene {
	struct parties *parties;
	uint64_t now;

	/* The policy; what is NULL or 0 is not in it. */
	uint64_t expires, serial;
	enum signed_with credential; /* that it has of ci */
	const char *identity;
	enum party anchor;
	uint64_t until, below;
	const char *quorum, *pattern, *signed_by, *approved_by, *withdrawn_by;
	const char *logged, *fresh, *unsigned_files, *hold_word;
	bool knows_log, knows_other_log;
	const char *deny;	      /* "statement", "file", "key" */
	const struct hash *deny_what; /* NULL: what is there */

	/* The model's bundle. */
	enum signed_with with;
	enum party by;
	struct certificate_wish leaf, root;
	const char *payload_type;
	struct bytes payload; /* empty: made of `name` and `version` */
	const char *name, *version;
	const char *file; /* the second of the two */
	bool v02;	  /* signed as model_signing 0.2 did */
	bool wrong_root, no_hint, no_entry, entry_of_evidence;
	enum party log;
	uint64_t cosigned[3];
	void (*spoil_entry)(struct tle *t);
	void (*spoil_bundle)(struct bundle *b);
	void (*spoil_json)(struct buf *json);

	/* What is asked, and what else there is. */
	const char *asked_name, *asked_version;
	bool allow_v02, bundle_alone;
	struct scene_evidence evidence[SCENE_EVIDENCE];
	bool withdraws_approval; /* the last one, the first's */
	bool model_last;	 /* in the log, behind the evidence */
	bool online;
	enum party current_log;
	uint64_t current_more; /* entries since; UINT64_MAX: no answer */
	bool current_forked;
	uint64_t current_cosigned[3];
	bool has_scan, scan_newest; /* the model is what the scan found */
	struct verify_scan scan;
	bool has_state;
	uint64_t state_serial;
	struct verify_memory memory;
	bool recall_fails;
	enum hold_strength hold;
	struct {
		bool fails, none_listed;
		unsigned changed, missing, unsigned_files, ignored, unchecked;
		enum hold_strength hold;
	} disk;

	/* Made of it. */
	struct buf spki, der, root_der, payload_text, model, text, note,
	    current_note;
	struct hash digest, file_digest; /* S; of config.json */
	uint64_t index, evidence_index;	 /* in the log */
	struct memory_tree tree;
	struct policy *policy;
	struct evidence_item items[SCENE_EVIDENCE];
	struct verify_current current;
	struct verify_state state;
};

static inline void
scene_init(struct scene *s, struct parties *p)
{
	*s = (struct scene){
	    .parties = p,
	    .now = NOW,
	    .expires = NOW + 1,
	    .serial = 7,
	    .identity = IDENTITY,
	    .anchor = ROOT,
	    .until = SIGNED + 1,
	    .below = MODEL_INDEX + 1,
	    .quorum = "two",
	    .pattern = "acme/prod/*",
	    .signed_by = "ci",
	    .approved_by = "any alice bob",
	    .withdrawn_by = "watcher",
	    .logged = "yes",
	    .fresh = "24h status watcher",
	    .unsigned_files = "refuse",
	    .hold_word = "verity",
	    .knows_log = true,
	    .deny = "statement",
	    .deny_what = &p->ids[EVE],
	    /* It has ended since: only the witnesses' time makes it good. */
	    .leaf = {CI, ROOT, false, IDENTITY, "codeSigning", SIGNED - DAY,
		SIGNED + 60, false},
	    .root = {ROOT, ROOT, true, NULL, NULL, SIGNED - 9 * DAY,
		NOW + 9 * DAY, false},
	    .payload_type = DSSE_IN_TOTO,
	    .name = NAME,
	    .version = "1.0",
	    .file = "weights/model.safetensors",
	    .log = LOG,
	    .cosigned = {SIGNED, SIGNED, 0},
	    .asked_name = NAME,
	    .asked_version = "1.0",
	    .evidence = {{.kind = STATEMENT_APPROVAL, .by = ALICE},
		{.kind = STATEMENT_STATUS,
		    .by = WATCHER,
		    .age = DAY,
		    .tree_size = 40,
		    .unlogged = true},
		/* Somebody else's word, and a word about something else. */
		{.kind = STATEMENT_WITHDRAWAL, .by = EVE},
		{.kind = STATEMENT_WITHDRAWAL,
		    .by = WATCHER,
		    .of_other = true}},
	    .online = true,
	    .current_log = LOG,
	    .current_more = 3,
	    .current_cosigned = {NOW - 60, 0, NOW - 60},
	    .has_state = true,
	    .state_serial = 7,
	    .memory = {.has_last = true,
		.last_index = MODEL_INDEX - 1,
		.has_pin = true,
		.pin_size = MODEL_INDEX},
	    .hold = HOLD_LEASE,
	    .disk = {.hold = HOLD_VERITY},
	};
}

static inline void
scene_release(struct scene *s)
{
	struct buf *bufs[] = {&s->spki, &s->der, &s->root_der, &s->payload_text,
	    &s->model, &s->text, &s->note, &s->current_note};

	for (size_t i = 0; i < sizeof(bufs) / sizeof(bufs[0]); i++)
		buf_release(bufs[i]);
	for (size_t i = 0; i < SCENE_EVIDENCE; i++) {
		buf_release(&s->evidence[i].payload);
		buf_release(&s->evidence[i].json);
	}
	memory_tree_release(&s->tree);
	if (s->policy)
		policy_release(s->policy);
	free(s->policy);
	s->policy = NULL;
}

/* --- statements ----------------------------------------------------------- */

static inline void
scene_payload(struct scene *s)
{
	AUTO(buf) predicate = BUF_INIT(65536);
	AUTO(manifest) m = {0};
	struct statement_subject subject = {.name = bytes_str(s->name)};
	struct statement st = {
	    .kind = STATEMENT_MODEL,
	    .subject_count = 1,
	    .subjects = &subject,
	    .version = bytes_str(s->version),
	};
	const char *const names[] = {"config.json", s->file};
	struct error err = {0};

	sha256(&s->parties->hasher, BYTES_LIT("{}"), &s->file_digest);
	buf_init(&s->payload_text, 1u << 20);
	manifest_init(&m, CONTENT_SHA256);
	for (size_t i = 0; i < 2; i++) {
		struct resource r = {
		    bytes_str(names[i]), hash_bytes(&s->file_digest), 0, 0};

		must(manifest_add(&m, &r, &err), &err);
	}
	must(manifest_root(&m, &subject.digest, &err), &err);
	if (s->wrong_root)
		subject.digest.b[0] ^= 1;
	manifest_format(&m, &predicate);
	st.predicate = buf_bytes(&predicate);
	if (s->payload.len > 0)
		buf_put(&s->payload_text, s->payload);
	else
		statement_format(&st, &s->payload_text);
	must(buf_ok(&predicate, &err) && buf_ok(&s->payload_text, &err), &err);
}

/* What a status withdraws or revokes, but the model's own is first. */
static inline void
scene_status(struct scene *s, struct scene_evidence *e, struct statement *st,
    struct hash lists[2])
{
	st->log = bytes_str(e->log ? e->log : ORIGIN);
	st->tree_size = e->tree_size;
	st->checked = s->now - e->age;
	st->complete = !e->incomplete;
	lists[0] = e->withdraws_approval ? s->evidence[0].digest : s->digest;
	lists[1] =
	    e->revokes_approval ? s->parties->ids[ALICE] : s->parties->ids[CI];
	st->withdrawn = &lists[0];
	st->withdrawn_count = e->withdraws || e->withdraws_approval;
	st->revoked = &lists[1];
	st->revoked_count = e->revokes || e->revokes_approval;
}

static inline void
scene_evidence_payload(struct scene *s, struct scene_evidence *e)
{
	bool revocation = e->kind == STATEMENT_REVOCATION;
	struct statement_subject subject = {
	    .name = bytes_str(revocation ? "key"
		    : e->of_name_only	 ? NAME "2"
					 : NAME),
	    .digest = e->subject ? *e->subject
		: revocation	 ? s->parties->ids[CI]
		: s->withdraws_approval && e == &s->evidence[SCENE_EVIDENCE - 1]
		? s->evidence[0].digest
		: e->of_other ? s->parties->ids[EVE]
			      : s->digest,
	};
	struct statement st = {
	    .kind = e->kind,
	    .subject_count = 1,
	    .subjects = &subject,
	    .role = BYTES_LIT("review"),
	    .reason = bytes_str(revocation ? "compromised" : "unsafe"),
	    .earlier_withdrawn = e->earlier,
	};
	struct envelope v = {.payload_type = BYTES_LIT(DSSE_IN_TOTO)};
	struct hash lists[2];
	struct error err = {0};

	if (e->kind == STATEMENT_STATUS)
		scene_status(s, e, &st, lists);
	buf_init(&e->payload, 65536);
	statement_format(&st, &e->payload);
	v.payload = buf_bytes(&e->payload);
	must(buf_ok(&e->payload, &err) &&
		dsse_statement_digest(&v, &e->digest, &err),
	    &err);
}

/* --- bundles -------------------------------------------------------------- */

/* One statement, signed, on its way into the log. */
struct scene_bundle {
	struct bundle b;
	struct buf signature, leaf, entry;
	char hint[2 * HASH_LEN + 1];
};

static inline void
scene_bundle_release(struct scene_bundle *x)
{
	buf_release(&x->signature);
	buf_release(&x->leaf);
	buf_release(&x->entry);
}

static inline void
scene_sign(struct scene *s, enum party by, struct bytes payload,
    struct scene_bundle *x)
{
	struct parties *p = s->parties;
	struct bytes spki = buf_bytes(&p->spki[by]);
	struct error err = {0};

	x->b.version = 3;
	x->b.material = BUNDLE_KEY;
	x->b.envelope.payload_type = BYTES_LIT(DSSE_IN_TOTO);
	x->b.envelope.payload = payload;
	key_hint(&p->hasher, spki, x->hint);
	x->b.hint = bytes_str(x->hint);
	buf_init(&x->signature, SIGNATURE_MAX_LEN);
	buf_init(&x->leaf, ENTRY_LEAF_MAX);
	sign_envelope(p, by, &x->b.envelope, &x->signature);
	x->b.envelope.signature = buf_bytes(&x->signature);
	must(bundle_leaf(&x->b, spki, &x->leaf, &err), &err);
}

/* As dsse_verify_v02 wants it, of a payload that Python need not escape. */
static inline void
scene_sign_v02(struct scene *s, struct scene_bundle *x)
{
	AUTO(buf) text = BUF_INIT(1u << 20);
	struct bytes payload = buf_bytes(&s->payload_text);
	struct error err = {0};

	buf_printf(&text, "DSSEV1 %zu %s %zu b'", strlen(s->payload_type),
	    s->payload_type, payload.len);
	buf_put(&text, payload);
	buf_put_u8(&text, '\'');
	buf_clear(&x->signature);
	must(buf_ok(&text, &err) &&
		private_key_sign(s->parties->keys[s->by], buf_bytes(&text),
		    &x->signature, &err),
	    &err);
	x->b.envelope.signature = buf_bytes(&x->signature);
}

/* Signed with the key of a certificate. */
static inline void
scene_certify(struct bytes certificate, struct scene_bundle *x)
{
	struct error err = {0};

	x->b.material = BUNDLE_CHAIN;
	x->b.certificate_count = 1;
	x->b.certificates[0] = certificate;
	buf_clear(&x->leaf);
	must(bundle_leaf(&x->b, certificate, &x->leaf, &err), &err);
}

/* The model's own: another type, a certificate. */
static inline void
scene_sign_model(struct scene *s, struct scene_bundle *x)
{
	struct parties *p = s->parties;
	struct error err = {0};

	scene_sign(s, s->by, buf_bytes(&s->payload_text), x);
	if (s->no_hint)
		x->b.hint = (struct bytes){0};
	if (strcmp(s->payload_type, DSSE_IN_TOTO) != 0) {
		x->b.envelope.payload_type = bytes_str(s->payload_type);
		buf_clear(&x->signature);
		sign_envelope(p, s->by, &x->b.envelope, &x->signature);
		x->b.envelope.signature = buf_bytes(&x->signature);
	}
	if (s->v02)
		scene_sign_v02(s, x);
	must(dsse_statement_digest(&x->b.envelope, &s->digest, &err), &err);
	buf_init(&s->der, CERTIFICATE_MAX_LEN);
	certify(p, &s->leaf, &s->der);
	if (s->with == WITH_CERTIFICATE) {
		scene_certify(buf_bytes(&s->der), x);
		return;
	}
	buf_clear(&x->leaf);
	must(bundle_leaf(&x->b, buf_bytes(&p->spki[s->by]), &x->leaf, &err),
	    &err);
}

static inline void
scene_add_leaf(struct scene *s, struct bytes leaf)
{
	struct hasher *h = &s->parties->hasher;
	struct hash hash;

	merkle_leaf(h, leaf, &hash);
	memory_tree_add(&s->tree, h, &hash);
}

/* The log's answer about a leaf, into the bundle. */
static inline void
scene_enter(struct scene *s, uint64_t index, uint64_t size, struct bytes leaf,
    void (*spoil)(struct tle *), struct scene_bundle *x)
{
	struct node_reader nodes = memory_tree_nodes(&s->tree, size);
	struct hasher *h = &s->parties->hasher;
	struct tle t = {
	    .index = index,
	    .log_id = s->parties->vkeys[s->log].log_id,
	    .size = size,
	    .checkpoint = buf_bytes(&s->note),
	    .body = leaf,
	};
	struct error err = {0};

	must(merkle_root(h, &nodes, size, &t.root, &err) &&
		proof_inclusion(h, &nodes, index, size, &t.proof, &err),
	    &err);
	if (spoil)
		spoil(&t);
	buf_init(&x->entry, TLE_MAX_LEN);
	tle_format(&t, &x->entry);
	x->b.entries[x->b.entry_count++] = buf_bytes(&x->entry);
}

static inline void
scene_head(struct scene *s, uint64_t size)
{
	struct node_reader nodes = memory_tree_nodes(&s->tree, size);
	struct hasher *h = &s->parties->hasher;
	struct error err = {0};
	struct hash root;

	must(merkle_root(h, &nodes, size, &root, &err), &err);
	buf_init(&s->note, NOTE_MAX_LEN);
	sign_head(s->parties, s->log, size, &root, s->cosigned, &s->note);
}

/* What the log shows now: some entries more. */
static inline void
scene_current(struct scene *s, uint64_t old)
{
	struct hasher *h = &s->parties->hasher;
	uint64_t size;
	struct node_reader nodes;
	struct error err = {0};
	struct hash root;

	if (s->current_more == UINT64_MAX)
		return;
	memory_tree_fill(&s->tree, h, old + s->current_more);
	size = old + s->current_more;
	nodes = memory_tree_nodes(&s->tree, size);
	must(merkle_root(h, &nodes, size, &root, &err) &&
		(size < old ||
		    proof_consistency(
			h, &nodes, old, size, &s->current.proof, &err)),
	    &err);
	if (s->current_forked)
		root.b[0] ^= 1;
	buf_init(&s->current_note, NOTE_MAX_LEN);
	sign_head(s->parties, s->current_log, size, &root, s->current_cosigned,
	    &s->current_note);
	s->current.checkpoint = buf_bytes(&s->current_note);
}

/* --- the policy ----------------------------------------------------------- */

static inline void
put_line(struct buf *out, const char *keyword, const char *rest)
{
	if (rest)
		buf_printf(out, "%s %s\n", keyword, rest);
}

static inline void
put_vkey(struct scene *s, const char *keyword, enum party who)
{
	buf_put_str(&s->text, keyword);
	buf_put_u8(&s->text, ' ');
	vkey_format(&s->parties->vkeys[who], &s->text);
	buf_put_u8(&s->text, '\n');
}

static inline void
scene_signers(struct scene *s)
{
	struct parties *p = s->parties;
	struct buf *t = &s->text;

	if (s->credential == WITH_CERTIFICATE) {
		buf_printf(t, "ca corp ");
		base64_put(t, buf_bytes(&s->root_der));
		buf_printf(t, "\nsigner ci cert corp %s", s->identity);
	} else {
		buf_put_str(t, "signer ci key ");
		base64_put(t, buf_bytes(&p->spki[CI]));
	}
	if (s->until > 0) {
		buf_put_str(t, " until ");
		time_put(t, s->until);
	}
	if (s->below > 0)
		buf_printf(
		    t, " below " ORIGIN " %llu", (unsigned long long)s->below);
	for (enum party i = ALICE; i <= WATCHER; i++) {
		buf_printf(t, "\nsigner %s key ", party_names[i]);
		base64_put(t, buf_bytes(&p->spki[i]));
	}
	buf_put_u8(t, '\n');
}

static inline void
scene_policy(struct scene *s)
{
	struct buf *t = &s->text;
	struct error err = {0};

	buf_init(t, POLICY_MAX_LEN);
	if (s->knows_log)
		put_vkey(s, "log", LOG);
	if (s->knows_other_log)
		put_vkey(s, "log", OTHER_LOG);
	for (enum party i = W1; i <= W3; i++) {
		char keyword[32];

		(void)snprintf(keyword, sizeof(keyword), "witness w%d",
		    (int)i - (int)W1 + 1);
		put_vkey(s, keyword, i);
	}
	buf_printf(
	    t, "group two 2 w1 w2 w3\nquorum %s\nmtlog-policy 1\n", s->quorum);
	if (s->serial > 0)
		buf_printf(t, "serial %llu\n", (unsigned long long)s->serial);
	if (s->expires > 0) {
		buf_put_str(t, "expires ");
		time_put(t, s->expires);
		buf_put_u8(t, '\n');
	}
	buf_init(&s->root_der, CERTIFICATE_MAX_LEN);
	s->root.subject = s->root.issuer = s->anchor;
	certify(s->parties, &s->root, &s->root_der);
	scene_signers(s);
	if (s->deny) {
		buf_printf(t, "deny %s ", s->deny);
		hex_put(
		    t, hash_bytes(s->deny_what ? s->deny_what : &s->digest));
		buf_put_u8(t, '\n');
	}
	put_line(t, "model", s->pattern);
	put_line(t, "signed-by", s->signed_by);
	put_line(t, "approved-by", s->approved_by);
	put_line(t, "withdrawn-by", s->withdrawn_by);
	put_line(t, "logged", s->logged);
	put_line(t, "fresh", s->fresh);
	put_line(t, "unsigned", s->unsigned_files);
	put_line(t, "hold", s->hold_word);
	s->policy = calloc(1, sizeof(*s->policy));
	assert_non_null(s->policy);
	if (!policy_parse(buf_bytes(t), s->policy, &err))
		fail_msg("%s:\n%.*s", err.text, (int)t->len, (char *)t->ptr);
}

/* --- all of it ------------------------------------------------------------ */

static inline void
scene_finish(struct scene_bundle *x, struct buf *out)
{
	struct error err = {0};

	buf_init(out, BUNDLE_MAX_LEN);
	bundle_format(&x->b, out);
	must(buf_ok(out, &err), &err);
}

static inline void
scene_build_evidence(struct scene *s, struct scene_bundle *all)
{
	for (size_t i = 0; i < SCENE_EVIDENCE; i++) {
		struct scene_evidence *e = &s->evidence[i];

		if (e->kind == 0)
			continue;
		scene_evidence_payload(s, e);
		scene_sign(s, e->by, buf_bytes(&e->payload), &all[i]);
		if (e->certified)
			scene_certify(buf_bytes(&s->der), &all[i]);
		if (e->spoiled)
			all[i].signature.ptr[all[i].signature.len - 1] ^= 1;
	}
}

/* The log: other entries, the model's, and those of the evidence. */
static inline uint64_t
scene_build_log(
    struct scene *s, const struct scene_bundle *model, struct scene_bundle *all)
{
	struct hasher *h = &s->parties->hasher;

	memory_tree_init(&s->tree, 1000);
	memory_tree_fill(&s->tree, h, MODEL_INDEX);
	s->index = s->tree.size + (s->model_last ? SCENE_EVIDENCE : 0);
	if (!s->model_last)
		scene_add_leaf(s, buf_bytes(&model->leaf));
	s->evidence_index = s->tree.size;
	for (size_t i = 0; i < SCENE_EVIDENCE; i++)
		scene_add_leaf(s, buf_bytes(&all[i].leaf));
	if (s->model_last)
		scene_add_leaf(s, buf_bytes(&model->leaf));
	scene_head(s, s->tree.size);
	return s->tree.size;
}

static inline void
scene_build(struct scene *s)
{
	struct scene_bundle model = {0}, all[SCENE_EVIDENCE] = {0};
	uint64_t size;

	scene_payload(s);
	scene_sign_model(s, &model);
	scene_build_evidence(s, all);
	size = scene_build_log(s, &model, all);
	for (size_t i = 0; i < SCENE_EVIDENCE; i++) {
		struct scene_evidence *e = &s->evidence[i];

		if (e->kind == 0)
			continue;
		if (!e->unlogged)
			scene_enter(s, s->evidence_index + i, size,
			    buf_bytes(&all[i].leaf), NULL, &all[i]);
		scene_finish(&all[i], &e->json);
		s->items[i] =
		    (struct evidence_item){"evidence", buf_bytes(&e->json)};
	}
	if (!s->no_entry)
		scene_enter(s, s->index, size,
		    buf_bytes(
			s->entry_of_evidence ? &all[0].leaf : &model.leaf),
		    s->spoil_entry, &model);
	if (s->spoil_bundle)
		s->spoil_bundle(&model.b);
	scene_finish(&model, &s->model);
	if (s->spoil_json)
		s->spoil_json(&s->model);
	scene_current(s, size);
	scene_policy(s);
	scene_bundle_release(&model);
	for (size_t i = 0; i < SCENE_EVIDENCE; i++)
		scene_bundle_release(&all[i]);
}

static inline bool
scene_recall(void *arg, struct bytes origin, struct bytes name,
    struct verify_memory *out, struct error *err)
{
	const struct scene *s = arg;

	if (s->recall_fails)
		return error_reason(err, ERR_IO, "permission", "no memory");
	if (bytes_equal(origin, BYTES_LIT(ORIGIN)) &&
	    bytes_equal(name, bytes_str(s->name)))
		*out = s->memory;
	return true;
}

/* Tells of the disk what the scene says. */
static inline bool
scene_files(void *arg, const struct manifest *m,
    const struct manifest_files *files, enum hold_strength weakest,
    struct verdict *v, struct error *err)
{
	const struct scene *s = arg;
	struct verdict_files *f = &v->files;

	(void)m;
	(void)weakest;
	if (s->disk.fails)
		return error_reason(err, ERR_IO, "too-many-files", "no files");
	f->listed = s->disk.none_listed ? 0 : files->count;
	f->checked = f->listed - s->disk.unchecked;
	f->changed_count = s->disk.changed;
	f->missing_count = s->disk.missing;
	f->unsigned_count = s->disk.unsigned_files;
	f->ignored_count = s->disk.ignored;
	f->changed[0].name = f->missing[0] = BYTES_LIT("config.json");
	f->unsigned_files[0] = BYTES_LIT("evil.py");
	v->hold = s->disk.hold;
	return true;
}

/* scene_verify judges; the scene stays as it is, for another time. */
static inline bool
scene_verify(struct scene *s, struct verdict *out)
{
	AUTO(buf) bundle = BUF_INIT(BUNDLE_MAX_LEN);
	struct evidence_item items[SCENE_EVIDENCE];
	struct verify_input in = {
	    .policy = s->policy,
	    .model = BYTES_LIT("models/m"),
	    .now = s->now,
	    .bundle = &bundle,
	    .evidence = items,
	    .online = s->online,
	    .allow_v02 = s->allow_v02,
	    .hold = s->hold,
	};

	buf_put(&bundle, buf_bytes(&s->model));
	for (size_t i = 0; i < SCENE_EVIDENCE; i++)
		if (s->evidence[i].kind != 0)
			items[in.evidence_count++] = s->items[i];
	if (s->asked_name)
		in.asked_name = bytes_str(s->asked_name);
	if (s->asked_version)
		in.asked_version = bytes_str(s->asked_version);
	if (s->current_more != UINT64_MAX)
		in.current = &s->current;
	if (s->scan_newest)
		s->scan.newest = s->digest;
	if (s->has_scan)
		in.scan = &s->scan;
	s->state = (struct verify_state){s->state_serial, scene_recall, s};
	if (s->has_state)
		in.state = &s->state;
	if (!s->bundle_alone)
		in.files = (struct verify_files){scene_files, s};
	verdict_init(out);
	return verify(&in, out);
}

#endif
