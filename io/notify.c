/* SPDX-License-Identifier: Apache-2.0 */
#include "io/notify.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/reader.h"

struct notify {
	int fd;
	struct sockaddr_un to;
	socklen_t to_len;
	uint64_t watchdog_ns;
};

static bool
address_of(struct notify *n, const char *path)
{
	size_t len = strlen(path);

	if (len < 2 || len >= sizeof(n->to.sun_path) ||
	    (path[0] != '/' && path[0] != '@'))
		return false;
	n->to.sun_family = AF_UNIX;
	memcpy(n->to.sun_path, path, len);
	if (path[0] == '@')
		n->to.sun_path[0] = '\0';
	n->to_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
	return true;
}

struct notify *
notify_open(struct error *err)
{
	const char *path = getenv("NOTIFY_SOCKET");
	const char *watchdog = getenv("WATCHDOG_USEC");
	struct notify *n = calloc(1, sizeof(*n));
	uint64_t us;

	if (!n) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	n->fd = -1;
	if (path && address_of(n, path))
		n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* Half of what the manager waits, as its manual advises. */
	if (n->fd >= 0 && watchdog && decimal_parse(bytes_str(watchdog), &us))
		n->watchdog_ns = us * 1000 / 2;
	return n;
}

void
notify_close(struct notify *n)
{
	if (!n)
		return;
	if (n->fd >= 0)
		(void)close(n->fd);
	free(n);
}

void
notify_send(struct notify *n, const char *lines)
{
	if (n->fd >= 0)
		(void)sendto(n->fd, lines, strlen(lines), MSG_NOSIGNAL,
		    (const struct sockaddr *)&n->to, n->to_len);
}

uint64_t
notify_watchdog_ns(const struct notify *n)
{
	return n->watchdog_ns;
}
