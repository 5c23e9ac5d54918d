#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "images/verbs.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/manifest.h"
#include "lib/paths.h"
#include "lib/staging.h"

struct options {
	const char *prefix;
	bool force;
};

static const struct cli_option options[] = {
	{"force", 'f', CLI_FLAG, offsetof(struct options, force), NULL,
		"also when a container record names it"},
	{"prefix", 0, CLI_STRING, offsetof(struct options, prefix), "DIR",
		"keep everything below DIR instead of /"},
	{},
};

static const struct cli cli = {
	.usage = "fief-image rm NAME [options]",
	.about = "Removes an image. Refused while a container record names it.",
	.options = options,
};

/* A record that cannot be read might name the image: that is a refusal too. */
static int check_record(int dirfd, const char *file, const char *name, struct err *e)
{
	_cleanup_json_ struct json_doc *doc = NULL;
	const struct json *image;
	int r = json_load(dirfd, file, NULL, &doc, e);

	if (r < 0) {
		return err_wrap(e, r, "container record");
	}
	image = json_root(doc)->type == JSON_OBJECT ? json_get(json_root(doc), "image") : NULL;
	if (image && image->type == JSON_STRING && strcmp(image->text, name) == 0) {
		return err_set(e, -EBUSY, "image '%s' is used by container '%.*s'", name,
			(int)(strlen(file) - 5), file);
	}
	return 0;
}

static bool is_record(const char *file)
{
	size_t n = strlen(file);

	return file[0] != '.' && n > 5 && strcmp(file + n - 5, ".json") == 0;
}

static int check_unused(const char *prefix, const char *name, struct err *e)
{
	_cleanup_free_ char *path = path_of(prefix, PATH_RECORDS, NULL);
	_cleanup_dir_ DIR *dir = opendir(path);
	struct dirent *d;
	int r = 0;

	if (!dir) {
		return errno == ENOENT ? 0 : err_errno(e, "open '%s'", path);
	}
	while (r == 0 && (d = readdir(dir))) {
		if (is_record(d->d_name)) {
			r = check_record(dirfd(dir), d->d_name, name, e);
		}
	}
	return r;
}

static int rm(const struct options *o, const char *name, struct err *e)
{
	_cleanup_free_ char *store = path_of(o->prefix, PATH_IMAGES, NULL);
	_cleanup_close_ int fd = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (!manifest_name_ok(name)) {
		return err_set(e, -EINVAL, "'%s' is not an image name", name);
	}
	if (fd < 0 || faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
		return err_set(e, -ENOENT, "there is no image '%s'", name);
	}
	if (!o->force) {
		r = check_unused(o->prefix, name, e);
	}
	return r < 0 ? r : staging_remove(fd, name, e);
}

int cmd_rm(const void *globals, int argc, char **argv)
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
	return rm(&o, argv[at], &e) < 0 ? log_failure(&e) : 0;
}
