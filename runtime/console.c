#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <termios.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/console.h"
#include "runtime/rootfs.h"

/* Paths of sockets may be longer than sun_path: the directory goes in by descriptor. */
int console_connect(const char *path, struct err *e)
{
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	_cleanup_close_ int file = open(path, O_PATH | O_CLOEXEC);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	if (sock < 0 || file < 0) {
		return err_errno(e, "console socket '%s'", path);
	}
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d", file);
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		return err_errno(e, "connect to console socket '%s'", path);
	}
	return take_fd(&sock);
}

/* conmon and containerd's shims set ONLCR themselves where they want it, as runc leaves it off. */
static void clear_onlcr(int master)
{
	struct termios t;

	if (tcgetattr(master, &t) == 0) {
		t.c_oflag &= ~(tcflag_t)ONLCR;
		(void)tcsetattr(master, TCSANOW, &t);
	}
}

int console_open(int root, struct console *ret, struct err *e)
{
	struct console c = {.master = -1, .slave = -1};
	struct statfs fs;
	int zero = 0;

	c.master = files_open_beneath(root, "dev/pts/ptmx", O_RDWR | O_NOCTTY, 0, e);
	if (c.master < 0) {
		return err_wrap(e, c.master, "make a terminal");
	}
	if (fstatfs(c.master, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC ||
		ioctl(c.master, TIOCSPTLCK, &zero) < 0) {
		console_done(&c);
		return err_set(e, -ENODEV, "'/dev/pts/ptmx' of the container makes no terminals");
	}
	c.slave = ioctl(c.master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (c.slave < 0) {
		int r = err_errno(e, "open the terminal");

		console_done(&c);
		return r;
	}
	clear_onlcr(c.master);
	*ret = c;
	return 0;
}

void console_done(struct console *c)
{
	close_fd(&c->master);
	close_fd(&c->slave);
}

void console_set_size(int fd, uint32_t rows, uint32_t columns)
{
	struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};

	if (rows && columns) {
		(void)ioctl(fd, TIOCSWINSZ, &size);
	}
}

int console_bind(int root, const struct console *c, struct err *e)
{
	_cleanup_close_ int tree = -1;
	_cleanup_close_ int target = rootfs_target(root, "/dev/console", true, e);

	if (target < 0) {
		return target;
	}
	tree = open_tree(c->slave, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	if (tree < 0 || rootfs_attach(tree, target) < 0) {
		return err_errno(e, "mount '/dev/console'");
	}
	return 0;
}

int console_send(int socket, int master, struct err *e)
{
	char name[] = "/dev/ptmx";
	struct iovec iov = {.iov_base = name, .iov_len = sizeof(name) - 1};
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &master, sizeof(int));
	if (sendmsg(socket, &msg, MSG_NOSIGNAL) < 0) {
		return err_errno(e, "send the terminal to the console socket");
	}
	return 0;
}

int console_receive(int socket, struct err *e)
{
	char name[64];
	struct iovec iov = {.iov_base = name, .iov_len = sizeof(name)};
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	struct msghdr msg = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes)};
	struct cmsghdr *c;
	int master;

	if (recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) < 0) {
		return err_errno(e, "receive the terminal");
	}
	c = CMSG_FIRSTHDR(&msg);
	if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof(int))) {
		return err_set(e, -EPROTO, "receive the terminal: no descriptor came");
	}
	memcpy(&master, CMSG_DATA(c), sizeof(int));
	return master;
}

int console_attach(const struct console *c, struct err *e)
{
	if (ioctl(c->slave, TIOCSCTTY, 0) < 0) {
		return err_errno(e, "take the terminal");
	}
	for (int fd = 0; fd < 3; fd++) {
		if (dup2(c->slave, fd) < 0) {
			return err_errno(e, "take the terminal as stdio");
		}
	}
	return 0;
}
