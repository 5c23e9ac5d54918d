#include "tests/unit/unit.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/loop.h"

struct fixture {
	struct loop *loop;
	int fired[64];
	size_t n;
	size_t stop_after;
};

struct tick {
	struct loop_timer timer;
	struct fixture *f;
	int id;
	struct tick *clears;
	uint64_t again; /* usec, 0: once */
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	*state = f;
	return loop_new(&f->loop, NULL);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	f->loop = loop_free(f->loop);
	free(f);
	return 0;
}

static void count(struct fixture *f, int id)
{
	f->fired[f->n++] = id;
	if (f->n >= f->stop_after) {
		loop_stop(f->loop, 7);
	}
}

static void on_tick(struct loop_timer *timer)
{
	struct tick *t = loop_owner(timer, struct tick, timer);

	if (t->clears) {
		loop_timer_clear(t->f->loop, &t->clears->timer);
	}
	if (t->again) {
		assert_int_equal(loop_timer_set(t->f->loop, timer, t->again - 1), 0);
	}
	count(t->f, t->id);
}

static void timers_fire_in_the_order_of_their_time(void **state)
{
	struct fixture *f = *state;
	struct tick ticks[40];

	f->stop_after = ARRAY_LEN(ticks);
	for (int i = 0; i < 40; i++) {
		int id = i * 17 % 40;

		ticks[i] = (struct tick){.timer.on_expire = on_tick, .f = f, .id = id};
		assert_int_equal(loop_timer_set(f->loop, &ticks[i].timer,
					 USEC_PER_MSEC * 5 + (uint64_t)id * 200),
			0);
	}
	assert_int_equal(loop_run(f->loop, NULL), 7);
	for (int i = 0; i < 40; i++) {
		assert_int_equal(f->fired[i], i);
		assert_int_equal(ticks[i].timer.slot, 0);
	}
}

static void a_timer_is_never_early(void **state)
{
	struct fixture *f = *state;
	struct tick t = {.timer.on_expire = on_tick, .f = f};
	struct timespec pause = {.tv_nsec = 20000000}, a, b;
	int64_t passed;

	f->stop_after = 1;
	(void)nanosleep(&pause, NULL); /* the time of the loop is old now, as in a slow set-up */
	(void)clock_gettime(CLOCK_MONOTONIC, &a);
	assert_int_equal(loop_timer_set(f->loop, &t.timer, 15 * USEC_PER_MSEC), 0);
	assert_int_equal(loop_run(f->loop, NULL), 7);
	(void)clock_gettime(CLOCK_MONOTONIC, &b);
	passed = (b.tv_sec - a.tv_sec) * 1000000 + (b.tv_nsec - a.tv_nsec) / 1000;
	assert_true(passed >= 15000);
}

static void cleared_and_moved_timers_do_not_fire_at_the_old_time(void **state)
{
	struct fixture *f = *state;
	struct tick c = {.timer.on_expire = on_tick, .f = f, .id = 3};
	struct tick b = {.timer.on_expire = on_tick, .f = f, .id = 2};
	struct tick a = {.timer.on_expire = on_tick, .f = f, .id = 1, .clears = &b};

	f->stop_after = 2;
	assert_int_equal(loop_timer_set(f->loop, &c.timer, 100), 0);
	assert_int_equal(loop_timer_set(f->loop, &b.timer, 3000), 0);
	assert_int_equal(loop_timer_set(f->loop, &a.timer, 2000), 0);
	assert_int_equal(loop_timer_set(f->loop, &c.timer, 4000), 0);
	assert_int_equal(loop_run(f->loop, NULL), 7);
	assert_int_equal(f->fired[0], 1);
	assert_int_equal(f->fired[1], 3);
	loop_timer_clear(f->loop, &b.timer); /* not armed: nothing happens */
}

static void the_end_of_time_never_comes(void **state)
{
	struct fixture *f = *state;
	struct tick never = {.timer.on_expire = on_tick, .f = f, .id = 9};
	struct tick soon = {.timer.on_expire = on_tick, .f = f, .id = 1};

	f->stop_after = 1;
	assert_int_equal(loop_timer_set(f->loop, &never.timer, UINT64_MAX), 0);
	assert_int_equal(loop_timer_set(f->loop, &soon.timer, 1000), 0);
	assert_int_equal(loop_run(f->loop, NULL), 7);
	assert_int_equal(f->fired[0], 1);
}

struct source {
	struct loop_io io;
	struct fixture *f;
	int id;
	struct source *frees; /* unwatched, closed and freed by the callback */
};

static void drop(struct source *s)
{
	loop_unwatch(s->f->loop, &s->io);
	close(s->io.fd);
	free(s);
}

