/*
 * Inside of the keeper: for keeper.c (what happens) and keeper_open.c (what it consists of and what
 * others may ask of it), and for nobody else.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/loop.h"
#include "shim/bundle.h"
#include "shim/cgroup_watch.h"
#include "shim/children.h"
#include "shim/control.h"
#include "shim/keeper.h"
#include "shim/logfile.h"
#include "shim/place.h"
#include "shim/runtime_call.h"
#include "shim/session.h"
#include "shim/stdio.h"

enum keeper_state {
	CREATING,
	STARTING,
	ENDED_EARLY, /* PID 1 has ended while the runtime is still starting it */
	RUNNING,
	STOPPING,
	CLEANING,
	WAITING, /* for a first or another start */
	OVER,
	STATE_MAX
};

enum keeper_event { CALL_DONE, CALL_FAILED, EXITED, STOP, TIMER, AGAIN, END, EVENT_MAX };

struct keeper {
	const struct keeper_options *options;
	struct bundle bundle;
	struct place place;
	char id[16];
	struct loop *loop;
	struct children children;
	struct runtime runtime;
	struct runtime_call call;
	struct child init; /* PID 1 of the container */
	struct stdio stdio;
	struct logfile log;
	struct control control;
	struct cgroup_watch cgroup;
	struct session_host sessions;
	struct loop_timer timer;
	struct loop_io signals;
	int netns_fd, status_fd;

	enum keeper_state state;
	bool stop_wanted, ran, ready_told, has_exit, oom_in_run;
	uint32_t stop_seconds;
	int exit_status;
	struct err failure; /* of the last attempt to start */
	char started[40];
	uint64_t started_at, backoff, stop_deadline; /* usec */
	unsigned restarts;
	uint64_t oom_kills, pids_hits; /* of earlier runs */
	uint64_t oom_told, pids_told;  /* of this run */
};

/* Moves on by the table and acts. */
void keeper_post(struct keeper *k, enum keeper_event event);
