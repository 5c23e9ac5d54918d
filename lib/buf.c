#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"

void buf_done(struct buf *b)
{
	free(b->p);
	*b = (struct buf){};
}

void buf_clear(struct buf *b)
{
	b->n = 0;
	b->failed = false;
}

static bool grow(struct buf *b, size_t want)
{
	size_t limit = b->limit ? b->limit : BUF_LIMIT_DEFAULT;
	size_t cap = b->cap ? b->cap : 256;
	char *p;

	if (want > limit) {
		return false;
	}
	while (cap < want) {
		cap = cap > limit / 2 ? limit : cap * 2;
	}
	cap = cap < limit ? cap : limit;
	p = cap < SIZE_MAX ? realloc(b->p, cap + 1) : NULL; /* one more: a NUL always fits */
	if (!p) {
		return false;
	}
	b->p = p;
	b->cap = cap;
	return true;
}

char *buf_room(struct buf *b, size_t n)
{
	size_t want;

	if (b->failed || __builtin_add_overflow(b->n, n, &want)) {
		b->failed = true;
		return NULL;
	}
	if ((want > b->cap || !b->p) && !grow(b, want)) {
		b->failed = true;
		return NULL;
	}
	return b->p + b->n;
}

void buf_added(struct buf *b, size_t n)
{
	b->n += n;
}

void buf_put(struct buf *b, struct slice s)
{
	char *at = buf_room(b, s.n);

	if (at && s.n) {
		memcpy(at, s.p, s.n);
		b->n += s.n;
	}
}

void buf_put_u8(struct buf *b, uint8_t v)
{
	buf_put(b, (struct slice){.p = (const char *)&v, .n = 1});
}

void buf_put_u16le(struct buf *b, uint16_t v)
{
	char bytes[2] = {(char)(v & 0xff), (char)(v >> 8)};

	buf_put(b, (struct slice){.p = bytes, .n = 2});
}

void buf_put_str(struct buf *b, const char *s)
{
	buf_put(b, slice_of(s));
}

void buf_putf(struct buf *b, const char *fmt, ...)
{
	va_list ap;
	char *at;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	at = n < 0 ? NULL : buf_room(b, (size_t)n);
	if (!at) {
		b->failed = true;
		return;
	}
	va_start(ap, fmt);
	(void)vsnprintf(at, (size_t)n + 1, fmt, ap);
	va_end(ap);
	b->n += (size_t)n;
}

void buf_set_u16le(struct buf *b, size_t at, uint16_t v)
{
	if (b->failed || b->n < 2 || at > b->n - 2) {
		b->failed = true;
		return;
	}
	b->p[at] = (char)(v & 0xff);
	b->p[at + 1] = (char)(v >> 8);
}

void buf_drop(struct buf *b, size_t n)
{
	if (n >= b->n) {
		b->n = 0;
		return;
	}
	memmove(b->p, b->p + n, b->n - n);
	b->n -= n;
}

const char *buf_str(struct buf *b)
{
	char *at = buf_room(b, 0);

	if (!at) {
		return NULL;
	}
	*at = '\0';
	return b->p;
}

bool take_u8(struct slice *s, uint8_t *ret)
{
	if (s->n < 1) {
		return false;
	}
	*ret = (uint8_t)s->p[0];
	*s = slice_skip(*s, 1);
	return true;
}

bool take_u16le(struct slice *s, uint16_t *ret)
{
	if (s->n < 2) {
		return false;
	}
	*ret = (uint16_t)((uint8_t)s->p[0] | (uint8_t)s->p[1] << 8);
	*s = slice_skip(*s, 2);
	return true;
}

bool take_bytes(struct slice *s, size_t n, struct slice *ret)
{
	if (s->n < n) {
		return false;
	}
	*ret = (struct slice){.p = s->p, .n = n};
	*s = slice_skip(*s, n);
	return true;
}
