/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/model_files.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/cleanup.h"

/* One run of model_files_check. */
struct work {
	struct model_files *f;
	const struct manifest *m;
	const struct manifest_files *files;
	struct verdict *v;
	const struct manifest_file **chosen;
	size_t chosen_count;
	uint8_t *taken;		   /* of each file, whether it was chosen */
	struct tree_piece *pieces; /* of each chosen file, shard by shard */
	const struct resource **expected;
	size_t piece_count;
};

bool
model_files_skip(void *arg, struct bytes name)
{
	static const char *const left_out[] = {
	    ".mtlog", ".git", ".gitignore", ".gitattributes", ".github"};

	(void)arg;
	for (size_t i = 0; i < sizeof(left_out) / sizeof(left_out[0]); i++)
		if (bytes_equal(name, bytes_str(left_out[i])))
			return true;
	return false;
}

static struct bytes
keep(struct work *w, struct bytes name)
{
	struct error ignored = {0};
	struct bytes copy = {0};

	return arena_dup(&w->v->storage, name, &copy, &ignored)
	    ? copy
	    : BYTES_LIT("?");
}

static void
add_name(struct work *w, struct bytes *list, uint64_t *count, struct bytes name)
{
	if (*count < VERDICT_MAX_NAMES)
		list[*count] = keep(w, name);
	(*count)++;
}

static void
add_changed(struct work *w, const struct resource *r, const uint8_t *actual)
{
	struct verdict_files *f = &w->v->files;

	if (f->changed_count < VERDICT_MAX_NAMES) {
		struct verdict_change *c = &f->changed[f->changed_count];

		*c = (struct verdict_change){.name = keep(w, r->name)};
		c->digest_len = r->digest.len;
		memcpy(c->expected, r->digest.ptr, r->digest.len);
		if (actual)
			memcpy(c->actual, actual, r->digest.len);
	}
	f->changed_count++;
}

/* A single-file model's one resource is "." or its own name. */
static struct bytes
name_on_disk(const struct work *w, struct bytes name)
{
	const struct file_tree *t = w->f->tree;

	if (t->single &&
	    (bytes_equal(name, BYTES_LIT(".")) || bytes_equal(name, t->base)))
		return BYTES_LIT(".");
	return name;
}

static bool
choose(struct work *w, struct error *err)
{
	const char *const *wanted = w->f->job->files;
	size_t n = 0;

	w->chosen =
	    calloc(w->files->count ? w->files->count : 1, sizeof(void *));
	w->taken = calloc(w->files->count ? w->files->count : 1, 1);
	if (!w->chosen || !w->taken)
		return error_set(err, ERR_INTERNAL, "out of memory");
	for (size_t i = 0; wanted && wanted[i]; i++) {
		const struct manifest_file *f =
		    manifest_files_find(w->files, bytes_str(wanted[i]));

		if (!f)
			return error_reason(err, ERR_DENIED, "file-missing",
			    "the manifest has no file %s", wanted[i]);
		w->taken[f - w->files->files] = 1;
	}
	for (size_t i = 0; i < w->files->count; i++)
		if (!wanted || w->taken[i])
			w->chosen[n++] = &w->files->files[i];
	w->chosen_count = n;
	return true;
}

static bool
lay_out(struct work *w, struct error *err)
{
	size_t n = 0;

	for (size_t i = 0; i < w->chosen_count; i++)
		n += w->chosen[i]->shards;
	w->pieces = calloc(n ? n : 1, sizeof(*w->pieces));
	w->expected = calloc(n ? n : 1, sizeof(void *));
	if (!w->pieces || !w->expected)
		return error_set(err, ERR_INTERNAL, "out of memory");
	for (size_t i = 0; i < w->chosen_count; i++) {
		const struct manifest_file *f = w->chosen[i];

		for (size_t k = 0; k < f->shards; k++) {
			const struct resource *r =
			    &w->m->resources[w->files->order[f->first + k]];

			w->expected[w->piece_count] = r;
			w->pieces[w->piece_count++] = (struct tree_piece){
			    .name = name_on_disk(w, r->name),
			    .start = r->start,
			    .end = r->end,
			    .size = r->end - r->start,
			};
		}
	}
	return true;
}

