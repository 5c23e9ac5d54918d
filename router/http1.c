/*
 * The head is taken apart in one pass over its lines once it is complete. Each field that matters
 * for the framing or the route has a row in a table; what the fields mean together is decided after
 * the last one (finish()).
 */
#include <errno.h>
#include <string.h>

#include "lib/cleanup.h"
#include "router/http1.h"

struct parse {
	struct http1_request *req; /* borrowed */
	struct slice authority;	   /* of an absolute target; empty otherwise */
	bool saw_host, saw_transfer;
	bool saw_close;
	int transfer_status; /* 0 when the transfer coding is known */
};

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static unsigned hex_value(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static bool path_is_sound(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] != '%') {
			continue;
		}
		if (s.n - i < 3 || !is_hex(s.p[i + 1]) || !is_hex(s.p[i + 2]) ||
			(s.p[i + 1] == '0' && s.p[i + 2] == '0')) {
			return false;
		}
	}
	return true;
}

size_t http1_unescape(struct slice s, char *to)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '%' && s.n - i >= 3) {
			to[n++] = (char)(hex_value(s.p[i + 1]) << 4 | hex_value(s.p[i + 2]));
			i += 2;
		} else {
			to[n++] = s.p[i];
		}
	}
	return n;
}

static bool target_is_sound(struct slice s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= 0x20 || c >= 0x7f || c == '#') {
			return false;
		}
	}
	return s.n > 0;
}

/* Letters, digits and "-._" or an address in brackets, then at most one port. */
static bool host_is_sound(struct slice s)
{
	size_t i = 0;

	if (s.n == 0 || s.n > HTTP1_HOST_MAX) {
		return false;
	}
	if (s.p[0] == '[') {
		for (i = 1; i < s.n && (is_hex(s.p[i]) || s.p[i] == ':' || s.p[i] == '.'); i++) {
		}
		if (i == 1 || i == s.n || s.p[i] != ']') {
			return false;
		}
		i++;
	} else {
		for (; i < s.n && s.p[i] != ':'; i++) {
			if (!strchr("-._", s.p[i]) && !(s.p[i] >= '0' && s.p[i] <= '9') &&
				!((s.p[i] | 0x20) >= 'a' && (s.p[i] | 0x20) <= 'z')) {
				return false;
			}
		}
		if (i == 0) {
			return false;
		}
	}
	if (i == s.n) {
		return true;
	}
	if (s.p[i] != ':' || s.n - i > 6) {
		return false;
	}
	for (i++; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9') {
			return false;
		}
	}
	return true;
}

/* The part of an absolute target after "http://"; its authority goes to p->authority. */
static int parse_absolute(struct parse *p, struct slice *target)
{
	static const struct slice schemes[] = {SLICE("http://"), SLICE("https://")};

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		struct slice rest = slice_skip(*target, schemes[i].n);
		const char *slash = rest.n ? memchr(rest.p, '/', rest.n) : NULL;

		if (target->n <= schemes[i].n ||
			strncasecmp(target->p, schemes[i].p, schemes[i].n) != 0) {
			continue;
		}
		p->authority =
			(struct slice){.p = rest.p, .n = slash ? (size_t)(slash - rest.p) : rest.n};
		*target = slash ? slice_skip(rest, p->authority.n) : SLICE("/");
		return p->authority.n ? 0 : -400;
	}
	return -400;
}

static int parse_target(struct parse *p, struct slice target)
{
	struct http1_request *req = p->req;
	const char *mark;

	if (!target_is_sound(target)) {
		return -400;
	}
	if (slice_eq(target, SLICE("*"))) {
		if (!slice_eq(req->method, SLICE("OPTIONS"))) {
			return -400;
		}
	} else if (target.p[0] != '/' && parse_absolute(p, &target) < 0) {
		return -400;
	}
	req->uri = target;
	req->path = target;
	mark = memchr(target.p, '?', target.n);
	if (mark) {
		req->path.n = (size_t)(mark - target.p);
		req->query = slice_skip(target, req->path.n + 1);
		req->has_query = true;
	}
	return path_is_sound(req->path) ? 0 : -400;
}

static int parse_version(struct http1_request *req, struct slice version)
{
	if (version.n != 8 || !slice_starts(version, SLICE("HTTP/")) || version.p[6] != '.' ||
		version.p[5] < '0' || version.p[5] > '9' || version.p[7] < '0' ||
		version.p[7] > '9') {
		return -400;
	}
	if (version.p[5] != '1' || version.p[7] > '1') {
		return version.p[5] == '0' ? -400 : -505;
	}
	req->minor = (uint8_t)(version.p[7] - '0');
	return 0;
}

