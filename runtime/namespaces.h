/*
 * The namespaces of a new container: which to make, which to join.
 *
 *   user    new: with the clone; by path: joined by an intermediate process, which then makes the
 *           others, so that they belong to that user namespace
 *   pid     by path: joined by the parent for its children
 *   cgroup  new: after the cgroup was joined, so that its root is the container's
 *   others  new: with the clone; by path: joined by the child
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

struct err;
struct spec;

enum { NAMESPACES_MAX = 8 };

struct namespaces {
	uint64_t clone_flags; /* for clone3(2) */
	int user_fd;	      /* owned; user namespace to join, -1 */
	int pid_fd;	      /* owned; pid namespace to join, -1 */
	struct {
		int fd; /* owned */
		int flag;
	} join[NAMESPACES_MAX];
	size_t join_n;
	int new_cgroup; /* true: unshare after joining the cgroup */
	int new_network;
};

/* Opens those given by path and checks that each is of the kind it is listed as. */
int namespaces_open(const struct spec *spec, struct namespaces *ret, struct err *e);
void namespaces_done(struct namespaces *ns);
/* Child: joins what is to be joined, but for user and pid. */
int namespaces_join(const struct namespaces *ns, struct err *e);

/* Parent: writes the mappings of a new user namespace; each file takes one write(2). */
int namespaces_write_maps(pid_t pid, const struct spec *spec, struct err *e);

/* Child: brings "lo" up in a new network namespace. */
int namespaces_loopback_up(struct err *e);
