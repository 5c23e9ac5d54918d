/*
 * The new root is mounted on "/" of the child's mount namespace and reached by descriptor from then
 * on; so the child needs no permission on the path that leads to the bundle, and 0700 directories on
 * the way do no harm to a container with a user namespace.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/copyup.h"
#include "runtime/devices.h"
#include "runtime/mount_fs.h"
#include "runtime/mount_plan.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"

int rootfs_attach(int tree, int target)
{
	return move_mount(tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

/* Makes the last component in the open directory. O_NOFOLLOW and O_EXCL: what another process puts
 * there meanwhile is used only if it is of the right type. */
static int make_last(int dir, const char *name, bool file, struct err *e)
{
	int fd;

	if (file) {
		fd = openat(dir, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (fd < 0 && errno != EEXIST) {
			return err_errno(e, "make file '%s'", name);
		}
		close_fd(&fd);
	} else if (mkdirat(dir, name, 0755) < 0 && errno != EEXIST) {
		return err_errno(e, "make directory '%s'", name);
	}
	fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC | (file ? 0 : O_DIRECTORY));
	return fd < 0 ? err_errno(e, "open '%s'", name) : fd;
}

static int open_target(int root, char *path, bool file, struct err *e)
{
	_cleanup_close_ int dir = -1;
	char *slash;
	int fd = files_open_in_root(root, path, O_PATH, 0, NULL);

	if (fd != -ENOENT) {
		return fd < 0 ? err_code(e, fd, "open '%s'", path) : fd;
	}
	slash = strrchr(path, '/');
	if (!slash) {
		return make_last(root, path, file, e);
	}
	*slash = '\0';
	dir = open_target(root, path, false, e);
	return dir < 0 ? dir : make_last(dir, slash + 1, file, e);
}

int rootfs_target(int root, const char *path, bool file, struct err *e)
{
	char copy[PATH_MAX];
	size_t n;
	int r;

	while (*path == '/') {
		path++;
	}
	n = strlen(path);
	while (n && path[n - 1] == '/') {
		n--;
	}
	if (n >= sizeof(copy)) {
		return err_code(e, -ENAMETOOLONG, "target '/%.60s...'", path);
	}
	memcpy(copy, n ? path : ".", n ? n : 1);
	copy[n ? n : 1] = '\0';
	r = open_target(root, copy, file, e);
	return r < 0 ? err_wrap(e, r, "target '/%s'", path) : r;
}