static int parse_request_line(struct parse *p, struct slice line)
{
	struct http1_request *req = p->req;
	const char *space = line.n ? memchr(line.p, ' ', line.n) : NULL;
	struct slice target;
	int r;

	if (!space) {
		return -400;
	}
	req->method = (struct slice){.p = line.p, .n = (size_t)(space - line.p)};
	if (req->method.n > HTTP1_METHOD_MAX || !head_is_token(req->method)) {
		return -400;
	}
	target = slice_skip(line, req->method.n + 1);
	space = target.n ? memchr(target.p, ' ', target.n) : NULL;
	if (!space) {
		return -400;
	}
	r = parse_version(req, slice_skip(target, (size_t)(space - target.p) + 1));
	if (r < 0) {
		return r;
	}
	target.n = (size_t)(space - target.p);
	if (slice_eq(req->method, SLICE("CONNECT"))) {
		return -501;
	}
	return target.n > HTTP1_TARGET_MAX ? -414 : parse_target(p, target);
}

static int on_host(struct parse *p, struct slice value)
{
	if (p->saw_host || !host_is_sound(value)) {
		return -400;
	}
	p->saw_host = true;
	p->req->host = value;
	return 0;
}

static int on_length(struct parse *p, struct slice value)
{
	if (p->req->has_length || head_parse_length(value, &p->req->length) < 0) {
		return -400;
	}
	p->req->has_length = true;
	return 0;
}

static int on_transfer(struct parse *p, struct slice value)
{
	if (p->saw_transfer || value.n == 0) {
		return -400;
	}
	p->saw_transfer = true;
	p->req->chunked = slice_eq_nocase(value, SLICE("chunked"));
	p->transfer_status = p->req->chunked ? 0 : -501;
	return 0;
}

static int on_connection(struct parse *p, struct slice value)
{
	p->saw_close |= head_has_token(value, SLICE("close"));
	return 0;
}

static int on_expect(struct parse *p, struct slice value)
{
	if (!slice_eq_nocase(value, SLICE("100-continue"))) {
		return -417;
	}
	p->req->expect_continue = true;
	return 0;
}

static const struct {
	struct slice name;
	int (*on)(struct parse *p, struct slice value);
} known[] = {
	{SLICE("Host"), on_host},
	{SLICE("Content-Length"), on_length},
	{SLICE("Transfer-Encoding"), on_transfer},
	{SLICE("Connection"), on_connection},
	{SLICE("Expect"), on_expect},
};

static int add_field(struct parse *p, struct slice line)
{
	struct http1_request *req = p->req;
	struct head_field f;

	if (head_parse_field(line, &f) < 0 || memchr(f.name.p, '_', f.name.n)) {
		return -400;
	}
	if (req->n_fields == HEAD_FIELDS_MAX) {
		return -431;
	}
	req->fields[req->n_fields++] = f;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (slice_eq_nocase(f.name, known[i].name)) {
			return known[i].on(p, f.value);
		}
	}
	return 0;
}

/* What the fields mean together. */
static int finish(struct parse *p)
{
	struct http1_request *req = p->req;

	if (req->minor == 1 && !p->saw_host) {
		return -400;
	}
	if (p->authority.n && p->saw_host && !slice_eq_nocase(p->authority, req->host)) {
		return -400;
	}
	if (p->authority.n && !p->saw_host) {
		return on_host(p, p->authority);
	}
	if (p->saw_transfer && (req->has_length || req->minor == 0)) {
		return -400;
	}
	req->keep_alive = req->minor == 1 && !p->saw_close;
	req->expect_continue &= req->minor == 1;
	return p->transfer_status;
}

static int parse_head(struct slice head, struct http1_request *ret)
{
	struct parse p = {.req = ret};
	int r = parse_request_line(&p, head_take_line(&head));

	while (r == 0) {
		struct slice line = head_take_line(&head);

		if (line.n == 0) {
			return finish(&p);
		}
		r = add_field(&p, line);
	}
	return r;
}

long http1_parse(struct head_scan *scan, struct slice in, struct http1_request *ret)
{
	/* one empty line before a request is tolerated (RFC 9112, section 2.2) */
	size_t skip = slice_starts(in, SLICE("\r\n")) ? 2 : 0;
	long n;
	int r;

	if (in.n == 1 && in.p[0] == '\r') {
		return 0;
	}
	in = slice_skip(in, skip);
	n = head_find_end(scan, in);
	if (n < 0) {
		return -400;
	}
	if (n > HTTP1_HEAD_MAX || (n == 0 && in.n > HTTP1_HEAD_MAX)) {
		return scan->line == 0 ? -414 : -431;
	}
	if (n == 0) {
		return 0;
	}
	/* the array of fields is not worth clearing: n_fields says what of it counts */
	memset(ret, 0, offsetof(struct http1_request, fields));
	r = parse_head((struct slice){.p = in.p, .n = (size_t)n}, ret);
	return r < 0 ? r : n + (long)skip;
}
