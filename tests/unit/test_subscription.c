#include "tests/unit/unit.h"

#include "lib/buf.h"
#include "lib/uwsgi.h"
#include "router/subscription.h"

/* A packet of "name=value" words. */
static void make(struct buf *b, uint8_t modifier2, const char *const *words)
{
	size_t begun = uwsgi_begin(b, UWSGI_MOD_SUBSCRIPTION);

	for (; *words; words++) {
		const char *equal = strchr(*words, '=');

		uwsgi_put(b, (struct slice){*words, (size_t)(equal - *words)}, slice_of(equal + 1));
	}
	uwsgi_end(b, begun, modifier2);
}

static int parse(const char *const *words, struct subscription *ret, struct err *e)
{
	static struct buf b; /* *ret points into it */

	buf_clear(&b);
	make(&b, 0, words);
	return subscription_parse(buf_slice(&b), ret, e);
}

static void a_packet_as_uwsgi_sends_it_is_read(void **state)
{
	static const char *const words[] = {"key=Test.example:8080", "address=127.0.0.1:31001",
		"modifier1=5", "modifier2=7", "cores=2", "load=3", "weight=4", "unix=1795339853",
		"sign=signature", NULL};
	_cleanup_buf_ struct buf b = {};
	struct subscription s;

	(void)state;
	make(&b, 1, words);
	assert_int_equal(subscription_parse(buf_slice(&b), &s, NULL), 0);
	assert_true(s.leave);
	assert_string_equal(s.key, "test.example:8080");
	assert_true(slice_eq(s.address, SLICE("127.0.0.1:31001")));
	assert_int_equal(s.modifier1, 5);
	assert_int_equal(s.modifier2, 7);
	assert_int_equal(s.cores, 2);
	assert_int_equal(s.load, 3);
	assert_int_equal(s.weight, 4);
	assert_true(s.has_stamp);
	assert_int_equal(s.stamp, 1795339853);
	assert_true(slice_eq(s.signature, SLICE("signature")));
	/* everything between the header and `sign` */
	assert_ptr_equal(s.signed_bytes.p, b.p + 4);
	assert_int_equal(s.signed_bytes.n, b.n - 4 - (2 + 4 + 2 + 9));
}

static void what_is_missing_has_its_default(void **state)
{
	static const char *const words[] = {"key=a", "address=/x", "weight=0", "later=thing", NULL};
	struct subscription s;

	(void)state;
	assert_int_equal(parse(words, &s, NULL), 0);
	assert_int_equal(s.weight, 1);
	assert_false(s.has_stamp || s.leave);
	assert_int_equal(s.signature.n, 0);
}

static void a_huge_weight_is_cut(void **state)
{
	static const char *const words[] = {"key=a", "address=/x", "weight=99999999999", NULL};
	struct subscription s;

	(void)state;
	assert_int_equal(parse(words, &s, NULL), 0);
	assert_int_equal(s.weight, SUBSCRIPTION_WEIGHT_MAX);
}

static void malformed_packets_are_refused(void **state)
{
	static const char *const bad[][6] = {
		{"address=/x", NULL},
		{"key=a", NULL},
		{"key=", "address=/x", NULL},
		{"key=a", "address=", NULL},
		{"key=a/b", "address=/x", NULL},
		{"key=a b", "address=/x", NULL},
		{"key=a\xc3\xa4", "address=/x", NULL},
		{"key=a", "address=/x\n", NULL},
		{"key=a", "key=b", "address=/x", NULL},
		{"key=a", "address=/x", "zz=1", "zz=1", NULL},
		{"key=a", "address=/x", "unix=-1", NULL},
		{"key=a", "address=/x", "unix=1x", NULL},
		{"key=a", "address=/x", "unix=", NULL},
		{"key=a", "address=/x", "unix=9999999999999999999", NULL},
		{"key=a", "address=/x", "modifier1=256", NULL},
		{"key=a", "address=/x", "modifier2=-1", NULL},
		{"key=a", "address=/x", "weight=1.5", NULL},
		{"key=a", "address=/x", "cores=x", NULL},
		{"key=a", "address=/x", "sign=", NULL},
		{"key=a", "address=/x", "sign=s", "later=thing", NULL},
	};
	struct subscription s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = {};

		if (parse(bad[i], &s, &e) != -EBADMSG || !e.msg[0]) {
			fail_msg("sample %zu is taken", i);
		}
	}
}

static void the_header_must_fit(void **state)
{
	static const char *const words[] = {"key=a", "address=/x", NULL};
	static const struct {
		size_t at;
		char value;
	} changes[] = {{0, 0}, {0, 7}, {1, 0}, {1, 127}, {2, 1}, {3, 2}, {3, -1}};
	struct subscription s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		_cleanup_buf_ struct buf b = {};

		make(&b, 0, words);
		assert_int_equal(subscription_parse(buf_slice(&b), &s, NULL), 0);
		b.p[changes[i].at] = changes[i].value;
		assert_int_equal(subscription_parse(buf_slice(&b), &s, NULL), -EBADMSG);
	}
}

static void every_cut_of_a_packet_is_refused(void **state)
{
	static const char *const words[] = {"key=a", "address=/x", "unix=1", "sign=x", NULL};
	_cleanup_buf_ struct buf b = {};
	struct subscription s;

	(void)state;
	make(&b, 0, words);
	for (size_t n = 0; n < b.n; n++) {
		assert_int_equal(subscription_parse((struct slice){b.p, n}, &s, NULL), -EBADMSG);
	}
}

static void names_may_be_as_long_as_255(void **state)
{
	char key[300] = "key=", address[300] = "address=/";
	const char *words[] = {key, address, NULL};
	struct subscription s;

	(void)state;
	memset(key + 4, 'k', 255);
	memset(address + 9, 'a', 254);
	assert_int_equal(parse(words, &s, NULL), 0);
	assert_int_equal(strlen(s.key), 255);
	key[4 + 255] = 'k';
	assert_int_equal(parse(words, &s, NULL), -EBADMSG);
	key[4 + 255] = '\0';
	address[9 + 254] = 'a';
	assert_int_equal(parse(words, &s, NULL), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_packet_as_uwsgi_sends_it_is_read),
		cmocka_unit_test(what_is_missing_has_its_default),
		cmocka_unit_test(a_huge_weight_is_cut),
		cmocka_unit_test(malformed_packets_are_refused),
		cmocka_unit_test(the_header_must_fit),
		cmocka_unit_test(every_cut_of_a_packet_is_refused),
		cmocka_unit_test(names_may_be_as_long_as_255),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