/* What became of one file: the first shard that is wrong speaks for it. */
static bool
judge_file(
    struct work *w, const struct manifest_file *f, size_t at, struct error *err)
{
	struct verdict_files *out = &w->v->files;

	for (size_t k = 0; k < f->shards; k++) {
		const struct tree_piece *p = &w->pieces[at + k];
		const struct resource *r = w->expected[at + k];

		if (p->fault.code == ERR_NOTFOUND) {
			add_name(w, out->missing, &out->missing_count, f->name);
			return true;
		}
		if (p->fault.reason &&
		    strcmp(p->fault.reason, "file-changed") == 0) {
			add_changed(w, r, NULL);
			break;
		}
		if (p->fault.code != ERR_NONE)
			return tree_fault_explain(&p->fault, f->name, err);
		if (!bytes_equal(
			r->digest, bytes_of(p->digest, r->digest.len)) ||
		    (w->m->sharded && p->file_size != f->size)) {
			add_changed(w, r, p->digest);
			break;
		}
	}
	out->checked++;
	return true;
}

static bool
judge_files(struct work *w, struct error *err)
{
	size_t at = 0;

	w->v->files.listed = w->files->count;
	for (size_t i = 0; i < w->chosen_count; i++) {
		if (!judge_file(w, w->chosen[i], at, err))
			return false;
		at += w->chosen[i]->shards;
	}
	return true;
}

/* What is listed is looked at in any case; who says otherwise means another
 * path, or another model. */
static bool
ignores_no_listed(const struct work *w, struct error *err)
{
	const char *const *paths = w->f->job->ignored;

	for (size_t i = 0; paths && paths[i]; i++)
		for (size_t n = 0; n < w->files->count; n++) {
			struct bytes name = w->files->files[n].name;

			if (manifest_name_below(name, bytes_str(paths[i])))
				return error_set(err, ERR_USAGE,
				    "--ignore %s: the signature lists %.*s",
				    paths[i], (int)name.len,
				    (const char *)name.ptr);
		}
	return true;
}

static bool
is_ignored(const struct work *w, struct bytes name)
{
	const struct job *job = w->f->job;

	if (!job->ignores_count)
		return false;
	for (size_t i = 0; job->ignored && job->ignored[i]; i++)
		if (manifest_name_below(name, bytes_str(job->ignored[i])))
			return true;
	return manifest_ignores(w->m, name);
}

/* A link to a folder whose files are listed by way of it. */
static bool
leads_to_listed(const struct work *w, const struct tree_file *f)
{
	if (f->kind != TREE_LINK || !w->m->allow_symlinks)
		return false;
	for (size_t i = 0; i < w->files->count; i++)
		if (w->files->files[i].name.len > f->name.len &&
		    manifest_name_below(w->files->files[i].name, f->name))
			return true;
	return false;
}

static void
find_unsigned(struct work *w)
{
	const struct file_tree *t = w->f->tree;
	struct verdict_files *out = &w->v->files;

	for (size_t i = 0; !t->single && i < t->count; i++) {
		const struct tree_file *f = &t->files[i];

		/* The bundle is no file of the model, if it lies there. */
		if (w->f->signature &&
		    bytes_equal(f->name, bytes_str(w->f->signature)))
			continue;
		if (manifest_files_find(w->files, f->name) ||
		    leads_to_listed(w, f))
			continue;
		if (is_ignored(w, f->name))
			out->ignored_count++;
		else
			add_name(w, out->unsigned_files, &out->unsigned_count,
			    f->name);
	}
}

/* The kinds that will do where `weakest` is the weakest. A copy is the policy's
 * strongest: no one but us has it. */
static unsigned
accepted(enum hold_strength weakest)
{
	unsigned set = HELD_BIT(HELD_COPY);

	if (weakest <= HOLD_VERITY)
		set |= HELD_BIT(HELD_VERITY);
	if (weakest <= HOLD_LEASE)
		set |= HELD_BIT(HELD_LEASE);
	if (weakest <= HOLD_OPEN)
		set |= HELD_BIT(HELD_OPEN);
	return set;
}

