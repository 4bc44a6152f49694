/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/stat.h>

#include "client/cli/log_info.h"
#include "client/cli/verbs.h"
#include "client/lib/policy_flags.h"
#include "core/base/cleanup.h"
#include "core/base/encoding.h"
#include "core/base/json.h"
#include "core/base/reader.h"
#include "core/base/times.h"
#include "io/clock.h"

#define OUTPUT_MAX (4u << 20)

static const struct cli_option options[] = {
    CLI_READ_OPTIONS,
    {"--yes", NULL, "trust: do not ask whether it is the right key", false},
    {"--json", NULL, "one line of JSON", false},
    {0},
};

static bool
operands(
    const struct cli_args *a, size_t n, const char *usage, struct error *err)
{
	return a->operand_count == n + 1 ||
	    error_set(err, ERR_USAGE, "say: mtlog log %s", usage);
}

static int
info(struct cli_args *a, struct error *err)
{
	AUTO(buf) out = BUF_INIT(OUTPUT_MAX);
	struct cli_reading r = {0};
	struct cli_head head = {0};
	bool ok = operands(a, 0, "info", err) && cli_reading_open(a, &r, err) &&
	    cli_head_read(&r, &head, err);
	struct error no = {0};

	/* Below the quorum there is still something to be seen. */
	if (ok || head.judged) {
		log_info(&r, &head, cli_flag(a, "--json"), &out);
		if (!buf_ok(&out, &no) || !cli_print(buf_bytes(&out), &no)) {
			ok = false;
			*err = no;
		}
	}
	cli_head_release(&head);
	cli_reading_close(&r);
	return ok ? VERDICT_ACCEPTED : -1;
}

static void
put_head(const struct cli_head *h, const struct cli_reading *r, struct buf *out)
{
	buf_put_str(out, "{\"log\":");
	json_put_string(out, vkey_name(&r->key));
	buf_printf(out, ",\"size\":\"%llu\",\"root\":\"",
	    (unsigned long long)h->now.size);
	hex_put(out, hash_bytes(&h->now.root));
	buf_printf(out,
	    "\",\"sight\":\"%s\",\"checkpoint\":", cli_sight_name(h->sight));
	json_put_string(out, buf_bytes(&h->text));
	buf_put_str(out, "}\n");
}

static int
checkpoint(struct cli_args *a, struct error *err)
{
	AUTO(buf) out = BUF_INIT(OUTPUT_MAX);
	struct cli_reading r = {0};
	struct cli_head head = {0};
	bool ok = operands(a, 0, "checkpoint", err) &&
	    cli_reading_open(a, &r, err) && cli_head_read(&r, &head, err);

	if (ok && head.sight == PINS_OLDER)
		(void)fputs("mtlog log: the log shows an older checkpoint than "
			    "the one that is pinned, consistent with it\n",
		    stderr);
	if (ok && cli_flag(a, "--json"))
		put_head(&head, &r, &out);
	else if (ok)
		buf_put(&out, buf_bytes(&head.text));
	ok = ok && buf_ok(&out, err) && cli_print(buf_bytes(&out), err);
	cli_head_release(&head);
	cli_reading_close(&r);
	return ok ? VERDICT_ACCEPTED : -1;
}

/* Old, new and the current tree: each proven to be a prefix of the next. */
struct lineage {
	struct checkpoint old, new, head;
	struct proof proof; /* old to new */
};

static void
put_tree(struct buf *out, const char *name, const struct checkpoint *c)
{
	buf_printf(out, "\"%s\":{\"size\":\"%llu\",\"root\":\"", name,
	    (unsigned long long)c->size);
	hex_put(out, hash_bytes(&c->root));
	buf_put_str(out, "\"}");
}

