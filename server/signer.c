/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signer.h"

#include <stdlib.h>

#include "core/base/cleanup.h"
#include "server/child.h"
#include "server/signer_message.h"
#include "server/signer_process.h"

#define ANSWER_MS 10000 /* that the signer may take */

struct signer {
	struct child child;
};

void
signer_close(struct signer *s)
{
	if (!s)
		return;
	child_stop(&s->child);
	free(s);
}

int
signer_fd(const struct signer *s)
{
	return s->child.fd;
}

pid_t
signer_pid(const struct signer *s)
{
	return s->child.pid;
}

/* Talking to it. */

static bool
request_send(
    struct signer *s, const struct signer_request *request, struct error *err)
{
	AUTO(buf) packet = BUF_INIT(SIGNER_MESSAGE_MAX);

	signer_request_format(request, &packet);
	return buf_ok(&packet, err) &&
	    child_send(&s->child, buf_bytes(&packet), err);
}

/* One request, one answer; what it brings is appended to `note`. */
static bool
exchange(struct signer *s, const struct signer_request *request,
    struct buf *note, struct error *err)
{
	uint8_t packet[SIGNER_MESSAGE_MAX];
	struct signer_reply reply;
	struct error malformed = {0};
	size_t len;

	if (!request_send(s, request, err) ||
	    !child_receive(
		&s->child, ANSWER_MS, packet, sizeof(packet), &len, err))
		return false;
	if (!signer_reply_parse(bytes_of(packet, len), &reply, &malformed))
		return child_down(&s->child, err, malformed.text);
	if (reply.error.code != ERR_NONE)
		return error_reason(err, reply.error.code, reply.error.reason,
		    "%s", reply.error.text);
	if (!note)
		return true;
	buf_put(note, reply.note);
	return buf_ok(note, err);
}

bool
signer_sign(struct signer *s, uint64_t size, const struct hash *root,
    const struct proof *proof, uint64_t store_identity, struct buf *note,
    struct error *err)
{
	struct signer_request request = {
	    .verb = SIGNER_SIGN,
	    .size = size,
	    .root = *root,
	    .store_identity = store_identity,
	    .proof = *proof,
	};

	if (proof->len > PROOF_MAX_HASHES)
		return error_set(err, ERR_USAGE, "signer: proof too long");
	return exchange(s, &request, note, err);
}

bool
signer_freeze(struct signer *s, struct error *err)
{
	struct signer_request request = {.verb = SIGNER_FREEZE};

	return exchange(s, &request, NULL, err);
}

/* Starting it. */

/* Locks may be waited for one after the other. */
static uint64_t
hello_wait_ms(const struct signer_options *options)
{
	uint64_t locks = 2;

	for (const char *const *p = options->guard_copies; p && *p; p++)
		locks++;
	return ANSWER_MS + locks * options->lock_wait_ms;
}

static bool
hello_receive(struct signer *s, const struct signer_options *options,
    struct signer_hello *hello, struct error *err)
{
	AUTO(hasher) h = {0};
	uint8_t packet[SIGNER_MESSAGE_MAX];
	size_t len = 0;

	return hasher_open(&h, err) &&
	    child_receive(&s->child, hello_wait_ms(options), packet,
		sizeof(packet), &len, err) &&
	    signer_hello_parse(&h, bytes_of(packet, len), hello, err);
}

static struct signer *
signer_launch(const struct signer_task *task, struct signer_hello *hello,
    struct error *err)
{
	struct signer *s = calloc(1, sizeof(*s));

	if (!s) {
		error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	s->child = (struct child){.name = "signer", .down = "signer-down"};
	if (child_start(&s->child, signer_process_run, task, err) &&
	    hello_receive(s, task->options, hello, err))
		return s;
	signer_close(s);
	return NULL;
}

struct signer *
signer_start(const struct signer_options *options, struct signer_hello *hello,
    struct error *err)
{
	struct signer_task task = {.options = options};

	return signer_launch(&task, hello, err);
}

bool
signer_init(const struct signer_options *options, uint64_t store_identity,
    struct vkey *vkey, struct error *err)
{
	struct signer_task task = {
	    .options = options,
	    .init = true,
	    .store_identity = store_identity,
	};
	struct signer_hello hello;
	struct signer *s = signer_launch(&task, &hello, err);

	if (!s)
		return false;
	signer_close(s);
	*vkey = hello.vkey;
	return true;
}
