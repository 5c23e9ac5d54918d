/*
 * Reads datagrams off the subscription sockets, says who sent them, hands them to the registrar.
 */
#pragma once

#include <stdbool.h>

#include "lib/loop.h"
#include "router/listen.h"
#include "router/subscription.h"

struct err;
struct registrar;

struct intake {
	struct loop_io io;	     /* owns its fd */
	struct loop *loop;	     /* borrowed */
	struct registrar *registrar; /* borrowed */
	bool local;
	struct socket_file file;
	char data[SUBSCRIPTION_SIZE_MAX + 1];
};

/* `where` is "unix:PATH" or "udp:ADDR". Opens the socket; nothing is read before intake_start().
 * Returns 0 and an owned object. */
int intake_new(const char *where, struct intake **ret, struct err *e);
int intake_start(struct intake *in, struct loop *loop, struct registrar *registrar, struct err *e);
/* Closes; removes the socket file too. NULL is allowed. */
struct intake *intake_free(struct intake *in);
/* In a process that does not own it: closes alone. */
void intake_close(struct intake *in);