static void
put_lineage(const struct lineage *l, bool json, struct buf *out)
{
	const struct checkpoint *trees[] = {&l->old, &l->new, &l->head};
	static const char *const names[] = {"old", "new", "head"};

	if (!json) {
		buf_printf(out, "%.*s: consistent\n", (int)l->head.origin.len,
		    (const char *)l->head.origin.ptr);
		for (size_t i = 0; i < 3; i++) {
			buf_printf(out, "  %-5s tree of %llu, root ", names[i],
			    (unsigned long long)trees[i]->size);
			hex_put(out, hash_bytes(&trees[i]->root));
			buf_put_u8(out, '\n');
		}
		return;
	}
	buf_put_str(out, "{\"log\":");
	json_put_string(out, l->head.origin);
	buf_put_str(out, ",\"consistent\":true");
	for (size_t i = 0; i < 3; i++) {
		buf_put_u8(out, ',');
		put_tree(out, names[i], trees[i]);
	}
	buf_put_str(out, ",\"hashes\":[");
	for (size_t i = 0; i < l->proof.len; i++) {
		buf_put_str(out, i ? ",\"" : "\"");
		base64_put(out, hash_bytes(&l->proof.hashes[i]));
		buf_put_u8(out, '"');
	}
	buf_put_str(out, "]}\n");
}

static bool
read_sizes(const struct cli_args *a, struct lineage *l, struct error *err)
{
	return operands(a, 2, "consistency A B", err) &&
	    ((decimal_parse(bytes_str(a->operands[1]), &l->old.size) &&
		 decimal_parse(bytes_str(a->operands[2]), &l->new.size) &&
		 l->old.size > 0 && l->old.size <= l->new.size) ||
		error_set(err, ERR_USAGE,
		    "say two sizes of the tree, the smaller first: 1 or more"));
}

/* By the tiles under the head, which every log has: what another server of a
 * proof says is not asked. */
static bool
trace(struct cli_reading *r, struct lineage *l, struct error *err)
{
	AUTO(hasher) h = {0};
	struct node_reader nodes = tiles_nodes(r->tiles);

	if (l->new.size > l->head.size)
		return error_reason(err, ERR_UNAVAILABLE, "not-published-yet",
		    "%s has a tree of %llu only", r->key.name,
		    (unsigned long long)l->head.size);
	return hasher_open(&h, err) &&
	    tiles_head(r->tiles, l->head.size, &l->head.root, err) &&
	    tiles_root(r->tiles, l->new.size, &l->new.root, err) &&
	    tiles_root(r->tiles, l->old.size, &l->old.root, err) &&
	    proof_consistency(
		&h, &nodes, l->old.size, l->new.size, &l->proof, err) &&
	    hasher_ok(&h, err);
}

static int
consistency(struct cli_args *a, struct error *err)
{
	AUTO(buf) out = BUF_INIT(OUTPUT_MAX);
	struct cli_reading r = {0};
	struct cli_head head = {0};
	struct lineage l = {0};
	bool ok = read_sizes(a, &l, err) && cli_reading_open(a, &r, err) &&
	    cli_head_read(&r, &head, err);

	l.head = head.now;
	ok = ok && trace(&r, &l, err);
	if (ok)
		put_lineage(&l, cli_flag(a, "--json"), &out);
	ok = ok && buf_ok(&out, err) && cli_print(buf_bytes(&out), err);
	cli_head_release(&head);
	cli_reading_close(&r);
	return ok ? VERDICT_ACCEPTED : -1;
}

/* The file to write to, in a folder that is there. */
static bool
place_to_write(const struct cli_args *a, char **out, struct error *err)
{
	char *folder;
	bool ok;

	if (!cli_pins_path(a, out, err))
		return false;
	if (!*out)
		return error_set(err, ERR_USAGE,
		    "say --pins FILE: there is no home folder to keep pins in");
	if (cli_value(a, "--pins"))
		return true;
	folder = cli_state_folder();
	ok = folder ? cli_make_folders(folder, err)
		    : error_set(err, ERR_INTERNAL, "out of memory");
	free(folder);
	return ok;
}

