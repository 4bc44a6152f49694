/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_SERVER_CHILD_H
#define MTLOG_SERVER_CHILD_H

#include <sys/types.h>

#include "core/base/error.h"

/*
 * A process of this program that may what the server may not (use a key, read
 * a file), at the other end of a socket of packets: forked before there are
 * threads, a database or a listener, it ends at end of file. One request, one
 * answer; one thread at a time.
 */
struct child {
	const char *name; /* for error texts: "signer" */
	const char *down; /* the reason of its errors: "signer-down" */
	pid_t pid;	  /* -1 once it was reaped */
	int fd;		  /* polls readable (end of file) when it has died */
	bool ended; /* latched: a late answer must not meet a later request */
};

/* child_start forks, and runs `run`, which never returns, with its end of the
 * socket in the new process. `c` has its names. ERR_IO. */
bool child_start(struct child *c, void (*run)(int fd, const void *arg),
    const void *arg, struct error *err) MUST_USE;

/*
 * child_stop closes the socket and waits ten seconds at most for the process'
 * end. No signal is sent: one that hangs in a failing disk would not hear it
 * either.
 */
void child_stop(struct child *c);

/* child_send sends one packet, child_receive waits for one, of at most `size`
 * bytes. A failure is ERR_UNAVAILABLE with the reason `down`, and for good. */
bool child_send(struct child *c, struct bytes packet, struct error *err)
    MUST_USE;
bool child_receive(struct child *c, uint64_t wait_ms, uint8_t *packet,
    size_t size, size_t *len, struct error *err) MUST_USE;

/* child_down gives the process up for good, for the reason `why`; false. */
bool child_down(struct child *c, struct error *err, const char *why);

/*
 * child_forget drops in the new process what it must not have of its parent:
 * handlers of signals, core dumps, every descriptor but the socket and standard
 * error. Its name becomes `name`. Gives the socket's new number, or -1.
 */
int child_forget(int fd, const char *name) MUST_USE;

#endif
