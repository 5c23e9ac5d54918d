#include "tests/unit/unit.h"

#include "lib/buf.h"
#include "lib/uwsgi.h"
#include "router/http1.h"
#include "router/vars.h"

/* The variables of a request as lines NAME=value. */
static void lines_of(const char *request, struct buf *to)
{
	const struct vars_peer peer = {.address = "192.0.2.1", .port = 45678, .server_port = 80};
	_cleanup_buf_ struct buf packet = {};
	struct slice block, key, value;
	struct head_scan scan = {};
	struct http1_request req;
	struct uwsgi_header h;

	assert_true(http1_parse(&scan, slice_of(request), &req) > 0);
	assert_int_equal(vars_write(&req, &peer, &packet), 0);
	assert_int_equal(uwsgi_header_read(buf_slice(&packet), &h), 4);
	assert_int_equal(h.size, packet.n - 4);
	block = slice_skip(buf_slice(&packet), 4);
	while (uwsgi_next(&block, &key, &value) > 0) {
		buf_put(to, key);
		buf_put_str(to, "=");
		buf_put(to, value);
		buf_put_str(to, "\n");
	}
	assert_int_equal(block.n, 0);
}

static void the_order_is_that_of_uwsgi(void **state)
{
	_cleanup_buf_ struct buf b = {};

	(void)state;
	lines_of("POST /a%20b?c=d HTTP/1.1\r\nX-One: 1\r\nHost: a.example:81\r\n"
		 "Content-Type: t/u\r\nContent-Length: 3\r\n\r\n",
		&b);
	assert_string_equal(buf_str(&b),
		"REQUEST_METHOD=POST\nPATH_INFO=/a b\nREQUEST_URI=/a%20b?c=d\nQUERY_STRING=c=d\n"
		"SERVER_PROTOCOL=HTTP/1.1\nSCRIPT_NAME=\nSERVER_PORT=80\nUWSGI_ROUTER=http\n"
		"REMOTE_ADDR=192.0.2.1\nREMOTE_PORT=45678\nHTTP_X_ONE=1\nSERVER_NAME=a.example:81\n"
		"HTTP_HOST=a.example:81\nCONTENT_TYPE=t/u\nCONTENT_LENGTH=3\n");
}

static void without_a_query_the_uri_comes_first(void **state)
{
	_cleanup_buf_ struct buf b = {};

	(void)state;
	lines_of("GET /x HTTP/1.0\r\n\r\n", &b);
	assert_contains(buf_str(&b),
		"REQUEST_METHOD=GET\nREQUEST_URI=/x\nPATH_INFO=/x\nQUERY_STRING=\n"
		"SERVER_PROTOCOL=HTTP/1.0\n");
	buf_clear(&b);
	lines_of("GET http://a.example/x HTTP/1.0\r\n\r\n", &b);
	assert_contains(buf_str(&b), "SERVER_NAME=a.example\nHTTP_HOST=a.example\n");
}

static void repeated_fields_are_merged(void **state)
{
	_cleanup_buf_ struct buf b = {};

	(void)state;
	lines_of("GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nCookie: a=1\r\nx-a: 2\r\nX-B: y\r\n"
		 "cookie: b=2\r\nX-A:\r\n\r\n",
		&b);
	assert_contains(
		buf_str(&b), "HTTP_HOST=a\nHTTP_X_A=1, 2, \nHTTP_COOKIE=a=1; b=2\nHTTP_X_B=y\n");
}

static void the_proxy_field_is_left_out(void **state)
{
	_cleanup_buf_ struct buf b = {};

	(void)state;
	lines_of("GET / HTTP/1.1\r\nHost: a\r\nPROXY: http://evil\r\n\r\n", &b);
	assert_null(strstr(buf_str(&b), "evil"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_order_is_that_of_uwsgi),
		cmocka_unit_test(without_a_query_the_uri_comes_first),
		cmocka_unit_test(repeated_fields_are_merged),
		cmocka_unit_test(the_proxy_field_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
