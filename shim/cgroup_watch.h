/*
 * What the kernel says about a container's limits: kills for want of memory and refused forks, as
 * events of its cgroup (v1: an eventfd on memory.oom_control, v2: memory.events; both: pids.events).
 * Nothing here polls. On cgroup v1 Linux 6.18 sends no event for pids.events, so owners also read when
 * somebody asks.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "lib/loop.h"

struct err;

struct cgroup_watch {
	/* A counter grew; the owner compares. */
	void (*on_change)(struct cgroup_watch *watch);
	uint64_t oom_kills; /* of this container since it was started */
	uint64_t pids_hits;

	struct loop *loop; /* borrowed */
	struct loop_io inotify, eventfd;
	struct loop_timer recheck; /* once after an event of v1 */
	int memory_fd;		   /* owned directories; -1: no such controller */
	int pids_fd;
	bool unified; /* memory is on cgroup v2 */
};

/* Finds the cgroups of pid. What cannot be watched stays at 0: -ENOENT and the like say what. */
int cgroup_watch_start(struct cgroup_watch *watch, struct loop *loop, pid_t pid, struct err *e);
/* Reads the counters now; nothing happens when nothing is watched. */
void cgroup_watch_read(struct cgroup_watch *watch);
/* Keeps the counters. */
void cgroup_watch_stop(struct cgroup_watch *watch);
