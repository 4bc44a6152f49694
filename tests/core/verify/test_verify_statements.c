/* SPDX-License-Identifier: Apache-2.0 */
/* Statements that are properly signed and logged, and mean something that no
 * model may: each is refused with its own words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/ecdsa.h>

#include "tests/core/verify/changes.h"
#include "tests/support/manifest_root.h"

static struct parties parties;
static struct scene scene;
static struct verdict verdict;

static int
setup(void **state)
{
	(void)state;
	parties_open(&parties);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	parties_close(&parties);
	return 0;
}

/* The SHA-256 of nothing. */
#define D	"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ALG	"\"algorithm\":\"sha256\",\"digest\":\"" D "\""
#define ONE(n)	"{\"name\":\"" n "\"," ALG "}"
#define WHOLE	"\"method\":\"files\",\"hash_type\":\"sha256\""
#define SHARDS	"\"method\":\"shards\",\"hash_type\":\"sha256\""
#define LINKS	",\"allow_symlinks\":false"
#define HOW	"\"serialization\":{" WHOLE LINKS "}"
#define LIST(l) "{\"resources\":[" l "]," HOW "}"
#define CUT(l)                                                                 \
	"{\"resources\":[" l "],\"serialization\":{" SHARDS LINKS              \
	",\"shard_size\":1000}}"

/* What stands around a predicate; `root` is its own unless it is given. */
struct words {
	const char *type, *subject_more, *name, *predicate_type, *more;
	const char *root;
};

static const struct words usual = {
    .type = "https://in-toto.io/Statement/v1",
    .subject_more = "",
    .name = NAME,
    .predicate_type = "https://model_signing/signature/v1.0",
    .more = "",
};

static void
put_statement(const struct words *w, struct bytes predicate, struct buf *out)
{
	struct hash root = {0};

	buf_printf(out,
	    "{\"_type\":\"%s\",\"subject\":[{\"name\":\"%s\",\"digest\":"
	    "{\"sha256\":\"",
	    w->type, w->name);
	(void)manifest_root_of(predicate, &root);
	if (w->root)
		buf_put_str(out, w->root);
	else
		hex_put(out, hash_bytes(&root));
	buf_printf(out,
	    "\"}%s}],\"predicateType\":\"%s\",\"predicate\":", w->subject_more,
	    w->predicate_type);
	buf_put(out, predicate);
	buf_printf(out, "%s}", w->more);
}

/* Signs and judges a payload; what the verdict is goes to `verdict`. */
static bool
judge(struct bytes payload)
{
	bool ok;

	scene_init(&scene, &parties);
	scene.payload = payload;
	scene.asked_version = NULL;
	scene_build(&scene);
	ok = scene_verify(&scene, &verdict);
	scene_release(&scene);
	return ok;
}

static bool
judge_predicate(const char *predicate)
{
	AUTO(buf) payload = BUF_INIT(1u << 20);

	put_statement(&usual, bytes_str(predicate), &payload);
	return judge(buf_bytes(&payload));
}

static const char *const accepted[] = {
    LIST(ONE("a") "," ONE("b")),
    LIST(ONE("b") "," ONE("a")),       /* some releases do not sort */
    LIST(ONE("a:0:5") "," ONE("C:x")), /* colons are of the name */
    LIST("{\"name\":\"a\",\"mediaType\":\"x/y\"," ALG "}"),
    CUT(ONE("a:0:1000") "," ONE("a:1000:1500") "," ONE("b:c:0:7")),
    CUT(ONE("a:1000:1500") "," ONE("a:0:1000")),
};

static void
test_accepted(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(accepted) / sizeof(accepted[0]); i++) {
		if (!judge_predicate(accepted[i]))
			fail_msg("%s: %s", accepted[i], verdict.message);
		verdict_release(&verdict);
	}
}

