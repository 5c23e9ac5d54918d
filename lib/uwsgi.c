#include <errno.h>

#include "lib/buf.h"
#include "lib/uwsgi.h"

size_t uwsgi_begin(struct buf *to, uint8_t modifier1)
{
	size_t begun = to->n;

	buf_put_u8(to, modifier1);
	buf_put_u16le(to, 0);
	buf_put_u8(to, 0);
	return begun;
}

static void put_counted(struct buf *to, struct slice s)
{
	if (s.n > UINT16_MAX) {
		to->failed = true;
		return;
	}
	buf_put_u16le(to, (uint16_t)s.n);
	buf_put(to, s);
}

void uwsgi_put(struct buf *to, struct slice key, struct slice value)
{
	if (key.n == 0) {
		to->failed = true;
		return;
	}
	put_counted(to, key);
	put_counted(to, value);
}

void uwsgi_end(struct buf *to, size_t begun, uint8_t modifier2)
{
	size_t size = to->n - begun - UWSGI_HEADER_SIZE;

	if (to->failed || to->n < begun + UWSGI_HEADER_SIZE || size > UWSGI_BLOCK_MAX) {
		to->failed = true;
		return;
	}
	buf_set_u16le(to, begun + 1, (uint16_t)size);
	to->p[begun + 3] = (char)modifier2;
}

size_t uwsgi_header_read(struct slice in, struct uwsgi_header *ret)
{
	if (in.n < UWSGI_HEADER_SIZE) {
		return 0;
	}
	(void)take_u8(&in, &ret->modifier1);
	(void)take_u16le(&in, &ret->size);
	(void)take_u8(&in, &ret->modifier2);
	return UWSGI_HEADER_SIZE;
}

static bool take_counted(struct slice *in, struct slice *ret)
{
	uint16_t n;

	return take_u16le(in, &n) && take_bytes(in, n, ret);
}

int uwsgi_next(struct slice *block, struct slice *ret_key, struct slice *ret_value)
{
	struct slice rest = *block, key, value;

	if (rest.n == 0) {
		return 0;
	}
	if (!take_counted(&rest, &key) || key.n == 0 || !take_counted(&rest, &value)) {
		return -EBADMSG;
	}
	*ret_key = key;
	*ret_value = value;
	*block = rest;
	return 1;
}
