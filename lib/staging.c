/*
 * The lock, not the pid in the name, tells whether the maker lives: pids are used again. A sweeper
 * that gets the lock owns the directory and may delete it; a maker that finds its directory swept
 * between mkdir and flock sees st_nlink 0 and starts anew.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/staging.h"

static bool is_hidden_work(const char *name)
{
	return name[0] == '.' && (strstr(name, ".partial.") || strstr(name, ".removed."));
}

/* Removes one leftover when nobody holds its lock. A failure is left to the next sweep. */
static void sweep_one(int storefd, const char *name)
{
	_cleanup_close_ int fd =
		openat(storefd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
		(void)files_remove_tree(storefd, name, NULL);
	}
}

static void sweep(int storefd)
{
	int copy = openat(storefd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_dir_ DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		if (is_hidden_work(d->d_name)) {
			sweep_one(storefd, d->d_name);
		}
	}
}

static int make_hidden(struct staging *s, struct err *e)
{
	for (int tries = 0; tries < 16; tries++) {
		struct stat st;

		close_fd(&s->fd);
		if (mkdirat(s->storefd, s->hidden, 0700) < 0) {
			return err_errno(e, "make directory '%s'", s->hidden);
		}
		s->fd = openat(
			s->storefd, s->hidden, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (s->fd >= 0 && flock(s->fd, LOCK_EX) == 0 && fstat(s->fd, &st) == 0 &&
			st.st_nlink > 0) {
			return 0;
		}
	}
	return err_set(e, -EAGAIN, "cannot lock directory '%s'", s->hidden);
}

static int open_store(const char *store, struct staging *s, struct err *e)
{
	int r = files_mkdir_p(store, 0711, e);

	if (r < 0) {
		return r;
	}
	s->storefd = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s->storefd < 0 ? err_errno(e, "open directory '%s'", store) : 0;
}

int staging_begin(const char *store, const char *name, struct staging *ret, struct err *e)
{
	_cleanup_staging_ struct staging s = STAGING_INIT;
	int n, r;

	r = open_store(store, &s, e);
	if (r < 0) {
		return r;
	}
	n = snprintf(s.hidden, sizeof(s.hidden), ".%s.partial.%d", name, (int)getpid());
	if (n < 0 || (size_t)n >= sizeof(s.hidden)) {
		return err_code(e, -ENAMETOOLONG, "'%s'", name);
	}
	(void)snprintf(s.name, sizeof(s.name), "%s", name);
	sweep(s.storefd);
	if (faccessat(s.storefd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
		s.published = true; /* nothing to remove */
		return err_code(e, -EEXIST, "'%s/%s'", store, name);
	}
	r = make_hidden(&s, e);
	if (r < 0) {
		return r;
	}
	*ret = s;
	s = STAGING_INIT; /* handed over */
	return 0;
}

int staging_publish(struct staging *s, struct err *e)
{
	if (fsync(s->fd) < 0) {
		return err_errno(e, "sync '%s'", s->hidden);
	}
	if (renameat2(s->storefd, s->hidden, s->storefd, s->name, RENAME_NOREPLACE) < 0) {
		return err_errno(e, "rename '%s' to '%s'", s->hidden, s->name);
	}
	s->published = true;
	(void)fsync(s->storefd); /* some file systems cannot sync a directory; the rename holds */
	return 0;
}

void staging_done(struct staging *s)
{
	if (s->fd >= 0 && !s->published) {
		(void)files_remove_tree(s->storefd, s->hidden, NULL);
	}
	close_fd(&s->fd);
	close_fd(&s->storefd);
}

int staging_remove(int storefd, const char *name, struct err *e)
{
	char hidden[NAME_MAX + 1];
	int n = snprintf(hidden, sizeof(hidden), ".%s.removed.%d", name, (int)getpid());
	_cleanup_close_ int fd = -1;

	if (n < 0 || (size_t)n >= sizeof(hidden)) {
		return err_code(e, -ENAMETOOLONG, "'%s'", name);
	}
	fd = openat(storefd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	/* the lock keeps a sweeper from deleting beside us */
	if (fd < 0 || flock(fd, LOCK_EX) < 0 ||
		renameat2(storefd, name, storefd, hidden, RENAME_NOREPLACE) < 0) {
		return err_errno(e, "remove '%s'", name);
	}
	return files_remove_tree(storefd, hidden, e);
}
