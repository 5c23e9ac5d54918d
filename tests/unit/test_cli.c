#include "tests/unit/unit.h"

#include <fcntl.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cli.h"
#include "lib/files.h"

struct values {
	bool verbose;
	const char *name;
	uint32_t count;
	struct cli_list dirs;
};

static const struct cli_option options[] = {
	{"verbose", 'v', CLI_FLAG, offsetof(struct values, verbose), NULL, "say more"},
	{"name", 'n', CLI_STRING, offsetof(struct values, name), "NAME", "the name"},
	{"count", 0, CLI_U32, offsetof(struct values, count), "N", "how many"},
	{"dir", 'd', CLI_LIST, offsetof(struct values, dirs), "DIR", "a directory"},
	{},
};

static const struct cli cli = {.usage = "prog VERB", .about = "Does it.", .options = options};
static const struct cli verb = {
	.usage = "prog exec", .about = "", .options = options, .stop_at_operand = true};

/* Splits line at blanks and parses it. */
static int parse(const struct cli *c, const char *line, struct values *v, struct err *e)
{
	static char copy[256]; /* values point into it */
	char *argv[20] = {}, *save = NULL;
	int argc = 0;

	(void)snprintf(copy, sizeof(copy), "%s", line);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save)) {
		argv[argc++] = w;
	}
	return cli_parse(c, argc, argv, v, e);
}

static void every_form_of_an_option_is_taken(void **state)
{
	static const char *const forms[] = {"p -n x", "p -nx", "p --name x", "p --name=x"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct values v = {};

		assert_true(parse(&cli, forms[i], &v, NULL) > 0);
		assert_string_equal(v.name, "x");
	}
}

static void all_kinds_are_stored_and_operands_follow(void **state)
{
	struct values v = {};

	(void)state;
	assert_int_equal(parse(&cli, "p a -vd x --count 4294967295 b -d y -- -n", &v, NULL), 8);
	assert_true(v.verbose);
	assert_true(v.count == UINT32_MAX);
	assert_int_equal(v.dirs.n, 2);
	assert_string_equal(v.dirs.v[1], "y");
	assert_null(v.dirs.v[2]);
	assert_null(v.name);
	cli_list_done(&v.dirs);
	assert_null(v.dirs.v);
}

static void options_of_a_command_are_left_alone(void **state)
{
	struct values v = {};

	(void)state;
	assert_int_equal(parse(&verb, "exec -v sh -n x", &v, NULL), 2);
	assert_true(v.verbose);
	assert_null(v.name);
}

static void wrong_options_are_named(void **state)
{
	static const char *const bad[][2] = {
		{"p --frob", "unknown option '--frob'"},
		{"p -x", "unknown option '-x'"},
		{"p -vxn", "unknown option '-x'"},
		{"p a -n", "option '--name' needs a value"},
		{"p --name", "option '--name' needs a value"},
		{"p -vn", "option '--name' needs a value"},
		{"p --verbose=1", "option '--verbose' takes no value"},
		{"p --help=1", "option '--help' takes no value"},
		{"p --count -1", "option '--count': '-1' is not a number"},
		{"p --count 0x1", "option '--count': '0x1' is not a number"},
		{"p --count=", "option '--count': a number is missing"},
		{"p --count 4294967296",
			"option '--count': '4294967296' is out of range (at most 4294967295)"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct values v = {};
		struct err e = {};

		assert_true(parse(&cli, bad[i][0], &v, &e) < 0);
		assert_string_equal(e.msg, bad[i][1]);
	}
}

/* Runs cli_failure() with descriptor `to` turned into a pipe; returns what was written. */
static const char *captured(int to, int r, const struct err *e, int *ret_status, struct buf *b)
{
	int saved = fcntl(to, F_DUPFD_CLOEXEC, 3), fds[2];
	char text[2048];
	ssize_t n;

	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	fflush(stdout);
	assert_true(dup2(fds[1], to) >= 0);
	if (to == STDOUT_FILENO) {
		struct values v = {};

		*ret_status = cli_failure(&cli, parse(&cli, "p -h", &v, NULL), e);
		fflush(stdout);
	} else {
		*ret_status = cli_failure(&cli, r, e);
	}
	assert_true(dup2(saved, to) >= 0);
	close(saved);
	close(fds[1]);
	n = read(fds[0], text, sizeof(text));
	close(fds[0]);
	buf_put(b, (struct slice){text, n > 0 ? (size_t)n : 0});
	return buf_str(b);
}

static void help_goes_to_stdout_and_succeeds(void **state)
{
	_cleanup_buf_ struct buf b = {};
	struct err e = {};
	int status;
	const char *text = captured(STDOUT_FILENO, 0, &e, &status, &b);

	(void)state;
	assert_int_equal(status, 0);
	assert_contains(text, "usage: prog VERB");
	assert_contains(text, "-n, --name NAME");
	assert_contains(text, "--count N");
	assert_contains(text, "a directory");
}

static void a_usage_error_is_one_line_and_status_2(void **state)
{
	_cleanup_buf_ struct buf b = {};
	struct err e;
	int status;
	const char *text;

	(void)state;
	(void)err_set(&e, -EINVAL, "unknown option '--x\ny'");
	text = captured(STDERR_FILENO, -EINVAL, &e, &status, &b);
	assert_int_equal(status, 2);
	assert_string_equal(text, "fief: unknown option '--x?y' (usage: prog VERB)\n");
}

static void numbers_are_plain_decimals(void **state)
{
	unsigned long n = 5;

	(void)state;
	assert_int_equal(cli_number("0", 10, &n, NULL), 0);
	assert_int_equal(n, 0);
	assert_int_equal(cli_number("18446744073709551615", UINT64_MAX, &n, NULL), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(cli_number("18446744073709551616", UINT64_MAX, &n, NULL), -ERANGE);
	assert_int_equal(cli_number("11", 10, &n, NULL), -ERANGE);
	assert_int_equal(cli_number(" 1", 10, &n, NULL), -EINVAL);
	assert_int_equal(cli_number("+1", 10, &n, NULL), -EINVAL);
	assert_int_equal(cli_number("", 10, &n, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_of_an_option_is_taken),
		cmocka_unit_test(all_kinds_are_stored_and_operands_follow),
		cmocka_unit_test(options_of_a_command_are_left_alone),
		cmocka_unit_test(wrong_options_are_named),
		cmocka_unit_test(help_goes_to_stdout_and_succeeds),
		cmocka_unit_test(a_usage_error_is_one_line_and_status_2),
		cmocka_unit_test(numbers_are_plain_decimals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
