/*
 * Internet socket addresses as text: "127.0.0.1:80", "[::1]:80", ":80" (every address). Numeric
 * alone: nothing here asks a name server. IPv4 addresses mapped into IPv6 count as IPv4.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/slice.h"

struct err;

enum { ADDR_TEXT_MAX = 56 }; /* "[...]:65535" with the NUL */

struct addr {
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t len;
};

/* An address range, for the networks of a key. */
struct addr_net {
	struct addr base;
	unsigned bits;
};

/* ":PORT" becomes [::]:PORT. -EINVAL otherwise than in the forms above. */
int addr_parse(struct slice text, struct addr *ret, struct err *e);
/* "10.0.0.0/8", "fd00::/8", or one address. */
int addr_parse_net(const char *text, struct addr_net *ret, struct err *e);

uint16_t addr_port(const struct addr *a); /* host byte order */
/* The host alone, without brackets, into text[ADDR_TEXT_MAX]. */
void addr_host_text(const struct addr *a, char *text);
/* Host and port, into text[ADDR_TEXT_MAX]. */
void addr_text(const struct addr *a, char *text);
bool addr_same_host(const struct addr *a, const struct addr *b);
bool addr_in_net(const struct addr *a, const struct addr_net *net);
