/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/tensors.h"
#include "client/cli/verbs.h"
#include "client/lib/sign.h"
#include "client/lib/sources.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "io/file.h"
#include "io/progress.h"

#define OUTPUT_MAX (256u << 20)

static const struct cli_option options[] = {
    {"--allow-symlinks", NULL, "compare what links below it lead to", false},
    {"--threads", "N", "for hashing; else one a processor", false},
    {"--json", NULL, "one line of JSON", false},
    {0},
};

/* One of the two: a model on disk, or what a bundle lists. */
struct side {
	const char *path;
	bool is_bundle;
	struct buf text;
	struct bundle bundle;
	struct statement statement;
	struct manifest manifest;
	struct manifest_files files;
	struct file_tree tree; /* a model, and only once its bytes are read */
};

struct comparison {
	const struct cli_args *args;
	struct side side[2]; /* before, after */
	struct buf out;
	/* JSON: the lists that are written while `out` has the changes */
	struct buf appeared, vanished;
	size_t changed_count, appeared_count, vanished_count, equal_count;
	bool json;
};

static void
side_release(struct side *s)
{
	manifest_release(&s->manifest);
	statement_release(&s->statement);
	bundle_release(&s->bundle);
	buf_release(&s->text);
	file_tree_release(&s->tree);
}

/* The bundle's list, if the file is a bundle: a large model is not read. */
static bool
read_bundle(struct side *s, struct error *err)
{
	struct error why = {0};
	struct stat st;
	char first = 0;
	int fd = open(s->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return error_reason(err, ERR_NOTFOUND, "missing",
		    "%s cannot be read: %m", s->path);
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size <= (off_t)BUNDLE_MAX_LEN)
		first = read(fd, &first, 1) == 1 ? first : 0;
	(void)close(fd);
	if (first != '{')
		return true;
	buf_init(&s->text, BUNDLE_MAX_LEN);
	if (!file_read(s->path, &s->text, err))
		return false;
	s->is_bundle = bundle_parse(buf_bytes(&s->text), &s->bundle, &why);
	/* A broken bundle is an error, and no model of one file. */
	if (!s->is_bundle &&
	    memmem(s->text.ptr, s->text.len, "\"dsseEnvelope\"", 14)) {
		*err = why;
		return error_prefix(err, "%s", s->path);
	}
	buf_release(&s->text);
	return true;
}

static bool
read_list(struct side *s, struct error *err)
{
	bool ok =
	    statement_parse(s->bundle.envelope.payload, &s->statement, err);

	if (ok && s->statement.kind == STATEMENT_MODEL_V02)
		ok = manifest_from_v02(&s->statement, &s->manifest, err);
	else if (ok && s->statement.kind == STATEMENT_MODEL)
		ok = manifest_parse(s->statement.predicate,
		    &s->statement.subjects[0].digest, &s->manifest, err);
	else if (ok)
		ok = error_reason(err, ERR_DENIED, "wrong-statement-type",
		    "the bundle is no model's, but %s",
		    statement_kind_type(s->statement.kind));
	return ok || error_prefix(err, "%s", s->path);
}

/* A signature is no file of the model, unless it is listed as one. */
static bool
lists_signature(const struct manifest *m)
{
	for (size_t i = 0; i < m->count; i++)
		if (bytes_equal(m->resources[i].name, BYTES_LIT("model.sig")))
			return true;
	return false;
}

/* A model is hashed as the other one's bundle says, if that is one. */
static bool
hash_side(const struct comparison *c, struct side *s, const struct side *other,
    struct error *err)
{
	AUTO(buf) base = BUF_INIT(MANIFEST_NAME_MAX);
	const struct manifest *like =
	    other->is_bundle ? &other->manifest : NULL;
	struct sign_options o = {
	    .path = s->path,
	    .algorithm = like ? like->algorithm : CONTENT_SHA256,
	    .shard_size = like && like->sharded ? like->shard_size : 0,
	    .allow_symlinks = (like && like->allow_symlinks) ||
		cli_flag(c->args, "--allow-symlinks"),
	    .allow_empty = true,
	    .progress = progress_update,
	};
	struct progress bar;
	struct stat st;
	uint64_t threads;
	char *signature;
	bool ok;

