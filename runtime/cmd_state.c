#include <errno.h>
#include <stdio.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/commands.h"
#include "runtime/state.h"

static const struct cli_option options[] = {{}};

static const struct cli cli = {
	.usage = "fief state ID",
	.about = "Prints the state of a container as JSON.",
	.options = options,
};

int cmd_state(const struct global *global, int argc, char **argv, struct err *e)
{
	_cleanup_close_ int root_fd = -1;
	_cleanup_close_ int dir = -1;
	_cleanup_buf_ struct buf text = {};
	int r, at = command_line(&cli, argc, argv, NULL);
	struct state state;

	if (at < 0) {
		return command_over(at);
	}
	if (argc - at != 1) {
		return err_set(e, -EINVAL, "state needs exactly one container id");
	}
	root_fd = state_root_open(global->root, e);
	dir = root_fd < 0 ? root_fd : state_dir_open(root_fd, argv[at], e);
	if (dir < 0) {
		return dir;
	}
	r = state_load(dir, &state, e);
	if (r < 0) {
		return r;
	}
	state_to_json(&state, state_status(dir, &state), true, &text);
	state_done(&state);
	return files_write_all(1, buf_slice(&text));
}
