/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_CLIENT_LIB_SCAN_LOG_H
#define MTLOG_TESTS_CLIENT_LIB_SCAN_LOG_H

#include <pthread.h>

#include "client/lib/scan.h"
#include "client/lib/scan_status.h"
#include "core/base/encoding.h"
#include "core/model/entry.h"
#include "core/model/statement.h"
#include "core/tlog/entries.h"
#include "tests/core/verify/parties.h"
#include "tests/support/folder.h"
#include "tests/support/memory_tree.h"

#define NOW	UINT64_C(1795600000)
#define NAME	"acme/m"
#define LEAVES	600
#define NOBODYS 20 /* leaves in front */

/* What the log does with one envelope. */
enum withhold { GIVES = 0, NOT_FOUND, ANOTHER, BREAKS };

/*
 * A log in memory: leaves of parties and of nobody, the envelopes, a cosigned
 * checkpoint of as many of them as it shows. What fails here ends the test.
 */
struct scan_log {
	pthread_mutex_t lock;
	struct parties parties;
	struct memory_tree tree;
	uint64_t shown; /* size of the checkpoint */
	uint64_t cosigned[3];
	const char *quorum; /* of the policies that are made */
	struct buf leaves[LEAVES];
	struct buf payloads[LEAVES];
	char digests[LEAVES][2 * DIGEST_MAX_LEN + 1];
	enum withhold withholds[LEAVES];
	bool wrong_leaves; /* bundles of entries are not what was hashed */
	unsigned gets, envelopes;
	unsigned fails_at; /* this request fails; 0: none */
};

static inline uint64_t
log_put(struct scan_log *l, struct bytes leaf, struct bytes payload)
{
	uint64_t i = l->tree.size;
	struct hash hash;

	assert_true(i < LEAVES);
	buf_init(&l->leaves[i], ENTRY_MAX_LEN);
	buf_put(&l->leaves[i], leaf);
	buf_init(&l->payloads[i], BUNDLE_MAX_LEN);
	buf_put(&l->payloads[i], payload);
	merkle_leaf(&l->parties.hasher, leaf, &hash);
	memory_tree_add(&l->tree, &l->parties.hasher, &hash);
	l->shown = l->tree.size;
	return i;
}

/* log_enter signs a payload, and logs that; with a certificate, if `der` is
 * not empty. The index. */
static inline uint64_t
log_enter(
    struct scan_log *l, enum party by, struct bytes payload, struct bytes der)
{
	AUTO(buf) signature = BUF_INIT(SIGNATURE_MAX_LEN);
	AUTO(buf) leaf = BUF_INIT(ENTRY_LEAF_MAX);
	AUTO(buf) hex = BUF_INIT(2 * DIGEST_MAX_LEN + 1);
	uint8_t digest[DIGEST_MAX_LEN];
	struct error err = {0};
	struct bundle b = {
	    .version = 3,
	    .material = der.len > 0 ? BUNDLE_CERTIFICATE : BUNDLE_KEY,
	    .envelope = {BYTES_LIT(DSSE_IN_TOTO), payload, {0}},
	};
	uint64_t i;

	sign_envelope(&l->parties, by, &b.envelope, &signature);
	b.envelope.signature = buf_bytes(&signature);
	must(
	    bundle_leaf(&b, der.len > 0 ? der : buf_bytes(&l->parties.spki[by]),
		&leaf, &err) &&
		dsse_digest(DIGEST_SHA256, b.envelope.payload_type, payload,
		    digest, &err),
	    &err);
	i = log_put(l, buf_bytes(&leaf), payload);
	hex_put(&hex, bytes_of(digest, HASH_LEN));
	buf_put_u8(&hex, 0);
	(void)snprintf(
	    l->digests[i], sizeof(l->digests[i]), "%s", (char *)hex.ptr);
	return i;
}

static inline void
log_nobodys(struct scan_log *l, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "entry %llu",
		    (unsigned long long)l->tree.size);
		(void)log_put(l, bytes_str(text), (struct bytes){0});
	}
}

/* log_state signs and logs a statement of one subject. */
static inline uint64_t
log_state(struct scan_log *l, enum party by, enum statement_kind kind,
    const char *name, const struct hash *digest)
{
	AUTO(buf) payload = BUF_INIT(STATEMENT_SIDE_MAX);
	struct statement_subject subject = {bytes_str(name), *digest};
	struct statement s = {
	    .kind = kind,
	    .subject_count = 1,
	    .subjects = &subject,
	    .predicate = BYTES_LIT("{}"),
	    .role = BYTES_LIT("review"),
	    .reason = kind == STATEMENT_REVOCATION ? BYTES_LIT("lost")
						   : BYTES_LIT("unsafe"),
	};

	statement_format(&s, &payload);
	assert_false(payload.failed);
	return log_enter(l, by, buf_bytes(&payload), (struct bytes){0});
}

/* log_model logs the n-th release of a name; its S. */
static inline struct hash
log_model(struct scan_log *l, enum party by, const char *name, unsigned n)
{
	struct hash root = {{0}}, s;
	uint64_t i;

	root.b[0] = (uint8_t)n;
	i = log_state(l, by, STATEMENT_MODEL, name, &root);
	assert_true(hex_decode(bytes_str(l->digests[i]), s.b, HASH_LEN));
	return s;
}

