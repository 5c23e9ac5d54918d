#include <errno.h>
#include <stdint.h>

#include "lib/cli.h"
#include "lib/err.h"
#include "runtime/commands.h"
#include "runtime/create.h"

struct args {
	struct create_options o;
	bool no_pivot;
	uint32_t preserve_fds;
};

static const struct cli_option options[] = {
	{"bundle", 'b', CLI_STRING, offsetof(struct args, o.bundle), "DIR", "the bundle (.)"},
	{"config", 0, CLI_STRING, offsetof(struct args, o.config), "FILE",
		"configuration instead of the bundle's config.json"},
	{"console-socket", 0, CLI_STRING, offsetof(struct args, o.console_socket), "PATH",
		"unix socket that receives the terminal"},
	{"pid-file", 0, CLI_STRING, offsetof(struct args, o.pid_file), "FILE",
		"write the process id there"},
	{"no-pivot", 0, CLI_FLAG, offsetof(struct args, no_pivot), NULL, "taken for compatibility"},
	{"no-new-keyring", 0, CLI_FLAG, offsetof(struct args, o.no_new_keyring), NULL,
		"share the session keyring of the caller"},
	{"preserve-fds", 0, CLI_U32, offsetof(struct args, preserve_fds), "N",
		"pass N descriptors after stderr on"},
	{},
};

static const struct cli cli = {
	.usage = "fief create [options] ID",
	.about = "Creates a container from a bundle; `fief start` runs its program.",
	.options = options,
};

int cmd_create(const struct global *global, int argc, char **argv, struct err *e)
{
	struct args args = {.o = {.root = global->root}};
	int at = command_line(&cli, argc, argv, &args);
	struct created created;
	int r;

	if (at < 0) {
		return command_over(at);
	}
	if (argc - at != 1) {
		return err_set(e, -EINVAL, "create needs exactly one container id");
	}
	args.o.id = argv[at];
	args.o.no_cgroup = global_no_cgroup(global);
	args.o.systemd_cgroup = global->systemd_cgroup;
	args.o.preserve_fds = args.preserve_fds;
	r = container_create(&args.o, &created, e);
	if (r < 0) {
		return r;
	}
	created_done(&created);
	return 0;
}
