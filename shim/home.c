#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/paths.h"
#include "shim/bundle.h"
#include "shim/home.h"

enum { SEED_MAX = 256 << 10 }; /* bytes */

struct part {
	const char *path;
	enum home_part parent;
	const char *name; /* in the parent */
	const char *seed; /* file of the bundle with the first content; NULL: a directory */
	mode_t mode;
};

/* Parents stand before what they hold. */
static const struct part parts[HOME_PART_MAX] = {
	[HOME_SELF] = {".", HOME_SELF, NULL, NULL, 0},
	[HOME_RUN] = {"run", HOME_SELF, "run", NULL, 0755},
	[HOME_RUN_SHM] = {"run/shm", HOME_RUN, "shm", NULL, 0755},
	[HOME_RUN_SUBSCRIBE] = {"run/subscribe", HOME_RUN, "subscribe", NULL, 0755},
	[HOME_TMP] = {"tmp", HOME_SELF, "tmp", NULL, 0755},
	[HOME_LOGS] = {"logs", HOME_SELF, "logs", NULL, 0755},
	[HOME_ETC] = {"etc", HOME_SELF, "etc", NULL, 0755},
	[HOME_VASSALS] = {"vassals", HOME_SELF, "vassals", NULL, 0755},
	[HOME_HOSTS] = {"etc/hosts", HOME_ETC, "hosts", "seed/hosts", 0644},
	[HOME_RESOLV_CONF] = {"etc/resolv.conf", HOME_ETC, "resolv.conf", "seed/resolv.conf", 0644},
	[HOME_HOSTNAME] = {"etc/hostname", HOME_ETC, "hostname", "seed/hostname", 0644},
};

const char *home_part_path(enum home_part part)
{
	return parts[part].path;
}

/* Acts on files as U until as_root(): the kernel then also takes away the capabilities that pass
 * over permissions (capabilities(7), "Effect of user ID changes"). */
static int as_customer(uint32_t uid, struct err *e)
{
	(void)setfsgid(uid);
	(void)setfsuid(uid);
	/* neither call reports failure; a second one tells what holds */
	if ((uint32_t)setfsgid(uid) != uid || (uint32_t)setfsuid(uid) != uid) {
		return err_set(e, -EPERM, "cannot act on files as uid %u", uid);
	}
	return 0;
}

static void as_root(void)
{
	(void)setfsuid(0);
	(void)setfsgid(0);
}

/* The home itself lies in a directory of root's, so its name cannot be swapped. */
static int open_home(const struct bundle *b, struct err *e)
{
	_cleanup_free_ char *all = path_of(b->prefix, PATH_CONTAINERS, NULL);
	_cleanup_close_ int all_fd = -1, fd = -1;
	char name[16];
	struct stat st;
	int r = files_mkdir_p(all, 0711, e);

	if (r < 0) {
		return r;
	}
	(void)snprintf(name, sizeof(name), "%u", b->uid);
	all_fd = open(all, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (all_fd < 0 || fstat(all_fd, &st) < 0) {
		return err_errno(e, "open '%s'", all);
	}
	if (st.st_uid != 0 || (st.st_mode & 022)) {
		return err_set(e, -EPERM, "'%s' must belong to root and be root's to write", all);
	}
	fd = files_mkdir_open(all_fd, name, 0711, e);
	if (fd < 0) {
		return err_wrap(e, fd, "home '%s/%s'", all, name);
	}
	if (fstat(fd, &st) < 0) {
		return err_errno(e, "home '%s/%s'", all, name);
	}
	/* root's: just made, here or by a run that was cut off before this line */
	if (st.st_uid == 0 && (fchown(fd, b->uid, b->uid) < 0 || fchmod(fd, 0711) < 0)) {
		return err_errno(e, "home '%s/%s'", all, name);
	}
	if (st.st_uid != 0 && st.st_uid != b->uid) {
		return err_set(e, -EPERM, "home '%s/%s' belongs to uid %u", all, name, st.st_uid);
	}
	return take_fd(&fd);
}

static int open_as(int dir, const char *name, mode_t type, struct err *e)
{
	_cleanup_close_ int fd = files_open_beneath(dir, name, O_PATH, 0, e);
	struct stat st;

	if (fd < 0) {
		return fd;
	}
	if (fstat(fd, &st) < 0) {
		return err_errno(e, "stat '%s'", name);
	}
	if ((st.st_mode & S_IFMT) != type) {
		return type == S_IFDIR ? err_set(e, -ENOTDIR, "'%s' is not a directory", name)
				       : err_set(e, -EINVAL, "'%s' is not a regular file", name);
	}
	return take_fd(&fd);
}

static int make_file(int dir, const struct part *p, struct slice content, struct err *e)
{
	_cleanup_close_ int fd =
		openat(dir, p->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, p->mode);
	int r;

	if (fd < 0) {
		return errno == EEXIST ? 0 : err_errno(e, "make '%s'", p->name);
	}
	r = files_write_all(fd, content);
	return r < 0 ? err_code(e, r, "write '%s'", p->name) : 0;
}

static int make_and_open(int dir, const struct part *p, struct slice seed, struct err *e)
{
	if (p->seed) {
		int r = make_file(dir, p, seed, e);

		return r < 0 ? r : open_as(dir, p->name, S_IFREG, e);
	}
	if (mkdirat(dir, p->name, p->mode) < 0 && errno != EEXIST) {
		return err_errno(e, "make directory '%s'", p->name);
	}
	return open_as(dir, p->name, S_IFDIR, e);
}

static int open_part(const struct bundle *b, const struct part *p, int *fds, struct err *e)
{
	_cleanup_buf_ struct buf seed = {};
	int fd, r;

	if (p->seed) {
		r = files_read(b->dir_fd, p->seed, SEED_MAX, &seed, e);
		if (r < 0) {
			return r;
		}
	}
	r = as_customer(b->uid, e);
	if (r < 0) {
		as_root();
		return r;
	}
	fd = make_and_open(fds[p->parent], p, buf_slice(&seed), e);
	as_root();
	return fd < 0 ? err_wrap(e, fd, "home '%s': '%s'", b->home, p->path) : fd;
}

int home_open(const struct bundle *b, int *fds, struct err *e)
{
	mode_t mask = umask(022);
	int r;

	for (int i = 0; i < HOME_PART_MAX; i++) {
		fds[i] = -1;
	}
	r = fds[HOME_SELF] = open_home(b, e);
	for (int i = HOME_SELF + 1; i < HOME_PART_MAX && r >= 0; i++) {
		r = fds[i] = open_part(b, &parts[i], fds, e);
	}
	(void)umask(mask);
	return r < 0 ? r : 0;
}
