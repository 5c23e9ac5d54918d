#include "tests/unit/unit.h"

#include "router/http1.h"

struct sample {
	const char *name;
	const char *text;
	long result; /* 1: taken whole; 0: more is needed; -status */
};

#define GET  "GET / HTTP/1.1\r\n"
#define HOST "Host: a.example\r\n"
#define POST "POST / HTTP/1.1\r\n" HOST

static const struct sample samples[] = {
	{"the least request", GET HOST "\r\n", 1},
	{"HTTP/1.0 without Host", "GET / HTTP/1.0\r\n\r\n", 1},
	{"one empty line before", "\r\n" GET HOST "\r\n", 1},
	{"two empty lines before", "\r\n\r\n" GET HOST "\r\n", -400},
	{"a head in parts", GET "Host: a", 0},
	{"nothing", "", 0},
	{"half an empty line", "\r", 0},
	{"a query", "GET /a?b=c?d HTTP/1.1\r\n" HOST "\r\n", 1},
	{"escapes", "GET /%41%2f HTTP/1.1\r\n" HOST "\r\n", 1},
	{"escape cut short", "GET /%4 HTTP/1.1\r\n" HOST "\r\n", -400},
	{"escape of no digits", "GET /%zz HTTP/1.1\r\n" HOST "\r\n", -400},
	{"escaped NUL", "GET /%00 HTTP/1.1\r\n" HOST "\r\n", -400},
	{"odd escape in the query is its own affair", "GET /?%z HTTP/1.1\r\n" HOST "\r\n", 1},
	{"a fragment", "GET /a#b HTTP/1.1\r\n" HOST "\r\n", -400},
	{"a tab in the target", "GET /a\tb HTTP/1.1\r\n" HOST "\r\n", -400},
	{"raw bytes in the target", "GET /\xc3\xa4 HTTP/1.1\r\n" HOST "\r\n", -400},
	{"two blanks", "GET  / HTTP/1.1\r\n" HOST "\r\n", -400},
	{"a blank behind", "GET / HTTP/1.1 \r\n" HOST "\r\n", -400},
	{"no version", "GET /\r\n" HOST "\r\n", -400},
	{"lower case version", "GET / http/1.1\r\n" HOST "\r\n", -400},
	{"HTTP/1.2", "GET / HTTP/1.2\r\n" HOST "\r\n", -505},
	{"HTTP/2.0", "PRI * HTTP/2.0\r\n\r\n", -505},
	{"HTTP/0.9", "GET / HTTP/0.9\r\n\r\n", -400},
	{"HTTP/1.10", "GET / HTTP/1.10\r\n" HOST "\r\n", -400},
	{"method of no token", "G(T / HTTP/1.1\r\n" HOST "\r\n", -400},
	{"empty method", " / HTTP/1.1\r\n" HOST "\r\n", -400},
	{"a very long method",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n" HOST "\r\n", -400},
	{"CONNECT", "CONNECT a.example:443 HTTP/1.1\r\n" HOST "\r\n", -501},
	{"OPTIONS *", "OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 1},
	{"GET *", "GET * HTTP/1.1\r\n" HOST "\r\n", -400},
	{"a target without slash", "GET a HTTP/1.1\r\n" HOST "\r\n", -400},
	{"absolute form", "GET http://a.example/x HTTP/1.1\r\n" HOST "\r\n", 1},
	{"absolute form without path", "GET http://A.example HTTP/1.1\r\n" HOST "\r\n", 1},
	{"absolute form of another host", "GET http://b.example/ HTTP/1.1\r\n" HOST "\r\n", -400},
	{"absolute form with a user", "GET http://u@a.example/ HTTP/1.1\r\n" HOST "\r\n", -400},
	{"absolute form without host", "GET http:///x HTTP/1.1\r\n" HOST "\r\n", -400},
	{"absolute form of a strange scheme", "GET ftp://a.example/ HTTP/1.1\r\n" HOST "\r\n",
		-400},
	{"absolute form with a host of no sense", "GET http://a/b HTTP/1.0\r\n\r\n", 1},
	{"bare LF", "GET / HTTP/1.1\nHost: a\n\n", -400},
	{"bare LF in the end", GET HOST "\n", -400},
	{"bare LF told early", "GET / HTTP/1.1\n", -400},
	{"bare CR in a value", GET HOST "X: a\rTransfer-Encoding: chunked\r\n\r\n", -400},
	{"bare CR before the end", GET HOST "\r\r\n\r\n", -400},
	{"CR LF CR X", GET HOST "X: y\r\n\rX\r\n\r\n", -400},
	{"bare CR in the request line", "GET /\r HTTP/1.1\r\n" HOST "\r\n", -400},
	{"folded line", GET HOST "X: a\r\n b\r\n\r\n", -400},
	{"folded first line", GET " X: a\r\n" HOST "\r\n", -400},
	{"blank before the colon", GET "Host : a.example\r\n\r\n", -400},
	{"tab before the colon", GET HOST "X\t: a\r\n\r\n", -400},
	{"no colon", GET HOST "Xa\r\n\r\n", -400},
	{"empty name", GET HOST ": a\r\n\r\n", -400},
	{"control character in a value", GET HOST "X: a\x01\r\n\r\n", -400},
	{"DEL in a value", GET HOST "X: a\x7f\r\n\r\n", -400},
	{"tab in a value", GET HOST "X: a\tb\r\n\r\n", 1},
	{"raw bytes in a value", GET HOST "X: \xc3\xa4\r\n\r\n", 1},
	{"empty value", GET HOST "X:\r\n\r\n", 1},
	{"underscore in a name", GET HOST "Content_Length: 3\r\n\r\n", -400},
	{"no Host", GET "\r\n", -400},
	{"two Hosts", GET HOST HOST "\r\n", -400},
	{"two Hosts in HTTP/1.0", "GET / HTTP/1.0\r\n" HOST HOST "\r\n", -400},
	{"empty Host", GET "Host:\r\n\r\n", -400},
	{"Host with a list", GET "Host: a, b\r\n\r\n", -400},
	{"Host with a path", GET "Host: a/b\r\n\r\n", -400},
	{"Host with a user", GET "Host: u@a\r\n\r\n", -400},
	{"Host with a port", GET "Host: a.example:8080\r\n\r\n", 1},
	{"Host with a port of letters", GET "Host: a.example:http\r\n\r\n", -400},
	{"Host with two ports", GET "Host: a:1:2\r\n\r\n", -400},
	{"Host with a long port", GET "Host: a:123456\r\n\r\n", -400},
	{"Host that is a port", GET "Host: :80\r\n\r\n", -400},
	{"Host in brackets", GET "Host: [::1]:80\r\n\r\n", 1},
	{"Host in open brackets", GET "Host: [::1\r\n\r\n", -400},
	{"Host with text behind brackets", GET "Host: [::1]a\r\n\r\n", -400},
	{"a body of known length", POST "Content-Length: 10\r\n\r\n", 1},
	{"length with a sign", POST "Content-Length: +5\r\n\r\n", -400},
	{"negative length", POST "Content-Length: -1\r\n\r\n", -400},
	{"empty length", POST "Content-Length:\r\n\r\n", -400},
	{"length as a list", POST "Content-Length: 5, 5\r\n\r\n", -400},
	{"hexadecimal length", POST "Content-Length: 0x5\r\n\r\n", -400},
	{"length with a blank inside", POST "Content-Length: 1 2\r\n\r\n", -400},
	{"length that overflows", POST "Content-Length: 18446744073709551617\r\n\r\n", -400},
	{"the same length twice", POST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", -400},
	{"two lengths", POST "Content-Length: 5\r\ncontent-length: 6\r\n\r\n", -400},
	{"chunked", POST "Transfer-Encoding: chunked\r\n\r\n", 1},
	{"Chunked in capitals", POST "Transfer-Encoding: CHUNKED\r\n\r\n", 1},
	{"chunked with a length", POST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		-400},
	{"length behind chunked", POST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
		-400},
	{"chunked twice", POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
		-400},
	{"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", -400},
	{"gzip, chunked", POST "Transfer-Encoding: gzip, chunked\r\n\r\n", -501},
	{"xchunked", POST "Transfer-Encoding: xchunked\r\n\r\n", -501},
	{"chunked, identity", POST "Transfer-Encoding: chunked, identity\r\n\r\n", -501},
	{"empty transfer coding", POST "Transfer-Encoding:\r\n\r\n", -400},
	{"unknown coding with a length", POST "Transfer-Encoding: x\r\nContent-Length: 1\r\n\r\n",
		-400},
	{"100-continue", POST "Expect: 100-continue\r\nContent-Length: 1\r\n\r\n", 1},
	{"another expectation", POST "Expect: 200-ok\r\n\r\n", -417},
};

static void every_sample_has_its_verdict(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		struct slice in = slice_of(samples[i].text);
		struct head_scan scan = {};
		struct http1_request req;
		long n = http1_parse(&scan, in, &req);
		long want = samples[i].result == 1 ? (long)in.n : samples[i].result;

		if (n != want) {
			fail_msg("%s: %ld instead of %ld", samples[i].name, n, want);
		}
	}
}

static void a_head_may_come_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(samples); i++) {
		struct slice in = slice_of(samples[i].text);
		struct head_scan scan = {};
		struct http1_request req;
		long n = 0, want = samples[i].result == 1 ? (long)in.n : samples[i].result;

		for (size_t k = 1; k <= in.n && n == 0; k++) {
			n = http1_parse(&scan, (struct slice){in.p, k}, &req);
		}
		if (n != want) {
			fail_msg("%s: %ld instead of %ld", samples[i].name, n, want);
		}
	}
}

