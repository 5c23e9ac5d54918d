#include <errno.h>
#include <sys/file.h>

#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "runtime/commands.h"
#include "runtime/create.h"
#include "runtime/state.h"

struct args {
	bool force;
};

static const struct cli_option options[] = {
	{"force", 'f', CLI_FLAG, offsetof(struct args, force), NULL,
		"kill it if it runs; one that does not exist is deleted already"},
	{},
};

static const struct cli cli = {
	.usage = "fief delete [options] ID",
	.about = "Deletes a container with all that it holds on the host.",
	.options = options,
};

static int check_status(int dir, const char *id, struct err *e)
{
	enum container_status status;
	struct state state;

	if (state_load(dir, &state, NULL) < 0) {
		return 0; /* never came to life */
	}
	status = state_status(dir, &state);
	state_done(&state);
	/* a created one may be deleted, as with runc */
	if (status != STATUS_STOPPED && status != STATUS_CREATED) {
		return err_set(e, -EBUSY, "cannot delete container %s that is not stopped: %s", id,
			state_status_name(status));
	}
	return 0;
}

int cmd_delete(const struct global *global, int argc, char **argv, struct err *e)
{
	_cleanup_close_ int root_fd = -1;
	_cleanup_close_ int dir = -1;
	struct args args = {};
	int r, at = command_line(&cli, argc, argv, &args);

	if (at < 0) {
		return command_over(at);
	}
	if (argc - at != 1) {
		return err_set(e, -EINVAL, "delete needs exactly one container id");
	}
	root_fd = state_root_open(global->root, e);
	dir = root_fd < 0 ? root_fd : state_dir_open(root_fd, argv[at], e);
	if (dir == -ENOENT && args.force) {
		return 0;
	}
	if (dir < 0) {
		return dir;
	}
	if (flock(dir, LOCK_EX) < 0) {
		return err_errno(e, "lock the state of '%s'", argv[at]);
	}
	r = args.force ? 0 : check_status(dir, argv[at], e);
	return r < 0 ? r : container_destroy(root_fd, argv[at], true, e);
}
