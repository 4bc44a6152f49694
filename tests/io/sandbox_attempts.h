/* SPDX-License-Identifier: Apache-2.0 */
#ifndef MTLOG_TESTS_SANDBOX_ATTEMPTS_H
#define MTLOG_TESTS_SANDBOX_ATTEMPTS_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/*
 * What test_sandbox.c tries from inside: each of these runs in a child that has
 * entered the sandbox, and returns 0 when all went well, else an errno, which
 * becomes its exit code.
 */
struct place {
	char inside[64];  /* a folder it may write */
	char reading[64]; /* a folder it may read */
	int listener;	  /* bound before */
	int file;	  /* opened before */
	int pair[2];
};

static struct place place;

static inline int
as_errno(long rc)
{
	return rc < 0 ? errno : 0;
}

static inline const char *
given_file(void)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/given", place.reading);
	return path;
}

/* What neither may do. */

static inline int
do_execve(void)
{
	char name[] = "/bin/true";
	char *const argv[] = {name, NULL};

	return as_errno(execve(name, argv, NULL));
}

static inline int
do_ptrace(void)
{
	return as_errno(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static inline int
do_vm_readv(void)
{
	char b[1];
	struct iovec v = {b, 1};

	return as_errno(process_vm_readv(getpid(), &v, 1, &v, 1, 0));
}

static inline int
do_vm_writev(void)
{
	char b[1] = {0};
	struct iovec v = {b, 1};

	return as_errno(process_vm_writev(getpid(), &v, 1, &v, 1, 0));
}

static inline int
do_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return as_errno(pid);
}

static inline int
do_unshare(void)
{
	return as_errno(syscall(SYS_unshare, 0));
}

static inline int
do_mount(void)
{
	return as_errno(mount("none", "/nowhere", "tmpfs", 0, NULL));
}

static inline int
do_keyctl(void)
{
	return as_errno(syscall(SYS_keyctl, 0, 0, 0, 0, 0));
}

static inline int
do_bpf(void)
{
	return as_errno(syscall(SYS_bpf, 0, NULL, 0));
}

static inline int
do_init_module(void)
{
	return as_errno(syscall(SYS_init_module, NULL, 0, ""));
}

static inline int
do_kexec(void)
{
	return as_errno(syscall(SYS_kexec_load, 0, 0, NULL, 0));
}

static inline int
do_perf(void)
{
	return as_errno(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
}

static inline int
do_userfaultfd(void)
{
	return as_errno(syscall(SYS_userfaultfd, 0));
}

static inline int
do_io_uring(void)
{
	return as_errno(syscall(SYS_io_uring_setup, 1, NULL));
}

static inline int
do_landlock(void)
{
	return as_errno(syscall(SYS_landlock_create_ruleset, NULL, 0, 1));
}

static inline int
do_setrlimit(void)
{
	struct rlimit r = {1, 1};

	return as_errno(setrlimit(RLIMIT_CORE, &r));
}

static inline int
do_kill(void)
{
	return as_errno(kill(getppid(), 0));
}

static inline int
do_dumpable(void)
{
	return as_errno(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static inline int
do_tiocsti(void)
{
	char c = 'x';

	return as_errno(ioctl(0, TIOCSTI, &c));
}

static inline int
do_packet_socket(void)
{
	return as_errno(socket(AF_PACKET, SOCK_DGRAM, 0));
}

static inline int
do_mknod(void)
{
	return as_errno(mknod("/nowhere", S_IFIFO | 0600, 0));
}

static inline int
do_setuid(void)
{
	return as_errno(setuid(0));
}

static inline int
do_executable_memory(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static inline int
do_make_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? ENOMEM
			       : as_errno(mprotect(p, 4096, PROT_EXEC));
}

static inline int
do_bind(void)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return as_errno(bind(fd, (struct sockaddr *)&a, sizeof(a)));
}

static inline int
do_socket(void)
{
	return as_errno(socket(AF_UNIX, SOCK_STREAM, 0));
}

static inline int
do_open(void)
{
	return as_errno(open("/etc/passwd", O_RDONLY));
}

static inline int
do_unlink(void)
{
	return as_errno(unlink(given_file()));
}

static inline int
do_connect(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};

	return as_errno(
	    connect(place.pair[0], (struct sockaddr *)&a, sizeof(a)));
}

static inline void *
thread_run(void *arg)
{
	free(malloc(100000));
	*(int *)arg = 1;
	return NULL;
}

static inline int
do_thread(void)
{
	pthread_t t;
	int ran = 0;
	int rc = pthread_create(&t, NULL, thread_run, &ran);

	if (rc != 0)
		return rc;
	rc = pthread_join(t, NULL);
	return rc != 0 ? rc : ran ? 0 : ENOEXEC;
}

static inline int
do_abort(void)
{
	abort();
}

/* Outside the server's folders. */

static inline int
do_write_read_only(void)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/new", place.reading);
	return as_errno(open(path, O_CREAT | O_WRONLY, 0600));
}

static inline int
do_truncate(void)
{
	return as_errno(truncate(given_file(), 100));
}

static inline int
do_open_truncate(void)
{
	return as_errno(open(given_file(), O_RDONLY | O_TRUNC));
}

static inline int
do_rename_out(void)
{
	char from[128], to[128];
	int fd;

	(void)snprintf(from, sizeof(from), "%s/mine", place.inside);
	(void)snprintf(to, sizeof(to), "%s/stolen", place.reading);
	fd = open(from, O_CREAT | O_WRONLY, 0600);
	if (fd < 0)
		return ENOEXEC;
	(void)close(fd);
	return as_errno(rename(from, to));
}

/* What must go on working. */

static inline int
do_files(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_len = 1};
	char a[128], b[128];
	int fd;

	(void)snprintf(a, sizeof(a), "%s/a", place.inside);
	(void)snprintf(b, sizeof(b), "%s/b", place.inside);
	fd = open(a, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "text", 4) != 4 || fsync(fd) != 0 ||
	    fdatasync(fd) != 0 || ftruncate(fd, 100) != 0 ||
	    posix_fallocate(fd, 0, 8192) != 0 || pwrite(fd, "x", 1, 9) != 1 ||
	    fcntl(fd, F_SETLK, &lock) != 0 || rename(a, b) != 0)
		return errno;
	if (as_errno(mkdir(a, 0700)) || as_errno(rmdir(a)) ||
	    as_errno(unlink(b)))
		return errno;
	return as_errno(open(given_file(), O_RDONLY));
}

