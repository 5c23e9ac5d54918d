#include "tests/unit/unit.h"

#include "lib/slice.h"

static void slice_of_null_is_empty(void **state)
{
	(void)state;
	assert_int_equal(slice_of(NULL).n, 0);
	assert_int_equal(slice_of("").n, 0);
	assert_int_equal(SLICE("a\0b").n, 3);
}

static void equality_takes_length_and_bytes(void **state)
{
	(void)state;
	assert_true(slice_eq(SLICE("ab"), slice_of("ab")));
	assert_false(slice_eq(SLICE("ab"), SLICE("abc")));
	assert_false(slice_eq(SLICE("a\0b"), SLICE("a\0c")));
	assert_false(slice_eq(SLICE("ab"), SLICE("AB")));
	assert_true(slice_eq((struct slice){}, SLICE("")));
	assert_true(slice_eq_nocase(SLICE("Host"), SLICE("hOST")));
	assert_false(slice_eq_nocase(SLICE("Host"), SLICE("Hos")));
}

static void a_slice_starts_with_its_prefixes(void **state)
{
	(void)state;
	assert_true(slice_starts(SLICE("unix:/x"), SLICE("unix:")));
	assert_true(slice_starts(SLICE("x"), (struct slice){}));
	assert_true(slice_starts((struct slice){}, (struct slice){}));
	assert_false(slice_starts(SLICE("un"), SLICE("unix:")));
}

static void skip_stops_at_the_end(void **state)
{
	(void)state;
	assert_true(slice_eq(slice_skip(SLICE("abc"), 1), SLICE("bc")));
	assert_int_equal(slice_skip(SLICE("abc"), 3).n, 0);
	assert_int_equal(slice_skip(SLICE("abc"), SIZE_MAX).n, 0);
	assert_null(slice_skip((struct slice){}, 4).p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slice_of_null_is_empty),
		cmocka_unit_test(equality_takes_length_and_bytes),
		cmocka_unit_test(a_slice_starts_with_its_prefixes),
		cmocka_unit_test(skip_stops_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
