#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/digest.h"
#include "images/extract.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

enum { READ_BLOCK = 64 << 10, OWNER_MAX = 65535 };

/* A path of the archive, cleaned: no "." and no empty component. */
struct place {
	char path[PATH_MAX];
	const char *parent; /* "." at the top; in `path`, whose last slash is cut */
	const char *name;   /* "" for the root itself */
};

static int add_component(struct place *p, size_t *n, const char *s, size_t len)
{
	if (len > NAME_MAX || *n + len + 2 > sizeof(p->path)) {
		return -ENAMETOOLONG;
	}
	if (*n) {
		p->path[(*n)++] = '/';
	}
	memcpy(p->path + *n, s, len);
	*n += len;
	p->path[*n] = '\0';
	return 0;
}

/* Why a path is refused, NULL when it is fine. */
static const char *clean(const char *raw, struct place *p)
{
	size_t n = 0, depth = 0;
	char *slash;

	if (raw[0] == '/') {
		return "is absolute";
	}
	p->path[0] = '\0';
	for (const char *s = raw; *s;) {
		size_t len = strcspn(s, "/");

		if (len == 2 && memcmp(s, "..", 2) == 0) {
			return "holds '..'";
		}
		if (len > 0 && !(len == 1 && s[0] == '.')) {
			if (++depth >= DIGEST_DEPTH_MAX) {
				return "is too deep";
			}
			if (add_component(p, &n, s, len) < 0) {
				return "is too long";
			}
		}
		s += len + (s[len] == '/');
	}
	slash = strrchr(p->path, '/');
	p->parent = slash ? p->path : ".";
	p->name = slash ? slash + 1 : p->path;
	if (slash) {
		*slash = '\0';
	}
	return NULL;
}

static int clean_or_refuse(const char *raw, struct place *p, struct err *e)
{
	const char *why = clean(raw, p);

	return why ? err_set(e, -EINVAL, "entry '%.200s': its path %s", raw, why) : 0;
}

/* Makes the missing directories of a path of which no component is a link. */
static int make_parents(int rootfd, const char *path, struct err *e)
{
	char part[PATH_MAX];

	(void)snprintf(part, sizeof(part), "%s", path);
	for (char *c = part;; c++) {
		char was = *c;
		_cleanup_close_ int up = -1;
		char *slash;

		if (was != '/' && was != '\0') {
			continue;
		}
		*c = '\0';
		slash = strrchr(part, '/');
		if (slash) {
			*slash = '\0';
		}
		up = files_open_beneath(rootfd, slash ? part : ".", O_PATH | O_DIRECTORY, 0, e);
		if (up < 0) {
			return up;
		}
		if (mkdirat(up, slash ? slash + 1 : part, 0755) < 0 && errno != EEXIST) {
			return err_errno(e, "make directory '%s'", path);
		}
		if (slash) {
			*slash = '/';
		}
		*c = was;
		if (was == '\0') {
			return 0;
		}
	}
}

static int open_parent(int rootfd, const char *path, struct err *e)
{
	int fd = files_open_beneath(rootfd, path, O_PATH | O_DIRECTORY, 0, e);
	int r;

	if (fd != -ENOENT) {
		return fd;
	}
	err_clear(e);
	r = make_parents(rootfd, path, e);
	return r < 0 ? r : files_open_beneath(rootfd, path, O_PATH | O_DIRECTORY, 0, e);
}

/* A later entry replaces an earlier one, as tar has it, but nothing replaces a directory. */
static int make_way(int parent, const char *name, struct err *e)
{
	if (unlinkat(parent, name, 0) < 0 && errno != ENOENT) {
		return err_errno(e, "replace");
	}
	return 0;
}

static int set_metadata(int fd, struct archive_entry *entry, struct err *e)
{
	struct timespec times[2] = {{.tv_nsec = UTIME_OMIT},
		{.tv_sec = archive_entry_mtime(entry), .tv_nsec = archive_entry_mtime_nsec(entry)}};

	if (fchown(fd, (uid_t)archive_entry_uid(entry), (gid_t)archive_entry_gid(entry)) < 0 ||
		fchmod(fd, archive_entry_perm(entry) & 07777U) < 0) {
		return err_errno(e, "set owner and mode");
	}
	(void)futimens(fd, times); /* an absurd time is no reason to refuse an image */
	return 0;
}

