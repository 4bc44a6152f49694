/* SPDX-License-Identifier: Apache-2.0 */
#include "core/identity/x509_chain.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "core/base/buf.h"
#include "core/base/cleanup.h"
#include "core/base/times.h"

#define LEAF	      0	  /* number of the leaf in the pool */
#define NAME_TEXT_MAX 128 /* bytes of a name in a sentence */
#define TIME_TEXT_MAX 24

/* How often a search begins anew. */
#define MAX_TRIES (CHAIN_MAX_INTERMEDIATES + 8)

/* OpenSSL's scale: 112 bits, so RSA 2048 and curves from P-224. */
#define SECURITY_LEVEL 2

typedef STACK_OF(X509) x509_stack;

CLEANUP_PTR(X509_STORE, X509_STORE_free);
CLEANUP_PTR(X509_STORE_CTX, X509_STORE_CTX_free);
CLEANUP_PTR(x509_stack, sk_X509_free);

struct member {
	struct bytes der;
	X509 *x;
	uint64_t not_before, not_after;
	bool left_out; /* led nowhere */
};

/* All certificates at hand: the leaf, the intermediates, the anchors. */
struct pool {
	const struct chain *chain;
	size_t count;
	size_t first_anchor;
	struct member *members;
	unsigned checks; /* signatures verified so far */
	bool exhausted;	 /* more were wanted */
};

/* A path as numbers in the pool. */
struct path {
	size_t count;
	size_t members[CHAIN_MAX_DEPTH];
};

static void
pool_release(struct pool *p)
{
	for (size_t i = 0; p->members && i < p->count; i++)
		X509_free(p->members[i].x);
	free(p->members);
	*p = (struct pool){0};
}

/* Empties the error queue; ERR_INTERNAL if memory ran out, since then nothing
 * is known about the certificates. */
static bool
ran_out(struct error *err)
{
	bool memory = false;
	unsigned long e;

	while ((e = ERR_get_error()) != 0)
		if (ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE)
			memory = true;
	if (memory)
		(void)error_set(err, ERR_INTERNAL, "out of memory");
	return memory;
}

static bool
openssl_failed(struct error *err)
{
	ERR_clear_error();
	return error_set(err, ERR_INTERNAL, "OpenSSL failed");
}

/* Whom a certificate is for, as printable ASCII: its subject, or its first
 * alternative name where the subject is empty. */
static const char *
name_of(const struct member *m, char out[NAME_TEXT_MAX])
{
	X509_NAME *subject = X509_get_subject_name(m->x);
	struct certificate c;
	struct error ignored = {0};
	size_t n;

	if (X509_NAME_entry_count(subject) > 0) {
		(void)X509_NAME_oneline(subject, out, NAME_TEXT_MAX);
		return out;
	}
	if (!certificate_parse(m->der, &c, &ignored) || c.name_count == 0)
		return "nobody";
	n = c.names[0].value.len;
	if (n >= NAME_TEXT_MAX)
		n = NAME_TEXT_MAX - 1;
	for (size_t i = 0; i < n; i++) {
		uint8_t byte = c.names[0].value.ptr[i];

		out[i] = byte < 0x20 || byte > 0x7e ? '?' : (char)byte;
	}
	out[n] = '\0';
	return out;
}

static const char *
time_text(uint64_t time, char out[TIME_TEXT_MAX])
{
	AUTO(buf) text = BUF_INIT(TIME_TEXT_MAX);

	time_put(&text, time);
	(void)snprintf(out, TIME_TEXT_MAX, "%.*s", (int)text.len,
	    text.failed ? "" : (const char *)text.ptr);
	return out;
}

static bool
denied(const struct member *m, const char *reason, const char *why,
    struct error *err)
{
	char name[NAME_TEXT_MAX];

	return error_reason(err, ERR_DENIED, reason, "the certificate of %s %s",
	    name_of(m, name), why);
}

static bool
valid_at(const struct member *m, uint64_t time)
{
	return m->not_before <= time && time <= m->not_after;
}

