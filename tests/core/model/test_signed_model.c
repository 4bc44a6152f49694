/* SPDX-License-Identifier: Apache-2.0 */
/* Bundle, envelope, statement and manifest together: public vectors, and what
 * is signed here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/crypto/private_key.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/crypto/pem.h"
#include "core/model/bundle.h"
#include "core/model/entry.h"
#include "core/model/manifest.h"
#include "core/model/statement.h"
#include "tests/support/manifest_root.h"
#include "tests/support/refusals.h"

static struct key_verifier *verifier;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_realloc(void *p, size_t size);

/* How many allocations of ours succeed before one fails; below 0: all. */
static int allocations = -1;

static bool
fails_now(void)
{
	return allocations >= 0 && allocations-- == 0;
}

void *
__wrap_malloc(size_t size)
{
	return fails_now() ? NULL : __real_malloc(size);
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return fails_now() ? NULL : __real_calloc(n, size);
}

void *
__wrap_realloc(void *p, size_t size)
{
	return fails_now() ? NULL : __real_realloc(p, size);
}

static int
setup(void **state)
{
	struct error err = {0};

	(void)state;
	verifier = key_verifier_open(&err);
	return verifier ? 0 : -1;
}

static int
teardown(void **state)
{
	(void)state;
	key_verifier_close(verifier);
	return 0;
}

/* All that is read of one signed model. */
struct model {
	struct bundle bundle;
	struct buf spki;
	struct public_key key;
	struct statement statement;
	struct manifest manifest;
	struct hash digest; /* S */
};

static void
model_release(struct model *m)
{
	bundle_release(&m->bundle);
	buf_release(&m->spki);
	statement_release(&m->statement);
	manifest_release(&m->manifest);
}

/* The key to verify with: of a PEM file, or the leaf certificate's own. */
static bool
take_key(struct model *m, struct bytes pem, struct error *err)
{
	if (m->bundle.material != BUNDLE_KEY)
		return certificate_key_parse(
		    m->bundle.certificates[0], &m->key, err);
	buf_init(&m->spki, SPKI_MAX_LEN);
	return pem_public_key(pem, &m->spki, err) &&
	    public_key_parse(buf_bytes(&m->spki), &m->key, err);
}

/* The order is a verifier's: nothing is read before it is authentic. */
static bool
read_model(
    struct bytes json, struct bytes pem, struct model *m, struct error *err)
{
	const struct envelope *e = &m->bundle.envelope;

	return bundle_parse(json, &m->bundle, err) && take_key(m, pem, err) &&
	    dsse_verify(e, &m->key, verifier, err) &&
	    dsse_statement_digest(e, &m->digest, err) &&
	    (bytes_equal(e->payload_type, BYTES_LIT(DSSE_IN_TOTO)) ||
		error_reason(
		    err, ERR_DENIED, "wrong-statement-type", "not in-toto")) &&
	    statement_parse(e->payload, &m->statement, err) &&
	    manifest_parse(m->statement.predicate,
		&m->statement.subjects[0].digest, &m->manifest, err);
}

/* A case of oms-stock: what a verdict from the signature file alone must be. */
struct stock {
	const char *name, *signature;
	const char *reason; /* NULL: nothing is wrong with it here */
	size_t resources;
};

/* All of them. bad-* whose fault is in the files, the policy or the chain are
 * good here; key-bogus-tlog's entry is judged later. */
