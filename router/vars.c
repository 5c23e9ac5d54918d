#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/uwsgi.h"
#include "router/http1.h"
#include "router/vars.h"

enum { CGI_NAME_MAX = HEAD_NAME_MAX + 5 };

static void put_number(struct buf *to, struct slice key, uint16_t v)
{
	char text[8];
	int n = snprintf(text, sizeof(text), "%u", v);

	uwsgi_put(to, key, (struct slice){.p = text, .n = (size_t)n});
}

static void put_path(const struct http1_request *req, struct buf *to)
{
	char decoded[HTTP1_TARGET_MAX];
	struct slice path = req->path;

	if (memchr(path.p, '%', path.n)) {
		path.n = http1_unescape(path, decoded);
		path.p = decoded;
	}
	uwsgi_put(to, SLICE("PATH_INFO"), path);
}

static void put_target(const struct http1_request *req, struct buf *to)
{
	if (req->has_query) {
		put_path(req, to);
		uwsgi_put(to, SLICE("REQUEST_URI"), req->uri);
	} else {
		uwsgi_put(to, SLICE("REQUEST_URI"), req->uri);
		put_path(req, to);
	}
	uwsgi_put(to, SLICE("QUERY_STRING"), req->query);
}

/* CGI name of a field: upper case, '-' as '_', HTTP_ before all but the two of the body. */
static struct slice cgi_name(struct slice name, char *to)
{
	bool plain = slice_eq_nocase(name, SLICE("Content-Type")) ||
		     slice_eq_nocase(name, SLICE("Content-Length"));
	size_t n = 0;

	if (!plain) {
		memcpy(to, "HTTP_", 5);
		n = 5;
	}
	for (size_t i = 0; i < name.n; i++) {
		char c = name.p[i];

		if (c == '-') {
			c = '_';
		} else if (c >= 'a' && c <= 'z') {
			c = (char)(c - 0x20);
		}
		to[n++] = c;
	}
	return (struct slice){.p = to, .n = n};
}

static bool same_name(const struct http1_request *req, size_t a, size_t b)
{
	return slice_eq_nocase(req->fields[a].name, req->fields[b].name);
}

static bool seen_before(const struct http1_request *req, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (same_name(req, i, at)) {
			return true;
		}
	}
	return false;
}

/* The values of field `at` and of all later ones of its name. */
static void put_field(const struct http1_request *req, size_t at, struct buf *to)
{
	struct slice name = req->fields[at].name;
	struct slice separator = slice_eq_nocase(name, SLICE("Cookie")) ? SLICE("; ") : SLICE(", ");
	char cgi[CGI_NAME_MAX];
	size_t length_at, total = req->fields[at].value.n;

	uwsgi_put(to, cgi_name(name, cgi), req->fields[at].value);
	length_at = to->n - total - 2;
	for (size_t i = at + 1; i < req->n_fields; i++) {
		if (same_name(req, i, at)) {
			buf_put(to, separator);
			buf_put(to, req->fields[i].value);
			total += separator.n + req->fields[i].value.n;
		}
	}
	if (total != req->fields[at].value.n && !to->failed) {
		buf_set_u16le(to, length_at, (uint16_t)total); /* < HTTP1_HEAD_MAX */
	}
}

static void put_fields(const struct http1_request *req, struct buf *to)
{
	bool has_host = false;

	for (size_t i = 0; i < req->n_fields; i++) {
		struct slice name = req->fields[i].name;

		if (slice_eq_nocase(name, SLICE("Proxy")) || seen_before(req, i)) {
			continue;
		}
		if (slice_eq_nocase(name, SLICE("Host"))) {
			uwsgi_put(to, SLICE("SERVER_NAME"), req->host);
			has_host = true;
		}
		put_field(req, i, to);
	}
	if (!has_host) { /* HTTP/1.0 with an absolute target */
		uwsgi_put(to, SLICE("SERVER_NAME"), req->host);
		uwsgi_put(to, SLICE("HTTP_HOST"), req->host);
	}
}

int vars_write(const struct http1_request *req, const struct vars_peer *peer, struct buf *to)
{
	size_t begun = uwsgi_begin(to, UWSGI_MOD_WSGI);

	uwsgi_put(to, SLICE("REQUEST_METHOD"), req->method);
	put_target(req, to);
	uwsgi_put(to, SLICE("SERVER_PROTOCOL"), req->minor ? SLICE("HTTP/1.1") : SLICE("HTTP/1.0"));
	uwsgi_put(to, SLICE("SCRIPT_NAME"), SLICE(""));
	put_number(to, SLICE("SERVER_PORT"), peer->server_port);
	uwsgi_put(to, SLICE("UWSGI_ROUTER"), SLICE("http"));
	uwsgi_put(to, SLICE("REMOTE_ADDR"), slice_of(peer->address));
	put_number(to, SLICE("REMOTE_PORT"), peer->port);
	put_fields(req, to);
	uwsgi_end(to, begun, 0);
	return buf_failed(to) ? -E2BIG : 0;
}
