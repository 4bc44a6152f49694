/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_IDENTITY_X509_CHAIN_H
#define MTLOG_CORE_IDENTITY_X509_CHAIN_H

#include "core/identity/certificate.h"

#define CHAIN_MAX_ANCHORS	1024
#define CHAIN_MAX_INTERMEDIATES 32
#define CHAIN_MAX_DEPTH		8   /* certificates, leaf and anchor included */
#define CHAIN_MAX_CHECKS	128 /* signatures verified to find a path */

/* What a path is looked for in. DER, borrowed. */
struct chain {
	size_t anchor_count;
	const struct bytes *anchors; /* trusted: self-signed or not */
	size_t intermediate_count;
	const struct bytes *intermediates; /* not trusted */
	struct bytes leaf;
	uint64_t time; /* POSIX seconds at which all must be valid */
};

/* A path that was found: leaf first, anchor last; borrows from the chain. */
struct chain_path {
	size_t count;
	struct bytes certificates[CHAIN_MAX_DEPTH];
	size_t anchor; /* number of the anchor */
};

/* What a leaf is for. */
enum chain_purpose {
	/* Extended usage, if there is one, has codeSigning; key usage, if there
	 * is one, has digitalSignature. One of the two must be there. */
	CHAIN_CODE_SIGNING = 1,
	CHAIN_TIME_STAMPING, /* extended usage timeStamping, critical, alone */
};

/*
 * chain_find finds a path from the leaf to an anchor, whole and valid at
 * `time` (RFC 5280 section 6): signatures, validity of every certificate on it
 * (the anchor's too; both ends inclusive), CA constraints, path length, name
 * constraints, unknown critical extensions (policy constraints and mappings, too,
 * are none that are known). Beyond that:
 *
 * - the leaf may not sign certificates; every other certificate on the path
 *   (the anchor, too) is a CA by its basic constraints and may, where it has a
 *   key usage; so a leaf that is itself an anchor is refused;
 * - an issuer whose extended usages are limited must have that of the leaf,
 *   or any;
 * - signatures are over SHA-256, SHA-384 or SHA-512, or Ed25519; keys are
 *   those that public_key_parse reads;
 * - all certificates given must be well formed, used or not.
 *
 * `*out` is the path. No system roots, no network, no revocation lists. Failures
 * by reason: "chain" (ERR_DENIED; ERR_BADSIG where whoever is named as issuer
 * did not sign), "expired", "not-yet-valid", "key-usage" (ERR_DENIED);
 * ERR_SYNTAX and ERR_LIMIT "chain". The sentence names the certificate that is
 * wrong, and the time.
 *
 * Where several paths could be tried, a certificate that led nowhere is left
 * out and the search begins anew; that is not every combination, but a bundle
 * cannot make it long.
 */
bool chain_find(const struct chain *c, enum chain_purpose purpose,
    struct chain_path *out, struct error *err) MUST_USE;

/* chain_verify is chain_find for those who want the anchor's number alone. */
bool chain_verify(const struct chain *c, enum chain_purpose purpose,
    size_t *anchor, struct error *err) MUST_USE;

#endif