static const struct stock stock[] = {
    {"bad-blake3-byte", "model.sig", NULL, 5},
    {"bad-byte", "model.sig", NULL, 5},
    {"bad-byte-header", "model.sig", NULL, 5},
    {"bad-case-rename", "model.sig", NULL, 5},
    {"bad-cert-as-key", "model.sig", NULL, 5},
    {"bad-cert-byte", "model.sig", NULL, 5},
    {"bad-cert-default-roots", "model.sig", NULL, 5},
    {"bad-cert-empty-chain", "model.sig", "malformed-bundle", 0},
    {"bad-cert-issuer-not-ca", "model.sig", NULL, 5},
    {"bad-cert-no-digital-signature", "model.sig", NULL, 5},
    {"bad-cert-no-intermediate", "model.sig", NULL, 5},
    {"bad-cert-no-ku", "model.sig", NULL, 5},
    {"bad-cert-other-leaf", "model.sig", "signature", 0},
    {"bad-cert-outlived", "model.sig", NULL, 5},
    {"bad-cert-signature", "model.sig", "signature", 0},
    {"bad-cert-wrong-ca", "model.sig", NULL, 5},
    {"bad-empty-sig", "model.sig", "malformed-bundle", 0},
    {"bad-extra", "model.sig", NULL, 5},
    {"bad-extra-hidden", "model.sig", NULL, 5},
    {"bad-garbage", "model.sig", "malformed-bundle", 0},
    {"bad-hint-wrong", "model.sig", NULL, 5},
    {"bad-ignore-unsigned-missing", "model.sig", NULL, 5},
    {"bad-key-as-cert", "model.sig", NULL, 5},
    {"bad-media-type", "model.sig", "malformed-bundle", 0},
    {"bad-media-type-99", "model.sig", "malformed-bundle", 0},
    {"bad-missing", "model.sig", NULL, 5},
    {"bad-nested-git", "model.sig", NULL, 5},
    {"bad-no-envelope", "model.sig", "malformed-bundle", 0},
    {"bad-no-signature", "model.sig", "malformed-bundle", 0},
    {"bad-payload-forged", "model.sig", "signature", 0},
    {"bad-payload-type", "model.sig", "wrong-statement-type", 0},
    {"bad-renamed", "model.sig", NULL, 5},
    {"bad-shard-byte", "model.sig", NULL, 5},
    {"bad-shard-cut", "model.sig", NULL, 5},
    {"bad-sig-inside-other", "model.sig", NULL, 5},
    {"bad-signature-bit", "model.sig", "signature", 0},
    {"bad-swapped", "model.sig", NULL, 5},
    {"bad-symlink-added", "model.sig", NULL, 5},
    {"bad-symlink-file", "model.sig", NULL, 5},
    {"bad-symlink-policy", "model.sig", NULL, 5},
    {"bad-truncated", "model.sig", NULL, 5},
    {"bad-truncated-json", "model.sig", "malformed-bundle", 0},
    {"bad-two-signatures", "model.sig", "malformed-bundle", 0},
    {"bad-two-signatures-after", "model.sig", "malformed-bundle", 0},
    {"bad-unicode-nfd", "model.sig", NULL, 1},
    {"bad-wrong-curve", "model.sig", "signature", 0},
    {"bad-wrong-key", "model.sig", "signature", 0},
    {"bad-wrong-key-no-hint", "model.sig", "signature", 0},
    {"cert-chain2", "model.sig", NULL, 5},
    {"cert-chain2-go", "model.sig", NULL, 5},
    {"cert-direct", "model.sig", NULL, 5},
    {"cert-expired", "model.sig", NULL, 5},
    {"cert-inter-from-user", "model.sig", NULL, 5},
    {"cert-no-eku", "model.sig", NULL, 5},
    {"cert-not-yet-valid", "model.sig", NULL, 5},
    {"cert-p384-leaf", "model.sig", NULL, 5},
    {"cert-root-in-bundle", "model.sig", NULL, 5},
    {"cert-tls-server", "model.sig", NULL, 5},
    {"key-blake2", "model.sig", NULL, 5},
    {"key-blake2-guess", "model.sig", NULL, 5},
    {"key-blake3", "model.sig", NULL, 5},
    {"key-bogus-tlog", "model.sig", NULL, 5},
    {"key-ed25519-go", "model.sig", NULL, 5},
    {"key-empty-file", "model.sig", NULL, 6},
    {"key-git-files", "model.sig", NULL, 5},
    {"key-ignore-paths", "model.sig", NULL, 5},
    {"key-ignore-paths-go", "model.sig", NULL, 5},
    {"key-ignore-unsigned", "model.sig", NULL, 5},
    {"key-names", "model.sig", NULL, 10},
    {"key-no-hint", "model.sig", NULL, 5},
    {"key-order-siblings", "model.sig", NULL, 3},
    {"key-order-siblings-go", "model.sig", NULL, 3},
    {"key-p256", "model.sig", NULL, 5},
    {"key-p256-go", "model.sig", NULL, 5},
    {"key-p384", "model.sig", NULL, 5},
    {"key-p384-go", "model.sig", NULL, 5},
    {"key-p521", "model.sig", NULL, 5},
    {"key-pickle-inside", "model.sig", NULL, 6},
    {"key-rsa2048-go", "model.sig", NULL, 5},
    {"key-shards", "model.sig", NULL, 5},
    {"key-shards-blake2", "model.sig", NULL, 5},
    {"key-shards-empty-file-added", "model.sig", NULL, 5},
    {"key-shards-guess", "model.sig", NULL, 5},
    {"key-sig-inside", "model/model.sig", NULL, 5},
    {"key-single-file", "model.sig", NULL, 1},
    {"key-single-file-go", "model.sig", NULL, 1},
    {"key-symlink-file", "model.sig", NULL, 6},
    {"key-symlink-outside", "model.sig", NULL, 6},
    {"key-url-safe-base64", "model.sig", NULL, 5},
    {"sem-algorithm-mismatch", "model.sig", "malformed-statement", 0},
    {"sem-dotdot", "model.sig", "malformed-statement", 0},
    {"sem-duplicate-conflict", "model.sig", "malformed-statement", 0},
    {"sem-duplicate-name", "model.sig", "malformed-statement", 0},
    {"sem-extra-field", "model.sig", NULL, 5},
    {"sem-ignore-dot", "model.sig", "malformed-statement", 0},
    {"sem-json-duplicate-key", "model.sig", "malformed-statement", 0},
    {"sem-no-resources", "model.sig", "malformed-statement", 0},
    {"sem-predicate-type", "model.sig", "wrong-statement-type", 0},
    {"sem-root-digest", "model.sig", "root-mismatch", 0},
    {"sem-statement-type", "model.sig", "wrong-statement-type", 0},
    {"sem-two-subjects", "model.sig", "malformed-statement", 0},
    {"sem-unknown-hash", "model.sig", "malformed-statement", 0},
    {"sem-unknown-method", "model.sig", "malformed-statement", 0},
    {"sem-unsorted", "model.sig", NULL, 5},
    {"sem-uppercase-digest", "model.sig", "malformed-statement", 0},
};

