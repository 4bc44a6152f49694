/* SPDX-License-Identifier: Apache-2.0 */
#include "io/sandbox_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/*
 * Rights newer than the headers of Debian 12. The kernel tells at run time
 * which of them it knows (its "ABI"); the rest is left out.
 */
#define FS_REFER     (1ULL << 13) /* ABI 2 */
#define FS_TRUNCATE  (1ULL << 14) /* ABI 3 */
#define NET_BIND_TCP (1ULL << 0)  /* ABI 4 */
#define FS_IOCTL_DEV (1ULL << 15) /* ABI 5 */

#define FS_ABI_1 ((1ULL << 13) - 1)

/* What a file, as opposed to a folder, can be allowed. */
#define FS_OF_FILES                                                            \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE |           \
	    LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV)

#define FS_READ (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)

#define FS_WRITE                                                               \
	(FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE |                             \
	    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |   \
	    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR |        \
	    FS_REFER | FS_TRUNCATE)

/* struct landlock_ruleset_attr as of ABI 4. */
struct ruleset {
	uint64_t handled_fs;
	uint64_t handled_net;
};

/* Where a sanitizer's leak check finds the threads it has to stop. */
static const char *const sanitizer_folders[] = {"/proc", NULL};

/* The kernel's ABI, or 0: not built in, not switched on, or filtered away. */
static int
abi_get(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, (size_t)0,
	    LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

static struct ruleset
ruleset_for(int abi)
{
	struct ruleset r = {.handled_fs = FS_ABI_1};

	if (abi >= 2)
		r.handled_fs |= FS_REFER;
	if (abi >= 3)
		r.handled_fs |= FS_TRUNCATE;
	if (abi >= 4)
		r.handled_net = NET_BIND_TCP;
	if (abi >= 5)
		r.handled_fs |= FS_IOCTL_DEV;
	return r;
}

static bool
landlock_error(struct error *err, const char *what)
{
	return error_set(
	    err, ERR_IO, "sandbox: landlock: %s: %s", what, strerror(errno));
}

static bool
rule_add(
    int ruleset, const char *path, int fd, uint64_t access, struct error *err)
{
	struct landlock_path_beneath_attr rule = {
	    .allowed_access = access,
	    .parent_fd = fd,
	};
	struct stat st;

	if (fstat(fd, &st) != 0)
		return landlock_error(err, path);
	if (!S_ISDIR(st.st_mode))
		rule.allowed_access &= FS_OF_FILES;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
		&rule, 0) != 0)
		return landlock_error(err, path);
	return true;
}

static bool
rules_add(int ruleset, const char *const *paths, uint64_t access,
    bool may_be_missing, struct error *err)
{
	for (; paths && *paths; paths++) {
		int fd = open(*paths, O_PATH | O_CLOEXEC);
		bool ok;

		if (fd < 0 && errno == ENOENT && may_be_missing)
			continue;
		if (fd < 0)
			return landlock_error(err, *paths);
		ok = rule_add(ruleset, *paths, fd, access, err);
		(void)close(fd);
		if (!ok)
			return false;
	}
	return true;
}

static bool
ruleset_enforce(int ruleset, const struct sandbox_options *options,
    uint64_t handled, struct error *err)
{
	if (!rules_add(
		ruleset, options->read_write, FS_WRITE & handled, false, err) ||
	    !rules_add(
		ruleset, options->read_only, FS_READ & handled, true, err))
		return false;
	if (SANDBOX_SANITIZED &&
	    !rules_add(
		ruleset, sanitizer_folders, FS_READ & handled, true, err))
		return false;
	if (syscall(SYS_landlock_restrict_self, ruleset, 0) != 0)
		return landlock_error(err, "cannot restrict");
	return true;
}

bool
sandbox_landlock_enter(const struct sandbox_options *options,
    struct sandbox_part *part, struct error *err)
{
	int abi = abi_get();
	struct ruleset attr = ruleset_for(abi);
	int ruleset;
	bool ok;

	*part = (struct sandbox_part){.available = abi > 0, .level = abi};
	if (abi == 0)
		return true;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr,
	    abi >= 4 ? sizeof(attr) : sizeof(attr.handled_fs), 0);
	if (ruleset < 0)
		return landlock_error(err, "cannot make a rule set");
	ok = ruleset_enforce(ruleset, options, attr.handled_fs, err);
	(void)close(ruleset);
	return ok;
}
