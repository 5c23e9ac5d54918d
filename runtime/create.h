/*
 * Making a container: the parent's side, before and around the clone.
 *
 * Transactional: the state directory with the cgroup's path is written before the cgroup is made, the
 * cgroup before the process. A failure at any step undoes the steps before it in reverse; after a
 * crash `delete --force` does.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "runtime/cgroup.h"

struct err;
struct spec;

struct create_options {
	const char *root; /* state root directory */
	const char *id;
	const char *bundle;	    /* NULL: current directory */
	const char *config;	    /* NULL: config.json of the bundle */
	const char *console_socket; /* NULL: none */
	const char *pid_file;	    /* NULL: none */
	unsigned preserve_fds;
	bool run;	   /* start at once: no waiting for `start` */
	bool own_terminal; /* run in the foreground: the terminal comes to us */
	bool no_cgroup, no_new_keyring, systemd_cgroup;
};

struct created {
	pid_t pid;
	int pidfd;	      /* owned */
	int sync;	      /* owned; run: end of stream is the success of exec */
	int master;	      /* owned; own_terminal: the master of the pty, else -1 */
	struct spec *spec;    /* owned */
	struct cgroup cgroup; /* owned; no hierarchy when it has none */
};

int container_create(const struct create_options *o, struct created *ret, struct err *e);
void created_done(struct created *c);
/* run: waits for exec to succeed; then poststart hooks. Kills the container on failure. */
int container_await_exec(const struct create_options *o, struct created *c, struct err *e);

/* run: the end of a container whose process has ended and was waited for. As container_destroy(), with
 * what the creation knows. */
int container_end(const struct create_options *o, struct created *c, struct err *e);

/* Shared with delete: kills what is left, removes cgroup and state. Missing things are fine. */
int container_destroy(int root_fd, const char *id, bool run_hooks, struct err *e);
