#include "tests/unit/unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "lib/log.h"

struct capture {
	int pipe[2];
	int saved;
	char text[4096];
};

static void begin(struct capture *c)
{
	c->saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	assert_int_equal(pipe2(c->pipe, O_CLOEXEC | O_NONBLOCK), 0);
	assert_true(dup2(c->pipe[1], STDERR_FILENO) >= 0);
}

static const char *end(struct capture *c)
{
	ssize_t n;

	assert_true(dup2(c->saved, STDERR_FILENO) >= 0);
	close(c->saved);
	close(c->pipe[1]);
	n = read(c->pipe[0], c->text, sizeof(c->text) - 1);
	close(c->pipe[0]);
	c->text[n > 0 ? n : 0] = '\0';
	return c->text;
}

static void a_line_has_name_and_level_and_keeps_errno(void **state)
{
	struct capture c;

	(void)state;
	log_set_name("fief-test");
	begin(&c);
	errno = EPERM;
	log_warning("uid=%u refused", 31001U);
	assert_int_equal(errno, EPERM);
	assert_string_equal(end(&c), "fief-test: warning: uid=31001 refused\n");
}

static void lines_above_the_level_are_not_written(void **state)
{
	struct capture c;

	(void)state;
	begin(&c);
	log_debug("a");
	log_set_level(LOG_LEVEL_ERR);
	log_warning("b");
	log_set_level(LOG_LEVEL_INFO);
	log_info("c");
	assert_string_equal(end(&c), "fief-test: info: c\n");
}

static void a_peer_cannot_forge_a_line(void **state)
{
	struct capture c;

	(void)state;
	begin(&c);
	log_info("key='%s'", "a\nfief-test: error: \x1b[2J\x7f");
	assert_string_equal(end(&c), "fief-test: info: key='a?fief-test: error: ?[2J?'\n");
}

static void a_long_line_is_cut_and_still_ends(void **state)
{
	struct capture c;
	char longest[3000];
	size_t n;

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	begin(&c);
	log_info("%s", longest);
	n = strlen(end(&c));
	assert_true(n > 900 && n <= 1024);
	assert_int_equal(c.text[n - 1], '\n');
}

static void a_failure_is_one_line_and_status_1(void **state)
{
	struct capture c;
	struct err e;

	(void)state;
	(void)err_set(&e, -EINVAL, "two\nlines");
	begin(&c);
	assert_int_equal(log_failure(&e), 1);
	assert_string_equal(end(&c), "fief-test: two?lines\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_has_name_and_level_and_keeps_errno),
		cmocka_unit_test(lines_above_the_level_are_not_written),
		cmocka_unit_test(a_peer_cannot_forge_a_line),
		cmocka_unit_test(a_long_line_is_cut_and_still_ends),
		cmocka_unit_test(a_failure_is_one_line_and_status_1),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
