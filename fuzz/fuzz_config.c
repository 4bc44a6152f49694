/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "core/base/cleanup.h"
#include "server/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
parse(const char *dir, struct bytes text, struct config *c)
{
	struct error err = {0};

	if (!config_defaults(dir, c, &err))
		abort();
	if (config_parse(text, "file", c, &err))
		return true;
	/* Whatever is wrong has a place and a sentence. */
	if (err.code != ERR_SYNTAX || strncmp(err.text, "file:", 5) != 0)
		abort();
	return false;
}

/* What was read and is written again reads the same. */
static void
round_trip(const char *dir, struct bytes text)
{
	AUTO(buf) once = BUF_INIT(4 * CONFIG_MAX_LEN);
	AUTO(buf) twice = BUF_INIT(4 * CONFIG_MAX_LEN);
	AUTO(config) c = {0}, again = {0};
	char restart[200];

	if (!parse(dir, text, &c))
		return;
	config_format(&c, &once);
	if (once.failed || !parse(dir, buf_bytes(&once), &again))
		abort();
	config_format(&again, &twice);
	if (!bytes_equal(buf_bytes(&once), buf_bytes(&twice)))
		abort();
	config_apply(&c, &again, restart, sizeof(restart));
	{
		struct error err = {0};

		(void)!config_check(&c, NULL, &err);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = bytes_of(data, size);

	if (size > CONFIG_MAX_LEN)
		return 0;
	round_trip("/log", text);
	round_trip("log", text);
	return 0;
}
