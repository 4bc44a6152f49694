/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_CORE_POLICY_POLICY_BUILD_H
#define MTLOG_CORE_POLICY_POLICY_BUILD_H

#include "core/policy/policy.h"

/*
 * Policies without a file, for flags of a command line. policy_init makes one
 * with `quorum none` and nothing else; the others add to it what one line says,
 * under the same conditions and with the same errors, and copy what they are
 * given. After a failure release it. For example `--key`, `--log`:
 *
 *	policy_init(p);
 *	policy_rule_init(&rule);
 *	party_set_add(&rule.signed_by, 0);
 *	return policy_add_log(p, vkey, err) &&
 *	    policy_add_credential(p, BYTES_LIT("flags"), &key, err) &&
 *	    policy_add_rule(p, &rule, err);
 */
void policy_init(struct policy *p);

/* policy_add_log is `log <vkey>`. */
bool policy_add_log(struct policy *p, struct bytes vkey, struct error *err)
    MUST_USE;

/* policy_add_ca is `ca <name> …`; it becomes number ca_count - 1. */
bool policy_add_ca(struct policy *p, struct bytes name, struct bytes der,
    struct error *err) MUST_USE;

/*
 * policy_add_credential is `signer <name> …`, of which `c` says the rest:
 * `kind`, and `spki`; or `ca`, `issuer`, and `name` or `key`; `line` and the
 * limits. The party, and the key of POLICY_KEY, are found here.
 */
bool policy_add_credential(struct policy *p, struct bytes name,
    const struct policy_credential *c, struct error *err) MUST_USE;

/* policy_identity_parse reads "<type>:<value>" of a `signer … cert` line into
 * kind and name or key. `c` borrows from `text`. ERR_SYNTAX. */
bool policy_identity_parse(
    struct bytes text, struct policy_credential *c, struct error *err) MUST_USE;

/* policy_rule_init: the defaults, the pattern `*`, and nobody to sign. */
void policy_rule_init(struct policy_rule *r);

/* policy_add_rule is `model <pattern>` with the lines below it. */
bool policy_add_rule(struct policy *p, const struct policy_rule *rule,
    struct error *err) MUST_USE;

#endif
