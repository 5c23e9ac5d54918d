#include "tests/unit/unit.h"

#include "runtime/cgroup.h"

static void default_shares_are_the_default_weight(void **state)
{
	(void)state;
	assert_int_equal(cgroup_weight_of_shares(0), 1);
	assert_int_equal(cgroup_weight_of_shares(2), 1);
	assert_int_equal(cgroup_weight_of_shares(1024), 100);
	assert_int_equal(cgroup_weight_of_shares(262144), 10000);
	assert_int_equal(cgroup_weight_of_shares(UINT64_MAX), 10000);
}

static void more_shares_are_never_less_weight(void **state)
{
	int64_t last = 0;

	(void)state;
	for (uint64_t shares = 0; shares <= 262200; shares += 7) {
		int64_t weight = cgroup_weight_of_shares(shares);

		assert_true(weight >= last && weight >= 1 && weight <= 10000);
		last = weight;
	}
}

static void paths_that_go_up_or_stay_are_refused(void **state)
{
	static const char *const bad[] = {
		"..", "/..", "a/..", "/a/../b", "../a", ".", "/.", "a/./b", "./a", "//..", "a/."};
	static const char *const good[] = {
		"", "/", "a", "/a/b", "a..b", "..a", "...", "/.a", "a//b", "system.slice:x:y"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = {};

		if (cgroup_check_path(bad[i], &e) == 0) {
			fail_msg("'%s' is taken", bad[i]);
		}
		assert_string_equal(e.member, ".linux.cgroupsPath");
	}
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		if (cgroup_check_path(good[i], NULL) != 0) {
			fail_msg("'%s' is refused", good[i]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(default_shares_are_the_default_weight),
		cmocka_unit_test(more_shares_are_never_less_weight),
		cmocka_unit_test(paths_that_go_up_or_stay_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
