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
#include "runtime/cgroup.h"
#include "runtime/copyup.h"
#include "runtime/devices.h"
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
	int target, r;

	/* proc and sysfs on a link of the image would hide where they really are (CVE-2019-19921). */
	if (step->kind == MOUNT_FS && (strcmp(type, "proc") == 0 || strcmp(type, "sysfs") == 0)) {
		target = files_open_beneath(
			root, at + strspn(at, "/"), O_PATH | O_DIRECTORY, 0, NULL);
		if (target == -ELOOP || target == -ENOTDIR) {
			return err_set(e, -ENOTDIR,
				"mount '%s': %s must be mounted on ordinary directory", at, type);
		}
		close_fd(&target);
	}
	target = rootfs_target(root, at, step->on_file, e);
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

static int configure_fs(int fs, const struct mount_step *step, struct err *e)
{
	struct slice rest = buf_slice(&step->options.superblock);

	if (step->mount->source && *step->mount->source &&
		fsconfig(fs, FSCONFIG_SET_STRING, "source", step->mount->source, 0) < 0) {
		return err_errno(e, "source '%s'", step->mount->source);
	}
	while (rest.n) {
		size_t len = strlen(rest.p);
		const char *equals = memchr(rest.p, '=', len);
		char key[64];
		int r;

		if (equals && (size_t)(equals - rest.p) < sizeof(key)) {
			memcpy(key, rest.p, (size_t)(equals - rest.p));
			key[equals - rest.p] = '\0';
			r = fsconfig(fs, FSCONFIG_SET_STRING, key, equals + 1, 0);
		} else {
			r = fsconfig(fs, FSCONFIG_SET_FLAG, rest.p, NULL, 0);
		}
		if (r < 0) {
			return err_errno(e, "option '%s'", rest.p);
		}
		rest = slice_skip(rest, len + 1);
	}
	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		return err_errno(e, "make file system '%s'", step->mount->type);
	}
	return 0;
}

/* A detached mount of a new file system, made in the namespaces of this process. */
static int make_fs(const struct mount_step *step, struct err *e)
{
	_cleanup_close_ int fs = fsopen(step->mount->type, FSOPEN_CLOEXEC);
	uint64_t attrs = (step->options.attr_set & ~step->options.attr_clear_rec) |
			 step->options.attr_set_rec;
	int mount, r;

	if (fs < 0) {
		return err_errno(e, "file system '%s'", step->mount->type);
	}
	r = configure_fs(fs, step, e);
	if (r < 0) {
		return r;
	}
	mount = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)attrs);
	return mount < 0 ? err_errno(e, "mount file system '%s'", step->mount->type) : mount;
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
	mount = make_fs(step, e);
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