/* A log, and what becomes of its pin. */
struct trusting {
	const struct cli_args *args;
	char *path;
	const char *url;
	const char *vkey; /* NULL: the log says it */
	struct cli_reading reading;
	struct cli_head head;
	enum pins_sight sight;
};

static bool
ask_key(struct trusting *t, struct error *err)
{
	AUTO(buf) text = BUF_INIT(4096);
	struct error why = {0};

	if (!log_client_key(t->reading.client, &t->reading.key, err))
		return false;
	vkey_format(&t->reading.key, &text);
	(void)fprintf(stderr,
	    "%s says that its key is\n  %.*s\nCompare it with what its "
	    "operator has published elsewhere.\n",
	    t->url, (int)text.len, (const char *)text.ptr);
	if (cli_confirm(
		"Is it the right one?", cli_flag(t->args, "--yes"), &why))
		return true;
	if (why.code != ERR_DENIED) {
		*err = why;
		return false;
	}
	return error_reason(
	    err, ERR_DENIED, "rejected", "the log is not pinned");
}

static bool
pin(struct trusting *t, struct error *err)
{
	struct pins_contact c;

	if (!cli_reading_connect(t->args, t->url, &t->reading, err))
		return false;
	c = cli_contact(t->path, &t->reading.key, t->reading.client);
	return (t->vkey ? log_key_read(t->vkey, &t->reading.key, err)
			: ask_key(t, err)) &&
	    cli_head_read(&t->reading, &t->head, err) &&
	    pins_trust(&c, log_client_url(t->reading.client),
		buf_bytes(&t->head.text), &t->sight, err);
}

static void
put_trusted(const struct trusting *t, bool json, struct buf *out)
{
	const struct checkpoint *c = &t->head.now;

	if (!json) {
		buf_printf(out, "%s: %s, tree of %llu, in %s\n",
		    t->reading.key.name,
		    t->sight == PINS_NOT_PINNED ? "pinned now"
						: "pinned before",
		    (unsigned long long)c->size, t->path);
		return;
	}
	buf_put_str(out, "{\"log\":");
	json_put_string(out, vkey_name(&t->reading.key));
	buf_put_str(out, ",\"url\":");
	json_put_string(out, bytes_str(log_client_url(t->reading.client)));
	buf_put_str(out, ",\"vkey\":\"");
	vkey_format(&t->reading.key, out);
	buf_printf(out, "\",\"sight\":\"%s\",", cli_sight_name(t->sight));
	put_tree(out, "checkpoint", c);
	buf_put_str(out, ",\"pins\":");
	json_put_string(out, bytes_str(t->path));
	buf_put_str(out, "}\n");
}

static int
trust(struct cli_args *a, struct error *err)
{
	AUTO(buf) out = BUF_INIT(OUTPUT_MAX);
	struct trusting t = {.args = a};
	bool ok;

	if (a->operand_count != 2 && a->operand_count != 3) {
		(void)error_set(
		    err, ERR_USAGE, "say: mtlog log trust [VKEY] URL");
		return -1;
	}
	if (cli_value(a, "--log") || cli_value(a, "--vkey")) {
		(void)error_set(err, ERR_USAGE,
		    "trust takes key and address without --vkey and --log");
		return -1;
	}
	t.url = a->operands[a->operand_count - 1];
	t.vkey = a->operand_count == 3 ? a->operands[1] : NULL;
	ok = utf8_valid(bytes_str(t.url)) ||
	    error_set(err, ERR_USAGE, "the address is none");
	ok = ok && place_to_write(a, &t.path, err) && pin(&t, err);
	if (ok)
		put_trusted(&t, cli_flag(a, "--json"), &out);
	ok = ok && buf_ok(&out, err) && cli_print(buf_bytes(&out), err);
	cli_head_release(&t.head);
	cli_reading_close(&t.reading);
	free(t.path);
	return ok ? VERDICT_ACCEPTED : -1;
}

