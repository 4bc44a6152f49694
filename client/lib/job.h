/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_LIB_JOB_H
#define MTLOG_CLIENT_LIB_JOB_H

#include "core/policy/policy.h"
#include "core/verify/verify.h"
#include "io/hold.h"
#include "io/tree.h"

#define JOB_TIMEOUT_MS 10000
#define JOB_COPY_MAX   (UINT64_C(4) << 30) /* bytes */

/* NULL-ended lists are `const char *const *`; NULL is an empty one. */

/*
 * Everything that verifying one model needs to know: what mtlog_options and the
 * flags of `mtlog verify` say. Borrows; zero is "not said".
 */
struct job {
	const struct policy *policy;
	const struct verify_sigstore *sigstore; /* NULL: not asked */
	int dirfd;				/* that `path` is relative to */
	const char *path;
	const char *name, *version; /* NULL: any; "" is refused */
	const char *signature;
	const char *const *evidence;
	const char *state;
	const char *scratch;
	const char *log_url;
	const char *pins; /* pins.h: a pinned log that is asked is held to it */
	bool online;
	unsigned timeout_ms;
	bool has_now;
	uint64_t now; /* POSIX seconds */
	unsigned threads;
	enum hold_strength
	    hold; /* weakest; HOLD_NONE: the files are not handed out */
	bool hold_of_rule; /* `hold` is no wish: the policy's rule decides */
	uint64_t copy_max;
	const char *const *files; /* only these */
	bool allow_v02;
	/*
	 * Without a policy file: what lies under a path that the manifest says
	 * to ignore, or under one of `ignored`, is no unsigned file.
	 */
	bool ignores_count;
	const char *const *ignored; /* relative paths */
	/* called about ten times a second; false cancels */
	bool (*progress)(
	    void *arg, struct bytes name, uint64_t done, uint64_t total);
	void *progress_arg;
};

/* A model that was accepted: its files, as they were asked for, held. `{0}` is
 * released. */
struct held_model {
	struct hold *hold; /* NULL: not asked for */
	enum hold_strength reached;
	bool single; /* the model is one file, which is held as "." */
	size_t count;
	char **names; /* as the manifest lists them; bytewise */
};

/*
 * job_run verifies. True only if accepted; `out` is set in any case
 * (verdict_init before). `held` (may be NULL) then has the model: held_model_release.
 */
bool job_run(const struct job *job, struct verdict *out,
    struct held_model *held) MUST_USE;
void held_model_release(struct held_model *h);

/* job_run_bundle judges the bundle in `json` alone; no file is read but
 * evidence and state. */
bool job_run_bundle(
    const struct job *job, struct bytes json, struct verdict *out) MUST_USE;

#endif
