/* SPDX-License-Identifier: Apache-2.0 */
/* Scans of a log in memory that hides, breaks off, forks and goes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/client/lib/scan_log.h"
#include "core/tlog/evidence.h"
#include "io/file.h"

static struct scan_log server;

static const enum party all[] = {CI, ALICE, BOB, WATCHER};

#define RULE "signed-by ci bob\napproved-by 1 alice\nwithdrawn-by watcher\n"

static struct policy *
plain(void)
{
	return log_policy(&server, all, 4, "", RULE);
}

static int
setup(void **state)
{
	(void)state;
	log_open(&server);
	folder_make("/tmp");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	log_close(&server);
	folder_remove();
	return 0;
}

static struct hash
s_of(uint64_t index)
{
	struct hash out;

	assert_true(
	    hex_decode(bytes_str(server.digests[index]), out.b, HASH_LEN));
	return out;
}

/* --- what is found -------------------------------------------------------- */

static void
finds(void **state)
{
	struct policy *p = plain();
	struct scan_summary s;
	struct scan_book *book;
	struct hash first = log_model(&server, CI, NAME, 1), second, other;

	(void)state;
	log_nobodys(&server, 300);
	other = log_model(&server, BOB, "acme/n", 1);
	(void)log_model(&server, CI, "elsewhere/m", 1); /* no rule */
	(void)log_model(&server, ALICE, NAME, 9);	/* no signer of it */
	(void)log_model(&server, EVE, NAME, 8);		/* nobody */
	second = log_model(&server, CI, NAME, 2);
	(void)log_state(&server, ALICE, STATEMENT_APPROVAL, NAME, &second);
	(void)log_state(&server, WATCHER, STATEMENT_WITHDRAWAL, NAME, &first);
	(void)log_state(&server, EVE, STATEMENT_WITHDRAWAL, NAME, &second);
	book = log_summary(&server, p, folder_at("s"), &s);
	assert_true(s.complete);
	assert_int_equal(s.head.size, server.tree.size);
	assert_int_equal(s.models, 5);
	assert_int_equal(s.approvals, 1);
	assert_int_equal(s.withdrawals, 1);
	assert_int_equal(s.newest_count, 2);
	assert_true(hash_equal(&s.newest[0].statement, &second));
	assert_int_equal(s.newest[0].index, NOBODYS + 305);
	assert_true(hash_equal(&s.newest[1].statement, &other));
	assert_int_equal(s.withdrawn_count, 1);
	assert_true(hash_equal(&s.withdrawn[0], &first));
	scan_summary_release(&s);
	scan_book_close(book);
	log_policy_close(p);
}

/* An old statement that is signed or logged again becomes no newer. */
static void
first_entries_count(void **state)
{
	struct policy *p = plain();
	struct scan_summary s;
	struct scan_book *book;
	struct hash second;

	(void)state;
	(void)log_model(&server, CI, NAME, 1);
	second = log_model(&server, CI, NAME, 2);
	(void)log_model(&server, CI, NAME, 1);
	(void)log_model(&server, BOB, NAME, 1);
	book = log_summary(&server, p, folder_at("s"), &s);
	assert_int_equal(s.newest_count, 1);
	assert_true(hash_equal(&s.newest[0].statement, &second));
	assert_int_equal(s.newest[0].index, NOBODYS + 1);
	assert_int_equal(s.models, 3); /* once for each signer */
	scan_summary_release(&s);
	scan_book_close(book);
	log_policy_close(p);
}

/* A key that leaked: what it signs later is nobody's release. */
static void
below_counts(void **state)
{
	struct policy *p;
	struct scan_summary s;
	struct scan_book *book;
	struct hash first;
	AUTO(buf) line = BUF_INIT(4096);
	char *more;

	(void)state;
	first = log_model(&server, EVE, NAME, 1);
	(void)log_model(&server, EVE, NAME, 2);
	buf_put_str(&line, "signer eve key ");
	base64_put(&line, buf_bytes(&server.parties.spki[EVE]));
	buf_printf(&line, " below log.example %d\n", NOBODYS + 1);
	more = buf_dup_string(&line);
	p = log_policy(&server, all, 4, more, "signed-by eve\n");
	free(more);
	book = log_summary(&server, p, folder_at("s"), &s);
	assert_int_equal(s.newest_count, 1);
	assert_true(hash_equal(&s.newest[0].statement, &first));
	scan_summary_release(&s);
	scan_book_close(book);
	log_policy_close(p);
}

