/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_CORE_VERIFY_PARTIES_H
#define MTLOG_TESTS_CORE_VERIFY_PARTIES_H

#include <openssl/x509v3.h>

#include "core/base/cleanup.h"
#include "core/crypto/pem.h"
#include "core/crypto/private_key_parts.h"
#include "core/model/bundle.h"
#include "core/tlog/cosignature.h"

/*
 * Who signs in the tests of the verifier: parties, certificate authorities, a
 * log and its witnesses. Keys are made once a process; what fails here ends the
 * test.
 */
enum party {
	CI, /* signs the model */
	ALICE,
	BOB,
	WATCHER,
	EVE, /* whom no policy knows */
	ROOT,
	OTHER_ROOT, /* a CA of the same name */
	LOG,
	OTHER_LOG, /* which a policy may know, too */
	W1,
	W2,
	W3,
	PARTIES
};

static const char *const party_names[PARTIES] = {
    [CI] = "ci",
    [ALICE] = "alice",
    [BOB] = "bob",
    [WATCHER] = "watcher",
    [EVE] = "eve",
    [ROOT] = "root",
    [OTHER_ROOT] = "root",
    [LOG] = "log.example",
    [OTHER_LOG] = "other.example",
    [W1] = "w1.example",
    [W2] = "w2.example",
    [W3] = "w3.example",
};

struct parties {
	struct private_key *keys[PARTIES];
	struct buf spki[PARTIES];
	struct hash ids[PARTIES];   /* SHA-256 of the SPKI */
	struct vkey vkeys[PARTIES]; /* from LOG on */
	struct key_verifier *verifier;
	struct hasher hasher;
};

static inline void
must(bool ok, const struct error *err)
{
	if (!ok)
		fail_msg("%s", err->text);
}

static inline void
parties_open(struct parties *p)
{
	struct error err = {0};

	p->verifier = key_verifier_open(&err);
	must(p->verifier && hasher_open(&p->hasher, &err), &err);
	for (size_t i = 0; i < PARTIES; i++) {
		struct bytes spki;

		p->keys[i] = private_key_generate(
		    i >= LOG ? KEY_ED25519 : KEY_ECDSA_P256, &err);
		buf_init(&p->spki[i], SPKI_MAX_LEN);
		must(p->keys[i] &&
			private_key_public(p->keys[i], &p->spki[i], &err),
		    &err);
		spki = buf_bytes(&p->spki[i]);
		sha256(&p->hasher, spki, &p->ids[i]);
		if (i >= LOG)
			must(vkey_init(&p->vkeys[i], bytes_str(party_names[i]),
				 i >= W1 ? NOTE_COSIGNATURE : NOTE_ED25519,
				 bytes_slice(spki, spki.len - 32, spki.len),
				 &err),
			    &err);
	}
}

static inline void
parties_close(struct parties *p)
{
	for (size_t i = 0; i < PARTIES; i++) {
		private_key_close(p->keys[i]);
		buf_release(&p->spki[i]);
	}
	hasher_release(&p->hasher);
	key_verifier_close(p->verifier);
}

/* A certificate to be made. */
struct certificate_wish {
	enum party subject, issuer;
	bool ca;
	const char *name;     /* "email:…"; NULL: none */
	const char *usage;    /* extended; NULL: none */
	uint64_t from, until; /* POSIX seconds */
	bool leaves_only;     /* a CA with a path length of 0 */
};

static inline void
put_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *e =
	    value ? X509V3_EXT_conf_nid(NULL, NULL, nid, value) : NULL;

	if (value)
		assert_true(e && X509_add_ext(x, e, -1));
	X509_EXTENSION_free(e);
}

static inline void
put_common_name(X509_NAME *n, const char *name)
{
	assert_true(X509_NAME_add_entry_by_txt(
	    n, "CN", MBSTRING_UTF8, (const unsigned char *)name, -1, -1, 0));
}

/* certify appends the DER. */
static inline void
certify(
    const struct parties *p, const struct certificate_wish *w, struct buf *out)
{
	static long serial;
	X509 *x = X509_new();
	unsigned char *der = NULL;
	int n;

	assert_true(x && X509_set_version(x, 2) &&
	    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial) &&
	    X509_set_pubkey(x, p->keys[w->subject]->pkey) &&
	    ASN1_TIME_set(X509_getm_notBefore(x), (time_t)w->from) &&
	    ASN1_TIME_set(X509_getm_notAfter(x), (time_t)w->until));
	put_common_name(X509_get_subject_name(x), party_names[w->subject]);
	put_common_name(X509_get_issuer_name(x), party_names[w->issuer]);
	put_extension(x, NID_basic_constraints,
	    w->leaves_only ? "critical,CA:TRUE,pathlen:0"
		: w->ca	   ? "critical,CA:TRUE"
			   : NULL);
	put_extension(x, NID_key_usage,
	    w->ca ? "critical,keyCertSign" : "critical,digitalSignature");
	put_extension(x, NID_ext_key_usage, w->usage);
	put_extension(x, NID_subject_alt_name, w->name);
	assert_true(X509_sign(x, p->keys[w->issuer]->pkey, EVP_sha256()) > 0);
	n = i2d_X509(x, &der);
	assert_true(n > 0);
	buf_put(out, bytes_of(der, (size_t)n));
	OPENSSL_free(der);
	X509_free(x);
}

/* sign_envelope makes the signature over an envelope's type and payload. */
static inline void
sign_envelope(const struct parties *p, enum party by, const struct envelope *e,
    struct buf *signature)
{
	enum digest_algorithm alg =
	    key_digest_algorithm(private_key_algorithm(p->keys[by]));
	uint8_t digest[DIGEST_MAX_LEN];
	struct error err = {0};

	must(dsse_digest(alg, e->payload_type, e->payload, digest, &err) &&
		private_key_sign_digest(p->keys[by], alg,
		    bytes_of(digest, digest_len(alg)), signature, &err),
	    &err);
}

/* sign_head appends a checkpoint's note: signed by `log`, cosigned by those
 * witnesses whose time is not 0. */
static inline void
sign_head(const struct parties *p, enum party log, uint64_t size,
    const struct hash *root, const uint64_t times[3], struct buf *note)
{
	AUTO(buf) text = BUF_INIT(CHECKPOINT_MAX_LEN);
	struct checkpoint c = {
	    .origin = bytes_str(party_names[log]),
	    .size = size,
	    .root = *root,
	};
	struct error err = {0};

	checkpoint_format(&c, &text);
	must(checkpoint_sign(
		 &c, p->keys[log], &p->vkeys[log], p->verifier, note, &err),
	    &err);
	for (size_t i = 0; i < 3; i++)
		if (times[i] > 0)
			must(cosignature_sign(buf_bytes(&text), times[i],
				 p->keys[W1 + i], &p->vkeys[W1 + i],
				 p->verifier, note, &err),
			    &err);
}

#endif
