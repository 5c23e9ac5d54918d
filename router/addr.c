#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "router/addr.h"

static int bad(struct err *e, struct slice text)
{
	return err_set(e, -EINVAL, "address '%.*s' is not IPV4:PORT, [IPV6]:PORT or :PORT",
		(int)(text.n > ADDR_TEXT_MAX ? ADDR_TEXT_MAX : text.n), text.p);
}

static int set_host(struct addr *a, const char *host, uint16_t port)
{
	*a = (struct addr){};
	if (inet_pton(AF_INET, host, &a->in.sin_addr) == 1) {
		a->in.sin_family = AF_INET;
		a->in.sin_port = htons(port);
		a->len = sizeof(a->in);
		return 0;
	}
	if (inet_pton(AF_INET6, host, &a->in6.sin6_addr) == 1) {
		a->in6.sin6_family = AF_INET6;
		a->in6.sin6_port = htons(port);
		a->len = sizeof(a->in6);
		return 0;
	}
	return -EINVAL;
}

int addr_parse(struct slice text, struct addr *ret, struct err *e)
{
	char copy[ADDR_TEXT_MAX], *host = copy, *colon;
	unsigned long port;

	if (text.n == 0 || text.n >= sizeof(copy) || memchr(text.p, '\0', text.n)) {
		return bad(e, text);
	}
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	colon = strrchr(copy, ':');
	if (!colon || cli_number(colon + 1, UINT16_MAX, &port, NULL) < 0) {
		return bad(e, text);
	}
	*colon = '\0';
	if (copy[0] == '\0') {
		return set_host(ret, "::", (uint16_t)port);
	}
	if (copy[0] == '[') {
		host++;
		if (colon[-1] != ']') {
			return bad(e, text);
		}
		colon[-1] = '\0';
	}
	/* brackets for IPv6 and for nothing else */
	if ((host != copy) != (strchr(host, ':') != NULL) ||
		set_host(ret, host, (uint16_t)port) < 0) {
		return bad(e, text);
	}
	return 0;
}

int addr_parse_net(const char *text, struct addr_net *ret, struct err *e)
{
	char copy[INET6_ADDRSTRLEN + 4], *slash;
	unsigned long bits, most;

	if (strlen(text) >= sizeof(copy)) {
		return err_set(e, -EINVAL, "network '%s' is not ADDRESS/BITS", text);
	}
	(void)strcpy(copy, text); /* it fits */
	slash = strchr(copy, '/');
	if (slash) {
		*slash = '\0';
	}
	if (set_host(&ret->base, copy, 0) < 0) {
		return err_set(e, -EINVAL, "network '%s' is not ADDRESS/BITS", text);
	}
	most = bits = ret->base.sa.sa_family == AF_INET ? 32 : 128;
	if (slash && cli_number(slash + 1, most, &bits, NULL) < 0) {
		return err_set(e, -EINVAL, "network '%s' is not ADDRESS/BITS", text);
	}
	ret->bits = (unsigned)bits;
	return 0;
}

uint16_t addr_port(const struct addr *a)
{
	return ntohs(a->sa.sa_family == AF_INET ? a->in.sin_port : a->in6.sin6_port);
}

/* The bytes of the host; IPv4 when it is mapped. */
static struct slice host_bytes(const struct addr *a)
{
	const char *p = (const char *)&a->in6.sin6_addr;

	if (a->sa.sa_family == AF_INET) {
		return (struct slice){.p = (const char *)&a->in.sin_addr, .n = 4};
	}
	if (IN6_IS_ADDR_V4MAPPED(&a->in6.sin6_addr)) {
		return (struct slice){.p = p + 12, .n = 4};
	}
	return (struct slice){.p = p, .n = 16};
}

void addr_host_text(const struct addr *a, char *text)
{
	struct slice host = host_bytes(a);

	if (!inet_ntop(host.n == 4 ? AF_INET : AF_INET6, host.p, text, ADDR_TEXT_MAX)) {
		text[0] = '\0'; /* cannot be: it has the room */
	}
}

void addr_text(const struct addr *a, char *text)
{
	char host[ADDR_TEXT_MAX];
	bool brackets;

	addr_host_text(a, host);
	brackets = strchr(host, ':') != NULL;
	(void)snprintf(text, ADDR_TEXT_MAX, "%s%.46s%s:%u", brackets ? "[" : "", host,
		brackets ? "]" : "", addr_port(a));
}

bool addr_same_host(const struct addr *a, const struct addr *b)
{
	return slice_eq(host_bytes(a), host_bytes(b));
}

bool addr_in_net(const struct addr *a, const struct addr_net *net)
{
	struct slice host = host_bytes(a), base = host_bytes(&net->base);
	size_t whole = net->bits / 8;
	unsigned rest = net->bits % 8;

	if (host.n != base.n || memcmp(host.p, base.p, whole) != 0) {
		return false;
	}
	return rest == 0 ||
	       ((unsigned char)host.p[whole] ^ (unsigned char)base.p[whole]) >> (8 - rest) == 0;
}