static bool
read_public(const char *folder, const char *name, struct buf *out)
{
	char path[VECTOR_PATH_MAX], inside[512];

	(void)snprintf(inside, sizeof(inside), "%s/%s", folder, name);
	return vector_read(vector_public(path, inside), out);
}

static void
test_stock(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stock) / sizeof(stock[0]); i++) {
		AUTO(buf) json = BUF_INIT(1u << 20);
		AUTO(buf) pem = BUF_INIT(1u << 16);
		AUTO(model) m = {0};
		struct error err = {0};
		char folder[256];
		bool ok;

		(void)snprintf(
		    folder, sizeof(folder), "oms-stock/%s", stock[i].name);
		if (!read_public(folder, stock[i].signature, &json))
			skip();
		/* One has a CA alone to be verified with, wrongly. */
		if (!read_public(folder, "pub.pem", &pem))
			(void)read_public(
			    "oms-stock/key-p256", "pub.pem", &pem);
		ok = read_model(buf_bytes(&json), buf_bytes(&pem), &m, &err);
		if (ok != !stock[i].reason ||
		    (!ok &&
			strcmp(error_reason_name(&err), stock[i].reason) != 0))
			fail_msg("%s: %s", stock[i].name, err.text);
		if (ok && m.manifest.count != stock[i].resources)
			fail_msg("%s: %zu resources", stock[i].name,
			    m.manifest.count);
	}
}

