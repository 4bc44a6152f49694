/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/cli/inspect_parts.h"
#include "client/cli/keys.h"
#include "client/cli/verbs.h"
#include "client/lib/sources.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/times.h"
#include "core/format/safetensors.h"
#include "core/model/bundle.h"
#include "io/file.h"
#include "io/tree.h"

#define REPORT_MAX (16u << 20)
#define SHOWN	   64 /* rules, signers, keys of metadata … of each */
#define NAME_WIDTH 14

static const struct cli_option options[] = {
    {"--json", NULL, "one line of JSON", false},
    {0},
};

static void
report_line(
    struct report *r, struct buf *out, const char *name, struct bytes text)
{
	AUTO(buf) shown = BUF_INIT(REPORT_MAX);

	escaped_put(&shown, text);
	if (r->json) {
		while (*name == ' ')
			name++;
		buf_printf(out,
		    "%s{\"name\":\"%s\",\"value\":", out->len > 0 ? "," : "",
		    name);
		json_put_string(out, buf_bytes(&shown));
		buf_put_u8(out, '}');
	} else {
		buf_printf(out, "  %-*s ", NAME_WIDTH, name);
		buf_put(out, buf_bytes(&shown));
		buf_put_u8(out, '\n');
	}
	out->failed |= shown.failed;
}

void
report_computed(struct report *r, const char *name, struct bytes text)
{
	report_line(r, &r->computed, name, text);
}

void
report_claim(struct report *r, const char *name, struct bytes text)
{
	report_line(r, &r->claims, name, text);
}

void
report_computedf(struct report *r, const char *name, const char *format, ...)
{
	char text[ERROR_TEXT_MAX + 64];
	va_list ap;

	va_start(ap, format);
	error_text(text, sizeof(text), format, ap);
	va_end(ap);
	report_computed(r, name, bytes_str(text));
}

void
report_claimf(struct report *r, const char *name, const char *format, ...)
{
	char text[ERROR_TEXT_MAX + 64];
	va_list ap;

	va_start(ap, format);
	error_text(text, sizeof(text), format, ap);
	va_end(ap);
	report_claim(r, name, bytes_str(text));
}

static void
hash_text(const struct hash *hash, struct buf *out)
{
	buf_put_str(out, "sha256:");
	hex_put(out, hash_bytes(hash));
}

void
report_computed_hash(
    struct report *r, const char *name, const struct hash *hash)
{
	AUTO(buf) text = BUF_INIT(128);

	hash_text(hash, &text);
	report_computed(r, name, buf_bytes(&text));
}

void
report_claim_hash(struct report *r, const char *name, const struct hash *hash)
{
	AUTO(buf) text = BUF_INIT(128);

	hash_text(hash, &text);
	report_claim(r, name, buf_bytes(&text));
}

void
report_claim_time(struct report *r, const char *name, uint64_t seconds)
{
	AUTO(buf) text = BUF_INIT(64);

	time_put(&text, seconds);
	report_claim(r, name, buf_bytes(&text));
}

static void
claim_rules(struct report *r, const struct policy *p)
{
	for (size_t i = 0; i < p->quorum.log_count && i < SHOWN; i++)
		report_claim(r, "log", vkey_name(&p->quorum.logs[i].key));
	for (size_t i = 0; i < p->quorum.witness_count && i < SHOWN; i++)
		report_claim(r, "witness", p->quorum.witnesses[i].name);
	for (size_t i = 0; i < p->ca_count && i < SHOWN; i++)
		report_claim(r, "ca", p->cas[i].name);
	for (size_t i = 0; i < p->party_count && i < SHOWN; i++)
		report_claim(r, "signer", p->parties[i]);
	for (size_t i = 0; i < p->rule_count && i < SHOWN; i++)
		report_claim(r, "model", p->rules[i].pattern);
}

bool
inspect_policy(struct report *r, struct bytes text, struct error *err)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (!p)
		return error_set(err, ERR_INTERNAL, "out of memory");
	if (!policy_parse(text, p, err)) {
		free(p);
		return false;
	}
	r->kind = "policy";
	buf_printf(&r->what, "a policy of %zu rules (mtlog policy check)",
	    p->rule_count);
	report_computed_hash(r, "digest", &p->digest);
	if (p->serial > 0)
		report_claimf(
		    r, "serial", "%llu", (unsigned long long)p->serial);
	if (p->has_expires)
		report_claim_time(r, "expires", p->expires);
	claim_rules(r, p);
	policy_release(p);
	free(p);
	return true;
}