/* Leaves that look like one of ours, and are not. */
static void
forgeries_are_nobodys(void **state)
{
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	struct policy *p = plain();
	struct scan_summary s;
	struct scan_book *book;
	uint64_t i;
	uint8_t *digest;

	(void)state;
	(void)log_model(&server, CI, NAME, 1);
	i = NOBODYS;
	buf_put(&leaf, buf_bytes(&server.leaves[i]));
	buf_put_u8(&leaf, ' '); /* not canonical */
	(void)log_put(&server, buf_bytes(&leaf), (struct bytes){0});
	leaf.len--;
	digest = memmem(leaf.ptr, leaf.len, "\"digest\":\"", 10);
	assert_non_null(digest);
	digest[10] = digest[10] == 'A' ? 'B' : 'A'; /* not what was signed */
	(void)log_put(&server, buf_bytes(&leaf), (struct bytes){0});
	book = log_summary(&server, p, folder_at("s"), &s);
	assert_true(s.complete);
	assert_int_equal(s.models, 1);
	assert_int_equal(s.missing_count, 0);
	assert_int_equal(server.envelopes, 1);
	scan_summary_release(&s);
	scan_book_close(book);
	log_policy_close(p);
}

static void
certify_ci(enum party issuer, const char *name, struct buf *out)
{
	struct certificate_wish w = {
	    .subject = CI,
	    .issuer = issuer,
	    .name = name,
	    .usage = "codeSigning",
	    .from = NOW - 7200,
	    .until = NOW - 3600, /* short-lived, as they are */
	};

	buf_init(out, CERTIFICATE_MAX_LEN);
	certify(&server.parties, &w, out);
}

/* A policy whose x is ci@acme.example under a CA of these wishes. */
static struct policy *
policy_of_ca(const struct certificate_wish *wish, const char *head)
{
	struct certificate_wish w = *wish;
	AUTO(buf) der = BUF_INIT(CERTIFICATE_MAX_LEN);
	AUTO(buf) line = BUF_INIT(8192);
	struct policy *p;
	char *more;

	w.from = NOW - 86400;
	w.until = NOW + 86400;
	certify(&server.parties, &w, &der);
	buf_put_str(&line, head);
	buf_put_str(&line, "ca root ");
	base64_put(&line, buf_bytes(&der));
	buf_put_str(&line, "\nsigner x cert root email:ci@acme.example\n");
	more = buf_dup_string(&line);
	p = log_policy(&server, all + 1, 3, more, "signed-by x\n");
	free(more);
	return p;
}

static void
certificates_count(void **state)
{
	static const struct {
		enum party issuer;
		const char *name;
		bool ours;
	} cases[] = {
	    {ROOT, "email:ci@acme.example", true},
	    {ROOT, "email:eve@acme.example", false},
	    {OTHER_ROOT, "email:ci@acme.example", false},
	    {ROOT, NULL, false},
	    {ROOT, "URI:ci@acme.example", false},
	};
	struct policy *p;
	struct scan_summary s;
	struct scan_book *book;
	uint64_t model;

	(void)state;
	(void)log_model(&server, CI, NAME, 7); /* with the bare key */
	model = server.tree.size - 1;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		AUTO(buf) leaf = {0};

		certify_ci(cases[i].issuer, cases[i].name, &leaf);
		(void)log_enter(&server, CI, buf_bytes(&server.payloads[model]),
		    buf_bytes(&leaf));
	}
	p = policy_of_ca(&(struct certificate_wish){.subject = ROOT,
			     .issuer = ROOT,
			     .ca = true,
			     .leaves_only = true},
	    "");
	book = log_summary(&server, p, folder_at("s"), &s);
	assert_true(s.complete);
	assert_int_equal(s.models, 1);
	assert_int_equal(s.newest_count, 1);
	assert_int_equal(s.newest[0].index, model + 1);
	scan_summary_release(&s);
	scan_book_close(book);
	log_policy_close(p);
}

