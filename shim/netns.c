#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/vfs.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/log.h"
#include "shim/mount.h"
#include "shim/netns.h"

static const char own_netns[] = "/proc/self/ns/net";

static int leave_home(int *ret_home, struct err *e)
{
	*ret_home = open(own_netns, O_RDONLY | O_CLOEXEC);
	return *ret_home < 0 ? err_errno(e, "open '%s'", own_netns) : 0;
}

static void come_home(int *home)
{
	if (*home >= 0 && setns(*home, CLONE_NEWNET) < 0) {
		log_err("cannot return to the network namespace: %s", err_text(errno));
		_exit(1);
	}
	close_fd(home);
}
#define _cleanup_home_ _cleanup_(come_home)

static int lo_up(struct err *e)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = {.ifr_flags = IFF_UP | IFF_RUNNING};

	memcpy(req.ifr_name, "lo", sizeof("lo"));
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &req) < 0) {
		return err_errno(e, "set interface 'lo' up");
	}
	return 0;
}

int netns_new(struct err *e)
{
	_cleanup_home_ int home = -1;
	int fd, r = leave_home(&home, e);

	if (r < 0) {
		return r;
	}
	if (unshare(CLONE_NEWNET) < 0) {
		return err_errno(e, "make a network namespace");
	}
	r = lo_up(e);
	if (r == 0) {
		/* /proc/sys/net is that of whoever opens it */
		r = files_write_control(
			AT_FDCWD, "/proc/sys/net/ipv4/ip_unprivileged_port_start", "0", e);
	}
	if (r < 0) {
		return r;
	}
	fd = open(own_netns, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? err_errno(e, "open '%s'", own_netns) : fd;
}

int netns_open(const char *path, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct statfs fs;

	if (fd < 0 || fstatfs(fd, &fs) < 0) {
		return err_errno(e, "open network namespace '%s'", path);
	}
	if (fs.f_type != NSFS_MAGIC || ioctl(fd, NS_GET_NSTYPE) != CLONE_NEWNET) {
		return err_set(e, -EINVAL, "'%s' is not a network namespace", path);
	}
	return take_fd(&fd);
}

int netns_sysfs(int netns_fd, struct err *e)
{
	_cleanup_home_ int home = -1;
	int r = leave_home(&home, e);

	if (r < 0) {
		return r;
	}
	if (setns(netns_fd, CLONE_NEWNET) < 0) {
		return err_errno(e, "enter the network namespace");
	}
	return mount_new_sysfs(e);
}
