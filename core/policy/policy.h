/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_POLICY_POLICY_H
#define MTLOG_CORE_POLICY_POLICY_H

#include "core/base/arena.h"
#include "core/identity/certificate.h"
#include "core/policy/rule.h"
#include "core/tlog/quorum.h"

#define POLICY_MAX_LEN	       (1024 * 1024)
#define POLICY_LINE_MAX	       65536
#define POLICY_MAX_RULES       1024
#define POLICY_MAX_CREDENTIALS 1024
#define POLICY_MAX_CAS	       256
#define POLICY_MAX_DENIES      4096

enum policy_credential_kind {
	POLICY_KEY = 1,	 /* this public key */
	POLICY_CERT,	 /* a certificate under a CA with this name */
	POLICY_CERT_KEY, /* a certificate under a CA for this public key */
	POLICY_CERT_ANY, /* --any-identity: no line of a file says it */
};

/*
 * One `signer` line: a credential of a party. What a kind does not have is
 * zero. Those of two parties never overlap: not the same key, be it in a
 * certificate or not, nor the same name under one CA.
 */
struct policy_credential {
	size_t party;
	enum policy_credential_kind kind;
	struct bytes spki; /* POLICY_KEY: DER that public_key_parse reads */
	struct hash key;   /* POLICY_KEY, POLICY_CERT_KEY: SHA-256 of it */
	size_t ca;	   /* the certificate kinds */
	struct certificate_name name; /* POLICY_CERT */
	struct bytes issuer; /* certificates: OIDC issuer; empty: not asked */
	bool has_until;
	uint64_t until;		   /* POSIX seconds; from there on it is void */
	struct bytes below_origin; /* a log of the policy; empty: no limit */
	uint64_t below;		   /* entries with a smaller index count */
	unsigned line;		   /* 0: of no file */
};

enum policy_deny_kind { DENY_STATEMENT = 1, DENY_FILE, DENY_KEY };

struct policy_deny {
	enum policy_deny_kind kind;
	struct hash digest; /* S; of a resource; of an SPKI */
	unsigned line;
};

/* A trust anchor: a certificate that certificate_parse reads, of a CA. */
struct policy_ca {
	struct bytes name;
	struct bytes der;
	struct hash key; /* SHA-256 of its SPKI */
	unsigned line;
};

/*
 * What a loader trusts (schema/PROTOCOL.policy): C2SP tlog-policy lines, then
 * our own after `mtlog-policy 1`. It owns what it says (nothing borrows from
 * the text). Large: allocate it. A rule that is not there refuses: a policy
 * without rules refuses every model.
 */
struct policy {
	struct quorum quorum;
	uint64_t serial; /* 0: none written */
	bool has_expires;
	uint64_t expires; /* POSIX seconds; from there on all is refused */
	size_t ca_count;
	struct policy_ca *cas;
	size_t party_count;
	struct bytes *parties; /* names */
	size_t credential_count;
	struct policy_credential *credentials;
	size_t deny_count;
	struct policy_deny *denies;
	size_t rule_count;
	struct policy_rule *rules;
	bool has_digest;    /* it was read from a file, */
	struct hash digest; /* whose SHA-256 this is */
	struct arena storage;
};

/*
 * policy_parse reads a whole file. Any unknown keyword, missing or surplus
 * item, duplicate or undefined name is an error of the file: ERR_SYNTAX,
 * ERR_CONFLICT or ERR_LIMIT, and the sentence begins with "line N: " where
 * there is such a line; for an unknown keyword it suggests the nearest.
 * ERR_INTERNAL without memory. `*out` need not be initialised; after a failure
 * it is empty. Release with policy_release.
 */
bool policy_parse(struct bytes text, struct policy *out, struct error *err)
    MUST_USE;
void policy_release(struct policy *p);

/*
 * policy_format appends a policy from a file in its plainest form: a keyword's
 * lines together, one space, no defaults, times with seconds. Parsing that
 * gives the same policy (but for lines and digest).
 */
void policy_format(const struct policy *p, struct buf *out);

/*
 * policy_rule_for finds the one rule that decides for a name: the exact one,
 * else the longest prefix, else `*`; NULL: none. A name outside the names' set
 * (model_name_valid) matches only `*`.
 */
const struct policy_rule *policy_rule_for(
    const struct policy *p, struct bytes name);

/* policy_party_find is the number of a party's name; false if it has none. */
bool policy_party_find(const struct policy *p, struct bytes name, size_t *out)
    MUST_USE;

#endif