/*
 * Root, another CA below it, and leaves of that: whose they are is not known
 * without the CA between, and one may be a withdrawal.
 */
static void
certificates_undecided(void **state)
{
	static const struct certificate_wish root = {
	    .subject = ROOT, .issuer = ROOT, .ca = true};
	static const struct certificate_wish root_alone = {
	    .subject = ROOT, .issuer = ROOT, .ca = true, .leaves_only = true};
	static const struct certificate_wish between = {
	    .subject = OTHER_ROOT, .issuer = ROOT, .ca = true};
	AUTO(buf) deny = BUF_INIT(4096);
	const struct {
		const struct certificate_wish *ca;
		bool denies;
		size_t models, missing;
		bool complete;
	} cases[] = {
	    {&root, false, 0, 1, false},
	    {&root, true, 0, 1, true},
	    {&root_alone, false, 0, 0, true},
	    {&between, false, 1, 0, true},
	};
	AUTO(buf) ours = {0};
	AUTO(buf) theirs = {0};
	struct bytes payload;
	uint64_t model;
	char *line;

	(void)state;
	(void)log_model(&server, CI, NAME, 7);
	payload = buf_bytes(&server.payloads[server.tree.size - 1]);
	certify_ci(OTHER_ROOT, "email:ci@acme.example", &ours);
	model = log_enter(&server, CI, payload, buf_bytes(&ours));
	/* Another's name: nobody's, whoever issued it. */
	certify_ci(OTHER_ROOT, "email:eve@acme.example", &theirs);
	(void)log_enter(&server, CI, payload, buf_bytes(&theirs));
	buf_printf(&deny, "deny statement %s\n", server.digests[model]);
	line = buf_dup_string(&deny);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct policy *p =
		    policy_of_ca(cases[i].ca, cases[i].denies ? line : "");
		struct scan_summary s;

		/* The second scan says what the first one said. */
		for (unsigned n = 0; n < 2; n++) {
			struct scan_book *book =
			    log_summary(&server, p, folder_at("s"), &s);

			assert_int_equal(s.models, cases[i].models);
			assert_int_equal(s.missing_count, cases[i].missing);
			assert_int_equal(s.complete, cases[i].complete);
			if (s.missing_count > 0) {
				assert_int_equal(s.missing[0].index, model);
				assert_non_null(memmem(s.missing[0].why.ptr,
				    s.missing[0].why.len, "no CA of the policy",
				    19));
			}
			scan_summary_release(&s);
			scan_book_close(book);
		}
		log_policy_close(p);
	}
	free(line);
}

/* Whoever fills a log with such leaves does not make it one that has none. */
static void
many_undecided(void **state)
{
	struct policy *p = policy_of_ca(
	    &(struct certificate_wish){
		.subject = ROOT, .issuer = ROOT, .ca = true},
	    "");
	struct scan_summary s;
	struct scan_book *book;

	(void)state;
	for (unsigned i = 0; i < 300; i++) {
		AUTO(buf) leaf = {0};

		(void)log_model(&server, CI, NAME, i);
		certify_ci(OTHER_ROOT, "email:ci@acme.example", &leaf);
		(void)log_enter(&server, CI,
		    buf_bytes(&server.payloads[server.tree.size - 1]),
		    buf_bytes(&leaf));
		if (server.tree.size > LEAVES - 3)
			break;
	}
	book = log_summary(&server, p, folder_at("s"), &s);
	assert_false(s.complete);
	assert_int_equal(s.missing_count, (LEAVES - NOBODYS) / 2 - 1);
	assert_int_equal(server.envelopes, 0);
	scan_summary_release(&s);
	scan_book_close(book);
	log_policy_close(p);
}

/* --- what is withheld ----------------------------------------------------- */

