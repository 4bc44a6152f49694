/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/model/manifest.h"
#include "core/model/statement.h"
#include "tests/support/manifest_root.h"
#include "tests/support/refusals.h"

#define FOLDER "manifest/"

static const struct refusal invalid[] = {
    {"algorithm-all-other", ERR_SYNTAX,
	"the resources' algorithm is not the serialization's"},
    {"algorithm-empty", ERR_SYNTAX,
	"a resource needs name, algorithm and digest"},
    {"algorithm-null", ERR_SYNTAX, "JSON: no string where one must be"},
    {"algorithm-number", ERR_SYNTAX, "JSON: no string where one must be"},
    {"algorithm-other", ERR_SYNTAX, "two resources have different algorithms"},
    {"algorithm-sharded-files", ERR_SYNTAX,
	"the resources' algorithm is not the serialization's"},
    {"array", ERR_SYNTAX, "JSON: no object where one must be"},
    {"deep", ERR_LIMIT, "JSON: more than 16 levels deep"},
    {"digest-64", ERR_SYNTAX, "a digest has the wrong length"},
    {"digest-empty", ERR_SYNTAX, "a resource needs name, algorithm and digest"},
    {"digest-long", ERR_SYNTAX, "a digest has the wrong length"},
    {"digest-no-hex", ERR_SYNTAX, "a digest is not lower-case hex"},
    {"digest-null", ERR_SYNTAX, "JSON: no string where one must be"},
    {"digest-number", ERR_SYNTAX, "JSON: no string where one must be"},
    {"digest-object", ERR_SYNTAX, "JSON: no string where one must be"},
    {"digest-odd", ERR_SYNTAX, "a digest has the wrong length"},
    {"digest-short", ERR_SYNTAX, "a digest has the wrong length"},
    {"digest-upper", ERR_SYNTAX, "a digest is not lower-case hex"},
    {"dot-and-file", ERR_SYNTAX, "\".\" is listed beside others"},
    {"duplicate-inside", ERR_SYNTAX,
	"JSON: a member stands twice in an object"},
    {"duplicate-member", ERR_SYNTAX,
	"JSON: a member stands twice in an object"},
    {"duplicate-unknown", ERR_SYNTAX,
	"JSON: a member stands twice in an object"},
    {"empty-resources", ERR_SYNTAX, "the manifest lists no file"},
    {"extra-member", ERR_SYNTAX, "the predicate has an unknown member"},
    {"file-in-file-apart", ERR_SYNTAX, "a file is listed as a folder, too"},
    {"file-in-file", ERR_SYNTAX, "a file is listed as a folder, too"},
    {"files-shard-size", ERR_SYNTAX,
	"shard_size goes with the method shards, and is at least 1"},
    {"hash-unknown", ERR_SYNTAX,
	"the hash_type is not sha256, blake2b or blake3"},
    {"hash-upper", ERR_SYNTAX,
	"the hash_type is not sha256, blake2b or blake3"},
    {"ignored-absolute", ERR_SYNTAX,
	"an ignored path is not a relative path below the model"},
    {"ignored-dot", ERR_SYNTAX,
	"an ignored path is not a relative path below the model"},
    {"ignored-dotdot", ERR_SYNTAX,
	"an ignored path is not a relative path below the model"},
    {"ignored-empty", ERR_SYNTAX,
	"an ignored path is not a relative path below the model"},
    {"ignored-null", ERR_SYNTAX, "JSON: no array where one must be"},
    {"ignored-number", ERR_SYNTAX, "JSON: no string where one must be"},
    {"ignored-slash", ERR_SYNTAX,
	"an ignored path is not a relative path below the model"},
    {"ignored-string", ERR_SYNTAX, "JSON: no array where one must be"},
    {"links-null", ERR_SYNTAX, "JSON: no true or false where one must be"},
    {"links-string", ERR_SYNTAX, "JSON: no true or false where one must be"},
    {"method-number", ERR_SYNTAX, "JSON: no string where one must be"},
    {"method-unknown", ERR_SYNTAX,
	"the serialization method is not files or shards"},
    {"name-absolute", ERR_SYNTAX,
	"a resource's name is no relative path below the model"},
    {"name-dot-end", ERR_SYNTAX,
	"a resource's name is no relative path below the model"},
    {"name-dot-first", ERR_SYNTAX,
	"a resource's name is no relative path below the model"},
    {"name-dot-inside", ERR_SYNTAX,
	"a resource's name is no relative path below the model"},
    {"name-dotdot-alone", ERR_SYNTAX,
	"a resource's name is no relative path below the model"},
    {"name-dotdot-end", ERR_SYNTAX,
	"a resource's name is no relative path below the model"},
    {"name-dotdot-inside", ERR_SYNTAX,
	"a resource's name is no relative path below the model"},
    {"name-dotdot", ERR_SYNTAX,
	"a resource's name is no relative path below the model"},
    {"name-empty", ERR_SYNTAX, "a resource needs name, algorithm and digest"},
    {"name-null", ERR_SYNTAX, "JSON: no string where one must be"},
    {"name-number", ERR_SYNTAX, "JSON: no string where one must be"},
    {"name-slash-alone", ERR_SYNTAX,
	"a resource's name is no relative path below the model"},
    {"name-slash-end", ERR_SYNTAX,
	"a resource's name is no relative path below the model"},
    {"name-too-long", ERR_SYNTAX,
	"a resource's name is no relative path below the model"},
    {"name-two-slashes", ERR_SYNTAX,
	"a resource's name is no relative path below the model"},
    {"no-algorithm", ERR_SYNTAX, "a resource needs name, algorithm and digest"},
    {"no-digest", ERR_SYNTAX, "a resource needs name, algorithm and digest"},
    {"no-hash", ERR_SYNTAX, "the hash_type is not sha256, blake2b or blake3"},
    {"no-links", ERR_SYNTAX, "allow_symlinks is missing"},
    {"no-method", ERR_SYNTAX,
	"the serialization method is not files or shards"},
    {"no-name", ERR_SYNTAX, "a resource needs name, algorithm and digest"},
    {"no-resources", ERR_SYNTAX,
	"the predicate needs resources and serialization"},
    {"no-serialization", ERR_SYNTAX,
	"the predicate needs resources and serialization"},
    {"nul-name", ERR_SYNTAX, "JSON: a NUL character in a string"},
    {"resource-string", ERR_SYNTAX, "JSON: no object where one must be"},
    {"resources-null", ERR_SYNTAX, "JSON: no array where one must be"},
    {"resources-object", ERR_SYNTAX, "JSON: no array where one must be"},
    {"serialization-array", ERR_SYNTAX, "JSON: no object where one must be"},
    {"serialization-extra", ERR_SYNTAX, "serialization has an unknown member"},
    {"shards-2-64", ERR_SYNTAX, "a shard's start and end are no shard's"},
    {"shards-algorithm", ERR_SYNTAX,
	"the resources' algorithm is not the serialization's"},
    {"shards-backwards", ERR_SYNTAX, "a shard's start and end are no shard's"},
    {"shards-crooked", ERR_SYNTAX, "a shard's start and end are no shard's"},
    {"shards-dot-and-file", ERR_SYNTAX, "\".\" is listed beside others"},
    {"shards-dotdot", ERR_SYNTAX,
	"a resource's name is no relative path below the model"},
    {"shards-empty", ERR_SYNTAX, "a shard's start and end are no shard's"},
    {"shards-gap", ERR_SYNTAX, "a shard is missing"},
    {"shards-hex", ERR_SYNTAX, "a shard's start and end are no shard's"},
    {"shards-negative", ERR_SYNTAX, "a shard's start and end are no shard's"},
    {"shards-no-name", ERR_SYNTAX,
	"a resource's name is no relative path below the model"},
    {"shards-no-numbers", ERR_SYNTAX, "a shard is not named path:start:end"},
    {"shards-no-size", ERR_SYNTAX,
	"shard_size goes with the method shards, and is at least 1"},
    {"shards-not-first", ERR_SYNTAX, "a file's first shard is missing"},
    {"shards-one-number", ERR_SYNTAX, "a shard is not named path:start:end"},
    {"shards-overlap", ERR_SYNTAX, "a name is listed twice"},
    {"shards-short-first", ERR_SYNTAX, "a shard is missing"},
    {"shards-sign", ERR_SYNTAX, "a shard's start and end are no shard's"},
    {"shards-size-2-54", ERR_SYNTAX,
	"JSON: a number that is no integer in range"},
    {"shards-size-fraction", ERR_SYNTAX,
	"JSON: a number that is no integer in range"},
    {"shards-size-huge", ERR_SYNTAX,
	"JSON: a number that is no integer in range"},
    {"shards-size-negative", ERR_SYNTAX, "JSON: a number out of range"},
    {"shards-size-string", ERR_SYNTAX, "JSON: no number where one must be"},
    {"shards-size-zero", ERR_SYNTAX,
	"shard_size goes with the method shards, and is at least 1"},
    {"shards-space", ERR_SYNTAX, "a shard's start and end are no shard's"},
    {"shards-too-long", ERR_SYNTAX, "a shard's start and end are no shard's"},
    {"shards-twice", ERR_SYNTAX, "a name is listed twice"},
    {"shards-zeros", ERR_SYNTAX, "a shard's start and end are no shard's"},
    {"surrogate-name", ERR_SYNTAX, "JSON: half a surrogate pair in a string"},
    {"trailing-comma", ERR_SYNTAX, "JSON: no object where one must be"},
    {"trailing", ERR_SYNTAX, "JSON: something follows the value"},
    {"truncated", ERR_SYNTAX, "JSON: no comma or end where one must be"},
    {"twice-apart", ERR_SYNTAX, "a name is listed twice"},
    {"twice-escaped", ERR_SYNTAX, "a name is listed twice"},
    {"twice-other-digest", ERR_SYNTAX, "a name is listed twice"},
    {"twice", ERR_SYNTAX, "a name is listed twice"},
};