static bool
time_check(const struct member *m, uint64_t time, struct error *err)
{
	char name[NAME_TEXT_MAX], limit[TIME_TEXT_MAX], now[TIME_TEXT_MAX];

	if (time < m->not_before)
		return error_reason(err, ERR_DENIED, "not-yet-valid",
		    "the certificate of %s begins at %s, after %s",
		    name_of(m, name), time_text(m->not_before, limit),
		    time_text(time, now));
	if (time > m->not_after)
		return error_reason(err, ERR_DENIED, "expired",
		    "the certificate of %s ended at %s, before %s",
		    name_of(m, name), time_text(m->not_after, limit),
		    time_text(time, now));
	return true;
}

static bool
member_load(struct member *m, struct bytes der, struct error *err)
{
	const uint8_t *at = der.ptr;
	struct certificate c;

	if (!certificate_parse(der, &c, err))
		return false;
	m->der = der;
	m->not_before = c.not_before;
	m->not_after = c.not_after;
	m->x = d2i_X509(NULL, &at, (long)der.len);
	if (m->x && at == der.ptr + der.len)
		return true;
	return !ran_out(err) &&
	    error_reason(err, ERR_SYNTAX, "chain",
		"malformed certificate: OpenSSL does not read it");
}

static bool
pool_load(struct pool *p, const struct chain *c, struct error *err)
{
	if (c->intermediate_count > CHAIN_MAX_INTERMEDIATES ||
	    c->anchor_count > CHAIN_MAX_ANCHORS)
		return error_reason(err, ERR_LIMIT, "chain",
		    "%zu certificates and %zu anchors: at most %d and %d",
		    c->intermediate_count, c->anchor_count,
		    CHAIN_MAX_INTERMEDIATES, CHAIN_MAX_ANCHORS);
	p->chain = c;
	p->first_anchor = 1 + c->intermediate_count;
	p->members =
	    calloc(p->first_anchor + c->anchor_count, sizeof(*p->members));
	if (!p->members)
		return error_set(err, ERR_INTERNAL, "out of memory");
	p->count = p->first_anchor + c->anchor_count;
	if (!member_load(&p->members[LEAF], c->leaf, err))
		return error_prefix(err, "the signer's certificate");
	for (size_t i = 0; i < c->intermediate_count; i++)
		if (!member_load(&p->members[1 + i], c->intermediates[i], err))
			return error_prefix(err, "certificate %zu", i + 1);
	for (size_t i = 0; i < c->anchor_count; i++)
		if (!member_load(
			&p->members[p->first_anchor + i], c->anchors[i], err))
			return error_prefix(err, "anchor %zu", i + 1);
	return true;
}

/* A leaf's own extensions: what it may be used for. */
static bool
leaf_check(
    const struct member *m, enum chain_purpose purpose, struct error *err)
{
	struct certificate c;

	if (!certificate_parse(m->der, &c, err))
		return false;
	/* Some signers' certificates say that they are a CA and lack the key
	 * usage of one: OpenSSL takes such for no issuer, either. */
	if (c.is_ca && (!c.has_key_usage || c.certificate_signing))
		return denied(m, "key-usage",
		    "is that of a certificate authority, not of a signer", err);
	if (c.has_key_usage && !c.digital_signature)
		return denied(
		    m, "key-usage", "is not for digital signatures", err);
	if (purpose == CHAIN_TIME_STAMPING)
		return (c.time_stamping && c.extended_usage_critical &&
			   c.extended_usage_count == 1) ||
		    denied(m, "key-usage",
			"is not for time stamping (critical, and alone)", err);
	if (c.has_extended_usage && !c.code_signing)
		return denied(m, "key-usage", "is not for code signing", err);
	return c.has_extended_usage || c.has_key_usage ||
	    denied(m, "key-usage", "does not say what it is for", err);
}

static bool
signed_by(X509 *x, X509 *issuer)
{
	return X509_verify(x, X509_get0_pubkey(issuer)) == 1;
}

/*
 * Whether `issuer` issued `x`: by names and identifiers, and by signature, so
 * that of two authorities with one name the right one is found. Certificates
 * that all name each other would cost a second of CPU and more: they are
 * counted.
 */
