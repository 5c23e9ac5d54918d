/*
 * Everything that the first process of a container is given by the runtime. Filled by the parent
 * (create.c), read by the child (init.c) after the clone: it shares the parent's memory image, so
 * nothing is serialised and nothing is parsed inside the container.
 */
#pragma once

#include "runtime/cgroup.h"
#include "runtime/mount_plan.h"
#include "runtime/namespaces.h"
#include "runtime/seccomp.h"

struct spec;
struct state;

struct launch {
	const struct spec *spec; /* borrowed */
	struct mount_plan plan;
	struct namespaces namespaces;
	struct cgroup cgroup;
	struct cgroup_trees trees;
	struct seccomp_program seccomp;
	bool use_cgroup, new_keyring;
	int sync;	    /* the child's end, see sync.h */
	int start_listener; /* create: where `start` knocks; -1: run, start on SYNC_GO */
	int console;	    /* connected socket to send the terminal to, -1 */
	unsigned preserve_fds;
	const struct state *state; /* borrowed; for hooks in the container's namespaces */
};

/* The child's main: sets up the container and becomes its program. Never returns. */
[[gnu::noreturn]] void init_run(struct launch *launch);