/* Root, length of the payload and S as found elsewhere; empty: not known. */
static const struct {
	const char *path, *name, *root, *s;
	size_t payload, resources;
	bool name_order;
} released[] = {
    {"model-transparency/v0.3.1-certificate/model.sig", "v0.3.1-certificate",
	"61d4849d9d90076d6215f4d525f13d6574af8e3f67aef3e6f36fc40a14fdd226", "",
	768, 2, true},
    {"model-transparency/v0.3.1-elliptic-key/model.sig", "signme-1",
	"afa48c8674afe334b8a7dea34f7b46ab256e9255edf8da2132792341b667a45b", "",
	590, 1, true},
    {"model-transparency/v1.0.0-certificate/model.sig", "v1.0.0-certificate",
	"61d4849d9d90076d6215f4d525f13d6574af8e3f67aef3e6f36fc40a14fdd226", "",
	768, 2, true},
    {"model-transparency/v1.0.0-sigstore/model.sig", "v1.0.0-sigstore",
	"61d4849d9d90076d6215f4d525f13d6574af8e3f67aef3e6f36fc40a14fdd226", "",
	765, 2, true},
    {"model-transparency/v1.0.1-certificate/model.sig", "v1.0.1-certificate",
	"61d4849d9d90076d6215f4d525f13d6574af8e3f67aef3e6f36fc40a14fdd226", "",
	768, 2, true},
    {"model-transparency/v1.0.1-elliptic-key/model.sig", "v1.0.1-elliptic-key",
	"92745110b1ab4368471cbe31664e10174e954b113a3df333db860317b2c6dec4", "",
	769, 2, true},
    {"model-transparency/v1.0.1-sigstore/model.sig", "v1.0.1-sigstore",
	"61d4849d9d90076d6215f4d525f13d6574af8e3f67aef3e6f36fc40a14fdd226", "",
	765, 2, true},
    {"model-transparency/v1.1.0-elliptic-key/model.sig", "v1.1.0-elliptic-key",
	"92745110b1ab4368471cbe31664e10174e954b113a3df333db860317b2c6dec4",
	"56c34fe75ca78f05f58e56add9e7c283544ae330b8092b92e6004a38f7581f4b", 926,
	2, true},
    {"model-transparency/v1.1.0-sigstore/model.sig", "v1.1.0-sigstore",
	"61d4849d9d90076d6215f4d525f13d6574af8e3f67aef3e6f36fc40a14fdd226",
	"c443ea781654ef63141401c6e4448f108e9af6341378ece86c487e3a134bbbce", 922,
	2, true},
    {"nvidia-skills/i4h-lerobot-viz/skill.oms.sig", "i4h-lerobot-viz", "", "",
	1219, 4, true},
    {"nvidia-skills/physical-ai-infrastructure-setup-and-resilient-scaling/"
     "skill.oms.sig",
	"physical-ai-infrastructure-setup-and-resilient-scaling", "", "", 14145,
	67, false},
    {"nvidia-skills/rag-blueprint/skill.oms.sig", "rag-blueprint", "", "", 7389,
	37, false},
    {"nvidia-skills/skill-card-generator/skill.oms.sig", "skill-card-generator",
	"", "", 2848, 13, true},
    {"nvidia-skills/amc-setup-calibration-stack/skill.oms.sig",
	"amc-setup-calibration-stack", "", "", 1231, 4, true},
    {"nvidia-skills/deepstream-dev/skill.oms.sig", "deepstream-dev", "", "",
	4328, 21, true},
    {"nvidia-skills/deepstream-run-mv3dt/skill.oms.sig", "deepstream-run-mv3dt",
	"", "", 2316, 10, true},
    {"nvidia-skills/i4h-workflow-e2e/skill.oms.sig", "i4h-workflow-e2e", "", "",
	1220, 4, true},
    {"nvidia-skills/mcore-create-issue/skill.oms.sig", "mcore-create-issue", "",
	"", 1222, 4, true},
    {"nvidia-skills/mcore-run-on-slurm/skill.oms.sig", "mcore-run-on-slurm", "",
	"", 1222, 4, true},
    {"nvidia-skills/mcore-testing/skill.oms.sig", "mcore-testing", "", "", 1217,
	4, true},
    {"nvidia-skills/tao-analyze-gaps-vlm-bcq/skill.oms.sig",
	"tao-analyze-gaps-vlm-bcq", "", "", 1407, 5, true},
    {"nvidia-skills/tao-convert-dataset-format/skill.oms.sig",
	"tao-convert-dataset-format", "", "", 1230, 4, true},
    {"nvidia-skills/tao-list-capabilities/skill.oms.sig",
	"tao-list-capabilities", "", "", 1225, 4, true},
    {"nvidia-skills/tao-validate-dataset-format/skill.oms.sig",
	"tao-validate-dataset-format", "", "", 1231, 4, true},
};

