#include "tests/unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/files.h"

struct fixture {
	char path[64];
	int dir;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	(void)snprintf(f->path, sizeof(f->path), "/tmp/fief-test-files.XXXXXX");
	if (!mkdtemp(f->path)) {
		return -1;
	}
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = f;
	return f->dir < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = files_remove_tree(tmp, f->path + strlen("/tmp/"), NULL);

	close_fd(&f->dir);
	free(f);
	return r;
}

static void put_file(const struct fixture *f, const char *name, const char *text)
{
	_cleanup_close_ int fd = openat(f->dir, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(files_write_all(fd, slice_of(text)), 0);
}

static bool there(const struct fixture *f, const char *name)
{
	struct stat st;

	return fstatat(f->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static unsigned mode_of(const struct fixture *f, const char *name)
{
	struct stat st = {};

	(void)fstatat(f->dir, name, &st, AT_SYMLINK_NOFOLLOW);
	return st.st_mode & 07777;
}

static void a_file_is_read_whole_or_not_at_all(void **state)
{
	struct fixture *f = *state;
	_cleanup_buf_ struct buf b = {}, tight = {.limit = 5}, small = {.limit = 4};
	struct err e;

	put_file(f, "x", "hello");
	buf_put(&b, SLICE("> "));
	assert_int_equal(files_read(f->dir, "x", 5, &b, &e), 0);
	assert_string_equal(buf_str(&b), "> hello");
	assert_int_equal(files_read(f->dir, "x", 4, &b, &e), -EFBIG);
	assert_contains(e.msg, "'x'");
	assert_int_equal(b.n, 7);
	assert_int_equal(files_read(f->dir, "x", 100, &tight, &e), 0);
	assert_int_equal(files_read(f->dir, "x", 100, &small, &e), -ENOMEM);
	assert_int_equal(small.n, 0);
	assert_int_equal(files_read(f->dir, "y", 100, &b, &e), -ENOENT);
	assert_string_equal(e.msg, "open 'y': no such file or directory");
	assert_int_equal(files_read(f->dir, ".", 100, &b, &e), -EISDIR);
}

static void an_atomic_write_replaces_content_and_mode(void **state)
{
	struct fixture *f = *state;
	_cleanup_buf_ struct buf b = {};
	mode_t mask = umask(077);

	put_file(f, "x", "old content");
	assert_int_equal(files_write_atomic(f->dir, "x", 0644, SLICE("new"), NULL), 0);
	(void)umask(mask);
	assert_int_equal(files_read(f->dir, "x", 100, &b, NULL), 0);
	assert_string_equal(buf_str(&b), "new");
	assert_int_equal(mode_of(f, "x"), 0644);
}

static void a_failed_atomic_write_leaves_nothing(void **state)
{
	struct fixture *f = *state;
	_cleanup_dir_ DIR *dir = NULL;
	struct dirent *d;
	struct err e;
	char longest[NAME_MAX + 1];

	assert_int_equal(mkdirat(f->dir, "d", 0700), 0);
	assert_int_equal(files_write_atomic(f->dir, "d", 0644, SLICE("x"), &e), -EISDIR);
	assert_contains(e.msg, "write 'd'");
	assert_int_equal(files_write_atomic(f->dir, "d/x", 0644, SLICE("x"), &e), -EINVAL);
	memset(longest, 'x', NAME_MAX);
	longest[NAME_MAX] = '\0';
	assert_int_equal(files_write_atomic(f->dir, longest, 0644, SLICE("x"), &e), -ENAMETOOLONG);
	dir = opendir(f->path);
	while ((d = readdir(dir))) {
		assert_true(strcmp(d->d_name, "d") == 0 || d->d_name[0] == '.');
		assert_true(strlen(d->d_name) <= 2);
	}
}

static void an_atomic_write_does_not_follow_a_link(void **state)
{
	struct fixture *f = *state;
	_cleanup_buf_ struct buf b = {};

	put_file(f, "target", "precious");
	assert_int_equal(symlinkat("target", f->dir, "x"), 0);
	assert_int_equal(files_write_atomic(f->dir, "x", 0600, SLICE("new"), NULL), 0);
	assert_int_equal(files_read(f->dir, "target", 100, &b, NULL), 0);
	assert_string_equal(buf_str(&b), "precious");
}

static void a_control_file_must_exist(void **state)
{
	struct fixture *f = *state;
	_cleanup_buf_ struct buf b = {};
	struct err e;

	assert_int_equal(files_write_control(f->dir, "x", "1", &e), -ENOENT);
	assert_false(there(f, "x"));
	put_file(f, "x", "");
	assert_int_equal(files_write_control(f->dir, "x", "42", &e), 0);
	assert_int_equal(files_read(f->dir, "x", 100, &b, NULL), 0);
	assert_string_equal(buf_str(&b), "42");
}

static void beneath_refuses_links_and_ways_out(void **state)
{
	struct fixture *f = *state;
	struct err e;
	int fd;

	assert_int_equal(mkdirat(f->dir, "d", 0700), 0);
	put_file(f, "d/x", "");
	assert_int_equal(symlinkat("d", f->dir, "link"), 0);
	assert_int_equal(symlinkat("/etc/passwd", f->dir, "d/out"), 0);
	fd = files_open_beneath(f->dir, "d/x", O_RDONLY, 0, &e);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	assert_int_equal(files_open_beneath(f->dir, "link/x", O_RDONLY, 0, &e), -ELOOP);
	assert_string_equal(e.msg, "open 'link/x': a symbolic link is in the way");
	assert_int_equal(files_open_beneath(f->dir, "d/out", O_RDONLY, 0, &e), -ELOOP);
	assert_int_equal(files_open_beneath(f->dir, "../x", O_RDONLY, 0, &e), -EXDEV);
	assert_int_equal(files_open_beneath(f->dir, "d/../../x", O_RDONLY, 0, &e), -EXDEV);
	assert_int_equal(files_open_beneath(f->dir, "/etc/passwd", O_RDONLY, 0, &e), -EXDEV);
	assert_int_equal(files_open_beneath(f->dir, "none", O_RDONLY, 0, &e), -ENOENT);
	fd = files_open_beneath(f->dir, "d/new", O_WRONLY | O_CREAT | O_EXCL, 0600, &e);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(mode_of(f, "d/new"), 0600);
}

static void in_root_resolves_links_inside(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int fd = -1;
	char text[8] = "";

	assert_int_equal(mkdirat(f->dir, "etc", 0700), 0);
	put_file(f, "etc/passwd", "inside");
	assert_int_equal(symlinkat("/../../etc/passwd", f->dir, "abs"), 0);
	fd = files_open_in_root(f->dir, "abs", O_RDONLY, 0, NULL);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof(text)), 6);
	assert_string_equal(text, "inside");
	assert_int_equal(files_open_in_root(f->dir, "/proc/self", O_RDONLY, 0, NULL), -ENOENT);
}

static void mkdir_p_makes_all_with_the_mode(void **state)
{
	struct fixture *f = *state;
	char path[128];
	struct err e;
	mode_t mask = umask(077);

	(void)snprintf(path, sizeof(path), "%s/a//b/c/", f->path);
	assert_int_equal(files_mkdir_p(path, 0755, &e), 0);
	assert_int_equal(files_mkdir_p(path, 0700, &e), 0);
	assert_int_equal(umask(mask), 077);
	assert_int_equal(mode_of(f, "a"), 0755);
	assert_int_equal(mode_of(f, "a/b/c"), 0755);
	assert_int_equal(files_mkdir_p("/", 0755, &e), 0);
	assert_int_equal(files_mkdir_p("", 0755, &e), -EINVAL);
	put_file(f, "file", "");
	(void)snprintf(path, sizeof(path), "%s/file", f->path);
	assert_int_equal(files_mkdir_p(path, 0755, &e), -ENOTDIR);
	(void)snprintf(path, sizeof(path), "%s/file/x", f->path);
	assert_int_equal(files_mkdir_p(path, 0755, &e), -ENOTDIR);
	assert_contains(e.msg, "make directory '");
}

static void mkdir_open_refuses_a_link(void **state)
{
	struct fixture *f = *state;
	int fd = files_mkdir_open(f->dir, "d", 0711, NULL);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(mode_of(f, "d"), 0711);
	fd = files_mkdir_open(f->dir, "d", 0700, NULL);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(symlinkat("d", f->dir, "link"), 0);
	assert_true(files_mkdir_open(f->dir, "link", 0700, NULL) < 0);
}

static void a_tree_is_removed_without_following_links(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdirat(f->dir, "keep", 0700), 0);
	put_file(f, "keep/x", "");
	assert_int_equal(mkdirat(f->dir, "t", 0700), 0);
	assert_int_equal(mkdirat(f->dir, "t/d", 0700), 0);
	assert_int_equal(symlinkat("../keep", f->dir, "t/link"), 0);
	for (int i = 0; i < 300; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "t/d/file%d", i);
		put_file(f, name, "");
	}
	assert_int_equal(files_remove_tree(f->dir, "t", NULL), 0);
	assert_false(there(f, "t"));
	assert_true(there(f, "keep/x"));
	assert_int_equal(files_remove_tree(f->dir, "t", NULL), 0);
	assert_int_equal(symlinkat("keep", f->dir, "link"), 0);
	assert_int_equal(files_remove_tree(f->dir, "link", NULL), 0);
	assert_true(there(f, "keep/x"));
}

