#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/loop.h"
#include "runtime/foreground.h"

struct foreground {
	struct loop *loop;
	struct loop_io process, signals, input, output;
	int pidfd, master;
	int status;
	bool raw;
	struct termios saved;
};

static void fill_signals(sigset_t *set)
{
	(void)sigfillset(set);
	/* of ourselves: not for the container */
	(void)sigdelset(set, SIGCHLD);
	(void)sigdelset(set, SIGSEGV);
	(void)sigdelset(set, SIGBUS);
	(void)sigdelset(set, SIGILL);
	(void)sigdelset(set, SIGFPE);
	(void)sigdelset(set, SIGABRT);
	(void)sigdelset(set, SIGPIPE);
	(void)sigdelset(set, SIGTTOU);
	(void)sigdelset(set, SIGTTIN);
}

int foreground_block(struct err *e)
{
	sigset_t set;

	fill_signals(&set);
	return sigprocmask(SIG_BLOCK, &set, NULL) < 0 ? err_errno(e, "block signals") : 0;
}

static void copy_size(const struct foreground *f)
{
	struct winsize size;

	if (f->master >= 0 && ioctl(STDIN_FILENO, TIOCGWINSZ, &size) == 0) {
		(void)ioctl(f->master, TIOCSWINSZ, &size);
	}
}

static void on_signal(struct loop_io *io, uint32_t events)
{
	struct foreground *f = loop_owner(io, struct foreground, signals);
	struct signalfd_siginfo info;

	(void)events;
	while (read(io->fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGWINCH && f->master >= 0) {
			copy_size(f);
		} else {
			(void)pidfd_send_signal(f->pidfd, (int)info.ssi_signo, NULL, 0);
		}
	}
}

static void drain_output(struct foreground *f)
{
	char chunk[4096];
	ssize_t n;

	while (f->master >= 0 && (n = read(f->master, chunk, sizeof(chunk))) > 0) {
		(void)files_write_all(STDOUT_FILENO, (struct slice){.p = chunk, .n = (size_t)n});
	}
}

static void on_exit_of_process(struct loop_io *io, uint32_t events)
{
	struct foreground *f = loop_owner(io, struct foreground, process);
	siginfo_t info = {};

	(void)events;
	if (waitid(P_PIDFD, (id_t)f->pidfd, &info, WEXITED) < 0) {
		f->status = 1;
	} else {
		f->status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
	}
	drain_output(f);
	loop_stop(f->loop, 0);
}

static void on_output(struct loop_io *io, uint32_t events)
{
	struct foreground *f = loop_owner(io, struct foreground, output);
	char chunk[4096];
	ssize_t n = read(io->fd, chunk, sizeof(chunk));

	(void)events;
	if (n > 0) {
		(void)files_write_all(STDOUT_FILENO, (struct slice){.p = chunk, .n = (size_t)n});
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		loop_unwatch(f->loop, io); /* EIO: the last slave was closed */
	}
}

static void on_input(struct loop_io *io, uint32_t events)
{
	struct foreground *f = loop_owner(io, struct foreground, input);
	char chunk[4096];
	ssize_t n = read(io->fd, chunk, sizeof(chunk));

	(void)events;
	if (n > 0) {
		(void)files_write_all(f->master, (struct slice){.p = chunk, .n = (size_t)n});
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		char eof = 4; /* ^D: what a terminal user would type */

		loop_unwatch(f->loop, io);
		(void)!write(f->master, &eof, 1);
	}
}

static int watch_terminal(struct foreground *f, struct err *e)
{
	struct termios raw;
	int r;

	if (f->master < 0) {
		return 0;
	}
	if (tcgetattr(STDIN_FILENO, &f->saved) == 0) {
		raw = f->saved;
		cfmakeraw(&raw);
		f->raw = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
	}
	copy_size(f);
	(void)fcntl(f->master, F_SETFL, O_RDWR | O_NONBLOCK);
	r = loop_watch(f->loop, &f->output, EPOLLIN, e);
	if (r == 0) {
		/* a regular file as stdin cannot be watched (EPERM) and has nothing to type */
		(void)loop_watch(f->loop, &f->input, EPOLLIN, NULL);
	}
	return r;
}

static int run(struct foreground *f, struct err *e)
{
	sigset_t set;
	int r;

	fill_signals(&set);
	f->signals.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (f->signals.fd < 0) {
		return err_errno(e, "make a signalfd");
	}
	r = loop_watch(f->loop, &f->signals, EPOLLIN, e);
	if (r == 0) {
		r = loop_watch(f->loop, &f->process, EPOLLIN, e);
	}
	if (r == 0) {
		r = watch_terminal(f, e);
	}
	return r < 0 ? r : loop_run(f->loop, e);
}

int foreground_wait(int pidfd, int master, struct err *e)
{
	struct foreground f = {
		.pidfd = pidfd,
		.master = master,
		.process = {.fd = pidfd, .on_ready = on_exit_of_process},
		.signals = {.fd = -1, .on_ready = on_signal},
		.input = {.fd = STDIN_FILENO, .on_ready = on_input},
		.output = {.fd = master, .on_ready = on_output},
	};
	int r = loop_new(&f.loop, e);

	if (r == 0) {
		r = run(&f, e);
	}
	if (f.raw) {
		(void)tcsetattr(STDIN_FILENO, TCSANOW, &f.saved);
	}
	close_fd(&f.signals.fd);
	f.loop = loop_free(f.loop);
	return r < 0 ? r : f.status;
}