static void
is_hex_of(const struct hash *h, const char *hex)
{
	struct hash want;

	if (*hex == '\0')
		return;
	assert_true(hex_decode(bytes_str(hex), want.b, HASH_LEN));
	assert_true(hash_equal(h, &want));
}

static void
test_released(void **state)
{
	AUTO(buf) pem = BUF_INIT(1u << 16);

	(void)state;
	if (!read_public("model-transparency/keys/certificate",
		"signing-key-pub.pem", &pem))
		skip();
	for (size_t i = 0; i < sizeof(released) / sizeof(released[0]); i++) {
		AUTO(buf) json = BUF_INIT(1u << 20);
		AUTO(model) m = {0};
		struct error err = {0};

		if (!read_public(".", released[i].path, &json))
			skip();
		if (!read_model(buf_bytes(&json), buf_bytes(&pem), &m, &err))
			fail_msg("%s: %s", released[i].path, err.text);
		if (m.bundle.envelope.payload.len != released[i].payload ||
		    m.manifest.count != released[i].resources ||
		    m.manifest.name_order != released[i].name_order ||
		    !bytes_equal(m.statement.subjects[0].name,
			bytes_str(released[i].name)))
			fail_msg("%s", released[i].path);
		is_hex_of(&m.statement.subjects[0].digest, released[i].root);
		is_hex_of(&m.digest, released[i].s);
	}
}

/* Bundles that sign no model's statement, and Rekor v2's own leaf. */
static void
test_sigstore(void **state)
{
	static const struct {
		const char *name, *reason;
	} cases[] = {
	    {"happy-path-v0.1", "malformed-bundle"},
	    {"happy-path-v0.2", "malformed-bundle"},
	    {"happy-path-v0.3", "malformed-bundle"},
	    {"managed-key-and-trusted-root", "malformed-bundle"},
	    {"rekor2-dsse-happy-path", "wrong-statement-type"},
	    {"intoto-with-custom-trust-root", "wrong-statement-type"},
	    {"dsse-mismatch-sig_fail", "wrong-statement-type"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) json = BUF_INIT(1u << 20);
		AUTO(model) m = {0};
		struct error err = {0};
		char folder[256];

		(void)snprintf(folder, sizeof(folder), "sigstore-bundles/%s",
		    cases[i].name);
		if (!read_public(folder, "bundle.sigstore.json", &json))
			skip();
		assert_false(
		    read_model(buf_bytes(&json), (struct bytes){0}, &m, &err));
		if (strcmp(error_reason_name(&err), cases[i].reason) != 0)
			fail_msg("%s: %s", cases[i].name, err.text);
	}
}

