#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "images/tree.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

struct point {
	const char *dir; /* parent within the tree */
	const char *name;
};

static const struct point mount_dirs[] = {{".", ".fief"}, {".", "containers"}, {".", "dev"},
	{".", "proc"}, {".", "sys"}, {".", "run"}, {".", "tmp"}, {"usr", "local"}, {"var", "log"},
	{"var", "tmp"}};
static const struct point mount_files[] = {{"etc", "hosts"}, {"etc", "hostname"},
	{"etc", "resolv.conf"}, {"etc", "passwd"}, {"etc", "group"}};
static const char *const uwsgi_places[] = {
	"/usr/bin/uwsgi-core", "/usr/bin/uwsgi", "/opt/unbit/uwsgi/uwsgi", "/opt/uwsgi/uwsgi"};

/* The parent directory of a mount point, made when it is missing. */
static int open_parent(int rootfd, const char *dir, struct err *e)
{
	if (strcmp(dir, ".") != 0 && mkdirat(rootfd, dir, 0755) < 0 && errno != EEXIST) {
		return err_errno(e, "make directory '/%s'", dir);
	}
	return files_open_beneath(rootfd, dir, O_RDONLY | O_DIRECTORY, 0, e);
}

static int make_dir(int rootfd, const struct point *at, struct err *e)
{
	_cleanup_close_ int parent = open_parent(rootfd, at->dir, e);
	struct stat st;

	if (parent < 0) {
		return parent;
	}
	if (fstatat(parent, at->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISDIR(st.st_mode)) {
			return 0;
		}
		if (unlinkat(parent, at->name, 0) < 0) {
			return err_errno(e, "replace '/%s/%s'", at->dir, at->name);
		}
	}
	if (mkdirat(parent, at->name, 0755) < 0) {
		return err_errno(e, "make directory '/%s/%s'", at->dir, at->name);
	}
	return 0;
}

static int make_file(int rootfd, const struct point *at, struct err *e)
{
	_cleanup_close_ int parent = open_parent(rootfd, at->dir, e);
	_cleanup_close_ int fd = -1;
	struct stat st;

	if (parent < 0) {
		return parent;
	}
	if (fstatat(parent, at->name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (S_ISREG(st.st_mode)) {
			return 0;
		}
		if (unlinkat(parent, at->name, 0) < 0) {
			return err_errno(e, "replace '/%s/%s'", at->dir, at->name);
		}
	}
	fd = openat(parent, at->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 ? err_errno(e, "make file '/%s/%s'", at->dir, at->name) : 0;
}

/* Removes what is in a directory of the tree, but entries named `keep` (may be NULL); a missing one
 * is empty. */
static int empty_but(int rootfd, const char *path, const char *keep, struct err *e)
{
	int fd = files_open_beneath(rootfd, path, O_RDONLY | O_DIRECTORY, 0, NULL);
	_cleanup_dir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;
	int r = 0;

	if (!dir) {
		return 0;
	}
	while (r == 0 && (d = readdir(dir))) {
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 &&
			!(keep && strcmp(d->d_name, keep) == 0)) {
			r = files_remove_tree(fd, d->d_name, e);
		}
	}
	return r < 0 ? err_wrap(e, r, "empty '/%s'", path) : 0;
}

static int empty(int rootfd, const char *path, struct err *e)
{
	return empty_but(rootfd, path, NULL, e);
}

/* Documentation goes, licences stay. */
static int forget_docs(int rootfd, struct err *e)
{
	int fd = files_open_beneath(rootfd, "usr/share/doc", O_RDONLY | O_DIRECTORY, 0, NULL);
	_cleanup_dir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;
	int r = 0;

	while (dir && r == 0 && (d = readdir(dir))) {
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0) {
			r = empty_but(fd, d->d_name, "copyright", e);
		}
	}
	return r;
}

int tree_complete(int rootfd, struct err *e)
{
	int r = 0;

	if (fchown(rootfd, 0, 0) < 0 || fchmod(rootfd, 0755) < 0) {
		return err_errno(e, "set owner and mode of the root");
	}
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(mount_dirs); i++) {
		r = make_dir(rootfd, &mount_dirs[i], e);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(mount_files); i++) {
		r = make_file(rootfd, &mount_files[i], e);
	}
	return r < 0 ? r : empty(rootfd, "dev", e);
}

