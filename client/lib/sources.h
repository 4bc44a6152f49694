/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_SOURCES_H
#define MTLOG_CLIENT_LIB_SOURCES_H

#include "core/verify/evidence.h"

/*
 * Where a model's signature and evidence lie. For a folder MODEL the signature
 * is MODEL/model.sig, for a file MODEL.sig; evidence is *.sigstore.json in
 * MODEL/.mtlog/, for a file in MODEL.mtlog/.
 */

/* signature_path is malloc'd; NULL when memory ran out. `is_folder`: whether
 * the model is one. */
char *signature_path(const char *model, bool is_folder);
char *evidence_path(const char *model, bool is_folder);

/*
 * signature_within finds the name that the bundle's place has in the model
 * (relative, as in a manifest): `*out` is malloc'd, NULL if it lies elsewhere.
 * The bundle need not be there. ERR_INTERNAL.
 */
bool signature_within(const char *model, const char *signature, char **out,
    struct error *err) MUST_USE;

/* Evidence, and the memory it lies in. `{0}` is empty. */
struct evidence_list {
	size_t count;
	struct evidence_item items[EVIDENCE_MAX];
	struct buf texts[EVIDENCE_MAX];
	char *names[EVIDENCE_MAX];
};

/*
 * evidence_add_path adds a bundle, or all *.sigstore.json of a folder in the
 * order of their names. With `optional` nothing being there is success. ERR_*
 * of file_read; ERR_LIMIT beyond EVIDENCE_MAX or EVIDENCE_FILE_MAX.
 */
bool evidence_add_path(struct evidence_list *l, const char *path, bool optional,
    struct error *err) MUST_USE;

/* evidence_add adds bytes, taking over `text`. */
bool evidence_add(struct evidence_list *l, const char *name, struct buf *text,
    struct error *err) MUST_USE;
void evidence_list_release(struct evidence_list *l);

#endif
