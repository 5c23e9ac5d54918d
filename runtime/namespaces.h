/*
 * The namespaces of a new container: which to make, which to join.
 *
 *   user    new: with the clone; by path: joined by an intermediate process, which then makes the
 *           others, so that they belong to that user namespace
 *   pid     by path: joined by the parent for its children
 *   cgroup  new: after the cgroup was joined, so that its root is the container's
 *   mount   by path: joined by the child
 *   others  new: with the clone; by path: joined by the parent around the clone, since a namespace
 *           that belongs to the host's user namespace cannot be joined from the container's
 */
#pragma once

#include <stdbool.h>
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
		int fd;	 /* owned */
		int own; /* owned; ours of that kind, to go back to; -1 */
		int flag;
	} join[NAMESPACES_MAX];
	size_t join_n;
	int mount_fd;	/* owned; mount namespace to join, -1 */
	int new_cgroup; /* true: unshare after joining the cgroup */
	int late;	/* CLONE_NEW* that the child unshares as root of the new user namespace */
	int new_network;
};

/* Opens those given by path and checks that each is of the kind it is listed as. */
int namespaces_open(const struct spec *spec, struct namespaces *ret, struct err *e);
void namespaces_done(struct namespaces *ns);
/* Whether namespaces_visit() joins one of the kind (CLONE_NEW*). */
bool namespaces_visits(const struct namespaces *ns, int flag);
/* Parent, before the clone: joins what the child is to inherit. */
int namespaces_visit(const struct namespaces *ns, struct err *e);
/* Parent, after the clone: back to its own, in which hooks run. */
int namespaces_return(const struct namespaces *ns, struct err *e);
/* Child: joins the mount namespace given by path. */
int namespaces_join_mount(const struct namespaces *ns, struct err *e);

/* Parent: writes the mappings of a new user namespace; each file takes one write(2). */
int namespaces_write_maps(pid_t pid, const struct spec *spec, struct err *e);

/* Child: brings "lo" up in a new network namespace. */
int namespaces_loopback_up(struct err *e);
