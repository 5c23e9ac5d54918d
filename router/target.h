/*
 * Where a node may be, and the way there. Who announces decides what may be announced: a customer
 * (uid U by SO_PASSCRED) sockets beneath /containers/<U> alone, host root anything (a
 * path in a home counts as its owner's), a sender by UDP its own address. A socket in a customer's home is opened beneath the home without following any
 * link, must be a socket that U owns, and is connected to through its descriptor, so nothing that
 * the customer does to the path in between matters.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/slice.h"
#include "router/addr.h"

struct err;

enum target_kind {
	TARGET_HOME, /* unix socket beneath /containers/<uid> */
	TARGET_HOST, /* unix socket anywhere, announced by host root */
	TARGET_INET,
};

struct target {
	enum target_kind kind;
	uid_t uid;	  /* TARGET_HOME: whose home */
	const char *path; /* TARGET_HOME, TARGET_HOST: as announced; borrowed */
	struct addr addr; /* TARGET_INET */
};

struct sender {
	bool local; /* by the unix socket: uid counts; otherwise addr */
	uid_t uid;
	pid_t pid;
	struct addr addr;
};

/* Fills *ret when `sender` may announce `address` (NUL-terminated, kept by the caller as long as
 * *ret). -EPERM otherwise, with the reason. */
int target_of(const struct sender *sender, const char *address, struct target *ret, struct err *e);

/* Connects without blocking; `containers` is a descriptor of the directory of all homes. Returns an
 * owned socket; *ret_pending: the connection is on its way (TCP). -EAGAIN: the queue of the socket
 * is full, there is somebody. Other errors: there is nobody. */
int target_connect(const struct target *t, int containers, bool *ret_pending);
