/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * Runs a fuzz target once over every file named, and every file in every folder
 * named; and over each of them cut short and with single bytes changed, so that
 * a plain `make check` has some teeth. Prints how many inputs it ran.
 */
static unsigned long runs;

static void
run(const uint8_t *data, size_t size)
{
	/* A copy of exactly that size, so that sanitizers see its end. */
	uint8_t *copy = malloc(size ? size : 1);

	if (!copy)
		abort();
	if (size > 0)
		memcpy(copy, data, size);
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	runs++;
}

static void
run_variants(uint8_t *data, size_t size)
{
	size_t step = size / 64 + 1;

	run(data, size);
	for (size_t i = 0; i < size; i += step) {
		uint8_t was = data[i];

		run(data, i);
		data[i] ^= 1;
		run(data, size);
		data[i] = 0xff;
		run(data, size);
		data[i] = was;
	}
}

static int
run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *data = malloc(INPUT_MAX);
	size_t n;

	if (!f || !data) {
		perror(path);
		return 1;
	}
	n = fread(data, 1, INPUT_MAX, f);
	(void)fclose(f);
	run_variants(data, n);
	free(data);
	return 0;
}

static int
run_path(const char *path)
{
	struct dirent *e;
	struct stat st;
	DIR *d;
	int rc = 0;

	if (stat(path, &st) != 0) {
		perror(path);
		return 1;
	}
	if (!S_ISDIR(st.st_mode))
		return run_file(path);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		char child[4096];

		if (e->d_name[0] == '.')
			continue;
		(void)snprintf(child, sizeof(child), "%s/%s", path, e->d_name);
		rc |= run_path(child);
	}
	if (d)
		(void)closedir(d);
	return rc;
}

int
main(int argc, char **argv)
{
	int rc = 0;

	run((const uint8_t *)"", 0);
	for (int i = 1; i < argc; i++)
		rc |= run_path(argv[i]);
	(void)printf("%lu inputs\n", runs);
	return rc;
}
