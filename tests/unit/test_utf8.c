#include "tests/unit/unit.h"

#include "lib/utf8.h"

static void valid_text_is_valid_to_its_end(void **state)
{
	static const struct slice good[] = {
		{NULL, 0},
		{"a\0b", 3},
		{"\xc2\x80", 2},
		{"\xdf\xbf", 2},
		{"\xe0\xa0\x80", 3},
		{"\xed\x9f\xbf", 3},
		{"\xee\x80\x80", 3},
		{"\xef\xbf\xbf", 3},
		{"\xf0\x90\x80\x80", 4},
		{"\xf4\x8f\xbf\xbf", 4},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(utf8_valid(good[i]), good[i].n);
	}
}

static void validity_ends_before_the_first_bad_character(void **state)
{
	static const char *const bad[] = {
		"x\x80",
		"x\xc0\xaf",
		"x\xc1\xbf",
		"x\xc2",
		"x\xc2z",
		"x\xe0\x9f\xbf",
		"x\xe1\x80",
		"x\xed\xa0\x80",
		"x\xed\xbf\xbf",
		"x\xf0\x8f\xbf\xbf",
		"x\xf4\x90\x80\x80",
		"x\xf5\x80\x80\x80",
		"x\xf1\x80\x80",
		"x\xff",
		"x\xfe\xbf",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(utf8_valid(slice_of(bad[i])), 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_text_is_valid_to_its_end),
		cmocka_unit_test(validity_ends_before_the_first_bad_character),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
