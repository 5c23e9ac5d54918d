#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "images/digest.h"
#include "images/seal.h"
#include "images/tree.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/manifest.h"
#include "lib/paths.h"

int seal_begin(
	const char *prefix, const char *name, struct staging *ret, int *ret_rootfd, struct err *e)
{
	_cleanup_staging_ struct staging s = STAGING_INIT;
	_cleanup_free_ char *store = path_of(prefix, PATH_IMAGES, NULL);
	int r, fd;

	if (!manifest_name_ok(name)) {
		return err_set(e, -EINVAL, "'%s' is not an image name", name);
	}
	r = staging_begin(store, name, &s, e);
	if (r == -EEXIST) {
		return err_set(e, r, "image '%s' exists already (remove it with 'rm')", name);
	}
	if (r < 0) {
		return r;
	}
	fd = files_mkdir_open(s.fd, "rootfs", 0755, e);
	if (fd < 0) {
		return fd;
	}
	*ret_rootfd = fd;
	*ret = s;
	s = STAGING_INIT; /* handed over */
	return 0;
}

static void describe(struct manifest *m, const char *architecture, const char *uwsgi)
{
	time_t now = time(NULL);
	struct tm tm;

	(void)snprintf(m->architecture, sizeof(m->architecture), "%s", architecture);
	(void)snprintf(m->uwsgi, sizeof(m->uwsgi), "%s", uwsgi ? uwsgi : "");
	(void)gmtime_r(&now, &tm);
	(void)strftime(m->created, sizeof(m->created), "%Y-%m-%dT%H:%M:%SZ", &tm);
}

int seal_image(struct staging *s, int rootfd, struct manifest *m, struct err *e)
{
	const char *architecture = NULL;
	int r = tree_complete(rootfd, e);

	if (r == 0) {
		r = tree_architecture(rootfd, &architecture, e);
	}
	if (r < 0) {
		return r;
	}
	if (m->architecture[0] && strcmp(m->architecture, architecture) != 0) {
		return err_set(e, -EINVAL, "it is an image for %s, not for %s", architecture,
			m->architecture);
	}
	describe(m, architecture, tree_uwsgi(rootfd));
	r = digest_tree(rootfd, m->digest, e);
	if (r < 0) {
		return r;
	}
	/* the tree is on the disk before the manifest that vouches for it */
	if (syncfs(rootfd) < 0) {
		return err_errno(e, "sync the image");
	}
	r = manifest_write(s->fd, m, e);
	return r < 0 ? r : staging_publish(s, e);
}
