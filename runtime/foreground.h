/*
 * Being the parent of a container's process in the foreground: signals go to it, its terminal is
 * ours, its end is ours.
 */
#pragma once

#include <sys/types.h>

struct err;

/* Blocks the signals that foreground_wait() forwards; before the clone, so that none is lost.
 * process_exec() undoes it in the child. */
int foreground_block(struct err *e);

/* Waits for the process. `master` is the master of its terminal or -1. Returns its exit status, 128 + n
 * when signal n ended it. */
int foreground_wait(int pidfd, int master, struct err *e);