/* With the root that belongs to it. */
static bool
parse(struct bytes in, struct manifest *out, struct error *err)
{
	struct hash root;

	(void)manifest_root_of(in, &root);
	return manifest_parse(in, &root, out, err);
}

static bool
refuses(struct bytes in, struct error *err)
{
	AUTO(manifest) m = {0};
	bool ok = parse(in, &m, err);

	/* Nothing half-read is left. */
	if (!ok) {
		assert_null(m.resources);
		assert_null(m.storage.chunks);
		assert_int_equal(m.count, 0);
	}
	return ok;
}

static void
test_invalid(void **state)
{
	(void)state;
	refusals_check(FOLDER "invalid", "malformed-statement", invalid,
	    sizeof(invalid) / sizeof(invalid[0]), refuses);
}

static void
open_manifest(const char *name, struct buf *in, struct manifest *out)
{
	struct error err = {0};

	vector_load(FOLDER "valid", name, in);
	if (!parse(buf_bytes(in), out, &err))
		fail_msg("%s: %s", name, err.text);
}

static const struct {
	const char *name;
	enum content_algorithm algorithm;
	size_t resources, files;
	uint64_t shard_size;
	bool links, name_order;
	size_t ignored;
} valid[] = {
    {"blake2b", CONTENT_BLAKE2B, 2, 2, 0, false, true, 0},
    {"blake3", CONTENT_BLAKE3, 1, 1, 0, false, true, 0},
    {"component-order", CONTENT_SHA256, 3, 3, 0, false, false, 0},
    {"dot", CONTENT_SHA256, 1, 1, 0, false, true, 0},
    {"extra-members", CONTENT_SHA256, 1, 1, 0, false, true, 0},
    {"ignored", CONTENT_SHA256, 1, 1, 0, false, true, 5},
    {"ignored-none", CONTENT_SHA256, 1, 1, 0, false, true, 0},
    {"links", CONTENT_SHA256, 1, 1, 0, true, true, 0},
    {"long-name", CONTENT_SHA256, 1, 1, 0, false, true, 0},
    {"names", CONTENT_SHA256, 14, 14, 0, false, true, 0},
    {"one", CONTENT_SHA256, 1, 1, 0, false, true, 0},
    {"reverse", CONTENT_SHA256, 3, 3, 0, false, false, 0},
    {"shards", CONTENT_SHA256, 3, 2, 1000, false, true, 0},
    {"shards-any-order", CONTENT_SHA256, 3, 2, 1000, false, false, 0},
    {"shards-blake2b", CONTENT_BLAKE2B, 1, 1, 1000, false, true, 0},
    {"shards-colons", CONTENT_SHA256, 3, 2, 1000, false, true, 0},
    {"shards-dot", CONTENT_SHA256, 2, 1, 1000, false, true, 0},
    {"shards-exponent", CONTENT_SHA256, 1, 1, 1000, false, true, 0},
    {"shards-large", CONTENT_SHA256, 2, 1, UINT64_C(1) << 53, false, true, 0},
    {"shards-text-order", CONTENT_SHA256, 11, 1, 1000, false, true, 0},
    {"shards-wild", CONTENT_SHA256, 2, 1, 1000, false, true, 0},
    {"siblings", CONTENT_SHA256, 6, 6, 0, false, true, 0},
    {"two", CONTENT_SHA256, 2, 2, 0, false, true, 0},
};

