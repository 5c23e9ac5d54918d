/*
 * One more process in a running container.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

struct err;
struct spec_process;

struct exec_options {
	const char *root, *id;
	const struct spec_process *process; /* borrowed */
	const char *console_socket;	    /* NULL: none */
	bool own_terminal;		    /* the terminal comes to us */
	unsigned preserve_fds;
	bool ignore_paused;
};

struct executed {
	pid_t pid;
	int pidfd;  /* owned */
	int master; /* owned; own_terminal, else -1 */
};

/* Returns when the program was executed, or with its error. */
int container_exec(const struct exec_options *o, struct executed *ret, struct err *e);
void executed_done(struct executed *x);
