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

static int read_all(int fd, size_t max, struct buf *to)
{
	char part[8192];
	size_t total = 0;

	for (;;) {
		ssize_t n = read_some(fd, part, sizeof(part));

		if (n <= 0) {
			return n < 0 ? -errno : 0;
		}
		total += (size_t)n;
		if (total > max) {
			return -EFBIG;
		}
		buf_put(to, (struct slice){.p = part, .n = (size_t)n});
		if (buf_failed(to)) {
			return -ENOMEM;
		}
	}
}

int files_read(int dirfd, const char *path, size_t max, struct buf *to, struct err *e)
{
	_cleanup_close_ int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	size_t before = to->n;
	int r;

	if (fd < 0) {
		return err_errno(e, "open '%s'", path);
	}
	r = read_all(fd, max, to);
	if (r == 0) {
		return 0;
	}
	to->n = before;
	if (r == -EFBIG) {
		return err_set(e, r, "read '%s': more than %zu bytes", path, max);
	}
	return err_code(e, r, "read '%s'", path);
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
	if (strchr(name, '/')) {
		return -EINVAL; /* a name in the directory, not a path */
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

int files_write_atomic(
	int dirfd, const char *name, mode_t mode, struct slice content, struct err *e)
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

/* mkdirat(2) with the mode that was asked for, whatever the umask: a chmod afterwards could meet
 * something else under that name. */
static int make_dir(int dirfd, const char *name, mode_t mode)
{
	mode_t mask = umask(0);
	int r = mkdirat(dirfd, name, mode) < 0 ? -errno : 0;

	(void)umask(mask);
	return r == -EEXIST ? 0 : r;
}

static int check_dir(const char *path, struct err *e)
{
	struct stat st;

	if (stat(path, &st) < 0) {
		return err_errno(e, "make directory '%s'", path);
	}
	return S_ISDIR(st.st_mode) ? 0 : err_code(e, -ENOTDIR, "make directory '%s'", path);
}

int files_mkdir_p(const char *path, mode_t mode, struct err *e)
{
	_cleanup_free_ char *copy = strdup(path);
	int r;

	if (!copy) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	if (!*copy) {
		return err_set(e, -EINVAL, "make directory '': the path is empty");
	}
	for (char *c = copy + 1;; c++) {
		char was = *c;

		if (was != '/' && was != '\0') {
			continue;
		}
		*c = '\0';
		r = make_dir(AT_FDCWD, copy, mode);
		if (r < 0) {
			return err_code(e, r, "make directory '%s'", copy);
		}
		if (was == '\0') {
			return check_dir(copy, e);
		}
		*c = was;
	}
}

int files_mkdir_open(int dirfd, const char *name, mode_t mode, struct err *e)
{
	int r = make_dir(dirfd, name, mode);
	int fd;

	if (r < 0) {
		return err_code(e, r, "make directory '%s'", name);
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

/*
 * A removal. Each level holds a descriptor and a stack frame, and whoever fills the tree decides on
 * its depth: a directory deeper than DEPTH_MAX is first moved up, into the top of the tree.
 */
struct removal {
	int top;	/* the directory that is being emptied; borrowed */
	unsigned depth; /* of the current directory below top */
	unsigned moved; /* directories moved up so far */
	struct err *e;
};

enum { DEPTH_MAX = 100, PASSES_MAX = 10000 };

static int remove_entry(struct removal *rm, int dirfd, const char *name);

/* Removes what is in the directory `dir` once, as far as it shows. */
static int empty_dir(struct removal *rm, DIR *dir)
{
	struct dirent *d;

	while ((errno = 0, d = readdir(dir))) {
		int r = 0;

		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0) {
			r = remove_entry(rm, dirfd(dir), d->d_name);
		}
		if (r < 0) {
			return r;
		}
	}
	return errno ? err_errno(rm->e, "read directory") : 0;
}

static int move_up(struct removal *rm, int dirfd, const char *name)
{
	char up[64];

	if (unlinkat(dirfd, name, AT_REMOVEDIR) == 0) {
		return 0;
	}
	(void)snprintf(up, sizeof(up), ".removing.%d.%u", (int)getpid(), rm->moved++);
	if (renameat2(dirfd, name, rm->top, up, RENAME_NOREPLACE) < 0 && errno != EEXIST) {
		return err_errno(rm->e, "remove '%s'", name);
	}
	return 0; /* if it exists, the directory is not empty, and the next pass comes */
}

static int remove_dir(struct removal *rm, int dirfd, const char *name)
{
	_cleanup_dir_ DIR *dir = NULL;
	int fd = open_same_mount(dirfd, name);
	int r = 1;

	if (fd < 0 && errno == EXDEV) {
		return err_set(rm->e, -EBUSY, "remove '%s': something is mounted there", name);
	}
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir) {
		close_fd(&fd);
		return err_errno(rm->e, "remove '%s'", name);
	}
	if (rm->depth++ == 0) {
		rm->top = fd;
	}
	/* once more when entries were moved here, but not for ever for a writer who adds more */
	for (int pass = 0; r > 0 && pass < PASSES_MAX; pass++) {
		rewinddir(dir);
		r = empty_dir(rm, dir);
		if (r == 0 && unlinkat(dirfd, name, AT_REMOVEDIR) < 0) {
			r = err_errno(rm->e, "remove '%s'", name);
			r = r == -ENOTEMPTY ? 1 : r;
		}
	}
	rm->depth--;
	return r > 0 ? -ENOTEMPTY : r;
}

static int remove_entry(struct removal *rm, int dirfd, const char *name)
{
	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT) {
		return 0;
	}
	if (errno != EISDIR) {
		return err_errno(rm->e, "remove '%s'", name);
	}
	return rm->depth > DEPTH_MAX ? move_up(rm, dirfd, name) : remove_dir(rm, dirfd, name);
}

int files_remove_tree(int dirfd, const char *name, struct err *e)
{
	struct removal rm = {.top = -1, .e = e};

	if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
		return err_set(e, -EINVAL, "remove '%s': not a name in the directory", name);
	}
	return remove_entry(&rm, dirfd, name);
}
