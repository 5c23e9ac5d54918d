/* The container's directories of the hierarchies as detached trees, for mounts inside. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/cgroup.h"

int cgroup_trees_open(const struct cgroup *cg, struct cgroup_trees *ret, struct err *e)
{
	struct cgroup_trees trees = {.unified = cg->backend == &cgroup_backend_v2};

	for (size_t i = 0; i < cg->n; i++) {
		struct cgroup_tree *tree = &trees.tree[trees.n];

		memcpy(tree->name, cg->h[i].name, sizeof(tree->name));
		tree->fd = open_tree(
			cg->h[i].dir, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
		if (tree->fd < 0) {
			int r = err_errno(e, "clone cgroup '/%s' of '%s'", cg->path, tree->name);

			cgroup_trees_done(&trees);
			return r;
		}
		trees.n++;
	}
	*ret = trees;
	return 0;
}

void cgroup_trees_done(struct cgroup_trees *trees)
{
	for (size_t i = 0; i < trees->n; i++) {
		close_fd(&trees->tree[i].fd);
	}
	trees->n = 0;
}

int cgroup_link_controllers(int dir, const char *name, struct err *e)
{
	char copy[64], *rest = copy, *controller;

	if (!strchr(name, ',')) {
		return 0;
	}
	(void)snprintf(copy, sizeof(copy), "%s", name);
	while ((controller = strsep(&rest, ","))) {
		if (symlinkat(name, dir, controller) < 0 && errno != EEXIST) {
			return err_errno(e, "make link '%s'", controller);
		}
	}
	return 0;
}
