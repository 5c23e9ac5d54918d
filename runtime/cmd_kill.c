#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "runtime/cgroup.h"
#include "runtime/commands.h"
#include "runtime/target.h"

struct args {
	bool all;
};

static const struct cli_option options[] = {
	{"all", 'a', CLI_FLAG, offsetof(struct args, all), NULL, "to every process of its cgroup"},
	{},
};

static const struct cli cli = {
	.usage = "fief kill [options] ID [SIGNAL]",
	.about = "Sends a signal (default: TERM) to a container's process.",
	.options = options,
};

int signal_number(const char *name, struct err *e)
{
	const char *bare = strncasecmp(name, "SIG", 3) == 0 ? name + 3 : name;
	unsigned long n;

	if (isdigit((unsigned char)name[0])) {
		return cli_number(name, (unsigned long)SIGRTMAX, &n, NULL) == 0 && n > 0
			       ? (int)n
			       : err_set(e, -EINVAL, "unknown signal \"%s\"", name);
	}
	for (int sig = 1; sig < NSIG; sig++) {
		const char *abbrev = sigabbrev_np(sig);

		if (abbrev && strcasecmp(abbrev, bare) == 0) {
			return sig;
		}
	}
	if (strncasecmp(bare, "RTMIN+", 6) == 0 && cli_number(bare + 6, 30, &n, NULL) == 0) {
		return SIGRTMIN + (int)n;
	}
	return err_set(e, -EINVAL, "unknown signal \"%s\"", name);
}

static int kill_all(const struct state *state, int signal, struct err *e)
{
	struct cgroup cg;
	int r = cgroup_reopen(&cg, state->cgroup_path, e);

	if (r == 0) {
		r = cg.backend->kill(&cg, signal, e);
		cgroup_done(&cg);
	}
	return r;
}

static int send_signal(const struct state *state, int signal, bool all, struct err *e)
{
	_cleanup_close_ int pidfd = -1;

	if (all && !state->no_cgroup) {
		return kill_all(state, signal, e);
	}
	pidfd = state_open_process(state, e);
	if (pidfd < 0) {
		return pidfd;
	}
	if (pidfd_send_signal(pidfd, signal, NULL, 0) < 0) {
		return errno == ESRCH ? err_set(e, -ESRCH, "container not running")
				      : err_errno(e, "send signal %d", signal);
	}
	return 0;
}

int cmd_kill(const struct global *global, int argc, char **argv, struct err *e)
{
	_cleanup_target_ struct target t = TARGET_NONE;
	struct args args = {};
	int r, signal, at = command_line(&cli, argc, argv, &args);

	if (at < 0) {
		return command_over(at);
	}
	if (argc - at < 1 || argc - at > 2) {
		return err_set(e, -EINVAL, "kill needs a container id and at most one signal");
	}
	signal = argc - at == 2 ? signal_number(argv[at + 1], e) : SIGTERM;
	if (signal < 0) {
		return signal;
	}
	r = target_open(global, argv[at], &t, e);
	return r < 0 ? r : send_signal(&t.state, signal, args.all, e);
}
