#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "images/aptconf.h"
#include "images/debootstrap.h"
#include "images/recipe.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"

enum { LINE_MAX_BYTES = 4096, CAUSE_MAX = 300, ARGS_MAX = 40 };

/* What mmdebstrap says and what a person reads. */
static const struct {
	const char *line, *step;
} steps[] = {
	{"I: running apt-get update", "reading package lists"},
	{"I: downloading packages", "downloading the base system"},
	{"I: extracting archives", "extracting the base system"},
	{"I: installing essential", "installing the base system"},
	{"I: installing remaining", "installing uWSGI and what customers need"},
	{"I: cleaning package lists", "cleaning up"},
};

/* Documentation stays out. By --dpkgopt mmdebstrap would filter every archive of the base system by
 * a slow program of its own; so dpkg is told after that, and tree_forget_host() removes the rest. */
#define EXCLUDE                                                                                    \
	"printf 'path-exclude=/usr/share/%s/*\\n' man info locale doc "                            \
	">\"$1/etc/dpkg/dpkg.cfg.d/99fief\"; "                                                     \
	"echo 'path-include=/usr/share/doc/*/copyright' >>\"$1/etc/dpkg/dpkg.cfg.d/99fief\""

struct progress {
	struct timespec begun;
	unsigned fetched, unpacked, configured;
	const char *step;
	bool quiet, terminal;
	bool download_failed;
	char cause[CAUSE_MAX]; /* the first line that tells a failure */
};

static double elapsed(const struct progress *p)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - p->begun.tv_sec) +
	       (double)(now.tv_nsec - p->begun.tv_nsec) / 1e9;
}

/* On a terminal one line is written over and over; elsewhere each step is a line. */
static void show(const struct progress *p, bool step_begins)
{
	if (p->quiet || !p->step) {
		return;
	}
	if (p->terminal) {
		(void)fprintf(stderr,
			"%s%6.1f s  %s (%u fetched, %u unpacked, %u configured)\033[K",
			step_begins ? "\n" : "\r", elapsed(p), p->step, p->fetched, p->unpacked,
			p->configured);
	} else if (step_begins) {
		(void)fprintf(stderr, "%6.1f s  %s (%u packages installed)\n", elapsed(p), p->step,
			p->configured);
	}
}

static bool starts(const char *s, const char *head)
{
	return strncmp(s, head, strlen(head)) == 0;
}

static void note_cause(struct progress *p, const char *line, bool download)
{
	/* "Err:" names the list; the "E:" that follows names the consequence */
	if (p->cause[0] && !(download && !p->download_failed)) {
		return;
	}
	p->download_failed |= download;
	(void)snprintf(p->cause, sizeof(p->cause), "%s", line);
}

static void take_output_line(struct progress *p, const char *line)
{
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		if (starts(line, steps[i].line)) {
			p->step = steps[i].step;
			show(p, true);
			return;
		}
	}
	if (starts(line, "Err:") || starts(line, "E: Failed to fetch")) {
		note_cause(p, line, true);
	} else if (starts(line, "E: ") || starts(line, "dpkg: error") ||
		   starts(line, "dpkg-deb: error")) {
		note_cause(p, line, false);
	} else if (starts(line, "Get:")) {
		p->fetched++;
		show(p, false);
	} else if (starts(line, "Unpacking ")) {
		p->unpacked++;
		show(p, false);
	} else if (starts(line, "Setting up ")) {
		p->configured++;
		show(p, false);
	}
}

/* Takes the whole lines off the buffer; a line that fills it is cut. */
static void take_output(struct progress *p, struct buf *b)
{
	for (;;) {
		char *end = b->n ? memchr(b->p, '\n', b->n) : NULL;

		if (!end) {
			if (b->n >= LINE_MAX_BYTES) {
				buf_clear(b);
			}
			return;
		}
		*end = '\0';
		take_output_line(p, b->p);
		buf_drop(b, (size_t)(end - b->p) + 1);
	}
}

/* What one call needs in memory for its command line. */
struct command {
	const char *v[ARGS_MAX];
	char arch[64], include[1024];
	struct aptconf apt;
};

static void put_args(const struct debootstrap *job, struct command *c)
{
	static const char *const fixed[] = {"mmdebstrap", "--verbose", "--mode=root",
		"--variant=minbase", "--format=directory", "--dpkgopt=force-unsafe-io",
		"--extract-hook=" EXCLUDE, "--aptopt=Acquire::Languages \"none\"",
		"--aptopt=Acquire::Retries \"3\"", "--aptopt=APT::Install-Recommends \"false\""};
	size_t n = 0;

	for (; n < ARRAY_LEN(fixed); n++) {
		c->v[n] = fixed[n];
	}
	(void)snprintf(c->arch, sizeof(c->arch), "--architectures=%s", job->architecture);
	c->v[n++] = c->arch;
	(void)snprintf(c->include, sizeof(c->include), "--include=%s", job->recipe->packages);
	c->v[n++] = c->include;
	aptconf_read(&c->apt);
	for (size_t i = 0; i < c->apt.n; i++) {
		c->v[n++] = c->apt.options[i];
	}
	c->v[n++] = job->recipe->suite;
	c->v[n++] = job->target;
	c->v[n++] = "-"; /* the sources come by standard input */
	c->v[n] = NULL;
}

