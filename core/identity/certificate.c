/* SPDX-License-Identifier: Apache-2.0 */
#include "core/identity/certificate.h"

#include "core/base/encoding.h"
#include "core/base/times.h"
#include "core/crypto/der.h"

#define SERIAL_MAX 20 /* RFC 5280 section 4.1.2.2 */

#define USAGE_DIGITAL_SIGNATURE	  0
#define USAGE_CERTIFICATE_SIGNING 5

/* GeneralName (RFC 5280 section 4.2.1.6), the kinds that are read. */
#define NAME_OTHER DER_EXPLICIT(0)
#define NAME_EMAIL DER_CONTEXT(1)
#define NAME_DNS   DER_CONTEXT(2)
#define NAME_URI   DER_CONTEXT(6)

/* Object identifiers, without tag and length. */
#define OID_FULCIO "\x2b\x06\x01\x04\x01\x83\xbf\x30\x01" /* …57264.1 */

static const struct bytes oid_fulcio_name = BYTES_LIT(OID_FULCIO "\x07");
static const struct bytes oid_code_signing =
    BYTES_LIT("\x2b\x06\x01\x05\x05\x07\x03\x03");
static const struct bytes oid_time_stamping =
    BYTES_LIT("\x2b\x06\x01\x05\x05\x07\x03\x08");
static const struct bytes oid_any_usage = BYTES_LIT("\x55\x1d\x25\x00");

/* One extension; `value` is what its OCTET STRING holds. */
struct extension {
	struct bytes oid;
	bool critical;
	struct bytes value;
};

/* What is kept of the extensions until all have been seen. */
struct seen {
	size_t count;
	struct bytes oids[CERTIFICATE_MAX_EXTENSIONS];
	struct bytes issuer_raw;  /* Fulcio .1 */
	struct bytes issuer_utf8; /* Fulcio .8 */
};

/*
 * BOOLEAN DEFAULT FALSE. DER leaves FALSE out; certificates that write it are
 * common, and it can mean nothing else.
 */
static bool
read_boolean(struct reader *r, bool *out)
{
	struct bytes v;

	*out = false;
	if (reader_done(r) || r->rest.ptr[0] != DER_BOOLEAN)
		return true;
	if (!der_take(r, DER_BOOLEAN, &v) || v.len != 1 ||
	    (v.ptr[0] != 0x00 && v.ptr[0] != 0xff))
		return false;
	*out = v.ptr[0] != 0;
	return true;
}

/* A BIT STRING of named bits, the first one the highest of the first byte. */
static bool
read_bits(struct bytes in, struct bytes *out)
{
	struct reader r = {in};
	struct bytes v;

	if (!der_take(&r, DER_BIT_STRING, &v) || !reader_done(&r) ||
	    v.len == 0 || v.ptr[0] > 7 || (v.len == 1 && v.ptr[0] != 0))
		return false;
	if (v.len > 1 && (v.ptr[v.len - 1] & ((1u << v.ptr[0]) - 1)) != 0)
		return false;
	*out = bytes_slice(v, 1, v.len);
	return true;
}

static bool
has_bit(struct bytes bits, unsigned n)
{
	return n / 8 < bits.len && (bits.ptr[n / 8] & (0x80u >> n % 8)) != 0;
}

/* Text of a name or an issuer: there, and nothing that ends it early. */
static bool
is_text(struct bytes in)
{
	return in.len > 0 && !memchr(in.ptr, '\0', in.len) && utf8_valid(in);
}

static bool
is_ascii_text(struct bytes in)
{
	for (size_t i = 0; i < in.len; i++)
		if (in.ptr[i] >= 0x80)
			return false;
	return is_text(in);
}

/* A value that is one UTF8String and nothing else. */
static bool
read_utf8(struct bytes in, struct bytes *out)
{
	struct reader r = {in};

	return der_take(&r, DER_UTF8_STRING, out) && reader_done(&r) &&
	    is_text(*out);
}

static bool
read_key_usage(
    const struct extension *e, struct certificate *c, struct seen *seen)
{
	struct bytes bits;

	(void)seen;
	if (!read_bits(e->value, &bits))
		return false;
	c->has_key_usage = true;
	c->digital_signature = has_bit(bits, USAGE_DIGITAL_SIGNATURE);
	c->certificate_signing = has_bit(bits, USAGE_CERTIFICATE_SIGNING);
	return true;
}

