/* list and show: what the store of records holds. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bundles/record.h"
#include "bundles/verbs.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/paths.h"

struct options {
	const char *prefix;
	bool json;
};

static const struct cli_option list_options[] = {
	{"json", 0, CLI_FLAG, offsetof(struct options, json), NULL, "print an array for programs"},
	{"prefix", 0, CLI_STRING, offsetof(struct options, prefix), "DIR",
		"keep everything below DIR instead of /"},
	{},
};

static const struct cli list_cli = {
	.usage = "fief-bundle list [options]",
	.about = "Names the containers of this machine.",
	.options = list_options,
};

static const struct cli_option show_options[] = {
	{"prefix", 0, CLI_STRING, offsetof(struct options, prefix), "DIR",
		"keep everything below DIR instead of /"},
	{},
};

static const struct cli show_cli = {
	.usage = "fief-bundle show UID [options]",
	.about = "Prints the record of a container, with all defaults (JSON).",
	.options = show_options,
};

/* Reads a record of the store; its strings live in *doc. */
static int load(const char *prefix, const char *file, struct json_doc **doc, struct record *ret,
	struct err *e)
{
	_cleanup_free_ char *path = path_of(prefix, PATH_RECORDS, file);
	int r = json_load(AT_FDCWD, path, NULL, doc, e);

	if (r < 0) {
		return r;
	}
	r = record_parse(json_root(*doc), ret, e);
	return r < 0 ? err_wrap(e, r, "record '%s'", path) : 0;
}

static int is_record(const struct dirent *d)
{
	size_t n = strlen(d->d_name);

	return d->d_name[0] != '.' && n > 5 && strcmp(d->d_name + n - 5, ".json") == 0;
}

static void print_one(const struct options *o, const struct record *r, struct json_out *out)
{
	if (!o->json) {
		printf("%-6u %-24s %-20s %6llu MiB\n", r->uid, r->name, r->image,
			(unsigned long long)(r->memory >> 20));
		return;
	}
	json_out_object(out, NULL);
	json_out_u64(out, "uid", r->uid);
	json_out_str(out, "name", r->name);
	json_out_str(out, "image", r->image);
	json_out_u64(out, "memory", r->memory);
	json_out_object_end(out);
}

/* A record that cannot be read is named, and the others are listed. */
static int list_all(const struct options *o, struct dirent **list, int n)
{
	_cleanup_buf_ struct buf b = {};
	struct json_out out = {.to = &b, .indent = true};
	int status = 0;

	json_out_array(&out, NULL);
	for (int i = 0; i < n; i++) {
		_cleanup_json_ struct json_doc *doc = NULL;
		_cleanup_record_ struct record r = {};
		struct err e = {};

		if (load(o->prefix, list[i]->d_name, &doc, &r, &e) < 0) {
			status = log_failure(&e);
		} else {
			print_one(o, &r, &out);
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
	int at = cli_parse(&list_cli, argc, argv, &o, &e);
	int n, status;

	if (at >= 0 && at != argc) {
		at = err_set(&e, -EINVAL, "unexpected '%s'", argv[at]);
	}
	if (at < 0) {
		return cli_failure(&list_cli, at, &e);
	}
	store = path_of(o.prefix, PATH_RECORDS, NULL);
	n = scandir(store, &list, is_record, alphasort);
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

static int show(const struct options *o, const char *text, struct err *e)
{
	_cleanup_json_ struct json_doc *doc = NULL;
	_cleanup_record_ struct record record = {};
	_cleanup_buf_ struct buf b = {};
	unsigned long uid;
	char file[32];
	int r = cli_number(text, UID_LAST, &uid, e);

	if (r < 0) {
		return r;
	}
	(void)snprintf(file, sizeof(file), "%lu.json", uid);
	r = load(o->prefix, file, &doc, &record, e);
	if (r < 0) {
		return r;
	}
	record_write(&record, &b);
	(void)fwrite(b.p, 1, b.n, stdout);
	return buf_failed(&b) ? err_set(e, -ENOMEM, "out of memory") : 0;
}

int cmd_show(const void *globals, int argc, char **argv)
{
	const struct globals *g = globals;
	struct options o = {.prefix = g->prefix};
	struct err e = {};
	int at = cli_parse(&show_cli, argc, argv, &o, &e);

	if (at >= 0 && argc - at != 1) {
		at = err_set(&e, -EINVAL, "one uid is needed");
	}
	if (at < 0) {
		return cli_failure(&show_cli, at, &e);
	}
	return show(&o, argv[at], &e) < 0 ? log_failure(&e) : 0;
}