static void
missing_is_named(void **state)
{
	static const enum withhold ways[] = {NOT_FOUND, ANOTHER, BREAKS};
	struct policy *p = plain();
	struct hash model = log_model(&server, CI, NAME, 1);
	uint64_t i =
	    log_state(&server, WATCHER, STATEMENT_WITHDRAWAL, NAME, &model);
	struct scan_summary s;
	struct scan_book *book;

	(void)state;
	for (size_t k = 0; k < 3; k++) {
		server.withholds[i] = ways[k];
		book = log_summary(&server, p, folder_at("s"), &s);
		assert_false(s.complete);
		assert_int_equal(s.missing_count, 1);
		assert_int_equal(s.missing[0].index, i);
		assert_true(bytes_equal(
		    s.missing[0].digest, bytes_str(server.digests[i])));
		assert_int_equal(s.withdrawn_count, 0);
		scan_summary_release(&s);
		scan_book_close(book);
	}
	server.withholds[i] = GIVES;
	book = log_summary(&server, p, folder_at("s"), &s);
	assert_true(s.complete);
	assert_int_equal(s.missing_count, 0);
	assert_int_equal(s.withdrawn_count, 1);
	scan_summary_release(&s);
	scan_book_close(book);
	log_policy_close(p);
}

static void
denied_is_not_missed(void **state)
{
	uint64_t i = NOBODYS;
	struct scan_summary s;
	struct scan_book *book;
	struct policy *p;
	char more[128];

	(void)state;
	(void)log_model(&server, CI, NAME, 1);
	server.withholds[i] = NOT_FOUND;
	(void)snprintf(
	    more, sizeof(more), "deny statement %.64s\n", server.digests[i]);
	p = log_policy(&server, all, 4, more, RULE);
	book = log_summary(&server, p, folder_at("s"), &s);
	assert_true(s.complete);
	assert_int_equal(s.missing_count, 1);
	assert_false(s.missing[0].counts);
	scan_summary_release(&s);
	scan_book_close(book);
	log_policy_close(p);
}

/* A log that does not answer costs three time-outs, not one for each. */
static void
silence_is_not_waited_for(void **state)
{
	struct policy *p = plain();
	struct scan_summary s;
	struct scan_book *book;

	(void)state;
	for (unsigned i = 0; i < 10; i++) {
		(void)log_model(&server, CI, NAME, i);
		server.withholds[NOBODYS + i] = BREAKS;
	}
	book = log_summary(&server, p, folder_at("s"), &s);
	assert_int_equal(s.missing_count, 10);
	assert_int_equal(server.envelopes, 3);
	scan_summary_release(&s);
	scan_book_close(book);
	log_policy_close(p);
}

/* --- going on ------------------------------------------------------------- */

static char *
found_text(const struct scan_book *b)
{
	char *out = json_dumps(b->found, JSON_COMPACT | JSON_SORT_KEYS);

	assert_non_null(out);
	return out;
}

/* Whichever request fails, the next scans end as one without failures. */
static void
goes_on(void **state)
{
	struct policy *p = plain();
	struct hash model;
	struct scan_book *book;
	struct error err = {0};
	unsigned failures = 0;
	char *want;

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		model = log_model(&server, CI, NAME, i);
		log_nobodys(&server, 100);
	}
	(void)log_state(&server, ALICE, STATEMENT_APPROVAL, NAME, &model);
	must(log_scan(&server, p, folder_at("whole"), &book, &err), &err);
	want = found_text(book);
	scan_book_close(book);
	for (unsigned at = 1; at < 40; at++) {
		char dir[32];
		char *got;

		(void)snprintf(dir, sizeof(dir), "s%u", at);
		server.gets = 0;
		server.fails_at = at;
		err = (struct error){0};
		if (!log_scan(&server, p, folder_at(dir), &book, &err)) {
			assert_int_equal(err.code, ERR_UNAVAILABLE);
			failures++;
		}
		scan_book_close(book);
		server.fails_at = 0;
		err = (struct error){0};
		must(log_scan(&server, p, folder_at(dir), &book, &err), &err);
		got = found_text(book);
		assert_string_equal(got, want);
		free(got);
		scan_book_close(book);
	}
	assert_true(failures > 3);
	free(want);
	log_policy_close(p);
}

