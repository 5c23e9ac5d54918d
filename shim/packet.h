/*
 * Packets of the control socket (spec/shim-protocol.md): one JSON object, and descriptors beside it.
 */
#pragma once

#include <stddef.h>

#include "lib/buf.h"

struct err;
struct json_out;

enum { PACKET_MAX = 65536, PACKET_FDS_MAX = 3 };

struct packet {
	struct buf text;
	int fds[PACKET_FDS_MAX]; /* owned, -1 beyond fds_n */
	size_t fds_n;
};

/* -EAGAIN: the peer does not read. */
int packet_send(int sock, struct slice text, const int *fds, size_t fds_n, struct err *e);
/* Returns 1, 0 at the end of the connection, -EAGAIN when nothing is there, -EMSGSIZE. */
int packet_recv(int sock, struct packet *ret, struct err *e);
/* {"status":N} or {"signal":N} of a wait status, as a member or as members of the open object. */
void packet_put_exit(struct json_out *o, const char *key, int status);
void packet_put_exit_members(struct json_out *o, int status);
void packet_done(struct packet *packet);

#define _cleanup_packet_ __attribute__((cleanup(packet_done)))
