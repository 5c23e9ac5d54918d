/*
 * The freezer: v2's cgroup.freeze, v1's freezer controller. Both act in the background; these wait
 * for the effect, with a deadline, and thaw again when it does not come.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/cgroup.h"

enum { FREEZE_DEADLINE_MSEC = 10'000 };

static const struct cgroup_hierarchy *freezer_of(const struct cgroup *cg)
{
	const struct cgroup_hierarchy *found = NULL;

	for (size_t i = 0; i < cg->n; i++) {
		const struct cgroup_hierarchy *h = &cg->h[i];

		if (h->dir >= 0 && (strcmp(h->name, "freezer") == 0 || (h->v2 && !found))) {
			found = h; /* v1's own, else v2's, which hybrid hosts have too */
		}
	}
	return found;
}

static bool is_settled(const struct cgroup_hierarchy *h, bool frozen)
{
	const char *file = h->v2 ? "cgroup.events" : "freezer.state";
	const char *want = h->v2    ? (frozen ? "frozen 1" : "frozen 0")
			   : frozen ? "FROZEN"
				    : "THAWED";
	_cleanup_buf_ struct buf text = {};

	return files_read(h->dir, file, 4096, &text, NULL) == 0 && buf_str(&text) &&
	       strstr(text.p, want);
}

static int settle(const struct cgroup_hierarchy *h, bool frozen)
{
	struct timespec pause = {.tv_nsec = 100'000};
	long waited = 0; /* microseconds */

	while (!is_settled(h, frozen)) {
		if (waited > FREEZE_DEADLINE_MSEC * 1000L) {
			return -ETIMEDOUT;
		}
		(void)nanosleep(&pause, NULL);
		waited += pause.tv_nsec / 1000;
		pause.tv_nsec = pause.tv_nsec < 20'000'000 ? pause.tv_nsec * 2 : pause.tv_nsec;
	}
	return 0;
}

static int set(const struct cgroup_hierarchy *h, bool frozen, struct err *e)
{
	return h->v2 ? cgroup_write(h->dir, "cgroup.freeze", frozen ? "1" : "0", e)
		     : cgroup_write(h->dir, "freezer.state", frozen ? "FROZEN" : "THAWED", e);
}

int cgroup_freeze(const struct cgroup *cg, bool frozen, struct err *e)
{
	const struct cgroup_hierarchy *h = freezer_of(cg);
	int r;

	if (!h) {
		return err_set(e, -ENOENT, "cgroup '/%s' has no freezer", cg->path);
	}
	r = set(h, frozen, e);
	if (r < 0) {
		return r;
	}
	r = settle(h, frozen);
	if (r < 0 && frozen) {
		(void)set(h, false, NULL); /* half frozen is worse than running */
	}
	return r < 0 ? err_set(e, r, "cgroup '/%s' does not %s within %d seconds", cg->path,
			       frozen ? "freeze" : "thaw", FREEZE_DEADLINE_MSEC / 1000)
		     : 0;
}