/* The child: PID 1 of its namespaces. Writes text for the parent's parser when it fails. */
[[gnu::noreturn]] static void run_child(const char *const *v, int in, int out)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setpgid(0, 0); /* ^C is for the parent, which ends us all */
	/* What we inherited is not for it: its hooks are run by dash, which knows no descriptor over 9. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 ||
		dup2(out, 2) < 0 || close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) < 0 ||
		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0) {
		(void)dprintf(out, "E: cannot prepare to run mmdebstrap: %s\n", err_text(errno));
		_exit(1);
	}
	(void)setenv("LC_ALL", "C.UTF-8", 1);
	(void)setenv("DEBIAN_FRONTEND", "noninteractive", 1);
	(void)unsetenv("TMPDIR"); /* of the person; need not be there for apt's own user */
	(void)execvp(v[0], (char *const *)(uintptr_t)v);
	(void)dprintf(2, "E: cannot run 'mmdebstrap': %s\n", err_text(errno));
	_exit(127);
}

static int sources_fd(struct slice sources, struct err *e)
{
	int fd = memfd_create("sources.list", MFD_CLOEXEC);
	int r;

	if (fd < 0) {
		return err_errno(e, "make a file in memory");
	}
	r = files_write_all(fd, sources);
	if (r < 0 || lseek(fd, 0, SEEK_SET) < 0) {
		close_fd(&fd);
		return err_code(e, r < 0 ? r : -EIO, "write a file in memory");
	}
	return fd;
}

static pid_t start(const struct debootstrap *job, int out, struct err *e)
{
	struct command c;
	_cleanup_close_ int in = sources_fd(job->sources, e);
	long pid;

	if (in < 0) {
		return in;
	}
	put_args(job, &c);
	pid = syscall(SYS_clone, CLONE_NEWPID | CLONE_NEWNS | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid < 0) {
		return err_errno(e, "start mmdebstrap in namespaces of its own");
	}
	if (pid == 0) {
		run_child(c.v, in, out);
	}
	return (pid_t)pid;
}

/* Reads until the child closes its output. -EINTR: a signal came. */
static int follow(const struct debootstrap *job, struct progress *p, int out, struct err *e)
{
	_cleanup_buf_ struct buf b = {.limit = 2 * LINE_MAX_BYTES};
	struct pollfd fds[] = {
		{.fd = out, .events = POLLIN}, {.fd = job->signalfd, .events = POLLIN}};

	for (;;) {
		char *at;
		ssize_t n;

		if (poll(fds, ARRAY_LEN(fds), -1) < 0 && errno != EINTR) {
			return err_errno(e, "wait for mmdebstrap");
		}
		if (fds[1].revents) {
			return err_set(e, -EINTR, "interrupted");
		}
		if (!fds[0].revents) {
			continue;
		}
		at = buf_room(&b, LINE_MAX_BYTES);
		n = at ? read(out, at, LINE_MAX_BYTES) : -1;
		if (n <= 0) {
			return 0; /* the exit status tells the rest */
		}
		buf_added(&b, (size_t)n);
		take_output(p, &b);
	}
}

static int judge(const struct progress *p, int status, struct err *e)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		return 0;
	}
	if (p->download_failed) {
		return err_set(e, -EAGAIN, "download failed: '%s'", p->cause);
	}
	if (p->cause[0]) {
		return err_set(e, -EIO, "mmdebstrap failed: '%s'", p->cause);
	}
	return err_set(e, -EIO, "mmdebstrap ended with %s %d",
		WIFSIGNALED(status) ? "signal" : "status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

int debootstrap_run(const struct debootstrap *job, struct err *e)
{
	struct progress p = {.quiet = job->quiet, .terminal = isatty(2)};
	_cleanup_close_ int out = -1;
	int fds[2], r, status = 0;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0) {
		return err_errno(e, "make a pipe");
	}
	out = fds[0];
	(void)clock_gettime(CLOCK_MONOTONIC, &p.begun);
	pid = start(job, fds[1], e);
	close_fd(&fds[1]);
	if (pid < 0) {
		return pid;
	}
	r = follow(job, &p, out, e);
	if (r < 0) {
		(void)kill(pid, SIGKILL); /* PID 1 of the namespace: nothing survives it */
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
	}
	if (!p.quiet && p.terminal && p.step) {
		(void)fputc('\n', stderr);
	}
	return r < 0 ? r : judge(&p, status, e);
}
