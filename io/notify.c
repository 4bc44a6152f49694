/* SPDX-License-Identifier: Apache-2.0 */
#include "io/notify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/base/reader.h"
#include "io/clock.h"

struct notify {
	int fd;
	struct sockaddr_un to;
	socklen_t to_len;
	uint64_t watchdog_ns;
};

/* A path, or '@' and a name in the abstract namespace. */
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

/* Half of the time after which the manager would kill us; 0 if it watches
 * another process, or none. */
static uint64_t
watchdog_of(const char *usec, const char *pid)
{
	uint64_t us, whom;

	if (!usec || !decimal_parse(bytes_str(usec), &us) ||
	    us > UINT64_MAX / 1000)
		return 0;
	if (pid && pid[0] &&
	    (!decimal_parse(bytes_str(pid), &whom) ||
		whom != (uint64_t)getpid()))
		return 0;
	return us * 1000 / 2;
}

struct notify *
notify_open(struct error *err)
{
	const struct timeval patience = {.tv_sec = 1};
	const char *path = getenv("NOTIFY_SOCKET");
	struct notify *n = calloc(1, sizeof(*n));

	if (!n) {
		(void)error_set(err, ERR_INTERNAL, "out of memory");
		return NULL;
	}
	n->fd = -1;
	if (!path || !address_of(n, path))
		return n;
	n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (n->fd < 0)
		return n;
	(void)setsockopt(
	    n->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	n->watchdog_ns =
	    watchdog_of(getenv("WATCHDOG_USEC"), getenv("WATCHDOG_PID"));
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
	/* Not connected: the manager may make its socket anew. */
	if (n->fd >= 0)
		(void)sendto(n->fd, lines, strlen(lines), MSG_NOSIGNAL,
		    (const struct sockaddr *)&n->to, n->to_len);
}

void
notify_status(struct notify *n, const char *format, ...)
{
	char text[256] = "STATUS=";
	size_t len = strlen(text);
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text + len, sizeof(text) - len, format, ap);
	va_end(ap);
	for (char *p = text; *p; p++)
		if ((uint8_t)*p < ' ' || *p == 0x7f)
			*p = ' ';
	notify_send(n, text);
}

void
notify_reloading(struct notify *n)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu",
	    (unsigned long long)(clock_monotonic_ns() / 1000));
	notify_send(n, text);
}

uint64_t
notify_watchdog_ns(const struct notify *n)
{
	return n->watchdog_ns;
}