static inline bool
log_tile(struct scan_log *l, struct tile_place place, struct buf *out)
{
	uint64_t at = place.index * TILE_WIDTH;

	if (!tile_exists(place, l->tree.size))
		return false;
	for (unsigned i = 0; i < place.width; i++, at++)
		if (place.level == TILE_ENTRIES)
			entries_put(out,
			    buf_bytes(&l->leaves[l->wrong_leaves ? 0 : at]));
		else
			buf_put(out,
			    hash_bytes(&l->tree.level[8 * place.level][at]));
	return true;
}

static inline bool
log_envelope(
    struct scan_log *l, const char *digest, struct buf *out, struct error *err)
{
	l->envelopes++;
	for (uint64_t i = 0; i < l->tree.size; i++) {
		if (strcmp(digest, l->digests[i]) != 0)
			continue;
		switch (l->withholds[i]) {
		case NOT_FOUND:
			return error_set(err, ERR_NOTFOUND, "404");
		case BREAKS:
			return error_reason(
			    err, ERR_UNAVAILABLE, "network", "no answer");
		case ANOTHER:
			buf_put_str(out, "{}");
			return true;
		case GIVES:
			buf_put(out, buf_bytes(&l->payloads[i]));
			return buf_ok(out, err);
		}
	}
	return error_set(err, ERR_NOTFOUND, "404");
}

static inline bool
log_answer(
    struct scan_log *l, const char *path, struct buf *out, struct error *err)
{
	static const char envelopes[] = "/api/v1/envelopes/";
	struct node_reader nodes = memory_tree_nodes(&l->tree, l->tree.size);
	struct tile_place place = {0};
	struct hash root;

	if (++l->gets == l->fails_at)
		return error_reason(
		    err, ERR_UNAVAILABLE, "network", "the cable");
	if (strncmp(path, envelopes, sizeof(envelopes) - 1) == 0)
		return log_envelope(l, path + sizeof(envelopes) - 1, out, err);
	if (strcmp(path, "/checkpoint") == 0) {
		must(merkle_root(
			 &l->parties.hasher, &nodes, l->shown, &root, err),
		    err);
		sign_head(&l->parties, LOG, l->shown, &root, l->cosigned, out);
		return buf_ok(out, err);
	}
	assert_true(strncmp(path, "/tile/", 6) == 0 &&
	    tile_path_parse(bytes_str(path + 6), &place, err));
	return (log_tile(l, place, out) ||
		   error_set(err, ERR_NOTFOUND, "404")) &&
	    buf_ok(out, err);
}

/* Several workers fetch at once. */
static inline bool
log_serve(void *arg, unsigned worker, const char *path, struct buf *out,
    struct error *err)
{
	struct scan_log *l = arg;
	bool ok;

	(void)worker;
	(void)pthread_mutex_lock(&l->lock);
	ok = log_answer(l, path, out, err);
	(void)pthread_mutex_unlock(&l->lock);
	return ok;
}

static inline void
log_open(struct scan_log *l)
{
	*l = (struct scan_log){
	    .cosigned = {NOW - 60, NOW - 50, NOW - 40}, .quorum = "w1"};
	(void)pthread_mutex_init(&l->lock, NULL);
	parties_open(&l->parties);
	memory_tree_init(&l->tree, LEAVES);
	log_nobodys(l, NOBODYS);
}

static inline void
log_close(struct scan_log *l)
{
	for (size_t i = 0; i < LEAVES; i++) {
		buf_release(&l->leaves[i]);
		buf_release(&l->payloads[i]);
	}
	memory_tree_release(&l->tree);
	parties_close(&l->parties);
}

/* log_policy is a policy with these parties as signers, and one rule. `more`
 * goes before the rule, `rule` into it. */
static inline struct policy *
log_policy(struct scan_log *l, const enum party *signers, size_t count,
    const char *more, const char *rule)
{
	AUTO(buf) t = BUF_INIT(65536);
	struct policy *p = calloc(1, sizeof(*p));
	struct error err = {0};

	assert_non_null(p);
	buf_put_str(&t, "log ");
	vkey_format(&l->parties.vkeys[LOG], &t);
	buf_put_str(&t, "\nwitness w1 ");
	vkey_format(&l->parties.vkeys[W1], &t);
	buf_put_str(&t, "\nwitness w2 ");
	vkey_format(&l->parties.vkeys[W2], &t);
	buf_printf(&t, "\nquorum %s\nmtlog-policy 1\n", l->quorum);
	for (size_t i = 0; i < count; i++) {
		buf_printf(&t, "signer %s key ", party_names[signers[i]]);
		base64_put(&t, buf_bytes(&l->parties.spki[signers[i]]));
		buf_put_u8(&t, '\n');
	}
	buf_printf(&t, "%smodel acme/*\n%s", more, rule);
	if (!policy_parse(buf_bytes(&t), p, &err))
		fail_msg("%s:\n%.*s", err.text, (int)t.len, (char *)t.ptr);
	return p;
}

static inline void
log_policy_close(struct policy *p)
{
	policy_release(p);
	free(p);
}

static inline bool
log_scan(struct scan_log *l, const struct policy *p, const char *state,
    struct scan_book **book, struct error *err)
{
	struct scan_options o = {
	    .policy = p,
	    .source = {log_serve, l},
	    .state = state,
	    .timeout_ms = 1000,
	    .now = NOW,
	    .save_every = 100,
	};

	return scan_run(&o, book, err);
}

/* log_summary scans, and sums up what is known then. */
static inline struct scan_book *
log_summary(struct scan_log *l, const struct policy *p, const char *state,
    struct scan_summary *out)
{
	struct scan_book *book;
	struct error err = {0};

	must(log_scan(l, p, state, &book, &err), &err);
	must(scan_summarize(book, p, NOW, out, &err), &err);
	return book;
}

#endif
