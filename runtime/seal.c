#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/paths.h"
#include "runtime/seal.h"

static int open_detached(void)
{
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID};
	_cleanup_close_ int tree =
		open_tree(AT_FDCWD, "/proc/self/exe", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
		return -1;
	}
	return take_fd(&tree);
}

static int open_sealed_copy(void)
{
	_cleanup_close_ int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int out = memfd_create("fief", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct stat st;
	off_t done = 0;

	if (in < 0 || out < 0 || fstat(in, &st) < 0) {
		return -1;
	}
	while (done < st.st_size) {
		if (sendfile(out, in, &done, (size_t)(st.st_size - done)) <= 0) {
			return -1;
		}
	}
	if (fcntl(out, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
		return -1;
	}
	return take_fd(&out);
}

/* Sealed: on a read-only mount, or a memory file that takes no writes. Judged by the file itself,
 * never by an environment variable. */
static bool is_sealed(void)
{
	_cleanup_close_ int exe = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	_cleanup_close_ int file = -1;
	struct statvfs fs;
	int seals;

	if (exe >= 0 && fstatvfs(exe, &fs) == 0 && (fs.f_flag & ST_RDONLY)) {
		return true;
	}
	file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	seals = file < 0 ? -1 : fcntl(file, F_GET_SEALS);
	return seals >= 0 && (seals & F_SEAL_WRITE);
}

/* What the unsealed start knew goes to the sealed one by the environment of root, who called. */
static const char place_variable[] = "FIEF_PROGRAM_DIR";

static void note_place(void)
{
	char dir[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	char *slash;

	dir[n > 0 ? n : 0] = '\0';
	slash = strrchr(dir, '/');
	if (slash) {
		*slash = '\0';
		(void)setenv(place_variable, dir, 1);
	}
}

char *seal_sibling(const char *name, struct err *e)
{
	const char *dir = getenv(place_variable);
	char *path;

	if (!dir) {
		return path_program(name, e);
	}
	if (asprintf(&path, "%s/%s", dir, name) < 0) {
		abort();
	}
	if (access(path, X_OK) < 0) {
		(void)err_errno(e, "program '%s'", path);
		free(path);
		return NULL;
	}
	return path;
}

int seal_self(char **argv, struct err *e)
{
	_cleanup_close_ int fd = -1;

	/* Not to be ptraced or looked into by what runs in the container that we join. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	if (is_sealed()) {
		return 0;
	}
	fd = open_detached();
	if (fd < 0) {
		fd = open_sealed_copy();
	}
	if (fd < 0) {
		return err_errno(e, "protect the runtime's binary");
	}
	note_place();
	(void)execveat(fd, "", argv, environ, AT_EMPTY_PATH);
	return err_errno(e, "execute the protected binary");
}
