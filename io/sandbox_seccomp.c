/* SPDX-License-Identifier: Apache-2.0 */
#include "io/sandbox_parts.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Allow lists: what is not named kills the process. Names rather than numbers,
 * because architectures differ in which they have; one that this architecture
 * or libseccomp does not know is left out, so it stays forbidden.
 */

/* What any process of ours needs once its files are open. */
static const char *const calls_common[] = {
    /* descriptors */
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv",
    "pwritev", "lseek", "close", "fstat", "fsync", "fdatasync", "fadvise64",
    "recvmsg", "recvfrom", "sendmsg", "sendto", "shutdown", "poll", "ppoll",
    /* memory */
    "munmap", "mremap", "madvise", "brk", "mlock", "munlock",
    /* threads, signals, end */
    "futex", "sched_yield", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
    "sigaltstack", "restart_syscall", "gettid", "getpid", "getppid", "exit",
    "exit_group",
    /* time and chance */
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep",
    "gettimeofday", "time", "getrandom", NULL};

/*
 * What the server adds: files (Landlock says which), sockets, threads. Listed
 * from what libmicrohttpd (epoll), SQLite, OpenSSL, libcurl and the C library
 * call.
 */
static const char *const calls_server[] = {
    /* files */
    "open", "openat", "openat2", "close_range", "dup", "dup2", "dup3", "fcntl",
    "flock", "stat", "lstat", "newfstatat", "statx", "access", "faccessat",
    "faccessat2", "readlink", "readlinkat", "getdents64", "getcwd", "mkdir",
    "mkdirat", "unlink", "unlinkat", "rmdir", "rename", "renameat", "renameat2",
    "link", "linkat", "truncate", "ftruncate", "fallocate", "sync_file_range",
    "readahead", "statfs", "fstatfs", "chmod", "fchmod", "fchmodat", "fchown",
    "umask", "utimensat", "copy_file_range", "sendfile", "msync", "mincore",
    /* sockets and events */
    "socketpair", "accept", "accept4", "connect", "getsockname", "getpeername",
    "getsockopt", "setsockopt", "sendmmsg", "recvmmsg", "select", "pselect6",
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait",
    "epoll_pwait2", "eventfd", "eventfd2", "pipe", "pipe2", "timerfd_create",
    "timerfd_settime", "timerfd_gettime", "signalfd4",
    /* threads and processes */
    "set_robust_list", "get_robust_list", "rseq", "set_tid_address",
    "membarrier", "sched_getaffinity", "sched_setaffinity", "sched_getparam",
    "sched_getscheduler", "sched_get_priority_max", "sched_get_priority_min",
    "getpriority", "setpriority", "getcpu", "wait4", "waitid", "pause",
    "rt_sigtimedwait", "rt_sigpending", "rt_sigsuspend",
    /* asking about oneself */
    "getuid", "geteuid", "getgid", "getegid", "getgroups", "getrlimit",
    "getrusage", "sysinfo", "uname", "times", NULL};

/* What the run times of sanitizers add: reports, and the leak check. */
static const char *const calls_sanitized[] = {"getrlimit", "getrusage",
    "sched_getaffinity", "rseq", "set_robust_list", "membarrier", "sysinfo",
    "uname", "getuid", "geteuid", "prctl", NULL};
static const char *const calls_sanitized_server[] = {"clone", "ptrace", "kill",
    "getdents", "arch_prctl", "personality", "process_vm_readv", NULL};

/* Refused with an error instead of death: libraries try these and go on. */
static const struct {
	const char *name;
	int error;
} calls_refused[] = {
    {"clone3", ENOSYS}, /* its flags cannot be seen; clone is the fallback */
    {"bind", EACCES},	/* getaddrinfo, of a netlink socket */
    {"listen", EACCES},
};

/*
 * Calls that depend on one argument: allowed where (argument & mask) == value.
 * Several lines for one call are alternatives.
 */
struct argument_rule {
	const char *name;
	unsigned index;
	uint64_t mask;
	uint64_t value;
};

#define ALL_BITS UINT64_MAX
#define LOW_BITS UINT32_MAX /* int arguments: the upper half is noise */

static const struct argument_rule rules_memory[] = {
    {"mmap", 2, PROT_EXEC, 0},
    {"mprotect", 2, PROT_EXEC, 0},
    {0},
};

/* Memory is never made executable, so nothing written is ever run. An error
 * rather than death, because name look-ups try to load modules. */
static const struct argument_rule rules_executable[] = {
    {"mmap", 2, PROT_EXEC, PROT_EXEC},
    {"mprotect", 2, PROT_EXEC, PROT_EXEC},
    {0},
};

static const struct argument_rule rules_server[] = {
    /* threads, not processes */
    {"clone", 0, CLONE_THREAD, CLONE_THREAD},
    {"socket", 0, LOW_BITS, AF_UNIX},
    {"socket", 0, LOW_BITS, AF_INET},
    {"socket", 0, LOW_BITS, AF_INET6},
    {"socket", 0, LOW_BITS, AF_NETLINK}, /* getaddrinfo */
    {"ioctl", 1, LOW_BITS, FIONREAD},
    {"ioctl", 1, LOW_BITS, FIONBIO},
    {"ioctl", 1, LOW_BITS, TCGETS}, /* isatty */
    /* reading a limit, not setting one */
    {"prlimit64", 2, ALL_BITS, 0},
    {"prctl", 0, LOW_BITS, PR_SET_NAME},
    {"prctl", 0, LOW_BITS, PR_GET_NAME},
    {0},
};

