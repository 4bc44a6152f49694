/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config_reader.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/cleanup.h"
#include "io/file.h"
#include "io/sandbox.h"
#include "server/child.h"
#include "server/config.h"

#define ANSWER_MS 10000

/* An answer is an error's class, one byte, and a text: the file's, or what
 * went wrong. */
#define PACKET_MAX (1 + CONFIG_MAX_LEN)

struct config_reader {
	struct child child;
	uint8_t packet[PACKET_MAX];
};

/* In the process. */

static bool
answer_send(int fd, const struct error *e, struct bytes text)
{
	AUTO(buf) packet = BUF_INIT(PACKET_MAX);
	struct error ignored = {0};
	ssize_t n;

	buf_put_u8(&packet, (uint8_t)e->code);
	buf_put(&packet, e->code == ERR_NONE ? text : bytes_str(e->text));
	if (!buf_ok(&packet, &ignored))
		return false;
	do
		n = send(fd, packet.ptr, packet.len, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)packet.len;
}

static bool
file_answer(int fd, const char *path)
{
	AUTO(buf) text = BUF_INIT(CONFIG_MAX_LEN);
	struct error err = {0};

	(void)!file_read(path, &text, &err);
	return answer_send(fd, &err, buf_bytes(&text));
}

static bool
question_wait(int fd)
{
	char question;
	ssize_t n;

	do
		n = recv(fd, &question, 1, 0);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

static void
process_run(int fd, const void *arg)
{
	static const char *const everywhere[] = {"/", NULL};
	const struct sandbox_options confined = {
	    .profile = SANDBOX_READER, .read_only = everywhere};
	char sandbox[CONFIG_READER_SANDBOX_MAX] = "";
	struct error err = {0};

	fd = child_forget(fd, "mtlogd-config");
	if (fd < 0)
		_exit(1);
	(void)!sandbox_enter(&confined, sandbox, sizeof(sandbox), &err);
	if (!answer_send(fd, &err, bytes_str(sandbox)) || err.code != ERR_NONE)
		_exit(1);
	while (question_wait(fd))
		if (!file_answer(fd, arg))
			_exit(1);
	_exit(0);
}

/* In the server. */

static bool
answer_receive(struct config_reader *r, struct bytes *text, struct error *err)
{
	enum error_code code;
	size_t len = 0;

	if (!child_receive(
		&r->child, ANSWER_MS, r->packet, sizeof(r->packet), &len, err))
		return false;
	*text = bytes_of(r->packet + 1, len - 1);
	code = (enum error_code)r->packet[0];
	if (code == ERR_NONE)
		return true;
	if (code > ERR_INTERNAL)
		return child_down(&r->child, err, "it makes no sense");
	return error_set(
	    err, code, "%.*s", (int)text->len, (const char *)text->ptr);
}

static bool
hello_receive(struct config_reader *r, char sandbox[CONFIG_READER_SANDBOX_MAX],
    struct error *err)
{
	struct bytes text;

	if (!answer_receive(r, &text, err))
		return false;
	if (text.len >= CONFIG_READER_SANDBOX_MAX)
		return child_down(&r->child, err, "it makes no sense");
	memcpy(sandbox, text.ptr, text.len);
	sandbox[text.len] = '\0';
	return true;
}

struct config_reader *
config_reader_start(const char *path, char sandbox[CONFIG_READER_SANDBOX_MAX],
    struct error *err)
{
	struct config_reader *r = calloc(1, sizeof(*r));

	if (!r) {
		error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	r->child = (struct child){
	    .name = "config reader", .down = "config-reader-down"};
	if (child_start(&r->child, process_run, path, err) &&
	    hello_receive(r, sandbox, err))
		return r;
	config_reader_close(r);
	return NULL;
}

void
config_reader_close(struct config_reader *r)
{
	if (!r)
		return;
	child_stop(&r->child);
	free(r);
}

pid_t
config_reader_pid(const struct config_reader *r)
{
	return r->child.pid;
}

bool
config_reader_read(struct config_reader *r, struct buf *text, struct error *err)
{
	struct bytes got;

	if (!child_send(&r->child, BYTES_LIT("?"), err) ||
	    !answer_receive(r, &got, err))
		return false;
	buf_put(text, got);
	return buf_ok(text, err);
}
