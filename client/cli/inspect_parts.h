/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CLIENT_CLI_INSPECT_PARTS_H
#define MTLOG_CLIENT_CLI_INSPECT_PARTS_H

#include "core/identity/certificate.h"
#include "core/verify/verdict.h"

/*
 * What inspect says of a thing: what was computed here, and apart from it what
 * the thing claims, which nobody has verified. All texts are shown escaped, in
 * JSON too. For inspect.c and inspect_*.c.
 */
struct report {
	bool json;
	bool verified; /* evidence alone can be */
	enum verdict_code code;
	const char *kind;    /* a stable word */
	struct buf what;     /* a sentence */
	struct buf computed; /* written as text or JSON elements */
	struct buf claims;
};

/* report_computed and report_claim add one line. `text` may be anything. */
void report_computed(struct report *r, const char *name, struct bytes text);
void report_claim(struct report *r, const char *name, struct bytes text);

/* The same for a text of the program's own making. */
void report_claimf(struct report *r, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void report_computedf(struct report *r, const char *name, const char *format,
    ...) __attribute__((format(printf, 3, 4)));

/* A digest, and a time, as text. */
void report_computed_hash(
    struct report *r, const char *name, const struct hash *hash);
void report_claim_hash(
    struct report *r, const char *name, const struct hash *hash);
void report_claim_time(struct report *r, const char *name, uint64_t seconds);

/*
 * The kinds of things. Each fills the report from the whole contents; what is
 * malformed is the parser's ERR_SYNTAX or ERR_LIMIT.
 */
bool inspect_bundle(struct report *r, struct bytes text, struct error *err)
    MUST_USE;
bool inspect_proof(struct report *r, struct bytes text, struct error *err)
    MUST_USE;
bool inspect_evidence(struct report *r, struct bytes text, struct error *err)
    MUST_USE;
bool inspect_note(struct report *r, struct bytes text, struct error *err)
    MUST_USE;
bool inspect_vkey(struct report *r, struct bytes text, struct error *err)
    MUST_USE;
bool inspect_pem(struct report *r, struct bytes text, struct error *err)
    MUST_USE;
bool inspect_policy(struct report *r, struct bytes text, struct error *err)
    MUST_USE;

/* What one certificate claims; one that cannot be read is said to be so. */
void inspect_certificate(struct report *r, struct bytes der);

/* The claims of a checkpoint's note within something else. */
void inspect_checkpoint(struct report *r, struct bytes note);

#endif
