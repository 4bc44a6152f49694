/* SPDX-License-Identifier: Apache-2.0 */
#include "io/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#ifdef MTLOG_SANITIZED
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

/*
 * Each case runs in a child that first enters the sandbox. It returns 0 when
 * all went well, else an errno, which becomes its exit code.
 */
struct place {
	char inside[64];  /* a folder it may write */
	char reading[64]; /* a folder it may read */
	int listener;	  /* bound before */
	int file;	  /* opened before */
	int pair[2];
};

static struct place place;

static int
as_errno(long rc)
{
	return rc < 0 ? errno : 0;
}

static const char *
given_file(void)
{
	static char path[128];

	(void)snprintf(path, sizeof(path), "%s/given", place.reading);
	return path;
}

/* What neither may do. */

static int
do_execve(void)
{
	char name[] = "/bin/true";
	char *const argv[] = {name, NULL};

	return as_errno(execve(name, argv, NULL));
}

static int
do_ptrace(void)
{
	return as_errno(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int
do_vm_readv(void)
{
	char b[1];
	struct iovec v = {b, 1};

	return as_errno(process_vm_readv(getpid(), &v, 1, &v, 1, 0));
}

static int
do_vm_writev(void)
{
	char b[1] = {0};
	struct iovec v = {b, 1};

	return as_errno(process_vm_writev(getpid(), &v, 1, &v, 1, 0));
}

static int
do_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	return as_errno(pid);
}

static int
do_unshare(void)
{
	return as_errno(syscall(SYS_unshare, 0));
}

static int
do_mount(void)
{
	return as_errno(mount("none", "/nowhere", "tmpfs", 0, NULL));
}

static int
do_keyctl(void)
{
	return as_errno(syscall(SYS_keyctl, 0, 0, 0, 0, 0));
}

static int
do_bpf(void)
{
	return as_errno(syscall(SYS_bpf, 0, NULL, 0));
}

static int
do_init_module(void)
{
	return as_errno(syscall(SYS_init_module, NULL, 0, ""));
}

static int
do_kexec(void)
{
	return as_errno(syscall(SYS_kexec_load, 0, 0, NULL, 0));
}

static int
do_perf(void)
{
	return as_errno(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
}

static int
do_userfaultfd(void)
{
	return as_errno(syscall(SYS_userfaultfd, 0));
}

static int
do_io_uring(void)
{
	return as_errno(syscall(SYS_io_uring_setup, 1, NULL));
}

static int
do_landlock(void)
{
	return as_errno(syscall(SYS_landlock_create_ruleset, NULL, 0, 1));
}

static int
do_setrlimit(void)
{
	struct rlimit r = {1, 1};

	return as_errno(setrlimit(RLIMIT_CORE, &r));
}

static int
do_kill(void)
{
	return as_errno(kill(getppid(), 0));
}

static int
do_dumpable(void)
{
	return as_errno(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0));
}

static int
do_tiocsti(void)
{
	char c = 'x';

	return as_errno(ioctl(0, TIOCSTI, &c));
}

static int
do_packet_socket(void)
{
	return as_errno(socket(AF_PACKET, SOCK_DGRAM, 0));
}

static int
do_mknod(void)
{
	return as_errno(mknod("/nowhere", S_IFIFO | 0600, 0));
}

static int
do_setuid(void)
{
	return as_errno(setuid(0));
}

static int
do_executable_memory(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_EXEC,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? errno : 0;
}

static int
do_make_executable(void)
{
	void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p == MAP_FAILED ? ENOMEM
			       : as_errno(mprotect(p, 4096, PROT_EXEC));
}

static int
do_bind(void)
{
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return as_errno(bind(fd, (struct sockaddr *)&a, sizeof(a)));
}

static int
do_socket(void)
{
	return as_errno(socket(AF_UNIX, SOCK_STREAM, 0));
}

static int
do_open(void)
{
	return as_errno(open("/etc/passwd", O_RDONLY));
}

static int
do_unlink(void)
{
	return as_errno(unlink(given_file()));
}

static int
do_connect(void)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};

	return as_errno(
	    connect(place.pair[0], (struct sockaddr *)&a, sizeof(a)));
}

static void *
thread_run(void *arg)
{
	free(malloc(100000));
	*(int *)arg = 1;
	return NULL;
}

static int
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

static int
do_abort(void)
{
	abort();
}

/* Outside the server's folders. */

static int
do_write_read_only(void)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/new", place.reading);
	return as_errno(open(path, O_CREAT | O_WRONLY, 0600));
}

static int
do_truncate(void)
{
	return as_errno(truncate(given_file(), 100));
}

static int
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

static int
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

static int
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

static int
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

static int
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

