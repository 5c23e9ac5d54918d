#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/files.h"
#include "lib/staging.h"

struct fixture {
	char dir[64], store[80];
};

static int make_dir(void **state)
{
	static struct fixture f;

	(void)snprintf(f.dir, sizeof(f.dir), "/tmp/test_staging.XXXXXX");
	if (!mkdtemp(f.dir)) {
		return -1;
	}
	(void)snprintf(f.store, sizeof(f.store), "%s/store", f.dir);
	*state = &f;
	return 0;
}

static int remove_dir(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int fd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)files_remove_tree(fd, "store", NULL);
	return rmdir(f->dir);
}

static int entries(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *d;
	int n = 0;

	while (dir && (d = readdir(dir))) {
		n += strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0;
	}
	close_dir(&dir);
	return n;
}

static void an_entry_appears_when_it_is_published(void **state)
{
	struct fixture *f = *state;
	struct staging s;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/thing/file", f->store);
	assert_int_equal(staging_begin(f->store, "thing", &s, NULL), 0);
	assert_int_equal(files_write_atomic(s.fd, "file", 0644, SLICE("x"), NULL), 0);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(staging_publish(&s, NULL), 0);
	staging_done(&s);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(entries(f->store), 1);
}

static void what_is_not_published_goes_away(void **state)
{
	struct fixture *f = *state;
	struct staging s;

	assert_int_equal(staging_begin(f->store, "thing", &s, NULL), 0);
	assert_int_equal(mkdirat(s.fd, "sub", 0700), 0);
	staging_done(&s);
	assert_int_equal(entries(f->store), 0);
}

static void a_name_that_is_taken_is_refused_early_and_late(void **state)
{
	struct fixture *f = *state;
	struct staging s, late;

	assert_int_equal(staging_begin(f->store, "thing", &s, NULL), 0);
	assert_int_equal(staging_publish(&s, NULL), 0);
	assert_int_equal(staging_begin(f->store, "thing", &late, NULL), -EEXIST);
	assert_int_equal(staging_begin(f->store, "other", &late, NULL), 0);
	assert_int_equal(mkdirat(late.storefd, "other", 0700), 0);
	assert_int_equal(staging_publish(&late, NULL), -EEXIST);
	staging_done(&late);
	staging_done(&s);
	assert_int_equal(entries(f->store), 2);
}

static void leftovers_are_swept_and_live_work_is_not(void **state)
{
	struct fixture *f = *state;
	struct staging s;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		_exit(staging_begin(f->store, "killed", &s, NULL) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(entries(f->store), 1);

	assert_int_equal(staging_begin(f->store, "live", &s, NULL), 0);
	assert_int_equal(entries(f->store), 1);
	pid = fork();
	if (pid == 0) {
		struct staging other;

		_exit(staging_begin(f->store, "next", &other, NULL) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(faccessat(s.storefd, s.hidden, F_OK, 0), 0);
	assert_int_equal(staging_publish(&s, NULL), 0);
	staging_done(&s);
}

static void a_removed_entry_is_gone_whole(void **state)
{
	struct fixture *f = *state;
	struct staging s;

	assert_int_equal(staging_begin(f->store, "thing", &s, NULL), 0);
	assert_int_equal(mkdirat(s.fd, "sub", 0700), 0);
	assert_int_equal(staging_publish(&s, NULL), 0);
	close_fd(&s.fd); /* the maker's lock */
	assert_int_equal(staging_remove(s.storefd, "thing", NULL), 0);
	assert_int_equal(entries(f->store), 0);
	assert_int_equal(staging_remove(s.storefd, "thing", NULL), -ENOENT);
	staging_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			an_entry_appears_when_it_is_published, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
			what_is_not_published_goes_away, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
			a_name_that_is_taken_is_refused_early_and_late, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
			leftovers_are_swept_and_live_work_is_not, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(
			a_removed_entry_is_gone_whole, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