/* Predicates, and a word or two of what is said of them. */
static const struct {
	const char *predicate, *says;
} refused[] = {
    {LIST(""), "lists no file"},
    {LIST(ONE("a") "," ONE("a")), "listed twice"},
    {LIST(ONE("a") "," ONE("b") "," ONE("a")), "listed twice"},
    {LIST(ONE("a") "," ONE("a/b")), "folder, too"},
    {LIST(ONE(".") "," ONE("b")), "beside others"},
    {LIST(ONE("../a")), "no relative path"},
    {LIST(ONE("a/../../b")), "no relative path"},
    {LIST(ONE("a/..")), "no relative path"},
    {LIST(ONE("..")), "no relative path"},
    {LIST(ONE("/etc/passwd")), "no relative path"},
    {LIST(ONE("//a")), "no relative path"},
    {LIST(ONE("./a")), "no relative path"},
    {LIST(ONE("a//b")), "no relative path"},
    {LIST(ONE("a/")), "no relative path"},
    {LIST(ONE("a\\u0000b")), "NUL"},
    {LIST(ONE("")), "needs name"},
    {LIST("{" ALG "}"), "needs name"},
    {LIST("{\"name\":\"a\",\"algorithm\":\"sha256\"}"), "needs name"},
    {LIST("{\"name\":7," ALG "}"), "string"},
    {LIST("{\"name\":\"a\",\"name\":\"a\"," ALG "}"), "twice"},
    {LIST("\"a\""), "object"},
    {LIST("{\"name\":\"a\",\"algorithm\":\"md5\",\"digest\":\"" D "\"}"),
	"algorithm"},
    {LIST(ONE("a") ",{\"name\":\"b\",\"algorithm\":\"blake3\",\"digest\":\"" D
		   "\"}"),
	"different algorithms"},
    {LIST("{\"name\":\"a\",\"algorithm\":\"sha256\",\"digest\":\"e3b0\"}"),
	"wrong length"},
    {LIST("{\"name\":\"a\",\"algorithm\":\"sha256\",\"digest\":\"" D D "\"}"),
	"wrong length"},
    {LIST("{\"name\":\"a\",\"algorithm\":\"sha256\",\"digest\":"
	  "\"E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855"
	  "\"}"),
	"lower-case"},
    {CUT(ONE("a:0:1000") "," ONE("a:0:1000")), "listed twice"},
    {CUT(ONE("a:0:1000") "," ONE("a:2000:3000")), "missing"},
    {CUT(ONE("a:1000:2000")), "missing"},
    {CUT(ONE("a:0:999") "," ONE("a:1000:2000")), "missing"},
    {CUT(ONE("a:0:1001")), "no shard's"},
    {CUT(ONE("a:500:1000")), "no shard's"},
    {CUT(ONE("a:0:0")), "no shard's"},
    {CUT(ONE("a:1000:0")), "no shard's"},
    {CUT(ONE("a:00:1000")), "no shard's"},
    {CUT(ONE("a:-1:1000")), "no shard's"},
    {CUT(ONE("a:0:18446744073709551616")), "no shard's"},
    {CUT(ONE("a:0:1e3")), "no shard's"},
    {CUT(ONE("a")), "path:start:end"},
    {CUT(ONE(":0:1000")), "no relative path"},
    {CUT(ONE("../a:0:1000")), "no relative path"},
    {"{\"resources\":[" ONE("a") "]}", "needs resources"},
    {"{" HOW "}", "needs resources"},
    {"{\"resources\":{}," HOW "}", "array"},
    {"{\"resources\":[" ONE("a") "]," HOW ",\"resources\":[]}", "twice"},
    {"{\"resources\":[" ONE("a") "]," HOW "," HOW "}", "twice"},
    {"{\"resources\":[" ONE("a") "]," HOW ",\"more\":1}", "unknown member"},
    {"{\"resources\":[" ONE("a") "],\"serialization\":{\"method\":\"tensors\","
				 "\"hash_type\":\"sha256\"" LINKS "}}",
	"method"},
    {"{\"resources\":[" ONE("a") "],\"serialization\":{\"method\":\"files\","
				 "\"hash_type\":\"md5\"" LINKS "}}",
	"hash_type"},
    {"{\"resources\":[" ONE("a") "],\"serialization\":{" WHOLE "}}",
	"allow_symlinks"},
    {"{\"resources\":[" ONE("a") "],\"serialization\":{" WHOLE
				 ",\"allow_symlinks\":\"false\"}}",
	"true or false"},
    {"{\"resources\":[" ONE("a") "],\"serialization\":{" WHOLE LINKS
				 ",\"shard_size\":1000}}",
	"shard_size"},
    {"{\"resources\":[" ONE("a:0:5") "],\"serialization\":{" SHARDS LINKS "}}",
	"shard_size"},
    {"{\"resources\":[" ONE("a:0:5") "],\"serialization\":{" SHARDS LINKS
				     ",\"shard_size\":0}}",
	"shard_size"},
    {"{\"resources\":[" ONE("a:0:5") "],\"serialization\":{" SHARDS LINKS
				     ",\"shard_size\":1e9999}}",
	"integer"},
    {"{\"resources\":[" ONE("a:0:5") "],\"serialization\":{" SHARDS LINKS
				     ",\"shard_size\":18446744073709551616}}",
	"out of range"},
    {"{\"resources\":[" ONE("a:0:5") "],\"serialization\":{" SHARDS LINKS
				     ",\"shard_size\":-1}}",
	"out of range"},
    {"{\"resources\":[" ONE("a") "],\"serialization\":{" WHOLE LINKS
				 ",\"ignore_paths\":[\".\"]}}",
	"ignored path"},
    {"{\"resources\":[" ONE("a") "],\"serialization\":{" WHOLE LINKS
				 ",\"ignore_paths\":[\"../x\"]}}",
	"ignored path"},
    {"{\"resources\":[" ONE("a") "],\"serialization\":{" WHOLE LINKS
				 ",\"ignore_paths\":[\"/\"]}}",
	"ignored path"},
    {"{\"resources\":[" ONE("a") "],\"serialization\":{" WHOLE LINKS
				 ",\"follow\":true}}",
	"unknown member"},
};