/* O_TRUNC truncates even what is opened for reading. */
#define NOT_READING (O_ACCMODE | O_CREAT | O_TRUNC)

static const struct argument_rule rules_reader[] = {
    {"open", 1, NOT_READING, O_RDONLY},
    {"openat", 2, NOT_READING, O_RDONLY},
    {"newfstatat", 1, 0, 0},	     /* fstat, to the C library */
    {"fcntl", 1, LOW_BITS, F_SETFL}, /* of a pipe, to wait for its writer */
    {0},
};

static bool
filter_error(struct error *err, const char *what, int rc)
{
	return error_set(err, ERR_IO, "sandbox: seccomp: %s: %s", what,
	    strerror(rc < 0 ? -rc : rc));
}

/*
 * A rule that libseccomp cannot express here (-EDOM: a call that only other
 * architectures have) allows nothing, which is the safe side.
 */
static bool
rule_add(scmp_filter_ctx filter, uint32_t action, const char *name,
    const struct scmp_arg_cmp *arg, struct error *err)
{
	int number = seccomp_syscall_resolve_name(name);
	int rc;

	if (number == __NR_SCMP_ERROR)
		return true;
	rc = seccomp_rule_add_array(filter, action, number, arg ? 1 : 0, arg);
	if (rc != 0 && rc != -EDOM && rc != -EEXIST)
		return filter_error(err, name, rc);
	return true;
}

static bool
calls_allow(scmp_filter_ctx filter, const char *const *names, struct error *err)
{
	for (; *names; names++)
		if (!rule_add(filter, SCMP_ACT_ALLOW, *names, NULL, err))
			return false;
	return true;
}

static bool
rules_put(scmp_filter_ctx filter, uint32_t action,
    const struct argument_rule *rules, struct error *err)
{
	for (; rules->name; rules++) {
		struct scmp_arg_cmp arg = {
		    .arg = rules->index,
		    .op = SCMP_CMP_MASKED_EQ,
		    .datum_a = rules->mask,
		    .datum_b = rules->value,
		};

		if (!rule_add(filter, action, rules->name, &arg, err))
			return false;
	}
	return true;
}

/* abort() and pthread_kill() reach this process only. */
static bool
own_signals_allow(scmp_filter_ctx filter, struct error *err)
{
	const struct argument_rule rules[] = {
	    {"tgkill", 0, LOW_BITS, (uint32_t)getpid()},
	    {0},
	};

	return rules_put(filter, SCMP_ACT_ALLOW, rules, err);
}

/*
 * A tracer that answers a call itself, as the fault tests do, sets its number
 * to -1, which does nothing but fail. Forbidden, every such fault would be a
 * death instead of the error it is meant to be.
 */
static bool
skipped_allow(scmp_filter_ctx filter, struct error *err)
{
	int rc = seccomp_attr_set(filter, SCMP_FLTATR_API_TSKIP, 1);

	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, -1, 0);
	return rc == 0 || filter_error(err, "skipped calls", rc);
}

static bool
server_allow(scmp_filter_ctx filter, struct error *err)
{
	if (!calls_allow(filter, calls_server, err) ||
	    !rules_put(filter, SCMP_ACT_ALLOW, rules_server, err))
		return false;
	for (size_t i = 0; i < sizeof(calls_refused) / sizeof(calls_refused[0]);
	     i++)
		if (!rule_add(filter,
			SCMP_ACT_ERRNO((uint16_t)calls_refused[i].error),
			calls_refused[i].name, NULL, err))
			return false;
	return true;
}

static bool
filter_build(
    scmp_filter_ctx filter, enum sandbox_profile profile, struct error *err)
{
	if (!calls_allow(filter, calls_common, err) ||
	    !rules_put(filter, SCMP_ACT_ALLOW, rules_memory, err) ||
	    !rules_put(filter, SCMP_ACT_ERRNO(EACCES), rules_executable, err) ||
	    !own_signals_allow(filter, err) || !skipped_allow(filter, err))
		return false;
	if (profile == SANDBOX_SERVER && !server_allow(filter, err))
		return false;
	if (profile == SANDBOX_READER &&
	    !rules_put(filter, SCMP_ACT_ALLOW, rules_reader, err))
		return false;
	if (!SANDBOX_SANITIZED)
		return true;
	return calls_allow(filter, calls_sanitized, err) &&
	    (profile != SANDBOX_SERVER ||
		calls_allow(filter, calls_sanitized_server, err));
}

static bool
filter_load(
    scmp_filter_ctx filter, enum sandbox_profile profile, struct error *err)
{
	int rc;

	rc = seccomp_attr_set(
	    filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	if (rc == 0)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	/* A binary tree: the list is long and calls are many. */
	if (rc == 0)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc != 0)
		return filter_error(err, "attributes", rc);
	if (!filter_build(filter, profile, err))
		return false;
	rc = seccomp_load(filter);
	if (rc != 0)
		return filter_error(err, "cannot load", rc);
	return true;
}

bool
sandbox_seccomp_enter(
    enum sandbox_profile profile, struct sandbox_part *part, struct error *err)
{
	scmp_filter_ctx filter;
	bool ok;

	/* Fails where the kernel was built without it. */
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0)
		return true;
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return error_set(
		    err, ERR_INTERNAL, "sandbox: seccomp: no filter");
	ok = filter_load(filter, profile, err);
	seccomp_release(filter);
	part->available = ok;
	return ok;
}
