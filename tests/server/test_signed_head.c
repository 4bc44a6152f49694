/* SPDX-License-Identifier: Apache-2.0 */
#include "server/signed_head.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include <cmocka.h>

/*
 * --wrap=statfs: by path, on no disk.
 */
int __wrap_statfs(const char *path, struct statfs *out);

int
__wrap_statfs(const char *path, struct statfs *out)
{
	*out = (struct statfs){.f_type = 0xef53};
	if (strncmp(path, "/nfs/", 5) == 0)
		out->f_type = 0x6969;
	if (strncmp(path, "/closed/", 8) == 0)
		errno = EACCES;
	else if (strstr(path, "absent"))
		errno = ENOENT;
	else
		return 0;
	return -1;
}

static void
test_local(void **state)
{
	static const struct {
		const char *database, *guard, *copy;
		enum error_code code;
	} cases[] = {
	    {"/disk/db", "/disk/guard", "/other/guard", ERR_NONE},
	    {"/disk/db", "/disk/absent", "/disk/absent/guard", ERR_NONE},
	    {"/disk/db", "/closed/guard", "guard", ERR_NONE},
	    {"/disk/db", "/disk/guard", "absent", ERR_NONE},
	    {"/absent", "/disk/guard", "/disk/guard", ERR_NOTFOUND},
	    {"/nfs/db", "/disk/guard", "/disk/guard", ERR_DENIED},
	    {"/disk/db", "/nfs/guard", "/disk/guard", ERR_DENIED},
	    {"/disk/db", "/nfs/absent", "/disk/guard", ERR_DENIED},
	    {"/disk/db", "/disk/guard", "/nfs/guard", ERR_DENIED},
	    {"/disk/db", "/disk/guard", "/nfs/absent", ERR_DENIED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config c = {
		    .database = strdup(cases[i].database),
		    .guard = strdup(cases[i].guard),
		    .guard_copies = {.items = {strdup(cases[i].copy)},
			.count = 1},
		};
		struct error err = {0};

		assert_int_equal(
		    log_local(&c, &err), cases[i].code == ERR_NONE);
		assert_int_equal(err.code, cases[i].code);
		if (err.code == ERR_DENIED)
			assert_string_equal(
			    error_reason_name(&err), "network-file-system");
		free(c.guard_copies.items[0]);
		free(c.database);
		free(c.guard);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_local)};

	return cmocka_run_group_tests_name("signed_head", tests, NULL, NULL);
}
