/* The container's part of the cgroup hierarchies, mounted inside. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/cgroup.h"
#include "runtime/mount_fs.h"
#include "runtime/mount_plan.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"

static int attach_hierarchy(int dir, const struct cgroup_tree *tree, struct err *e)
{
	if (mkdirat(dir, tree->name, 0755) < 0 && errno != EEXIST) {
		return err_errno(e, "make '%s'", tree->name);
	}
	/* by name: the directory is in a file system that nobody else has seen yet */
	return move_mount(tree->fd, "", dir, tree->name, MOVE_MOUNT_F_EMPTY_PATH) < 0
		       ? err_errno(e, "mount '%s'", tree->name)
		       : 0;
}

/* v1: a tmpfs with one directory per hierarchy, on each the container's own part of it. */
static int mount_cgroups_v1(
	const struct mount_step *step, const struct cgroup_trees *trees, int target, struct err *e)
{
	static const struct spec_mount holder = {.type = "tmpfs", .source = "cgroup"};
	static const char mode[] = "mode=755";
	struct mount_options options = step->options;
	uint64_t attrs = step->options.attr_set & ~(uint64_t)MOUNT_ATTR_RDONLY;
	struct mount_attr all = {.attr_set = step->options.attr_set, .propagation = MS_PRIVATE};
	_cleanup_close_ int mount = -1;
	_cleanup_close_ int dir = -1;
	int r = 0;

	options.attr_set = attrs;
	options.superblock = (struct buf){.p = (char *)(uintptr_t)mode, .n = sizeof(mode)};
	mount = mount_fs_make(&holder, &options, e);
	if (mount < 0) {
		return mount;
	}
	if (rootfs_attach(mount, target) < 0) {
		return err_errno(e, "mount tmpfs");
	}
	dir = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < trees->n && r == 0; i++) {
		r = attach_hierarchy(dir, &trees->tree[i], e);
	}
	for (size_t i = 0; i < trees->n && r == 0; i++) {
		r = cgroup_link_controllers(dir, trees->tree[i].name, e);
	}
	if (r == 0 &&
		mount_setattr(mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &all, sizeof(all)) < 0) {
		r = err_errno(e, "set mount attributes");
	}
	return r;
}

int rootfs_mount_cgroups(
	int target, const struct mount_step *step, const struct cgroup_trees *trees, struct err *e)
{
	struct mount_attr attr = {.attr_set = step->options.attr_set, .propagation = MS_PRIVATE};
	int r = 0;

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
