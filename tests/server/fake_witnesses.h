/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_FAKE_WITNESSES_H
#define MTLOG_TESTS_FAKE_WITNESSES_H

/*
 * Witnesses in this process, behind a transport of their own: they judge what
 * they are asked by the specification, and do wrong on demand. A log whose heads
 * are signed without a signer process.
 */

#include <pthread.h>
#include <time.h>

#include "core/base/encoding.h"
#include "core/base/reader.h"
#include "core/tlog/witness_request.h"
#include "server/witness_ask.h"
#include "tests/server/log_fixture.h"

#define FAKES  3
#define ORIGIN "log.example.org"

enum mood {
	WELL,
	DOWN,	/* no answer */
	SLOW,	/* no answer until the call is cancelled, or the mood better */
	BUSY,	/* 429, for an hour */
	BROKEN, /* 500 */
	NUMBERLESS, /* 409 without a number */
	BOASTING,   /* 409 with a number that nobody signed */
	ENDLESS,    /* more than anybody reads */
	EMPTY,	    /* 200 with nothing */
	STRANGER,   /* 200 with somebody else's line */
	FORGING,    /* 200 with a wrong signature */
	REPLAYING,  /* 200 with the line of an earlier checkpoint */
	STALE,	    /* 200 with the same line as before for the same one */
	LONGER,	    /* 200 with text that goes on */
	STUBBORN,   /* 409 with what it was told */
	UNPROVEN,   /* 422 */
};

struct fake {
	char name[32];
	struct private_key *key;
	struct vkey vkey;
	enum mood mood;
	uint64_t size;
	struct hash root;
	struct buf line, earlier, shown;
	unsigned posts, gets, cosigned;
	uint64_t claim;	   /* of BOASTING */
	uint64_t smallest; /* size it was asked for, since reset */
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct fake fakes[FAKES];
	uint64_t clock; /* every cosignature is a second later */
	struct private_key *log_key;
	struct vkey log;
	struct key_verifier *verifier;
	struct hasher hasher;
	unsigned faults; /* of the log, as the fakes see it */
} net;

static inline void
key_pair(const char *name, enum note_type type, struct private_key **key,
    struct vkey *vkey)
{
	AUTO(buf) spki = BUF_INIT(256);
	struct error err = {0};

	*key = private_key_generate(KEY_ED25519, &err);
	must(*key != NULL, &err);
	must(private_key_public(*key, &spki, &err), &err);
	must(vkey_init(vkey, bytes_str(name), type,
		 bytes_of(spki.ptr + spki.len - 32, 32), &err),
	    &err);
}

static inline void
net_open(void)
{
	struct error err = {0};

	memset(&net, 0, sizeof(net));
	(void)pthread_mutex_init(&net.lock, NULL);
	(void)pthread_cond_init(&net.changed, NULL);
	net.clock = 1700000000;
	net.verifier = key_verifier_open(&err);
	must(net.verifier && hasher_open(&net.hasher, &err), &err);
	key_pair(ORIGIN, NOTE_ED25519, &net.log_key, &net.log);
	for (size_t i = 0; i < FAKES; i++) {
		struct fake *f = &net.fakes[i];

		(void)snprintf(f->name, sizeof(f->name), "w%zu.example", i);
		key_pair(f->name, NOTE_COSIGNATURE, &f->key, &f->vkey);
		merkle_empty_root(&f->root);
		buf_init(&f->line, 4096);
		buf_init(&f->earlier, 4096);
		buf_init(&f->shown, WITNESS_NOTE_MAX);
		f->smallest = UINT64_MAX;
	}
}

static inline void
net_close(void)
{
	for (size_t i = 0; i < FAKES; i++) {
		private_key_close(net.fakes[i].key);
		buf_release(&net.fakes[i].line);
		buf_release(&net.fakes[i].earlier);
		buf_release(&net.fakes[i].shown);
	}
	private_key_close(net.log_key);
	key_verifier_close(net.verifier);
	hasher_release(&net.hasher);
	(void)pthread_cond_destroy(&net.changed);
	(void)pthread_mutex_destroy(&net.lock);
}

static inline void
set_mood(size_t i, enum mood mood)
{
	(void)pthread_mutex_lock(&net.lock);
	net.fakes[i].mood = mood;
	(void)pthread_cond_broadcast(&net.changed);
	(void)pthread_mutex_unlock(&net.lock);
}

