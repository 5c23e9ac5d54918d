/* Masked and read-only paths. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/mount_fs.h"
#include "runtime/mount_options.h"
#include "runtime/mount_plan.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"

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
	static const struct mount_options options = {
		.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
			    MOUNT_ATTR_NOEXEC,
		.superblock = {.p = (char *)(uintptr_t)size, .n = sizeof(size)}};

	return mount_fs_make(&tmpfs, &options, e);
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
