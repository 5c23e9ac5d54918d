/*
 * The worker processes, as the parent sees them: forked, told every change of the table, started
 * again when they die, with growing pauses when they die young. A new worker is told the whole
 * table first. What a slow worker has not read yet waits in a bounded queue; one that falls behind
 * the bound is killed and starts afresh.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/buf.h"
#include "lib/loop.h"
#include "lib/slice.h"

struct err;
struct registrar;
struct workers;

struct worker_slot {
	struct workers *all;
	unsigned index;
	pid_t pid;	   /* 0: not running */
	struct loop_io io; /* the parent's end of the pair; fd -1: none */
	struct buf queue;  /* packets with a 16-bit length before each */
	size_t queue_sent; /* bytes of it that are sent */
	struct loop_timer respawn;
	uint64_t born;	/* usec */
	uint64_t pause; /* usec until the next start */
	unsigned restarts;
};

struct workers {
	/* set by the owner */
	struct loop *loop;
	const struct registrar *registrar; /* whose table a new worker is told */
	/* Runs in the child, which has only its standard descriptors, those of the owner and
	 * updates_fd; returns the exit status. */
	int (*run)(struct workers *w, unsigned index, int updates_fd);
	/* All workers are gone after workers_stop(). */
	void (*on_stopped)(struct workers *w);

	/* kept here */
	struct worker_slot *slots; /* owned */
	size_t n;
	bool stopping;
};

/* Starts n workers. */
int workers_start(struct workers *w, size_t n, struct err *e);
/* One packet of update.h for all. */
void workers_tell(struct workers *w, struct slice packet);
/* After SIGCHLD. */
void workers_reap(struct workers *w);
/* Asks all to finish. on_stopped may be called before this returns. */
void workers_stop(struct workers *w);
/* The grace is over. */
void workers_kill(struct workers *w);
void workers_done(struct workers *w);