#define VALID (sizeof(valid) / sizeof(valid[0]))

static void
test_valid(void **state)
{
	(void)state;
	for (size_t i = 0; i < VALID; i++) {
		AUTO(buf) in = BUF_INIT(1u << 20);
		AUTO(manifest) m = {0};
		struct manifest_files files;
		struct error err = {0};
		struct hash root, own;

		open_manifest(valid[i].name, &in, &m);
		assert_true(manifest_group(&m, &files, &err));
		if (m.algorithm != valid[i].algorithm ||
		    m.count != valid[i].resources ||
		    files.count != valid[i].files ||
		    m.sharded != (valid[i].shard_size > 0) ||
		    m.shard_size != valid[i].shard_size ||
		    m.allow_symlinks != valid[i].links ||
		    m.name_order != valid[i].name_order ||
		    m.ignored_count != valid[i].ignored)
			fail_msg("%s", valid[i].name);
		assert_true(manifest_root_of(buf_bytes(&in), &root));
		assert_true(manifest_root(&m, &own, &err));
		assert_true(hash_equal(&root, &own));
	}
	assert_int_equal(vector_count(FOLDER "valid"), VALID);
}

/* What is written is read as the same, in order and out of it. */
static void
test_format(void **state)
{
	(void)state;
	for (size_t i = 0; i < VALID; i++) {
		AUTO(buf) in = BUF_INIT(1u << 20);
		AUTO(buf) out = BUF_INIT(1u << 20);
		AUTO(manifest) m = {0};
		AUTO(manifest) again = {0};
		struct error err = {0};

		open_manifest(valid[i].name, &in, &m);
		manifest_format(&m, &out);
		if (!parse(buf_bytes(&out), &again, &err))
			fail_msg("%s: %s", valid[i].name, err.text);
		assert_int_equal(again.count, m.count);
		for (size_t k = 0; k < m.count; k++) {
			assert_true(bytes_equal(
			    m.resources[k].name, again.resources[k].name));
			assert_true(bytes_equal(
			    m.resources[k].digest, again.resources[k].digest));
			assert_int_equal(
			    m.resources[k].start, again.resources[k].start);
			assert_int_equal(
			    m.resources[k].end, again.resources[k].end);
		}
		assert_int_equal(again.shard_size, m.shard_size);
		assert_int_equal(again.ignored_count, m.ignored_count);
		for (size_t n = 0; n < out.len; n += 11) {
			AUTO(buf) small = BUF_INIT(n);

			manifest_format(&m, &small);
			assert_true(small.failed);
		}
	}
}

