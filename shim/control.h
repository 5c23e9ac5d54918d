/*
 * The control socket of a shim (spec/shim-protocol.md): one connection may ask for many things, one
 * after the other. Peers other than host root are turned away.
 */
#pragma once

#include "lib/loop.h"

struct control_conn;
struct err;
struct keeper;
struct place;

struct control {
	struct loop *loop;     /* borrowed */
	struct keeper *keeper; /* borrowed */
	struct loop_io listener;
	struct control_conn *conns;
	unsigned conns_n;
};

/* Listens as <uid>.sock. */
int control_open(struct control *control, struct loop *loop, struct keeper *keeper,
	const struct place *place, struct err *e);
/* The container has ended, its status is on disk: answers whoever waits for the stop. */
void control_tell_stopped(struct control *control, int status);
/* Takes the socket away: no new connections. Those that are there learn of the end by control_done(),
 * after the lock was given back, so that who waits for it may start a new shim at once. */
void control_close(struct control *control, const struct place *place);
void control_done(struct control *control);
