/*
 * One clone3(2) for all: a child in new namespaces, in a cgroup, with a pidfd.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct err;

struct clone_request {
	uint64_t flags; /* CLONE_NEW* */
	int user_fd;	/* user namespace to join before the others are made, or -1 */
	int pid_fd;	/* pid namespace for the child, or -1 */
	int cgroup_fd;	/* cgroup v2 directory for the child, or -1 */
};

struct child {
	pid_t pid;
	int pidfd; /* owned */
};

enum { CLONE_IN_CHILD = 1 };

/* Returns 0 in the parent, CLONE_IN_CHILD in the child, -errno on failure in the parent. The child is
 * a child of this process in every case. */
int clone_child(const struct clone_request *request, struct child *ret, struct err *e);