static void
test_format_exact(void **state)
{
	static const char text[] =
	    "{\"resources\":[{\"name\":\"a\\\"b:0:1000\",\"algorithm\":"
	    "\"blake2b\",\"digest\":\"%0128d\"}],\"serialization\":{"
	    "\"method\":\"shards\",\"hash_type\":\"blake2b\",\"shard_size\":"
	    "1000,\"allow_symlinks\":true,\"ignore_paths\":[\".git\",\"x\"]}}";
	static const uint8_t digest[64];
	struct bytes ignored[] = {BYTES_LIT(".git"), BYTES_LIT("x")};
	struct resource r = {BYTES_LIT("a\"b"), BYTES_OF(digest), 0, 1000};
	AUTO(buf) out = BUF_INIT(1000);
	AUTO(buf) want = BUF_INIT(1000);
	AUTO(manifest) m = {0};
	struct error err = {0};

	(void)state;
	manifest_init(&m, CONTENT_BLAKE2B);
	m.sharded = m.allow_symlinks = true;
	m.shard_size = 1000;
	m.ignored = ignored;
	m.ignored_count = 2;
	assert_true(manifest_add(&m, &r, &err));
	manifest_format(&m, &out);
	buf_printf(&want, text, 0);
	assert_true(bytes_equal(buf_bytes(&out), buf_bytes(&want)));
}