static int attach_hierarchy(int dir, const struct cgroup_tree *tree, uint64_t attrs, struct err *e)
{
	struct mount_attr attr = {.attr_set = attrs, .propagation = MS_PRIVATE};
	_cleanup_close_ int target = -1;

	if (mkdirat(dir, tree->name, 0755) < 0 && errno != EEXIST) {
		return err_errno(e, "make '%s'", tree->name);
	}
	target = openat(dir, tree->name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (target < 0 || mount_setattr(tree->fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ||
		rootfs_attach(tree->fd, target) < 0) {
		return err_errno(e, "mount '%s'", tree->name);
	}
	return 0;
}

/* v1: a tmpfs with one directory per hierarchy, on each the container's own part of it. */
static int mount_cgroups_v1(
	const struct mount_step *step, const struct cgroup_trees *trees, int target, struct err *e)
{
	static const struct spec_mount holder = {.type = "tmpfs", .source = "cgroup"};
	static const char mode[] = "mode=755";
	struct mount_step tmpfs = {.mount = &holder, .options = step->options};
	uint64_t attrs = step->options.attr_set & ~(uint64_t)MOUNT_ATTR_RDONLY;
	struct mount_attr readonly = {.attr_set = step->options.attr_set & MOUNT_ATTR_RDONLY};
	_cleanup_close_ int mount = -1;
	_cleanup_close_ int dir = -1;
	int r = 0;

	tmpfs.options.attr_set = attrs;
	tmpfs.options.superblock = (struct buf){.p = (char *)(uintptr_t)mode, .n = sizeof(mode)};
	mount = make_fs(&tmpfs, e);
	if (mount < 0) {
		return mount;
	}
	if (rootfs_attach(mount, target) < 0) {
		return err_errno(e, "mount tmpfs");
	}
	dir = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < trees->n && r == 0; i++) {
		r = attach_hierarchy(dir, &trees->tree[i], step->options.attr_set, e);
	}
	for (size_t i = 0; i < trees->n && r == 0; i++) {
		r = cgroup_link_controllers(dir, trees->tree[i].name, e);
	}
	if (r == 0 && mount_setattr(mount, "", AT_EMPTY_PATH, &readonly, sizeof(readonly)) < 0) {
		r = err_errno(e, "make read-only");
	}
	return r;
}

static int mount_cgroups(
	int root, const struct mount_step *step, const struct cgroup_trees *trees, struct err *e)
{
	_cleanup_close_ int target = open_step_target(root, step, e);
	struct mount_attr attr = {.attr_set = step->options.attr_set, .propagation = MS_PRIVATE};
	int r = 0;

	if (target < 0) {
		return target;
	}
	if (trees->n == 0) {
		return 0; /* no cgroups on this host, or none for this container */
	}
	if (!trees->unified) {
		r = mount_cgroups_v1(step, trees, target, e);
	} else if (mount_setattr(trees->tree[0].fd, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0 ||
		   rootfs_attach(trees->tree[0].fd, target) < 0) {
		r = err_errno(e, "attach the hierarchy");
	}
	return r < 0 ? err_wrap(e, r, "mount '%s'", step->mount->destination) : 0;
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

/* What masked paths are covered with. One mount of each kind serves all, mounts of their own would make
 * mass teardown slow: the first use attaches it, later ones attach clones. A detached mount cannot be
 * cloned before Linux 6.15, an attached one can. */
struct cover {
	int fd; /* owned by whoever made it */
	bool attached;
};

static int attach_cover(struct cover *cover, int target)
{
	_cleanup_close_ int copy = -1;

	if (!cover->attached) {
		cover->attached = true;
		return rootfs_attach(cover->fd, target);
	}
	copy = open_tree(cover->fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	return copy < 0 ? -1 : rootfs_attach(copy, target);
}

static int make_empty(struct err *e)
{
	static const struct spec_mount tmpfs = {.type = "tmpfs", .source = "tmpfs"};
	static const char size[] = "size=4k";
	struct mount_step step = {.mount = &tmpfs,
		.options = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					MOUNT_ATTR_NOEXEC,
			.superblock = {.p = (char *)(uintptr_t)size, .n = sizeof(size)}}};

	return make_fs(&step, e);
}

static int mask_path(
	int root, const char *path, struct cover *null, struct cover *empty, struct err *e)
{
	_cleanup_close_ int target =
		files_open_in_root(root, path + strspn(path, "/"), O_PATH, 0, NULL);
	struct stat st;

	if (target == -ENOENT || target == -ENOTDIR) {
		return 0; /* nothing there to hide */
	}
	if (target < 0) {
		return err_code(e, target, "mask '%s'", path);
	}
	if (fstat(target, &st) < 0) {
		return err_errno(e, "mask '%s'", path);
	}
	if (S_ISDIR(st.st_mode) && empty->fd < 0) {
		empty->fd = make_empty(e);
		if (empty->fd < 0) {
			return err_wrap(e, empty->fd, "mask '%s'", path);
		}
	}
	if (attach_cover(S_ISDIR(st.st_mode) ? empty : null, target) < 0) {
		return err_errno(e, "mask '%s'", path);
	}
	return 0;
}

static int make_path_readonly(int root, const char *path, struct err *e)
{
	_cleanup_close_ int target =
		files_open_in_root(root, path + strspn(path, "/"), O_PATH, 0, NULL);
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY, .propagation = MS_PRIVATE};
	_cleanup_close_ int tree = -1;

	if (target == -ENOENT || target == -ENOTDIR) {
		return 0;
	}
	if (target < 0) {
		return err_code(e, target, "make '%s' read-only", path);
	}
	tree = open_tree(
		target, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 ||
		mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof(attr)) < 0 ||
		rootfs_attach(tree, target) < 0) {
		return err_errno(e, "make '%s' read-only", path);
	}
	return 0;
}

int rootfs_restrict(const struct spec *spec, const struct mount_plan *plan,
	const struct rootfs *rootfs, struct err *e)
{
	struct cover null = {.fd = plan->null_tree};
	struct cover empty = {.fd = -1};
	int r = 0;

	for (const char **p = spec->readonly_paths; p && *p && r == 0; p++) {
		r = make_path_readonly(rootfs->root, *p, e);
	}
	for (const char **p = spec->masked_paths; p && *p && r == 0; p++) {
		r = mask_path(rootfs->root, *p, &null, &empty, e);
	}
	close_fd(&empty.fd);
	return r;
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
