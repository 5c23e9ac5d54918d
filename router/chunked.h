/*
 * The chunked transfer coding (RFC 9112, section 7.1), decoded as it arrives. Pure and strict: CRLF
 * line ends alone, at most 15 hexadecimal digits, extensions and trailers bounded and dropped.
 */
#pragma once

#include <stdint.h>

#include "lib/slice.h"

enum chunked_state {
	CHUNKED_SIZE,
	CHUNKED_EXTENSION,
	CHUNKED_SIZE_LF,
	CHUNKED_DATA,
	CHUNKED_DATA_CR,
	CHUNKED_DATA_LF,
	CHUNKED_TRAILER_BEGIN,
	CHUNKED_TRAILER,
	CHUNKED_TRAILER_LF,
	CHUNKED_END_LF,
	CHUNKED_DONE,
};

/* Zeroed at the beginning of a body. */
struct chunked {
	enum chunked_state state;
	uint8_t digits;
	uint16_t extra; /* bytes of extensions or trailers so far */
	uint64_t left;	/* of the current chunk */
};

/* Takes bytes off `in` up to the end of one run of data, of the body, or of `in`. Returns how many,
 * and the data in *ret_data (possibly none; points into `in`). -EBADMSG when malformed. The body is
 * complete when state is CHUNKED_DONE; no byte after it is taken. */
long chunked_decode(struct chunked *c, struct slice in, struct slice *ret_data);
