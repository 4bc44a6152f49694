/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_IDENTITY_CERTIFICATE_H
#define MTLOG_CORE_IDENTITY_CERTIFICATE_H

#include "core/crypto/key.h"

#define CERTIFICATE_MAX_NAMES	   64
#define CERTIFICATE_MAX_EXTENSIONS 64

/* Kinds of name that a policy can ask for (`email:… uri:… dns:… other:…`). */
enum certificate_name_kind {
	CERTIFICATE_EMAIL = 1, /* rfc822Name */
	CERTIFICATE_URI,
	CERTIFICATE_DNS,
	CERTIFICATE_OTHER, /* otherName 1.3.6.1.4.1.57264.1.7, UTF8String */
};

struct certificate_name {
	enum certificate_name_kind kind;
	struct bytes value; /* exact bytes; never empty, never with NUL */
};

/*
 * An X.509 certificate (RFC 5280), read for what a verifier decides by:
 *
 *	SEQUENCE { SEQUENCE { [0] version, serial, algorithm, issuer,
 *	SEQUENCE { notBefore, notAfter }, subject, subjectPublicKeyInfo,
 *	[3] extensions }, algorithm, BIT STRING signature }
 *
 * Times are POSIX seconds, 9999-12-31 included. `key` is the strictly read
 * subject key. Borrows from the DER. Nothing in it is believed before
 * chain_find.
 */
struct certificate {
	struct bytes der;
	struct bytes tbs; /* TBSCertificate, whole: what is signed */
	struct public_key key;
	unsigned version;		/* 1 to 3 */
	uint64_t not_before, not_after; /* inclusive, seconds */
	struct bytes subject, issuer;	/* DER Names */
	bool self_issued;		/* subject and issuer are equal */
	bool is_ca;			/* basicConstraints say so, */
	bool issues_leaves_only; /* and that no CA is below it: length 0 */
	bool has_key_usage, digital_signature, certificate_signing;
	/* The extended usages that matter here; `any` is 2.5.29.37.0. */
	bool has_extended_usage, extended_usage_critical;
	size_t extended_usage_count;
	bool code_signing, time_stamping, any_usage;
	struct bytes oidc_issuer; /* Fulcio .8, else .1; empty: none */
	struct bytes scts;	  /* RFC 6962 list; empty: none (sct.h) */
	bool names_critical;
	size_t names_total; /* of every kind, those below included */
	size_t name_count;
	struct certificate_name names[CERTIFICATE_MAX_NAMES];
};

/*
 * certificate_parse reads one DER certificate of at most CERTIFICATE_MAX_LEN
 * bytes: versions 1 to 3, a serial number that is not negative, one encoding of
 * the key (public_key_parse), no extension twice, no time before 1970. What an
 * extension that is named above contains must be well formed; others are not
 * looked at, critical ones neither (chain_find refuses those). Allocates
 * nothing. ERR_SYNTAX or ERR_LIMIT, reason "chain"; both issuer extensions
 * present and different: ERR_SYNTAX.
 */
bool certificate_parse(
    struct bytes der, struct certificate *out, struct error *err) MUST_USE;

/*
 * certificate_time reads a time of X.509 (RFC 5280 section 4.1.2.5) by its DER
 * tag: UTCTime YYMMDDHHMMSSZ (1950 to 2049) or GeneralizedTime YYYYMMDDHHMMSSZ,
 * no fraction, no zone but Z, not before 1970.
 */
bool certificate_time(uint8_t tag, struct bytes value, uint64_t *out) MUST_USE;

/* certificate_has_name tells whether it has exactly this name. */
bool certificate_has_name(const struct certificate *c,
    enum certificate_name_kind kind, struct bytes value) MUST_USE;

#endif
