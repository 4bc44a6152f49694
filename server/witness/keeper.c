/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witness/keeper.h"

#include <stdlib.h>

#include "core/base/cleanup.h"
#include "server/child.h"
#include "server/witness/keeper_message.h"
#include "server/witness/keeper_process.h"

/* How long an answer may take; the first one waits for locks, too. */
#define ANSWER_MS 10000
#define HELLO_MS  30000

struct keeper {
	struct child child;
	uint8_t packet[KEEPER_MESSAGE_MAX];
};

static bool
hello_receive(struct keeper *k, struct keeper_hello *hello, struct error *err)
{
	size_t len = 0;

	return child_receive(&k->child, HELLO_MS, k->packet, sizeof(k->packet),
		   &len, err) &&
	    keeper_hello_parse(bytes_of(k->packet, len), hello, err);
}

struct keeper *
keeper_start(const char *dir, struct keeper_hello *hello, struct error *err)
{
	struct keeper *k = calloc(1, sizeof(*k));

	if (!k) {
		error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	k->child = (struct child){.name = "keeper", .down = "keeper-down"};
	if (child_start(&k->child, keeper_process_run, dir, err) &&
	    hello_receive(k, hello, err))
		return k;
	keeper_close(k);
	return NULL;
}

void
keeper_close(struct keeper *k)
{
	if (!k)
		return;
	child_stop(&k->child);
	free(k);
}

int
keeper_fd(const struct keeper *k)
{
	return k->child.fd;
}

bool
keeper_ask(struct keeper *k, enum keeper_verb verb, struct bytes in,
    struct cosigner_answer *a, struct error *err)
{
	AUTO(buf) question = BUF_INIT(KEEPER_MESSAGE_MAX);
	struct error malformed = {0};
	size_t len = 0;

	*a = (struct cosigner_answer){0};
	buf_put_u8(&question, (uint8_t)verb);
	buf_put(&question, in);
	if (!buf_ok(&question, err) ||
	    !child_send(&k->child, buf_bytes(&question), err) ||
	    !child_receive(
		&k->child, ANSWER_MS, k->packet, sizeof(k->packet), &len, err))
		return false;
	if (keeper_answer_parse(bytes_of(k->packet, len), a, &malformed))
		return true;
	cosigner_answer_release(a);
	return child_down(&k->child, err, malformed.text);
}
