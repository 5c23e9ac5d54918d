/*
 * An epoll loop with timers, for single-threaded daemons.
 *
 * Sources are structs that live inside the owner's object; the owner registers and removes them.
 * A callback may remove, close and free any source, its own included: the loop forgets what is left
 * of the current batch for a removed source. Times are microseconds of CLOCK_MONOTONIC. Nothing
 * wakes up without an event or a due timer.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct loop;

#define USEC_PER_SEC  UINT64_C(1000000)
#define USEC_PER_MSEC UINT64_C(1000)

struct loop_io {
	int fd;							     /* borrowed */
	void (*on_ready)(struct loop_io *io, uint32_t epoll_events); /* EPOLLIN, EPOLLHUP ... */
	uint32_t events; /* as registered; 0: not in the loop. Kept by the loop. */
};

struct loop_timer {
	void (*on_expire)(struct loop_timer *timer);
	uint64_t due; /* usec; kept by the loop */
	size_t slot;  /* position in the heap + 1; 0: not armed. Kept by the loop. */
};

/* The owner of an embedded member: loop_owner(io, struct conn, io). */
#define loop_owner(at, type, member) ((type *)(void *)((char *)(at)-offsetof(type, member)))

int loop_new(struct loop **ret, struct err *e);
struct loop *loop_free(struct loop *loop); /* returns NULL; sources are not closed */

/* Adds io or changes its events. Level-triggered unless EPOLLET is given. */
int loop_watch(struct loop *loop, struct loop_io *io, uint32_t epoll_events, struct err *e);
void loop_unwatch(struct loop *loop, struct loop_io *io);

/* Arms or moves the timer to `usec` from now, at the earliest the next turn of the loop; UINT64_MAX:
 * never. -ENOMEM only when the heap cannot grow. */
int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t usec);
void loop_timer_clear(struct loop *loop, struct loop_timer *timer);

/* The time of the current batch; cheap. */
uint64_t loop_now(const struct loop *loop);

/* Runs until loop_stop(); returns the value given there, or -errno of epoll. */
int loop_run(struct loop *loop, struct err *e);
void loop_stop(struct loop *loop, int result);

/* Blocks the signals of the set and returns a signalfd for them (owned, non-blocking). */
int loop_signal_fd(const int *signals, size_t n, struct err *e);
