#include "tests/unit/unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "lib/files.h"
#include "lib/loop.h"
#include "shim/logfile.h"
#include "shim/stdio.h"

struct fixture {
	char path[64];
	int dir;
	struct loop *loop;
	struct logfile log;
	struct stdio io;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	(void)snprintf(f->path, sizeof(f->path), "/tmp/fief-test-stdio.XXXXXX");
	if (!mkdtemp(f->path)) {
		return -1;
	}
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	f->log = (struct logfile){.max = 1 << 20, .keep = 1};
	if (logfile_open(&f->log, dup(f->dir), "log", NULL) < 0 || loop_new(&f->loop, NULL) < 0) {
		return -1;
	}
	return stdio_open(&f->io, f->dir, f->loop, &f->log, NULL);
}

static int teardown(void **state)
{
	_cleanup_close_ int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct fixture *f = *state;
	int r;

	stdio_done(&f->io);
	f->loop = loop_free(f->loop);
	logfile_done(&f->log);
	close_fd(&f->dir);
	r = files_remove_tree(tmp, f->path + strlen("/tmp/"), NULL);
	free(f);
	return r;
}

static void write_stdout(struct fixture *f, struct slice text)
{
	assert_int_equal(files_write_all(f->io.streams[1].inner_fd, text), 0);
}

/* The log without the 24 characters and the blank of the time of each line. */
static const char *logged(struct fixture *f, struct buf *to)
{
	_cleanup_buf_ struct buf text = {};
	char *line, *save = NULL;

	assert_int_equal(files_read(f->dir, "log", 1 << 20, &text, NULL), 0);
	assert_non_null(buf_str(&text));
	for (line = strtok_r(text.p, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		assert_true(strlen(line) >= 25);
		assert_int_equal(line[10], 'T');
		assert_int_equal(line[23], 'Z');
		assert_int_equal(line[24], ' ');
		buf_putf(to, "%s\n", line + 25);
	}
	return buf_str(to);
}

static void lines_are_logged_with_the_time(void **state)
{
	_cleanup_buf_ struct buf text = {};
	struct fixture *f = *state;

	write_stdout(f, SLICE("one\n\ntwo\n"));
	stdio_drain(&f->io);
	assert_string_equal(logged(f, &text), "one\n\ntwo\n");
}

static void a_line_waits_for_its_end_or_that_of_the_container(void **state)
{
	_cleanup_buf_ struct buf text = {};
	struct fixture *f = *state;
	struct stdio_stream *out = &f->io.streams[1];

	write_stdout(f, SLICE("one\ntw"));
	out->io.on_ready(&out->io, 0);
	assert_string_equal(logged(f, &text), "one\n");
	write_stdout(f, SLICE("o\nthree"));
	buf_clear(&text);
	stdio_drain(&f->io);
	assert_string_equal(logged(f, &text), "one\ntwo\nthree\n");
}

static void a_line_without_end_is_logged_in_pieces(void **state)
{
	_cleanup_buf_ struct buf text = {}, line = {};
	struct fixture *f = *state;

	for (int i = 0; i < STDIO_LINE_MAX + 10; i++) {
		buf_put_u8(&line, 'x');
	}
	write_stdout(f, buf_slice(&line));
	stdio_drain(&f->io);
	(void)logged(f, &text);
	assert_int_equal(text.n, STDIO_LINE_MAX + 10 + 2);
	assert_int_equal(text.p[STDIO_LINE_MAX], '\n');
}

static void streams_do_not_mix_within_a_line(void **state)
{
	_cleanup_buf_ struct buf text = {};
	struct fixture *f = *state;

	write_stdout(f, SLICE("out"));
	f->io.streams[1].io.on_ready(&f->io.streams[1].io, 0);
	assert_int_equal(files_write_all(f->io.streams[2].inner_fd, SLICE("err\n")), 0);
	f->io.streams[2].io.on_ready(&f->io.streams[2].io, 0);
	write_stdout(f, SLICE("put\n"));
	stdio_drain(&f->io);
	assert_string_equal(logged(f, &text), "err\noutput\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lines_are_logged_with_the_time, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_line_waits_for_its_end_or_that_of_the_container, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_line_without_end_is_logged_in_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(streams_do_not_mix_within_a_line, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
