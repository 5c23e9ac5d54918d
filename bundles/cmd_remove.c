#include <errno.h>
#include <stddef.h>

#include "bundles/bundle.h"
#include "bundles/verbs.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/paths.h"

static const struct cli_option options[] = {
	{"prefix", 0, CLI_STRING, offsetof(struct globals, prefix), "DIR",
		"keep everything below DIR instead of /"},
	{},
};

static const struct cli cli = {
	.usage = "fief-bundle remove UID [options]",
	.about = "Removes a container's bundle and record. Refused while it is prepared or runs.",
	.options = options,
};

int cmd_remove(const void *globals, int argc, char **argv)
{
	const struct globals *g = globals;
	struct globals o = *g;
	struct bundle_env env = {};
	struct err e = {};
	unsigned long uid;
	int at = cli_parse(&cli, argc, argv, &o, &e);

	if (at >= 0 && argc - at != 1) {
		at = err_set(&e, -EINVAL, "one uid is needed");
	}
	if (at < 0) {
		return cli_failure(&cli, at, &e);
	}
	env.prefix = o.prefix;
	if (cli_number(argv[at], UID_LAST, &uid, &e) < 0 ||
		bundle_remove(&env, (uint32_t)uid, &e) < 0) {
		return log_failure(&e);
	}
	return 0;
}