/* What may be mounted below /proc: files that carry resource facts, no others (CVE-2019-16884). */
static int check_proc_target(int target, const char *destination, struct err *e)
{
	static const char *const allowed[] = {"/proc/cpuinfo", "/proc/diskstats", "/proc/loadavg",
		"/proc/meminfo", "/proc/net/dev", "/proc/slabinfo", "/proc/stat", "/proc/swaps",
		"/proc/sys/kernel/ns_last_pid", "/proc/sys/crypto/fips_enabled", "/proc/uptime"};
	struct statfs fs;

	if (fstatfs(target, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC) {
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(allowed); i++) {
		if (strcmp(destination, allowed[i]) == 0) {
			return 0;
		}
	}
	return err_set(
		e, -EPERM, "mount '%s': it is inside /proc, which is not allowed", destination);
}

static int open_step_target(int root, const struct mount_step *step, struct err *e)
{
	const char *type = step->mount->type ? step->mount->type : "";
	const char *at = step->mount->destination;
	int target = -1, r;

	/* proc and sysfs on a link of the image would hide where they really are (CVE-2019-19921). */
	if (step->kind == MOUNT_FS && (strcmp(type, "proc") == 0 || strcmp(type, "sysfs") == 0)) {
		target = files_open_beneath(
			root, at + strspn(at, "/"), O_PATH | O_DIRECTORY, 0, NULL);
		if (target == -ELOOP || target == -ENOTDIR) {
			return err_set(e, -ENOTDIR,
				"mount '%s': %s must be mounted on ordinary directory", at, type);
		}
	}
	if (target < 0) {
		target = rootfs_target(root, at, step->on_file, e);
	}
	if (target < 0) {
		return err_wrap(e, target, "mount '%s'", at);
	}
	r = check_proc_target(target, at, e);
	if (r < 0) {
		close_fd(&target);
		return r;
	}
	return target;
}

static int copy_up(int target, int mount, struct err *e)
{
	_cleanup_close_ int from = openat(target, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int to = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (from < 0 || to < 0) {
		return err_errno(e, "copy what it covers");
	}
	return copyup_directory(from, to, e);
}

static int mount_fs(int root, const struct mount_step *step, struct err *e)
{
	_cleanup_close_ int target = open_step_target(root, step, e);
	struct mount_attr shared = {.propagation = step->options.propagation};
	_cleanup_close_ int mount = -1;

	if (target < 0) {
		return target;
	}
	mount = mount_fs_make(step->mount, &step->options, e);
	if (mount < 0) {
		return err_wrap(e, mount, "mount '%s'", step->mount->destination);
	}
	if (step->options.tmpcopyup) {
		int r = copy_up(target, mount, e);

		if (r < 0) {
			return err_wrap(e, r, "mount '%s'", step->mount->destination);
		}
	}
	if (rootfs_attach(mount, target) < 0 ||
		(shared.propagation &&
			mount_setattr(mount, "", AT_EMPTY_PATH, &shared, sizeof(shared)) < 0)) {
		return err_errno(e, "mount '%s'", step->mount->destination);
	}
	return 0;
}

static int mount_tree(int root, struct mount_step *step, struct err *e)
{
	_cleanup_close_ int target = open_step_target(root, step, e);

	if (target < 0) {
		return target;
	}
	if (rootfs_attach(step->tree, target) < 0) {
		return err_errno(
			e, "mount '%s' from '%s'", step->mount->destination, step->mount->source);
	}
	close_fd(&step->tree);
	return 0;
}

static int set_attrs(int root, const struct mount_step *step, struct err *e)
{
	_cleanup_close_ int target = open_step_target(root, step, e);
	struct mount_attr attr = {
		.attr_set = step->options.attr_set,
		.attr_clr = step->options.attr_clear,
	};

	if (target < 0) {
		return target;
	}
	if (mount_setattr(target, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
		return err_errno(e, "remount '%s'", step->mount->destination);
	}
	return 0;
}

static int mount_cgroups(
	int root, const struct mount_step *step, const struct cgroup_trees *trees, struct err *e)
{
	_cleanup_close_ int target = open_step_target(root, step, e);

	return target < 0 ? target : rootfs_mount_cgroups(target, step, trees, e);
}

static int run_step(
	int root, struct mount_step *step, const struct cgroup_trees *cgroups, struct err *e)
{
	switch (step->kind) {
	case MOUNT_TREE:
		return mount_tree(root, step, e);
	case MOUNT_FS:
		return mount_fs(root, step, e);
	case MOUNT_CGROUP:
		return mount_cgroups(root, step, cgroups, e);
	case MOUNT_ATTRS:
		return set_attrs(root, step, e);
	}
	return -EINVAL;
}

static int attach_root(struct mount_plan *plan, struct rootfs *ret, struct err *e)
{
	/* Nothing that is mounted from here on may reach the host. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0) {
		return err_errno(e, "make the mount namespace a slave of the host's");
	}
	ret->old_root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (ret->old_root < 0 || rootfs_attach(plan->root, ret->old_root) < 0) {
		return err_errno(e, "attach the root file system");
	}
	ret->root = openat(plan->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret->root < 0) {
		return err_errno(e, "open the root file system");
	}
	return 0;
}

int rootfs_build(const struct spec *spec, struct mount_plan *plan,
	const struct cgroup_trees *cgroups, struct rootfs *ret, struct err *e)
{
	struct rootfs rootfs = {.root = -1, .old_root = -1};
	int r = attach_root(plan, &rootfs, e);

	for (size_t i = 0; i < plan->n && r == 0; i++) {
		r = run_step(rootfs.root, &plan->steps[i], cgroups, e);
	}
	if (r == 0) {
		r = devices_make(spec, plan, rootfs.root, e);
	}
	if (r < 0) {
		close_fd(&rootfs.root);
		close_fd(&rootfs.old_root);
		return r;
	}
	*ret = rootfs;
	return 0;
}

static int set_root_attrs(const struct spec *spec, int root, struct err *e)
{
	struct mount_attr attr = {};

	if (spec->root.readonly) {
		attr.attr_set = MOUNT_ATTR_RDONLY;
	}
	if (spec->rootfs_propagation && strstr(spec->rootfs_propagation, "shared")) {
		attr.propagation = MS_SHARED;
	} else if (spec->rootfs_propagation && strstr(spec->rootfs_propagation, "unbindable")) {
		attr.propagation = MS_UNBINDABLE;
	}
	if ((attr.attr_set || attr.propagation) &&
		mount_setattr(root, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
		return err_errno(e, "set attributes of the root file system");
	}
	return 0;
}

int rootfs_enter(const struct spec *spec, struct rootfs *rootfs, struct err *e)
{
	int r;

	if (fchdir(rootfs->root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0) {
		return err_errno(e, "enter the root file system");
	}
	/* pivot_root(".", ".") puts the old root on top of the new one; "." is the new one still */
	if (fchdir(rootfs->old_root) < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0) {
		return err_errno(e, "leave the host's root file system");
	}
	r = set_root_attrs(spec, rootfs->root, e);
	close_fd(&rootfs->root);
	close_fd(&rootfs->old_root);
	return r;
}