static void
test_root(void **state)
{
	static const uint8_t zeros[HASH_LEN];
	AUTO(buf) in = BUF_INIT(1u << 20);
	struct resource r[2];
	AUTO(manifest) m = {0};
	struct error err = {0};
	struct hash root, other;

	(void)state;
	vector_load(FOLDER "valid", "two", &in);
	assert_true(manifest_root_of(buf_bytes(&in), &root));
	for (size_t i = 0; i < HASH_LEN; i++) {
		struct error why = {0};

		root.b[i] ^= 1;
		assert_false(manifest_parse(buf_bytes(&in), &root, &m, &why));
		assert_int_equal(why.code, ERR_BADSIG);
		assert_string_equal(why.reason, "root-mismatch");
		assert_null(m.resources);
		root.b[i] ^= 1;
	}
	assert_true(manifest_parse(buf_bytes(&in), &root, &m, &err));
	/* The order counts. */
	r[0] = m.resources[1];
	r[1] = m.resources[0];
	memcpy(m.resources, r, sizeof(r));
	assert_true(manifest_root(&m, &other, &err));
	assert_false(hash_equal(&root, &other));
	m.resources[0].digest = BYTES_OF(zeros);
	assert_true(manifest_root(&m, &root, &err));
	assert_false(hash_equal(&root, &other));
}

static void
test_names(void **state)
{
	static const char *const good[] = {".", "a", "a/b", "...", "..a", "a..",
	    "a:b", "a b", "a\nb", " ", "-", "\\", "C:\\x", ".git/x",
	    ("gr\xc3\xb6\xc3\x9f"
	     "e")};
	static const struct bytes bad[] = {
#define B(s) {(const uint8_t *)(s), sizeof(s) - 1}
	    B(""),
	    B("/"),
	    B("/a"),
	    B("a/"),
	    B("a//b"),
	    B("//"),
	    B(".."),
	    B("../a"),
	    B("a/.."),
	    B("a/../b"),
	    B("./a"),
	    B("a/."),
	    B("a/./b"),
	    B("./"),
	    B("../"),
	    B("\xff"),
	    B("a\0b"),
	    B("\0"),
	    B("\xed\xa0\x80"),
#undef B
	};
	uint8_t text[MANIFEST_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!manifest_name_valid(bytes_str(good[i])))
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (manifest_name_valid(bad[i]))
			fail_msg("%zu", i);
	memset(text, 'n', sizeof(text));
	assert_true(manifest_name_valid(bytes_of(text, MANIFEST_NAME_MAX)));
	assert_false(manifest_name_valid(BYTES_OF(text)));
}

