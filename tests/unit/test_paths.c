#include "tests/unit/unit.h"

#include "lib/paths.h"

static void paths_follow_the_contract(void **state)
{
	_cleanup_free_ char *record = path_of(NULL, PATH_RECORDS, "30001.json");
	_cleanup_free_ char *home = path_of("/p", PATH_CONTAINERS, NULL);

	(void)state;
	assert_string_equal(record, "/var/lib/fief/containers/30001.json");
	assert_string_equal(home, "/p/containers");
	for (int id = 0; id < PATH_ID_MAX; id++) {
		_cleanup_free_ char *path = path_of("", (enum path_id)id, NULL);

		assert_int_equal(path[0], '/');
	}
}

static void id_ranges_do_not_overlap_each_other_or_the_uids(void **state)
{
	uint64_t end = (uint64_t)ids_base(UID_LAST) + IDS_PER_CONTAINER;

	(void)state;
	assert_int_equal(ids_base(UID_FIRST), 0x24000000);
	assert_int_equal(ids_base(UID_FIRST + 1) - ids_base(UID_FIRST), IDS_PER_CONTAINER);
	assert_true(end > ids_base(UID_LAST) && end < INT32_MAX);
	assert_true(ids_base(UID_FIRST) > UID_LAST);
}

static void a_program_is_found_beside_the_running_one(void **state)
{
	_cleanup_free_ char *self = path_program("test_paths", NULL);
	struct err e;

	(void)state;
	assert_non_null(self);
	assert_null(path_program("no-such-program", &e));
	assert_contains(e.msg, "no-such-program");
	assert_int_equal(e.code, ENOENT);
}

static void a_missing_container_directory_is_named(void **state)
{
	struct err e = {};

	(void)state;
	assert_null(path_container_dir(&e));
	assert_contains(e.msg, "'shim/container' is missing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_follow_the_contract),
		cmocka_unit_test(id_ranges_do_not_overlap_each_other_or_the_uids),
		cmocka_unit_test(a_program_is_found_beside_the_running_one),
		cmocka_unit_test(a_missing_container_directory_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
