#include <errno.h>
#include <stdio.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/commands.h"
#include "runtime/target.h"

static const struct cli_option options[] = {{}};

static const struct cli cli = {
	.usage = "fief state ID",
	.about = "Prints the state of a container as JSON.",
	.options = options,
};

int cmd_state(const struct global *global, int argc, char **argv, struct err *e)
{
	_cleanup_target_ struct target t = TARGET_NONE;
	_cleanup_buf_ struct buf text = {};
	int r, at = command_line(&cli, argc, argv, NULL);

	if (at < 0) {
		return command_over(at);
	}
	if (argc - at != 1) {
		return err_set(e, -EINVAL, "state needs exactly one container id");
	}
	r = target_open(global, argv[at], &t, e);
	if (r < 0) {
		return r;
	}
	state_to_json(&t.state, state_status(t.dir, &t.state), true, &text);
	return files_write_all(1, buf_slice(&text));
}
