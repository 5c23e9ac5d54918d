/*
 * The last steps of a container's process: who it is, what it may do, and its program. Used by the
 * init of a container and by exec. Runs in the child, inside the root file system.
 */
#pragma once

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct seccomp_program;
struct spec_process;

struct program {
	char path[PATH_MAX]; /* of the file to execute */
	char *const *argv, *const *envp;
};

/* Before anything else is opened: -EBADF when one of the n descriptors after stderr is not open. */
int process_check_preserved(unsigned n, struct err *e);

/* A session keyring of its own: with the caller's, the caller's keys would be within reach. */
int process_new_keyring(struct err *e);

/* Sets user, groups, capabilities, working directory, no_new_privs, and the filter when it must come
 * before the privileges go; then finds the program. *ret_missing: capabilities that could not be had. */
int process_become(const struct spec_process *p, const struct seccomp_program *seccomp,
	struct program *ret, uint64_t *ret_missing, struct err *e);
/* Executes the program; descriptors from 3 + preserve_fds on do not go with it. Returns only on
 * failure. Text as callers match it: `exec: "x": ...`. */
int process_exec(const struct program *program, const struct spec_process *p,
	const struct seccomp_program *seccomp, unsigned preserve_fds, struct err *e);

/* Parent side, while the child is root still: raises the hard limits that the child could not raise
 * itself; process_exec() sets the limits proper, which needs no privilege then. So a low limit does
 * not hinder the set-up, and the child's user does not matter. -EPERM names both limits. */
int process_raise_rlimits(pid_t pid, const struct spec_process *p, struct err *e);
/* Parent side: oom_score_adj. */
int process_set_oom_score(pid_t pid, const struct spec_process *p, struct err *e);