static void
nothing_twice(void **state)
{
	struct policy *p = plain();
	struct scan_summary s;
	struct scan_book *book;
	unsigned was;

	(void)state;
	(void)log_model(&server, CI, NAME, 1);
	scan_book_close(log_summary(&server, p, folder_at("s"), &s));
	scan_summary_release(&s);
	was = server.envelopes;
	server.cosigned[0] = NOW - 5;
	book = log_summary(&server, p, folder_at("s"), &s);
	assert_int_equal(server.envelopes, was);
	assert_int_equal(s.head.time, NOW - 5);
	scan_summary_release(&s);
	scan_book_close(book);
	log_nobodys(&server, 3);
	(void)log_model(&server, CI, NAME, 2);
	book = log_summary(&server, p, folder_at("s"), &s);
	assert_int_equal(server.envelopes, was + 1);
	assert_int_equal(s.models, 2);
	scan_summary_release(&s);
	scan_book_close(book);
	log_policy_close(p);
}

/* More leaves of signers than may be kept at a time: in smaller parts. */
static void
many_at_once(void **state)
{
	struct policy *p = plain();
	struct scan_options o = {
	    .policy = p,
	    .source = {log_serve, &server},
	    .state = folder_at("s"),
	    .now = NOW,
	    .save_every = 1024,
	};
	struct error err = {0};
	struct scan_book *book;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		(void)log_model(&server, CI, NAME, i);
	o.caught_max = 6 * server.leaves[NOBODYS].len; /* they vary */
	log_nobodys(&server, 256);
	for (unsigned i = 5; i < 10; i++)
		(void)log_model(&server, CI, NAME, i);
	must(scan_run(&o, &book, &err), &err);
	assert_int_equal(json_object_size(book->found), 10);
	scan_book_close(book);
	o.state = folder_at("t");
	o.caught_max = server.leaves[NOBODYS].len / 2;
	assert_false(scan_run(&o, &book, &err));
	assert_int_equal(err.code, ERR_LIMIT);
	scan_book_close(book);
	log_policy_close(p);
}

/* More signers: from the beginning. Fewer: what is known will do. */
static void
other_signers(void **state)
{
	struct policy *few = log_policy(&server, all, 1, "", "signed-by ci\n");
	struct policy *many = plain();
	struct scan_summary s;
	struct error err = {0};
	struct scan_book *book;
	bool watched;

	(void)state;
	(void)log_model(&server, CI, NAME, 1);
	(void)log_model(&server, BOB, NAME, 2);
	book = log_summary(&server, few, folder_at("s"), &s);
	assert_int_equal(s.models, 1);
	scan_summary_release(&s);
	assert_true(scan_book_watches(book, many, &watched, &err));
	assert_false(watched);
	must(scan_summarize(book, many, NOW, &s, &err), &err);
	assert_false(s.complete);
	scan_summary_release(&s);
	scan_book_close(book);
	book = log_summary(&server, many, folder_at("s"), &s);
	assert_int_equal(s.models, 2);
	scan_summary_release(&s);
	must(scan_summarize(book, few, NOW, &s, &err), &err);
	assert_true(s.complete);
	scan_summary_release(&s);
	scan_book_close(book);
	log_policy_close(few);
	log_policy_close(many);
}

/* --- logs that lie -------------------------------------------------------- */

static void
refuses(const char *what, const struct policy *p, enum error_code code,
    const char *reason)
{
	struct error err = {0};
	struct scan_book *book;

	if (log_scan(&server, p, folder_at("s"), &book, &err))
		fail_msg("%s: a scan", what);
	scan_book_close(book);
	if (err.code != code || strcmp(error_reason_name(&err), reason) != 0)
		fail_msg("%s: %s %s", what, error_reason_name(&err), err.text);
}

static void
heads(void **state)
{
	struct policy *p = plain();
	struct scan_summary s;

	(void)state;
	(void)log_model(&server, CI, NAME, 1);
	server.cosigned[0] = 0;
	refuses("not cosigned", p, ERR_DENIED, "quorum");
	server.cosigned[0] = NOW + 3600;
	refuses("from the future", p, ERR_DENIED, "clock");
	server.cosigned[0] = NOW;
	server.wrong_leaves = true;
	refuses("other entries", p, ERR_BADSIG, "leaf");
	server.wrong_leaves = false;
	scan_book_close(log_summary(&server, p, folder_at("s"), &s));
	scan_summary_release(&s);
	server.shown--;
	refuses("an older tree", p, ERR_DENIED, "rollback");
	server.shown++;
	log_policy_close(p);
}