static void only_a_name_in_the_directory_is_removed(void **state)
{
	struct fixture *f = *state;
	struct err e;

	assert_int_equal(mkdirat(f->dir, "d", 0700), 0);
	put_file(f, "d/x", "");
	assert_int_equal(files_remove_tree(f->dir, "d/x", &e), -EINVAL);
	assert_int_equal(files_remove_tree(AT_FDCWD, f->path, &e), -EINVAL);
	assert_true(files_remove_tree(f->dir, "..", &e) < 0);
	assert_true(files_remove_tree(f->dir, ".", &e) < 0);
	assert_true(there(f, "d/x"));
}

static void a_tree_of_any_depth_is_removed(void **state)
{
	struct fixture *f = *state;
	int at = fcntl(f->dir, F_DUPFD_CLOEXEC, 3);

	for (int i = 0; i < 3000; i++) {
		int next = files_mkdir_open(at, "d", 0700, NULL);

		assert_true(next >= 0);
		close(at);
		at = next;
	}
	close(at);
	assert_int_equal(files_remove_tree(f->dir, "d", NULL), 0);
	assert_false(there(f, "d"));
}

/* In a process of its own, whose mounts nobody sees. Returns the step that failed. */
static int remove_with_mount(struct fixture *f)
{
	struct err e;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		chdir(f->path) < 0 || mount("home", "t/mnt", NULL, MS_BIND, NULL) < 0) {
		return 1;
	}
	f->dir = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* of this mount namespace */
	if (files_remove_tree(f->dir, "t", &e) != -EBUSY) {
		return 2;
	}
	if (!strstr(e.msg, "'mnt'") || !there(f, "home/precious")) {
		return 3;
	}
	if (umount2("t/mnt", MNT_DETACH) < 0 || files_remove_tree(f->dir, "t", &e) < 0) {
		return 4;
	}
	return there(f, "home/precious") && !there(f, "t") ? 0 : 5;
}

