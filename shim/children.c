#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "shim/children.h"

void children_forget(struct children *all, struct child *child)
{
	for (struct child **at = &all->first; *at; at = &(*at)->next) {
		if (*at == child) {
			*at = child->next;
			break;
		}
	}
	child->next = NULL;
	child->pid = 0;
}

/* Tells one exit; false when no known child has ended. A callback may change the table, so the search
 * begins anew after each. */
static bool tell_one(struct children *all)
{
	for (struct child *c = all->first; c; c = c->next) {
		int status;

		if (waitpid(c->pid, &status, WNOHANG | __WALL) == c->pid) {
			children_forget(all, c);
			c->on_exit(c, status);
			return true;
		}
	}
	return false;
}

static bool reap_stranger(struct children *all)
{
	siginfo_t who = {};

	if (all->held || waitid(P_ALL, 0, &who, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0 ||
		!who.si_pid) {
		return false;
	}
	for (struct child *c = all->first; c; c = c->next) {
		if (c->pid == who.si_pid) {
			return true; /* ended since the last look: told next */
		}
	}
	(void)waitpid(who.si_pid, NULL, WNOHANG | __WALL);
	return true;
}

static void scan(struct children *all)
{
	while (tell_one(all) || reap_stranger(all)) {
	}
}

static void on_signal(struct loop_io *io, [[maybe_unused]] uint32_t epoll_events)
{
	struct children *all = loop_owner(io, struct children, io);
	struct signalfd_siginfo info;

	while (read(io->fd, &info, sizeof(info)) == sizeof(info)) {
	}
	scan(all);
}

static void on_soon(struct loop_timer *timer)
{
	scan(loop_owner(timer, struct children, soon));
}

int children_init(struct children *all, struct loop *loop, struct err *e)
{
	int fd;

	*all = (struct children){.loop = loop,
		.io = {.fd = -1, .on_ready = on_signal},
		.soon = {.on_expire = on_soon}};
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) {
		return err_errno(e, "become a subreaper");
	}
	fd = loop_signal_fd(&(const int){SIGCHLD}, 1, e);
	if (fd < 0) {
		return fd;
	}
	all->io.fd = fd;
	return loop_watch(loop, &all->io, EPOLLIN, e);
}

void children_done(struct children *all)
{
	if (all->loop) {
		loop_unwatch(all->loop, &all->io);
		loop_timer_clear(all->loop, &all->soon);
		close_fd(&all->io.fd);
	}
}

void children_add(struct children *all, struct child *child)
{
	child->next = all->first;
	all->first = child;
	(void)loop_timer_set(all->loop, &all->soon, 0); /* it may have ended already */
}

void children_hold(struct children *all)
{
	all->held++;
}

void children_unhold(struct children *all)
{
	all->held--;
	(void)loop_timer_set(all->loop, &all->soon, 0);
}

void children_reset_signals(void)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}
