#include "tests/unit/unit.h"

#include <fcntl.h>
#include <unistd.h>

static void errno_becomes_code_and_text(void **state)
{
	struct err e;

	(void)state;
	errno = ENOENT;
	assert_int_equal(err_errno(&e, "open '%s'", "/x"), -ENOENT);
	assert_int_equal(e.code, ENOENT);
	assert_string_equal(e.msg, "open '/x': no such file or directory");
	errno = 0;
	assert_int_equal(err_errno(&e, "read"), -EIO);
	assert_int_equal(err_code(&e, -EPERM, "kill %d", 7), -EPERM);
	assert_string_equal(e.msg, "kill 7: operation not permitted");
}

static void an_unknown_errno_has_a_text(void **state)
{
	(void)state;
	assert_string_equal(err_text(4000), "error 4000");
}

static void a_null_error_is_accepted_everywhere(void **state)
{
	(void)state;
	errno = EACCES;
	assert_int_equal(err_errno(NULL, "x"), -EACCES);
	assert_int_equal(err_code(NULL, -EINVAL, "x"), -EINVAL);
	assert_int_equal(err_set(NULL, -EINVAL, "x"), -EINVAL);
	assert_int_equal(err_member(NULL, -EINVAL, ".a", "x"), -EINVAL);
	assert_int_equal(err_wrap(NULL, -EINVAL, "x"), -EINVAL);
	err_clear(NULL);
}

static void wrapping_puts_the_story_before_the_cause(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(err_set(&e, -EINVAL, "wrong %s", "type"), -EINVAL);
	assert_int_equal(err_wrap(&e, -EINVAL, "start container %u", 30001U), -EINVAL);
	assert_string_equal(e.msg, "start container 30001: wrong type");
	err_clear(&e);
	assert_int_equal(e.code, 0);
	assert_string_equal(e.msg, "");
}

static void a_member_error_keeps_its_path(void **state)
{
	struct err e;

	(void)state;
	(void)err_member(&e, -EINVAL, ".linux.namespaces[2].type", "unknown namespace '%s'", "x");
	assert_string_equal(e.member, ".linux.namespaces[2].type");
	assert_string_equal(e.msg, ".linux.namespaces[2].type: unknown namespace 'x'");
	(void)err_wrap(&e, -EINVAL, "'config.json'");
	assert_string_equal(e.member, ".linux.namespaces[2].type");
}

static void text_that_is_too_long_loses_the_story_not_the_cause(void **state)
{
	char longest[2000];
	struct err e;

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	(void)err_code(&e, -ENOENT, "open '%s'", longest);
	assert_contains(e.msg, "open 'xxx");
	assert_contains(e.msg, "xxx: no such file or directory");
	(void)err_wrap(&e, -ENOENT, "%s", longest);
	assert_contains(e.msg, "x: open 'xxx");
	assert_contains(e.msg, ": no such file or directory");
	(void)err_set(&e, -EINVAL, "%s", longest);
	(void)err_wrap(&e, -EINVAL, "the story");
	assert_contains(e.msg, "the story: xxx");
	(void)err_member(&e, -EINVAL, longest, "%s", longest);
	assert_int_equal(strlen(e.member), ERR_MEMBER_MAX - 1);
}

static void arguments_may_point_into_the_error(void **state)
{
	struct err e;

	(void)state;
	(void)err_set(&e, -EINVAL, "inner");
	(void)err_set(&e, -EIO, "outer: %s", e.msg);
	assert_string_equal(e.msg, "outer: inner");
	(void)err_code(&e, -EIO, "%s", e.msg);
	assert_string_equal(e.msg, "outer: inner: input/output error");
}

static void an_error_crosses_a_pipe(void **state)
{
	struct err sent, got = {};
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	(void)err_member(&sent, -EINVAL, ".process", "no args");
	assert_int_equal(err_send(fds[1], &sent), 0);
	assert_int_equal(err_recv(fds[0], &got), 1);
	assert_memory_equal(&sent, &got, sizeof(got));
	close(fds[1]);
	assert_int_equal(err_recv(fds[0], &got), 0);
	close(fds[0]);
	assert_int_equal(err_recv(fds[0], &got), -EBADF);
}

static void a_hostile_peer_cannot_send_unterminated_text_or_success(void **state)
{
	struct err evil = {.code = -5}, got;
	int fds[2];

	(void)state;
	memset(evil.msg, 'x', sizeof(evil.msg));
	memset(evil.member, 'y', sizeof(evil.member));
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(err_send(fds[1], &evil), 0);
	assert_int_equal(err_recv(fds[0], &got), 1);
	assert_int_equal(got.code, EPROTO);
	assert_int_equal(strlen(got.msg), ERR_MSG_MAX - 1);
	assert_int_equal(strlen(got.member), ERR_MEMBER_MAX - 1);
	assert_int_equal(write(fds[1], "short", 5), 5);
	assert_int_equal(err_recv(fds[0], &got), -EBADMSG);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errno_becomes_code_and_text),
		cmocka_unit_test(an_unknown_errno_has_a_text),
		cmocka_unit_test(a_null_error_is_accepted_everywhere),
		cmocka_unit_test(wrapping_puts_the_story_before_the_cause),
		cmocka_unit_test(a_member_error_keeps_its_path),
		cmocka_unit_test(text_that_is_too_long_loses_the_story_not_the_cause),
		cmocka_unit_test(arguments_may_point_into_the_error),
		cmocka_unit_test(an_error_crosses_a_pipe),
		cmocka_unit_test(a_hostile_peer_cannot_send_unterminated_text_or_success),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
