#include "tests/unit/unit.h"

#include "lib/err.h"
#include "runtime/systemd.h"

static void parts_are_slice_prefix_and_name(void **state)
{
	struct systemd_unit u;

	(void)state;
	assert_int_equal(systemd_unit_of("fief.slice:fief:30001", "x", &u, NULL), 0);
	assert_string_equal(u.name, "fief-30001.scope");
	assert_string_equal(u.slice, "fief.slice");
	assert_string_equal(u.path, "/fief.slice/fief-30001.scope");
}

static void empty_parts_have_defaults(void **state)
{
	struct systemd_unit u;

	(void)state;
	assert_int_equal(systemd_unit_of(NULL, "c1", &u, NULL), 0);
	assert_string_equal(u.path, "/system.slice/fief-c1.scope");
	assert_int_equal(systemd_unit_of(":libpod:abc", "x", &u, NULL), 0);
	assert_string_equal(u.path, "/system.slice/libpod-abc.scope");
}

static void slices_nest_at_dashes(void **state)
{
	struct systemd_unit u;

	(void)state;
	assert_int_equal(systemd_unit_of("a-b-c.slice:p:n", "x", &u, NULL), 0);
	assert_string_equal(u.path, "/a.slice/a-b.slice/a-b-c.slice/p-n.scope");
	assert_int_equal(systemd_unit_of("-.slice:p:n", "x", &u, NULL), 0);
	assert_string_equal(u.path, "/p-n.scope");
}

static void what_is_no_unit_is_refused(void **state)
{
	static const char *const bad[] = {"/fief/1", "a.slice:b", "a.slice:b:c:d", "a:b:c",
		"a.slice:b/..:c", "../a.slice:b:c", "a.slice:b:c d", "a--b.slice:p:n",
		"a-.slice:p:n", ".slice:p:n", "-a.slice:p:n"};
	struct systemd_unit u;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = {};

		assert_int_equal(systemd_unit_of(bad[i], "x", &u, &e), -EINVAL);
		assert_string_equal(e.member, ".linux.cgroupsPath");
	}
}

static void a_slice_whose_path_is_too_long_is_refused(void **state)
{
	struct systemd_unit u;
	char asked[300] = "a";

	(void)state;
	for (int i = 0; i < 40; i++) {
		strcat(asked, "-bb");
	}
	strcat(asked, ".slice:p:n");
	assert_int_equal(systemd_unit_of(asked, "x", &u, NULL), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_slice_prefix_and_name),
		cmocka_unit_test(empty_parts_have_defaults),
		cmocka_unit_test(slices_nest_at_dashes),
		cmocka_unit_test(what_is_no_unit_is_refused),
		cmocka_unit_test(a_slice_whose_path_is_too_long_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
