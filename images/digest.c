#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "images/digest.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"

struct walk {
	EVP_MD_CTX *ctx; /* owned */
	struct buf path; /* of the current entry, relative to the root */
	int depth;
	char block[64 << 10];
};

/* EVP_DigestUpdate() of SHA-256 fails only on misuse; the final call tells. */
static void feed(struct walk *w, const void *p, size_t n)
{
	(void)EVP_DigestUpdate(w->ctx, p, n);
}

static char type_letter(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return 'f';
	case S_IFDIR:
		return 'd';
	case S_IFLNK:
		return 'l';
	case S_IFIFO:
		return 'p';
	case S_IFSOCK:
		return 's';
	case S_IFCHR:
		return 'c';
	default:
		return 'b';
	}
}

static void feed_head(struct walk *w, const struct stat *st, size_t content)
{
	char head[96];
	int n = snprintf(head, sizeof(head), "%c %04o %u %u %zu:", type_letter(st->st_mode),
		st->st_mode & 07777U, st->st_uid, st->st_gid, w->path.n);

	feed(w, head, (size_t)n);
	feed(w, w->path.p ? w->path.p : "", w->path.n);
	n = snprintf(head, sizeof(head), " %zu:", content);
	feed(w, head, (size_t)n);
}

static int feed_file(struct walk *w, int dirfd, const char *name, struct err *e)
{
	_cleanup_close_ int fd =
		openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	size_t left;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		return err_errno(e, "open '%s'", buf_str(&w->path));
	}
	left = (size_t)st.st_size;
	feed_head(w, &st, left);
	for (;;) {
		ssize_t n = read(fd, w->block, sizeof(w->block));

		if (n < 0) {
			return err_errno(e, "read '%s'", buf_str(&w->path));
		}
		if ((size_t)n > left || (n == 0 && left > 0)) {
			return err_set(
				e, -EBUSY, "'%s' changed while it was read", buf_str(&w->path));
		}
		if (n == 0) {
			return 0;
		}
		feed(w, w->block, (size_t)n);
		left -= (size_t)n;
	}
}

static int feed_link(
	struct walk *w, int dirfd, const char *name, const struct stat *st, struct err *e)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dirfd, name, target, sizeof(target));

	if (n < 0) {
		return err_errno(e, "read link '%s'", buf_str(&w->path));
	}
	feed_head(w, st, (size_t)n);
	feed(w, target, (size_t)n);
	return 0;
}

static int not_dots(const struct dirent *d)
{
	return strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int walk_dir(struct walk *w, int fd, struct err *e);

static int walk_entry(struct walk *w, int dirfd, const char *name, struct err *e)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int r = 0;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		return err_errno(e, "look at '%s'", buf_str(&w->path));
	}
	if (S_ISREG(st.st_mode)) {
		r = feed_file(w, dirfd, name, e);
	} else if (S_ISLNK(st.st_mode)) {
		r = feed_link(w, dirfd, name, &st, e);
	} else {
		feed_head(w, &st, 0);
	}
	feed(w, "\n", 1);
	if (r < 0 || !S_ISDIR(st.st_mode)) {
		return r;
	}
	fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_errno(e, "open '%s'", buf_str(&w->path)) : walk_dir(w, fd, e);
}

/* Appends a name to the path, walks the entry, takes the name off again. */
static int walk_named(struct walk *w, int dirfd, const char *name, struct err *e)
{
	size_t was = w->path.n;
	int r;

	if (was) {
		buf_put_u8(&w->path, '/');
	}
	buf_put_str(&w->path, name);
	if (!buf_str(&w->path)) {
		return err_set(e, -ENAMETOOLONG, "the path of '%s' is too long", name);
	}
	r = walk_entry(w, dirfd, name, e);
	w->path.n = was;
	return r;
}

static int walk_dir(struct walk *w, int fd, struct err *e)
{
	struct dirent **list = NULL;
	int n, r = 0;

	if (w->depth >= DIGEST_DEPTH_MAX) {
		return err_set(e, -ELOOP, "'%.200s' is more than %d levels deep", buf_str(&w->path),
			DIGEST_DEPTH_MAX);
	}
	n = scandirat(fd, ".", &list, not_dots, by_bytes);
	if (n < 0) {
		return err_errno(e, "read directory '%s'", w->path.n ? buf_str(&w->path) : "/");
	}
	w->depth++;
	for (int i = 0; i < n; i++) {
		if (r == 0) {
			r = walk_named(w, fd, list[i]->d_name, e);
		}
		free(list[i]);
	}
	w->depth--;
	free(list);
	return r;
}

static void put_hex(char text[static DIGEST_TEXT], const unsigned char *md, unsigned n)
{
	(void)strcpy(text, "sha256:");
	for (unsigned i = 0; i < n; i++) {
		(void)snprintf(text + 7 + 2 * (size_t)i, 3, "%02x", md[i]);
	}
}

static int walk_root(struct walk *w, int rootfd, struct err *e)
{
	struct stat st;

	if (fstat(rootfd, &st) < 0) {
		return err_errno(e, "look at the root of the tree");
	}
	feed_head(w, &st, 0);
	feed(w, "\n", 1);
	return walk_dir(w, rootfd, e);
}

int digest_tree(int rootfd, char text[static DIGEST_TEXT], struct err *e)
{
	_cleanup_free_ struct walk *w = calloc(1, sizeof(*w));
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	int r = -ENOMEM;

	if (!w) {
		return err_set(e, r, "out of memory");
	}
	w->path.limit = 1 << 16;
	w->ctx = EVP_MD_CTX_new();
	if (!w->ctx || EVP_DigestInit_ex(w->ctx, EVP_sha256(), NULL) != 1) {
		r = err_set(e, -ENOMEM, "cannot begin a SHA-256 digest");
	} else {
		r = walk_root(w, rootfd, e);
	}
	if (r == 0 && EVP_DigestFinal_ex(w->ctx, md, &n) != 1) {
		r = err_set(e, -EIO, "cannot end the SHA-256 digest");
	}
	EVP_MD_CTX_free(w->ctx);
	buf_done(&w->path);
	if (r == 0) {
		put_hex(text, md, n);
	}
	return r;
}