/* Replaces a file of the tree, whatever it was; nothing happens when its directory is missing. */
static int reset(int rootfd, const char *dir, const char *name, struct slice text, struct err *e)
{
	_cleanup_close_ int fd = files_open_beneath(rootfd, dir, O_RDONLY | O_DIRECTORY, 0, NULL);

	return fd < 0 ? 0 : files_write_atomic(fd, name, 0644, text, e);
}

static int forget_file(int rootfd, const struct point *at, struct err *e)
{
	_cleanup_close_ int fd =
		files_open_beneath(rootfd, at->dir, O_RDONLY | O_DIRECTORY, 0, NULL);

	return fd < 0 ? 0 : files_remove_tree(fd, at->name, e);
}

int tree_forget_host(int rootfd, struct err *e)
{
	static const char *const dirs[] = {"run", "tmp", "var/tmp", "var/log", "var/lib/apt/lists",
		"var/cache/apt", "var/cache/ldconfig", "var/cache/debconf", "usr/share/man",
		"usr/share/info", "usr/share/locale"};
	static const struct {
		const char *dir, *name, *text;
	} files[] = {
		{"etc", "hostname", ""},
		{"etc", "resolv.conf", ""},
		{"etc", "hosts", ""},
		{"etc", "machine-id", ""},
		{"etc", "mailname", "localhost\n"},
		{"etc/nullmailer", "me", "localhost\n"},
		{"etc/nullmailer", "defaultdomain", "localhost\n"},
	};
	/* the proxy of this machine and options that were for the build alone */
	static const struct point gone[] = {{"etc/apt/apt.conf.d", "99mmdebstrap"},
		{"etc/dpkg/dpkg.cfg.d", "99mmdebstrap"}, {"etc/dpkg/dpkg.cfg.d", "99fief"}};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(gone); i++) {
		r = forget_file(rootfd, &gone[i], e);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(dirs); i++) {
		r = empty(rootfd, dirs[i], e);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(files); i++) {
		r = reset(rootfd, files[i].dir, files[i].name, slice_of(files[i].text), e);
	}
	return r < 0 ? r : forget_docs(rootfd, e);
}

/* Reads the ELF header of a program. Returns 1 and the machine, 0 when it is no ELF file. */
static int elf_machine(int rootfd, const char *path, Elf32_Half *ret)
{
	/* e_machine lies at the same place in both classes */
	Elf32_Ehdr h;
	_cleanup_close_ int fd =
		files_open_in_root(rootfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, NULL);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
		read(fd, &h, sizeof(h)) != sizeof(h) || memcmp(h.e_ident, ELFMAG, SELFMAG) != 0) {
		return 0;
	}
	*ret = h.e_machine;
	return 1;
}

/* The machine of the first ELF file of a directory. */
static int first_machine(int rootfd, const char *path, Elf32_Half *ret)
{
	int fd = files_open_in_root(rootfd, path, O_RDONLY | O_DIRECTORY, 0, NULL);
	_cleanup_dir_ DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *d;

	while (dir && (d = readdir(dir))) {
		char file[512];
		int n = snprintf(file, sizeof(file), "%s/%s", path, d->d_name);

		if (n > 0 && (size_t)n < sizeof(file) && elf_machine(rootfd, file, ret)) {
			return 1;
		}
	}
	return 0;
}

int tree_architecture(int rootfd, const char **ret, struct err *e)
{
	static const char *const places[] = {
		"/bin", "/usr/bin", "/sbin", "/usr/sbin", "/usr/local/bin", "/"};
	Elf32_Half machine = EM_NONE;
	int found = elf_machine(rootfd, "/bin/sh", &machine);

	for (size_t i = 0; !found && i < ARRAY_LEN(places); i++) {
		found = first_machine(rootfd, places[i], &machine);
	}
	if (!found) {
		return err_set(
			e, -ENOEXEC, "there is no program in it, so its architecture is unknown");
	}
	if (machine != EM_X86_64 && machine != EM_386) {
		return err_set(e, -ENOEXEC,
			"its programs are for ELF machine %u; amd64 and i386 are supported",
			(unsigned)machine);
	}
	*ret = machine == EM_X86_64 ? "amd64" : "i386";
	return 0;
}

const char *tree_uwsgi(int rootfd)
{
	for (size_t i = 0; i < ARRAY_LEN(uwsgi_places); i++) {
		Elf32_Half machine;

		if (elf_machine(rootfd, uwsgi_places[i], &machine)) {
			return uwsgi_places[i];
		}
	}
	return NULL;
}
