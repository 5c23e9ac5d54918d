/*
 * The keeper of one container: prepares its bundle, has the runtime create and start it, and stays
 * with it until it is over.
 *
 *              CALL_DONE            CALL_DONE            STOP
 *   CREATING ------------> STARTING ----------> RUNNING -------> STOPPING
 *      ^  \ CALL_FAILED        | EXITED            | EXITED          | EXITED
 *      |   `------------.      v                   |                 |
 *      |                 \  ENDED_EARLY            |                 |
 *      |                  \    | CALL_DONE/FAILED  v                 v
 *   WAITING <------------- CLEANING <--------------+-----------------'
 *   (back-off)  restart        | no restart
 *                              v
 *                             OVER
 *
 * The table in keeper.c has an action and a next state for every pair.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct err;
struct keeper;
struct session_host;

struct keeper_options {
	const char *bundle;
	const char *prefix;	  /* NULL: none */
	const char *runtime;	  /* program */
	const char *runtime_root; /* its --root */
	int ready_fd; /* takes one byte when the container runs, an err_send() when it cannot; -1 */
};

/* What `state` of the control socket tells. Strings are borrowed. */
struct keeper_description {
	uint32_t uid;
	const char *name, *state;
	pid_t pid;
	const char *started; /* RFC 3339, "" before the first start */
	unsigned restarts;
	uint64_t oom_kills, pids_hits;
	bool has_exit;
	int exit_status; /* as of waitpid(2) */
};

/* Keeps the container until it is over. Returns its wait status, or -errno when it never ran. */
int keeper_run(const struct keeper_options *options, struct err *e);

/* For the control socket. */
void keeper_describe(struct keeper *k, struct keeper_description *ret);
int keeper_signal(struct keeper *k, int sig, struct err *e);
/* Begins an orderly stop that ends with SIGKILL after `seconds`. -ESRCH: it is not running. */
int keeper_stop(struct keeper *k, uint32_t seconds, struct err *e);
uint32_t keeper_stop_timeout(const struct keeper *k); /* default, in seconds */
/* -ESRCH unless the container runs. */
int keeper_session_host(struct keeper *k, struct session_host **ret, struct err *e);
