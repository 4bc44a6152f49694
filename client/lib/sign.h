/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_SIGN_H
#define MTLOG_CLIENT_LIB_SIGN_H

#include "core/crypto/signer.h"
#include "core/model/bundle.h"
#include "core/model/manifest.h"
#include "core/model/statement.h"
#include "io/tree.h"

/* How a model's files become a manifest. Zero is the default. */
struct sign_options {
	const char *path;      /* of the model */
	const char *signature; /* its bundle's path, which is left out */
	enum content_algorithm algorithm; /* 0: sha256 */
	uint64_t shard_size;		  /* bytes; 0: whole files */
	const char *const *ignored; /* relative paths, NULL-ended; NULL: none */
	bool allow_symlinks;
	bool allow_empty; /* empty files in shards, which do not list them */
	bool dot_name;	  /* name a single file "." as Python's releases do */
	unsigned threads;
	bool (*progress)(
	    void *arg, struct bytes name, uint64_t done, uint64_t total);
	void *progress_arg;
};

/*
 * sign_manifest hashes a model: regular files only, names in UTF-8, sorted;
 * links are an error unless they are allowed and stay below the model; at least
 * one file. The default exclusions, `.mtlog` and the signature's own file are
 * recorded as ignored where they can be. `base` gets the model's own name on
 * disk. ERR_USAGE for a path to ignore that is not there or covers the model.
 */
bool sign_manifest(const struct sign_options *options, struct manifest *out,
    struct buf *base, struct error *err) MUST_USE;

/* sign_statement appends the payload: an OMS v1.0 statement. `version` may be
 * empty. ERR_USAGE for a name or version of another form than ours. */
bool sign_statement(const struct manifest *m, struct bytes name,
    struct bytes version, struct buf *payload, struct error *err) MUST_USE;

/* Who signs, and what a bundle shows of them. */
struct sign_identity {
	struct signer *signer;
	size_t certificate_count; /* 0: a bare key, shown as a hint */
	struct bytes certificates[BUNDLE_MAX_CERTIFICATES]; /* leaf first */
};

/*
 * sign_bundle signs a payload of type application/vnd.in-toto+json and appends
 * the bundle's JSON. ERR_USAGE if the first certificate is not the key's.
 */
bool sign_bundle(const struct sign_identity *who, struct bytes payload,
    struct buf *bundle, struct error *err) MUST_USE;

#endif
