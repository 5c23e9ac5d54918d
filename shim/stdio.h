/*
 * The container's standard streams: FIFOs in the shim's state directory, of which stdout and stderr
 * go into a log, line by line with the time before each.
 *
 * The FIFOs are opened read-write on both sides: neither the end of the shim nor that of a process
 * inside is an end of file or EPIPE for the other.
 */
#pragma once

#include "lib/buf.h"
#include "lib/loop.h"

struct err;
struct logfile;

enum { STDIO_LINE_MAX = 16384 }; /* bytes; longer lines are logged in pieces */

struct stdio_stream {
	struct loop_io io; /* fd: what the shim reads */
	int inner_fd;	   /* owned, what the container gets */
	struct buf line;   /* of a line whose end has not come */
	struct logfile *log;
};

struct stdio {
	struct loop *loop;		/* borrowed */
	struct stdio_stream streams[3]; /* stdin is never read here */
};

/* Makes the FIFOs in dir_fd and begins to read. log is borrowed. */
int stdio_open(struct stdio *io, int dir_fd, struct loop *loop, struct logfile *log, struct err *e);
/* Logs what is in the FIFOs and the line that has no end yet: the container has ended. */
void stdio_drain(struct stdio *io);
void stdio_done(struct stdio *io);
/* The time of now as RFC 3339 with milliseconds, in UTC. */
void stdio_timestamp(char *text, size_t size);
