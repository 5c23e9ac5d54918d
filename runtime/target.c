#include <errno.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/cgroup.h"
#include "runtime/commands.h"
#include "runtime/target.h"

int target_open(const struct global *global, const char *id, struct target *ret, struct err *e)
{
	_cleanup_target_ struct target t = TARGET_NONE;
	int r;

	t.root_fd = state_root_open(global->root, e);
	if (t.root_fd < 0) {
		return t.root_fd;
	}
	t.dir = state_dir_open(t.root_fd, id, e);
	if (t.dir < 0) {
		return t.dir;
	}
	r = state_load(t.dir, &t.state, e);
	if (r < 0) {
		return r;
	}
	*ret = t;
	t = TARGET_NONE;
	return 0;
}

void target_done(struct target *t)
{
	close_fd(&t->root_fd);
	close_fd(&t->dir);
	state_done(&t->state);
}

int target_cgroup(const struct target *t, struct cgroup *ret, struct err *e)
{
	if (t->state.no_cgroup) {
		return err_set(e, -ENOENT, "container '%s' has no cgroup of its own", t->state.id);
	}
	return cgroup_reopen(ret, t->state.cgroup_path, e);
}
