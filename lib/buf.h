/*
 * Bounded byte buffers. The only place in fief where memory grows.
 *
 * A struct buf grows up to its limit and never beyond it: a put that does not fit leaves the buffer
 * as it was and makes it `failed`, and all later puts are ignored, so a writer checks once at the
 * end (buf_failed()). A zeroed struct buf is empty with the default limit.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/slice.h"

enum { BUF_LIMIT_DEFAULT = 16 << 20 }; /* bytes */

struct buf {
	char *p;      /* owned */
	size_t n;     /* bytes in use */
	size_t cap;   /* bytes that fit before it grows; one more is allocated, for a NUL */
	size_t limit; /* 0: BUF_LIMIT_DEFAULT */
	bool failed;
};

void buf_done(struct buf *b);
/* Forgets the content and the failure, keeps the memory. */
void buf_clear(struct buf *b);

/* Room for n more bytes at the end; NULL when that passes the limit or memory is short. The bytes
 * count only after buf_added(). */
char *buf_room(struct buf *b, size_t n);
void buf_added(struct buf *b, size_t n);

void buf_put(struct buf *b, struct slice s);
void buf_put_u8(struct buf *b, uint8_t v);
void buf_put_u16le(struct buf *b, uint16_t v);
void buf_put_str(struct buf *b, const char *s);
[[gnu::format(printf, 2, 3)]] void buf_putf(struct buf *b, const char *fmt, ...);
/* Overwrites two bytes at `at`, which must lie inside. */
void buf_set_u16le(struct buf *b, size_t at, uint16_t v);
/* Drops the first n bytes. */
void buf_drop(struct buf *b, size_t n);

/* The content, valid until the next put. */
static inline struct slice buf_slice(const struct buf *b)
{
	return (struct slice){.p = b->p, .n = b->n};
}

/* True when a put failed: the content is incomplete. */
static inline bool buf_failed(const struct buf *b)
{
	return b->failed;
}

/* The content as a NUL-terminated string; NULL if the buffer failed. Borrowed. */
const char *buf_str(struct buf *b);

/* Reads from a slice; each take fails (false) without moving when too few bytes are left. */
bool take_u8(struct slice *s, uint8_t *ret);
bool take_u16le(struct slice *s, uint16_t *ret);
bool take_bytes(struct slice *s, size_t n, struct slice *ret);

#define _cleanup_buf_ __attribute__((cleanup(buf_done)))
