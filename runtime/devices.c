#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/devices.h"
#include "runtime/mount_plan.h"
#include "runtime/rootfs.h"
#include "runtime/spec.h"

/* A node of a spec may be anywhere in the tree; its directory is made when it is missing. */
static int open_parent(int root, const char *path, const char **ret_name, struct err *e)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];

	if (strlen(path) >= sizeof(dir) || slash[1] == '\0') {
		return err_set(e, -EINVAL, "device path '%s' names no file", path);
	}
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = '\0';
	*ret_name = slash + 1;
	return rootfs_target(root, dir[0] ? dir : "/", false, e);
}

/* What the image has at the place of a device is used only if it is that device: it may be a link, and
 * nothing here may follow it (CVE-2026-41579). */
static int check_existing(int dir, const char *name, const struct spec_device *d, mode_t type,
	mode_t mode, struct err *e)
{
	_cleanup_close_ int fd = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char path[40];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		return err_errno(e, "device '%s'", d->path);
	}
	if ((st.st_mode & S_IFMT) != type ||
		(type != S_IFIFO &&
			st.st_rdev != makedev((unsigned)d->major, (unsigned)d->minor))) {
		return err_set(e, -EEXIST,
			"device '%s': the root file system has something else there", d->path);
	}
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if ((st.st_mode & 07777) != mode && chmod(path, mode) < 0) {
		return err_errno(e, "set the mode of device '%s'", d->path);
	}
	return 0;
}

static int make_node(int root, int dev, const struct spec_device *d, struct err *e)
{
	mode_t type = d->type == 'b' ? S_IFBLK : d->type == 'p' ? S_IFIFO : S_IFCHR;
	mode_t mode = d->mode.set ? (mode_t)(d->mode.v & 07777) : 0666;
	_cleanup_close_ int dir = -1;
	const char *name;
	int r = 0;

	if (strncmp(d->path, "/dev/", 5) == 0 && d->path[5] && !strchr(d->path + 5, '/')) {
		name = d->path + 5;
	} else {
		dir = open_parent(root, d->path, &name, e);
		if (dir < 0) {
			return dir;
		}
		dev = dir;
	}
	if (mknodat(dev, name, type | mode, makedev((unsigned)d->major, (unsigned)d->minor)) < 0) {
		r = errno == EEXIST ? check_existing(dev, name, d, type, mode, e)
				    : err_errno(e, "make device '%s'", d->path);
	}
	if (r == 0 && (d->uid || d->gid) &&
		fchownat(dev, name, d->uid, d->gid, AT_SYMLINK_NOFOLLOW) < 0) {
		r = err_errno(e, "set the owner of device '%s'", d->path);
	}
	return r;
}

static int bind_node(int root, const struct spec_device *d, int tree, struct err *e)
{
	_cleanup_close_ int target = rootfs_target(root, d->path, true, e);

	if (target < 0) {
		return target;
	}
	if (rootfs_attach(tree, target) < 0) {
		return err_errno(e, "bind device '%s'", d->path);
	}
	return 0;
}

static int make_links(int dev, struct err *e)
{
	static const struct {
		const char *name, *to;
	} links[] = {
		{"fd", "/proc/self/fd"},
		{"stdin", "/proc/self/fd/0"},
		{"stdout", "/proc/self/fd/1"},
		{"stderr", "/proc/self/fd/2"},
		{"ptmx", "pts/ptmx"},
		{"core", "/proc/kcore"},
	};
	size_t n = ARRAY_LEN(links);

	/* the last, as runc has it: where the kernel has this file; most bundles mask it */
	n -= access("/proc/kcore", F_OK) != 0;
	for (size_t i = 0; i < n; i++) {
		if (symlinkat(links[i].to, dev, links[i].name) < 0 && errno != EEXIST) {
			return err_errno(e, "make link '/dev/%s'", links[i].name);
		}
	}
	return 0;
}

/* An image whose /dev is a symbolic link would have us make nodes wherever it points. */
static int open_dev(int root, struct err *e)
{
	int dev = files_open_beneath(root, "dev", O_PATH | O_DIRECTORY, 0, NULL);

	if (dev == -ENOENT) {
		return rootfs_target(root, "/dev", false, e);
	}
	return dev < 0 ? err_code(e, dev, "'/dev' of the root file system must be a directory")
		       : dev;
}

static bool dev_is_bound(const struct mount_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		if (plan->steps[i].kind == MOUNT_TREE &&
			strcmp(plan->steps[i].mount->destination, "/dev") == 0) {
			return true;
		}
	}
	return false;
}

static int make_all(
	const struct spec *spec, const struct mount_plan *plan, int root, int dev, struct err *e)
{
	const struct spec_device *d;
	int r = 0;

	for (size_t i = 0; r == 0 && (d = mount_plan_device(spec, i)); i++) {
		/* a fifo has no node on the host, and none is needed: anybody may make one */
		r = i < plan->device_trees_n && plan->device_trees[i] >= 0
			    ? bind_node(root, d, plan->device_trees[i], e)
			    : make_node(root, dev, d, e);
	}
	return r;
}

int devices_make(const struct spec *spec, const struct mount_plan *plan, int root, struct err *e)
{
	_cleanup_close_ int dev = -1;
	mode_t was;
	int r;

	if (dev_is_bound(plan)) {
		return 0;
	}
	dev = open_dev(root, e);
	if (dev < 0) {
		return dev;
	}
	was = umask(0);
	r = make_all(spec, plan, root, dev, e);
	(void)umask(was);
	return r < 0 ? r : make_links(dev, e);
}