/* The leaf that Rekor's public instance holds is the one that we would make. */
static void
test_rekor_leaf(void **state)
{
	AUTO(buf) json = BUF_INIT(1u << 20);
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(buf) text = BUF_INIT(1u << 16);
	AUTO(bundle) b = {0};
	struct error err = {0};

	(void)state;
	if (!read_public("sigstore-bundles/rekor2-dsse-happy-path",
		"bundle.sigstore.json", &json))
		skip();
	assert_true(bundle_parse(buf_bytes(&json), &b, &err));
	assert_int_equal(b.material, BUNDLE_CERTIFICATE);
	assert_int_equal(b.entry_count, 1);
	assert_true(bundle_leaf(&b, b.certificates[0], &leaf, &err));
	buf_put_str(&text, "\"canonicalizedBody\":\"");
	base64_put(&text, buf_bytes(&leaf));
	buf_put_u8(&text, '"');
	assert_non_null(
	    memmem(b.entries[0].ptr, b.entries[0].len, text.ptr, text.len));
}

/* Signs a payload, and writes the bundle. */
static void
sign(struct private_key *key, struct bytes payload, struct buf *json,
    struct buf *pem)
{
	enum digest_algorithm alg =
	    key_digest_algorithm(private_key_algorithm(key));
	AUTO(buf) spki = BUF_INIT(SPKI_MAX_LEN);
	AUTO(buf) signature = BUF_INIT(SIGNATURE_MAX_LEN);
	uint8_t digest[DIGEST_MAX_LEN];
	struct error err = {0};
	struct bundle b = {
	    .version = 3,
	    .material = BUNDLE_KEY,
	    .envelope = {BYTES_LIT(DSSE_IN_TOTO), payload, {0}},
	};

	assert_true(private_key_public(key, &spki, &err));
	assert_true(
	    dsse_digest(alg, b.envelope.payload_type, payload, digest, &err));
	assert_true(private_key_sign_digest(
	    key, alg, bytes_of(digest, digest_len(alg)), &signature, &err));
	b.envelope.signature = buf_bytes(&signature);
	bundle_format(&b, json);
	pem_put(pem, "PUBLIC KEY", buf_bytes(&spki));
	assert_true(buf_ok(json, &err));
}

static struct private_key *
new_key(enum key_algorithm algorithm)
{
	struct error err = {0};
	struct private_key *key = private_key_generate(algorithm, &err);

	assert_non_null(key);
	return key;
}

/* Every kind of key signs a model, and its leaf is a good entry. */
static void
test_keys(void **state)
{
	static const enum key_algorithm kinds[] = {KEY_ECDSA_P256,
	    KEY_ECDSA_P384, KEY_ECDSA_P521, KEY_RSA_2048, KEY_ED25519};
	AUTO(buf) payload = BUF_INIT(1u << 20);

	(void)state;
	vector_load("statement/valid", "model-version", &payload);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		AUTO(buf) json = BUF_INIT(1u << 20);
		AUTO(buf) pem = BUF_INIT(1u << 16);
		AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
		struct private_key *key = new_key(kinds[i]);
		AUTO(model) m = {0};
		AUTO(entry) entry = {0};
		struct error err = {0};

		sign(key, buf_bytes(&payload), &json, &pem);
		private_key_close(key);
		if (!read_model(buf_bytes(&json), buf_bytes(&pem), &m, &err))
			fail_msg("%zu: %s", i, err.text);
		assert_true(bytes_equal(
		    m.bundle.envelope.payload, buf_bytes(&payload)));
		assert_true(
		    bundle_leaf(&m.bundle, buf_bytes(&m.spki), &leaf, &err));
		assert_true(entry_parse(buf_bytes(&leaf), &entry, &err));
		assert_true(entry_verify(&entry, verifier, &err));
	}
}

/* A statement about a model with this predicate, whatever is in it. */
static void
put_model(struct bytes predicate, struct buf *out)
{
	struct statement_subject subject = {.name = BYTES_LIT("m")};
	struct statement s = {
	    .kind = STATEMENT_MODEL,
	    .subject_count = 1,
	    .subjects = &subject,
	    .predicate = predicate,
	};

	(void)manifest_root_of(predicate, &subject.digest);
	statement_format(&s, out);
}

