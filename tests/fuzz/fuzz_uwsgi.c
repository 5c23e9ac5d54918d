/*
 * A block that decodes is encoded again to the same bytes; a malformed one is refused without being
 * consumed. The input is a packet: header, then block.
 */
#include <errno.h>

#include "lib/buf.h"
#include "lib/uwsgi.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = {(const char *)data, size}, block, key, value;
	_cleanup_buf_ struct buf again = {};
	struct uwsgi_header h;
	size_t begun;
	int r;

	if (uwsgi_header_read(in, &h) == 0) {
		MUST(size < UWSGI_HEADER_SIZE);
		return 0;
	}
	block = slice_skip(in, UWSGI_HEADER_SIZE);
	block.n = block.n < h.size ? block.n : h.size;
	begun = uwsgi_begin(&again, h.modifier1);
	for (;;) {
		struct slice before = block;

		r = uwsgi_next(&block, &key, &value);
		if (r <= 0) {
			MUST(r == 0 ? before.n == 0 : r == -EBADMSG);
			MUST(block.p == before.p && block.n == before.n);
			break;
		}
		MUST(key.n > 0 && key.n + value.n + 4 == before.n - block.n);
		uwsgi_put(&again, key, value);
	}
	uwsgi_end(&again, begun, h.modifier2);
	MUST(!buf_failed(&again));
	if (r == 0 && size >= (size_t)h.size + UWSGI_HEADER_SIZE) {
		MUST(slice_eq(buf_slice(&again), (struct slice){in.p, again.n}));
	}
	return 0;
}
