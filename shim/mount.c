#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "shim/mount.h"

int mount_clone(int fd, uint64_t attr, int userns_fd, const char *what, struct err *e)
{
	_cleanup_close_ int mnt =
		open_tree(fd, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	struct mount_attr set = {.attr_set = attr, .propagation = MS_PRIVATE};

	if (mnt < 0) {
		return err_errno(e, "clone the mount of '%s'", what);
	}
	if (userns_fd >= 0) {
		set.attr_set |= MOUNT_ATTR_IDMAP;
		set.userns_fd = (uint64_t)userns_fd;
	}
	if (mount_setattr(mnt, "", AT_EMPTY_PATH, &set, sizeof(set)) < 0) {
		return err_errno(e, "set the attributes of the mount of '%s'", what);
	}
	return take_fd(&mnt);
}

static int new_mount(int fs, uint64_t attr, const char *type, struct err *e)
{
	int mnt;

	if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		return err_errno(e, "make a %s", type);
	}
	mnt = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned)(attr | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV));
	return mnt < 0 ? err_errno(e, "mount a %s", type) : mnt;
}

int mount_new_tmpfs(const struct mount_tmpfs *tmpfs, struct err *e)
{
	_cleanup_close_ int fs = fsopen("tmpfs", FSOPEN_CLOEXEC);
	char size[32], mode[16];

	(void)snprintf(size, sizeof(size), "%" PRIu64, tmpfs->size);
	(void)snprintf(mode, sizeof(mode), "%o", (unsigned)tmpfs->mode);
	if (fs < 0 || fsconfig(fs, FSCONFIG_SET_STRING, "source", "fief", 0) < 0 ||
		fsconfig(fs, FSCONFIG_SET_STRING, "size", size, 0) < 0 ||
		fsconfig(fs, FSCONFIG_SET_STRING, "mode", mode, 0) < 0) {
		return err_errno(e, "make a tmpfs of %s bytes", size);
	}
	return new_mount(fs, 0, "tmpfs", e);
}

int mount_new_sysfs(struct err *e)
{
	_cleanup_close_ int fs = fsopen("sysfs", FSOPEN_CLOEXEC);

	if (fs < 0) {
		return err_errno(e, "make a sysfs");
	}
	return new_mount(fs, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC, "sysfs", e);
}

int mount_restrict(int mnt, uint64_t attr, struct err *e)
{
	struct mount_attr set = {.attr_set = attr};

	if (mount_setattr(mnt, "", AT_EMPTY_PATH, &set, sizeof(set)) < 0) {
		return err_errno(e, "restrict a mount");
	}
	return 0;
}

int mount_attach(int mnt, int target_fd, const char *what, struct err *e)
{
	if (move_mount(mnt, "", target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) <
		0) {
		return err_errno(e, "attach a mount to '%s'", what);
	}
	return 0;
}

int mount_is_root(int fd, struct err *e)
{
	struct statx st;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_TYPE, &st) < 0) {
		return err_errno(e, "statx");
	}
	return !!(st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}