static enum hold_strength
strength_of(enum hold_kind kind)
{
	static const enum hold_strength by_kind[] = {
	    [HELD_NONE] = HOLD_NONE,
	    [HELD_OPEN] = HOLD_OPEN,
	    [HELD_LEASE] = HOLD_LEASE,
	    [HELD_COPY] = HOLD_COPY,
	    [HELD_VERITY] = HOLD_VERITY,
	};

	return by_kind[kind];
}

/* The weakest of all by the policy's order, which is not io/hold.h's. */
static enum hold_strength
reached(const struct work *w)
{
	enum hold_strength weakest = HOLD_COPY;

	for (size_t i = 0; i < w->chosen_count; i++) {
		enum hold_strength s = strength_of(hold_reached_file(
		    w->f->held.hold, name_on_disk(w, w->chosen[i]->name)));

		if (s < weakest)
			weakest = s;
	}
	return weakest;
}

/* The manifest goes; the names stay with the hold. */
static bool
keep_names(struct work *w, struct error *err)
{
	struct held_model *h = &w->f->held;

	h->single = w->f->tree->single;
	h->names = calloc(w->chosen_count + 1, sizeof(*h->names));
	for (size_t i = 0; h->names && i < w->chosen_count; i++) {
		struct bytes name = w->chosen[i]->name;

		h->names[i] = strndup((const char *)name.ptr, name.len);
		if (!h->names[i])
			break;
		h->count++;
	}
	return h->count == w->chosen_count ||
	    error_set(err, ERR_INTERNAL, "out of memory");
}

/* Takes hold of the chosen files first, so that what is hashed is what is
 * handed out. */
static bool
hold_and_hash(struct work *w, enum hold_strength weakest,
    struct tree_hash_options *options, struct error *err)
{
	const struct job *job = w->f->job;
	struct held_model *h = &w->f->held;
	struct hold_options o = {
	    .accept = accepted(weakest),
	    .copy_max = job->copy_max,
	    .scratch = w->f->scratch,
	    .threads = job->threads,
	    .links = w->m->allow_symlinks,
	    .total = options->total,
	    .progress = job->progress,
	    .arg = job->progress_arg,
	};
	struct bytes *names =
	    calloc(w->chosen_count ? w->chosen_count : 1, sizeof(*names));

	if (!names)
		return error_set(err, ERR_INTERNAL, "out of memory");
	for (size_t i = 0; i < w->chosen_count; i++)
		names[i] = name_on_disk(w, w->chosen[i]->name);
	h->hold = hold_open(w->f->tree, names, w->chosen_count, &o, err);
	free(names);
	if (!h->hold || !keep_names(w, err) ||
	    !hold_hash(h->hold, w->pieces, w->piece_count, options, err))
		return false;
	h->reached = reached(w);
	w->v->hold = h->reached;
	return true;
}

static bool
hash_all(struct work *w, enum hold_strength weakest, struct error *err)
{
	const struct job *job = w->f->job;
	struct tree_hash_options options = {
	    .algorithm = w->m->algorithm,
	    .threads = job->threads,
	    .links = w->m->allow_symlinks,
	    .progress = job->progress,
	    .arg = job->progress_arg,
	};

	for (size_t i = 0; i < w->piece_count; i++) {
		const struct tree_file *f =
		    file_tree_find(w->f->tree, w->pieces[i].name);

		if (w->pieces[i].size == 0 && f)
			w->pieces[i].size = f->size;
		options.total += w->pieces[i].size;
	}
	if (weakest != HOLD_NONE)
		return hold_and_hash(w, weakest, &options, err);
	return tree_hash(w->f->tree, w->pieces, w->piece_count, &options, err);
}

bool
model_files_check(void *arg, const struct manifest *m,
    const struct manifest_files *files, enum hold_strength weakest,
    struct verdict *v, struct error *err)
{
	struct work w = {.f = arg, .m = m, .files = files, .v = v};
	bool ok;

	ok = ignores_no_listed(&w, err) && choose(&w, err) &&
	    lay_out(&w, err) && hash_all(&w, weakest, err) &&
	    judge_files(&w, err);
	if (ok)
		find_unsigned(&w);
	free(w.chosen);
	free(w.taken);
	free(w.pieces);
	free(w.expected);
	return ok;
}
