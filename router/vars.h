/*
 * A request as the uwsgi variables that uWSGI's own http router sends, in its order, with the right
 * byte order of the port. Fields of the same name are merged with ", " (Cookie: "; ") at the place
 * of the first. "Proxy" is left out: it would become HTTP_PROXY, which programs obey.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct http1_request;

enum { VARS_ADDRESS_MAX = 46 };

struct vars_peer {
	char address[VARS_ADDRESS_MAX]; /* numeric */
	uint16_t port;			/* host byte order */
	uint16_t server_port;		/* of the listening socket */
};

/* Appends the whole packet. Returns 0, or -E2BIG when it passes the 64 KiB of a packet. */
int vars_write(const struct http1_request *req, const struct vars_peer *peer, struct buf *to);
