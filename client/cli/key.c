/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "client/cli/keys.h"
#include "client/cli/verbs.h"
#include "core/crypto/private_key.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/crypto/pem.h"
#include "io/file.h"

static const struct cli_option options[] = {
    CLI_KEY_OPTIONS,
    {"--type", "WORD",
	"new: p256 (default) p384 p521 rsa2048 rsa3072 "
	"rsa4096 ed25519",
	false},
    {"--out", "FILE", "new, convert: where the private key goes", false},
    {"--encrypt", NULL, "new, convert: under a passphrase", false},
    {"--new-passphrase-file", "FILE", "it, instead of asking", false},
    {0},
};

static const struct {
	const char *name;
	enum key_algorithm algorithm;
} types[] = {
    {"p256", KEY_ECDSA_P256},
    {"p384", KEY_ECDSA_P384},
    {"p521", KEY_ECDSA_P521},
    {"rsa2048", KEY_RSA_2048},
    {"rsa3072", KEY_RSA_3072},
    {"rsa4096", KEY_RSA_4096},
    {"ed25519", KEY_ED25519},
};

static bool
read_type(const char *word, enum key_algorithm *out, struct error *err)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (!word || strcmp(word, types[i].name) == 0) {
			*out = types[i].algorithm;
			return true;
		}
	return error_set(err, ERR_USAGE,
	    "--type is p256, p384, p521, rsa2048, rsa3072, rsa4096 or "
	    "ed25519, not %s",
	    word);
}

static bool
write_beside(
    const char *path, const char *suffix, struct bytes text, struct error *err)
{
	char *full = NULL;
	bool ok;

	if (asprintf(&full, "%s%s", path, suffix) < 0)
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok = file_create(full, text, 0644, err);
	free(full);
	return ok;
}

/* A revocation of this key by itself, to be locked away: whoever loses the key
 * can still say so. */
static bool
write_revocation(struct private_key *key, const char *path, struct error *err)
{
	AUTO(buf) payload = BUF_INIT(STATEMENT_SIDE_MAX);
	AUTO(buf) bundle = BUF_INIT(STATEMENT_SIDE_MAX * 2);
	AUTO(hasher) h = {0};
	struct signer signer = {0};
	struct sign_identity who = {.signer = &signer};
	struct statement_subject subject = {.name = BYTES_LIT("key")};
	struct statement s = {
	    .kind = STATEMENT_REVOCATION,
	    .subject_count = 1,
	    .subjects = &subject,
	    .reason = BYTES_LIT("lost"),
	};
	bool ok = signer_of_key(key, &signer, err) && hasher_open(&h, err);

	if (ok) {
		sha256(&h, buf_bytes(&signer.spki), &subject.digest);
		statement_format(&s, &payload);
		ok = hasher_ok(&h, err) && buf_ok(&payload, err) &&
		    sign_bundle(&who, buf_bytes(&payload), &bundle, err) &&
		    write_beside(path, ".revoke", buf_bytes(&bundle), err);
	}
	signer_release(&signer);
	return ok;
}

/* PEM of the private key, encrypted if asked for; wiped by the caller. */
static bool
format_private(const struct cli_args *a, const struct private_key *key,
    struct buf *pem, struct error *err)
{
	struct buf passphrase = BUF_INIT(PASSPHRASE_MAX_LEN);
	bool ok = !cli_flag(a, "--encrypt") ||
	    cli_new_passphrase(a, &passphrase, err);

	ok = ok && private_key_format(key, buf_bytes(&passphrase), pem, err);
	cli_secret_release(&passphrase);
	return ok;
}

static bool
write_keys(const struct cli_args *a, struct private_key *key, const char *path,
    bool revocation, struct error *err)
{
	struct buf pem = BUF_INIT(PRIVATE_KEY_MAX_LEN);
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	AUTO(buf) text = BUF_INIT(2 * SPKI_MAX_LEN);
	bool ok = format_private(a, key, &pem, err) &&
	    private_key_public(key, &spki, err);

	pem_put(&text, "PUBLIC KEY", buf_bytes(&spki));
	ok = ok && buf_ok(&text, err) &&
	    file_create(path, buf_bytes(&pem), 0600, err) &&
	    write_beside(path, ".pub", buf_bytes(&text), err) &&
	    (!revocation || write_revocation(key, path, err));
	cli_secret_release(&pem);
	return ok;
}