static int
issued(X509_STORE_CTX *ctx, X509 *x, X509 *issuer)
{
	struct pool *p = X509_STORE_CTX_get_app_data(ctx);

	if (X509_check_issued(issuer, x) != X509_V_OK)
		return 0;
	if (p->checks == CHAIN_MAX_CHECKS) {
		p->exhausted = true;
		return 0;
	}
	p->checks++;
	return signed_by(x, issuer);
}

/* OpenSSL sees the certificates valid at the time alone (its own comparison
 * takes the last second for too late); with `timed` false, all. */
static bool
offer(const struct pool *p, bool timed, X509_STORE *store, x509_stack *others)
{
	for (size_t i = 1; i < p->count; i++) {
		const struct member *m = &p->members[i];

		if (m->left_out || (timed && !valid_at(m, p->chain->time)))
			continue;
		if (i < p->first_anchor ? sk_X509_push(others, m->x) <= 0
					: X509_STORE_add_cert(store, m->x) != 1)
			return false;
	}
	return true;
}

static bool
settings(X509_STORE *store, X509_STORE_CTX *ctx, X509 *leaf, x509_stack *others)
{
	X509_VERIFY_PARAM *param;

	if (X509_STORE_CTX_init(ctx, store, leaf, others) != 1)
		return false;
	param = X509_STORE_CTX_get0_param(ctx);
	/* Depth counts what is between leaf and anchor. */
	X509_VERIFY_PARAM_set_depth(param, CHAIN_MAX_DEPTH - 2);
	X509_VERIFY_PARAM_set_auth_level(param, SECURITY_LEVEL);
	return X509_VERIFY_PARAM_set_flags(param,
		   X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_NO_CHECK_TIME |
		       X509_V_FLAG_TRUSTED_FIRST) == 1;
}

static size_t
number_of(const struct pool *p, const X509 *x)
{
	for (size_t i = 0; i < p->count; i++)
		if (p->members[i].x == x)
			return i;
	return LEAF;
}

/* A certificate that `m` names as its issuer, valid at the time, and about
 * which X509_check_issued says `verdict`. */
static const struct member *
named_issuer(const struct pool *p, const struct member *m, int verdict)
{
	for (size_t i = 1; i < p->count; i++) {
		const struct member *other = &p->members[i];

		if (!other->left_out && valid_at(other, p->chain->time) &&
		    X509_check_issued(other->x, m->x) == verdict)
			return other;
	}
	return NULL;
}

/* Why nobody at hand issued `m`. */
static bool
dead_end(const struct pool *p, const struct member *m, struct error *err)
{
	char name[NAME_TEXT_MAX], issuer[NAME_TEXT_MAX];
	const struct member *other =
	    named_issuer(p, m, X509_V_ERR_KEYUSAGE_NO_CERTSIGN);

	if (other)
		return denied(
		    other, "key-usage", "is not for signing certificates", err);
	/* There may be an issuer that led nowhere itself. */
	other = named_issuer(p, m, X509_V_OK);
	if (other && !signed_by(m->x, other->x))
		return error_reason(err, ERR_BADSIG, "chain",
		    "the certificate of %s was not signed by %s",
		    name_of(m, name), name_of(other, issuer));
	(void)X509_NAME_oneline(
	    X509_get_issuer_name(m->x), issuer, sizeof(issuer));
	return error_reason(err, ERR_DENIED, "chain",
	    "the certificate of %s leads to no anchor: its issuer %s is not at "
	    "hand or not trusted",
	    name_of(m, name), issuer);
}

/* Says what OpenSSL found wrong. */
static bool
refused(
    const struct pool *p, int why, const struct member *m, struct error *err)
{
	char name[NAME_TEXT_MAX];

	switch (why) {
	case X509_V_OK:
	case X509_V_ERR_UNSPECIFIED:
	case X509_V_ERR_OUT_OF_MEM:
	case X509_V_ERR_INVALID_CALL:
	case X509_V_ERR_STORE_LOOKUP:
		return openssl_failed(err);
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_UNTRUSTED:
		return dead_end(p, m, err);
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
	case X509_V_ERR_UNABLE_TO_DECRYPT_CERT_SIGNATURE:
		(void)denied(m, "chain", "has a wrong signature", err);
		err->code = ERR_BADSIG;
		return false;
	case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
		return denied(
		    m, "key-usage", "is not for signing certificates", err);
	default:
		return error_reason(err, ERR_DENIED, "chain",
		    "the certificate of %s: %s", name_of(m, name),
		    X509_verify_cert_error_string(why));
	}
}

