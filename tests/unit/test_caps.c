#include "tests/unit/unit.h"

#include "runtime/caps.h"

static void names_are_numbers_of_the_kernel(void **state)
{
	(void)state;
	assert_int_equal(cap_number("CAP_CHOWN"), 0);
	assert_int_equal(cap_number("CAP_KILL"), 5);
	assert_int_equal(cap_number("CAP_SYS_ADMIN"), 21);
	assert_int_equal(cap_number("CAP_CHECKPOINT_RESTORE"), 40);
}

static void other_spellings_are_unknown(void **state)
{
	static const char *const names[] = {"", "CHOWN", "cap_chown", "CAP_chown", "CAP_", "CAP_NO",
		"0", "CAP_0", "CAP_CHOWN "};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (cap_number(names[i]) != -1) {
			fail_msg("'%s' is taken", names[i]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_numbers_of_the_kernel),
		cmocka_unit_test(other_spellings_are_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