static void
test_ignores(void **state)
{
	static const struct {
		const char *path;
		bool ignored;
	} cases[] = {
	    {".git", true},
	    {".git/config", true},
	    {".gitignore", true},
	    {".gitattributes", true},
	    {".github/workflows/x.yml", true},
	    {".gitmodules", false},
	    {".gitx", false},
	    {"sub/.git", false},
	    {"sub/.gitignore", false},
	    {"cache/old", true},
	    {"cache/old/x/y", true},
	    {"cache", false},
	    {"cache/older", false},
	    {"cache/new", false},
	    {"x/cache/old", false},
	    {"Cache/old", false},
	    {".mtlog/a.sigstore.json", true},
	    {"a", false},
	    {"...", true},
	    {"", false},
	};
	AUTO(buf) in = BUF_INIT(1u << 20);
	AUTO(manifest) m = {0};

	(void)state;
	open_manifest("ignored", &in, &m);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (manifest_ignores(&m, bytes_str(cases[i].path)) !=
		    cases[i].ignored)
			fail_msg("%s", cases[i].path);
}

static void
test_group(void **state)
{
	AUTO(buf) in = BUF_INIT(1u << 20);
	const struct manifest_file *f;
	struct manifest_files files, again;
	AUTO(manifest) m = {0};
	struct error err = {0};

	(void)state;
	open_manifest("shards-any-order", &in, &m);
	assert_true(manifest_group(&m, &files, &err));
	f = manifest_files_find(&files, BYTES_LIT("a"));
	assert_non_null(f);
	assert_ptr_equal(f, &files.files[0]);
	assert_int_equal(f->shards, 2);
	assert_int_equal(f->size, 2000);
	/* Listed last, and second: in their own order here. */
	assert_int_equal(files.order[f->first], 2);
	assert_int_equal(files.order[f->first + 1], 1);
	f = manifest_files_find(&files, BYTES_LIT("b"));
	assert_non_null(f);
	assert_int_equal(f->shards, 1);
	assert_int_equal(f->size, 5);
	assert_int_equal(files.order[f->first], 0);
	assert_null(manifest_files_find(&files, BYTES_LIT("a:0:1000")));
	assert_null(manifest_files_find(&files, BYTES_LIT("")));
	assert_null(manifest_files_find(&files, BYTES_LIT("c")));
	/* Asked for again, it is what it was; not after a change. */
	assert_true(manifest_group(&m, &again, &err));
	assert_ptr_equal(again.files, files.files);
	manifest_sort(&m);
	assert_true(manifest_group(&m, &again, &err));
	assert_ptr_not_equal(again.files, files.files);
	assert_int_equal(again.order[0], 0);
}

static void
test_find(void **state)
{
	static const char *const names[] = {
	    "a", "a!", "a-/b", "a.b/c", "a0", "ab/c"};
	AUTO(buf) in = BUF_INIT(1u << 20);
	struct manifest_files files;
	AUTO(manifest) m = {0};
	struct error err = {0};

	(void)state;
	open_manifest("siblings", &in, &m);
	assert_true(manifest_group(&m, &files, &err));
	for (size_t i = 0; i < 6; i++)
		assert_ptr_equal(
		    manifest_files_find(&files, bytes_str(names[i])),
		    &files.files[i]);
	assert_null(manifest_files_find(&files, BYTES_LIT("a-")));
	assert_null(manifest_files_find(&files, BYTES_LIT("ab")));
	assert_null(manifest_files_find(&files, BYTES_LIT("zz")));
}

/* A manifest of files that are shards of one byte, in the order of `list`. */
static void
make(struct manifest *m, bool sharded, const struct resource *list, size_t n)
{
	static const uint8_t digest[HASH_LEN];
	struct error err = {0};

	manifest_init(m, CONTENT_SHA256);
	m->sharded = sharded;
	m->shard_size = sharded ? 1000 : 0;
	for (size_t i = 0; i < n; i++) {
		struct resource r = list[i];

		r.digest = BYTES_OF(digest);
		assert_true(manifest_add(m, &r, &err));
	}
}

