/*
 * Each entry of rootfs/ and mnt/ is one step, in an order in which a step finds what it needs. The
 * table of targets serves preparing, the check for an earlier preparation, and releasing.
 *
 * Mounts beneath a customer's directory ($HOME/run/shm) are attached to descriptors that were opened
 * beneath the clone: whatever the customer moves about meanwhile, the mount lands on a directory of
 * theirs or nowhere.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/paths.h"
#include "shim/bundle.h"
#include "shim/home.h"
#include "shim/idmap.h"
#include "shim/mount.h"
#include "shim/netns.h"
#include "shim/prepare.h"

enum {
	QUIET = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
	QUIET_RDONLY = QUIET | MOUNT_ATTR_RDONLY,
	SMALL_TMPFS = 64 << 10, /* bytes, of directories that hold mount points only */
};

struct preparation {
	const struct bundle *b;
	int home[HOME_PART_MAX]; /* owned */
	int netns_fd;		 /* owned */
	int shm_fd;		 /* owned, the mount of mnt/shm */
};

static void preparation_done(struct preparation *p)
{
	for (int i = 0; i < HOME_PART_MAX; i++) {
		close_fd(&p->home[i]);
	}
	close_fd(&p->netns_fd);
	close_fd(&p->shm_fd);
}
#define _cleanup_preparation_ _cleanup_(preparation_done)

static int attach_at(int mnt, int dir_fd, const char *target, struct err *e)
{
	_cleanup_close_ int target_fd = files_open_beneath(dir_fd, target, O_PATH, 0, e);

	return target_fd < 0 ? target_fd : mount_attach(mnt, target_fd, target, e);
}

/* Puts a clone of source_fd on `target` beneath dir_fd. Returns the owned mount. */
static int bind_at(int source_fd, int dir_fd, const char *target, uint64_t attr, struct err *e)
{
	_cleanup_close_ int mnt = mount_clone(source_fd, attr, -1, target, e);
	int r = mnt < 0 ? mnt : attach_at(mnt, dir_fd, target, e);

	return r < 0 ? r : take_fd(&mnt);
}

static int bind_only(int source_fd, int dir_fd, const char *target, uint64_t attr, struct err *e)
{
	_cleanup_close_ int mnt = bind_at(source_fd, dir_fd, target, attr, e);

	return mnt < 0 ? mnt : 0;
}

/* The same from a path that root alone controls. */
static int bind_path(const char *source, int dir_fd, const char *target, struct err *e)
{
	_cleanup_close_ int fd = open(source, O_PATH | O_CLOEXEC);

	if (fd < 0) {
		return err_errno(e, "open '%s'", source);
	}
	return bind_only(fd, dir_fd, target, QUIET_RDONLY, e);
}

