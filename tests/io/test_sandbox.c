/* SPDX-License-Identifier: Apache-2.0 */
#include "io/sandbox.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <seccomp.h>

#include "tests/io/sandbox_attempts.h"

#ifdef MTLOG_SANITIZED
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

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
    {"truncate by opening", do_open_truncate, NEEDS_LANDLOCK + EACCES, DIES},
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

/* Tests as a kernel without Landlock would have them. */
static bool hidden;

static bool
landlock_here(void)
{
	return !hidden && syscall(SYS_landlock_create_ruleset, NULL, 0, 1) > 0;
}

static bool
hide_landlock(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	bool ok = filter &&
	    seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS),
		SCMP_SYS(landlock_create_ruleset), 0) == 0 &&
	    seccomp_load(filter) == 0;

	seccomp_release(filter);
	return ok;
}

static bool
enter(enum sandbox_profile profile, char *status, size_t len)
{
	const char *const write_here[] = {place.inside, NULL};
	const char *const read_here[] = {
	    place.reading, "/nowhere/at/all", NULL};
	const char *const everywhere[] = {"/", NULL};
	struct sandbox_options o = {
	    .profile = profile,
	    .read_write = profile == SANDBOX_SERVER ? write_here : NULL,
	    .read_only = profile == SANDBOX_SERVER ? read_here
		: profile == SANDBOX_READER	   ? everywhere
						   : NULL,
	};
	struct error err = {0};

	if (hidden && !hide_landlock())
		return false;
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
	if (pid == 0) {
		/* cmocka's handlers would go on with the tests in here. */
		for (int i = 1; i <= SIGRTMAX; i++)
			(void)signal(i, SIG_DFL);
		_exit(enter(profile, status, sizeof(status)) ? what() : 255);
	}
	assert_int_equal(waitpid(pid, &wait_status, 0), pid);
	return wait_status;
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
		/* What the reader may and the signer may not. */
		bool reads =
		    profile == SANDBOX_READER && cases[i].run == do_open;
		int outcome = profile == SANDBOX_SERVER ? cases[i].server
		    : reads				? 0
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

static void
test_reader(void **state)
{
	(void)state;
	check_profile(SANDBOX_READER);
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
		(void)!write(place.pair[1], text, sizeof(text));
		(void)!read(place.pair[1], text, 1);
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
	    SANDBOX_SERVER, SANDBOX_SIGNER, SANDBOX_READER};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
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

/* What the filter does, it does alone, too; and the status says so. */
static void
test_without_landlock(void **state)
{
	hidden = true;
	check_profile(SANDBOX_SERVER);
	check_profile(SANDBOX_SIGNER);
	check_profile(SANDBOX_READER);
	test_status(state);
	hidden = false;
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
	    cmocka_unit_test(test_reader),
	    cmocka_unit_test(test_status),
	    cmocka_unit_test(test_without_landlock),
	    cmocka_unit_test(test_missing_folder),
	    cmocka_unit_test(test_short_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
