/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libmicrohttpd alone, answering every request with the same bytes: what reads
 * of a log can be held against on a machine.
 *
 * usage: bare BYTES; prints its port, ends when standard input does
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <microhttpd.h>

static uint8_t body[1 << 20];
static struct MHD_Response *answer;

static enum MHD_Result
on_request(void *arg, struct MHD_Connection *connection, const char *url,
    const char *method, const char *version, const char *data, size_t *size,
    void **context)
{
	static int seen;

	(void)arg;
	(void)url;
	(void)method;
	(void)version;
	(void)data;
	(void)size;
	if (!*context) {
		*context = &seen;
		return MHD_YES;
	}
	*context = NULL;
	return MHD_queue_response(connection, 200, answer);
}

int
main(int argc, char **argv)
{
	size_t len = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
	const union MHD_DaemonInfo *port;
	struct MHD_Daemon *daemon;
	char c;

	if (len == 0 || len > sizeof(body)) {
		(void)fputs("usage: bare BYTES\n", stderr);
		return 2;
	}
	answer =
	    MHD_create_response_from_buffer(len, body, MHD_RESPMEM_PERSISTENT);
	daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL,
	    on_request, NULL, MHD_OPTION_THREAD_POOL_SIZE, 2U,
	    MHD_OPTION_CONNECTION_LIMIT, 1000U, MHD_OPTION_END);
	port = daemon ? MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)
		      : NULL;
	if (!answer || !port)
		return 1;
	(void)printf("%u\n", (unsigned)port->port);
	(void)fflush(stdout);
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	MHD_stop_daemon(daemon);
	MHD_destroy_response(answer);
	return 0;
}