static int step_image(struct preparation *p, const char *target, struct err *e)
{
	_cleanup_free_ char *images = path_of(p->b->prefix, PATH_IMAGES, p->b->image.name);
	_cleanup_close_ int dir = -1, rootfs = -1, userns = -1, mnt = -1;

	dir = open(images, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		return err_errno(e, "image '%s'", p->b->image.name);
	}
	rootfs = openat(dir, "rootfs", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (rootfs < 0) {
		return err_errno(e, "image '%s': open 'rootfs'", p->b->image.name);
	}
	userns = idmap_open(p->b->uid, p->b->id_base, e);
	if (userns < 0) {
		return userns;
	}
	mnt = mount_clone(rootfs, QUIET_RDONLY, userns, images, e);
	return mnt < 0 ? mnt : attach_at(mnt, p->b->dir_fd, target, e);
}

static int step_hosts(struct preparation *p, const char *target, struct err *e)
{
	return bind_only(p->home[HOME_HOSTS], p->b->dir_fd, target, QUIET, e);
}

static int step_resolv_conf(struct preparation *p, const char *target, struct err *e)
{
	return bind_only(p->home[HOME_RESOLV_CONF], p->b->dir_fd, target, QUIET, e);
}

static int step_home(struct preparation *p, const char *target, struct err *e)
{
	return bind_only(p->home[HOME_SELF], p->b->dir_fd, target, QUIET, e);
}

static int step_tmp(struct preparation *p, const char *target, struct err *e)
{
	return bind_only(p->home[HOME_TMP], p->b->dir_fd, target, QUIET, e);
}

static int step_logs(struct preparation *p, const char *target, struct err *e)
{
	return bind_only(p->home[HOME_LOGS], p->b->dir_fd, target, QUIET, e);
}

static int step_shm(struct preparation *p, const char *target, struct err *e)
{
	struct mount_tmpfs shm = {.size = p->b->shm_size, .mode = 01777};

	p->shm_fd = mount_new_tmpfs(&shm, e);
	return p->shm_fd < 0 ? p->shm_fd : attach_at(p->shm_fd, p->b->dir_fd, target, e);
}

static int step_run(struct preparation *p, const char *target, struct err *e)
{
	_cleanup_free_ char *subscribe = path_of(p->b->prefix, PATH_SUBSCRIBE, NULL);
	_cleanup_close_ int run = bind_at(p->home[HOME_RUN], p->b->dir_fd, target, QUIET, e);
	int r;

	if (run < 0) {
		return run;
	}
	r = bind_only(p->shm_fd, run, "shm", QUIET, e);
	if (r == 0) {
		r = files_mkdir_p(subscribe, 0755, e);
	}
	/* the directory, not the sockets in it: those are new ones after a restart of the router */
	return r < 0 ? r : bind_path(subscribe, run, "subscribe", e);
}

static int mount_small(const char *target, const struct bundle *b, struct err *e)
{
	struct mount_tmpfs small = {.size = SMALL_TMPFS, .mode = 0755};
	_cleanup_close_ int mnt = mount_new_tmpfs(&small, e);
	int r = mnt < 0 ? mnt : attach_at(mnt, b->dir_fd, target, e);

	return r < 0 ? r : take_fd(&mnt);
}

static int make_dir(int dir_fd, const char *name, mode_t mode, struct err *e)
{
	return mkdirat(dir_fd, name, mode) < 0 ? err_errno(e, "make directory '%s'", name) : 0;
}

static int step_containers(struct preparation *p, const char *target, struct err *e)
{
	_cleanup_close_ int mnt = mount_small(target, p->b, e);
	char name[16];
	int r;

	(void)snprintf(name, sizeof(name), "%u", p->b->uid);
	r = mnt < 0 ? mnt : make_dir(mnt, name, 0755, e);
	if (r == 0) {
		r = bind_only(p->home[HOME_SELF], mnt, name, QUIET, e);
	}
	return r < 0 ? r : mount_restrict(mnt, MOUNT_ATTR_RDONLY, e);
}

/* The programs and files that containers see, each bound from the installation. */
static int bind_programs(int mnt, struct err *e)
{
	static const char *const names[] = {"fief-init", "shortcuts.ini", "subscribe"};
	_cleanup_free_ char *from = path_container_dir(e);
	_cleanup_close_ int dir = -1;

	if (!from) {
		return -ENOENT;
	}
	dir = open(from, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		return err_errno(e, "open '%s'", from);
	}
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		_cleanup_close_ int fd = openat(dir, names[i], O_PATH | O_NOFOLLOW | O_CLOEXEC);
		int r;

		if (fd < 0 && errno == ENOENT && i == 2) {
			continue; /* built by the router, nothing here needs it */
		}
		if (fd < 0) {
			return err_errno(e, "open '%s/%s'", from, names[i]);
		}
		if (mknodat(mnt, names[i], S_IFREG | 0644, 0) < 0) {
			return err_errno(e, "make '%s'", names[i]);
		}
		r = bind_only(fd, mnt, names[i], QUIET_RDONLY, e);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

static int bind_log(const struct bundle *b, int mnt, struct err *e)
{
	_cleanup_free_ char *state = NULL, *log = NULL;
	char tail[32];
	int r;

	(void)snprintf(tail, sizeof(tail), "%u/log", b->uid);
	state = path_of(b->prefix, PATH_SHIM_STATE, NULL);
	log = path_of(b->prefix, PATH_SHIM_STATE, tail);
	r = files_mkdir_p(state, 0711, e);
	if (r == 0) {
		r = files_mkdir_p(log, 0755, e);
	}
	if (r == 0) {
		r = make_dir(mnt, "log", 0755, e);
	}
	return r < 0 ? r : bind_path(log, mnt, "log", e);
}

static int step_fief(struct preparation *p, const char *target, struct err *e)
{
	_cleanup_close_ int mnt = mount_small(target, p->b, e);
	int r = mnt < 0 ? mnt : bind_programs(mnt, e);

	if (r == 0) {
		r = bind_log(p->b, mnt, e);
	}
	if (r == 0) {
		/* runc gives the tmpfs the mode of what it covers, whatever its options say */
		r = make_dir(mnt, "run", 0711, e);
	}
	return r < 0 ? r : mount_restrict(mnt, MOUNT_ATTR_RDONLY, e);
}

static int step_netns(struct preparation *p, const char *target, struct err *e)
{
	if (p->b->netns) {
		p->netns_fd = netns_open(p->b->netns, e);
		return p->netns_fd < 0 ? p->netns_fd : 0;
	}
	if (p->netns_fd < 0) {
		p->netns_fd = netns_new(e);
	}
	return p->netns_fd < 0 ? p->netns_fd : bind_only(p->netns_fd, p->b->dir_fd, target, 0, e);
}

static int step_sys(struct preparation *p, const char *target, struct err *e)
{
	_cleanup_close_ int mnt = netns_sysfs(p->netns_fd, e);

	return mnt < 0 ? mnt : attach_at(mnt, p->b->dir_fd, target, e);
}

static const struct step {
	const char *target;
	int (*run)(struct preparation *p, const char *target, struct err *e);
} steps[] = {
	{"rootfs", step_image},
	{"mnt/hosts", step_hosts},
	{"mnt/resolv.conf", step_resolv_conf},
	{"mnt/home", step_home},
	{"mnt/tmp", step_tmp},
	{"mnt/logs", step_logs},
	{"mnt/shm", step_shm},
	{"mnt/run", step_run},
	{"mnt/containers", step_containers},
	{"mnt/fief", step_fief},
	{"mnt/netns", step_netns},
	{"mnt/sys", step_sys},
};

static int refuse_prepared(const struct bundle *b, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		_cleanup_close_ int fd =
			files_open_beneath(b->dir_fd, steps[i].target, O_PATH, 0, e);
		int r = fd < 0 ? fd : mount_is_root(fd, e);

		if (r < 0) {
			return r;
		}
		if (r > 0) {
			return err_set(e, -EBUSY,
				"it is prepared already: something is mounted on '%s'",
				steps[i].target);
		}
	}
	return 0;
}

static int run_steps(struct preparation *p, struct err *e)
{
	int r = home_open(p->b, p->home, e);

	for (size_t i = 0; i < ARRAY_LEN(steps) && r >= 0; i++) {
		r = steps[i].run(p, steps[i].target, e);
	}
	return r;
}

/* Takes off every layer on `target` with all beneath it. The bundle's directories are root's, so the
 * path stays what it is. */
static int unmount_all(const struct bundle *b, const char *target, struct err *e)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", b->dir_fd, target);
	for (;;) {
		if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
			continue;
		}
		if (errno == EINVAL || errno == ENOENT) {
			return 0; /* not, or no longer, a mount point */
		}
		return err_errno(e, "release bundle '%s': unmount '%s'", b->path, target);
	}
}

