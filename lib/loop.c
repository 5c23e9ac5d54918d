/*
 * Timers are a binary heap of pointers; each timer knows its slot, so moving one is O(log n).
 * Events of a batch are dispatched from an array that the loop owns: loop_unwatch() blanks the
 * entries of its source, which makes freeing inside callbacks safe.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/loop.h"

enum { BATCH = 128 };

struct loop {
	int epoll_fd;
	bool stopping;
	int result;
	uint64_t now;
	int batch_n;
	struct epoll_event batch[BATCH];
	struct loop_timer **heap; /* owned array of borrowed timers */
	size_t timers, heap_cap;
};

static uint64_t clock_usec(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * USEC_PER_SEC + (uint64_t)ts.tv_nsec / 1000;
}

int loop_new(struct loop **ret, struct err *e)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0) {
		free(loop);
		return err_errno(e, "make an epoll instance");
	}
	loop->now = clock_usec();
	*ret = loop;
	return 0;
}

struct loop *loop_free(struct loop *loop)
{
	if (loop) {
		close_fd(&loop->epoll_fd);
		free(loop->heap);
		free(loop);
	}
	return NULL;
}

int loop_watch(struct loop *loop, struct loop_io *io, uint32_t epoll_events, struct err *e)
{
	struct epoll_event ev = {.events = epoll_events, .data.ptr = io};
	int op = io->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	if (io->events == epoll_events && epoll_events) {
		return 0;
	}
	if (epoll_ctl(loop->epoll_fd, op, io->fd, &ev) < 0) {
		return err_errno(e, "watch descriptor %d", io->fd);
	}
	/* 0 would read as "not in the loop"; hang-ups are always reported anyway */
	io->events = epoll_events ? epoll_events : EPOLLERR;
	return 0;
}

void loop_unwatch(struct loop *loop, struct loop_io *io)
{
	if (!io->events) {
		return;
	}
	(void)epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, io->fd, NULL);
	io->events = 0;
	for (int i = 0; i < loop->batch_n; i++) {
		if (loop->batch[i].data.ptr == io) {
			loop->batch[i].data.ptr = NULL;
		}
	}
}

static void place(struct loop *loop, size_t at, struct loop_timer *timer)
{
	loop->heap[at] = timer;
	timer->slot = at + 1;
}

static void sift_up(struct loop *loop, size_t at)
{
	struct loop_timer *timer = loop->heap[at];

	while (at > 0 && loop->heap[(at - 1) / 2]->due > timer->due) {
		place(loop, at, loop->heap[(at - 1) / 2]);
		at = (at - 1) / 2;
	}
	place(loop, at, timer);
}

static void sift_down(struct loop *loop, size_t at)
{
	struct loop_timer *timer = loop->heap[at];

	for (;;) {
		size_t child = at * 2 + 1;

		if (child >= loop->timers) {
			break;
		}
		if (child + 1 < loop->timers &&
			loop->heap[child + 1]->due < loop->heap[child]->due) {
			child++;
		}
		if (loop->heap[child]->due >= timer->due) {
			break;
		}
		place(loop, at, loop->heap[child]);
		at = child;
	}
	place(loop, at, timer);
}

static int reserve_timer(struct loop *loop)
{
	size_t cap = loop->heap_cap ? loop->heap_cap * 2 : 16;
	struct loop_timer **heap;

	if (loop->timers < loop->heap_cap) {
		return 0;
	}
	heap = reallocarray(loop->heap, cap, sizeof(struct loop_timer *));
	if (!heap) {
		return -ENOMEM;
	}
	loop->heap = heap;
	loop->heap_cap = cap;
	return 0;
}

int loop_timer_set(struct loop *loop, struct loop_timer *timer, uint64_t usec)
{
	/* The clock, not loop->now: that is old before loop_run() and in a slow callback. Never due in
	 * the pass that runs now, so a timer that arms itself again with 0 does not starve the rest. */
	if (__builtin_add_overflow(clock_usec(), usec, &timer->due)) {
		timer->due = UINT64_MAX;
	}
	if (timer->due <= loop->now) {
		timer->due = loop->now + 1;
	}
	if (timer->slot) {
		sift_up(loop, timer->slot - 1);
		sift_down(loop, timer->slot - 1);
		return 0;
	}
	if (reserve_timer(loop) < 0) {
		return -ENOMEM;
	}
	place(loop, loop->timers++, timer);
	sift_up(loop, timer->slot - 1);
	return 0;
}

void loop_timer_clear(struct loop *loop, struct loop_timer *timer)
{
	size_t at = timer->slot - 1;
	struct loop_timer *last;

	if (!timer->slot) {
		return;
	}
	timer->slot = 0;
	last = loop->heap[--loop->timers];
	if (last != timer) {
		place(loop, at, last);
		sift_up(loop, at);
		sift_down(loop, last->slot - 1);
	}
}

uint64_t loop_now(const struct loop *loop)
{
	return loop->now;
}

static int wait_msec(const struct loop *loop)
{
	uint64_t due, msec;

	if (loop->timers == 0) {
		return -1;
	}
	due = loop->heap[0]->due;
	if (due <= loop->now) {
		return 0;
	}
	msec = (due - loop->now + USEC_PER_MSEC - 1) / USEC_PER_MSEC; /* up: never early */
	return msec > INT_MAX ? INT_MAX : (int)msec;
}

static void run_due_timers(struct loop *loop)
{
	while (loop->timers && loop->heap[0]->due <= loop->now && !loop->stopping) {
		struct loop_timer *timer = loop->heap[0];

		loop_timer_clear(loop, timer);
		timer->on_expire(timer);
	}
}

static void run_batch(struct loop *loop)
{
	for (int i = 0; i < loop->batch_n && !loop->stopping; i++) {
		struct loop_io *io = loop->batch[i].data.ptr;

		if (io) {
			io->on_ready(io, loop->batch[i].events);
		}
	}
	loop->batch_n = 0;
}

int loop_run(struct loop *loop, struct err *e)
{
	loop->stopping = false;
	while (!loop->stopping) {
		int n;

		loop->now = clock_usec();
		n = epoll_wait(loop->epoll_fd, loop->batch, BATCH, wait_msec(loop));
		loop->now = clock_usec();
		if (n < 0 && errno != EINTR) {
			return err_errno(e, "wait for events");
		}
		loop->batch_n = n > 0 ? n : 0;
		run_batch(loop);
		run_due_timers(loop);
	}
	return loop->result;
}

void loop_stop(struct loop *loop, int result)
{
	loop->stopping = true;
	loop->result = result;
}

int loop_signal_fd(const int *signals, size_t n, struct err *e)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	for (size_t i = 0; i < n; i++) {
		(void)sigaddset(&set, signals[i]);
	}
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) {
		return err_errno(e, "block signals");
	}
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? err_errno(e, "make a signalfd") : fd;
}
