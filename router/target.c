#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/paths.h"
#include "router/target.h"

#define HOMES "/containers/"

static bool has_dot_dot(const char *path)
{
	for (const char *at = path; (at = strstr(at, "/..")); at += 3) {
		if (at[3] == '/' || at[3] == '\0') {
			return true;
		}
	}
	return false;
}

/* Whose home the path is in; 0: nobody's. */
static uid_t home_owner(const char *path)
{
	uid_t uid = 0;

	if (strncmp(path, HOMES, strlen(HOMES)) != 0) {
		return 0;
	}
	for (path += strlen(HOMES); *path >= '0' && *path <= '9' && uid <= UID_LAST; path++) {
		uid = uid * 10 + (uid_t)(*path - '0');
	}
	return *path == '/' && uid >= UID_FIRST && uid <= UID_LAST ? uid : 0;
}

static int local_target(uid_t uid, const char *path, struct target *ret, struct err *e)
{
	char home[sizeof(HOMES) + 12];
	int n = snprintf(home, sizeof(home), HOMES "%u/", uid);

	if (has_dot_dot(path)) {
		return err_set(e, -EPERM, "the path has '..' in it");
	}
	if (uid == 0) {
		/* what a customer can change is not to be trusted more because root names it */
		uid = home_owner(path);
		if (uid) {
			*ret = (struct target){.kind = TARGET_HOME, .uid = uid, .path = path};
			return 0;
		}
		*ret = (struct target){.kind = TARGET_HOST, .path = path};
		return 0;
	}
	if (strncmp(path, home, (size_t)n) != 0) {
		return err_set(e, -EPERM, "the path is not beneath '%s'", home);
	}
	*ret = (struct target){.kind = TARGET_HOME, .uid = uid, .path = path};
	return 0;
}

int target_of(const struct sender *sender, const char *address, struct target *ret, struct err *e)
{
	struct target t = {.kind = TARGET_INET};

	if (sender->local && sender->uid != 0 &&
		(sender->uid < UID_FIRST || sender->uid > UID_LAST)) {
		return err_set(e, -EPERM, "uid %u is nobody's container", sender->uid);
	}
	if (address[0] == '/') {
		if (!sender->local) {
			return err_set(e, -EPERM, "a path announced by UDP");
		}
		return local_target(sender->uid, address, ret, e);
	}
	if (sender->local && sender->uid != 0) {
		return err_set(e, -EPERM, "a customer announces no network address here");
	}
	if (addr_parse(slice_of(address), &t.addr, e) < 0 || address[0] == ':' ||
		addr_port(&t.addr) == 0) {
		return err_set(e, -EPERM, "not an address of a node");
	}
	if (!sender->local && !addr_same_host(&t.addr, &sender->addr)) {
		return err_set(e, -EPERM, "not the sender's own address");
	}
	*ret = t;
	return 0;
}

/* A descriptor that stands for the socket file of a customer. */
static int open_home_socket(const struct target *t, int containers)
{
	_cleanup_close_ int fd = files_open_beneath(
		containers, t->path + strlen(HOMES), O_PATH | O_NOFOLLOW, 0, NULL);
	struct stat st;

	if (fd < 0) {
		return fd;
	}
	if (fstat(fd, &st) < 0) {
		return -errno;
	}
	if (!S_ISSOCK(st.st_mode) || st.st_uid != t->uid) {
		return -EPERM;
	}
	return take_fd(&fd);
}

static int connect_unix(const char *path)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = -1;

	if (strlen(path) >= sizeof(un.sun_path)) {
		return -ENAMETOOLONG;
	}
	(void)strcpy(un.sun_path, path); /* it fits */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof(un)) < 0) {
		return -errno;
	}
	return take_fd(&fd);
}

static int connect_home(const struct target *t, int containers)
{
	_cleanup_close_ int at = open_home_socket(t, containers);
	char path[32];

	if (at < 0) {
		return at;
	}
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", at);
	return connect_unix(path);
}

static int connect_inet(const struct addr *addr, bool *ret_pending)
{
	_cleanup_close_ int fd =
		socket(addr->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;

	if (fd < 0) {
		return -errno;
	}
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (connect(fd, &addr->sa, addr->len) < 0) {
		if (errno != EINPROGRESS) {
			return -errno;
		}
		*ret_pending = true;
	}
	return take_fd(&fd);
}

int target_connect(const struct target *t, int containers, bool *ret_pending)
{
	*ret_pending = false;
	switch (t->kind) {
	case TARGET_HOME:
		return connect_home(t, containers);
	case TARGET_HOST:
		return connect_unix(t->path);
	case TARGET_INET:
		return connect_inet(&t->addr, ret_pending);
	}
	return -EINVAL;
}
