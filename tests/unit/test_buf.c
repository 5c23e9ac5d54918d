#include "tests/unit/unit.h"

#include "lib/buf.h"

static void a_zeroed_buffer_is_empty_and_grows(void **state)
{
	_cleanup_buf_ struct buf b = {};

	(void)state;
	assert_string_equal(buf_str(&b), "");
	for (int i = 0; i < 1000; i++) {
		buf_putf(&b, "%03d,", i);
	}
	assert_false(buf_failed(&b));
	assert_int_equal(buf_slice(&b).n, 4000);
	assert_memory_equal(buf_str(&b) + 3996, "999,", 5);
}

static void content_may_reach_the_limit_but_not_pass_it(void **state)
{
	_cleanup_buf_ struct buf b = {.limit = 5};

	(void)state;
	buf_put(&b, SLICE("abc"));
	buf_putf(&b, "%d", 42);
	assert_false(buf_failed(&b));
	assert_string_equal(buf_str(&b), "abc42");
	buf_put_u8(&b, 'x');
	assert_true(buf_failed(&b));
	assert_int_equal(b.n, 5);
}

static void a_failed_buffer_stays_failed_and_unchanged(void **state)
{
	_cleanup_buf_ struct buf b = {.limit = 4};

	(void)state;
	buf_put(&b, SLICE("ab"));
	buf_putf(&b, "%s", "cde");
	assert_true(buf_failed(&b));
	buf_put(&b, SLICE("c"));
	buf_put_u16le(&b, 1);
	assert_null(buf_str(&b));
	assert_null(buf_room(&b, 0));
	assert_int_equal(b.n, 2);
	buf_clear(&b);
	assert_false(buf_failed(&b));
	buf_put(&b, SLICE("abcd"));
	assert_string_equal(buf_str(&b), "abcd");
}

static void an_absurd_size_is_refused_without_overflow(void **state)
{
	_cleanup_buf_ struct buf b = {.limit = SIZE_MAX};

	(void)state;
	buf_put(&b, SLICE("ab"));
	assert_null(buf_room(&b, SIZE_MAX));
	assert_true(buf_failed(&b));
	buf_clear(&b);
	assert_null(buf_room(&b, SIZE_MAX - 8));
	assert_true(buf_failed(&b));
}

static void room_counts_only_when_added(void **state)
{
	_cleanup_buf_ struct buf b = {};
	char *at = buf_room(&b, 3);

	(void)state;
	assert_non_null(at);
	memcpy(at, "xyz", 3);
	assert_int_equal(b.n, 0);
	buf_added(&b, 2);
	assert_string_equal(buf_str(&b), "xy");
}

static void drop_keeps_the_rest(void **state)
{
	_cleanup_buf_ struct buf b = {};

	(void)state;
	buf_drop(&b, 3);
	buf_put_str(&b, "hello");
	buf_drop(&b, 2);
	assert_string_equal(buf_str(&b), "llo");
	buf_drop(&b, 99);
	assert_string_equal(buf_str(&b), "");
}

static void numbers_are_little_endian_and_can_be_patched_inside_only(void **state)
{
	_cleanup_buf_ struct buf b = {};

	(void)state;
	buf_put_u8(&b, 0xff);
	buf_put_u16le(&b, 0x1234);
	assert_memory_equal(b.p, "\xff\x34\x12", 3);
	buf_set_u16le(&b, 1, 0xabcd);
	assert_memory_equal(b.p, "\xff\xcd\xab", 3);
	buf_set_u16le(&b, 2, 0);
	assert_true(buf_failed(&b));
	buf_clear(&b);
	buf_set_u16le(&b, 0, 0);
	assert_true(buf_failed(&b));
}

static void takes_fail_without_moving(void **state)
{
	struct slice s = SLICE("\x01\x02\x03"), part;
	uint16_t u16;
	uint8_t u8;

	(void)state;
	assert_false(take_bytes(&s, 4, &part));
	assert_int_equal(s.n, 3);
	assert_true(take_u16le(&s, &u16));
	assert_int_equal(u16, 0x0201);
	assert_false(take_u16le(&s, &u16));
	assert_true(take_u8(&s, &u8));
	assert_int_equal(u8, 3);
	assert_false(take_u8(&s, &u8));
	assert_true(take_bytes(&s, 0, &part));
	assert_int_equal(part.n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_zeroed_buffer_is_empty_and_grows),
		cmocka_unit_test(content_may_reach_the_limit_but_not_pass_it),
		cmocka_unit_test(a_failed_buffer_stays_failed_and_unchanged),
		cmocka_unit_test(an_absurd_size_is_refused_without_overflow),
		cmocka_unit_test(room_counts_only_when_added),
		cmocka_unit_test(drop_keeps_the_rest),
		cmocka_unit_test(numbers_are_little_endian_and_can_be_patched_inside_only),
		cmocka_unit_test(takes_fail_without_moving),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
