/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signer_process.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "io/sandbox.h"
#include "server/child.h"
#include "server/signer_guards.h"
#include "server/signer_key.h"
#include "server/signer_message.h"

/* All that the signer process knows. It ends with the process. */
struct process {
	int fd;
	const struct signer_options *options;
	struct signer_key key; /* empty: a frozen log's, destroyed */
	struct key_verifier *verifier;
	struct hasher hasher;
	struct signer_guards guards;
	struct signed_head last;
	struct signer_hello hello; /* its vkey, guard and state are in use */
};

static bool
packet_send(const struct process *p, const struct buf *packet)
{
	ssize_t n;

	do
		n = send(p->fd, packet->ptr, packet->len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)packet->len;
}

static bool
reply_send(const struct process *p, const struct signer_reply *reply)
{
	AUTO(buf) packet = BUF_INIT(SIGNER_MESSAGE_MAX);
	struct error err = {0};

	signer_reply_format(reply, &packet);
	return buf_ok(&packet, &err) && packet_send(p, &packet);
}

/* The rules. */

static bool
refused(struct error *err, const char *why)
{
	return error_reason(
	    err, ERR_BADSIG, "head-refused", "signer refuses: %s", why);
}

/*
 * THE rule: a head is signed only if it is proven to extend the last one that
 * this process, or the one that wrote the guard, has signed.
 */
static bool
head_check(struct process *p, const struct signer_request *r, struct error *err)
{
	struct error e = {0};

	if (p->hello.state.frozen)
		return error_reason(err, ERR_DENIED, "log-frozen",
		    "the log is frozen: no new head is signed");
	if (r->size <= p->last.size)
		return refused(err, "the tree would not grow");
	if (r->size > TREE_MAX_SIZE)
		return refused(err, "no tree is that large");
	if (p->last.size == 0) /* the empty tree is a prefix of every tree */
		return r->proof.len == 0 ||
		    refused(err, "a proof from the empty tree is empty");
	if (proof_verify_consistency(&p->hasher, p->last.size, r->size,
		&p->last.root, &r->root, &r->proof, &e))
		return hasher_ok(&p->hasher, err);
	if (e.code == ERR_INTERNAL)
		return error_set(err, e.code, "%s", e.text);
	return refused(err, e.text);
}

/* Signs into `note`, and makes the guard durable before returning. */
static bool
head_sign(struct process *p, const struct signer_request *r, struct buf *note,
    struct error *err)
{
	struct guard_state next = p->hello.state;
	struct checkpoint c = {
	    .origin = vkey_name(&p->hello.vkey),
	    .size = r->size,
	    .root = r->root,
	};

	if (!checkpoint_sign(
		&c, p->key.private, &p->hello.vkey, p->verifier, note, err) ||
	    !buf_ok(note, err))
		return false;
	next.store_identity = r->store_identity;
	next.note_len = note->len;
	memset(next.note, 0, sizeof(next.note));
	memcpy(next.note, note->ptr, note->len);
	if (!signer_guards_write(&p->guards, &next, err))
		return false;
	p->hello.state = next;
	p->last = (struct signed_head){r->size, r->root};
	return true;
}

static bool
sign(struct process *p, const struct signer_request *r, struct buf *note,
    struct error *err)
{
	const struct guard_state *state = &p->hello.state;

	if (r->size == p->last.size) {
		if (!hash_equal(&r->root, &p->last.root))
			return refused(err, "another root at the same size");
		if (r->proof.len != 0)
			return refused(err, "a proof for the same head");
		buf_put(note, bytes_of(state->note, state->note_len));
		return buf_ok(note, err);
	}
	return head_check(p, r, err) && head_sign(p, r, note, err);
}

static bool
freeze(struct process *p, struct error *err)
{
	struct guard_state next = p->hello.state;

	if (next.frozen)
		return true;
	next.frozen = true;
	if (!signer_guards_write(&p->guards, &next, err))
		return false;
	p->hello.state = next;
	return true;
}

static bool
answer(
    struct process *p, struct bytes packet, struct buf *note, struct error *err)
{
	struct signer_request r;

	if (!signer_request_parse(packet, &r, err))
		return false;
	if (p->hello.guard != SIGNER_GUARD_OK)
		return error_reason(err, ERR_DENIED, "log-latched",
		    "nothing is signed: %s", p->hello.note_error);
	if (r.verb == SIGNER_FREEZE)
		return freeze(p, err);
	return sign(p, &r, note, err);
}