/* Reads one number of a fake's under the lock. */
#define NET(expression)                                                        \
	({                                                                     \
		__typeof__(expression) value;                                  \
		(void)pthread_mutex_lock(&net.lock);                           \
		value = (expression);                                          \
		(void)pthread_mutex_unlock(&net.lock);                         \
		value;                                                         \
	})

/* The log's signed note of a head. */
static inline void
sign_note(uint64_t size, const struct hash *root, struct buf *out)
{
	struct checkpoint c = {BYTES_LIT(ORIGIN), size, *root, {0}};
	struct error err = {0};

	must(
	    checkpoint_sign(&c, net.log_key, &net.log, net.verifier, out, &err),
	    &err);
}

/* Cosigns like the specification's row 10. */
static inline void
fake_cosign(struct fake *f, const struct checkpoint *c, struct bytes text)
{
	struct error err = {0};
	struct key_verifier *v = key_verifier_open(&err);

	buf_clear(&f->earlier);
	buf_put(&f->earlier, buf_bytes(&f->line));
	buf_clear(&f->line);
	must(cosignature_sign(
		 text, net.clock++, f->key, &f->vkey, v, &f->line, &err),
	    &err);
	key_verifier_close(v);
	f->size = c->size;
	f->root = c->root;
	f->cosigned++;
}

static inline void
fake_judge(struct fake *f, struct bytes body, struct http_answer *out)
{
	struct witness_request q;
	struct checkpoint c;
	AUTO(note) n = {0};
	struct error err = {0};

	if (!witness_request_parse(body, &q, &err) ||
	    !note_parse(q.checkpoint, &n, &err) ||
	    !checkpoint_parse(n.text, &c, &err) || n.signature_count != 1 ||
	    q.old_size > c.size) {
		net.faults++;
		out->status = 400;
		return;
	}
	if (c.size < f->smallest)
		f->smallest = c.size;
	if (q.old_size != f->size) {
		out->status = 409;
		buf_printf(&out->body, "%llu\n", (unsigned long long)f->size);
		return;
	}
	out->status = 200;
	if (f->size > 0 &&
	    !proof_verify_consistency(&net.hasher, f->size, c.size, &f->root,
		&c.root, &q.proof, &err)) {
		net.faults++;
		out->status = 422;
		return;
	}
	if (f->mood != STALE || f->line.len == 0)
		fake_cosign(f, &c, n.text);
	buf_put(&out->body, buf_bytes(&f->line));
}

static inline void
put_wrong_line(struct fake *f, struct bytes body, struct buf *out)
{
	struct witness_request q;
	struct fake other = {.line = BUF_INIT(4096), .earlier = BUF_INIT(4096)};
	struct checkpoint c = {0};
	AUTO(note) n = {0};
	struct error err = {0};

	must(witness_request_parse(body, &q, &err) &&
		note_parse(q.checkpoint, &n, &err),
	    &err);
	key_pair(f->mood == STRANGER ? "stranger.example" : f->name,
	    NOTE_COSIGNATURE, &other.key, &other.vkey);
	/* The right name and ID, and another key's signature. */
	if (f->mood == FORGING)
		other.vkey = f->vkey;
	if (f->mood == FORGING)
		note_signature_put(&other.line, vkey_name(&f->vkey),
		    f->vkey.key_id,
		    BYTES_LIT("\0\0\0\0\1\2\3\4"
			      "0123456789012345678901234567890123456789"
			      "012345678901234567890123"));
	else
		fake_cosign(&other, &c, n.text);
	buf_put(out, buf_bytes(&other.line));
	private_key_close(other.key);
	buf_release(&other.line);
	buf_release(&other.earlier);
}

