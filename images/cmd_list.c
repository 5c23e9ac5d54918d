#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "images/verbs.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/manifest.h"
#include "lib/paths.h"

struct options {
	const char *prefix;
	bool json;
};

static const struct cli_option options[] = {
	{"json", 0, CLI_FLAG, offsetof(struct options, json), NULL, "print an array for programs"},
	{"prefix", 0, CLI_STRING, offsetof(struct options, prefix), "DIR",
		"keep everything below DIR instead of /"},
	{},
};

static const struct cli cli = {
	.usage = "fief-image list [options]",
	.about = "Names the images of this machine.",
	.options = options,
};

/* Hidden directories are work in progress, other names are not ours. */
static int is_image(const struct dirent *d)
{
	return manifest_name_ok(d->d_name);
}

static void put(struct json_out *o, const struct manifest *m)
{
	json_out_object(o, NULL);
	json_out_str(o, "name", m->name);
	json_out_str(o, "architecture", m->architecture);
	json_out_str(o, "recipe", m->recipe);
	json_out_str(o, "digest", m->digest);
	json_out_str(o, "created", m->created);
	if (m->uwsgi[0]) {
		json_out_str(o, "uwsgi", m->uwsgi);
	} else {
		json_out_null(o, "uwsgi");
	}
	json_out_object_end(o);
}

static void print_one(const struct options *o, struct json_out *out, const struct manifest *m)
{
	if (o->json) {
		put(out, m);
	} else {
		printf("%-24s %-6s %-14s %s  %.19s\n", m->name, m->architecture, m->recipe,
			m->created, m->digest);
	}
}

/* An image that cannot be read is named, and the others are listed. */
static int list_all(const struct options *o, struct dirent **list, int n)
{
	_cleanup_buf_ struct buf b = {};
	struct json_out out = {.to = &b, .indent = true};
	int status = 0;

	json_out_array(&out, NULL);
	for (int i = 0; i < n; i++) {
		struct manifest m;
		struct err e = {};

		if (manifest_open(o->prefix, list[i]->d_name, &m, NULL, &e) < 0) {
			status = log_failure(&e);
		} else {
			print_one(o, &out, &m);
		}
	}
	json_out_array_end(&out);
	if (o->json) {
		(void)fwrite(b.p, 1, b.n, stdout);
	}
	return buf_failed(&b) ? 1 : status;
}

int cmd_list(const void *globals, int argc, char **argv)
{
	const struct globals *g = globals;
	struct options o = {.prefix = g->prefix};
	_cleanup_free_ char *store = NULL;
	struct dirent **list = NULL;
	struct err e = {};
	int at = cli_parse(&cli, argc, argv, &o, &e);
	int n, status;

	if (at >= 0 && at != argc) {
		at = err_set(&e, -EINVAL, "unexpected '%s'", argv[at]);
	}
	if (at < 0) {
		return cli_failure(&cli, at, &e);
	}
	store = path_of(o.prefix, PATH_IMAGES, NULL);
	n = scandir(store, &list, is_image, alphasort);
	if (n < 0 && errno != ENOENT) {
		(void)err_errno(&e, "read directory '%s'", store);
		return log_failure(&e);
	}
	n = n < 0 ? 0 : n;
	status = list_all(&o, list, n);
	for (int i = 0; i < n; i++) {
		free(list[i]);
	}
	free(list);
	return status;
}
