/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_VERIFY_VERIFICATION_H
#define MTLOG_CORE_VERIFY_VERIFICATION_H

#include "core/verify/verify.h"

/*
 * One run of verify(): what verify.c's requirements share. For verify.c alone;
 * the functions do the longer part of a requirement, or tell the verdict what
 * one has established.
 */
struct verification {
	const struct verify_input *in;
	struct verdict *out;
	struct verdict_check *check; /* the requirement at work */
	struct judge judge;
	struct claim claim; /* the model's own statement */
	const struct policy_rule *rule;
	struct evidence evidence;
	struct manifest manifest;
	struct manifest_files files;
	enum hold_strength wanted_hold;
	struct sigstore_result sigstore; /* of verification_sigstore */
	bool lost;			 /* something that the verdict tells */
	char existed_by[32];		 /* RFC 3339 */
	char current[ERROR_TEXT_MAX];	 /* the promised words */
};

/* verification_open; NULL with ERR_INTERNAL. _close is NULL-safe. */
struct verification *verification_open(const struct verify_input *in,
    struct verdict *out, struct error *err) MUST_USE;
void verification_close(struct verification *v);

/* verification_sigstore wants all that Sigstore's rules ask of the bundle, and
 * tells the verdict whom the instance vouches for. Errors of sigstore_verify. */
bool verification_sigstore(struct verification *v, struct error *err) MUST_USE;

/* What may be told from now on: the signer with name, version and S; the log
 * and its witnesses; when it was signed. */
void verification_signer(struct verification *v);
void verification_log(struct verification *v);
void verification_times(struct verification *v);

/*
 * verification_online judges the checkpoint that the log showed just now: the
 * log's own signature and the quorum, and that it extends the bundle's tree
 * ("inconsistent"). The others want what the rule's `fresh` promises, and leave
 * its words in `current`. "no-fresh-status" and what evidence_status says.
 */
bool verification_online(struct verification *v, struct error *err) MUST_USE;
bool verification_fresh_online(struct verification *v, struct error *err)
    MUST_USE;
bool verification_fresh_scan(struct verification *v, struct error *err)
    MUST_USE;
bool verification_fresh_status(struct verification *v, struct error *err)
    MUST_USE;

/* verification_memory compares with what was accepted before. "rollback",
 * "inconsistent". */
bool verification_memory(struct verification *v, struct error *err) MUST_USE;

/* verification_manifest reads the manifest and groups its files. */
bool verification_manifest(struct verification *v, struct error *err) MUST_USE;

#endif