/* Until the server closes its end, or a guard could not be written. */
static int
serve(struct process *p)
{
	static uint8_t packet[SIGNER_MESSAGE_MAX];

	while (!p->guards.failed) {
		AUTO(buf) note = BUF_INIT(GUARD_NOTE_MAX);
		struct signer_reply reply = {0};
		ssize_t n = recv(p->fd, packet, sizeof(packet), MSG_TRUNC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? 0 : 1;
		if ((size_t)n > sizeof(packet))
			n = 0; /* cut: nothing of it counts */
		if (answer(p, bytes_of(packet, (size_t)n), &note, &reply.error))
			reply.note = buf_bytes(&note);
		if (!reply_send(p, &reply))
			return 1;
	}
	return 1;
}

/* The start. */

/* Signs the head that counts, for nobody: whatever OpenSSL loads at its first
 * use is then loaded, and a key that does not work is found now. */
static bool
key_try(struct process *p, struct error *err)
{
	AUTO(buf) scratch = BUF_INIT(GUARD_NOTE_MAX);
	struct checkpoint c = {
	    .origin = vkey_name(&p->hello.vkey),
	    .size = p->last.size,
	    .root = p->last.root,
	};

	return checkpoint_sign(&c, p->key.private, &p->hello.vkey, p->verifier,
		   &scratch, err) &&
	    buf_ok(&scratch, err);
}

static bool
process_open(struct process *p, struct error *err)
{
	if (!hasher_open(&p->hasher, err))
		return false;
	p->verifier = key_verifier_open(err);
	return p->verifier != NULL;
}

/* The key, or without it the guard of a log that never signs again. */
static bool
key_and_guards_open(struct process *p, struct error *err)
{
	struct error missing = {0};
	bool have =
	    signer_key_open(&p->key, p->options, &p->hello.vkey, &missing);

	if (!have && (missing.code != ERR_NOTFOUND || !p->options->vkey))
		return error_set(err, missing.code, "%s", missing.text);
	if (!have)
		p->hello.vkey = *p->options->vkey;
	if (!signer_guards_open(
		&p->guards, p->options, p->verifier, &p->hello, &p->last, err))
		return false;
	if (have)
		return key_try(p, err);
	return (p->hello.guard == SIGNER_GUARD_OK && p->hello.state.frozen) ||
	    error_set(err, missing.code, "%s", missing.text);
}

static bool
serve_open(struct process *p, struct error *err)
{
	const struct sandbox_options confined = {.profile = SANDBOX_SIGNER};

	merkle_empty_root(&p->last.root);
	if (!key_and_guards_open(p, err))
		return false;
	if (p->hello.guard == SIGNER_GUARD_OK &&
	    !signer_guards_write(&p->guards, &p->hello.state, err))
		return false;
	return sandbox_enter(
	    &confined, p->hello.sandbox, sizeof(p->hello.sandbox), err);
}

static bool
init_guards(struct process *p, uint64_t store_identity, struct error *err)
{
	AUTO(buf) note = BUF_INIT(GUARD_NOTE_MAX);
	struct guard_state *s = &p->hello.state;
	struct checkpoint c;

	if (!signer_key_open(&p->key, p->options, &p->hello.vkey, err))
		return false;
	c = (struct checkpoint){.origin = vkey_name(&p->hello.vkey)};
	merkle_empty_root(&c.root);
	if (!checkpoint_sign(
		&c, p->key.private, &p->hello.vkey, p->verifier, &note, err) ||
	    !buf_ok(&note, err))
		return false;
	*s = (struct guard_state){
	    .generation = 1,
	    .log_id = p->hello.vkey.log_id,
	    .store_identity = store_identity,
	    .note_len = note.len,
	};
	memcpy(s->origin, p->hello.vkey.name, p->hello.vkey.name_len);
	memcpy(s->note, note.ptr, note.len);
	return signer_guards_create(p->options, s, err);
}

static bool
hello_send(struct process *p, struct error *err)
{
	AUTO(buf) packet = BUF_INIT(SIGNER_MESSAGE_MAX);

	return signer_hello_format(&p->hasher, &p->hello, &packet, err) &&
	    (packet_send(p, &packet) ||
		error_set(err, ERR_IO, "signer: nobody to greet"));
}

static void
process_release(struct process *p)
{
	signer_guards_release(&p->guards);
	signer_key_release(&p->key);
	key_verifier_close(p->verifier);
	hasher_release(&p->hasher);
}

void
signer_process_run(int fd, const void *arg)
{
	const struct signer_task *task = arg;
	static struct process p;
	struct signer_reply failed = {0};
	int code = 1;
	bool ok;

	p = (struct process){
	    .fd = child_forget(fd, "mtlogd-signer"), .options = task->options};
	if (p.fd < 0)
		_exit(1);
	ok = process_open(&p, &failed.error) &&
	    (task->init ? init_guards(&p, task->store_identity, &failed.error)
			: serve_open(&p, &failed.error)) &&
	    hello_send(&p, &failed.error);
	if (!ok)
		(void)reply_send(&p, &failed);
	else
		code = task->init ? 0 : serve(&p);
	process_release(&p);
	_exit(code);
}
