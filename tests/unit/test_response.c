#include "tests/unit/unit.h"

#include "lib/buf.h"
#include "router/chunked.h"
#include "router/response.h"

static long parse(const char *text, struct response *ret)
{
	struct head_scan scan = {};

	return response_parse(&scan, slice_of(text), ret);
}

static void the_framing_of_a_response_is_told(void **state)
{
	struct response r;

	(void)state;
	assert_true(parse("HTTP/1.1 200 OK\r\n\r\n", &r) > 0);
	assert_int_equal(r.framing, FRAMING_CLOSE);
	assert_true(parse("HTTP/1.0 200\r\nContent-Length: 12\r\n\r\n", &r) > 0);
	assert_int_equal(r.framing, FRAMING_LENGTH);
	assert_int_equal(r.length, 12);
	assert_true(parse("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: Chunked\r\n"
			  "\r\n",
			    &r) > 0);
	assert_int_equal(r.framing, FRAMING_CHUNKED);
}

static void what_is_no_response_is_refused(void **state)
{
	static const char *const bad[] = {"garbage", "HTTP/2 200 OK\r\n\r\n",
		"HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 600 OK\r\n\r\n",
		"HTTP/1.1 200OK\r\n\r\n", "HTTP/1.1 200 OK\nX: y\n\n",
		"HTTP/1.1 200 OK\r\nX y\r\n\r\n", "HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"HTTP/1.1 200 O\x01K\r\n\r\n"};
	struct response r;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (parse(bad[i], &r) != -EBADMSG) {
			fail_msg("taken: %s", bad[i]);
		}
	}
	assert_int_equal(parse("HTTP/1.1 200 OK\r\nX: y\r\n", &r), 0);
	assert_int_equal(parse("HTT", &r), 0);
}

static void hop_by_hop_fields_are_said_anew(void **state)
{
	_cleanup_buf_ struct buf out = {};
	struct response_out how = {.framing = FRAMING_CHUNKED, .close = true};
	struct response r;

	(void)state;
	assert_true(parse("HTTP/1.0 404 Not here\r\nConnection: keep-alive\r\nkeep-alive: 5\r\n"
			  "X-A: b\r\nTransfer-Encoding: chunked\r\nUpgrade: x\r\n\r\n",
			    &r) > 0);
	response_write(&r, &how, &out);
	assert_string_equal(buf_str(&out),
		"HTTP/1.1 404 Not here\r\nX-A: b\r\nTransfer-Encoding: chunked\r\n"
		"Connection: close\r\n\r\n");
}

static void a_length_without_a_body_stays_but_not_with_204(void **state)
{
	_cleanup_buf_ struct buf out = {};
	struct response_out how = {.framing = FRAMING_NONE};
	struct response r;

	(void)state;
	assert_true(parse("HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n", &r) > 0);
	response_write(&r, &how, &out);
	assert_contains(buf_str(&out), "Content-Length: 9\r\n");
	buf_clear(&out);
	assert_true(parse("HTTP/1.1 204 None\r\nContent-Length: 0\r\n\r\n", &r) > 0);
	response_write(&r, &how, &out);
	assert_string_equal(buf_str(&out), "HTTP/1.1 204 None\r\n\r\n");
}

/* Decodes in steps of `step` bytes; returns bytes taken, or -EBADMSG. */
static long decode(const char *text, size_t step, char *data, bool *ret_done)
{
	struct slice in = slice_of(text), run;
	struct chunked c = {};
	size_t at = 0, n = 0;

	while (at < in.n && c.state != CHUNKED_DONE) {
		size_t k = in.n - at < step ? in.n - at : step;
		long took = chunked_decode(&c, (struct slice){in.p + at, k}, &run);

		if (took < 0) {
			return took;
		}
		at += (size_t)took;
		memcpy(data + n, run.p ? run.p : "", run.n);
		n += run.n;
	}
	data[n] = '\0';
	*ret_done = c.state == CHUNKED_DONE;
	return (long)at;
}

static void chunks_are_put_together_in_steps_of_any_size(void **state)
{
	static const char text[] =
		"5\r\nhello\r\n001;a=b\r\n \r\nA\r\n0123456789\r\n0\r\nX: y\r\nZ: a\r\n\r\nrest";
	char data[64];
	bool done;

	(void)state;
	for (size_t step = 1; step < sizeof(text); step++) {
		assert_int_equal(decode(text, step, data, &done), sizeof(text) - 1 - 4);
		assert_true(done);
		assert_string_equal(data, "hello 0123456789");
	}
}

static void malformed_chunks_are_refused(void **state)
{
	static const char *const bad[] = {"\r\n", "g\r\n", "5\nhello", "5 \r\nhello", "-1\r\n",
		"5\r\nhelloX", "5\r\nhello\n", "0\r\n\n", "0\r\nX: \x01\r\n\r\n", "0\r\n\rX",
		"1000000000000000\r\n", "5;a\nb\r\n"};
	char data[64];
	bool done;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (decode(bad[i], 3, data, &done) != -EBADMSG) {
			fail_msg("taken: %s", bad[i]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_framing_of_a_response_is_told),
		cmocka_unit_test(what_is_no_response_is_refused),
		cmocka_unit_test(hop_by_hop_fields_are_said_anew),
		cmocka_unit_test(a_length_without_a_body_stays_but_not_with_204),
		cmocka_unit_test(chunks_are_put_together_in_steps_of_any_size),
		cmocka_unit_test(malformed_chunks_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