static bool
read_extended_usage(
    const struct extension *e, struct certificate *c, struct seen *seen)
{
	struct reader r = {e->value}, list;
	struct bytes oid;

	(void)seen;
	if (!der_enter(&r, DER_SEQUENCE, &list) || !reader_done(&r) ||
	    reader_done(&list))
		return false;
	while (!reader_done(&list)) {
		if (!der_take(&list, DER_OID, &oid))
			return false;
		c->extended_usage_count++;
		if (bytes_equal(oid, oid_code_signing))
			c->code_signing = true;
		if (bytes_equal(oid, oid_time_stamping))
			c->time_stamping = true;
		if (bytes_equal(oid, oid_any_usage))
			c->any_usage = true;
	}
	c->has_extended_usage = true;
	c->extended_usage_critical = e->critical;
	return true;
}

static bool
read_constraints(
    const struct extension *e, struct certificate *c, struct seen *seen)
{
	struct reader r = {e->value}, fields;
	struct bytes length;

	(void)seen;
	if (!der_enter(&r, DER_SEQUENCE, &fields) || !reader_done(&r) ||
	    !read_boolean(&fields, &c->is_ca))
		return false;
	if (reader_done(&fields))
		return true;
	/* Any other number is chain_find's business. */
	if (!der_integer(&fields, &length) || length.ptr[0] >= 0x80 ||
	    !reader_done(&fields))
		return false;
	c->issues_leaves_only =
	    c->is_ca && bytes_equal(length, bytes_of("", 1));
	return true;
}

/* OtherName: SEQUENCE { OID, [0] { value } }, the tag replaced by [0]. */
static bool
read_other_name(struct bytes in, struct bytes *value, bool *known)
{
	struct reader r = {in};
	struct bytes oid, inner;

	if (!der_take(&r, DER_OID, &oid) ||
	    !der_take(&r, DER_EXPLICIT(0), &inner) || !reader_done(&r))
		return false;
	*known = bytes_equal(oid, oid_fulcio_name);
	return !*known || read_utf8(inner, value);
}

static bool
read_name(
    const struct der_element *e, struct certificate_name *out, bool *known)
{
	*known = true;
	out->value = e->value;
	switch (e->tag) {
	case NAME_EMAIL:
		out->kind = CERTIFICATE_EMAIL;
		return is_ascii_text(e->value);
	case NAME_DNS:
		out->kind = CERTIFICATE_DNS;
		return is_ascii_text(e->value);
	case NAME_URI:
		out->kind = CERTIFICATE_URI;
		return is_ascii_text(e->value);
	case NAME_OTHER:
		out->kind = CERTIFICATE_OTHER;
		return read_other_name(e->value, &out->value, known);
	default:
		*known = false;
		return true;
	}
}

static bool
read_names(const struct extension *e, struct certificate *c, struct seen *seen)
{
	struct reader r = {e->value}, list;
	struct der_element element;
	struct certificate_name name;
	bool known;

	(void)seen;
	if (!der_enter(&r, DER_SEQUENCE, &list) || !reader_done(&r) ||
	    reader_done(&list))
		return false;
	while (!reader_done(&list)) {
		if (!der_any(&list, &element) ||
		    !read_name(&element, &name, &known))
			return false;
		c->names_total++;
		if (!known)
			continue;
		if (c->name_count == CERTIFICATE_MAX_NAMES)
			return false;
		c->names[c->name_count++] = name;
	}
	c->names_critical = e->critical;
	return true;
}

static bool
read_issuer_raw(
    const struct extension *e, struct certificate *c, struct seen *seen)
{
	(void)c;
	seen->issuer_raw = e->value;
	return is_text(e->value);
}

static bool
read_issuer_utf8(
    const struct extension *e, struct certificate *c, struct seen *seen)
{
	(void)c;
	return read_utf8(e->value, &seen->issuer_utf8);
}

/* SignedCertificateTimestampList: an OCTET STRING of TLS structures. */
static bool
read_scts(const struct extension *e, struct certificate *c, struct seen *seen)
{
	struct reader r = {e->value};

	(void)seen;
	return der_take(&r, DER_OCTET_STRING, &c->scts) && reader_done(&r) &&
	    c->scts.len > 0;
}

