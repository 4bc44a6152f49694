/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_MODEL_FILES_H
#define MTLOG_CLIENT_LIB_MODEL_FILES_H

#include "client/lib/job.h"

/*
 * The files of a model on disk against its manifest. For job.c alone.
 */
struct model_files {
	const struct job *job;
	struct file_tree *tree;
	char *signature;	/* the bundle's name in the model, or NULL */
	int scratch;		/* a folder for copies, or -1 */
	struct held_model held; /* out, if the job asked for it */
};

/* model_files_skip is file_tree_open's: evidence and what every signer leaves
 * out is not looked at unless a manifest lists it. */
bool model_files_skip(void *arg, struct bytes name);

/* model_files_check is verify_files.check; `arg` a struct model_files. */
bool model_files_check(void *arg, const struct manifest *m,
    const struct manifest_files *files, enum hold_strength weakest,
    struct verdict *v, struct error *err) MUST_USE;

#endif
