/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_VERIFY_CLAIM_H
#define MTLOG_CORE_VERIFY_CLAIM_H

#include "core/identity/certificate.h"
#include "core/model/bundle.h"
#include "core/model/statement.h"
#include "core/model/tle.h"
#include "core/policy/policy.h"

#define CLAIM_MAX_CANDIDATES 64

/* How far the witnesses' and our own clock may be apart (seconds). */
#define CLAIM_CLOCK_SKEW 300

/* What judging needs between claims: one per verification. Borrows. */
struct judge {
	const struct policy *policy;
	uint64_t now; /* POSIX seconds */
	bool allow_v02;
	struct key_verifier *verifier;
	struct hasher hasher;
};

/*
 * A signed statement that wants to be believed: a model's, an approval … What
 * the steps below found out so far; each is one requirement, they are called in
 * this order, and each relies on those before it. Release with claim_release.
 */
struct claim {
	const char *source; /* a file name or address, for messages */
	struct bundle bundle;
	struct statement statement;
	struct hash digest; /* S */

	/* claim_signature: */
	struct public_key key;	/* borrows from policy or bundle */
	struct hash key_digest; /* SHA-256 of the SPKI */
	bool has_leaf;
	struct certificate leaf;

	/* claim_signer, then fewer: credentials that the signature may be */
	size_t candidate_count;
	const struct policy_credential *candidates[CLAIM_MAX_CANDIDATES];

	/* claim_entry: */
	bool has_entry;
	struct tle entry;
	struct hash entry_leaf; /* leaf hash, built from the bundle */

	/* claim_checkpoint: */
	bool logged; /* in a log of the policy */
	struct quorum_result head;
	struct error quorum; /* what claim_quorum will say */

	/* claim_times: */
	bool timed;
	uint64_t time; /* existed by, POSIX seconds */

	/* evidence_approved: it is one of the approvals that were needed */
	bool counted;
};

void claim_release(struct claim *c);

/* claim_open reads the bundle. ERR_SYNTAX, ERR_LIMIT: "malformed-bundle". */
bool claim_open(struct claim *c, const char *source, struct bytes json,
    struct error *err) MUST_USE;

/* claim_statement reads the statement and computes S. "wrong-statement-type",
 * "malformed-statement". */
bool claim_statement(struct judge *j, struct claim *c, struct error *err)
    MUST_USE;

/*
 * claim_signature verifies the signature over the exact payload bytes: with a
 * key of the policy for a bundle that has none in it (the hint, where there is
 * one, must name it), else with the key of its certificate. Who that is, is not
 * judged. "signature", "hint-mismatch"; "chain" for an unreadable certificate.
 */
bool claim_signature(struct judge *j, struct claim *c, struct error *err)
    MUST_USE;

/* claim_signer keeps the credentials of these parties that the signer is; the
 * certificate is not judged yet. "wrong-signer" if none is left. */
bool claim_signer(struct judge *j, struct claim *c,
    const struct party_set *parties, struct error *err) MUST_USE;

/*
 * claim_entry builds the leaf from the bundle and wants every log entry in the
 * bundle to be that leaf; picks the one of a log of the policy, if any. No
 * entry at all is success with has_entry false. "wrong-entry".
 */
bool claim_entry(struct judge *j, struct claim *c, struct error *err) MUST_USE;

/* claim_inclusion: the leaf is in the tree whose head the entry states, and the
 * entry's checkpoint states it, too. "inclusion". */
bool claim_inclusion(struct judge *j, struct claim *c, struct error *err)
    MUST_USE;

/* claim_checkpoint: a log of the policy signed it. "unknown-log",
 * "log-signature", "cosignature". claim_quorum: enough witnesses. "quorum". */
bool claim_checkpoint(struct judge *j, struct claim *c, struct error *err)
    MUST_USE;
bool claim_quorum(const struct claim *c, struct error *err) MUST_USE;

/*
 * claim_times: when the signature existed by: the quorum's cosignatures and
 * time-stamp tokens of authorities under the policy's CAs, the earliest. No
 * time is success with timed false. "timestamp"; "clock" for one ahead of ours.
 */
bool claim_times(struct judge *j, struct claim *c, struct error *err) MUST_USE;

/* claim_certificate keeps the candidates whose CA the certificate's whole chain
 * leads to, judged at claim's time, else at now. "chain", "expired" … */
bool claim_certificate(struct judge *j, struct claim *c, struct error *err)
    MUST_USE;

/* claim_limits keeps the candidates whose `until` and `below` hold.
 * "expired", "wrong-signer". */
bool claim_limits(struct judge *j, struct claim *c, struct error *err) MUST_USE;

/*
 * claim_refusing is what evidence that refuses must pass instead: a signature
 * by some credential of the policy, its chain good at the certificate's own
 * beginning, logged or not: a withdrawal does not expire. What fails is looked
 * at once more: OpenSSL forgets in places that it was memory that ran out, and
 * to overlook a withdrawal is to accept.
 */
bool claim_refusing(struct judge *j, struct claim *c, struct error *err)
    MUST_USE;

/* claim_party is the number of the signer's party: of the first candidate. */
size_t claim_party(const struct claim *c);

#endif