static int release_all(const struct bundle *b, struct err *e)
{
	int first = 0;

	for (size_t i = ARRAY_LEN(steps); i > 0; i--) {
		int r = unmount_all(b, steps[i - 1].target, first < 0 ? NULL : e);

		first = first < 0 ? first : r;
	}
	return first;
}

/* Two that prepare one bundle at once would mount twice. */
static int lock_bundle(const struct bundle *b, struct err *e)
{
	if (flock(b->dir_fd, LOCK_EX) < 0) {
		return err_errno(e, "lock bundle '%s'", b->path);
	}
	return 0;
}

static void unlock_bundle(const struct bundle *b)
{
	(void)flock(b->dir_fd, LOCK_UN);
}

int prepare_bundle(const struct bundle *b, int netns_fd, struct err *e)
{
	_cleanup_preparation_ struct preparation p = {.b = b, .netns_fd = -1, .shm_fd = -1};
	int r;

	for (int i = 0; i < HOME_PART_MAX; i++) {
		p.home[i] = -1;
	}
	if (netns_fd >= 0) {
		p.netns_fd = fcntl(netns_fd, F_DUPFD_CLOEXEC, 3);
	}
	r = lock_bundle(b, e);
	if (r < 0) {
		return r;
	}
	r = refuse_prepared(b, e);
	if (r == 0) {
		r = run_steps(&p, e);
		if (r < 0) {
			(void)release_all(b, NULL); /* the first failure is the one to tell */
		}
	}
	unlock_bundle(b);
	return r < 0 ? err_wrap(e, r, "prepare bundle '%s'", b->path) : 0;
}

int prepare_release(const struct bundle *b, struct err *e)
{
	int r = lock_bundle(b, e);

	if (r == 0) {
		r = release_all(b, e);
		unlock_bundle(b);
	}
	return r;
}
