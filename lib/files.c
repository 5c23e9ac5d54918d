#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

static ssize_t read_some(int fd, char *at, size_t n)
{
	ssize_t got;

	do {
		got = read(fd, at, n);
	} while (got < 0 && errno == EINTR);
	return got;
}

int files_read(int dirfd, const char *path, size_t max, struct buf *to, struct err *e)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	size_t total = 0;

	if (fd < 0) {
		return err_errno(e, "open '%s'", path);
	}
	for (;;) {
		char *at = buf_room(to, 8192);
		ssize_t n = at ? read_some(fd, at, 8192) : -1;

		if (!at) {
			return err_set(e, -ENOMEM, "read '%s': out of memory", path);
		}
		if (n < 0) {
			return err_errno(e, "read '%s'", path);
		}
		if (n == 0) {
			return 0;
		}
		total += (size_t)n;
		if (total > max) {
			return err_set(e, -EFBIG, "read '%s': more than %zu bytes", path, max);
		}
		buf_added(to, (size_t)n);
	}
}

int files_write_all(int fd, struct slice s)
{
	while (s.n) {
		ssize_t n = write(fd, s.p, s.n);

		if (n < 0 && errno != EINTR) {
			return -errno;
		}
		s = slice_skip(s, n > 0 ? (size_t)n : 0);
	}
	return 0;
}

/* Makes and fills the temporary file; returns its descriptor, owned. */
static int write_new(int dirfd, const char *tmp, mode_t mode, struct slice content)
{
	int fd, r;

	(void)unlinkat(dirfd, tmp, 0); /* of an earlier process with our pid */
	fd = openat(dirfd, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		return -errno;
	}
	r = files_write_all(fd, content);
	if (r == 0 && fchmod(fd, mode) < 0) { /* the mode that was asked for, whatever the umask */
		r = -errno;
	}
	if (r < 0) {
		close_fd(&fd);
		return r;
	}
	return fd;
}

static int replace(int dirfd, const char *name, mode_t mode, struct slice content, bool sync)
{
	char tmp[NAME_MAX + 1];
	int n = snprintf(tmp, sizeof(tmp), ".%s.%d", name, (int)getpid());
	_cleanup_close_ int fd = -1;
	int r = 0;

	if (n < 0 || (size_t)n >= sizeof(tmp)) {
		return -ENAMETOOLONG;
	}
	fd = write_new(dirfd, tmp, mode, content);
	if (fd < 0) {
		r = fd;
	} else if ((sync && fsync(fd) < 0) || renameat(dirfd, tmp, dirfd, name) < 0) {
		r = -errno;
	}
	if (r < 0) {
		(void)unlinkat(dirfd, tmp, 0);
	}
	return r;
}

int files_replace(int dirfd, const char *name, mode_t mode, struct slice content, struct err *e)
{
	int r = replace(dirfd, name, mode, content, false);

	return r < 0 ? err_code(e, r, "write '%s'", name) : 0;
}

int files_write_atomic(int dirfd, const char *name, mode_t mode, struct slice content,
	struct err *e)
{
	_cleanup_close_ int dir = -1;
	int r = replace(dirfd, name, mode, content, true);

	if (r < 0) {
		return err_code(e, r, "write '%s'", name);
	}
	dir = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0) {
		(void)fsync(dir); /* some file systems cannot sync a directory; the rename holds */
	}
	return 0;
}

int files_write_control(int dirfd, const char *path, const char *value, struct err *e)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_WRONLY | O_CLOEXEC);

	if (fd < 0) {
		return err_errno(e, "open '%s'", path);
	}
	if (write(fd, value, strlen(value)) < 0) {
		return err_errno(e, "write '%s' to '%s'", value, path);
	}
	return 0;
}

static int open_resolved(int dirfd, const char *path, const struct open_how *how, struct err *e)
{
	int fd;

	/* EAGAIN: a rename raced with ".."; the kernel asks to try again (openat2(2)). */
	for (int tries = 0; tries < 64; tries++) {
		fd = (int)syscall(SYS_openat2, dirfd, path, how, sizeof(*how));
		if (fd >= 0 || errno != EAGAIN) {
			break;
		}
	}
	if (fd < 0 && errno == ELOOP && (how->resolve & RESOLVE_NO_SYMLINKS)) {
		return err_set(e, -ELOOP, "open '%s': a symbolic link is in the way", path);
	}
	return fd < 0 ? err_errno(e, "open '%s'", path) : fd;
}

int files_open_beneath(int dirfd, const char *path, int flags, mode_t mode, struct err *e)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC,
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	return open_resolved(dirfd, path, &how, e);
}

int files_open_in_root(int dirfd, const char *path, int flags, mode_t mode, struct err *e)
{
	struct open_how how = {
		.flags = (unsigned)flags | O_CLOEXEC,
		.mode = flags & O_CREAT ? mode : 0,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};

	return open_resolved(dirfd, path, &how, e);
}

int files_mkdir_p(const char *path, mode_t mode, struct err *e)
{
	_cleanup_free_ char *copy = strdup(path);

	if (!copy) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	for (char *c = copy + 1;; c++) {
		char was = *c;

		if (was != '/' && was != '\0') {
			continue;
		}
		*c = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST) {
			return err_errno(e, "make directory '%s'", copy);
		}
		if (was == '\0') {
			return 0;
		}
		*c = was;
	}
}

int files_mkdir_open(int dirfd, const char *name, mode_t mode, struct err *e)
{
	int fd;

	if (mkdirat(dirfd, name, mode) < 0 && errno != EEXIST) {
		return err_errno(e, "make directory '%s'", name);
	}
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_errno(e, "open directory '%s'", name) : fd;
}

/* Opens a directory without leaving the mount that dirfd is on: RESOLVE_NO_XDEV stops at bind mounts
 * too, which st_dev does not show. A bind of a customer's home must never be emptied. */
static int open_same_mount(int dirfd, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH,
	};

	return (int)syscall(SYS_openat2, dirfd, name, &how, sizeof(how));
}

static int remove_entry(int dirfd, const char *name, struct err *e);

/* Takes fd, a directory, and removes what is in it. */
static int empty_dir(int fd, struct err *e)
{
	_cleanup_dir_ DIR *dir = fdopendir(fd);
	struct dirent *d;

	if (!dir) {
		close_fd(&fd);
		return err_errno(e, "read directory");
	}
	while ((errno = 0, d = readdir(dir))) {
		int r = 0;

		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0) {
			r = remove_entry(fd, d->d_name, e);
		}
		if (r < 0) {
			return r;
		}
	}
	return errno ? err_errno(e, "read directory") : 0;
}

static int remove_entry(int dirfd, const char *name, struct err *e)
{
	int fd, r;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT) {
		return 0;
	}
	if (errno != EISDIR && errno != EPERM) {
		return err_errno(e, "remove '%s'", name);
	}
	fd = open_same_mount(dirfd, name);
	if (fd < 0 && errno == EXDEV) {
		return err_set(e, -EBUSY, "remove '%s': something is mounted there", name);
	}
	if (fd < 0) {
		return err_errno(e, "remove '%s'", name);
	}
	r = empty_dir(fd, e);
	if (r == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0) {
		r = err_errno(e, "remove '%s'", name);
	}
	return r;
}

int files_remove_tree(int dirfd, const char *name, struct err *e)
{
	return remove_entry(dirfd, name, e);
}
