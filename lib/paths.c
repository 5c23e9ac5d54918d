#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/paths.h"

static const char *const paths[PATH_ID_MAX] = {
	[PATH_CONTAINERS] = "/containers",
	[PATH_RECORDS] = "/var/lib/fief/containers",
	[PATH_IMAGES] = "/var/lib/fief/images",
	[PATH_BUNDLES] = "/var/lib/fief/bundles",
	[PATH_SHIM_STATE] = "/var/lib/fief/shim",
	[PATH_RUNTIME] = "/run/fief/runtime",
	[PATH_SHIM_RUN] = "/run/fief/shim",
	[PATH_ROUTER_RUN] = "/run/fief/router",
	[PATH_SUBSCRIBE] = "/run/fief/subscribe",
	[PATH_KEYS] = "/etc/fief/keys",
};

char *path_of(const char *prefix, enum path_id id, const char *tail)
{
	char *path;

	if (asprintf(&path, "%s%s%s%s", prefix ? prefix : "", paths[id], tail ? "/" : "",
		    tail ? tail : "") < 0) {
		abort(); /* fixed small allocation */
	}
	return path;
}

uint32_t ids_base(uint32_t uid)
{
	return IDS_BASE + (uid - UID_FIRST) * IDS_PER_CONTAINER;
}

/* Directory of the running executable, in dir[PATH_MAX]. */
static int executable_dir(char *dir, struct err *e)
{
	ssize_t n = readlink("/proc/self/exe", dir, PATH_MAX - 1);
	char *slash;

	if (n < 0) {
		return err_errno(e, "read '/proc/self/exe'");
	}
	dir[n] = '\0';
	slash = strrchr(dir, '/');
	if (!slash) {
		return err_set(e, -ENOENT, "'/proc/self/exe' is '%s'", dir);
	}
	*slash = '\0';
	return 0;
}

char *path_program(const char *name, struct err *e)
{
	char dir[PATH_MAX];
	char *path;

	if (executable_dir(dir, e) < 0) {
		return NULL;
	}
	if (asprintf(&path, "%s/%s", dir, name) < 0) {
		abort();
	}
	if (access(path, X_OK) < 0) {
		(void)err_errno(e, "program '%s'", path);
		free(path);
		return NULL;
	}
	return path;
}

char *path_container_dir(struct err *e)
{
	static const char *const places[] = {"shim/container", "../lib/fief/container"};
	char dir[PATH_MAX];

	if (executable_dir(dir, e) < 0) {
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		char *path;

		if (asprintf(&path, "%s/%s", dir, places[i]) < 0) {
			abort();
		}
		if (access(path, X_OK) == 0) {
			return path;
		}
		free(path);
	}
	(void)err_set(e, -ENOENT,
		"directory 'shim/container' is missing beside '%s' and in "
		"'%s/../lib/fief'",
		dir, dir);
	return NULL;
}
