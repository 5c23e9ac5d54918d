#include <errno.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "router/response.h"

static int parse_status_line(struct slice line, struct response *ret)
{
	int status = 0;

	if (line.n < 12 || !slice_starts(line, SLICE("HTTP/1.")) || line.p[8] != ' ' ||
		(line.p[7] != '0' && line.p[7] != '1')) {
		return -EBADMSG;
	}
	for (int i = 9; i < 12; i++) {
		if (line.p[i] < '0' || line.p[i] > '9') {
			return -EBADMSG;
		}
		status = status * 10 + (line.p[i] - '0');
	}
	if (status < 100 || status > 599 || (line.n > 12 && line.p[12] != ' ')) {
		return -EBADMSG;
	}
	for (size_t i = 12; i < line.n; i++) {
		if ((unsigned char)line.p[i] < 0x20 || line.p[i] == 0x7f) {
			return -EBADMSG;
		}
	}
	ret->status = status;
	ret->reason = slice_skip(line, 13);
	return 0;
}

static int note_framing(struct response *r, const struct head_field *f)
{
	if (slice_eq_nocase(f->name, SLICE("Content-Length"))) {
		uint64_t length;

		if (head_parse_length(f->value, &length) < 0 ||
			(r->has_length && r->length != length)) {
			return -EBADMSG;
		}
		r->has_length = true;
		r->length = length;
	} else if (slice_eq_nocase(f->name, SLICE("Transfer-Encoding"))) {
		if (r->framing == FRAMING_CHUNKED || !slice_eq_nocase(f->value, SLICE("chunked"))) {
			return -EBADMSG;
		}
		r->framing = FRAMING_CHUNKED;
	}
	return 0;
}

static int parse_fields(struct slice head, struct response *ret)
{
	for (;;) {
		struct slice line = head_take_line(&head);

		if (line.n == 0) {
			return 0;
		}
		if (ret->n_fields == HEAD_FIELDS_MAX ||
			head_parse_field(line, &ret->fields[ret->n_fields]) < 0 ||
			note_framing(ret, &ret->fields[ret->n_fields]) < 0) {
			return -EBADMSG;
		}
		ret->n_fields++;
	}
}

long response_parse(struct head_scan *scan, struct slice in, struct response *ret)
{
	static const struct slice begin = SLICE("HTTP/1.");
	long n = head_find_end(scan, in);
	struct slice head = {.p = in.p, .n = n > 0 ? (size_t)n : 0};

	if (n < 0 || n > RESPONSE_HEAD_MAX || (n == 0 && in.n > RESPONSE_HEAD_MAX)) {
		return -EBADMSG;
	}
	if (n == 0) {
		/* garbage is told early, not after the head's limit */
		size_t k = in.n < begin.n ? in.n : begin.n;

		return k && memcmp(in.p, begin.p, k) != 0 ? -EBADMSG : 0;
	}
	memset(ret, 0, offsetof(struct response, fields));
	ret->framing = FRAMING_CLOSE;
	if (parse_status_line(head_take_line(&head), ret) < 0 || parse_fields(head, ret) < 0) {
		return -EBADMSG;
	}
	if (ret->framing == FRAMING_CLOSE && ret->has_length) {
		ret->framing = FRAMING_LENGTH;
	}
	return n;
}

static bool is_dropped(const struct response *r, const struct response_out *out, struct slice name)
{
	static const struct slice hop_by_hop[] = {SLICE("Connection"), SLICE("Keep-Alive"),
		SLICE("Proxy-Connection"), SLICE("Transfer-Encoding"), SLICE("Upgrade"),
		SLICE("Trailer")};

	for (size_t i = 0; i < ARRAY_LEN(hop_by_hop); i++) {
		if (slice_eq_nocase(name, hop_by_hop[i])) {
			return true;
		}
	}
	/* said anew, except where it describes a body that is not sent (HEAD, 304) */
	return slice_eq_nocase(name, SLICE("Content-Length")) &&
	       (out->framing != FRAMING_NONE || r->status == 204);
}

void response_write(const struct response *r, const struct response_out *out, struct buf *to)
{
	char line[] = "HTTP/1.1 000 ";

	for (int i = 0, v = r->status; i < 3; i++, v /= 10) {
		line[11 - i] = (char)('0' + v % 10);
	}
	buf_put(to, (struct slice){.p = line, .n = sizeof(line) - 1});
	buf_put(to, r->reason);
	buf_put(to, SLICE("\r\n"));
	for (size_t i = 0; i < r->n_fields; i++) {
		if (!is_dropped(r, out, r->fields[i].name)) {
			buf_put(to, r->fields[i].name);
			buf_put(to, SLICE(": "));
			buf_put(to, r->fields[i].value);
			buf_put(to, SLICE("\r\n"));
		}
	}
	if (out->framing == FRAMING_LENGTH) {
		buf_putf(to, "Content-Length: %llu\r\n", (unsigned long long)r->length);
	} else if (out->framing == FRAMING_CHUNKED) {
		buf_put(to, SLICE("Transfer-Encoding: chunked\r\n"));
	}
	buf_put(to, out->close ? SLICE("Connection: close\r\n\r\n") : SLICE("\r\n"));
}
