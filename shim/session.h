/*
 * A command run inside the container as U by the runtime's exec: without capabilities, under the
 * container's seccomp policy, with three descriptors of the client or on a pty of the container.
 */
#pragma once

#include <stdint.h>

#include "shim/runtime_call.h"

struct bundle;
struct err;
struct place;

/* What all sessions of a container share. Borrowed by sessions. */
struct session_host {
	struct runtime *runtime;
	const struct bundle *bundle;
	const struct place *place;
	const char *id; /* of the container for the runtime */
	unsigned serial;
};

struct session_request {
	const char **args; /* NULL-terminated, not empty */
	const char **env;  /* NULL-terminated or NULL */
	const char *cwd;   /* NULL: the home */
	bool tty;
	uint32_t rows, columns;
	int stdio[3]; /* borrowed until session_start() returns; ignored with tty */
};

struct session {
	/* failure NULL: it runs. master_fd: of the pty, -1 without one; borrowed. After a failure
	 * nothing follows, and the session may be freed from within. */
	void (*on_started)(struct session *session, int master_fd, const struct err *failure);
	/* `status` as of waitpid(2). The session may be freed from within. */
	void (*on_exit)(struct session *session, int status);

	struct session_host *host;
	struct runtime_call call;
	struct child child;
	unsigned serial;
	int console_fd; /* owned listener for the pty, -1: none */
	uint32_t rows, columns;
	bool hung_up;
};

int session_start(struct session *session, struct session_host *host,
	const struct session_request *request, struct err *e);
/* The client has gone: SIGHUP, now or as soon as it runs. on_exit still follows. */
void session_hang_up(struct session *session);
/* Forgets a session without waiting for its end. */
void session_done(struct session *session);
