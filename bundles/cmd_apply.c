/* apply and check: the same work, with and without writing. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "bundles/bundle.h"
#include "bundles/verbs.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/log.h"

static const struct cli_option options[] = {
	{"prefix", 0, CLI_STRING, offsetof(struct globals, prefix), "DIR",
		"keep everything below DIR instead of /"},
	{"etc", 0, CLI_STRING, offsetof(struct globals, etc), "DIR",
		"where the host's passwd, group, subuid and subgid are (default: /etc)"},
	{},
};

static const struct cli apply_cli = {
	.usage = "fief-bundle apply RECORD.json|-",
	.about = "Makes or changes a container's bundle and keeps the record. '-': standard input.",
	.options = options,
};

static const struct cli check_cli = {
	.usage = "fief-bundle check RECORD.json|-",
	.about = "Says what is wrong with a record, and changes nothing. '-': standard input.",
	.options = options,
};

typedef int work_fn(
	const struct bundle_env *env, const struct json *root, uint32_t *ret_uid, struct err *e);

static int work(
	const struct globals *g, const char *path, work_fn *fn, uint32_t *ret_uid, struct err *e)
{
	const struct bundle_env env = {.prefix = g->prefix, .etc = g->etc ? g->etc : "/etc"};
	bool from_stdin = strcmp(path, "-") == 0;
	_cleanup_json_ struct json_doc *doc = NULL;
	int r = json_load(AT_FDCWD, from_stdin ? "/dev/stdin" : path, NULL, &doc, e);

	if (r < 0) {
		return r;
	}
	r = fn(&env, json_root(doc), ret_uid, e);
	return r < 0 ? err_wrap(e, r, "record '%s'", path) : 0;
}

static int run(const struct globals *g, int argc, char **argv, const struct cli *cli, work_fn *fn)
{
	struct globals o = *g;
	struct err e = {};
	uint32_t uid = 0;
	int at = cli_parse(cli, argc, argv, &o, &e);

	if (at >= 0 && argc - at != 1) {
		at = err_set(&e, -EINVAL, "one record is needed");
	}
	if (at < 0) {
		return cli_failure(cli, at, &e);
	}
	return work(&o, argv[at], fn, &uid, &e) < 0 ? log_failure(&e) : 0;
}

int cmd_apply(const void *globals, int argc, char **argv)
{
	const struct globals *g = globals;
	return run(g, argc, argv, &apply_cli, bundle_apply);
}

int cmd_check(const void *globals, int argc, char **argv)
{
	const struct globals *g = globals;
	return run(g, argc, argv, &check_cli, bundle_check);
}
