/*
 * The control socket: whoever connects gets one JSON document and the end of the stream. Its members
 * are those of the statistics of uWSGI's http router where both have them.
 */
#pragma once

#include <sys/types.h>

#include "lib/buf.h"
#include "lib/loop.h"
#include "router/listen.h"

struct err;
struct registrar;
struct workers;

struct control {
	struct loop_io io; /* owns its fd; -1: none */
	struct loop *loop;
	const struct registrar *registrar;
	const struct workers *workers;
	struct socket_file file;
	unsigned clients;
};

/* Opens the socket, mode 0600. */
int control_open(struct control *c, const char *path, struct err *e);
/* The loop, the registrar and the workers are set. */
int control_start(struct control *c, struct err *e);
void control_done(struct control *c);
/* In a process that does not own it. */
void control_close(struct control *c);

/* Appends the document. */
void control_write(const struct control *c, struct buf *to);