static void nul_bytes_are_refused_everywhere(void **state)
{
	static const char text[] = "GET /a HTTP/1.1\r\nHost: a.example\r\nX: y\r\n\r\n";
	char copy[sizeof(text)];

	(void)state;
	for (size_t i = 0; i + 3 < sizeof(text); i++) {
		struct head_scan scan = {};
		struct http1_request req;

		memcpy(copy, text, sizeof(text));
		copy[i] = '\0';
		assert_true(http1_parse(&scan, (struct slice){copy, sizeof(text) - 1}, &req) <= 0);
	}
}

static void the_parts_are_found(void **state)
{
	struct slice in = SLICE(
		"POST http://A.example:8080/p%20q?x=y HTTP/1.1\r\nHost: a.example:8080\r\n"
		"X-One: \t two words \t\r\nContent-Length: 7\r\nConnection: foo, close\r\n\r\n");
	struct head_scan scan = {};
	struct http1_request req;
	char path[16];

	(void)state;
	assert_int_equal(http1_parse(&scan, in, &req), in.n);
	assert_true(slice_eq(req.method, SLICE("POST")));
	assert_true(slice_eq(req.uri, SLICE("/p%20q?x=y")));
	assert_true(slice_eq(req.path, SLICE("/p%20q")));
	assert_true(slice_eq(req.query, SLICE("x=y")));
	assert_true(slice_eq(req.host, SLICE("a.example:8080")));
	assert_int_equal(req.minor, 1);
	assert_int_equal(req.length, 7);
	assert_false(req.keep_alive);
	assert_int_equal(req.n_fields, 4);
	assert_true(slice_eq(req.fields[1].value, SLICE("two words")));
	assert_int_equal(http1_unescape(req.path, path), 4);
	assert_memory_equal(path, "/p q", 4);
}

