/*
 * A worker process: one loop, its own copy of the table, the listening sockets that all workers
 * share, and its connections. It runs unprivileged and learns the table from the parent alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "lib/loop.h"
#include "router/conn.h"
#include "router/limit.h"
#include "router/table.h"

struct config;
struct worker;

struct worker_listener {
	struct loop_io io;
	struct worker *worker;
	uint16_t port;
};

struct worker {
	const struct config *config; /* borrowed */
	struct loop *loop;	     /* owned */
	int containers;		     /* borrowed descriptor of the directory of homes; -1: none */
	struct table table;
	struct conn_list conns;	  /* of struct conn.link: all */
	struct conn_list waiting; /* of struct conn.wait_link: in IDLE or HEAD, longest first */
	struct exchange_list exchanges; /* of struct exchange.link: unused ones */
	size_t n_conns, n_exchanges;
	bool draining;
	uint64_t ids; /* for request ids */
	struct limit log;
	struct loop_io updates, signals;
	struct loop_timer grace, pause;
	struct worker_listener *listeners; /* owned */
	size_t n_listeners;
};

struct worker_sockets {
	const int *http; /* listening sockets */
	const uint16_t *ports;
	size_t n;
	int containers;
	int updates;
};

/* Runs until it is told to stop and nothing is in flight, or the grace is over. Returns the exit
 * status of the process. */
int worker_run(const struct config *config, const struct worker_sockets *sockets);

/* A connection ended: a worker that drains may be done. */
void worker_conn_gone(struct worker *w);