static bool
copy_path(const struct pool *p, x509_stack *verified, struct path *out,
    struct error *err)
{
	int n = sk_X509_num(verified);

	if (n < 1 || n > CHAIN_MAX_DEPTH)
		return openssl_failed(err);
	for (int i = 0; i < n; i++)
		out->members[i] = number_of(p, sk_X509_value(verified, i));
	out->count = (size_t)n;
	/* OpenSSL trusts a leaf that is an anchor; here it is no path. */
	if (out->members[0] != LEAF)
		return denied(&p->members[LEAF], "chain",
		    "is an anchor itself, which is no path to one", err);
	if (n < 2 || out->members[out->count - 1] < p->first_anchor)
		return openssl_failed(err);
	return true;
}

/* One search; `*wrong` is the certificate that it failed at. */
static bool
search(struct pool *p, bool timed, struct path *out, size_t *wrong,
    struct error *err)
{
	AUTO_PTR(X509_STORE) store = X509_STORE_new();
	AUTO_PTR(X509_STORE_CTX) ctx = X509_STORE_CTX_new();
	AUTO_PTR(x509_stack) others = sk_X509_new_null();
	int verdict;

	*wrong = LEAF;
	if (!store || !ctx || !others || !offer(p, timed, store, others))
		return openssl_failed(err);
	X509_STORE_set_check_issued(store, issued);
	if (!settings(store, ctx, p->members[LEAF].x, others) ||
	    X509_STORE_CTX_set_app_data(ctx, p) != 1)
		return openssl_failed(err);
	verdict = X509_verify_cert(ctx);
	if (ran_out(err))
		return false;
	if (p->exhausted)
		return error_reason(err, ERR_LIMIT, "chain",
		    "the path takes more than %d signatures to find",
		    CHAIN_MAX_CHECKS);
	if (verdict == 1)
		return copy_path(p, X509_STORE_CTX_get0_chain(ctx), out, err);
	*wrong = number_of(p, X509_STORE_CTX_get_current_cert(ctx));
	return refused(
	    p, X509_STORE_CTX_get_error(ctx), &p->members[*wrong], err);
}

static bool
issuer_check(
    const struct member *m, enum chain_purpose purpose, struct error *err)
{
	struct certificate c;

	if (!certificate_parse(m->der, &c, err))
		return false;
	if (!c.is_ca)
		return denied(
		    m, "chain", "is not that of a certificate authority", err);
	if (c.has_key_usage && !c.certificate_signing)
		return denied(
		    m, "key-usage", "is not for signing certificates", err);
	if (!c.has_extended_usage || c.any_usage ||
	    (purpose == CHAIN_CODE_SIGNING ? c.code_signing : c.time_stamping))
		return true;
	return denied(m, "key-usage",
	    "limits its authority to other uses than this one", err);
}

static bool
signature_check(const struct member *m, struct error *err)
{
	int digest = NID_undef, key = NID_undef;

	if (X509_get_signature_info(m->x, &digest, &key, NULL, NULL) == 1 &&
	    (digest == NID_sha256 || digest == NID_sha384 ||
		digest == NID_sha512 || key == NID_ED25519))
		return true;
	return !ran_out(err) &&
	    denied(
		m, "chain", "is signed with an algorithm that is refused", err);
}

/*
 * Certificate policies restrict nothing where nobody asks for one, but an
 * issuer can demand them. That is refused like any critical extension that is
 * not known: OpenSSL's own check leaks memory on some certificates.
 */
static bool
policy_check(const struct member *m, struct error *err)
{
	static const int kinds[] = {NID_policy_constraints,
	    NID_inhibit_any_policy, NID_policy_mappings};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		int at = X509_get_ext_by_NID(m->x, kinds[i], -1);

		if (at >= 0 &&
		    X509_EXTENSION_get_critical(X509_get_ext(m->x, at)))
			return denied(m, "chain",
			    "demands a policy, which is not looked at", err);
	}
	return true;
}