/* Outcomes: an errno, or a signal. */
#define DIES		1000
#define DIES_OR_ALLOWED 1001 /* sanitizers need it */
#define ABORTS		1002
#define NEEDS_LANDLOCK	2000 /* added to an errno */

static const struct {
	const char *name;
	int (*run)(void);
	int server; /* outcome by profile */
	int signer;
} cases[] = {
    {"execve", do_execve, DIES, DIES},
    {"ptrace", do_ptrace, DIES_OR_ALLOWED, DIES},
    {"process_vm_readv", do_vm_readv, DIES_OR_ALLOWED, DIES},
    {"process_vm_writev", do_vm_writev, DIES, DIES},
    {"fork", do_fork, DIES_OR_ALLOWED, DIES},
    {"unshare", do_unshare, DIES, DIES},
    {"mount", do_mount, DIES, DIES},
    {"keyctl", do_keyctl, DIES, DIES},
    {"bpf", do_bpf, DIES, DIES},
    {"init_module", do_init_module, DIES, DIES},
    {"kexec_load", do_kexec, DIES, DIES},
    {"perf_event_open", do_perf, DIES, DIES},
    {"userfaultfd", do_userfaultfd, DIES, DIES},
    {"io_uring_setup", do_io_uring, DIES, DIES},
    {"landlock rules", do_landlock, DIES, DIES},
    {"set a limit", do_setrlimit, DIES, DIES},
    {"kill", do_kill, DIES_OR_ALLOWED, DIES},
    {"become dumpable", do_dumpable, DIES_OR_ALLOWED, DIES_OR_ALLOWED},
    {"type into a terminal", do_tiocsti, DIES, DIES},
    {"raw packets", do_packet_socket, DIES, DIES},
    {"mknod", do_mknod, DIES, DIES},
    {"setuid", do_setuid, DIES, DIES},
    {"executable memory", do_executable_memory, EACCES, EACCES},
    {"make memory executable", do_make_executable, EACCES, EACCES},
    {"bind", do_bind, EACCES, DIES},
    {"socket", do_socket, 0, DIES},
    {"open outside", do_open, NEEDS_LANDLOCK + EACCES, DIES},
    {"write in a read-only folder", do_write_read_only, NEEDS_LANDLOCK + EACCES,
	DIES},
    {"truncate outside", do_truncate, NEEDS_LANDLOCK + EACCES, DIES},
    {"rename out of its folder", do_rename_out, NEEDS_LANDLOCK + EACCES, DIES},
    {"unlink", do_unlink, NEEDS_LANDLOCK + EACCES, DIES},
    {"connect", do_connect, ENOENT, DIES},
    {"start a thread", do_thread, 0, DIES},
    {"abort", do_abort, ABORTS, ABORTS},
    {"use files inside", do_files, 0, DIES},
    {"accept and sendfile", do_accept, 0, DIES},
    {"common things", do_common, 0, 0},
    {"more of the server's", do_common_server, 0, DIES},
};

