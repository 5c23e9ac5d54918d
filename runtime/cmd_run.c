#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <stdint.h>

#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/log.h"
#include "runtime/commands.h"
#include "runtime/create.h"
#include "runtime/foreground.h"
#include "runtime/spec.h"
#include "runtime/state.h"

struct args {
	struct create_options o;
	bool detach, keep, no_subreaper, no_pivot;
	uint32_t preserve_fds;
};

static const struct cli_option options[] = {
	{"bundle", 'b', CLI_STRING, offsetof(struct args, o.bundle), "DIR", "the bundle (.)"},
	{"config", 0, CLI_STRING, offsetof(struct args, o.config), "FILE",
		"configuration instead of the bundle's config.json"},
	{"console-socket", 0, CLI_STRING, offsetof(struct args, o.console_socket), "PATH",
		"unix socket that receives the terminal"},
	{"detach", 'd', CLI_FLAG, offsetof(struct args, detach), NULL, "do not wait for its end"},
	{"keep", 0, CLI_FLAG, offsetof(struct args, keep), NULL, "do not delete it at its end"},
	{"pid-file", 0, CLI_STRING, offsetof(struct args, o.pid_file), "FILE",
		"write the process id there"},
	{"no-subreaper", 0, CLI_FLAG, offsetof(struct args, no_subreaper), NULL,
		"do not reap orphans"},
	{"no-pivot", 0, CLI_FLAG, offsetof(struct args, no_pivot), NULL, "taken for compatibility"},
	{"no-new-keyring", 0, CLI_FLAG, offsetof(struct args, o.no_new_keyring), NULL,
		"share the session keyring of the caller"},
	{"preserve-fds", 0, CLI_U32, offsetof(struct args, preserve_fds), "N",
		"pass N descriptors after stderr on"},
	{},
};

static const struct cli cli = {
	.usage = "fief run [options] ID",
	.about = "Creates a container from a bundle and runs its program.",
	.options = options,
};

static void destroy(const struct args *args)
{
	_cleanup_close_ int root_fd = state_root_open(args->o.root, NULL);
	struct err e = {};

	if (root_fd >= 0 && container_destroy(root_fd, args->o.id, true, &e) < 0) {
		log_warning("%s", e.msg);
	}
}

static int follow(struct args *args, struct created *created, struct err *e)
{
	int r = container_await_exec(&args->o, created, e);
	struct err failure = {};

	if (r < 0) {
		(void)pidfd_send_signal(created->pidfd, SIGKILL, NULL, 0);
		destroy(args);
		return r;
	}
	if (args->detach) {
		return 0;
	}
	r = foreground_wait(created->pidfd, created->master, e);
	if (!args->keep && container_end(&args->o, created, &failure) < 0) {
		log_warning("%s", failure.msg);
	}
	return r;
}

int cmd_run(const struct global *global, int argc, char **argv, struct err *e)
{
	struct args args = {.o = {.root = global->root, .run = true}};
	int at = command_line(&cli, argc, argv, &args);
	struct created created;
	int r = 0;

	if (at < 0) {
		return command_over(at);
	}
	if (argc - at != 1) {
		return err_set(e, -EINVAL, "run needs exactly one container id");
	}
	args.o.id = argv[at];
	args.o.no_cgroup = global_no_cgroup(global);
	args.o.systemd_cgroup = global->systemd_cgroup;
	args.o.preserve_fds = args.preserve_fds;
	args.o.own_terminal = !args.detach && !args.o.console_socket;
	if (!args.detach) {
		if (!args.no_subreaper) {
			(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
		}
		r = foreground_block(e);
	}
	if (r == 0) {
		r = container_create(&args.o, &created, e);
	}
	if (r < 0) {
		return r;
	}
	r = follow(&args, &created, e);
	created_done(&created);
	return r;
}
