/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_VERIFY_SIGSTORE_H
#define MTLOG_CORE_VERIFY_SIGSTORE_H

#include "core/identity/certificate.h"
#include "core/identity/trust_root.h"
#include "core/model/bundle.h"

/* Whose signature is wanted; all of it must be given. */
struct sigstore_identity {
	enum certificate_name_kind kind; /* 0: whatever kind it is */
	struct bytes name;		 /* exact bytes */
	struct bytes issuer;		 /* OIDC issuer, exact bytes */
};

/* What a bundle is judged by. Borrows. */
struct sigstore {
	const struct trust_root *root;
	struct sigstore_identity identity;
	struct key_verifier *verifier;
	struct hasher *hasher;
};

/* What was verified. Borrows from the bundle and the root. */
struct sigstore_result {
	struct certificate leaf;
	uint64_t earliest, latest;   /* verified times, POSIX seconds */
	size_t time_sources;	     /* distinct authorities that gave one */
	size_t log_count;	     /* distinct logs with the entry */
	const struct trust_log *log; /* of the first entry */
	uint64_t index;		     /* in it, as the entry tells it */
};

/*
 * sigstore_verify judges a bundle with a DSSE envelope by Sigstore's rules
 * (client-spec; what each step guards against is in the tests):
 *
 * 1. the certificate: one name, in a critical extension; for digital
 *    signatures and code signing, both said;
 * 2. every log entry in it, at least one: of a known log, signed, included, of
 *    this payload, signature and certificate (Rekor v1: hashedrekord and dsse
 *    0.0.1; v2: hashedrekord 0.0.2, the leaf built from the bundle);
 * 3. every time-stamp token: of a known authority, over the signature;
 * 4. at least one verified time: those tokens, and what a Rekor v1 log promised
 *    (never the word of a v2 log, or without a promise);
 * 5. the chain to an authority of the root, whole and valid at every time; the
 *    log's key, too;
 * 6. a timestamp of a known log of certificates;
 * 7. the name and issuer that are wanted;
 * 8. the signature.
 *
 * What the statement says is the caller's business. Reasons: "malformed-bundle",
 * "wrong-statement-type", "chain", "expired", "not-yet-valid", "key-usage",
 * "timestamp", "no-verified-time", "no-entry", "wrong-entry", "inclusion",
 * "unknown-log", "log-signature", "wrong-signer", "signature". `*out` is left
 * alone on failure.
 */
bool sigstore_verify(const struct sigstore *s, const struct bundle *b,
    struct sigstore_result *out, struct error *err) MUST_USE;

#endif
