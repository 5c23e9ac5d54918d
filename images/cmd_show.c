#include <errno.h>
#include <stddef.h>
#include <stdio.h>

#include "images/verbs.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/log.h"
#include "lib/manifest.h"

struct options {
	const char *prefix;
};

static const struct cli_option options[] = {
	{"prefix", 0, CLI_STRING, offsetof(struct options, prefix), "DIR",
		"keep everything below DIR instead of /"},
	{},
};

static const struct cli cli = {
	.usage = "fief-image show NAME [options]",
	.about = "Prints the manifest of an image (JSON).",
	.options = options,
};

static int show(const struct options *o, const char *name, struct err *e)
{
	_cleanup_buf_ struct buf b = {};
	_cleanup_close_ int fd = -1;
	struct manifest m;
	int r = manifest_open(o->prefix, name, &m, &fd, e);

	if (r == 0) {
		r = files_read(fd, "manifest.json", 1 << 16, &b, e);
	}
	if (r < 0) {
		return r;
	}
	(void)fwrite(b.p, 1, b.n, stdout);
	return 0;
}

int cmd_show(const void *globals, int argc, char **argv)
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
	return show(&o, argv[at], &e) < 0 ? log_failure(&e) : 0;
}