/* The reason, and that the sentence has these words. */
static void
expect(const char *what, const char *reason, const char *says)
{
	if (!verdict.reason || strcmp(verdict.reason, reason) != 0 ||
	    !strstr(verdict.message, says))
		fail_msg("%s: [%s] %s, not [%s] %s", what, verdict.reason,
		    verdict.message, reason, says);
	verdict_release(&verdict);
}

static void
test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (judge_predicate(refused[i].predicate))
			fail_msg("%s: accepted", refused[i].predicate);
		expect(refused[i].predicate, "malformed-statement",
		    refused[i].says);
	}
}

/* What is wrong around a predicate that is right. */
static const struct {
	struct words w;
	const char *reason, *says;
} envelopes[] = {
    {{.type = "https://in-toto.io/Statement/v0.1"}, "wrong-statement-type",
	"_type"},
    {{.type = "https://in-toto.io/Statement/v1\\u0000"}, "malformed-statement",
	"NUL"},
    {{.predicate_type = "https://model_signing/signature/v1.1"},
	"wrong-statement-type", "predicateType"},
    {{.predicate_type = "https://model_signing/signature/v1.0/"},
	"wrong-statement-type", "predicateType"},
    {{.predicate_type = "https://mtlog/status/v1"}, "malformed-statement",
	"member"},
    {{.root = D D}, "malformed-statement", "64"},
    {{.root = D}, "root-mismatch", "root"},
    {{.subject_more = "},{\"name\":\"b\",\"digest\":{\"sha256\":\"" D "\"}"},
	"malformed-statement", "more than one subject"},
    {{.subject_more = ",\"name\":\"" NAME "\""}, "malformed-statement",
	"twice"},
    {{.more = ",\"predicate\":{}"}, "malformed-statement", "twice"},
    {{.more = ",\"pre\\u0064icate\":{}"}, "malformed-statement", "twice"},
    {{.more = "}{"}, "malformed-statement", ""},
    {{.more = "} "}, "malformed-statement", ""},
    {{.name = "acme/prod/M"}, "wrong-name", "acme/prod/m"},
    {{.name = "acme/prod/m\\u200b"}, "wrong-name", "acme/prod/m"},
};

static void
test_envelopes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(envelopes) / sizeof(envelopes[0]); i++) {
		AUTO(buf) payload = BUF_INIT(1u << 20);
		struct words w = envelopes[i].w;

		w.type = w.type ? w.type : usual.type;
		w.name = w.name ? w.name : usual.name;
		w.subject_more = w.subject_more ? w.subject_more : "";
		w.more = w.more ? w.more : "";
		w.predicate_type =
		    w.predicate_type ? w.predicate_type : usual.predicate_type;
		put_statement(&w, BYTES_LIT(LIST(ONE("a"))), &payload);
		if (judge(buf_bytes(&payload)))
			fail_msg("%zu: accepted", i);
		expect("around", envelopes[i].reason, envelopes[i].says);
	}
}

