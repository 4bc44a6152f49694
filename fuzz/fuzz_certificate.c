/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "core/crypto/der.h"
#include "core/identity/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(bool condition)
{
	if (!condition)
		abort();
}

static void
must_be_inside(struct bytes view, struct bytes der)
{
	must(view.len == 0 ||
	    (view.ptr >= der.ptr && view.len <= der.len &&
		(size_t)(view.ptr - der.ptr) <= der.len - view.len));
}

/* What a certificate that parses is made of. */
static void
check(const struct certificate *c, struct bytes der)
{
	must(der_well_formed(der));
	must_be_inside(c->tbs, der);
	must_be_inside(c->subject, der);
	must_be_inside(c->issuer, der);
	must_be_inside(c->oidc_issuer, der);
	must_be_inside(c->scts, der);
	must(c->version >= 1 && c->version <= 3);
	must(c->name_count <= CERTIFICATE_MAX_NAMES);
	must(c->name_count <= c->names_total);
	for (size_t i = 0; i < c->name_count; i++) {
		must_be_inside(c->names[i].value, der);
		must(c->names[i].value.len > 0);
		must(certificate_has_name(
		    c, c->names[i].kind, c->names[i].value));
	}
}

/*
 * A certificate: the key inside is one that public_key_parse takes alone, and
 * certificate_key_parse, which asks for less, finds the same one.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes der = bytes_of(data, size);
	struct public_key key = {0}, alone;
	struct certificate c;
	struct error err = {0}, strict = {0};
	bool has_key = certificate_key_parse(der, &key, &err);

	must(has_key || err.code == ERR_SYNTAX || err.code == ERR_LIMIT);
	if (has_key) {
		must_be_inside(key.spki, der);
		must(public_key_parse(key.spki, &alone, &err));
		must(alone.algorithm == key.algorithm);
		must(bytes_equal(alone.raw, key.raw));
	}
	if (!certificate_parse(der, &c, &strict)) {
		must(strict.code == ERR_SYNTAX || strict.code == ERR_LIMIT);
		return 0;
	}
	must(has_key && bytes_equal(c.key.spki, key.spki));
	check(&c, der);
	return 0;
}