	if (!cli_number(c->args, "--threads", 0, &threads, err))
		return false;
	if (threads > TREE_MAX_THREADS)
		return error_set(err, ERR_USAGE, "--threads is at most %d",
		    TREE_MAX_THREADS);
	o.threads = (unsigned)threads;
	if (stat(s->path, &st) != 0)
		return error_reason(err, ERR_NOTFOUND, "missing",
		    "%s cannot be read: %m", s->path);
	signature = signature_path(s->path, S_ISDIR(st.st_mode));
	if (!signature)
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (!like || !lists_signature(like))
		o.signature = signature;
	progress_init(&bar, STDERR_FILENO);
	o.progress_arg = &bar;
	ok = sign_manifest(&o, &s->manifest, &base, err);
	progress_release(&bar);
	free(signature);
	return ok || error_prefix(err, "%s", s->path);
}

/* Digests of different kinds say nothing about each other. */
static bool
comparable(const struct comparison *c, struct error *err)
{
	const struct manifest *a = &c->side[0].manifest;
	const struct manifest *b = &c->side[1].manifest;

	return (a->algorithm == b->algorithm && a->sharded == b->sharded &&
		   (!a->sharded || a->shard_size == b->shard_size)) ||
	    error_set(err, ERR_USAGE,
		"the two bundles were hashed in different ways: compare one "
		"of them with the files");
}

static bool
open_sides(struct comparison *c, struct error *err)
{
	for (size_t i = 0; i < 2; i++) {
		struct side *s = &c->side[i];

		s->path = c->args->operands[i];
		if (!read_bundle(s, err) ||
		    (s->is_bundle && !read_list(s, err)))
			return false;
	}
	for (size_t i = 0; i < 2; i++)
		if (!c->side[i].is_bundle &&
		    !hash_side(c, &c->side[i], &c->side[1 - i], err))
			return false;
	for (size_t i = 0; i < 2; i++)
		if (!manifest_group(
			&c->side[i].manifest, &c->side[i].files, err))
			return false;
	return comparable(c, err);
}

static const struct resource *
shard_of(const struct side *s, const struct manifest_file *f, size_t i)
{
	return &s->manifest.resources[s->files.order[f->first + i]];
}

static bool
same_shard(const struct resource *a, const struct resource *b)
{
	return a->start == b->start && a->end == b->end &&
	    bytes_equal(a->digest, b->digest);
}

static bool
same_file(const struct comparison *c, const struct manifest_file *a,
    const struct manifest_file *b)
{
	bool same = a->shards == b->shards;

	for (size_t i = 0; same && i < a->shards; i++)
		same = same_shard(
		    shard_of(&c->side[0], a, i), shard_of(&c->side[1], b, i));
	return same;
}

/* "sha256:…", of a shard "0:1000:sha256:…". */
static void
put_digest(const struct side *s, const struct resource *r, struct buf *out)
{
	if (s->manifest.sharded)
		buf_printf(out, "%llu:%llu:", (unsigned long long)r->start,
		    (unsigned long long)r->end);
	buf_printf(out, "%s:", content_algorithm_name(s->manifest.algorithm));
	hex_put(out, r->digest);
}

static void
put_digests_json(
    const struct side *s, const struct manifest_file *f, struct buf *out)
{
	buf_put_u8(out, '[');
	for (size_t i = 0; i < f->shards; i++) {
		buf_put_str(out, i > 0 ? ",\"" : "\"");
		put_digest(s, shard_of(s, f, i), out);
		buf_put_u8(out, '"');
	}
	buf_put_u8(out, ']');
}

/* Of a changed file only the shards that the other one (may be NULL) does not
 * have at the same place. */
static void
put_digests_text(const struct side *s, const struct manifest_file *f,
    const struct side *other, const struct manifest_file *g, char sign,
    struct buf *out)
{
	for (size_t i = 0; i < f->shards; i++) {
		const struct resource *r = shard_of(s, f, i);

		if (g && i < g->shards && same_shard(r, shard_of(other, g, i)))
			continue;
		buf_printf(out, "    %c ", sign);
		put_digest(s, r, out);
		buf_put_u8(out, '\n');
	}
}

