#include <errno.h>
#include <stdbool.h>

#include "router/chunked.h"

enum { DIGITS_MAX = 15, EXTRA_MAX = 8192 };

static int digit(char c)
{
	if (c >= '0' && c <= '9') {
		return c - '0';
	}
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_text(char c)
{
	return c == '\t' || ((unsigned char)c >= 0x20 && c != 0x7f);
}

static int on_size(struct chunked *c, char b)
{
	int d = digit(b);

	if (d >= 0) {
		c->left = c->left << 4 | (uint64_t)d;
		return ++c->digits > DIGITS_MAX ? -EBADMSG : 0;
	}
	if (c->digits == 0 || (b != '\r' && b != ';')) {
		return -EBADMSG;
	}
	c->state = b == '\r' ? CHUNKED_SIZE_LF : CHUNKED_EXTENSION;
	return 0;
}

/* Text up to a CR, which leads to `next`. */
static int on_text(struct chunked *c, char b, enum chunked_state next)
{
	if (b == '\r') {
		c->state = next;
		return 0;
	}
	return is_text(b) && ++c->extra <= EXTRA_MAX ? 0 : -EBADMSG;
}

static int expect(struct chunked *c, char b, char wanted, enum chunked_state next)
{
	c->state = next;
	return b == wanted ? 0 : -EBADMSG;
}

/* One byte that is not data. */
static int on_byte(struct chunked *c, char b)
{
	switch (c->state) {
	case CHUNKED_SIZE:
		return on_size(c, b);
	case CHUNKED_EXTENSION:
		return on_text(c, b, CHUNKED_SIZE_LF);
	case CHUNKED_SIZE_LF:
		c->digits = 0;
		return expect(c, b, '\n', c->left ? CHUNKED_DATA : CHUNKED_TRAILER_BEGIN);
	case CHUNKED_DATA_CR:
		return expect(c, b, '\r', CHUNKED_DATA_LF);
	case CHUNKED_DATA_LF:
		return expect(c, b, '\n', CHUNKED_SIZE);
	case CHUNKED_TRAILER_BEGIN:
		c->state = CHUNKED_TRAILER;
		return on_text(c, b, CHUNKED_END_LF);
	case CHUNKED_TRAILER:
		return on_text(c, b, CHUNKED_TRAILER_LF);
	case CHUNKED_TRAILER_LF:
		return expect(c, b, '\n', CHUNKED_TRAILER_BEGIN);
	case CHUNKED_END_LF:
		return expect(c, b, '\n', CHUNKED_DONE);
	case CHUNKED_DATA:
	case CHUNKED_DONE:
		break;
	}
	return -EBADMSG;
}

long chunked_decode(struct chunked *c, struct slice in, struct slice *ret_data)
{
	size_t at = 0;

	*ret_data = (struct slice){};
	while (at < in.n && c->state != CHUNKED_DONE) {
		if (c->state == CHUNKED_DATA) {
			size_t n = in.n - at < c->left ? in.n - at : (size_t)c->left;

			*ret_data = (struct slice){.p = in.p + at, .n = n};
			c->left -= n;
			c->state = c->left ? CHUNKED_DATA : CHUNKED_DATA_CR;
			return (long)(at + n);
		}
		if (on_byte(c, in.p[at++]) < 0) {
			return -EBADMSG;
		}
	}
	return (long)at;
}
