#include <errno.h>

#include "lib/cli.h"
#include "lib/err.h"
#include "lib/log.h"
#include "shim/bundle.h"
#include "shim/prepare.h"
#include "shim/verbs.h"

struct options {
	const char *prefix;
};

static const struct cli_option table[] = {
	{"prefix", 0, CLI_STRING, offsetof(struct options, prefix), "DIR",
		"put all of fief's paths below DIR"},
	{},
};

static int on_bundle(const struct cli *cli, int argc, char **argv, struct bundle *ret)
{
	struct options options = {};
	struct err e = {};
	int at = cli_parse(cli, argc, argv, &options, &e);

	if (at >= 0 && argc - at != 1) {
		at = err_set(&e, -EINVAL, "exactly one bundle is needed");
	}
	if (at < 0) {
		return cli_failure(cli, at, &e);
	}
	return bundle_open(argv[at], options.prefix, ret, &e) < 0 ? log_failure(&e) : -1;
}

int verb_prepare([[maybe_unused]] const void *globals, int argc, char **argv)
{
	static const struct cli cli = {
		.usage = "fief-shim prepare BUNDLE [--prefix DIR]",
		.about = "Mounts the image and the customer's home into the bundle, so that any "
			 "OCI\n"
			 "runtime can run it. Refuses a bundle that is prepared already.",
		.options = table,
	};
	_cleanup_bundle_ struct bundle b = {.dir_fd = -1};
	struct err e = {};
	int status = on_bundle(&cli, argc, argv, &b);

	if (status >= 0) {
		return status;
	}
	return prepare_bundle(&b, -1, &e) < 0 ? log_failure(&e) : 0;
}

int verb_release([[maybe_unused]] const void *globals, int argc, char **argv)
{
	static const struct cli cli = {
		.usage = "fief-shim release BUNDLE [--prefix DIR]",
		.about = "Unmounts everything that prepare mounted. Nothing to unmount is fine.",
		.options = table,
	};
	_cleanup_bundle_ struct bundle b = {.dir_fd = -1};
	struct err e = {};
	int status = on_bundle(&cli, argc, argv, &b);

	if (status >= 0) {
		return status;
	}
	return prepare_release(&b, &e) < 0 ? log_failure(&e) : 0;
}