static void
put_one_json(struct buf *out, size_t *count, const struct side *s,
    const struct manifest_file *f)
{
	buf_put_str(out, (*count)++ > 0 ? ",{\"name\":" : "{\"name\":");
	json_put_string(out, f->name);
	buf_put_str(out, ",\"digests\":");
	put_digests_json(s, f, out);
	buf_put_u8(out, '}');
}

/* A file that only one side has. */
static void
put_one(struct comparison *c, size_t side, const struct manifest_file *f)
{
	const struct side *s = &c->side[side];
	char sign = side == 0 ? '-' : '+';
	size_t *count = side == 0 ? &c->vanished_count : &c->appeared_count;

	if (c->json) {
		put_one_json(
		    side == 0 ? &c->vanished : &c->appeared, count, s, f);
		return;
	}
	(*count)++;
	buf_printf(&c->out, "%c ", sign);
	escaped_put(&c->out, f->name);
	buf_put_u8(&c->out, '\n');
	put_digests_text(s, f, NULL, NULL, sign, &c->out);
}

static bool
has_tensors(struct bytes name)
{
	struct bytes end = BYTES_LIT(".safetensors");

	return name.len > end.len &&
	    bytes_equal(bytes_slice(name, name.len - end.len, name.len), end);
}

static bool
open_file(struct side *s, struct bytes name, bool links,
    struct tensor_file *out, struct error *err)
{
	struct tree_fault fault = {0};
	struct stat st;

	if (s->tree.root < 0 &&
	    !file_tree_open(AT_FDCWD, s->path, NULL, NULL, &s->tree, err))
		return false;
	out->fd = file_tree_open_file(&s->tree,
	    s->tree.single ? BYTES_LIT(".") : name, links, &st, &fault);
	if (out->fd < 0)
		return tree_fault_explain(&fault, name, err);
	out->size = (uint64_t)st.st_size;
	return true;
}

/* Inside the two files, if both are here and of that format. */
static bool
put_tensors(struct comparison *c, const struct manifest_file *a,
    const struct manifest_file *b, struct error *err)
{
	struct tensor_file before = {.fd = -1}, after = {.fd = -1};
	bool links = cli_flag(c->args, "--allow-symlinks"), ok;

	if (c->side[0].is_bundle || c->side[1].is_bundle ||
	    !has_tensors(a->name) || !has_tensors(b->name))
		return true;
	if (c->json)
		buf_put_str(&c->out, ",\"safetensors\":{");
	ok = open_file(&c->side[0], a->name, links, &before, err) &&
	    open_file(&c->side[1], b->name, links, &after, err) &&
	    tensors_diff(&before, &after, c->json, &c->out, err);
	if (c->json)
		buf_put_u8(&c->out, '}');
	if (before.fd >= 0)
		(void)close(before.fd);
	if (after.fd >= 0)
		(void)close(after.fd);
	return ok;
}

static bool
put_changed(struct comparison *c, const struct manifest_file *a,
    const struct manifest_file *b, struct error *err)
{
	const struct side *x = &c->side[0], *y = &c->side[1];
	bool ok;

	if (!c->json) {
		c->changed_count++;
		buf_put_str(&c->out, "~ ");
		escaped_put(&c->out, a->name);
		buf_put_u8(&c->out, '\n');
		put_digests_text(x, a, y, b, '-', &c->out);
		put_digests_text(y, b, x, a, '+', &c->out);
		return put_tensors(c, a, b, err);
	}
	buf_put_str(
	    &c->out, c->changed_count++ > 0 ? ",{\"name\":" : "{\"name\":");
	json_put_string(&c->out, a->name);
	buf_put_str(&c->out, ",\"before\":");
	put_digests_json(x, a, &c->out);
	buf_put_str(&c->out, ",\"after\":");
	put_digests_json(y, b, &c->out);
	ok = put_tensors(c, a, b, err);
	buf_put_u8(&c->out, '}');
	return ok;
}

static int
compare(struct bytes a, struct bytes b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n > 0 ? memcmp(a.ptr, b.ptr, n) : 0;

	return c != 0 ? c : (a.len > b.len) - (a.len < b.len);
}