/* By the names as they are written: that is not by file and then by number. */
static void
test_sort(void **state)
{
#define R(name, start, end)                                                    \
	{                                                                      \
		{(const uint8_t *)(name), sizeof(name) - 1}, {0}, start, end   \
	}
	static const struct resource some[] = {R("a", 0, 1000),
	    R("a", 1000, 2000), R("a", 10000, 11000), R("a", 2000, 3000),
	    R("a-b", 0, 7), R("a/b", 0, 7), R("a0", 0, 7), R("a:0:1", 0, 5),
	    R("a:0:1000", 0, 5), R("a:0:1000", 1000, 1001), R("a;", 0, 1),
	    R("aa", 0, 1)};
#undef R
	enum { N = sizeof(some) / sizeof(some[0]) };
	unsigned seed = 1;

	(void)state;
	for (int round = 0; round < 50; round++) {
		struct resource list[N];
		AUTO(manifest) m = {0};

		memcpy(list, some, sizeof(list));
		for (size_t i = N - 1; i > 0; i--) {
			size_t k = (seed = seed * 1103515245 + 12345) / 65536 %
			    (i + 1);
			struct resource r = list[i];

			list[i] = list[k];
			list[k] = r;
		}
		make(&m, true, list, N);
		manifest_sort(&m);
		for (size_t i = 1; i < N; i++) {
			AUTO(buf) before = BUF_INIT(100);
			AUTO(buf) after = BUF_INIT(100);
			const struct resource *x = &m.resources[i - 1];
			const struct resource *y = &m.resources[i];

			buf_put(&before, x->name);
			buf_printf(&before, ":%u:%u", (unsigned)x->start,
			    (unsigned)x->end);
			buf_put_u8(&before, 0);
			buf_put(&after, y->name);
			buf_printf(&after, ":%u:%u", (unsigned)y->start,
			    (unsigned)y->end);
			buf_put_u8(&after, 0);
			if (strcmp((const char *)before.ptr,
				(const char *)after.ptr) >= 0)
				fail_msg("%s before %s", before.ptr, after.ptr);
		}
	}
}

/* What is made sorted is read as sorted, whatever the order it came in. */
static void
test_made(void **state)
{
	static const char *const names[] = {"unet/x", "unet.json", "unet-2/x",
	    "a", "B", "\xf0\x9f\x8c\xb3", "\xef\xbf\xbd"};
	struct resource list[7] = {0};
	AUTO(buf) out = BUF_INIT(1u << 16);
	AUTO(manifest) m = {0};
	AUTO(manifest) back = {0};
	struct error err = {0};

	(void)state;
	for (size_t i = 0; i < 7; i++)
		list[i].name = bytes_str(names[i]);
	make(&m, false, list, 7);
	manifest_sort(&m);
	assert_true(m.name_order);
	manifest_format(&m, &out);
	assert_true(parse(buf_bytes(&out), &back, &err));
	assert_true(back.name_order);
	assert_true(bytes_equal(back.resources[0].name, BYTES_LIT("B")));
	assert_true(bytes_equal(back.resources[2].name, BYTES_LIT("unet-2/x")));
	assert_true(
	    bytes_equal(back.resources[6].name, BYTES_LIT("\xf0\x9f\x8c\xb3")));
}

static void
test_v02(void **state)
{
	struct statement_subject subjects[] = {
	    {BYTES_LIT("config.json"), {{1}}},
	    {BYTES_LIT("weights/a.bin"), {{2}}},
	};
	struct statement s = {
	    .kind = STATEMENT_MODEL_V02,
	    .subject_count = 2,
	    .subjects = subjects,
	};
	static const char *const bad[] = {
	    "", "..", "/a", "a/../b", "config.json", "config.json/x", "."};
	AUTO(manifest) m = {0};
	struct error err = {0};

	(void)state;
	assert_true(manifest_from_v02(&s, &m, &err));
	assert_int_equal(m.algorithm, CONTENT_SHA256);
	assert_int_equal(m.count, 2);
	assert_false(m.allow_symlinks);
	assert_int_equal(m.ignored_count, 0);
	assert_true(
	    bytes_equal(m.resources[1].name, BYTES_LIT("weights/a.bin")));
	assert_int_equal(m.resources[1].digest.ptr[0], 2);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct error why = {0};
		AUTO(manifest) none = {0};

		subjects[1].name = bytes_str(bad[i]);
		if (manifest_from_v02(&s, &none, &why) ||
		    why.code != ERR_SYNTAX)
			fail_msg("%s: %s", bad[i], why.text);
		assert_string_equal(why.reason, "malformed-statement");
		assert_null(none.resources);
	}
}

