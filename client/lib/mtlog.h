/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_MTLOG_H
#define MTLOG_CLIENT_LIB_MTLOG_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * libmtlog: a yes or a reasoned no before a model is loaded.
 *
 *	mtlog_verdict *verdict;
 *	mtlog_policy *policy = mtlog_policy_read("prod.policy", NULL, &verdict);
 *	mtlog_verdict_free(verdict);
 *	mtlog_options *options = mtlog_options_new("acme/prod/r50", NULL);
 *	mtlog_model *model =
 *	    mtlog_model_open("/models/r50", policy, options, &verdict);
 *	if (!model)
 *		fprintf(stderr, "%s\n", mtlog_verdict_message(verdict));
 *
 * A pointer is the permission: refused, failed or cancelled gives NULL. All
 * text is UTF-8 and belongs to the object it came from. Policies, options and
 * models may be shared by threads once they are set up; nothing here is global.
 * No signal, environment variable, resource limit or exit is touched, and every
 * descriptor is closed on exec. Only arguments named `_or_null` may be NULL;
 * freeing NULL is allowed.
 */
#define MTLOG_MUST_USE __attribute__((warn_unused_result))
#define MTLOG_API      __attribute__((visibility("default")))

typedef struct mtlog_policy mtlog_policy;
typedef struct mtlog_options mtlog_options;
typedef struct mtlog_verdict mtlog_verdict;
typedef struct mtlog_model mtlog_model;

/* The version of the library that runs, "1.2.3". */
MTLOG_API const char *mtlog_version(void);

/*
 * What is trusted (mtlog-policy(5)). mtlog_policy_read reads a regular file
 * that root or the caller owns and nobody else may write, unless its SHA-256
 * (64 hex digits) is given and matches. NULL is refused: the verdict's code is
 * 2 (text or use) or 40 (file). The verdict is set in either case; free it.
 */
MTLOG_API mtlog_policy *mtlog_policy_read(const char *path,
    const char *sha256_or_null, mtlog_verdict **verdict) MTLOG_MUST_USE;
MTLOG_API mtlog_policy *mtlog_policy_parse(
    const void *text, size_t len, mtlog_verdict **verdict) MTLOG_MUST_USE;
MTLOG_API void mtlog_policy_free(mtlog_policy *policy);

/*
 * What is asked for. The name is an argument, so that nobody forgets it;
 * MTLOG_ANY_NAME takes whatever the signer wrote, and the verdict says so. An
 * empty name or version is refused (code 2). NULL when memory ran out.
 */
#define MTLOG_ANY_NAME "*"
MTLOG_API mtlog_options *mtlog_options_new(
    const char *name, const char *version_or_null) MTLOG_MUST_USE;
MTLOG_API void mtlog_options_free(mtlog_options *options);

/* Paths, from the current folder. EVIDENCE may be given several times; the
 * others once. */
#define MTLOG_SIGNATURE                                                        \
	1		 /* the bundle; else model.sig in or MODEL.sig beside */
#define MTLOG_EVIDENCE 2 /* a bundle, or a folder of *.sigstore.json */
#define MTLOG_STATE    3 /* folder that remembers, and refuses a rollback */
#define MTLOG_SCRATCH  4 /* folder for copies that memory should not hold */
#define MTLOG_LOG_URL  5 /* where the log is asked, with MTLOG_ONLINE */

/* Numbers. */
#define MTLOG_NOW	 16 /* POSIX seconds; else the clock's */
#define MTLOG_ONLINE	 17 /* 1: the log is asked, and must answer */
#define MTLOG_TIMEOUT_MS 18 /* for all of that; else 10,000 */
#define MTLOG_THREADS	 19 /* for hashing; else one a processor */
#define MTLOG_HOLD                                                             \
	20		  /* the weakest that will do: MTLOG_HOLD_…; else
			     * the policy's, LEASE where that is silent */
#define MTLOG_COPY_MAX 21 /* bytes that `copy` may take; else 4 GiB */

/* Holds, weakest first (mtlog_model(3)). */
#define MTLOG_HOLD_OPEN	  1
#define MTLOG_HOLD_LEASE  2
#define MTLOG_HOLD_VERITY 3
#define MTLOG_HOLD_COPY	  4

/* 0, or -1 with errno: EINVAL for a number, path or value that is none of the
 * above or was given before, ENOMEM. */
MTLOG_API int mtlog_option_path(
    mtlog_options *options, int what, const char *path) MTLOG_MUST_USE;
MTLOG_API int mtlog_option_number(
    mtlog_options *options, int what, int64_t value) MTLOG_MUST_USE;

