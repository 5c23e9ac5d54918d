/* Runs in the child, on a tree that an image made: everything by descriptor, no link is followed. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/copyup.h"

enum { DEPTH_MAX = 64 };

static int copy_tree(int from, int to, unsigned depth);

static int set_owner_and_mode(int fd, const struct stat *st)
{
	/* the owner first: a change of it takes set-id bits away */
	return fchown(fd, st->st_uid, st->st_gid) < 0 || fchmod(fd, st->st_mode & 07777) < 0
		       ? -errno
		       : 0;
}

static int copy_file(int from, int to, const char *name, const struct stat *st)
{
	_cleanup_close_ int in = openat(from, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	_cleanup_close_ int out = -1;
	ssize_t n;

	if (in < 0) {
		return -errno;
	}
	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (out < 0) {
		return -errno;
	}
	while ((n = sendfile(out, in, NULL, 1 << 20)) > 0) {
	}
	return n < 0 ? -errno : set_owner_and_mode(out, st);
}

static int copy_link(int from, int to, const char *name, const struct stat *st)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(from, name, target, sizeof(target) - 1);

	if (n < 0) {
		return -errno;
	}
	target[n] = '\0';
	return symlinkat(target, to, name) < 0 ||
			       fchownat(to, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0
		       ? -errno
		       : 0;
}

static int copy_directory(int from, int to, const char *name, const struct stat *st, unsigned depth)
{
	_cleanup_close_ int in =
		openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	_cleanup_close_ int out = -1;
	int r;

	if (in < 0 || mkdirat(to, name, 0700) < 0) {
		return -errno;
	}
	out = openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (out < 0) {
		return -errno;
	}
	r = copy_tree(in, out, depth + 1);
	return r < 0 ? r : set_owner_and_mode(out, st);
}

static int copy_entry(int from, int to, const char *name, unsigned depth)
{
	struct stat st;

	if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		return -errno;
	}
	switch (st.st_mode & S_IFMT) {
	case S_IFREG:
		return copy_file(from, to, name, &st);
	case S_IFDIR:
		return copy_directory(from, to, name, &st, depth);
	case S_IFLNK:
		return copy_link(from, to, name, &st);
	case S_IFIFO:
		return mkfifoat(to, name, st.st_mode & 07777) < 0 ? -errno : 0;
	default:
		return 0;
	}
}

/* `from` stays open and the caller's; the directory stream has a descriptor of its own. */
static int copy_tree(int from, int to, unsigned depth)
{
	int copy = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_dir_ DIR *entries = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *d;
	int r = 0;

	if (!entries || depth > DEPTH_MAX) {
		return entries ? -ELOOP : -errno;
	}
	while (r == 0 && (d = readdir(entries))) {
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0) {
			r = copy_entry(from, to, d->d_name, depth);
		}
	}
	return r;
}

int copyup_directory(int from, int to, struct err *e)
{
	struct stat st;
	int r = copy_tree(from, to, 0);

	if (r == 0 && fstat(from, &st) < 0) {
		r = -errno;
	}
	if (r == 0) {
		r = set_owner_and_mode(to, &st);
	}
	return r < 0 ? err_code(e, r, "copy what it covers") : 0;
}
