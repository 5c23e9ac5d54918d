#include "tests/unit/unit.h"

#include "bundles/ids.h"
#include "lib/paths.h"

enum { U = 31001 };

/* The range of U: 0x24000000 + 1000 * 65536. */
enum { BASE = 669515776 };

static int check(const char *text, enum ids_kind kind, struct err *e)
{
	return ids_check_text(
		slice_of(text), kind, kind == IDS_OWNERS ? "user" : "subuid range of", U, e);
}

static void ordinary_hosts_are_fine(void **state)
{
	(void)state;
	assert_int_equal(ids_base(U), BASE);
	assert_int_equal(check("", IDS_OWNERS, NULL), 0);
	assert_int_equal(check("root:x:0:0:root:/root:/bin/sh\n"
			       "nobody:x:65534:65534::/:/bin/false",
				 IDS_OWNERS, NULL),
		0);
	assert_int_equal(check("admin:100000:65536\nother:165536:65536\n", IDS_RANGES, NULL), 0);
}

static void an_owner_with_a_containers_id_is_named(void **state)
{
	struct err e = {};

	(void)state;
	assert_int_equal(check("root:x:0:0\nlisa:x:31001:100::/:\n", IDS_OWNERS, &e), -EEXIST);
	assert_contains(e.msg, "user 'lisa'");
	assert_contains(e.msg, "31001");
	assert_int_equal(check("lisa:x:669515776:0", IDS_OWNERS, &e), -EEXIST);
	assert_int_equal(check("lisa:x:669581311:0", IDS_OWNERS, &e), -EEXIST);
	assert_contains(e.msg, "669515776 to 669581311");
}

static void neighbours_of_the_range_are_fine(void **state)
{
	(void)state;
	assert_int_equal(check("a:x:31000:0\nb:x:31002:0", IDS_OWNERS, NULL), 0);
	assert_int_equal(check("a:x:669515775:0\nb:x:669581312:0", IDS_OWNERS, NULL), 0);
	assert_int_equal(check("a:30001:1000\nb:31002:10", IDS_RANGES, NULL), 0);
	assert_int_equal(check("a:669450240:65536\nb:669581312:65536", IDS_RANGES, NULL), 0);
}

static void ranges_that_touch_are_named(void **state)
{
	static const char *const bad[] = {"kim:30000:65536", "kim:31001:1", "kim:669515775:2",
		"kim:669581311:1", "kim:0:4294967295"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = {};

		assert_int_equal(check(bad[i], IDS_RANGES, &e), -EEXIST);
		assert_contains(e.msg, "subuid range of 'kim'");
	}
}

static void lines_that_are_no_records_are_skipped(void **state)
{
	(void)state;
	assert_int_equal(check("\n:\n::\n# 31001\na:x\na:x:\na:x:31001x:\na:x:-31001:\n+::::::\n"
			       "a:x:99999999999999999999:0\n",
				 IDS_OWNERS, NULL),
		0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_hosts_are_fine),
		cmocka_unit_test(an_owner_with_a_containers_id_is_named),
		cmocka_unit_test(neighbours_of_the_range_are_fine),
		cmocka_unit_test(ranges_that_touch_are_named),
		cmocka_unit_test(lines_that_are_no_records_are_skipped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