static void
check_signed(struct private_key *key, const char *name, struct bytes payload,
    const char *reason)
{
	AUTO(buf) json = BUF_INIT(1u << 22);
	AUTO(buf) pem = BUF_INIT(1u << 16);
	AUTO(model) m = {0};
	struct error err = {0};

	sign(key, payload, &json, &pem);
	assert_false(read_model(buf_bytes(&json), buf_bytes(&pem), &m, &err));
	/* Not for its form or its signature, which are good. */
	if (strcmp(error_reason_name(&err), reason) != 0)
		fail_msg("%s: %s", name, err.text);
	assert_true(m.bundle.envelope.signature.len > 0);
}

static void
check_folder(struct private_key *key, const char *folder, const char *reason)
{
	bool manifests = strcmp(folder, "manifest/invalid") == 0;
	char path[VECTOR_PATH_MAX];
	struct dirent *e;
	size_t n = 0;
	DIR *d = opendir(vector_own(path, folder));

	assert_non_null(d);
	while ((e = readdir(d))) {
		AUTO(buf) in = BUF_INIT(1u << 20);
		AUTO(buf) around = BUF_INIT(1u << 20);
		char file[VECTOR_PATH_MAX], inside[512];

		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(
		    inside, sizeof(inside), "%s/%s", folder, e->d_name);
		assert_true(vector_read(vector_own(file, inside), &in));
		if (manifests)
			put_model(buf_bytes(&in), &around);
		check_signed(key, e->d_name,
		    buf_bytes(manifests ? &around : &in), reason);
		n++;
	}
	(void)closedir(d);
	assert_true(n > 5);
}

/* Whoever may sign can sign anything: each of these is well signed. */
static void
test_signed_nonsense(void **state)
{
	struct private_key *key = new_key(KEY_ECDSA_P256);

	(void)state;
	check_folder(key, "manifest/invalid", "malformed-statement");
	check_folder(key, "statement/invalid", "malformed-statement");
	check_folder(key, "statement/denied", "wrong-statement-type");
	private_key_close(key);
}

static bool
read_again(struct bytes json, struct model *m, struct error *err)
{
	const struct envelope *e = &m->bundle.envelope;
	struct manifest_files files;

	return bundle_parse(json, &m->bundle, err) &&
	    dsse_verify(e, &m->key, verifier, err) &&
	    dsse_statement_digest(e, &m->digest, err) &&
	    statement_parse(e->payload, &m->statement, err) &&
	    manifest_parse(m->statement.predicate,
		&m->statement.subjects[0].digest, &m->manifest, err) &&
	    manifest_group(&m->manifest, &files, err);
}

/* Each allocation fails once: nothing is accepted, and the reason is none of
 * the model's. */
static void
test_no_memory(void **state)
{
	struct private_key *key = new_key(KEY_ECDSA_P384);
	AUTO(buf) payload = BUF_INIT(1u << 20);
	AUTO(buf) predicate = BUF_INIT(1u << 20);
	AUTO(buf) json = BUF_INIT(1u << 20);
	AUTO(buf) pem = BUF_INIT(1u << 16);
	AUTO(model) good = {0};
	struct error none = {0};
	bool ok = false;
	int n = 0;

	(void)state;
	vector_load("manifest/valid", "names", &predicate);
	put_model(buf_bytes(&predicate), &payload);
	sign(key, buf_bytes(&payload), &json, &pem);
	private_key_close(key);
	assert_true(
	    read_model(buf_bytes(&json), buf_bytes(&pem), &good, &none));
	for (; !ok; n++) {
		struct model m = {.key = good.key};
		struct error err = {0};

		allocations = n;
		ok = read_again(buf_bytes(&json), &m, &err);
		allocations = -1;
		if (!ok && err.code != ERR_INTERNAL)
			fail_msg("%d: %s: %s", n, error_code_name(err.code),
			    err.text);
		model_release(&m);
	}
	assert_true(n > 5);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_stock),
	    cmocka_unit_test(test_released),
	    cmocka_unit_test(test_sigstore),
	    cmocka_unit_test(test_rekor_leaf),
	    cmocka_unit_test(test_keys),
	    cmocka_unit_test(test_signed_nonsense),
	    cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