static bool
has(struct bytes text, const char *words)
{
	return text.len > 0 &&
	    memmem(text.ptr, text.len, words, strlen(words)) != NULL;
}

static struct bytes
trimmed(struct bytes text)
{
	while (text.len > 0 && text.ptr[text.len - 1] == '\n')
		text.len--;
	return text;
}

static bool
is_vkey(struct bytes text)
{
	struct error ignored = {0};
	struct vkey v;

	return vkey_parse(trimmed(text), &v, &ignored);
}

static bool
is_safetensors(struct bytes text)
{
	struct error ignored = {0};
	size_t n;

	return text.len > SAFETENSORS_PREFIX_LEN &&
	    text.ptr[SAFETENSORS_PREFIX_LEN] == '{' &&
	    safetensors_head_len(text, text.len, &n, &ignored);
}

static bool
inspect_safetensors(struct report *r, struct bytes text, struct error *err)
{
	struct safetensors s;

	if (!safetensors_parse(text, text.len, &s, err))
		return false;
	r->kind = "safetensors";
	buf_put_str(&r->what, "a model file: safetensors");
	report_computedf(r, "tensors", "%zu", s.count);
	for (size_t i = 0; i < s.metadata_count && i < SHOWN; i++) {
		AUTO(buf) line = BUF_INIT(REPORT_MAX);

		buf_put(&line, s.metadata[i].key);
		buf_put_str(&line, " = ");
		buf_put(&line, s.metadata[i].value);
		report_claim(r, "metadata", buf_bytes(&line));
	}
	safetensors_release(&s);
	return true;
}

/* What a file is, by its contents: names are anybody's choice. */
static bool
inspect_contents(struct report *r, struct bytes text, struct error *err)
{
	if (has(text, "-----BEGIN "))
		return inspect_pem(r, text, err);
	if (bytes_starts(text, BYTES_LIT("mtlog-evidence/")))
		return inspect_evidence(r, text, err);
	if (bytes_starts(text, BYTES_LIT("c2sp.org/tlog-proof@")))
		return inspect_proof(r, text, err);
	if (text.len > 0 && text.ptr[0] == '{' && has(text, "\"dsseEnvelope\""))
		return inspect_bundle(r, text, err);
	if (is_vkey(text))
		return inspect_vkey(r, trimmed(text), err);
	if (utf8_valid(text) && has(text, "\n\n\xe2\x80\x94 "))
		return inspect_note(r, text, err);
	if (utf8_valid(text) &&
	    (bytes_starts(text, BYTES_LIT("mtlog-policy ")) ||
		has(text, "\nmtlog-policy ")))
		return inspect_policy(r, text, err);
	if (is_safetensors(text))
		return inspect_safetensors(r, text, err);
	r->kind = "file";
	buf_put_str(&r->what, "a file of no kind that is known here");
	return true;
}

/* The signature beside a model, if there is one. */
static bool
inspect_signature(
    struct report *r, const char *model, bool folder, struct error *err)
{
	AUTO(buf) text = BUF_INIT(BUNDLE_MAX_LEN);
	char *path = signature_path(model, folder);
	struct error why = {0};
	const char *kind = r->kind;
	bool ok;

	if (!path)
		return error_set(err, ERR_INTERNAL, "out of memory");
	ok = file_read(path, &text, &why);
	if (!ok && why.code == ERR_NOTFOUND) {
		report_computedf(r, "signature", "none beside it");
		ok = true;
	} else if (!ok) {
		*err = why;
	} else {
		report_computed(r, "signature", bytes_str(path));
		buf_put_str(&r->what, ", with ");
		ok = inspect_bundle(r, buf_bytes(&text), err) ||
		    error_prefix(err, "%s", path);
	}
	r->kind = kind;
	free(path);
	return ok;
}

static bool
inspect_folder(struct report *r, const char *path, struct error *err)
{
	struct file_tree t = FILE_TREE_INIT;
	size_t links = 0, others = 0;
	uint64_t bytes = 0;
	bool ok = file_tree_open(AT_FDCWD, path, NULL, NULL, &t, err);

	for (size_t i = 0; ok && i < t.count; i++) {
		bytes += t.files[i].size;
		links += t.files[i].kind == TREE_LINK;
		others += t.files[i].kind == TREE_OTHER;
	}
	if (ok) {
		r->kind = "model";
		buf_put_str(&r->what, "a folder, as a model is");
		report_computedf(r, "files", "%zu", t.count - links - others);
		report_computedf(r, "bytes", "%llu", (unsigned long long)bytes);
		if (links > 0)
			report_computedf(r, "links", "%zu", links);
		if (others > 0)
			report_computedf(r, "others", "%zu", others);
		ok = inspect_signature(r, path, true, err);
	}
	file_tree_release(&t);
	return ok;
}

