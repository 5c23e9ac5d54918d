/*
 * The root file system of the container: executes a mount plan in the child.
 *
 * Everything is reached from one descriptor, the root of the new tree; targets are resolved as if
 * that were "/" (openat2 RESOLVE_IN_ROOT), created component by component on descriptors, and mounts
 * are attached by descriptor. No path of the host is looked up, and nothing below /proc of the new
 * tree is ever written through.
 */
#pragma once

#include <stdbool.h>

struct cgroup_trees;
struct err;
struct mount_plan;
struct mount_step;
struct spec;

struct rootfs {
	int root;     /* owned; directory of the new root */
	int old_root; /* owned; the host's root, to leave behind */
};

/* Attaches the root tree and executes all steps, makes the devices and links. The mount namespace
 * must be the container's own. */
int rootfs_build(const struct spec *spec, struct mount_plan *plan,
	const struct cgroup_trees *cgroups, struct rootfs *ret, struct err *e);
/* Masked and read-only paths, after devices and hooks. */
int rootfs_restrict(const struct spec *spec, const struct mount_plan *plan,
	const struct rootfs *rootfs, struct err *e);
/* Makes the tree "/" of this process and drops the host's mounts; makes it read-only if asked. */
int rootfs_enter(const struct spec *spec, struct rootfs *rootfs, struct err *e);

/* Mounts the container's cgroups on an open target: v2 its own directory, v1 a tmpfs with one per
 * hierarchy. Nothing when there are none. */
int rootfs_mount_cgroups(
	int target, const struct mount_step *step, const struct cgroup_trees *trees, struct err *e);

/* Opens the target of a mount inside root (O_PATH, owned), made as directory or empty file when it
 * is missing. */
int rootfs_target(int root, const char *path, bool file, struct err *e);
/* Attaches a detached tree or mount on an open target. */
int rootfs_attach(int tree, int target);
