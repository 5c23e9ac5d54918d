/*
 * PID 1 of a container: /.fief/fief-init --uid U --home H [--uwsgi PATH]
 *
 * Runs as root of the container's user namespace with CAP_SETUID, CAP_SETGID and CAP_KILL, and
 * trusts nobody inside. It starts the Emperor of the image's uWSGI, which needs these capabilities to
 * run vassals as U; U's $HOME/etc/rc.local runs as U without any. An image without uWSGI has rc.local
 * as its main process. It depends on nothing in the image: static, libc only.
 *
 * Invariants:
 * - The Emperor, which runs a vassal as the owner of its file, can become U and nobody else.
 * - /usr/local is the customer's home, so neither init nor the Emperor has it in PATH, and
 *   the Emperor's program may not lie there.
 * - Signals are blocked and taken with sigwaitinfo(2): for PID 1 the kernel drops unblocked signals
 *   that have no handler, and a loop without handlers has no races.
 * - Everything from descriptor 3 on is closed on exec: neither the Emperor nor a customer's process
 *   learns of what init holds. Standard input, output and error are FIFOs opened read-write by the
 *   shim; init holding them means no EPIPE inside when the shim is gone.
 * - Descriptor 3, when it was given, takes the wait status of the main process as decimal text.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim/container/ids_filter.h"

enum { STATUS_FD = 3, UID_MIN = 30001, UID_MAX = 65534, PATH_TEXT = 256 };

struct init {
	unsigned uid;
	const char *home;
	const char *uwsgi; /* NULL: none */
	pid_t main_pid;	   /* Emperor or rc.local; 0: none */
	pid_t rc_pid;	   /* rc.local beside the Emperor; 0: none */
	bool has_status_fd;
	bool stopping; /* the Emperor was asked to end */
};

static void say(const char *what, const char *object, const char *why)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "fief-init: %s '%s'%s%s\n", what, object,
		why ? ": " : "", why ? why : "");

	if (n > 0) {
		(void)!write(STDERR_FILENO, line,
			(size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
	}
}

[[gnu::noreturn]] static void usage(void)
{
	static const char text[] = "usage: fief-init --uid U --home H [--uwsgi PATH]\n";

	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(2);
}

static unsigned parse_uid(const char *text)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text < '0' || *text > '9' || n < UID_MIN ||
		n > UID_MAX) {
		usage();
	}
	return (unsigned)n;
}

static void parse(int argc, char **argv, struct init *in)
{
	for (int i = 1; i < argc; i += 2) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (!value) {
			usage();
		} else if (strcmp(argv[i], "--uid") == 0) {
			in->uid = parse_uid(value);
		} else if (strcmp(argv[i], "--home") == 0 && value[0] == '/') {
			in->home = value;
		} else if (strcmp(argv[i], "--uwsgi") == 0 && value[0] == '/') {
			in->uwsgi = value;
		} else {
			usage();
		}
	}
	if (!in->uid || !in->home || strlen(in->home) > PATH_TEXT / 2) {
		usage();
	}
}

/* What a child of init begins with: no blocked signals and a session of its own. */
static void reset_child(void)
{
	sigset_t none;

	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	(void)setsid();
}

/* Through other mounts the path could lead to a file of the customer's, /usr/local above all. The image
 * is one mount and read-only: what stays in it now stays in it. */
static int check_of_image(const char *path)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS};

	return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how)) < 0 ? -1 : 0;
}