static int put_dir(int parent, const char *name, struct archive_entry *entry, struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode)) {
		int r = make_way(parent, name, e);

		if (r < 0) {
			return r;
		}
	}
	fd = files_mkdir_open(parent, name, 0700, e);
	return fd < 0 ? fd : set_metadata(fd, entry, e);
}

static int put_link(int parent, const char *name, struct archive_entry *entry, struct err *e)
{
	const char *target = archive_entry_symlink(entry);
	int r = make_way(parent, name, e);

	if (r < 0) {
		return r;
	}
	if (!target || !*target || symlinkat(target, parent, name) < 0) {
		return target && *target ? err_errno(e, "make the symbolic link")
					 : err_set(e, -EINVAL, "a symbolic link without target");
	}
	if (fchownat(parent, name, (uid_t)archive_entry_uid(entry), (gid_t)archive_entry_gid(entry),
		    AT_SYMLINK_NOFOLLOW) < 0) {
		return err_errno(e, "set the owner");
	}
	return 0;
}

static int put_hard_link(
	struct extract *x, int parent, const char *name, const char *target, struct err *e)
{
	_cleanup_close_ int from = -1;
	struct place p;
	struct stat st, old;
	int r = clean_or_refuse(target, &p, e);

	if (r < 0) {
		return r;
	}
	from = files_open_beneath(x->rootfd, p.parent, O_PATH | O_DIRECTORY, 0, e);
	if (from < 0) {
		return err_wrap(e, from, "hard link to '%.200s'", target);
	}
	if (!p.name[0] || fstatat(from, p.name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		!S_ISREG(st.st_mode)) {
		return err_set(e, -EINVAL, "hard link to '%.200s', which is no file of the archive",
			target);
	}
	if (fstatat(parent, name, &old, AT_SYMLINK_NOFOLLOW) == 0 && old.st_ino == st.st_ino) {
		return 0; /* a link to itself would remove the file first */
	}
	r = make_way(parent, name, e);
	if (r == 0 && linkat(from, p.name, parent, name, 0) < 0) {
		r = err_errno(e, "hard link to '%.200s'", target);
	}
	return r;
}

/* Holes count like bytes: whoever reads the image, as the digest does, reads them all. */
static int check_size(const struct extract *x, la_int64_t size, struct err *e)
{
	if (size < 0 || (uint64_t)size > x->bytes_max - x->bytes) {
		return err_set(
			e, -EFBIG, "more than %llu bytes in all", (unsigned long long)x->bytes_max);
	}
	return 0;
}

static int end_content(struct extract *x, int fd, la_int64_t size, struct err *e)
{
	int r = check_size(x, size, e);

	if (r == 0 && ftruncate(fd, size) < 0) {
		r = err_errno(e, "set the size");
	}
	if (r == 0) {
		x->bytes += (uint64_t)size;
	}
	return r;
}

/* Copies the content, holes as holes. */
static int copy_content(struct extract *x, struct archive *a, int fd, struct err *e)
{
	for (;;) {
		const void *p;
		size_t n;
		la_int64_t at, end;
		int r = archive_read_data_block(a, &p, &n, &at);

		if (r == ARCHIVE_EOF) {
			return end_content(x, fd, at, e);
		}
		if (r < ARCHIVE_WARN) {
			return err_set(e, -EIO, "%s", archive_error_string(a));
		}
		if (__builtin_add_overflow(at, (la_int64_t)n, &end)) {
			end = -1;
		}
		r = check_size(x, at < 0 ? at : end, e);
		if (r < 0) {
			return r;
		}
		for (size_t done = 0; done < n;) {
			ssize_t w = pwrite(fd, (const char *)p + done, n - done, at + (off_t)done);

			if (w < 0) {
				return err_errno(e, "write");
			}
			done += (size_t)w;
		}
	}
}

static int put_file(struct extract *x, struct archive *a, struct archive_entry *entry, int parent,
	const char *name, struct err *e)
{
	_cleanup_close_ int fd = -1;
	int r = make_way(parent, name, e);

	if (r < 0) {
		return r;
	}
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0) {
		return err_errno(e, "make the file");
	}
	r = copy_content(x, a, fd, e);
	return r < 0 ? r : set_metadata(fd, entry, e);
}