static const struct {
	struct bytes oid;
	bool (*read)(const struct extension *e, struct certificate *c,
	    struct seen *seen);
	const char *name;
} extensions[] = {
    {BYTES_LIT("\x55\x1d\x0f"), read_key_usage, "key usage"},
    {BYTES_LIT("\x55\x1d\x25"), read_extended_usage, "extended key usage"},
    {BYTES_LIT("\x55\x1d\x13"), read_constraints, "basic constraints"},
    {BYTES_LIT("\x55\x1d\x11"), read_names, "subject alternative names"},
    {BYTES_LIT(OID_FULCIO "\x01"), read_issuer_raw, "OIDC issuer (.1)"},
    {BYTES_LIT(OID_FULCIO "\x08"), read_issuer_utf8, "OIDC issuer (.8)"},
    /* 1.3.6.1.4.1.11129.2.4.2 */
    {BYTES_LIT("\x2b\x06\x01\x04\x01\xd6\x79\x02\x04\x02"), read_scts,
	"certificate timestamps"},
};

#define EXTENSIONS (sizeof(extensions) / sizeof(extensions[0]))

static bool
syntax(struct error *err, const char *what)
{
	return error_reason(
	    err, ERR_SYNTAX, "chain", "malformed certificate: %s", what);
}

static bool
read_extension(const struct extension *e, struct certificate *c,
    struct seen *seen, struct error *err)
{
	for (size_t i = 0; i < seen->count; i++)
		if (bytes_equal(seen->oids[i], e->oid))
			return syntax(err, "an extension is there twice");
	if (seen->count == CERTIFICATE_MAX_EXTENSIONS)
		return error_reason(err, ERR_LIMIT, "chain",
		    "a certificate with more than %d extensions",
		    CERTIFICATE_MAX_EXTENSIONS);
	seen->oids[seen->count++] = e->oid;
	for (size_t i = 0; i < EXTENSIONS; i++) {
		if (!bytes_equal(extensions[i].oid, e->oid))
			continue;
		if (extensions[i].read(e, c, seen))
			return true;
		if (c->name_count == CERTIFICATE_MAX_NAMES)
			return error_reason(err, ERR_LIMIT, "chain",
			    "a certificate with more than %d names",
			    CERTIFICATE_MAX_NAMES);
		return syntax(err, extensions[i].name);
	}
	return true;
}

/* Fulcio writes the issuer twice, in an old and a new form. */
static bool
take_issuer(const struct seen *seen, struct certificate *c, struct error *err)
{
	if (seen->issuer_raw.len > 0 && seen->issuer_utf8.len > 0 &&
	    !bytes_equal(seen->issuer_raw, seen->issuer_utf8))
		return syntax(err, "it names two different OIDC issuers");
	c->oidc_issuer =
	    seen->issuer_utf8.len > 0 ? seen->issuer_utf8 : seen->issuer_raw;
	return true;
}

/* Extensions ::= [3] { SEQUENCE OF SEQUENCE { OID, critical, value } } */
static bool
read_extensions(struct reader *tbs, struct certificate *c, struct error *err)
{
	struct reader outer, list, fields;
	struct seen seen = {0};

	if (reader_done(tbs))
		return true;
	if (!der_enter(tbs, DER_EXPLICIT(3), &outer) ||
	    !der_enter(&outer, DER_SEQUENCE, &list) || !reader_done(&outer) ||
	    reader_done(&list) || c->version != 3)
		return syntax(err, "its extensions");
	while (!reader_done(&list)) {
		struct extension e;

		if (!der_enter(&list, DER_SEQUENCE, &fields) ||
		    !der_take(&fields, DER_OID, &e.oid) ||
		    !read_boolean(&fields, &e.critical) ||
		    !der_take(&fields, DER_OCTET_STRING, &e.value) ||
		    !reader_done(&fields))
			return syntax(err, "its extensions");
		if (!read_extension(&e, c, &seen, err))
			return false;
	}
	return take_issuer(&seen, c, err);
}

static bool
two_digits(struct reader *r, unsigned *out)
{
	uint8_t a, b;

	if (!reader_u8(r, &a) || !reader_u8(r, &b) || a < '0' || a > '9' ||
	    b < '0' || b > '9')
		return false;
	*out = (a - '0') * 10u + (b - '0');
	return true;
}

bool
certificate_time(uint8_t tag, struct bytes value, uint64_t *out)
{
	unsigned century = 0, year, month, day, hour, minute, second;
	struct reader r = {value};

	if (tag != DER_UTC_TIME && tag != DER_GENERALIZED_TIME)
		return false;
	if (tag == DER_GENERALIZED_TIME && !two_digits(&r, &century))
		return false;
	if (!two_digits(&r, &year) || !two_digits(&r, &month) ||
	    !two_digits(&r, &day) || !two_digits(&r, &hour) ||
	    !two_digits(&r, &minute) || !two_digits(&r, &second) ||
	    !reader_literal(&r, BYTES_LIT("Z")) || !reader_done(&r))
		return false;
	if (tag == DER_UTC_TIME)
		century = year < 50 ? 20 : 19;
	return time_of_parts(
	    century * 100 + year, month, day, hour, minute, second, out);
}