/* A predicate of `n` small resources and `ignored` paths. */
static void
put_many(struct buf *out, size_t n, size_t ignored)
{
	buf_put_str(out, "{\"resources\":[");
	for (size_t i = 0; i < n; i++)
		buf_printf(out,
		    "%s{\"name\":\"%zu\",\"algorithm\":\"sha256\",\"digest\":"
		    "\"%064zx\"}",
		    i > 0 ? "," : "", i, i);
	buf_put_str(out,
	    "],\"serialization\":{\"method\":\"files\",\"hash_type\":"
	    "\"sha256\",\"allow_symlinks\":false,\"ignore_paths\":[");
	for (size_t i = 0; i < ignored; i++)
		buf_printf(out, "%s\"x%zu\"", i > 0 ? "," : "", i);
	buf_put_str(out, "]}}");
}

static void
test_limits(void **state)
{
	static const struct {
		size_t resources, ignored;
		enum error_code code;
	} cases[] = {
	    {1, MANIFEST_MAX_IGNORED, ERR_BADSIG},
	    {1, MANIFEST_MAX_IGNORED + 1, ERR_LIMIT},
	    {MANIFEST_MAX_RESOURCES, 0, ERR_BADSIG},
	    {MANIFEST_MAX_RESOURCES + 1, 0, ERR_LIMIT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) in = BUF_INIT(64u << 20);
		struct hash none = {0};
		AUTO(manifest) m = {0};
		struct error err = {0};

		/* What is within the limits has another root. */
		put_many(&in, cases[i].resources, cases[i].ignored);
		assert_false(in.failed);
		assert_false(manifest_parse(buf_bytes(&in), &none, &m, &err));
		if (err.code != cases[i].code)
			fail_msg("%zu: %s", i, err.text);
	}
}

/* Names of which each begins with the one before, and many behind them all:
 * no work that grows with the square of them. */
static void
test_prefixes(void **state)
{
	enum { CHAIN = 2000, TAIL = 20000 };
	static uint8_t text[CHAIN + 16];
	static const uint8_t digest[HASH_LEN];
	struct manifest_files files;
	AUTO(manifest) m = {0};
	struct error err = {0};

	(void)state;
	memset(text, '!', sizeof(text));
	manifest_init(&m, CONTENT_SHA256);
	for (size_t i = 1; i <= CHAIN; i++) {
		struct resource r = {
		    .name = bytes_of(text, i), .digest = BYTES_OF(digest)};

		assert_true(manifest_add(&m, &r, &err));
	}
	for (size_t i = 0; i < TAIL; i++) {
		struct resource r = {.digest = BYTES_OF(digest)};
		AUTO(buf) name = BUF_INIT(CHAIN + 16);

		buf_put(&name, bytes_of(text, CHAIN));
		buf_printf(&name, "%05zu", i);
		r.name = buf_bytes(&name);
		assert_true(manifest_add(&m, &r, &err));
	}
	assert_true(manifest_group(&m, &files, &err));
	assert_int_equal(files.count, CHAIN + TAIL);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_invalid),
	    cmocka_unit_test(test_valid),
	    cmocka_unit_test(test_format),
	    cmocka_unit_test(test_format_exact),
	    cmocka_unit_test(test_root),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_ignores),
	    cmocka_unit_test(test_group),
	    cmocka_unit_test(test_find),
	    cmocka_unit_test(test_sort),
	    cmocka_unit_test(test_made),
	    cmocka_unit_test(test_v02),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