static void
place_make(void)
{
	static const char dir[] = "/tmp/test_sandbox.XXXXXX";
	struct sockaddr_in a = {
	    .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	char path[128];
	int fd;

	memcpy(place.inside, dir, sizeof(dir));
	memcpy(place.reading, dir, sizeof(dir));
	assert_non_null(mkdtemp(place.inside));
	assert_non_null(mkdtemp(place.reading));
	(void)snprintf(path, sizeof(path), "%s/given", place.reading);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	(void)snprintf(path, sizeof(path), "%s/open", place.inside);
	place.file = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	assert_int_equal(write(place.file, "12345678", 8), 8);
	assert_int_equal(lseek(place.file, 0, SEEK_SET), 0);
	place.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(
	    bind(place.listener, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(place.listener, 8), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, place.pair), 0);
}

static void
file_remove(const char *folder, const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	(void)unlink(path);
}

static void
place_remove(void)
{
	static const char *const names[] = {
	    "a", "b", "open", "mine", "given", "new", "stolen"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		file_remove(place.inside, names[i]);
		file_remove(place.reading, names[i]);
	}
	(void)rmdir(place.inside);
	(void)rmdir(place.reading);
	(void)close(place.file);
	(void)close(place.listener);
	(void)close(place.pair[0]);
	(void)close(place.pair[1]);
}

static bool
enter(enum sandbox_profile profile, char *status, size_t len)
{
	const char *const write_here[] = {place.inside, NULL};
	const char *const read_here[] = {
	    place.reading, "/nowhere/at/all", NULL};
	struct sandbox_options o = {
	    .profile = profile,
	    .read_write = profile == SANDBOX_SERVER ? write_here : NULL,
	    .read_only = profile == SANDBOX_SERVER ? read_here : NULL,
	};
	struct error err = {0};

	if (sandbox_enter(&o, status, len, &err))
		return true;
	(void)fprintf(stderr, "%s\n", err.text);
	return false;
}

static int
run(enum sandbox_profile profile, int (*what)(void))
{
	char status[100];
	int wait_status = -1;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(enter(profile, status, sizeof(status)) ? what() : 255);
	assert_int_equal(waitpid(pid, &wait_status, 0), pid);
	return wait_status;
}

static bool
landlock_here(void)
{
	return syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
}

static bool
as_expected(int status, int outcome)
{
	if (outcome == ABORTS)
		return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
	if (outcome == DIES_OR_ALLOWED && sanitized)
		return true;
	if (outcome == DIES || outcome == DIES_OR_ALLOWED)
		return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS;
	if (outcome >= NEEDS_LANDLOCK) {
		if (!landlock_here())
			return WIFEXITED(status); /* nothing to see */
		outcome -= NEEDS_LANDLOCK;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == outcome;
}

static void
check_profile(enum sandbox_profile profile)
{
	int failures = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int outcome = profile == SANDBOX_SERVER ? cases[i].server
							: cases[i].signer;
		int status;

		place_make();
		status = run(profile, cases[i].run);
		place_remove();
		if (as_expected(status, outcome))
			continue;
		print_error("%s: wait status %#x (exit %d, signal %d)\n",
		    cases[i].name, (unsigned)status, WEXITSTATUS(status),
		    WIFSIGNALED(status) ? WTERMSIG(status) : 0);
		failures++;
	}
	assert_int_equal(failures, 0);
}

static void
test_server(void **state)
{
	(void)state;
	check_profile(SANDBOX_SERVER);
}

static void
test_signer(void **state)
{
	(void)state;
	check_profile(SANDBOX_SIGNER);
}

/* A child in the sandbox that waits for the other end to close. */
static pid_t
waiting_child(enum sandbox_profile profile, char *status, size_t len)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		char text[100] = "";

		(void)close(place.pair[0]);
		if (!enter(profile, text, sizeof(text)))
			_exit(255);
		(void)write(place.pair[1], text, sizeof(text));
		(void)read(place.pair[1], text, 1);
		_exit(0);
	}
	(void)close(place.pair[1]);
	place.pair[1] = -1;
	assert_int_equal(read(place.pair[0], status, len), 100);
	return pid;
}

static bool
proc_says(pid_t pid, const char *line)
{
	char path[64], text[8192];
	ssize_t n;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	n = read(fd, text, sizeof(text) - 1);
	(void)close(fd);
	assert_true(n > 0);
	text[n] = '\0';
	return strstr(text, line) != NULL;
}

static void
test_status(void **state)
{
	static const enum sandbox_profile profiles[] = {
	    SANDBOX_SERVER, SANDBOX_SIGNER};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char status[100];
		pid_t pid;

		place_make();
		pid = waiting_child(profiles[i], status, sizeof(status));
		assert_non_null(strstr(status, "no-new-privs"));
		assert_non_null(strstr(status, " seccomp "));
		assert_non_null(strstr(
		    status, landlock_here() ? "landlock-" : "unavailable"));
		assert_true(proc_says(pid, "NoNewPrivs:\t1"));
		assert_true(proc_says(pid, "Seccomp:\t2"));
		(void)close(place.pair[0]);
		place.pair[0] = -1;
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		place_remove();
	}
}

static int
enter_missing(void)
{
	const char *const missing[] = {"/nowhere/at/all", NULL};
	struct sandbox_options o = {
	    .profile = SANDBOX_SERVER, .read_write = missing};
	struct error err = {0};
	char status[100];

	if (sandbox_enter(&o, status, sizeof(status), &err))
		return landlock_here() ? 1 : 0;
	return err.code == ERR_IO && strstr(err.text, missing[0]) ? 0 : 2;
}

static void
test_missing_folder(void **state)
{
	pid_t pid = fork();
	int status = -1;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(enter_missing());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* A status that does not fit is cut, and still a string. */
static void
test_short_status(void **state)
{
	char status[8];
	pid_t pid = fork();
	int wait_status = -1;

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		struct sandbox_options o = {.profile = SANDBOX_SIGNER};
		struct error err = {0};

		_exit(sandbox_enter(&o, status, sizeof(status), &err) &&
			    strlen(status) == sizeof(status) - 1
			? 0
			: 1);
	}
	assert_int_equal(waitpid(pid, &wait_status, 0), pid);
	assert_int_equal(wait_status, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_server),
	    cmocka_unit_test(test_signer),
	    cmocka_unit_test(test_status),
	    cmocka_unit_test(test_missing_folder),
	    cmocka_unit_test(test_short_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
