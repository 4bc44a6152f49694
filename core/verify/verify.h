/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_VERIFY_VERIFY_H
#define MTLOG_CORE_VERIFY_VERIFY_H

#include "core/model/manifest.h"
#include "core/policy/policy.h"
#include "core/tlog/proof.h"
#include "core/verify/evidence.h"
#include "core/verify/sigstore.h"
#include "core/verify/verdict.h"

/*
 * What the log showed just now, when somebody asked it. The current checkpoint
 * is judged by the policy; `proof` leads from the tree of the bundle's entry to
 * it. Withdrawals that a search brought go with the other evidence.
 */
struct verify_current {
	struct bytes checkpoint; /* the signed note */
	struct proof proof;	 /* consistency; empty for equal sizes */
};

/*
 * What a scan of every leaf found out (mtlog scan; spec: a record in the
 * state that its caller keeps and believes).
 */
struct verify_scan {
	struct bytes origin;
	uint64_t size;	  /* scanned are the entries below it */
	struct hash root; /* of the tree of that size */
	bool dated;	  /* a quorum says how fresh its checkpoint is: */
	uint64_t time;	  /* POSIX seconds */
	bool covers;	  /* it looked for every signer of this policy */
	bool complete;	  /* every leaf of our signers has its envelope; else */
	uint64_t missing; /* so many have not, */
	uint64_t missing_first; /* first this entry */
	bool has_newest;
	struct hash newest; /* S that is newest for the name asked about */
};

/* What was accepted before from a log, and of a name in it. */
struct verify_memory {
	bool has_last;
	uint64_t last_index;
	struct hash last_statement; /* S */
	bool has_pin;		    /* newest tree head that was believed */
	uint64_t pin_size;
	struct hash pin_root;
};

/* Who remembers: `recall` fills `out` (all zero: nothing is known). */
struct verify_state {
	uint64_t policy_serial; /* largest that was used */
	bool (*recall)(void *arg, struct bytes origin, struct bytes name,
	    struct verify_memory *out, struct error *err);
	void *arg;
};

/*
 * Looks at the files: all of the manifest (or those chosen) are hashed, and
 * those on disk but not in it are found. Fills `v->files` (names in
 * `v->storage`) and `v->hold`. False only where the files could not be judged
 * at all. `weakest` is the weakest hold that will do.
 */
struct verify_files {
	bool (*check)(void *arg, const struct manifest *m,
	    const struct manifest_files *files, enum hold_strength weakest,
	    struct verdict *v, struct error *err);
	void *arg;
};

/* A Sigstore instance, and whom it must vouch for. */
struct verify_sigstore {
	const struct trust_root *root;
	struct sigstore_identity identity;
};

/* What is asked. Borrows; what is zero is not there. */
struct verify_input {
	const struct policy *policy;
	/* in place of the policy's signers and logs: sigstore_verify */
	const struct verify_sigstore *sigstore;
	struct bytes model;	    /* its path, for the verdict */
	struct bytes asked_name;    /* empty: any */
	struct bytes asked_version; /* empty: any */
	uint64_t now;		    /* POSIX seconds */
	struct buf *bundle; /* JSON; released as soon as it has been read */
	const struct evidence_item *evidence;
	size_t evidence_count;
	bool online; /* `current` must be there */
	const struct verify_current *current;
	const struct verify_scan *scan;
	const struct verify_state *state;
	bool allow_v02;
	bool files_chosen;
	enum hold_strength hold; /* wanted by the caller, or HOLD_NONE */
	bool hold_of_rule; /* the caller did not say: the rule alone does */
	struct verify_files files; /* no check: the bundle alone is judged */
};

/*
 * verify judges a signed model by all that the policy and the caller ask for,
 * in the order of the table in verify.c. True, and `out->code` accepted, only
 * if every requirement that was asked for holds; `out` is set in any case
 * (verdict_init before, verdict_release after). The manifest lives while
 * `files.check` looks at it, and no longer.
 */
bool verify(const struct verify_input *in, struct verdict *out) MUST_USE;

/* verify_requirement names the requirements in order; NULL at the end. */
const char *verify_requirement(size_t i);

#endif