/* What OpenSSL does not look at, or not as strictly. */
static bool
path_check(const struct pool *p, enum chain_purpose purpose,
    const struct path *path, size_t *wrong, struct error *err)
{
	for (size_t i = 0; i < path->count; i++) {
		const struct member *m = &p->members[path->members[i]];

		*wrong = path->members[i];
		if (!time_check(m, p->chain->time, err))
			return false;
		if (i > 0 && !issuer_check(m, purpose, err))
			return false;
		/* Nobody vouches for an anchor. */
		if (i + 1 < path->count &&
		    (!signature_check(m, err) || !policy_check(m, err)))
			return false;
	}
	return true;
}

/* Searches until a path is good, or nothing is left to leave out. The error is
 * that of the first try: what it names was the likeliest path. */
static bool
search_all(struct pool *p, enum chain_purpose purpose, struct path *path,
    struct error *err)
{
	struct error first = {0};

	for (unsigned tries = 0; tries < MAX_TRIES; tries++) {
		struct error why = {0};
		size_t wrong;
		bool undecided;

		if (search(p, true, path, &wrong, &why) &&
		    path_check(p, purpose, path, &wrong, &why))
			return true;
		undecided = why.code == ERR_INTERNAL || why.code == ERR_LIMIT;
		if (first.code == ERR_NONE || undecided)
			first = why;
		if (wrong == LEAF || undecided)
			break;
		p->members[wrong].left_out = true;
	}
	*err = first;
	return false;
}

/* After a failure: there may be a path but for the time, which says more. */
static bool
blame_time(struct pool *p, struct error *err)
{
	struct error ignored = {0}, late = {0};
	struct path path = {0};
	size_t wrong;

	if (err->code == ERR_INTERNAL || err->code == ERR_LIMIT)
		return false;
	for (size_t i = 0; i < p->count; i++)
		p->members[i].left_out = false;
	if (!search(p, false, &path, &wrong, &ignored))
		return false;
	for (size_t i = 0; i < path.count; i++) {
		if (!time_check(
			&p->members[path.members[i]], p->chain->time, &late)) {
			*err = late;
			return false;
		}
	}
	return false;
}

static bool
find(const struct chain *c, enum chain_purpose purpose, struct chain_path *out,
    struct error *err)
{
	AUTO(pool) p = {0};
	struct path path = {0};

	if (!pool_load(&p, c, err) ||
	    !time_check(&p.members[LEAF], c->time, err) ||
	    !leaf_check(&p.members[LEAF], purpose, err))
		return false;
	if (!search_all(&p, purpose, &path, err))
		return blame_time(&p, err);
	out->count = path.count;
	for (size_t i = 0; i < path.count; i++)
		out->certificates[i] = p.members[path.members[i]].der;
	out->anchor = path.members[path.count - 1] - p.first_anchor;
	return true;
}

/*
 * That a path was not found must be so: who signed a withdrawal is nobody then.
 * OpenSSL 3.0 does not tell everywhere that memory ran out (of a key it could
 * not decode, an extension it could not copy), so a refusal is asked for twice:
 * what is wrong with certificates stays so.
 */
bool
chain_find(const struct chain *c, enum chain_purpose purpose,
    struct chain_path *out, struct error *err)
{
	struct error why = {0}, again = {0};
	bool ok = find(c, purpose, out, &why);

	if (!ok && why.code != ERR_INTERNAL) {
		ok = find(c, purpose, out, &again);
		if (again.code == ERR_INTERNAL)
			why = again;
	}
	ERR_clear_error();
	if (!ok && err->code == ERR_NONE)
		*err = why;
	return ok;
}

bool
chain_verify(const struct chain *c, enum chain_purpose purpose, size_t *anchor,
    struct error *err)
{
	struct chain_path path = {0};

	if (!chain_find(c, purpose, &path, err))
		return false;
	*anchor = path.anchor;
	return true;
}
