#include <inttypes.h>
#include <stdio.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "router/status.h"

enum { PAGE_MAX = 1024 };

static const struct {
	int status;
	const char *reason;
	const char *text;
} pages[] = {
	{400, "Bad Request", "The request is malformed."},
	{404, "Not Found", "No site of this name is known here."},
	{408, "Request Timeout", "The request did not arrive in time."},
	{411, "Length Required", "A request body needs a Content-Length here."},
	{413, "Content Too Large", "The request body is too large."},
	{414, "URI Too Long", "The address is too long."},
	{417, "Expectation Failed", "The expectation of the request cannot be met."},
	{431, "Request Header Fields Too Large", "The header of the request is too large."},
	{500, "Internal Server Error", "The router is short of memory."},
	{501, "Not Implemented", "The method or transfer coding is not known here."},
	{502, "Bad Gateway", "The site is at fault: it did not give a sound answer."},
	{503, "Service Unavailable", "The site is at fault: none of its nodes is up."},
	{504, "Gateway Timeout", "The site is at fault: it did not answer in time."},
	{505, "HTTP Version Not Supported", "Only HTTP/1.0 and HTTP/1.1 are spoken here."},
};

const char *status_reason(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		if (pages[i].status == status) {
			return pages[i].reason;
		}
	}
	return NULL;
}

static const char *text_of(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(pages); i++) {
		if (pages[i].status == status) {
			return pages[i].text;
		}
	}
	return "";
}

void status_write(int status, uint64_t id, bool head_only, struct buf *to)
{
	const char *reason = status_reason(status);
	char page[PAGE_MAX];
	int n = snprintf(page, sizeof(page),
		"<!DOCTYPE html>\n<title>%d %s</title>\n<h1>%d %s</h1>\n<p>%s\n"
		"<p><small>Request %016" PRIx64 "</small>\n",
		status, reason ? reason : "", status, reason ? reason : "", text_of(status), id);

	buf_putf(to,
		"HTTP/1.1 %d %s\r\nContent-Type: text/html; charset=utf-8\r\n"
		"Content-Length: %d\r\nCache-Control: no-store\r\n"
		"X-Request-Id: %016" PRIx64 "\r\nConnection: close\r\n\r\n",
		status, reason ? reason : "", n, id);
	if (!head_only) {
		buf_put(to, (struct slice){.p = page, .n = (size_t)n});
	}
}