/* Only these files of the manifest are verified and handed out; the verdict
 * says so. Repeatable. A name that the manifest lacks refuses. */
MTLOG_API int mtlog_option_file(
    mtlog_options *options, const char *name) MTLOG_MUST_USE;

/* Called about ten times a second with the file at work and bytes; a value
 * other than 0 cancels: the model is then refused. */
MTLOG_API int mtlog_option_progress(mtlog_options *options,
    int (*progress)(void *arg, const char *file, uint64_t done, uint64_t total),
    void *arg) MTLOG_MUST_USE;

/*
 * The call that matters: verifies all that the policy and the options ask for,
 * and holds the files as they were verified. NULL: do not load. The verdict is
 * set in either case; free it. mtlog_model_openat takes a relative path from
 * `dirfd`, as openat(2).
 */
MTLOG_API mtlog_model *mtlog_model_open(const char *path,
    const mtlog_policy *policy, const mtlog_options *options,
    mtlog_verdict **verdict) MTLOG_MUST_USE;
MTLOG_API mtlog_model *mtlog_model_openat(int dirfd, const char *path,
    const mtlog_policy *policy, const mtlog_options *options,
    mtlog_verdict **verdict) MTLOG_MUST_USE;

/*
 * The bundle alone; no file is read. Another type of result than a model, so
 * that it cannot be taken for one: 1 if all requirements but those about files
 * hold, else 0.
 */
MTLOG_API int mtlog_bundle_check(const void *bundle, size_t len,
    const mtlog_policy *policy, const mtlog_options *options,
    mtlog_verdict **verdict) MTLOG_MUST_USE;

/*
 * A verdict: its code (0 only if accepted; mtlog(1) lists them), the reason as
 * a stable word ("content-mismatch"'s "file-changed", "" if accepted), one
 * sentence, and all of it as one line of JSON (schema/json).
 */
MTLOG_API int mtlog_verdict_code(const mtlog_verdict *verdict) MTLOG_MUST_USE;
MTLOG_API const char *mtlog_verdict_reason(
    const mtlog_verdict *verdict) MTLOG_MUST_USE;
MTLOG_API const char *mtlog_verdict_message(
    const mtlog_verdict *verdict) MTLOG_MUST_USE;
MTLOG_API const char *mtlog_verdict_json(
    const mtlog_verdict *verdict) MTLOG_MUST_USE;
MTLOG_API void mtlog_verdict_free(mtlog_verdict *verdict);

/* The files of the manifest (or those chosen), by name, bytewise: how many, and
 * number `i`'s name with its size in bytes (`size_or_null`); NULL with ENOENT
 * beyond the last. A model that is one file may be listed as ".". */
MTLOG_API size_t mtlog_model_files(const mtlog_model *model) MTLOG_MUST_USE;
MTLOG_API const char *mtlog_model_file(
    const mtlog_model *model, size_t i, uint64_t *size_or_null) MTLOG_MUST_USE;

/*
 * A file's bytes: a new descriptor with its own offset (the caller closes it),
 * up to `len` bytes from `offset` (0: the end), or a mapping that lives until
 * mtlog_model_free (never under MTLOG_HOLD_OPEN: EPERM). -1 or NULL with errno;
 * ENOENT for a name outside the manifest or not chosen.
 */
MTLOG_API int mtlog_model_open_file(
    mtlog_model *model, const char *name) MTLOG_MUST_USE;
MTLOG_API ssize_t mtlog_model_read(mtlog_model *model, const char *name,
    void *to, size_t len, uint64_t offset) MTLOG_MUST_USE;
MTLOG_API const void *mtlog_model_map(
    mtlog_model *model, const char *name, size_t *size) MTLOG_MUST_USE;

/*
 * A private folder with the manifest's tree of links, for frameworks that want
 * paths; lives until mtlog_model_free. NULL with a verdict (42 where there is
 * no place for it). Whoever runs as the same user can replace a link.
 */
MTLOG_API const char *mtlog_model_dir(
    mtlog_model *model, mtlog_verdict **verdict) MTLOG_MUST_USE;

/* The hold that was reached: MTLOG_HOLD_…, the weakest of all files. */
MTLOG_API int mtlog_model_hold(const mtlog_model *model) MTLOG_MUST_USE;

/*
 * 0: no byte had changed up to this moment; else the verdict's code. Under copy
 * and verity always 0. Under lease: read, check, then use what was read. Under
 * open it compares identities, which stops no writer.
 */
MTLOG_API int mtlog_model_check(
    mtlog_model *model, mtlog_verdict **verdict) MTLOG_MUST_USE;
MTLOG_API void mtlog_model_free(mtlog_model *model);

#ifdef __cplusplus
}
#endif

#endif
