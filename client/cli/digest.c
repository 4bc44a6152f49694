/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/verbs.h"
#include "client/lib/sign.h"
#include "client/lib/sources.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "io/progress.h"

#define OUTPUT_MAX (64u * 1024)

static const struct cli_option options[] = {
    {"--hash", "WORD", "sha256 (default), blake2b or blake3", false},
    {"--shard-size", "N", "hash in pieces of N bytes", false},
    {"--ignore", "PATH", "leave this path out", true},
    {"--allow-symlinks", NULL, "hash what links below it lead to", false},
    {"--allow-empty-in-shards", NULL, "although shards do not list empty files",
	false},
    {"--signature", "FILE", "the bundle, if it lies elsewhere", false},
    {"--both", NULL, "the digest in component order, too", false},
    {"--threads", "N", "for hashing; else one a processor", false},
    {"--json", NULL, "one line of JSON", false},
    {0},
};

struct digests {
	struct manifest manifest;
	struct hash root;
	struct hash components; /* root in component order */
};

/* '/' before all other bytes: a path is compared component by component. */
static int
rank(const struct bytes *name, size_t i)
{
	return name->ptr[i] == '/' ? 0 : 1 + name->ptr[i];
}

/* The order of Python's PurePath, shards by their start. */
static int
by_components(const void *a, const void *b)
{
	const struct resource *x = a, *y = b;
	size_t i = 0;

	while (i < x->name.len && i < y->name.len &&
	    x->name.ptr[i] == y->name.ptr[i])
		i++;
	if (i < x->name.len && i < y->name.len)
		return rank(&x->name, i) - rank(&y->name, i);
	if (x->name.len != y->name.len)
		return x->name.len < y->name.len ? -1 : 1;
	return (x->start > y->start) - (x->start < y->start);
}

static bool
read_options(
    const struct cli_args *a, struct sign_options *o, struct error *err)
{
	const char *hash = cli_value(a, "--hash");
	uint64_t threads;

	if (a->operand_count != 1)
		return error_set(
		    err, ERR_USAGE, "say which model: mtlog digest … MODEL");
	if (hash && !content_algorithm_find(bytes_str(hash), &o->algorithm))
		return error_set(err, ERR_USAGE,
		    "--hash is sha256, blake2b or blake3, not %s", hash);
	if (!cli_number(a, "--shard-size", 0, &o->shard_size, err) ||
	    !cli_number(a, "--threads", 0, &threads, err))
		return false;
	if (cli_value(a, "--shard-size") && o->shard_size == 0)
		return error_set(
		    err, ERR_USAGE, "--shard-size is at least 1 byte");
	if (threads > TREE_MAX_THREADS)
		return error_set(err, ERR_USAGE, "--threads is at most %d",
		    TREE_MAX_THREADS);
	o->threads = (unsigned)threads;
	o->path = a->operands[0];
	o->signature = cli_value(a, "--signature");
	o->ignored = cli_values(a, "--ignore");
	o->allow_symlinks = cli_flag(a, "--allow-symlinks");
	o->allow_empty = cli_flag(a, "--allow-empty-in-shards");
	return true;
}

static bool
compute(const struct sign_options *from, struct digests *out, struct error *err)
{
	AUTO(buf) base = BUF_INIT(MANIFEST_NAME_MAX);
	struct sign_options o = *from;
	struct manifest *m = &out->manifest;
	struct progress bar;
	bool ok;

	progress_init(&bar, STDERR_FILENO);
	o.progress = progress_update;
	o.progress_arg = &bar;
	ok = sign_manifest(&o, m, &base, err);
	progress_release(&bar);
	if (!ok || !manifest_root(m, &out->root, err))
		return false;
	qsort(m->resources, m->count, sizeof(*m->resources), by_components);
	return manifest_root(m, &out->components, err);
}

static void
put_json(const struct cli_args *a, const struct digests *d, struct buf *out)
{
	struct bytes path = bytes_str(a->operands[0]);

	buf_put_str(out, "{\"model\":");
	if (utf8_valid(path))
		json_put_string(out, path);
	else
		buf_put_str(out, "null");
	buf_put_str(out, ",\"root\":\"");
	hex_put(out, hash_bytes(&d->root));
	if (cli_flag(a, "--both")) {
		buf_put_str(out, "\",\"rootInComponentOrder\":\"");
		hex_put(out, hash_bytes(&d->components));
	}
	buf_printf(out,
	    "\",\"hash\":\"%s\",\"method\":\"%s\",\"resources\":%zu",
	    content_algorithm_name(d->manifest.algorithm),
	    d->manifest.sharded ? "shards" : "files", d->manifest.count);
	if (d->manifest.sharded)
		buf_printf(out, ",\"shardSize\":%llu",
		    (unsigned long long)d->manifest.shard_size);
	buf_put_str(out, "}\n");
}

/* As sha256sum writes it. */
static void
put_text(const struct cli_args *a, const struct digests *d, struct buf *out)
{
	hex_put(out, hash_bytes(&d->root));
	buf_put_str(out, "  ");
	escaped_put(out, bytes_str(a->operands[0]));
	if (cli_flag(a, "--both")) {
		buf_put_u8(out, '\n');
		hex_put(out, hash_bytes(&d->components));
		buf_put_str(out, "  ");
		escaped_put(out, bytes_str(a->operands[0]));
		buf_put_str(out, " (in component order)");
	}
	buf_put_u8(out, '\n');
}

static bool
digest(
    const struct cli_args *a, const struct sign_options *o, struct error *err)
{
	AUTO(buf) text = BUF_INIT(OUTPUT_MAX);
	struct digests d = {0};
	bool ok = compute(o, &d, err);

	if (ok)
		(cli_flag(a, "--json") ? put_json : put_text)(a, &d, &text);
	ok = ok && buf_ok(&text, err) && cli_print(buf_bytes(&text), err);
	manifest_release(&d.manifest);
	return ok;
}

static int
run(struct cli_args *a, struct error *err)
{
	struct sign_options o = {0};
	char *own = NULL;
	struct stat st;
	bool ok = read_options(a, &o, err);

	/* A signature is no part of what it signs, nor is the one before it. */
	if (ok && !o.signature) {
		if (stat(o.path, &st) != 0)
			ok = error_reason(err, ERR_NOTFOUND, "missing",
			    "%s cannot be read: %m", o.path);
		else
			o.signature = own =
			    signature_path(o.path, S_ISDIR(st.st_mode));
		if (ok && !own)
			ok = error_set(err, ERR_INTERNAL, "out of memory");
	}
	ok = ok && digest(a, &o, err);
	free(own);
	return ok ? VERDICT_ACCEPTED : -1;
}

const struct cli_verb verb_digest = {
    .name = "digest",
    .arguments = "MODEL",
    .summary = "Print the root digest that signing a model would give",
    .details =
	"File names are not in this digest: it does not name a model, the\n"
	"statement's digest S does. With --both also the digest in the order\n"
	"of path components, which older signers in Python wrote.",
    .run = run,
    .options = options,
};
