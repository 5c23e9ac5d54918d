/*
 * The uwsgi packet: a 4-byte header (modifier1, 16-bit little-endian size, modifier2) and a block of
 * size bytes, here always a dictionary of key and value, each with a 16-bit little-endian length
 * (uWSGI documentation, "The uwsgi protocol"). Pure: no I/O, no allocation besides the buf.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/slice.h"

struct buf;
struct err;

enum { UWSGI_HEADER_SIZE = 4, UWSGI_BLOCK_MAX = 65535 };

enum uwsgi_modifier1 { UWSGI_MOD_WSGI = 0, UWSGI_MOD_RAW = 123, UWSGI_MOD_SUBSCRIPTION = 224 };

struct uwsgi_header {
	uint8_t modifier1;
	uint16_t size; /* bytes of the block */
	uint8_t modifier2;
};

/* Begins a packet at the end of `to`; returns the position to give to uwsgi_end(). */
size_t uwsgi_begin(struct buf *to, uint8_t modifier1);
/* Adds one variable. An empty key, and a key or value over 65535 bytes, makes `to` failed. */
void uwsgi_put(struct buf *to, struct slice key, struct slice value);
/* Fills in the size. A block over 65535 bytes makes `to` failed. */
void uwsgi_end(struct buf *to, size_t begun, uint8_t modifier2);

/* Reads a header. Returns UWSGI_HEADER_SIZE, or 0 when fewer bytes are there. */
size_t uwsgi_header_read(struct slice in, struct uwsgi_header *ret);

/* Takes the next variable off the block. Returns 1, 0 at the end, -EBADMSG when the block is
 * malformed: a length that passes the end, a key without value, or an empty key. */
int uwsgi_next(struct slice *block, struct slice *ret_key, struct slice *ret_value);