static int check_entry(struct extract *x, struct archive_entry *entry, struct err *e)
{
	struct pollfd p = {.fd = x->signalfd, .events = POLLIN};

	if (++x->entries > x->entries_max) {
		return err_set(
			e, -EFBIG, "more than %llu entries", (unsigned long long)x->entries_max);
	}
	if (archive_entry_uid(entry) < 0 || archive_entry_uid(entry) > OWNER_MAX ||
		archive_entry_gid(entry) < 0 || archive_entry_gid(entry) > OWNER_MAX) {
		return err_set(e, -ERANGE, "its owner %lld:%lld is beyond %d",
			(long long)archive_entry_uid(entry), (long long)archive_entry_gid(entry),
			OWNER_MAX);
	}
	if (x->signalfd >= 0 && poll(&p, 1, 0) > 0) {
		return err_set(e, -EINTR, "interrupted");
	}
	return 0;
}

/* By type. -EOPNOTSUPP is not an error here: the entry is left out. */
static int put_by_type(struct extract *x, struct archive *a, struct archive_entry *entry,
	const struct place *p, struct err *e)
{
	_cleanup_close_ int parent = open_parent(x->rootfd, p->parent, e);
	const char *hard = archive_entry_hardlink(entry);

	if (parent < 0) {
		return parent;
	}
	if (hard) {
		return put_hard_link(x, parent, p->name, hard, e);
	}
	switch (archive_entry_filetype(entry)) {
	case AE_IFDIR:
		return put_dir(parent, p->name, entry, e);
	case AE_IFLNK:
		return put_link(parent, p->name, entry, e);
	case AE_IFREG:
		return put_file(x, a, entry, parent, p->name, e);
	default:
		x->left_out++;
		return 0;
	}
}

static int put_entry(
	struct extract *x, struct archive *a, struct archive_entry *entry, struct err *e)
{
	const char *raw = archive_entry_pathname(entry);
	struct place p;
	int r;

	if (!raw) {
		return err_set(e, -EILSEQ, "entry %llu has a name that cannot be read",
			(unsigned long long)x->entries + 1);
	}
	r = clean_or_refuse(raw, &p, e);
	if (r < 0 || !p.name[0]) {
		return r; /* the root's own entry: tree_complete() sets owner and mode */
	}
	r = check_entry(x, entry, e);
	if (r == 0) {
		r = put_by_type(x, a, entry, &p, e);
	}
	return r < 0 && r != -EINTR ? err_wrap(e, r, "entry '%.200s'", raw) : r;
}

static int put_all(struct extract *x, struct archive *a, bool descend, struct err *e)
{
	struct archive_entry *entry = archive_entry_new();
	int r = 0;

	while (entry && r == 0) {
		int got = archive_read_next_header2(a, entry);

		if (got == ARCHIVE_EOF) {
			break;
		}
		if (got < ARCHIVE_WARN) {
			r = err_set(e, -EIO, "%s", archive_error_string(a));
			break;
		}
		if (descend) {
			(void)archive_read_disk_descend(a);
		}
		r = put_entry(x, a, entry, e);
	}
	archive_entry_free(entry);
	return r == 0 && x->entries == 0 ? err_set(e, -EINVAL, "it is empty") : r;
}

int extract_tar(struct extract *x, int fd, struct err *e)
{
	struct archive *a = archive_read_new();
	int r;

	(void)archive_read_support_format_tar(a);
	(void)archive_read_support_filter_gzip(a);
	(void)archive_read_support_filter_bzip2(a);
	(void)archive_read_support_filter_xz(a);
	(void)archive_read_support_filter_zstd(a);
	if (archive_read_open_fd(a, fd, READ_BLOCK) != ARCHIVE_OK) {
		r = err_set(e, -EINVAL, "it is no tar archive: %s", archive_error_string(a));
	} else {
		r = put_all(x, a, false, e);
	}
	(void)archive_read_free(a);
	return r;
}

int extract_dir(struct extract *x, int dirfd, struct err *e)
{
	struct archive *a;
	int r;

	if (fchdir(dirfd) < 0) {
		return err_errno(e, "change to the directory");
	}
	a = archive_read_disk_new();
	(void)archive_read_disk_set_symlink_physical(a);
	(void)archive_read_disk_set_behavior(
		a, ARCHIVE_READDISK_NO_TRAVERSE_MOUNTS | ARCHIVE_READDISK_NO_XATTR |
			   ARCHIVE_READDISK_NO_ACL | ARCHIVE_READDISK_NO_FFLAGS);
	if (archive_read_disk_open(a, ".") != ARCHIVE_OK) {
		r = err_set(e, -EIO, "%s", archive_error_string(a));
	} else {
		r = put_all(x, a, true, e);
	}
	(void)archive_read_free(a);
	return r;
}
