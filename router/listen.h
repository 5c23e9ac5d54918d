/*
 * Sockets to listen on. A unix socket is bound to a name beside its own and renamed over it: a
 * restart leaves no moment without a socket, and a stale file is no obstacle.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "router/addr.h"

struct err;

/* The file of a unix socket that was made here. */
struct socket_file {
	char *path; /* owned; NULL: none */
	dev_t dev;
	ino_t ino;
};

/* A TCP socket that listens, or a UDP socket. ":PORT" means all addresses, IPv4 alone where there
 * is no IPv6. *ret_bound has the real port. Return an owned descriptor. */
int listen_tcp(const char *text, struct addr *ret_bound, struct err *e);
int listen_udp(const char *text, struct addr *ret_bound, struct err *e);

/* type is SOCK_STREAM (listens) or SOCK_DGRAM (with SO_PASSCRED). Makes missing directories of an
 * absolute path. Returns an owned descriptor. */
int listen_unix(const char *path, int type, mode_t mode, struct socket_file *ret, struct err *e);

/* Removes the file, unless another one took its place. */
void socket_file_remove(struct socket_file *f);
