/*
 * Pseudo terminals: made in the container's own devpts, the master handed to whoever asked for it.
 * The slave is opened from the master (TIOCGPTPEER, Linux 4.13), never by a path that the container
 * could have replaced (CVE-2025-52565).
 */
#pragma once

#include <stdint.h>

struct err;

/* Connects to the caller's --console-socket. Owned. */
int console_connect(const char *path, struct err *e);

struct console {
	int master, slave; /* owned */
};

/* Opens a new pair at /dev/pts/ptmx beneath root. */
int console_open(int root, struct console *ret, struct err *e);
void console_done(struct console *c);
void console_set_size(int fd, uint32_t rows, uint32_t columns);
/* Mounts the slave on /dev/console beneath root. */
int console_bind(int root, const struct console *c, struct err *e);
/* Sends the master over a connected unix socket, as console sockets expect it: one byte or more of
 * name and one descriptor. */
int console_send(int socket, int master, struct err *e);
/* Receives it; owned. */
int console_receive(int socket, struct err *e);
/* Makes the slave the controlling terminal and stdio of this process, which leads its session. */
int console_attach(const struct console *c, struct err *e);
