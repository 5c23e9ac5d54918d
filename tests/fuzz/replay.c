/*
 * Stands in for libFuzzer in ordinary builds: gives every file of the directories (or files) named on
 * the command line to the target, in the order of their names, and prints TAP. A finding ends the
 * process, as it does under the fuzzer.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "tests/fuzz/fuzz.h"

enum { INPUT_MAX = 4 << 20 };

static int replay_file(int dirfd, const char *name)
{
	_cleanup_buf_ struct buf text = {};
	_cleanup_free_ char *exact = NULL;
	struct err e;

	if (files_read(dirfd, name, INPUT_MAX, &text, &e) < 0) {
		printf("Bail out! %s\n", e.msg);
		return -1;
	}
	/* a block of the very size, so that a sanitizer sees a read past the end */
	exact = malloc(text.n);
	if (text.n) {
		memcpy(exact, text.p, text.n);
	}
	(void)LLVMFuzzerTestOneInput((const uint8_t *)exact, text.n);
	return 0;
}

static int is_input(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

static int replay_dir(const char *path, int *count)
{
	_cleanup_close_ int dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent **list = NULL;
	int n = dirfd < 0 ? -1 : scandir(path, &list, is_input, alphasort);
	int r = n < 0 ? -1 : 0;

	for (int i = 0; i < n; i++) {
		if (r == 0) {
			r = replay_file(dirfd, list[i]->d_name);
			printf("%sok %d - %s\n", r < 0 ? "not " : "", ++*count, list[i]->d_name);
			fflush(stdout);
		}
		free(list[i]);
	}
	free(list);
	if (n < 0) {
		printf("Bail out! cannot read '%s': %s\n", path, err_text(errno));
	}
	return r;
}

int main(int argc, char **argv)
{
	int count = 0;

	for (int i = 1; i < argc; i++) {
		if (replay_dir(argv[i], &count) < 0) {
			return 1;
		}
	}
	printf("1..%d\n", count);
	return 0;
}
