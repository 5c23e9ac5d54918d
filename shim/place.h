/*
 * The directories of one container's shim, and the lock that makes it the only one.
 */
#pragma once

#include <stdint.h>
#include <sys/un.h>

struct err;

struct place {
	char *state;  /* owned path: /var/lib/fief/shim/<uid> */
	int state_fd; /* owned */
	int run_fd;   /* owned, of the directory of control sockets */
	int lock_fd;  /* owned */
	uint32_t uid;
};

/* Makes the directories and takes the lock. -EBUSY: another shim keeps this container. */
int place_open(struct place *place, const char *prefix, uint32_t uid, struct err *e);
void place_done(struct place *place);

/* The address of a socket in a directory. It goes through /proc/self/fd, as an address holds 107
 * bytes only and --prefix may be long. */
int place_address(int dir_fd, const char *name, struct sockaddr_un *ret, struct err *e);
/* A listening SOCK_SEQPACKET or SOCK_STREAM socket, mode 0600; replaces what was left there. */
int place_listen(int dir_fd, const char *name, int type, struct err *e);
