/*
 * A head gets one verdict however it is cut into pieces, what is taken lies inside the input and
 * obeys the strict rules, and the variables made of it are a sound packet.
 */
#include <errno.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/uwsgi.h"
#include "router/http1.h"
#include "router/vars.h"
#include "tests/fuzz/fuzz.h"

static int is_clean(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\r' || s.p[i] == '\n' || s.p[i] == '\0') {
			return 0;
		}
	}
	return 1;
}

static int is_inside(struct slice s, struct slice in)
{
	return s.n == 0 || (s.p >= in.p && s.p + s.n <= in.p + in.n);
}

static void check_request(const struct http1_request *req, struct slice in)
{
	MUST(is_inside(req->method, in) && is_clean(req->method) && req->method.n > 0);
	MUST(is_clean(req->uri) && req->uri.n > 0);
	MUST(req->minor == 0 || req->host.n > 0);
	MUST(!(req->chunked && req->has_length));
	MUST(req->n_fields <= HEAD_FIELDS_MAX);
	for (size_t i = 0; i < req->n_fields; i++) {
		MUST(is_inside(req->fields[i].name, in) && head_is_token(req->fields[i].name));
		MUST(is_inside(req->fields[i].value, in) && is_clean(req->fields[i].value));
	}
}

static void check_vars(const struct http1_request *req)
{
	const struct vars_peer peer = {.address = "::1", .port = 1, .server_port = 2};
	_cleanup_buf_ struct buf packet = {};
	struct slice block, key, value;
	struct uwsgi_header h;
	int r;

	if (vars_write(req, &peer, &packet) < 0) {
		return; /* too large */
	}
	MUST(uwsgi_header_read(buf_slice(&packet), &h) && h.size == packet.n - UWSGI_HEADER_SIZE);
	block = slice_skip(buf_slice(&packet), UWSGI_HEADER_SIZE);
	while ((r = uwsgi_next(&block, &key, &value)) > 0) {
		MUST(is_clean(key));
	}
	MUST(r == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = {(const char *)data, size};
	struct head_scan whole = {}, parts = {};
	struct http1_request req, again;
	long n = http1_parse(&whole, in, &req), m = 0;

	MUST(n <= (long)size && n > -600);
	for (size_t at = 1; at <= size && m == 0; at += 1 + at / 3) {
		m = http1_parse(&parts, (struct slice){in.p, at}, &again);
	}
	if (m == 0) {
		m = http1_parse(&parts, in, &again);
	}
	/* too long may be told before malformed, when less is there */
	MUST(m == n || (m < 0 && n < 0) || size > HTTP1_HEAD_MAX);
	if (n > 0) {
		check_request(&req, in);
		check_vars(&req);
	}
	return 0;
}