static bool
inspect_file(struct report *r, const char *path, const struct stat *st,
    struct error *err)
{
	struct buf text = BUF_INIT(BUNDLE_MAX_LEN);
	bool ok = true;

	if (S_ISREG(st->st_mode) && st->st_size > (off_t)BUNDLE_MAX_LEN) {
		r->kind = "file";
		buf_put_str(&r->what, "a large file, not read");
	} else {
		ok = file_read(path, &text, err) &&
		    (inspect_contents(r, buf_bytes(&text), err) ||
			error_prefix(err, "%s", path));
	}
	/* It may have been a private key. */
	cli_secret_release(&text);
	if (!ok)
		return false;
	if (strcmp(r->kind, "file") != 0 && strcmp(r->kind, "safetensors") != 0)
		return true;
	report_computedf(r, "bytes", "%llu", (unsigned long long)st->st_size);
	return inspect_signature(r, path, false, err);
}

static bool
inspect(struct report *r, const char *thing, struct error *err)
{
	struct stat st = {0};

	if (strcmp(thing, "-") == 0) {
		struct buf text = BUF_INIT(BUNDLE_MAX_LEN);
		bool ok = file_read(thing, &text, err) &&
		    inspect_contents(r, buf_bytes(&text), err);

		cli_secret_release(&text);
		return ok;
	}
	if (stat(thing, &st) == 0)
		return S_ISDIR(st.st_mode) ? inspect_folder(r, thing, err)
					   : inspect_file(r, thing, &st, err);
	if (is_vkey(bytes_str(thing)))
		return inspect_vkey(r, bytes_str(thing), err);
	return error_reason(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO,
	    "missing", "%s cannot be read: %m", thing);
}

static void
put_report(const struct report *r, struct buf *out)
{
	if (r->json) {
		buf_printf(out, "{\"kind\":\"%s\",\"what\":", r->kind);
		json_put_string(out, buf_bytes(&r->what));
		buf_printf(out, ",\"verified\":%s,\"computed\":[",
		    r->verified ? "true" : "false");
		buf_put(out, buf_bytes(&r->computed));
		buf_put_str(out, "],\"claims\":[");
		buf_put(out, buf_bytes(&r->claims));
		buf_put_str(out, "]}\n");
		return;
	}
	buf_put(out, buf_bytes(&r->what));
	buf_put_u8(out, '\n');
	if (r->computed.len > 0) {
		buf_put_str(out, "found here:\n");
		buf_put(out, buf_bytes(&r->computed));
	}
	if (r->claims.len > 0) {
		buf_put_str(out,
		    r->verified ? "that is:\n" : "claims, not verified:\n");
		buf_put(out, buf_bytes(&r->claims));
	}
}

static int
run(struct cli_args *a, struct error *err)
{
	AUTO(buf) out = BUF_INIT(4 * REPORT_MAX);
	struct report r = {
	    .json = cli_flag(a, "--json"),
	    .what = BUF_INIT(4096),
	    .computed = BUF_INIT(REPORT_MAX),
	    .claims = BUF_INIT(REPORT_MAX),
	};
	bool ok;

	if (a->operand_count != 1) {
		(void)error_set(
		    err, ERR_USAGE, "say what: mtlog inspect THING");
		return -1;
	}
	ok = inspect(&r, a->operands[0], err);
	if (ok)
		put_report(&r, &out);
	ok = ok && buf_ok(&r.what, err) && buf_ok(&r.computed, err) &&
	    buf_ok(&r.claims, err) && buf_ok(&out, err) &&
	    cli_print(buf_bytes(&out), err);
	buf_release(&r.what);
	buf_release(&r.computed);
	buf_release(&r.claims);
	return ok ? (int)r.code : -1;
}

const struct cli_verb verb_inspect = {
    .name = "inspect",
    .arguments = "THING",
    .summary = "Say what a thing is and claims, and believe nothing of it",
    .details =
	"THING is a model, a bundle, a proof, a checkpoint or another note,\n"
	"evidence of a fork, a key or certificate in PEM, a policy, or a vkey\n"
	"(also as text). Claims are what anybody may have written: mtlog "
	"verify\n"
	"judges. Evidence alone stands for itself and is verified: exit code\n"
	"11 if it proves nothing.",
    .run = run,
    .options = options,
};
