/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/sign.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "client/lib/sources.h"
#include "core/base/cleanup.h"
#include "core/crypto/pem.h"
#include "core/identity/certificate.h"
#include "core/identity/x509_chain.h"
#include "core/model/dsse.h"

/* One run of sign_manifest. */
struct work {
	const struct sign_options *o;
	struct manifest *m;
	struct file_tree tree;
	char *signature; /* the bundle's name in the model; NULL: elsewhere */
	struct tree_piece *pieces;
	size_t piece_count;
};

static const char *const defaults[] = {
    ".git", ".gitattributes", ".github", ".gitignore", ".mtlog"};

#define DEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

static bool
left_out(void *arg, struct bytes name)
{
	const struct sign_options *o = arg;

	for (size_t i = 0; i < DEFAULTS; i++)
		if (manifest_name_below(name, bytes_str(defaults[i])))
			return true;
	for (size_t i = 0; o->ignored && o->ignored[i]; i++)
		if (manifest_name_below(name, bytes_str(o->ignored[i])))
			return true;
	return false;
}

static bool
ignored_exists(const struct work *w, const char *path, struct error *err)
{
	struct stat st;

	if (!manifest_name_valid(bytes_str(path)) || strcmp(path, ".") == 0)
		return error_set(err, ERR_USAGE,
		    "--ignore %s: give a path relative to the model, without "
		    ". or ..",
		    path);
	return fstatat(w->tree.root, path, &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	    error_set(err, ERR_USAGE,
		"--ignore %s: there is no such path in the model", path);
}

static int
compare_paths(const void *a, const void *b)
{
	const struct bytes *x = a, *y = b;
	size_t n = x->len < y->len ? x->len : y->len;
	int c = memcmp(x->ptr, y->ptr, n);

	return c != 0 ? c : x->len < y->len ? -1 : x->len > y->len;
}

static bool
record_ignored(struct work *w, struct bytes path, struct error *err)
{
	for (size_t i = 0; i < w->m->ignored_count; i++)
		if (bytes_equal(w->m->ignored[i], path))
			return true;
	if (w->m->ignored_count == MANIFEST_MAX_IGNORED)
		return error_set(err, ERR_USAGE, "more than %d ignored paths",
		    MANIFEST_MAX_IGNORED);
	return arena_dup(
	    &w->m->storage, path, &w->m->ignored[w->m->ignored_count++], err);
}

static bool
record_all_ignored(struct work *w, struct error *err)
{
	const char *const *more = w->o->ignored;
	struct manifest *m = w->m;
	bool ok = true;

	m->ignored = arena_alloc(
	    &m->storage, MANIFEST_MAX_IGNORED, sizeof(*m->ignored), err);
	if (!m->ignored)
		return false;
	for (size_t i = 0; ok && i < DEFAULTS; i++)
		ok = record_ignored(w, bytes_str(defaults[i]), err);
	for (size_t i = 0; ok && more && more[i]; i++)
		ok = ignored_exists(w, more[i], err) &&
		    record_ignored(w, bytes_str(more[i]), err);
	/* Recorded whether it is there already or not: signing again gives the
	 * same payload. */
	if (ok && w->signature)
		ok = record_ignored(w, bytes_str(w->signature), err);
	if (ok)
		qsort(m->ignored, m->ignored_count, sizeof(*m->ignored),
		    compare_paths);
	return ok;
}

static bool
may_sign(const struct work *w, const struct tree_file *f, struct error *err)
{
	AUTO(buf) name = BUF_INIT(MANIFEST_NAME_MAX);

	buf_put(&name, f->name);
	if (f->kind == TREE_LINK && !w->o->allow_symlinks)
		return error_reason(err, ERR_DENIED, "file-type",
		    "%.*s is a symbolic link, which a signature does not "
		    "cover; replace it with the file, or --ignore it",
		    (int)name.len, (const char *)name.ptr);
	if (f->kind == TREE_OTHER)
		return error_reason(err, ERR_DENIED, "file-type",
		    "%.*s is no regular file; --ignore it", (int)name.len,
		    (const char *)name.ptr);
	if (w->o->shard_size > 0 && f->size == 0 && f->kind == TREE_FILE &&
	    !w->o->allow_empty)
		return error_set(err, ERR_USAGE,
		    "%.*s is empty, and shards do not list empty files: others "
		    "could be added unseen. Sign whole files, or say "
		    "--allow-empty-in-shards",
		    (int)name.len, (const char *)name.ptr);
	return true;
}

static bool
add_pieces(struct work *w, const struct tree_file *f, size_t room)
{
	uint64_t shard = w->o->shard_size;

	if (shard == 0) {
		if (w->piece_count == room)
			return false;
		w->pieces[w->piece_count++] =
		    (struct tree_piece){.name = f->name, .size = f->size};
		return true;
	}
	for (uint64_t at = 0; at < f->size; at += shard) {
		uint64_t end = f->size - at > shard ? at + shard : f->size;

		if (w->piece_count == room)
			return false;
		w->pieces[w->piece_count++] = (struct tree_piece){
		    .name = f->name,
		    .start = at,
		    .end = end,
		    .size = end - at,
		};
	}
	return true;
}

static bool
lay_out(struct work *w, struct error *err)
{
	size_t room = 0;

	for (size_t i = 0; i < w->tree.count; i++)
		room += w->o->shard_size == 0
		    ? 1
		    : (size_t)(w->tree.files[i].size / w->o->shard_size) + 1;
	if (room > MANIFEST_MAX_RESOURCES)
		return error_set(err, ERR_LIMIT,
		    "the model has %zu resources, and a manifest takes %d; "
		    "larger shards make fewer",
		    room, MANIFEST_MAX_RESOURCES);
	w->pieces = calloc(room ? room : 1, sizeof(*w->pieces));
	if (!w->pieces)
		return error_set(err, ERR_INTERNAL, "out of memory");
	for (size_t i = 0; i < w->tree.count; i++) {
		const struct tree_file *f = &w->tree.files[i];

		if (w->signature &&
		    bytes_equal(f->name, bytes_str(w->signature)))
			continue;
		if (!may_sign(w, f, err))
			return false;
		if (!add_pieces(w, f, room))
			return error_set(err, ERR_INTERNAL,
			    "more pieces than were counted: a defect");
	}
	return w->piece_count > 0 ||
	    error_set(err, ERR_USAGE, "%s has no file to sign", w->o->path);
}

static bool
hash_all(struct work *w, struct error *err)
{
	struct tree_hash_options options = {
	    .algorithm = w->m->algorithm,
	    .threads = w->o->threads,
	    .links = w->o->allow_symlinks,
	    .progress = w->o->progress,
	    .arg = w->o->progress_arg,
	};

	for (size_t i = 0; i < w->piece_count; i++)
		options.total += w->pieces[i].size;
	if (!tree_hash(&w->tree, w->pieces, w->piece_count, &options, err))
		return false;
	for (size_t i = 0; i < w->piece_count; i++)
		if (w->pieces[i].fault.code != ERR_NONE)
			return tree_fault_explain(
			    &w->pieces[i].fault, w->pieces[i].name, err);
	return true;
}

static bool
fill_manifest(struct work *w, struct error *err)
{
	size_t n = content_digest_len(w->m->algorithm);

	for (size_t i = 0; i < w->piece_count; i++) {
		const struct tree_piece *p = &w->pieces[i];
		struct resource r = {
		    .name = w->tree.single && !w->o->dot_name ? w->tree.base
							      : p->name,
		    .digest = bytes_of(p->digest, n),
		    .start = p->start,
		    .end = p->end,
		};

		if (!manifest_name_valid(r.name))
			return error_reason(err, ERR_DENIED, "file-type",
			    "a file's name is too long or not UTF-8");
		if (!manifest_add(w->m, &r, err))
			return false;
	}
	manifest_sort(w->m);
	return true;
}

bool
sign_manifest(const struct sign_options *options, struct manifest *out,
    struct buf *base, struct error *err)
{
	struct work w = {.o = options, .m = out, .tree = FILE_TREE_INIT};
	bool ok;

	manifest_init(
	    out, options->algorithm ? options->algorithm : CONTENT_SHA256);
	out->sharded = options->shard_size > 0;
	out->shard_size = options->shard_size;
	out->allow_symlinks = options->allow_symlinks;
	/* left_out only reads what it is given. */
	ok = (!options->signature ||
		 signature_within(
		     options->path, options->signature, &w.signature, err)) &&
	    file_tree_open(AT_FDCWD, options->path, left_out,
		(void *)(uintptr_t)options, &w.tree, err) &&
	    record_all_ignored(&w, err) && lay_out(&w, err) &&
	    hash_all(&w, err) && fill_manifest(&w, err);
	if (ok)
		buf_put(base, w.tree.base);
	free(w.signature);
	free(w.pieces);
	file_tree_release(&w.tree);
	return ok;
}

bool
sign_statement(const struct manifest *m, struct bytes name,
    struct bytes version, struct buf *payload, struct error *err)
{
	AUTO(buf) predicate = BUF_INIT(BUNDLE_MAX_LEN);
	struct statement_subject subject = {.name = name};
	struct statement s = {
	    .kind = STATEMENT_MODEL,
	    .subject_count = 1,
	    .subjects = &subject,
	    .version = version,
	};

	if (!model_name_valid(name))
		return error_set(err, ERR_USAGE,
		    "the name %.*s is none that a policy can ask for: segments "
		    "of letters, digits and . _ -, joined by /; say --name",
		    (int)name.len, (const char *)name.ptr);
	if (version.len > 0 && !model_version_valid(version))
		return error_set(err, ERR_USAGE,
		    "a version is 1 to %d letters, digits and . _ + -",
		    STATEMENT_VERSION_MAX);
	if (!manifest_root(m, &subject.digest, err))
		return false;
	manifest_format(m, &predicate);
	s.predicate = buf_bytes(&predicate);
	statement_format(&s, payload);
	return buf_ok(&predicate, err) && buf_ok(payload, err);
}

/* From when on all of them are valid. */
static bool
all_begun(const struct sign_identity *who, uint64_t *out, struct error *err)
{
	struct certificate c;

	*out = 0;
	for (size_t i = 0; i < who->certificate_count; i++) {
		if (!certificate_parse(who->certificates[i], &c, err))
			return false;
		if (c.not_before > *out)
			*out = c.not_before;
	}
	return true;
}

/* Each certificate leads to the last, which the verifier's root has signed or
 * is. */
static bool
chain_fits(const struct sign_identity *who, struct error *err)
{
	size_t n = who->certificate_count;
	struct chain c = {
	    .leaf = who->certificates[0],
	    .intermediate_count = n - 2,
	    .intermediates = who->certificates + 1,
	    .anchor_count = 1,
	    .anchors = &who->certificates[n - 1],
	};
	struct chain_path path;
	struct error why = {0};

	if (!all_begun(who, &c.time, &why) ||
	    !chain_find(&c, CHAIN_CODE_SIGNING, &path, &why))
		return error_set(err,
		    why.code == ERR_INTERNAL ? ERR_INTERNAL : ERR_USAGE,
		    "the chain does not lead from the signer's certificate to "
		    "the last: %s",
		    why.text);
	return path.count == n ||
	    error_set(err, ERR_USAGE,
		"the chain has %zu certificates of which only %zu lead from "
		"the signer's to the last",
		n, path.count);
}

/* A certificate for another key, or issuers that did not issue it, would make
 * a signature that never verifies. */
static bool
certificate_fits(const struct sign_identity *who, struct error *err)
{
	struct public_key key;

	if (who->certificate_count == 0)
		return true;
	if (!certificate_key_parse(who->certificates[0], &key, err))
		return false;
	if (!bytes_equal(key.spki, buf_bytes(&who->signer->spki)))
		return error_set(err, ERR_USAGE,
		    "the certificate is for another key than the one that "
		    "signs");
	return who->certificate_count == 1 || chain_fits(who, err);
}

bool
sign_bundle(const struct sign_identity *who, struct bytes payload,
    struct buf *bundle, struct error *err)
{
	AUTO(buf) signature = BUF_INIT(SIGNATURE_MAX_LEN);
	AUTO(hasher) h = {0};
	enum digest_algorithm alg =
	    key_digest_algorithm(who->signer->algorithm);
	uint8_t digest[DIGEST_MAX_LEN];
	char hint[2 * HASH_LEN + 1];
	struct bundle b = {
	    .version = 3,
	    .material = who->certificate_count > 0 ? BUNDLE_CHAIN : BUNDLE_KEY,
	    .certificate_count = who->certificate_count,
	    .envelope = {BYTES_LIT(DSSE_IN_TOTO), payload, {0}},
	};

	if (!certificate_fits(who, err) || !hasher_open(&h, err) ||
	    !dsse_digest(alg, b.envelope.payload_type, payload, digest, err) ||
	    !who->signer->sign(who->signer->arg, alg,
		bytes_of(digest, digest_len(alg)), &signature, err))
		return false;
	key_hint(&h, buf_bytes(&who->signer->spki), hint);
	b.hint = bytes_str(hint);
	b.envelope.signature = buf_bytes(&signature);
	for (size_t i = 0; i < who->certificate_count; i++)
		b.certificates[i] = who->certificates[i];
	bundle_format(&b, bundle);
	return hasher_ok(&h, err) && buf_ok(bundle, err);
}