static inline int
do_accept(void)
{
	struct sockaddr_in a;
	struct epoll_event e = {.events = EPOLLIN};
	socklen_t len = sizeof(a);
	int poller = epoll_create1(EPOLL_CLOEXEC);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int fd;

	if (getsockname(place.listener, (struct sockaddr *)&a, &len) != 0 ||
	    connect(client, (struct sockaddr *)&a, len) != 0 ||
	    epoll_ctl(poller, EPOLL_CTL_ADD, place.listener, &e) != 0 ||
	    epoll_wait(poller, &e, 1, 1000) != 1)
		return errno;
	fd = accept4(place.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0 || sendfile(fd, place.file, NULL, 3) != 3)
		return errno;
	return as_errno(eventfd(0, EFD_CLOEXEC));
}

static inline int
do_common(void)
{
	struct pollfd p = {.fd = place.pair[0], .events = POLLIN};
	struct timespec t;
	char b[16];
	void *big = malloc(8 << 20);

	if (!big)
		return ENOMEM;
	memset(big, 1, 8 << 20);
	free(big);
	if (send(place.pair[1], "hello", 5, MSG_NOSIGNAL) != 5 ||
	    poll(&p, 1, 1000) != 1 ||
	    recv(place.pair[0], b, sizeof(b), 0) != 5 ||
	    pread(place.file, b, 4, 0) != 4 ||
	    pwrite(place.file, b, 4, 0) != 4 || fdatasync(place.file) != 0 ||
	    clock_gettime(CLOCK_MONOTONIC, &t) != 0 ||
	    getrandom(b, sizeof(b), 0) != sizeof(b))
		return errno;
	return 0;
}

static inline int
do_common_server(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "\0none"};
	struct rlimit r;
	int rc = do_common();
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (rc != 0)
		return rc;
	/* Nobody listens there; what counts is that it may be tried. */
	(void)sendto(fd, "READY=1", 7, MSG_NOSIGNAL, (struct sockaddr *)&a, 7);
	(void)isatty(0);
	(void)prctl(PR_SET_NAME, "renamed", 0, 0, 0);
	return as_errno(getrlimit(RLIMIT_NOFILE, &r));
}

#endif
