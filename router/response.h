/*
 * The head of a back-end's response: parsed, and written again for the client. Hop-by-hop fields
 * are dropped and the framing is said anew, so that what a back-end says about its own connection
 * never reaches the client's. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/slice.h"
#include "router/head.h"

struct buf;

enum { RESPONSE_HEAD_MAX = 65536 };

/* How the end of a body is known. */
enum framing {
	FRAMING_NONE,	 /* there is no body: HEAD, 204, 304 */
	FRAMING_LENGTH,	 /* Content-Length */
	FRAMING_CHUNKED, /* Transfer-Encoding: chunked */
	FRAMING_CLOSE,	 /* the connection ends */
};

struct response {
	int status; /* 100..599 */
	struct slice reason;
	enum framing framing; /* as the back-end says */
	bool has_length;
	uint64_t length;
	size_t n_fields;
	struct head_field fields[HEAD_FIELDS_MAX];
};

/* As http1_parse(). Returns the length of the head, 0 when more is needed, -EBADMSG when it is not
 * a response or too long. */
long response_parse(struct head_scan *scan, struct slice in, struct response *ret);

struct response_out {
	enum framing framing; /* towards the client */
	bool close;	      /* say Connection: close */
};

/* Appends the head for the client to `to`. */
void response_write(const struct response *r, const struct response_out *out, struct buf *to);
