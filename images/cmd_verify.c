#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "images/digest.h"
#include "images/verbs.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/log.h"
#include "lib/manifest.h"

struct options {
	const char *prefix;
	bool quiet;
};

static const struct cli_option options[] = {
	{"quiet", 'q', CLI_FLAG, offsetof(struct options, quiet), NULL, "print failures only"},
	{"prefix", 0, CLI_STRING, offsetof(struct options, prefix), "DIR",
		"keep everything below DIR instead of /"},
	{},
};

static const struct cli cli = {
	.usage = "fief-image verify NAME [options]",
	.about = "Computes the digest of an image anew and compares it with the manifest.",
	.options = options,
};

static int verify(const struct options *o, const char *name, struct err *e)
{
	_cleanup_close_ int fd = -1, rootfd = -1;
	char digest[DIGEST_TEXT];
	struct manifest m;
	int r = manifest_open(o->prefix, name, &m, &fd, e);

	if (r < 0) {
		return r;
	}
	rootfd = files_open_beneath(fd, "rootfs", O_RDONLY | O_DIRECTORY, 0, e);
	r = rootfd < 0 ? rootfd : digest_tree(rootfd, digest, e);
	if (r < 0) {
		return err_wrap(e, r, "image '%s'", name);
	}
	if (strcmp(digest, m.digest) != 0) {
		return err_set(e, -EBADMSG,
			"image '%s' was changed: its digest is %s, the manifest says %s", name,
			digest, m.digest);
	}
	if (!o->quiet) {
		printf("image '%s' is as it was made: %s\n", name, digest);
	}
	return 0;
}

int cmd_verify(const void *globals, int argc, char **argv)
{
	const struct globals *g = globals;
	struct options o = {.prefix = g->prefix};
	struct err e = {};
	int at = cli_parse(&cli, argc, argv, &o, &e);

	if (at >= 0 && argc - at != 1) {
		at = err_set(&e, -EINVAL, "one image name is needed");
	}
	if (at < 0) {
		return cli_failure(&cli, at, &e);
	}
	return verify(&o, argv[at], &e) < 0 ? log_failure(&e) : 0;
}
