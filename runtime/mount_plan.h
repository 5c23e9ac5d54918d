/*
 * The mounts of a container as a plan: computed from the spec without touching anything, then given
 * the descriptors that only the parent can open, then executed by the child (rootfs.h).
 *
 *   mount_plan_compute()   spec -> steps; pure, so it can be explained and tested
 *   mount_plan_acquire()   parent, host mount namespace: every bind source becomes a detached tree
 *                          (open_tree(2)) with its attributes set. No path of the host is looked up
 *                          after this, least of all by the child.
 */
#pragma once

#include <stddef.h>

#include "runtime/mount_options.h"

struct cgroup;
struct err;
struct spec;

enum mount_kind {
	MOUNT_TREE,   /* a detached tree from the host */
	MOUNT_FS,     /* a new file system instance, made by the child in its namespaces */
	MOUNT_CGROUP, /* the container's part of the cgroup hierarchies */
	MOUNT_ATTRS,  /* "remount" of what is there */
};

struct mount_step {
	enum mount_kind kind;
	const struct spec_mount *mount; /* borrowed from the spec */
	struct mount_options options;
	int tree;     /* owned; MOUNT_TREE after acquire, else -1 */
	bool on_file; /* MOUNT_TREE: the source is no directory */
};

struct mount_plan {
	struct mount_step *steps; /* owned, in the order of the spec */
	size_t n;
	int root;	   /* owned detached tree of the root file system, after acquire */
	int *device_trees; /* owned; host nodes to bind where mknod(2) is not allowed, or NULL */
	size_t device_trees_n;
	int null_tree; /* owned; /dev/null of the host, to mask files with; -1 when not needed */
};

int mount_plan_compute(const struct spec *spec, struct mount_plan *ret, struct err *e);
int mount_plan_acquire(
	struct mount_plan *plan, const struct spec *spec, int bundle_fd, struct err *e);
void mount_plan_done(struct mount_plan *plan);

/* The default devices of the specification followed by those of the spec; i-th or NULL. */
const struct spec_device *mount_plan_device(const struct spec *spec, size_t i);
