/*
 * The container that a verb is about: its state, found by id.
 */
#pragma once

#include "runtime/state.h"

struct cgroup;
struct global;

struct target {
	int root_fd, dir; /* owned */
	struct state state;
};

/* -ENOENT with "container does not exist". */
int target_open(const struct global *global, const char *id, struct target *ret, struct err *e);
void target_done(struct target *t);
#define _cleanup_target_ __attribute__((cleanup(target_done)))
#define TARGET_NONE	 ((struct target){.root_fd = -1, .dir = -1})

/* Opens the container's cgroup; the caller calls cgroup_done(). -ENOENT when it has none. */
int target_cgroup(const struct target *t, struct cgroup *ret, struct err *e);
