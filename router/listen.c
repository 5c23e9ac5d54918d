#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "router/listen.h"

enum { BACKLOG = 4096, RECEIVE_BUFFER = 4 << 20 };

static int bind_inet(const struct addr *addr, int type)
{
	int one = 1, zero = 0;
	_cleanup_close_ int fd = socket(addr->sa.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0) {
		return -errno;
	}
	if (type == SOCK_STREAM) {
		(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	}
	if (addr->sa.sa_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&addr->in6.sin6_addr)) {
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
	}
	if (bind(fd, &addr->sa, addr->len) < 0 ||
		(type == SOCK_STREAM && listen(fd, BACKLOG) < 0)) {
		return -errno;
	}
	return take_fd(&fd);
}

static int open_inet(const char *text, int type, struct addr *ret_bound, struct err *e)
{
	struct addr addr;
	int fd, r = addr_parse(slice_of(text), &addr, e);

	if (r < 0) {
		return r;
	}
	fd = bind_inet(&addr, type);
	if (fd == -EAFNOSUPPORT && text[0] == ':') {
		uint16_t port = addr.in6.sin6_port;

		addr = (struct addr){
			.in = {.sin_family = AF_INET, .sin_port = port}, .len = sizeof(addr.in)};
		fd = bind_inet(&addr, type);
	}
	if (fd < 0) {
		return err_code(e, fd, "listen on '%s'", text);
	}
	ret_bound->len = sizeof(ret_bound->in6);
	if (getsockname(fd, &ret_bound->sa, &ret_bound->len) < 0) {
		r = err_errno(e, "listen on '%s'", text);
		close_fd(&fd);
		return r;
	}
	return fd;
}

int listen_tcp(const char *text, struct addr *ret_bound, struct err *e)
{
	return open_inet(text, SOCK_STREAM, ret_bound, e);
}

int listen_udp(const char *text, struct addr *ret_bound, struct err *e)
{
	return open_inet(text, SOCK_DGRAM, ret_bound, e);
}

static int make_directory_of(const char *path, struct err *e)
{
	_cleanup_free_ char *dir = strdup(path);
	char *slash = dir ? strrchr(dir, '/') : NULL;

	if (!slash || slash == dir || path[0] != '/') {
		return 0;
	}
	*slash = '\0';
	return files_mkdir_p(dir, 0755, e);
}

/* Binds fd to a name beside path, and puts it in the place of path. */
static int bind_over(
	int fd, int type, const char *path, mode_t mode, struct socket_file *ret, struct err *e)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct stat st;
	int n = snprintf(un.sun_path, sizeof(un.sun_path), "%s.new", path), r;

	if (n < 0 || (size_t)n >= sizeof(un.sun_path)) {
		return err_set(e, -ENAMETOOLONG, "socket path '%s' is too long", path);
	}
	(void)unlink(un.sun_path); /* of a start that did not get far */
	if (bind(fd, (struct sockaddr *)&un, sizeof(un)) < 0) {
		return err_errno(e, "bind '%s'", un.sun_path);
	}
	if (chmod(un.sun_path, mode) < 0 || (type == SOCK_STREAM && listen(fd, BACKLOG) < 0) ||
		lstat(un.sun_path, &st) < 0 || rename(un.sun_path, path) < 0) {
		r = err_errno(e, "make socket '%s'", path);
		(void)unlink(un.sun_path);
		return r;
	}
	ret->path = strdup(path);
	ret->dev = st.st_dev;
	ret->ino = st.st_ino;
	return ret->path ? 0 : err_set(e, -ENOMEM, "out of memory");
}

int listen_unix(const char *path, int type, mode_t mode, struct socket_file *ret, struct err *e)
{
	_cleanup_close_ int fd = -1;
	int one = 1, size = RECEIVE_BUFFER, r;

	r = make_directory_of(path, e);
	if (r < 0) {
		return r;
	}
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || (type == SOCK_DGRAM &&
			      setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &one, sizeof(one)) < 0)) {
		return err_errno(e, "make socket '%s'", path);
	}
	/* more than the limit needs a capability; without it the default stays */
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	r = bind_over(fd, type, path, mode, ret, e);
	return r < 0 ? r : take_fd(&fd);
}

void socket_file_remove(struct socket_file *f)
{
	struct stat st;

	if (f->path && lstat(f->path, &st) == 0 && st.st_dev == f->dev && st.st_ino == f->ino) {
		/* fails after --user in a directory of root; the next start renames over it */
		(void)unlink(f->path);
	}
	free(f->path);
	*f = (struct socket_file){};
}
