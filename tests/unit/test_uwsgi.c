#include "tests/unit/unit.h"

#include "lib/buf.h"
#include "lib/uwsgi.h"

static void a_packet_has_the_bytes_of_the_protocol(void **state)
{
	_cleanup_buf_ struct buf b = {};
	size_t begun = uwsgi_begin(&b, UWSGI_MOD_SUBSCRIPTION);

	(void)state;
	uwsgi_put(&b, SLICE("key"), SLICE("a.b"));
	uwsgi_put(&b, SLICE("x"), SLICE(""));
	uwsgi_end(&b, begun, 1);
	assert_false(buf_failed(&b));
	assert_int_equal(b.n, 4 + 15);
	assert_memory_equal(b.p,
		"\xe0\x0f\x00\x01\x03\x00key\x03\x00"
		"a.b\x01\x00x\x00\x00",
		19);
}

static void what_is_written_is_read_back(void **state)
{
	_cleanup_buf_ struct buf b = {};
	struct uwsgi_header h;
	struct slice block, key, value;
	size_t begun;

	(void)state;
	buf_put_str(&b, "before");
	begun = uwsgi_begin(&b, UWSGI_MOD_WSGI);
	for (int i = 0; i < 100; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "KEY%d", i);
		uwsgi_put(&b, slice_of(name), SLICE("v\0w"));
	}
	uwsgi_end(&b, begun, 7);
	buf_drop(&b, 6);
	assert_int_equal(uwsgi_header_read(buf_slice(&b), &h), UWSGI_HEADER_SIZE);
	assert_int_equal(h.modifier1, 0);
	assert_int_equal(h.modifier2, 7);
	assert_int_equal(h.size, b.n - 4);
	block = slice_skip(buf_slice(&b), 4);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(uwsgi_next(&block, &key, &value), 1);
		assert_true(slice_eq(value, SLICE("v\0w")));
	}
	assert_true(slice_eq(key, SLICE("KEY99")));
	assert_int_equal(uwsgi_next(&block, &key, &value), 0);
}

static void a_short_header_is_not_read(void **state)
{
	struct uwsgi_header h;

	(void)state;
	assert_int_equal(uwsgi_header_read(SLICE("\xe0\x01\x00"), &h), 0);
	assert_int_equal(uwsgi_header_read((struct slice){}, &h), 0);
}

static void malformed_blocks_are_refused_and_not_consumed(void **state)
{
	static const struct slice bad[] = {
		{"\x05", 1},		     /* half a length */
		{"\x05\x00key", 5},	     /* key passes the end */
		{"\x03\x00key", 5},	     /* key without value */
		{"\x03\x00key\x01", 6},	     /* half a value length */
		{"\x03\x00key\x02\x00v", 8}, /* value passes the end */
		{"\x00\x00\x01\x00v", 5},    /* empty key */
		{"\xff\xff", 2},
	};
	struct slice key, value;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct slice block = bad[i];

		assert_int_equal(uwsgi_next(&block, &key, &value), -EBADMSG);
		assert_int_equal(block.n, bad[i].n);
	}
}

static void what_does_not_fit_fails_the_buffer(void **state)
{
	static const char big[70000];
	_cleanup_buf_ struct buf b = {};
	size_t begun = uwsgi_begin(&b, 0);

	(void)state;
	uwsgi_put(&b, SLICE("k"), (struct slice){big, 65536});
	assert_true(buf_failed(&b));
	buf_clear(&b);
	begun = uwsgi_begin(&b, 0);
	uwsgi_put(&b, SLICE("k"), (struct slice){big, 65530});
	uwsgi_end(&b, begun, 0);
	assert_false(buf_failed(&b));
	buf_clear(&b);
	begun = uwsgi_begin(&b, 0);
	uwsgi_put(&b, SLICE("k"), (struct slice){big, 65531});
	uwsgi_end(&b, begun, 0);
	assert_true(buf_failed(&b));
	buf_clear(&b);
	uwsgi_put(&b, SLICE(""), SLICE("v"));
	assert_true(buf_failed(&b));
}

static void a_full_buffer_fails_instead_of_writing_outside(void **state)
{
	_cleanup_buf_ struct buf b = {.limit = 3};
	size_t begun = uwsgi_begin(&b, 0);

	(void)state;
	uwsgi_end(&b, begun, 9);
	assert_true(buf_failed(&b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_has_the_bytes_of_the_protocol),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(a_short_header_is_not_read),
		cmocka_unit_test(malformed_blocks_are_refused_and_not_consumed),
		cmocka_unit_test(what_does_not_fit_fails_the_buffer),
		cmocka_unit_test(a_full_buffer_fails_instead_of_writing_outside),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
