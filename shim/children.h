/*
 * Processes that the keeper waits for: its children and, as it is a subreaper, what the runtime left
 * behind (PID 1 of the container, exec sessions).
 *
 * A pid is known only after the runtime wrote it down, and the process may have ended by then. So
 * unknown processes are reaped only while nobody holds (children_hold): no status is lost and no pid
 * is used again before its owner had a look.
 */
#pragma once

#include <sys/types.h>

#include "lib/loop.h"

struct err;

struct child {
	pid_t pid; /* 0: not there */
	/* `status` as of waitpid(2). The child is out of the table by then. */
	void (*on_exit)(struct child *child, int status);
	struct child *next;
};

struct children {
	struct loop *loop; /* borrowed */
	struct loop_io io;
	struct loop_timer soon;
	struct child *first;
	unsigned held;
};

/* Also makes the caller a subreaper. */
int children_init(struct children *all, struct loop *loop, struct err *e);
void children_done(struct children *all);
/* child->pid and child->on_exit are set. Its exit is told from the loop, never from within. */
void children_add(struct children *all, struct child *child);
void children_forget(struct children *all, struct child *child);
void children_hold(struct children *all);
void children_unhold(struct children *all);
/* In a child before exec: no blocked signals. */
void children_reset_signals(void);