static void
check_evidence(const char *path)
{
	AUTO(buf) text = BUF_INIT(EVIDENCE_MAX_LEN);
	struct parties *q = &server.parties;
	struct evidence e = {0};
	struct error err = {0};

	must(file_read(path, &text, &err) &&
		evidence_parse(buf_bytes(&text), &e, &err) &&
		evidence_verify(
		    &e, &q->vkeys[LOG], &q->hasher, q->verifier, NULL, &err),
	    &err);
}

/* How many files of it there are, each of which must stand alone. */
static int
evidences(const char *folder)
{
	DIR *d = opendir(folder);
	struct dirent *e;
	int n = 0;

	assert_non_null(d);
	while ((e = readdir(d))) {
		char path[4500];

		if (!strstr(e->d_name, ".evidence"))
			continue;
		(void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
		check_evidence(path);
		n++;
	}
	(void)closedir(d);
	return n;
}

static void
forks(void **state)
{
	struct policy *p = plain();
	struct scan_summary s;
	struct hash leaf = {{7}};

	(void)state;
	(void)log_model(&server, CI, NAME, 1);
	scan_book_close(log_summary(&server, p, folder_at("s"), &s));
	scan_summary_release(&s);
	/* Another last leaf, and so another root of the same size. */
	server.tree.size--;
	memory_tree_add(&server.tree, &server.parties.hasher, &leaf);
	refuses("another root", p, ERR_CONFLICT, "inconsistent");
	assert_int_equal(evidences(folder_at("s")), 1);
	log_nobodys(&server, 5);
	refuses("another history", p, ERR_CONFLICT, "inconsistent");
	assert_int_equal(evidences(folder_at("s")), 2);
	/* Less than before, and no tiles of what there was: no proof. */
	server.shown = server.tree.size = NOBODYS - 3;
	refuses("a smaller tree", p, ERR_CONFLICT, "inconsistent");
	assert_int_equal(evidences(folder_at("s")), 2);
	log_policy_close(p);
}

/* --- the book ------------------------------------------------------------- */

#define HEX32 "00000000000000000000000000000000"
#define HEX64 HEX32 HEX32
#define TOP                                                                    \
	"{\"schema\":\"mtlog-scan/1\",\"origin\":\"log.example\","             \
	"\"watched\":[],\"scanned\":{\"size\":\"0\",\"frontier\":[]},"
#define LEAF                                                                   \
	"\"index\":\"1\",\"digest\":\"" HEX64 "\",\"key\":\"" HEX64            \
	"\",\"by\":[]"

/* A broken book is no empty one. */
static void
broken_books(void **state)
{
	static const char *const books[] = {
	    "",
	    "{",
	    "[]",
	    "{}",
	    "{\"schema\":\"mtlog-scan/2\",\"origin\":\"log.example\","
	    "\"watched\":[],\"found\":{}}",
	    "{\"schema\":\"mtlog-scan/1\",\"origin\":\"other.example\","
	    "\"watched\":[],\"found\":{}}",
	    TOP "\"found\":[]}",
	    TOP "\"found\":{\"x\":1}}",
	    TOP "\"found\":{\"x\":{" LEAF "}}}",
	    TOP "\"found\":{\"x\":{" LEAF ",\"kind\":\"model\"}}}",
	    TOP "\"found\":{\"x\":{" LEAF ",\"kind\":7,\"missing\":\"x\"}}}",
	    TOP "\"found\":{\"x\":{" LEAF
		",\"kind\":\"model\",\"missing\":\"x\"}}}",
	    TOP "\"found\":{\"x\":{" LEAF ",\"missing\":\"x\"}}}",
	    TOP "\"pin\":{},\"found\":{}}",
	    TOP "\"pin\":{\"size\":\"01\",\"root\":\"" HEX64
		"\",\"checkpoint\":\"\"},\"found\":{}}",
	    TOP "\"pin\":{\"size\":\"1\",\"root\":\"" HEX32
		"\",\"checkpoint\":\"\"},\"found\":{}}",
	    "{\"schema\":\"mtlog-scan/1\",\"origin\":\"log.example\","
	    "\"watched\":[],\"scanned\":{\"size\":\"3\",\"frontier\":[\"" HEX64
	    "\"]},\"found\":{}}",
	    "{\"schema\":\"mtlog-scan/1\",\"origin\":\"log.example\","
	    "\"watched\":[],\"scanned\":{\"size\":\"1\",\"frontier\":[\"" HEX64
	    "\"]},\"found\":{}}",
	};
	struct policy *p = log_policy(&server, all, 1, "", "signed-by ci\n");
	struct scan_summary s;
	struct scan_book *good;
	struct error err = {0};

	(void)state;
	(void)log_model(&server, CI, NAME, 1);
	good = log_summary(&server, p, folder_at("s"), &s);
	scan_summary_release(&s);
	for (size_t i = 0; i < sizeof(books) / sizeof(books[0]); i++) {
		struct scan_book *book;

		/* With the signers watched, so that nothing begins anew. */
		must(file_write(good->path, bytes_str(books[i]), 0600, &err),
		    &err);
		book = scan_book_open(
		    folder_at("s"), bytes_str(party_names[LOG]), &err);
		if (book) {
			must(scan_book_watch(book, p, &err) &&
				scan_book_write(book, &err),
			    &err);
			scan_book_close(book);
		}
		err = (struct error){0};
		if (log_scan(&server, p, folder_at("s"), &book, &err) &&
		    scan_summarize(book, p, NOW, &s, &err))
			fail_msg("%s: taken", books[i]);
		scan_summary_release(&s);
		if (err.code != ERR_IO)
			fail_msg("%s: %s", books[i], err.text);
		scan_book_close(book);
		err = (struct error){0};
	}
	scan_book_close(good);
	log_policy_close(p);
}

static void
empty_book(void **state)
{
	struct policy *p = plain();
	struct scan_summary s;
	struct error err = {0};
	struct scan_book *book = scan_book_open(
	    folder_at("none"), bytes_str(party_names[LOG]), &err);

	(void)state;
	assert_non_null(book);
	assert_false(scan_summarize(book, p, NOW, &s, &err));
	assert_int_equal(err.code, ERR_USAGE);
	scan_summary_release(&s);
	scan_book_close(book);
	log_policy_close(p);
}

/* --- statuses ------------------------------------------------------------- */

static bool
stated(const struct policy *p, struct statement *out, struct error *err)
{
	static struct buf kept; /* what `out` borrows from */
	struct statement made = {0};
	struct scan_summary s;
	struct scan_book *book = log_summary(&server, p, folder_at("s"), &s);
	bool ok = scan_status(&s, &made, err);

	if (ok) {
		buf_release(&kept);
		buf_init(&kept, STATEMENT_SIDE_MAX);
		statement_format(&made, &kept);
		ok = statement_parse(buf_bytes(&kept), out, err);
	}
	statement_release(&made);
	scan_summary_release(&s);
	scan_book_close(book);
	return ok;
}

static void
statuses(void **state)
{
	struct policy *p = plain();
	struct error err = {0};
	struct statement st = {0};
	struct hash model, approved;
	uint64_t i;

	(void)state;
	assert_false(stated(p, &st, &err));
	assert_int_equal(err.code, ERR_USAGE); /* no name */
	err = (struct error){0};
	model = log_model(&server, CI, NAME, 1);
	i = log_state(&server, ALICE, STATEMENT_APPROVAL, NAME, &model);
	approved = s_of(i);
	must(stated(p, &st, &err), &err);
	assert_int_equal(st.kind, STATEMENT_STATUS);
	assert_true(st.complete);
	assert_int_equal(st.tree_size, server.tree.size);
	assert_int_equal(st.checked, NOW - 60);
	assert_true(hash_equal(&st.subjects[0].digest, &model));
	assert_int_equal(st.withdrawn_count + st.revoked_count, 0);
	statement_release(&st);
	/* bob signs releases, and so may withdraw them; alice's approval, too */
	(void)log_state(&server, BOB, STATEMENT_WITHDRAWAL, NAME, &approved);
	(void)log_state(&server, WATCHER, STATEMENT_REVOCATION, "key",
	    &server.parties.ids[BOB]);
	i = log_state(&server, ALICE, STATEMENT_REVOCATION, "key",
	    &server.parties.ids[CI]); /* who may not */
	must(stated(p, &st, &err), &err);
	assert_int_equal(st.withdrawn_count, 1);
	assert_true(hash_equal(&st.withdrawn[0], &approved));
	assert_int_equal(st.revoked_count, 0);
	statement_release(&st);
	/* a revocation lets stand what is before it */
	(void)log_state(&server, WATCHER, STATEMENT_REVOCATION, "key",
	    &server.parties.ids[CI]);
	must(stated(p, &st, &err), &err);
	assert_int_equal(st.withdrawn_count, 1);
	statement_release(&st);
	model = log_model(&server, CI, NAME, 2);
	server.withholds[i] = NOT_FOUND;
	must(stated(p, &st, &err), &err);
	assert_int_equal(st.withdrawn_count, 2);
	assert_true(hash_equal(&st.withdrawn[1], &model));
	assert_true(st.complete); /* it had the envelope before */
	statement_release(&st);
	log_policy_close(p);
}

static void
undated(void **state)
{
	struct policy *p;
	struct error err = {0};
	struct statement st = {0};

	(void)state;
	server.quorum = "none";
	p = plain();
	(void)log_model(&server, CI, NAME, 1);
	assert_false(stated(p, &st, &err));
	assert_string_equal(error_reason_name(&err), "no-fresh-status");
	log_policy_close(p);
}

/* A book is judged by the quorum of who asks, not of who scanned. */
static void
another_quorum(void **state)
{
	struct policy *scanned = plain(), *stricter, *other;
	struct scan_summary s;
	struct scan_book *book;
	struct error err = {0};

	(void)state;
	server.cosigned[1] = 0;
	(void)log_model(&server, CI, NAME, 1);
	book = log_summary(&server, scanned, folder_at("s"), &s);
	assert_true(s.head.dated);
	scan_summary_release(&s);
	server.quorum = "w2";
	stricter = plain();
	must(scan_summarize(book, stricter, NOW, &s, &err), &err);
	assert_true(s.head.there);
	assert_false(s.head.dated);
	scan_summary_release(&s);
	server.quorum = "none";
	other = plain();
	must(scan_summarize(book, other, NOW, &s, &err), &err);
	assert_false(s.head.dated);
	scan_summary_release(&s);
	scan_book_close(book);
	log_policy_close(scanned);
	log_policy_close(stricter);
	log_policy_close(other);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(finds, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		first_entries_count, setup, teardown),
	    cmocka_unit_test_setup_teardown(below_counts, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		forgeries_are_nobodys, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		certificates_count, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		certificates_undecided, setup, teardown),
	    cmocka_unit_test_setup_teardown(many_undecided, setup, teardown),
	    cmocka_unit_test_setup_teardown(missing_is_named, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		denied_is_not_missed, setup, teardown),
	    cmocka_unit_test_setup_teardown(
		silence_is_not_waited_for, setup, teardown),
	    cmocka_unit_test_setup_teardown(goes_on, setup, teardown),
	    cmocka_unit_test_setup_teardown(nothing_twice, setup, teardown),
	    cmocka_unit_test_setup_teardown(many_at_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(other_signers, setup, teardown),
	    cmocka_unit_test_setup_teardown(heads, setup, teardown),
	    cmocka_unit_test_setup_teardown(forks, setup, teardown),
	    cmocka_unit_test_setup_teardown(broken_books, setup, teardown),
	    cmocka_unit_test_setup_teardown(empty_book, setup, teardown),
	    cmocka_unit_test_setup_teardown(statuses, setup, teardown),
	    cmocka_unit_test_setup_teardown(undated, setup, teardown),
	    cmocka_unit_test_setup_teardown(another_quorum, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