static void removal_stops_at_a_bind_mount(void **state)
{
	struct fixture *f = *state;
	pid_t pid;
	int status;

	if (geteuid() != 0) {
		skip();
	}
	assert_int_equal(mkdirat(f->dir, "home", 0700), 0);
	put_file(f, "home/precious", "");
	assert_int_equal(mkdirat(f->dir, "t", 0700), 0);
	assert_int_equal(mkdirat(f->dir, "t/mnt", 0700), 0);
	pid = fork();
	if (pid == 0) {
		_exit(remove_with_mount(f));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_file_is_read_whole_or_not_at_all, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_atomic_write_replaces_content_and_mode, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_failed_atomic_write_leaves_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(
			an_atomic_write_does_not_follow_a_link, setup, teardown),
		cmocka_unit_test_setup_teardown(a_control_file_must_exist, setup, teardown),
		cmocka_unit_test_setup_teardown(
			beneath_refuses_links_and_ways_out, setup, teardown),
		cmocka_unit_test_setup_teardown(in_root_resolves_links_inside, setup, teardown),
		cmocka_unit_test_setup_teardown(mkdir_p_makes_all_with_the_mode, setup, teardown),
		cmocka_unit_test_setup_teardown(mkdir_open_refuses_a_link, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_tree_is_removed_without_following_links, setup, teardown),
		cmocka_unit_test_setup_teardown(
			only_a_name_in_the_directory_is_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_tree_of_any_depth_is_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(removal_stops_at_a_bind_mount, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