static int
key_new(struct cli_args *a, struct error *err)
{
	const char *path = cli_need(a, "--out", err);
	enum key_algorithm algorithm;
	struct private_key *key;
	bool ok;

	if (!path || !read_type(cli_value(a, "--type"), &algorithm, err))
		return -1;
	key = private_key_generate(algorithm, err);
	ok = key && write_keys(a, key, path, true, err);
	private_key_close(key);
	if (!ok)
		return -1;
	(void)printf(
	    "%s         private key (%s): keep it secret\n"
	    "%s.pub     public key: for policies and mtlog verify --key\n"
	    "%s.revoke  a signed revocation: lock it away, and publish it "
	    "(mtlog submit) if the key is lost\n",
	    path, key_algorithm_name(algorithm), path, path);
	return VERDICT_ACCEPTED;
}

static bool
read_public(const struct cli_args *a, struct buf *spki, struct error *err)
{
	const char *path =
	    a->operand_count > 1 ? a->operands[1] : cli_value(a, "--key");
	AUTO(buf) text = BUF_INIT(PRIVATE_KEY_MAX_LEN);
	struct cli_signer who;
	struct error why = {0};
	bool ok;

	if (!path)
		return error_set(err, ERR_USAGE,
		    "say which key: mtlog key show PEM, or --key PEM|URI");
	if (strncmp(path, "pkcs11:", 7) != 0 && file_read(path, &text, &why) &&
	    pem_public_key(buf_bytes(&text), spki, &why))
		return true;
	if (why.code == ERR_NOTFOUND || a->operand_count > 1) {
		*err = why;
		return false;
	}
	ok = cli_signer_open(a, &who, err);
	if (ok)
		buf_put(spki, buf_bytes(&who.signer.spki));
	cli_signer_close(&who);
	return ok && buf_ok(spki, err);
}

static int
key_show(struct cli_args *a, struct error *err)
{
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	AUTO(buf) out = BUF_INIT(16384);
	AUTO(hasher) h = {0};
	struct public_key key;
	struct hash digest;
	char hint[2 * HASH_LEN + 1];

	if (!read_public(a, &spki, err) ||
	    !public_key_parse(buf_bytes(&spki), &key, err) ||
	    !hasher_open(&h, err))
		return -1;
	sha256(&h, buf_bytes(&spki), &digest);
	key_hint(&h, buf_bytes(&spki), hint);
	buf_printf(&out, "kind          %s\nspki-sha256   ",
	    key_algorithm_name(key.algorithm));
	hex_put(&out, hash_bytes(&digest));
	buf_printf(
	    &out, "\nhint          %s\npolicy line   signer NAME key ", hint);
	base64_put(&out, buf_bytes(&spki));
	buf_put_str(&out, "\n\n");
	pem_put(&out, "PUBLIC KEY", buf_bytes(&spki));
	if (!hasher_ok(&h, err) || !buf_ok(&out, err) ||
	    !cli_print(buf_bytes(&out), err))
		return -1;
	return VERDICT_ACCEPTED;
}

/* Any form that is read, to PKCS#8, with another passphrase or none. */
static int
key_convert(struct cli_args *a, struct error *err)
{
	const char *path = cli_need(a, "--out", err);
	struct cli_signer who;
	bool ok;

	if (!path)
		return -1;
	ok = cli_signer_open(a, &who, err);
	if (ok && !who.key)
		ok = error_set(
		    err, ERR_USAGE, "a token's key stays in the token");
	ok = ok && write_keys(a, who.key, path, false, err);
	cli_signer_close(&who);
	return ok ? VERDICT_ACCEPTED : -1;
}

static const char *const words[] = {"new", "show", "convert", NULL};

static int
run(struct cli_args *a, struct error *err)
{
	static cli_word_run *const runs[] = {key_new, key_show, key_convert};

	return cli_run_word(a, runs, err);
}

const struct cli_verb verb_key = {
    .name = "key",
    .arguments = "new|show|convert [PEM]",
    .summary = "Make a signing key, show what is public of one, convert it",
    .details = "new writes FILE, FILE.pub and FILE.revoke, a signed revocation "
	       "to lock\n"
	       "away. show prints digest, hint and the line for a policy.",
    .run = run,
    .options = options,
    .words = words,
};
