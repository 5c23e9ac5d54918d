#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/files.h"
#include "shim/logfile.h"

static int setup(void **state)
{
	char *dir = strdup("/tmp/fief-test-logfile.XXXXXX");

	*state = dir;
	return dir && mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	_cleanup_close_ int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *dir = *state;
	int r = files_remove_tree(tmp, dir + strlen("/tmp/"), NULL);

	free(dir);
	return r;
}

static void open_log(struct logfile *log, const char *dir, uint64_t max, uint32_t keep)
{
	struct err e = {};
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	*log = (struct logfile){.max = max, .keep = keep};
	assert_int_equal(logfile_open(log, fd, "log", &e), 0);
}

static void assert_file(const struct logfile *log, const char *name, const char *content)
{
	_cleanup_buf_ struct buf text = {};

	assert_int_equal(files_read(log->dir_fd, name, 1 << 20, &text, NULL), 0);
	assert_string_equal(buf_str(&text), content);
}

static void write_line(struct logfile *log, const char *line)
{
	logfile_write(log, slice_of(line), 1);
}

static void rotates_by_rename_and_keeps_as_many_as_asked(void **state)
{
	struct logfile log;

	open_log(&log, *state, 10, 2);
	write_line(&log, "one.....\n");
	write_line(&log, "two.....\n");
	write_line(&log, "three...\n");
	write_line(&log, "four....\n");
	assert_file(&log, "log", "four....\n");
	assert_file(&log, "log.1", "three...\n");
	assert_file(&log, "log.2", "two.....\n");
	assert_int_equal(faccessat(log.dir_fd, "log.3", F_OK, 0), -1);
	assert_int_equal(log.dropped, 0);
	logfile_done(&log);
}

static void keeps_none_when_asked_for_none(void **state)
{
	struct logfile log;

	open_log(&log, *state, 10, 0);
	write_line(&log, "one.....\n");
	write_line(&log, "two.....\n");
	assert_file(&log, "log", "two.....\n");
	assert_int_equal(faccessat(log.dir_fd, "log.1", F_OK, 0), -1);
	logfile_done(&log);
}

static void goes_on_where_an_earlier_one_ended(void **state)
{
	struct logfile log;

	open_log(&log, *state, 20, 1);
	write_line(&log, "one.....\n");
	logfile_done(&log);
	open_log(&log, *state, 20, 1);
	write_line(&log, "two.....\n");
	assert_file(&log, "log", "one.....\ntwo.....\n");
	write_line(&log, "three...\n");
	assert_file(&log, "log", "three...\n");
	logfile_done(&log);
}

static void what_does_not_fit_is_dropped_whole_and_told(void **state)
{
	struct rlimit before, small = {};
	struct logfile log;

	open_log(&log, *state, 1 << 20, 1);
	write_line(&log, "one\n");
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){.rlim_cur = 6, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	write_line(&log, "two\n");
	logfile_write(&log, SLICE("three\nfour\n"), 2);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_file(&log, "log", "one\n");
	assert_int_equal(log.dropped, 3);
	write_line(&log, "five\n");
	assert_file(&log, "log", "one\nfief-shim: 3 lines were dropped here\nfive\n");
	logfile_done(&log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			rotates_by_rename_and_keeps_as_many_as_asked, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_none_when_asked_for_none, setup, teardown),
		cmocka_unit_test_setup_teardown(
			goes_on_where_an_earlier_one_ended, setup, teardown),
		cmocka_unit_test_setup_teardown(
			what_does_not_fit_is_dropped_whole_and_told, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