static int
forget(struct cli_args *a, struct error *err)
{
	char *path = NULL;
	bool ok = operands(a, 1, "forget LOG", err) &&
	    cli_pins_path(a, &path, err) &&
	    (path ||
		error_set(err, ERR_USAGE,
		    "say --pins FILE: there is no home folder")) &&
	    pins_forget(path, a->operands[1], err);

	free(path);
	return ok ? VERDICT_ACCEPTED : -1;
}

static void
put_pin_json(const struct pin *p, bool first, struct buf *out)
{
	buf_put_str(out, first ? "{\"log\":" : ",{\"log\":");
	json_put_string(out, vkey_name(&p->key));
	buf_put_str(out, ",\"url\":");
	json_put_string(out, bytes_str(p->url));
	buf_put_str(out, ",\"vkey\":\"");
	vkey_format(&p->key, out);
	buf_printf(out, "\",\"size\":\"%llu\",\"root\":\"",
	    (unsigned long long)p->size);
	hex_put(out, hash_bytes(&p->root));
	buf_put_str(out, "\",\"trusted\":\"");
	time_put(out, p->trusted);
	buf_put_str(out, "\",\"seen\":\"");
	time_put(out, p->seen);
	buf_printf(
	    out, "\",\"witnessed\":%s}", p->witnessed ? "true" : "false");
}

static void
put_pin_text(const struct pin *p, struct buf *out)
{
	buf_printf(
	    out, "%s\n  address      %s\n  key          ", p->key.name, p->url);
	vkey_format(&p->key, out);
	buf_printf(out, "\n  tree size    %llu\n  root hash    ",
	    (unsigned long long)p->size);
	hex_put(out, hash_bytes(&p->root));
	buf_put_str(out, "\n  seen         ");
	time_put(out, p->seen);
	buf_put_str(out, "\n  trusted      ");
	time_put(out, p->trusted);
	buf_printf(out, "\n  witnesses    %s\n",
	    p->witnessed ? "its checkpoints have been cosigned"
			 : "none seen yet");
}

static int
list(struct cli_args *a, struct error *err)
{
	AUTO(buf) out = BUF_INIT(OUTPUT_MAX);
	AUTO(pins) pins = {0};
	char *path = NULL;
	bool json = cli_flag(a, "--json");
	bool ok = operands(a, 0, "list", err) && cli_pins_path(a, &path, err) &&
	    (!path || pins_read(path, &pins, err));

	if (json)
		buf_put_str(&out, "{\"logs\":[");
	for (size_t i = 0; i < pins.count; i++)
		if (json)
			put_pin_json(&pins.list[i], i == 0, &out);
		else
			put_pin_text(&pins.list[i], &out);
	if (json)
		buf_put_str(&out, "]}\n");
	ok = ok && buf_ok(&out, err) && cli_print(buf_bytes(&out), err);
	free(path);
	return ok ? VERDICT_ACCEPTED : -1;
}

static const char *const words[] = {
    "info", "checkpoint", "consistency", "trust", "forget", "list", NULL};

static int
run(struct cli_args *a, struct error *err)
{
	static cli_word_run *const runs[] = {
	    info, checkpoint, consistency, trust, forget, list};

	return cli_run_word(a, runs, err);
}

const struct cli_verb verb_log = {
    .name = "log",
    .arguments = "info | checkpoint | consistency A B | trust [VKEY] URL | "
		 "forget LOG | list",
    .summary = "Pin a log, and look at its checkpoint as it grows",
    .details =
	"trust pins a log: from then on every command that meets it checks\n"
	"that it has only grown since. info says what it shows today,\n"
	"checkpoint prints the verified signed note, consistency proves one\n"
	"size to be a prefix of another, forget drops a pin, list shows all.\n"
	"Exit code 20 for a log that forked or went back.",
    .run = run,
    .options = options,
    .words = words,
};
