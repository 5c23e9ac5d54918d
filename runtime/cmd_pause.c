/* pause and resume: two sides of one thing. */
#include <errno.h>

#include "lib/cli.h"
#include "lib/err.h"
#include "runtime/cgroup.h"
#include "runtime/commands.h"
#include "runtime/target.h"

static const struct cli_option options[] = {{}};

static const struct cli pause_cli = {
	.usage = "fief pause ID",
	.about = "Stops all processes of a container where they are.",
	.options = options,
};

static const struct cli resume_cli = {
	.usage = "fief resume ID",
	.about = "Lets a paused container go on.",
	.options = options,
};

static int check_status(enum container_status status, bool frozen, struct err *e)
{
	if (frozen && status != STATUS_RUNNING && status != STATUS_CREATED) {
		return err_set(e, -EINVAL, "container not running or created: %s",
			state_status_name(status));
	}
	return !frozen && status != STATUS_PAUSED ? err_set(e, -EINVAL, "container not paused") : 0;
}

static int freeze(
	const struct cli *cli, const struct global *global, int argc, char **argv, struct err *e)
{
	_cleanup_target_ struct target t = TARGET_NONE;
	bool frozen = cli == &pause_cli;
	int r, at = command_line(cli, argc, argv, NULL);
	struct cgroup cg;

	if (at < 0) {
		return command_over(at);
	}
	if (argc - at != 1) {
		return err_set(e, -EINVAL, "%s needs exactly one container id", argv[0]);
	}
	r = target_open(global, argv[at], &t, e);
	if (r == 0) {
		r = check_status(state_status(t.dir, &t.state), frozen, e);
	}
	if (r == 0) {
		r = target_cgroup(&t, &cg, e);
	}
	if (r == 0) {
		r = cgroup_freeze(&cg, frozen, e);
		cgroup_done(&cg);
	}
	return r;
}

int cmd_pause(const struct global *global, int argc, char **argv, struct err *e)
{
	return freeze(&pause_cli, global, argc, argv, e);
}

int cmd_resume(const struct global *global, int argc, char **argv, struct err *e)
{
	return freeze(&resume_cli, global, argc, argv, e);
}
