/* SPDX-License-Identifier: Apache-2.0 */
#include "client/lib/policy_flags.h"

#include <stdio.h>

#include "core/base/cleanup.h"
#include "core/crypto/pem.h"
#include "core/policy/policy_build.h"
#include "io/file.h"

#define TEXT_MAX (1u << 20)
#define PARTY	 BYTES_LIT("signer")

/* Whatever is wrong with a word on the command line is wrong usage. */
static bool
usage(struct error *err, const char *what)
{
	if (err->code != ERR_INTERNAL && err->code != ERR_NOTFOUND &&
	    err->code != ERR_IO) {
		err->code = ERR_USAGE;
		err->reason = NULL;
	}
	return error_prefix(err, "%s", what);
}

bool
log_key_read(const char *word, struct vkey *out, struct error *err)
{
	AUTO(buf) text = BUF_INIT(4096);

	if (strchr(word, '+')) {
		buf_put_str(&text, word);
	} else if (!file_read(word, &text, err)) {
		return false;
	}
	while (text.len > 0 && text.ptr[text.len - 1] == '\n')
		text.len--;
	return vkey_parse(buf_bytes(&text), out, err) || usage(err, word);
}

static bool
add_log(struct policy *p, const char *word, struct error *err)
{
	AUTO(buf) text = BUF_INIT(4096);
	struct vkey key;

	if (!log_key_read(word, &key, err))
		return false;
	vkey_format(&key, &text);
	return buf_ok(&text, err) &&
	    (policy_add_log(p, buf_bytes(&text), err) || usage(err, word));
}

static bool
add_key(struct policy *p, const char *path, struct error *err)
{
	AUTO(buf) text = BUF_INIT(TEXT_MAX);
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	struct policy_credential c = {.kind = POLICY_KEY};

	if (!file_read(path, &text, err))
		return false;
	if (!pem_public_key(buf_bytes(&text), &spki, err))
		return usage(err, path);
	c.spki = buf_bytes(&spki);
	return policy_add_credential(p, PARTY, &c, err) || usage(err, path);
}

/* All certificates of a file are anchors. */
static bool
add_cas(struct policy *p, const char *path, struct error *err)
{
	AUTO(buf) text = BUF_INIT(TEXT_MAX);
	struct reader r;
	struct bytes label;
	size_t before = p->ca_count;

	if (!file_read(path, &text, err))
		return false;
	reader_init(&r, buf_bytes(&text));
	for (;;) {
		AUTO(buf) der = BUF_INIT(CERTIFICATE_MAX_LEN);
		char name[32];
		int n = snprintf(name, sizeof(name), "ca%zu", p->ca_count + 1);

		if (!pem_next(&r, &label, &der, err))
			break;
		if (!bytes_equal(label, BYTES_LIT("CERTIFICATE")))
			(void)error_set(err, ERR_USAGE,
			    "it holds something else than certificates");
		else if (policy_add_ca(p, bytes_of(name, (size_t)n),
			     buf_bytes(&der), err))
			continue;
		break;
	}
	if (err->code != ERR_NONE)
		return usage(err, path);
	return p->ca_count > before ||
	    error_set(err, ERR_USAGE, "%s holds no certificate", path);
}

/* A bare identity is an e-mail address if it has an @ and no scheme. */
static bool
parse_identity(const char *text, struct policy_credential *c, struct error *err)
{
	static const char *const types[] = {
	    "email:", "uri:", "dns:", "other:", "spki-sha256:"};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strncmp(text, types[i], strlen(types[i])) == 0)
			return policy_identity_parse(bytes_str(text), c, err) ||
			    usage(err, text);
	if (strstr(text, "://"))
		c->name.kind = CERTIFICATE_URI;
	else if (strchr(text, '@'))
		c->name.kind = CERTIFICATE_EMAIL;
	else
		return error_set(err, ERR_USAGE,
		    "--identity %s: say what it is: email: uri: dns: other: "
		    "spki-sha256:",
		    text);
	c->kind = POLICY_CERT;
	c->name.value = bytes_str(text);
	return true;
}

static bool
add_identity(struct policy *p, const struct policy_flags *f, struct error *err)
{
	struct policy_credential c = {.kind = POLICY_CERT_ANY};

	if (f->identity && !parse_identity(f->identity, &c, err))
		return false;
	if (f->issuer)
		c.issuer = bytes_str(f->issuer);
	for (c.ca = 0; c.ca < p->ca_count; c.ca++)
		if (!policy_add_credential(p, PARTY, &c, err))
			return usage(err, "--identity");
	return true;
}

static bool
belong_to_root(const struct policy_flags *f, struct error *err)
{
	if (f->key || f->cas || f->any_identity || f->logs)
		return error_set(err, ERR_USAGE,
		    "--trusted-root has authorities and logs of its own: "
		    "--key, --ca, --any-identity and --log do not go with it");
	return (f->identity && f->issuer) ||
	    error_set(err, ERR_USAGE,
		"say whom the root must vouch for: --identity S and --issuer "
		"URL");
}

static bool
belong_together(const struct policy_flags *f, struct error *err)
{
	if (f->sigstore)
		return belong_to_root(f, err);
	if (f->key && (f->cas || f->identity || f->issuer || f->any_identity))
		return error_set(err, ERR_USAGE,
		    "--key and certificate flags (--ca, --identity, --issuer, "
		    "--any-identity) do not go together");
	if (!f->key && !f->cas)
		return error_set(err, ERR_USAGE,
		    "say whom you trust: --policy FILE, --key PEM, or --ca "
		    "PEM with --identity");
	if (f->cas && !f->identity && !f->any_identity)
		return error_set(err, ERR_USAGE,
		    "say whose certificate it must be: --identity S, or "
		    "--any-identity");
	if (f->identity && f->any_identity)
		return error_set(err, ERR_USAGE,
		    "say --identity or --any-identity, not both");
	if (f->issuer && !f->identity)
		return error_set(
		    err, ERR_USAGE, "--issuer goes with --identity");
	if (!f->logs && f->logged)
		return error_set(err, ERR_USAGE,
		    "say which log it must be in: --log VKEY; or that no log "
		    "is asked: --logged=off");
	return true;
}

bool
policy_of_flags(
    const struct policy_flags *f, struct policy *out, struct error *err)
{
	struct policy_rule rule;
	bool ok;

	policy_init(out);
	policy_rule_init(&rule);
	rule.logged = f->logged && !f->sigstore;
	rule.unsigned_ignored = f->unsigned_ignored;
	ok = belong_together(f, err);
	for (size_t i = 0; ok && f->logs && f->logs[i]; i++)
		ok = add_log(out, f->logs[i], err);
	if (ok && f->key)
		ok = add_key(out, f->key, err);
	for (size_t i = 0; ok && f->cas && f->cas[i]; i++)
		ok = add_cas(out, f->cas[i], err);
	if (ok && f->cas)
		ok = add_identity(out, f, err);
	if (ok) {
		party_set_add(&rule.signed_by, 0);
		ok = policy_add_rule(out, &rule, err);
	}
	return ok;
}