/* What a bundle says to leave out is nothing that appeared on disk. */
static bool
left_out(const struct side *other, const struct manifest_file *f)
{
	return other->is_bundle && manifest_ignores(&other->manifest, f->name);
}

/* One file on each side is the same file whatever it is called: "." is what
 * some signers call a model of one file. */
static bool
is_single(const struct side *s)
{
	struct stat st;

	if (s->files.count != 1)
		return false;
	if (s->is_bundle)
		return bytes_equal(s->files.files[0].name, BYTES_LIT("."));
	return stat(s->path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool
walk(struct comparison *c, struct error *err)
{
	const struct manifest_files *a = &c->side[0].files;
	const struct manifest_files *b = &c->side[1].files;
	bool one = a->count == 1 && b->count == 1 &&
	    (is_single(&c->side[0]) || is_single(&c->side[1]));
	size_t i = 0, k = 0;

	while (i < a->count || k < b->count) {
		int order = i == a->count ? 1
		    : k == b->count	  ? -1
		    : one		  ? 0
			  : compare(a->files[i].name, b->files[k].name);

		if (order < 0 && !left_out(&c->side[1], &a->files[i]))
			put_one(c, 0, &a->files[i]);
		else if (order > 0 && !left_out(&c->side[0], &b->files[k]))
			put_one(c, 1, &b->files[k]);
		else if (order == 0 && same_file(c, &a->files[i], &b->files[k]))
			c->equal_count++;
		else if (order == 0 &&
		    !put_changed(c, &a->files[i], &b->files[k], err))
			return false;
		i += order <= 0;
		k += order >= 0;
	}
	return true;
}

static void
put_end(struct comparison *c)
{
	if (!c->json) {
		buf_printf(&c->out,
		    "%zu changed, %zu appeared, %zu vanished, %zu equal%s\n",
		    c->changed_count, c->appeared_count, c->vanished_count,
		    c->equal_count,
		    c->side[0].is_bundle || c->side[1].is_bundle
			? " (a bundle's list is not verified here)"
			: "");
		return;
	}
	buf_put_str(&c->out, "],\"appeared\":[");
	buf_put(&c->out, buf_bytes(&c->appeared));
	buf_put_str(&c->out, "],\"vanished\":[");
	buf_put(&c->out, buf_bytes(&c->vanished));
	buf_printf(&c->out, "],\"equal\":%zu}\n", c->equal_count);
}

static bool
diff(struct comparison *c, struct error *err)
{
	if (!open_sides(c, err))
		return false;
	if (c->json)
		buf_put_str(&c->out, "{\"changed\":[");
	if (!walk(c, err))
		return false;
	put_end(c);
	return buf_ok(&c->appeared, err) && buf_ok(&c->vanished, err) &&
	    buf_ok(&c->out, err) && cli_print(buf_bytes(&c->out), err);
}

static int
run(struct cli_args *a, struct error *err)
{
	struct comparison c = {
	    .args = a,
	    .side = {{.tree = FILE_TREE_INIT}, {.tree = FILE_TREE_INIT}},
	    .out = BUF_INIT(OUTPUT_MAX),
	    .appeared = BUF_INIT(OUTPUT_MAX),
	    .vanished = BUF_INIT(OUTPUT_MAX),
	    .json = cli_flag(a, "--json"),
	};
	bool differ, ok;

	if (a->operand_count != 2) {
		(void)error_set(
		    err, ERR_USAGE, "say which two: mtlog diff A B");
		return -1;
	}
	ok = diff(&c, err);
	differ = c.changed_count + c.appeared_count + c.vanished_count > 0;
	for (size_t i = 0; i < 2; i++)
		side_release(&c.side[i]);
	buf_release(&c.out);
	buf_release(&c.appeared);
	buf_release(&c.vanished);
	if (!ok)
		return -1;
	return differ ? VERDICT_CONTENT_MISMATCH : VERDICT_ACCEPTED;
}

const struct cli_verb verb_diff = {
    .name = "diff",
    .arguments = "A B",
    .summary = "Say which files of two models differ, and which tensors",
    .details =
	"A and B are models (folders or files) or bundles, whose lists are\n"
	"taken as they are and not verified. Exit code 0: equal, 10: not.",
    .run = run,
    .options = options,
};