static bool
read_time(struct reader *tbs, uint64_t *out)
{
	struct der_element e;

	return der_any(tbs, &e) && certificate_time(e.tag, e.value, out);
}

/* Version ::= [0] { INTEGER } DEFAULT v1 (0); DER leaves the default out. */
static bool
read_version(struct reader *tbs, unsigned *out)
{
	struct reader outer;
	struct bytes v;

	*out = 1;
	if (reader_done(tbs) || tbs->rest.ptr[0] != DER_EXPLICIT(0))
		return true;
	if (!der_enter(tbs, DER_EXPLICIT(0), &outer) ||
	    !der_integer(&outer, &v) || !reader_done(&outer) || v.len != 1 ||
	    v.ptr[0] < 1 || v.ptr[0] > 2)
		return false;
	*out = v.ptr[0] + 1u;
	return true;
}

static bool
read_sequence(struct reader *r, struct bytes *whole)
{
	struct der_element e;

	if (!der_any(r, &e) || e.tag != DER_SEQUENCE)
		return false;
	*whole = e.whole;
	return true;
}

/* TBSCertificate up to the extensions; the algorithm is repeated outside. */
static bool
read_tbs(struct reader *tbs, struct certificate *c, struct bytes *algorithm,
    struct bytes *spki, struct error *err)
{
	struct reader validity;
	struct bytes serial;

	if (!read_version(tbs, &c->version))
		return syntax(err, "its version");
	if (!der_integer(tbs, &serial) || serial.ptr[0] >= 0x80 ||
	    serial.len > SERIAL_MAX)
		return syntax(err, "a serial number that is negative or long");
	if (!read_sequence(tbs, algorithm) || !read_sequence(tbs, &c->issuer))
		return syntax(err, "its issuer");
	if (!der_enter(tbs, DER_SEQUENCE, &validity) ||
	    !read_time(&validity, &c->not_before) ||
	    !read_time(&validity, &c->not_after) || !reader_done(&validity))
		return syntax(err, "its times");
	if (!read_sequence(tbs, &c->subject) || !read_sequence(tbs, spki))
		return syntax(err, "its subject");
	/* Unique identifiers, of version 2. */
	if (!der_optional(tbs, DER_CONTEXT(1)) ||
	    !der_optional(tbs, DER_CONTEXT(2)))
		return syntax(err, "its unique identifiers");
	c->self_issued = bytes_equal(c->issuer, c->subject);
	return true;
}

bool
certificate_parse(struct bytes der, struct certificate *out, struct error *err)
{
	struct reader r = {der}, fields, inner;
	struct bytes inside = {0}, outside, signature, spki = {0};
	struct certificate c = {.der = der};

	if (der.len > CERTIFICATE_MAX_LEN)
		return error_reason(err, ERR_LIMIT, "chain",
		    "a certificate of %zu bytes is larger than the limit of %d",
		    der.len, CERTIFICATE_MAX_LEN);
	if (!der_well_formed(der) || !der_enter(&r, DER_SEQUENCE, &fields) ||
	    !reader_done(&r) || !read_sequence(&fields, &c.tbs) ||
	    !read_sequence(&fields, &outside) ||
	    !der_bit_string(&fields, &signature) || !reader_done(&fields))
		return syntax(err, "not an X.509 certificate in DER");
	reader_init(&r, c.tbs);
	if (!der_enter(&r, DER_SEQUENCE, &inner) ||
	    !read_tbs(&inner, &c, &inside, &spki, err))
		return false;
	if (!bytes_equal(inside, outside))
		return syntax(err, "it names two signature algorithms");
	if (!read_extensions(&inner, &c, err))
		return false;
	if (!reader_done(&inner))
		return syntax(err, "there is more after its extensions");
	if (!public_key_parse(spki, &c.key, err)) {
		err->reason = "chain";
		return false;
	}
	*out = c;
	return true;
}

bool
certificate_has_name(const struct certificate *c,
    enum certificate_name_kind kind, struct bytes value)
{
	for (size_t i = 0; i < c->name_count; i++)
		if (c->names[i].kind == kind &&
		    bytes_equal(c->names[i].value, value))
			return true;
	return false;
}