static void what_follows_a_head_is_left_alone(void **state)
{
	struct slice in = SLICE("GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\n");
	struct head_scan scan = {};
	struct http1_request req;

	(void)state;
	assert_int_equal(http1_parse(&scan, in, &req), in.n - strlen("GET /2 HTTP/1.1\r\n"));
	assert_true(req.keep_alive);
}

static long parse_filled(const char *before, char fill, size_t n, const char *after)
{
	size_t total = strlen(before) + n + strlen(after);
	_cleanup_free_ char *text = malloc(total);
	struct head_scan scan = {};
	struct http1_request req;

	memcpy(text, before, strlen(before));
	memset(text + strlen(before), fill, n);
	memcpy(text + strlen(before) + n, after, strlen(after));
	return http1_parse(&scan, (struct slice){text, total}, &req);
}

static void sizes_have_limits(void **state)
{
	(void)state;
	assert_int_equal(
		parse_filled("GET /", 'a', HTTP1_TARGET_MAX, " HTTP/1.1\r\n" HOST "\r\n"), -414);
	assert_true(
		parse_filled("GET /", 'a', HTTP1_TARGET_MAX - 1, " HTTP/1.1\r\n" HOST "\r\n") > 0);
	assert_int_equal(parse_filled("GET /", 'a', HTTP1_HEAD_MAX, ""), -414);
	assert_int_equal(parse_filled(GET HOST "X: ", 'a', HTTP1_HEAD_MAX, ""), -431);
	assert_int_equal(parse_filled(GET HOST "X: ", 'a', HTTP1_HEAD_MAX, "\r\n\r\n"), -431);
	assert_int_equal(parse_filled(GET "Host: ", 'a', 256, "\r\n\r\n"), -400);
	assert_true(parse_filled(GET "Host: ", 'a', 255, "\r\n\r\n") > 0);
	assert_int_equal(parse_filled(GET HOST, 'a', 256, ": x\r\n\r\n"), -400);
}

static void a_hundred_fields_are_enough(void **state)
{
	char text[4096] = GET HOST;

	(void)state;
	for (int i = 0; i < HEAD_FIELDS_MAX; i++) {
		struct head_scan scan = {};
		struct http1_request req;
		size_t n = strlen(text);

		(void)strcpy(text + n, "\r\n");
		assert_true(http1_parse(&scan, slice_of(text), &req) > 0);
		(void)strcpy(text + n, "X: y\r\n");
	}
	(void)strcat(text, "\r\n");
	assert_int_equal(
		http1_parse(&(struct head_scan){}, slice_of(text), &(struct http1_request){}),
		-431);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_sample_has_its_verdict),
		cmocka_unit_test(a_head_may_come_byte_by_byte),
		cmocka_unit_test(nul_bytes_are_refused_everywhere),
		cmocka_unit_test(the_parts_are_found),
		cmocka_unit_test(what_follows_a_head_is_left_alone),
		cmocka_unit_test(sizes_have_limits),
		cmocka_unit_test(a_hundred_fields_are_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
