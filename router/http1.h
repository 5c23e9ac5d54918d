/*
 * The request parser: HTTP/1.0 and HTTP/1.1 request heads (RFC 9112), refusing whatever two parsers
 * could read in two ways. Pure: no I/O, no clock, no allocation; the slices of a request point into
 * the bytes that were parsed. Bytes are never passed on as they came: a back-end gets variables
 * made of these slices.
 *
 * Refused: bare CR or LF, folded lines, white space before a colon, NUL and other control
 * characters, names with '_' (they collide with '-' in CGI names), more than one Host, an empty or
 * malformed one, none in HTTP/1.1, more than one Content-Length, one that is not digits alone,
 * Transfer-Encoding beside Content-Length or in HTTP/1.0 or twice, an absolute target whose host is
 * not that of Host, a percent escape in the path that is malformed or stands for NUL.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/slice.h"
#include "router/head.h"

enum {
	HTTP1_HEAD_MAX = 32768,	  /* bytes of a head; more is 431 */
	HTTP1_TARGET_MAX = 16384, /* bytes of a target; more is 414 */
	HTTP1_METHOD_MAX = 32,
	HTTP1_HOST_MAX = 255,
};

struct http1_request {
	struct slice method;
	struct slice uri;   /* origin form, with the query */
	struct slice path;  /* uri up to the '?'; percent escapes as sent */
	struct slice query; /* after the '?' */
	bool has_query;
	struct slice host; /* value of Host; empty only in HTTP/1.0 */
	uint8_t minor;	   /* HTTP/1.minor: 0 or 1 */
	bool keep_alive;
	bool expect_continue;
	bool has_length;
	uint64_t length; /* Content-Length */
	bool chunked;	 /* Transfer-Encoding: chunked */
	size_t n_fields;
	struct head_field fields[HEAD_FIELDS_MAX];
};

/* Parses the head at the beginning of `in`; `scan` is zeroed for the first bytes of a head and kept
 * while more come. Returns the length of the head (> 0), 0 when more bytes are needed, or minus the
 * HTTP status to answer: -400, -414, -417, -431, -501, -505. */
long http1_parse(struct head_scan *scan, struct slice in, struct http1_request *ret);

/* Decodes percent escapes into to[s.n]; returns the length. The path was checked by http1_parse(). */
size_t http1_unescape(struct slice s, char *to);
