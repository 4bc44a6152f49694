/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_MODEL_MANIFEST_H
#define MTLOG_CORE_MODEL_MANIFEST_H

#include "core/base/arena.h"
#include "core/base/buf.h"
#include "core/crypto/content.h"
#include "core/crypto/hash.h"

#define MANIFEST_MAX_RESOURCES 500000
#define MANIFEST_MAX_IGNORED   1024
#define MANIFEST_NAME_MAX      4096	  /* bytes of a path */
#define MANIFEST_SHARD_DEFAULT 1000000000 /* bytes */

/* A file, or bytes [start, end) of one where the manifest is sharded. */
struct resource {
	struct bytes name;   /* the file's, without the shard's numbers */
	struct bytes digest; /* raw, content_digest_len */
	uint64_t start, end; /* bytes; both 0 for a whole file */
};

/*
 * A file of the manifest: `shards` of its resources from `first` on, in
 * manifest_files.order. manifest_files_find looks a file up by name.
 */
struct manifest_file {
	struct bytes name;
	size_t first, shards; /* into `order` */
	uint64_t size;	      /* bytes, sharded only: the last end */
};

struct manifest_files {
	size_t count;
	struct manifest_file *files; /* by name, bytewise */
	size_t *order;		     /* indexes of resources */
};

/*
 * The predicate of an OMS v1.0 statement (ossf/model-signing-spec): which files
 * a model has, and how they were hashed.
 *
 *	{"resources":[{"name":"config.json","algorithm":"sha256",
 *	"digest":"…"}],"serialization":{"method":"files","hash_type":"sha256",
 *	"allow_symlinks":false,"ignore_paths":[".git"]}}
 *
 * Names are relative, `/` between components, UTF-8, no "." or ".." or empty
 * component; but a lone "." names a single-file model (what Python writes).
 * A shard's name is "<path>:<start>:<end>", end exclusive, and the path may
 * have colons itself. A file of no bytes has no shard.
 *
 * Unknown members of a resource are in-toto's and ignored; elsewhere there are
 * none, since they could say more than is checked.
 */
struct manifest {
	enum content_algorithm algorithm;
	bool sharded;
	uint64_t shard_size; /* bytes, sharded only */
	bool allow_symlinks;
	size_t count, room;
	struct resource *resources; /* in the order listed; malloc'd */
	size_t ignored_count;
	struct bytes *ignored;
	bool name_order;	     /* by name, bytewise: as OMS has it */
	struct manifest_files files; /* manifest_group's; count 0: not yet */
	struct arena storage;
};

/*
 * manifest_parse reads the predicate. `root` is the statement's subject digest:
 * SHA-256 over the raw digests in the order listed. Limits first; every name a
 * safe one and once; digests lower-case hex of the right length; each algorithm
 * the serialization's (or, as written in the wild, `sha256-sharded-<size>`);
 * shards without gaps; at least one resource; ignored paths relative and never
 * ".". Errors, all ERR_SYNTAX or ERR_LIMIT: reason "malformed-statement", but
 * a root that differs "root-mismatch" (ERR_BADSIG). Borrows from `predicate`.
 * After a failure `*out` is released.
 */
bool manifest_parse(struct bytes predicate, const struct hash *root,
    struct manifest *out, struct error *err) MUST_USE;
void manifest_release(struct manifest *m);

/* manifest_from_v02 makes one of a model_signing 0.2 statement, whose subjects
 * are the files (sha256); it recorded neither links nor what it ignored, and
 * has no root. For callers who were asked for it. Errors as manifest_parse;
 * released after a failure. */
struct statement;
bool manifest_from_v02(const struct statement *s, struct manifest *out,
    struct error *err) MUST_USE;

/* manifest_add appends a copy of `r` (name and digest into the manifest's
 * storage), for whoever makes one. ERR_LIMIT, ERR_INTERNAL. */
bool manifest_add(
    struct manifest *m, const struct resource *r, struct error *err) MUST_USE;

/* manifest_init makes an empty manifest that manifest_add may fill. */
void manifest_init(struct manifest *m, enum content_algorithm algorithm);

/* manifest_format appends the predicate's JSON, compact, in the order of
 * `resources`. */
void manifest_format(const struct manifest *m, struct buf *out);

/* manifest_sort puts the resources in the specification's order: by name with
 * the shard's numbers in it, bytewise. */
void manifest_sort(struct manifest *m);

/* manifest_root computes the root digest. ERR_INTERNAL. */
bool manifest_root(
    const struct manifest *m, struct hash *out, struct error *err) MUST_USE;

/* manifest_name_valid: a name that a manifest may have (see above). */
bool manifest_name_valid(struct bytes name) MUST_USE;

/* manifest_name_below tells whether `name` is `folder` or lies below it. */
bool manifest_name_below(struct bytes name, struct bytes folder) MUST_USE;

/*
 * manifest_ignores tells whether a path of a model is left out: recorded in the
 * manifest, or one of the defaults (.git, .gitignore, .gitattributes, .github
 * as top-level entries), with everything below it.
 */
bool manifest_ignores(const struct manifest *m, struct bytes path) MUST_USE;

/*
 * manifest_group fills `out` with the files, which live in `m`'s storage until
 * it is sorted, added to or released. What manifest_parse has found out is
 * handed out again. ERR_SYNTAX, "malformed-statement": a name twice, a shard
 * missing, a file that is a folder as well, "." beside others.
 */
bool manifest_group(
    struct manifest *m, struct manifest_files *out, struct error *err) MUST_USE;
const struct manifest_file *manifest_files_find(
    const struct manifest_files *f, struct bytes name);

#endif