/* A million resources: refused at the limit, not when memory runs out. */
static void
test_a_million(void **state)
{
	AUTO(buf) predicate = BUF_INIT(BUNDLE_MAX_LEN);
	AUTO(buf) payload = BUF_INIT(BUNDLE_MAX_LEN);
	struct statement s = {0};
	AUTO(manifest) m = {0};
	struct words w = usual;
	struct error err = {0};

	(void)state;
	buf_put_str(&predicate, "{\"resources\":[");
	for (unsigned i = 0; i < 1000000; i++)
		buf_printf(&predicate,
		    "%s{\"name\":\"%u\",\"algorithm\":\"sha256\",\"digest\":"
		    "\"" D "\"}",
		    i > 0 ? "," : "", i);
	buf_put_str(&predicate, "]," HOW "}");
	w.root = D;
	put_statement(&w, BYTES_LIT("{}"), &payload);
	assert_false(predicate.failed);
	/* The envelope would be beyond the limit of a bundle. */
	assert_true(BASE64_LEN(predicate.len) > BUNDLE_MAX_LEN);
	assert_true(statement_parse(buf_bytes(&payload), &s, &err));
	assert_false(manifest_parse(
	    buf_bytes(&predicate), &s.subjects[0].digest, &m, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	assert_string_equal(err.reason, "malformed-statement");
	assert_non_null(strstr(err.text, "500000"));
	statement_release(&s);
}

/* Each type of statement in the place of the model's. */
static void
test_other_types(void **state)
{
	static const char *const texts[] = {
	    "approval/v1\",\"predicate\":{\"role\":\"r\",\"comment\":\"\"}}",
	    "withdrawal/v1\",\"predicate\":{\"reason\":\"unsafe\","
	    "\"comment\":\"\"}}",
	    "status/v1\",\"predicate\":{\"log\":\"log.example\","
	    "\"treeSize\":\"9\",\"rootHash\":"
	    "\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\","
	    "\"checked\":\"2026-11-25T00:00:00Z\",\"complete\":true,"
	    "\"withdrawn\":[],\"revoked\":[]}}",
	};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		AUTO(buf) payload = BUF_INIT(65536);

		buf_printf(&payload,
		    "{\"_type\":\"https://in-toto.io/Statement/v1\","
		    "\"subject\":[{\"name\":\"" NAME
		    "\",\"digest\":{\"sha256\":\"" D
		    "\"}}],\"predicateType\":\"https://mtlog/%s",
		    texts[i]);
		assert_false(judge(buf_bytes(&payload)));
		expect(texts[i], "wrong-statement-type", "no model's");
	}
}

/* The same signature once more, as (r, n - s): another leaf of the same S. */
static void
mirror(struct bundle *b)
{
	static uint8_t twin[SIGNATURE_MAX_LEN];
	const uint8_t *at = b->envelope.signature.ptr;
	ECDSA_SIG *sig =
	    d2i_ECDSA_SIG(NULL, &at, (long)b->envelope.signature.len);
	BIGNUM *n = BN_new(), *r, *s = BN_new();
	uint8_t *out = twin;

	assert_non_null(sig);
	assert_true(n && s &&
	    BN_hex2bn(&n,
		"FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC6325"
		"51"));
	r = BN_dup(ECDSA_SIG_get0_r(sig));
	assert_true(r && BN_sub(s, n, ECDSA_SIG_get0_s(sig)));
	assert_true(ECDSA_SIG_set0(sig, r, s));
	b->envelope.signature =
	    bytes_of(twin, (size_t)i2d_ECDSA_SIG(sig, &out));
	ECDSA_SIG_free(sig);
	BN_free(n);
}

static void
test_mirrored(void **state)
{
	struct hash digest;

	(void)state;
	/* Not what was logged: the entry is another signature's. */
	scene_init(&scene, &parties);
	scene.spoil_bundle = mirror;
	scene_build(&scene);
	assert_false(scene_verify(&scene, &verdict));
	expect("mirrored", "wrong-entry", "another signature");
	digest = scene.digest;
	scene_release(&scene);
	/* Alone it is as good as the other, and is withdrawn with it. */
	for (int round = 0; round < 2; round++) {
		scene_init(&scene, &parties);
		logless(&scene);
		scene.no_entry = true;
		scene.logged = "no";
		scene.spoil_bundle = mirror;
		if (round == 1)
			withdrawn(&scene);
		scene_build(&scene);
		assert_true(hash_equal(&scene.digest, &digest));
		assert_int_equal(scene_verify(&scene, &verdict), round == 0);
		if (round == 1)
			expect("mirrored", "withdrawn", "");
		else
			verdict_release(&verdict);
		scene_release(&scene);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_accepted),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_envelopes),
	    cmocka_unit_test(test_a_million),
	    cmocka_unit_test(test_other_types),
	    cmocka_unit_test(test_mirrored),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