/* By the lock; false: no answer. */
static inline bool
fake_answer(struct fake *f, struct bytes body, struct http_answer *out,
    struct error *err)
{
	f->posts++;
	out->status = 200;
	switch (f->mood) {
	case DOWN:
	case SLOW:
		return error_reason(err, ERR_UNAVAILABLE, "network", "down");
	case BUSY:
		out->status = 429;
		out->retry_after = 3599;
		return true;
	case BROKEN:
		out->status = 500;
		return true;
	case NUMBERLESS:
		out->status = 409;
		buf_put_str(&out->body, "007\n");
		return true;
	case BOASTING:
		out->status = 409;
		buf_printf(&out->body, "%llu\n", (unsigned long long)f->claim);
		return true;
	case STUBBORN: {
		struct witness_request q;

		must(witness_request_parse(body, &q, err), err);
		out->status = 409;
		buf_printf(
		    &out->body, "%llu\n", (unsigned long long)q.old_size);
		return true;
	}
	case UNPROVEN:
		out->status = 422;
		return true;
	case ENDLESS:
		return error_set(err, ERR_LIMIT, "larger than the limit");
	case EMPTY:
		return true;
	case STRANGER:
	case FORGING:
		put_wrong_line(f, body, &out->body);
		return true;
	case WELL:
	case STALE:
		fake_judge(f, body, out);
		return true;
	case REPLAYING:
		fake_judge(f, body, out);
		buf_clear(&out->body);
		buf_put(&out->body, buf_bytes(&f->earlier));
		return true;
	case LONGER:
		fake_judge(f, body, out);
		buf_put_str(&out->body, "\nmore\n\n");
		buf_put(&out->body, buf_bytes(&f->line));
		return true;
	}
	return false;
}

struct handle {
	bool cancelled;
};

static inline struct fake *
fake_of(const char *url)
{
	for (size_t i = 0; i < FAKES; i++)
		if (strstr(url, net.fakes[i].name))
			return &net.fakes[i];
	fail_msg("%s", url);
	return NULL;
}

static inline void *
fake_open(unsigned timeout_ms, struct error *err)
{
	struct handle *h = calloc(1, sizeof(*h));

	(void)err;
	assert_true(timeout_ms > 0);
	return h;
}

static inline bool
fake_post(void *handle, const char *url, struct bytes body,
    struct http_answer *out, struct error *err)
{
	struct handle *h = handle;
	struct fake *f = fake_of(url);
	bool ok;

	assert_true(strstr(url, "/add-checkpoint"));
	(void)pthread_mutex_lock(&net.lock);
	if (f->mood == SLOW)
		f->posts++;
	while (f->mood == SLOW && !h->cancelled)
		(void)pthread_cond_wait(&net.changed, &net.lock);
	ok = !h->cancelled && fake_answer(f, body, out, err);
	(void)pthread_mutex_unlock(&net.lock);
	return ok || error_reason(err, ERR_UNAVAILABLE, "network", "ended");
}

static inline bool
fake_get(
    void *handle, const char *url, struct http_answer *out, struct error *err)
{
	struct fake *f = fake_of(url);

	(void)handle;
	(void)err;
	assert_true(strstr(url, "/checkpoint"));
	(void)pthread_mutex_lock(&net.lock);
	f->gets++;
	out->status = f->shown.len > 0 ? 200 : 404;
	buf_put(&out->body, buf_bytes(&f->shown));
	(void)pthread_mutex_unlock(&net.lock);
	return true;
}

static inline void
fake_cancel(void *handle)
{
	struct handle *h = handle;

	(void)pthread_mutex_lock(&net.lock);
	h->cancelled = true;
	(void)pthread_cond_broadcast(&net.changed);
	(void)pthread_mutex_unlock(&net.lock);
}

static inline void
fake_close(void *handle)
{
	free(handle);
}

static const struct witness_transport fake_transport = {
    fake_open, fake_post, fake_get, fake_cancel, fake_close};

/* A policy of the three with this quorum, in `dir`, and its configuration. */
static inline void
policy_open(const char *dir, const char *quorum, bool required,
    struct witness_policy *out)
{
	AUTO(buf) text = BUF_INIT(8192);
	char path[128];
	struct config c = {
	    .witness_mode =
		required ? CONFIG_WITNESS_REQUIRED : CONFIG_WITNESS_OPEN,
	    .witness_policy = path,
	    .witness_interval_ms = 1,
	    .witness_timeout_ms = 1000,
	};
	struct error err = {0};

	for (size_t i = 0; i < FAKES; i++) {
		buf_printf(&text, "witness %s ", net.fakes[i].name);
		vkey_format(&net.fakes[i].vkey, &text);
		buf_printf(&text, " http://%s\n", net.fakes[i].name);
	}
	buf_printf(&text,
	    "group all %s w0.example w1.example w2.example\nquorum all\n",
	    quorum);
	(void)snprintf(path, sizeof(path), "%s/policy", dir);
	must(file_write(path, buf_bytes(&text), 0644, &err), &err);
	must(witness_policy_read(&c, &net.log, NULL, out, &err), &err);
	(void)unlink(path);
}

#endif