[[gnu::noreturn]] static void exec_emperor(const struct init *in)
{
	char home[PATH_TEXT + 8], vassals[PATH_TEXT + 16], user[32], logname[32];
	char *const env[] = {home, user, logname, (char[]){"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
		(char[]){"LANG=C.UTF-8"}, NULL};
	const char *const args[] = {in->uwsgi, "--emperor", vassals, "--emperor-tyrant",
		"--emperor-tyrant-nofollow", "--vassals-include-before", "/.fief/shortcuts.ini",
		/* in a directory of root's: U can neither remove nor replace it */
		"--emperor-stats-server", "/.fief/run/emperor.stats", NULL};
	char *argv[sizeof(args) / sizeof(args[0])];

	(void)snprintf(home, sizeof(home), "HOME=%s", in->home);
	(void)snprintf(user, sizeof(user), "USER=%u", in->uid);
	(void)snprintf(logname, sizeof(logname), "LOGNAME=%u", in->uid);
	(void)snprintf(vassals, sizeof(vassals), "%s/vassals", in->home);
	for (size_t i = 0; i < sizeof(args) / sizeof(args[0]); i++) {
		argv[i] = args[i] ? strdup(args[i]) : NULL; /* execve wants them writable */
	}
	if (chdir("/") == 0 && check_of_image(in->uwsgi) == 0 && ids_filter_install(in->uid) == 0) {
		(void)execve(in->uwsgi, argv, env);
	}
	say("cannot run", in->uwsgi, strerror(errno));
	_exit(127);
}

static pid_t start_emperor(const struct init *in)
{
	pid_t pid = fork();

	if (pid == 0) {
		reset_child();
		exec_emperor(in);
	}
	if (pid < 0) {
		say("cannot start", in->uwsgi, strerror(errno));
	}
	return pid < 0 ? 0 : pid;
}

/* Becomes U. Leaving uid 0 for another takes all capabilities away. */
static int become_customer(unsigned uid)
{
	if (setgroups(0, NULL) < 0 || setresgid(uid, uid, uid) < 0 ||
		setresuid(uid, uid, uid) < 0) {
		return -1;
	}
	return 0;
}

[[gnu::noreturn]] static void exec_rc_local(const struct init *in, int report_fd)
{
	char path[PATH_TEXT], home[PATH_TEXT + 8], user[32], logname[32];
	char *const argv[] = {(char[]){"/bin/sh"}, path, NULL};
	char *const env[] = {home, user, logname, (char[]){"SHELL=/bin/sh"},
		(char[]){"LANG=C.UTF-8"},
		(char[]){"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		NULL};
	struct stat st;
	int fd, why;

	(void)snprintf(path, sizeof(path), "%s/etc/rc.local", in->home);
	(void)snprintf(home, sizeof(home), "HOME=%s", in->home);
	(void)snprintf(user, sizeof(user), "USER=%u", in->uid);
	(void)snprintf(logname, sizeof(logname), "LOGNAME=%u", in->uid);
	reset_child();
	if (become_customer(in->uid) < 0) {
		say("cannot become uid of", in->home, strerror(errno));
		_exit(127);
	}
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		why = fd < 0 ? errno : EINVAL;
	} else {
		if (chdir(in->home) < 0) {
			(void)!chdir("/");
		}
		(void)execve(argv[0], argv, env);
		why = errno;
		say("cannot run", argv[0], strerror(why));
	}
	(void)!write(report_fd, &why, sizeof(why)); /* otherwise closed by exec */
	_exit(127);
}

/* Returns 0 when there is no rc.local to run. */
static pid_t start_rc_local(const struct init *in)
{
	int pair[2], why = 0;
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) < 0 || (pid = fork()) < 0) {
		say("cannot start", "etc/rc.local", strerror(errno));
		return 0;
	}
	if (pid == 0) {
		exec_rc_local(in, pair[1]);
	}
	(void)close(pair[1]);
	if (read(pair[0], &why, sizeof(why)) <= 0) {
		why = 0;
	}
	(void)close(pair[0]);
	if (why && why != ENOENT) {
		say("did not run", "etc/rc.local", strerror(why));
	}
	return why ? 0 : pid;
}

static void report_status(const struct init *in, int status)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%d\n", status);

	if (in->has_status_fd) {
		(void)!pwrite(STATUS_FD, text, (size_t)n, 0);
	}
}

/* Ends init, and with it all that is left in the container. */
[[gnu::noreturn]] static void finish(const struct init *in, int status)
{
	report_status(in, status);
	_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

static void reap(struct init *in)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == in->main_pid) {
			/* an Emperor that was asked before it had handlers dies of the question */
			finish(in, in->stopping && status == SIGINT ? 0 : status);
		}
		if (pid == in->rc_pid) {
			in->rc_pid = 0;
		}
	}
}

/* An orderly end. The Emperor takes INT as "stop all vassals", which lets them unsubscribe; without
 * an Emperor everybody gets TERM. */
static void stop(struct init *in)
{
	if (!in->main_pid) {
		finish(in, 0);
	}
	if (!in->uwsgi) {
		(void)kill(-1, SIGTERM);
		return;
	}
	if (in->stopping) {
		return;
	}
	in->stopping = true;
	(void)kill(in->main_pid, SIGINT);
	if (in->rc_pid) {
		(void)kill(-in->rc_pid, SIGTERM);
	}
}

static void handle(struct init *in, int sig)
{
	switch (sig) {
	case SIGCHLD:
		reap(in);
		break;
	case SIGHUP:
		if (in->uwsgi) {
			(void)kill(in->main_pid, SIGHUP); /* reloads every vassal */
		}
		break;
	default:
		stop(in);
	}
}

static void start(struct init *in)
{
	if (in->uwsgi) {
		in->main_pid = start_emperor(in);
		if (!in->main_pid) {
			finish(in, 127 << 8);
		}
		in->rc_pid = start_rc_local(in);
		return;
	}
	in->main_pid = start_rc_local(in);
	if (!in->main_pid) {
		say("no uWSGI in the image and nothing to run, waiting: no", "etc/rc.local", NULL);
	}
}

int main(int argc, char **argv)
{
	struct init in = {};
	sigset_t set;

	parse(argc, argv, &in);
	in.has_status_fd = fcntl(STATUS_FD, F_GETFD) >= 0;
	(void)close_range(STATUS_FD, ~0U, CLOSE_RANGE_CLOEXEC);
	(void)umask(022);
	(void)sigemptyset(&set);
	for (size_t i = 0; i < 5; i++) {
		(void)sigaddset(&set, (const int[]){SIGCHLD, SIGTERM, SIGINT, SIGQUIT, SIGHUP}[i]);
	}
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	start(&in);
	for (;;) {
		int sig = sigwaitinfo(&set, NULL);

		if (sig > 0) {
			handle(&in, sig);
		}
	}
}
