#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/labels.h"
#include "runtime/spec.h"

enum { PROC_ROOT_INO = 1 };

static bool given(const char *label)
{
	return label && *label;
}

static bool apparmor_enabled(void)
{
	_cleanup_close_ int fd =
		open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);
	char yes = 'N';

	return fd >= 0 && read(fd, &yes, 1) == 1 && yes == 'Y';
}

static bool selinux_enabled(void)
{
	return access("/sys/fs/selinux/enforce", F_OK) == 0;
}

int labels_check(const struct spec_process *p, const char *mount_label, struct err *e)
{
	if (p && given(p->apparmor_profile) && !apparmor_enabled()) {
		return err_member(e, -ENOTSUP, ".process.apparmorProfile",
			"apparmor: config provided but apparmor not supported");
	}
	if (p && given(p->selinux_label)) {
		return err_member(e, -ENOTSUP, ".process.selinuxLabel",
			selinux_enabled() ? "selinux labels are not supported yet"
					  : "selinux label is specified in config, but selinux is "
					    "disabled or not supported");
	}
	if (given(mount_label) && selinux_enabled()) {
		return err_member(
			e, -ENOTSUP, ".linux.mountLabel", "selinux labels are not supported yet");
	}
	return 0;
}

/* The container's own /proc, if it is one: the image or a mount may have put something else there, and
 * the profile would be written into nowhere (CVE-2019-16884, CVE-2025-52881). */
static int open_attr(struct err *e)
{
	_cleanup_close_ int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct statfs fs;
	struct stat st;
	char path[64];
	int fd;

	if (proc < 0 || fstatfs(proc, &fs) < 0 || fstat(proc, &st) < 0) {
		return err_errno(e, "open '/proc'");
	}
	if (fs.f_type != PROC_SUPER_MAGIC || st.st_ino != PROC_ROOT_INO) {
		return err_set(e, -EPERM, "'/proc' is not a procfs");
	}
	(void)snprintf(path, sizeof(path), "%d/attr/apparmor/exec", (int)getpid());
	fd = files_open_beneath(proc, path, O_WRONLY, 0, NULL);
	if (fd == -ENOENT) { /* before Linux 5.8 */
		(void)snprintf(path, sizeof(path), "%d/attr/exec", (int)getpid());
		fd = files_open_beneath(proc, path, O_WRONLY, 0, NULL);
	}
	if (fd < 0) {
		return err_code(e, fd, "open '/proc/%s'", path);
	}
	if (fstatfs(fd, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC) {
		close_fd(&fd);
		return err_set(e, -EPERM, "'/proc/%s' is covered", path);
	}
	return fd;
}

int labels_apply(const struct spec_process *p, struct err *e)
{
	_cleanup_close_ int fd = -1;
	char line[512];
	int n;

	if (!given(p->apparmor_profile)) {
		return 0;
	}
	n = snprintf(line, sizeof(line), "exec %s", p->apparmor_profile);
	if (n < 0 || (size_t)n >= sizeof(line)) {
		return err_member(e, -EINVAL, ".process.apparmorProfile", "is too long");
	}
	fd = open_attr(e);
	if (fd < 0) {
		return err_wrap(e, fd, "apply AppArmor profile '%s'", p->apparmor_profile);
	}
	return write(fd, line, (size_t)n) < 0
		       ? err_errno(e, "apply AppArmor profile '%s'", p->apparmor_profile)
		       : 0;
}
