/* SPDX-License-Identifier: Apache-2.0 */
#include "client/cli/inspect_parts.h"
#include "core/base/cleanup.h"
#include "core/base/times.h"
#include "core/crypto/pem.h"
#include "core/crypto/signer.h"

/* Keys and certificates. */

#define CERTIFICATES_SHOWN 32

static bool
compute_key(struct report *r, struct bytes spki, struct error *err)
{
	AUTO(hasher) h = {0};
	struct public_key key;
	struct hash digest;
	char hint[2 * HASH_LEN + 1];

	if (!public_key_parse(spki, &key, err) || !hasher_open(&h, err))
		return false;
	sha256(&h, spki, &digest);
	key_hint(&h, spki, hint);
	if (!hasher_ok(&h, err))
		return false;
	report_computedf(r, "key", "%s", key_algorithm_name(key.algorithm));
	report_computed_hash(r, "spki-sha256", &digest);
	report_computedf(r, "hint", "%s", hint);
	return true;
}

static void
claim_names(struct report *r, const struct certificate *c)
{
	static const char *const kinds[] = {
	    [CERTIFICATE_EMAIL] = "email",
	    [CERTIFICATE_URI] = "uri",
	    [CERTIFICATE_DNS] = "dns",
	    [CERTIFICATE_OTHER] = "other",
	};

	for (size_t i = 0; i < c->name_count; i++) {
		AUTO(buf) text = BUF_INIT(CERTIFICATE_MAX_LEN + 16);

		buf_printf(&text, "%s:", kinds[c->names[i].kind]);
		buf_put(&text, c->names[i].value);
		report_claim(r, "  name", buf_bytes(&text));
	}
	if (c->oidc_issuer.len > 0)
		report_claim(r, "  issuer", c->oidc_issuer);
}

void
inspect_certificate(struct report *r, struct bytes der)
{
	AUTO(hasher) h = {0};
	struct error why = {0};
	struct certificate c;
	struct hash digest;

	if (!certificate_parse(der, &c, &why) || !hasher_open(&h, &why)) {
		report_claimf(r, "certificate", "cannot be read: %s", why.text);
		return;
	}
	sha256(&h, c.key.spki, &digest);
	report_claimf(r, "certificate", "%s%s",
	    c.is_ca ? "of an authority" : "of a signer",
	    c.self_issued ? ", issued by itself" : "");
	claim_names(r, &c);
	report_claimf(r, "  key", "%s", key_algorithm_name(c.key.algorithm));
	if (hasher_ok(&h, &why))
		report_claim_hash(r, "  spki-sha256", &digest);
	report_claim_time(r, "  not before", c.not_before);
	report_claim_time(r, "  not after", c.not_after);
}

static bool
inspect_private(struct report *r, struct bytes text, struct error *err)
{
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	struct error why = {0};
	struct private_key *key =
	    private_key_parse(text, (struct bytes){0}, &why);
	bool ok;

	r->kind = "private-key";
	if (!key && why.code == ERR_DENIED) {
		buf_put_str(&r->what, "a private key, encrypted");
		return true;
	}
	if (!key) {
		*err = why;
		return false;
	}
	buf_put_str(&r->what, "a private key, not encrypted: keep it secret");
	ok = private_key_public(key, &spki, err) &&
	    compute_key(r, buf_bytes(&spki), err);
	private_key_close(key);
	return ok;
}

static bool
inspect_certificates(struct report *r, struct bytes text, struct error *err)
{
	struct reader in = {text};
	struct bytes label;
	size_t n = 0;

	for (;;) {
		AUTO(buf) der = BUF_INIT(CERTIFICATE_MAX_LEN);

		if (!pem_next(&in, &label, &der, err))
			break;
		if (bytes_equal(label, BYTES_LIT("CERTIFICATE")) &&
		    n++ < CERTIFICATES_SHOWN)
			inspect_certificate(r, buf_bytes(&der));
	}
	r->kind = "certificate";
	buf_printf(&r->what, "%zu certificate%s", n, n == 1 ? "" : "s");
	return err->code == ERR_NONE;
}

static bool
has(struct bytes text, const char *words)
{
	return memmem(text.ptr, text.len, words, strlen(words)) != NULL;
}

bool
inspect_pem(struct report *r, struct bytes text, struct error *err)
{
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);

	if (has(text, "PRIVATE KEY-----"))
		return inspect_private(r, text, err);
	if (has(text, "-----BEGIN CERTIFICATE-----"))
		return inspect_certificates(r, text, err);
	if (!pem_public_key(text, &spki, err))
		return false;
	r->kind = "public-key";
	buf_put_str(&r->what, "a public key");
	return compute_key(r, buf_bytes(&spki), err);
}
