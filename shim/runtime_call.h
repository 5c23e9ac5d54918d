/*
 * One call of the OCI runtime (fief, or runc: the command line is the same), with a deadline and a
 * one-line error. The call runs beside the loop.
 *
 * Standard error may belong to the container, so the reason of a failure is read from the file that
 * the runtime's --log names.
 */
#pragma once

#include <stdint.h>

#include "lib/loop.h"
#include "shim/children.h"

struct err;

struct runtime {
	const char *path;	   /* of the program, borrowed */
	const char *root;	   /* its --root, borrowed */
	const char *scratch;	   /* a directory of root's for logs, borrowed */
	struct loop *loop;	   /* borrowed */
	struct children *children; /* borrowed */
	unsigned serial;	   /* of calls, for names of files */
};

struct runtime_call {
	/* NULL: it went well. The call may be started anew or freed from within. */
	void (*on_done)(struct runtime_call *call, const struct err *failure);

	struct runtime *runtime;
	const char *verb; /* static */
	struct child child;
	struct loop_timer deadline;
	char *log; /* owned path */
	bool timed_out;
};

struct runtime_args {
	const char *const *args; /* NULL-terminated, the verb first (a static string) */
	int stdio[3];		 /* -1: /dev/null */
	int extra_fd;		 /* becomes descriptor 3, -1: none */
	uint64_t deadline;	 /* usec */
};

/* Returns 0 when the process was started; on_done follows from the loop. */
int runtime_call_start(struct runtime_call *call, struct runtime *runtime,
	const struct runtime_args *args, struct err *e);
/* Ends a call without a word; nothing to end is fine. */
void runtime_call_done(struct runtime_call *call);
