/* SPDX-License-Identifier: Apache-2.0 */
#include "server/witness/keeper_process.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "core/base/reader.h"
#include "io/file.h"
#include "io/sandbox.h"
#include "server/child.h"
#include "server/witness/keeper_message.h"

#define LOCK_WAIT_MS 2000 /* an orphan of a killed one needs a moment */

static bool
packet_send(int fd, const struct buf *packet)
{
	ssize_t n;

	do
		n = send(fd, packet->ptr, packet->len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)packet->len;
}

static void
answer(struct cosigner *c, struct bytes question, struct cosigner_answer *a)
{
	struct reader r = {question};
	struct hash log = {{0}};
	uint8_t verb = 0;

	if (reader_u8(&r, &verb) && verb == KEEPER_ADD) {
		cosigner_add(c, r.rest, a);
		return;
	}
	if (r.rest.len == HASH_LEN)
		memcpy(log.b, r.rest.ptr, HASH_LEN);
	if (verb == KEEPER_NEXT)
		cosigner_next(c, r.rest.len == HASH_LEN ? &log : NULL, a);
	else
		cosigner_get(c, &log, a);
}

/* Until the other end closes, or nobody knows what is on the disk. */
static int
serve(int fd, struct cosigner *c)
{
	static uint8_t packet[KEEPER_MESSAGE_MAX];

	while (!cosigner_failed(c)) {
		AUTO(buf) reply = BUF_INIT(KEEPER_MESSAGE_MAX);
		struct cosigner_answer a = {0};
		ssize_t n = recv(fd, packet, sizeof(packet), MSG_TRUNC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0 || (size_t)n > sizeof(packet))
			return n == 0 ? 0 : 1;
		answer(c, bytes_of(packet, (size_t)n), &a);
		keeper_answer_format(&a, &reply);
		cosigner_answer_release(&a);
		if (reply.failed || !packet_send(fd, &reply))
			return 1;
	}
	return 1;
}

/* Its database, the files of the logs, and whatever is open already. */
static bool
confine(const char *dir, char *status, size_t len, struct error *err)
{
	char *db = path_join(dir, WITNESS_DB_FOLDER);
	char *logs = path_join(dir, WITNESS_LOG_FOLDER);
	const char *const read_write[] = {db, NULL};
	const char *const read_only[] = {logs, "/dev/urandom", NULL};
	const struct sandbox_options o = {
	    .profile = SANDBOX_SERVER,
	    .read_write = read_write,
	    .read_only = read_only,
	};
	bool ok = db && logs ? sandbox_enter(&o, status, len, err)
			     : error_set(err, ERR_INTERNAL, "out of memory");

	free(db);
	free(logs);
	return ok;
}

/* Whatever OpenSSL loads at its first use is loaded by the signature that
 * nobody gets, and a key that does not work is found now. */
static bool
begin(const char *dir, struct cosigner **c, struct keeper_hello *hello,
    struct error *err)
{
	const struct cosigner_options o = {
	    .dir = dir,
	    .lock_wait_ms = LOCK_WAIT_MS,
	};

	*c = cosigner_open(&o, err);
	if (!*c || !cosigner_try(*c, err))
		return false;
	hello->vkey = *cosigner_vkey(*c);
	return confine(dir, hello->sandbox, sizeof(hello->sandbox), err);
}

void
keeper_process_run(int fd, const void *arg)
{
	AUTO(buf) packet = BUF_INIT(KEEPER_MESSAGE_MAX);
	struct keeper_hello hello = {0};
	struct cosigner *c = NULL;
	struct error err = {0};
	int code = 1;
	bool ok;

	fd = child_forget(fd, "mtlog-keeper");
	if (fd < 0)
		_exit(1);
	ok = begin(arg, &c, &hello, &err);
	if (ok)
		keeper_hello_format(&hello, &packet);
	else
		keeper_failure_format(&err, &packet);
	if (!packet.failed && packet_send(fd, &packet) && ok)
		code = serve(fd, c);
	cosigner_close(c);
	buf_release(&packet);
	_exit(code);
}