static void on_source(struct loop_io *io, uint32_t events)
{
	struct source *s = loop_owner(io, struct source, io);
	struct fixture *f = s->f;
	int id = s->id;

	assert_true(events & EPOLLIN);
	if (s->frees) {
		drop(s->frees);
		drop(s);
	}
	count(f, id);
}

/* A pipe with a byte in it: always readable. */
static struct source *ready_source(struct fixture *f, int id)
{
	struct source *s = calloc(1, sizeof(*s));
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	close(fds[1]);
	*s = (struct source){.io = {.fd = fds[0], .on_ready = on_source}, .f = f, .id = id};
	assert_int_equal(loop_watch(f->loop, &s->io, EPOLLIN, NULL), 0);
	return s;
}

static void a_callback_may_free_itself_and_others_of_the_batch(void **state)
{
	struct fixture *f = *state;
	struct source *a = ready_source(f, 1), *b = ready_source(f, 2);

	a->frees = b; /* whichever is first takes both with it */
	b->frees = a;
	f->stop_after = 1;
	assert_int_equal(loop_run(f->loop, NULL), 7);
	assert_int_equal(f->n, 1);
}

static void a_timer_that_arms_itself_at_once_does_not_starve_descriptors(void **state)
{
	struct fixture *f = *state;
	struct tick t = {.timer.on_expire = on_tick, .f = f, .id = 1, .again = 1};
	struct source *s = ready_source(f, 2);
	int seen = 0;

	f->stop_after = 20;
	assert_int_equal(loop_timer_set(f->loop, &t.timer, 0), 0);
	assert_int_equal(loop_run(f->loop, NULL), 7);
	for (size_t i = 0; i < f->n; i++) {
		seen += f->fired[i] == 2;
	}
	assert_true(seen > 1);
	drop(s);
}

static void interest_can_be_changed_and_taken_back(void **state)
{
	struct fixture *f = *state;
	struct tick t = {.timer.on_expire = on_tick, .f = f, .id = 1};
	struct source *s = ready_source(f, 2);

	f->stop_after = 1;
	assert_int_equal(loop_watch(f->loop, &s->io, EPOLLIN | EPOLLPRI, NULL), 0);
	loop_unwatch(f->loop, &s->io);
	loop_unwatch(f->loop, &s->io);
	assert_int_equal(s->io.events, 0);
	assert_int_equal(loop_timer_set(f->loop, &t.timer, 1000), 0);
	assert_int_equal(loop_run(f->loop, NULL), 7);
	assert_int_equal(f->fired[0], 1);
	drop(s);
}

static void a_bad_descriptor_is_an_error(void **state)
{
	struct fixture *f = *state;
	struct loop_io io = {.fd = -1, .on_ready = NULL};
	struct err e;

	assert_int_equal(loop_watch(f->loop, &io, EPOLLIN, &e), -EBADF);
	assert_int_equal(io.events, 0);
	assert_contains(e.msg, "watch descriptor -1");
}

static void on_signal(struct loop_io *io, uint32_t events)
{
	struct source *s = loop_owner(io, struct source, io);
	struct signalfd_siginfo info;

	(void)events;
	assert_int_equal(read(io->fd, &info, sizeof(info)), sizeof(info));
	count(s->f, (int)info.ssi_signo);
}

static void signals_arrive_through_the_descriptor(void **state)
{
	struct fixture *f = *state;
	struct source s = {.f = f};
	struct err e;

	s.io = (struct loop_io){
		.fd = loop_signal_fd((int[]){SIGUSR1, SIGUSR2}, 2, &e), .on_ready = on_signal};
	assert_true(s.io.fd >= 0);
	f->stop_after = 2;
	assert_int_equal(loop_watch(f->loop, &s.io, EPOLLIN, &e), 0);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(raise(SIGUSR2), 0);
	assert_int_equal(loop_run(f->loop, &e), 7);
	assert_int_equal(f->fired[0] + f->fired[1], SIGUSR1 + SIGUSR2);
	loop_unwatch(f->loop, &s.io);
	close(s.io.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			timers_fire_in_the_order_of_their_time, setup, teardown),
		cmocka_unit_test_setup_teardown(a_timer_is_never_early, setup, teardown),
		cmocka_unit_test_setup_teardown(
			cleared_and_moved_timers_do_not_fire_at_the_old_time, setup, teardown),
		cmocka_unit_test_setup_teardown(the_end_of_time_never_comes, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_callback_may_free_itself_and_others_of_the_batch, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_timer_that_arms_itself_at_once_does_not_starve_descriptors, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			interest_can_be_changed_and_taken_back, setup, teardown),
		cmocka_unit_test_setup_teardown(a_bad_descriptor_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(
			signals_arrive_through_the_descriptor, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
