/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_CLI_PROOF_PARTS_H
#define MTLOG_CLIENT_CLI_PROOF_PARTS_H

#include "client/cli/entry_read.h"
#include "core/model/bundle.h"

/* What `mtlog proof` is made of: for proof.c and proof_export.c. */

/* Which log, and whose witnesses. Both NULL: none is named. Release. */
struct proof_trust {
	struct vkey *key;
	struct policy *policy;
	struct checkpoint head;	      /* proof_check: borrows from the proof */
	struct quorum_result *quorum; /* with a policy */
};

/* proof_trust_read reads --vkey and --policy; with both, both must hold. */
bool proof_trust_read(const struct cli_args *a, struct proof_trust *out,
    struct error *err) MUST_USE;
void proof_trust_release(struct proof_trust *t);

/* proof_only refuses (ERR_USAGE) the options that verify, or a proof out of a
 * bundle, has no use for: those of a log that is asked. */
bool proof_only(const struct cli_args *a, bool online, struct error *err)
    MUST_USE;

/* proof_check verifies a proof of `leaf` with all that is trusted. ERR_* of
 * tlog_proof_verify and quorum_verify_proof. */
bool proof_check(struct proof_trust *t, const struct tlog_proof *p,
    struct bytes leaf, struct key_verifier *v, struct error *err) MUST_USE;

/* proof_put_witnesses appends who cosigned, where a policy asked. */
void proof_put_witnesses(
    const struct proof_trust *t, bool json, struct buf *out);

/* proof_bundle_read reads a bundle, or that of a model's folder. */
bool proof_bundle_read(const char *path, struct bundle *out, struct error *err)
    MUST_USE;

/* proof_bundle_leaf makes the leaf that the entry must have: of the bundle's
 * own contents, with the verifier that the entry names. */
bool proof_bundle_leaf(const struct bundle *b, const struct tle *t,
    struct buf *out, struct error *err) MUST_USE;

/* proof_export is `mtlog proof export`. */
int proof_export(struct cli_args *a, struct error *err);

#endif
