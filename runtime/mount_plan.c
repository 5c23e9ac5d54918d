#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "runtime/mount_plan.h"
#include "runtime/spec.h"

static enum mount_kind kind_of(const struct mount_step *step)
{
	if (step->options.remount) {
		return MOUNT_ATTRS;
	}
	if (step->options.bind) {
		return MOUNT_TREE;
	}
	if (step->mount->type && (strcmp(step->mount->type, "cgroup") == 0 ||
					 strcmp(step->mount->type, "cgroup2") == 0)) {
		return MOUNT_CGROUP;
	}
	return MOUNT_FS;
}

static int check_step(const struct mount_step *step, struct err *e)
{
	const struct spec_mount *m = step->mount;

	if (step->kind == MOUNT_TREE && (!m->source || !*m->source)) {
		return json_error(e, m->node, "a bind mount needs a source");
	}
	if (step->kind == MOUNT_FS && (!m->type || !*m->type)) {
		return json_error(e, m->node, "type is missing");
	}
	if (step->options.tmpcopyup && (step->kind != MOUNT_FS || strcmp(m->type, "tmpfs") != 0)) {
		return json_error(e, m->node, "tmpcopyup is for tmpfs only");
	}
	return 0;
}

int mount_plan_compute(const struct spec *spec, struct mount_plan *ret, struct err *e)
{
	struct mount_plan plan = {.root = -1, .null_tree = -1};
	int r = 0;

	plan.steps = calloc(spec->mounts.n ? spec->mounts.n : 1, sizeof(*plan.steps));
	if (!plan.steps) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	for (size_t i = 0; i < spec->mounts.n && r == 0; i++) {
		struct mount_step *step = &plan.steps[i];

		step->mount = spec_at(spec->mounts, struct spec_mount, i);
		step->tree = -1;
		plan.n++;
		r = mount_options_parse(step->mount, &step->options, e);
		if (r == 0) {
			step->kind = kind_of(step);
			r = check_step(step, e);
		}
	}
	if (r < 0) {
		mount_plan_done(&plan);
		return r;
	}
	*ret = plan;
	return 0;
}

/* Detached trees keep the propagation of what they were cloned from; what is mounted on them later
 * must not come out on the host. */
static int set_tree_attrs(int tree, const struct mount_options *o, struct err *e)
{
	uint64_t propagation = o->propagation ? o->propagation : MS_PRIVATE;
	struct mount_attr attr = {
		.attr_set = o->attr_set, .attr_clr = o->attr_clear, .propagation = propagation};
	struct mount_attr rec = {.attr_set = o->attr_set_rec, .attr_clr = o->attr_clear_rec};

	if (o->propagation_rec || !o->propagation) {
		rec.propagation = propagation;
		attr.propagation = 0;
	} else if (propagation != MS_SHARED) {
		rec.propagation = MS_SLAVE; /* what lies below is no peer of the host's either */
	}
	if (rec.attr_set || rec.attr_clr || rec.propagation) {
		if (mount_setattr(tree, "", AT_EMPTY_PATH | AT_RECURSIVE, &rec, sizeof(rec)) < 0) {
			return err_errno(e, "set mount attributes");
		}
	}
	if (attr.attr_set || attr.attr_clr || attr.propagation) {
		if (mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0) {
			return err_errno(e, "set mount attributes");
		}
	}
	return 0;
}

static int acquire_step(struct mount_step *step, int bundle_fd, struct err *e)
{
	unsigned flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC;
	struct stat st;
	int r;

	if (step->options.recursive) {
		flags |= AT_RECURSIVE;
	}
	step->tree = open_tree(bundle_fd, step->mount->source, flags);
	if (step->tree < 0) {
		return err_errno(
			e, "mount '%s': open '%s'", step->mount->destination, step->mount->source);
	}
	if (fstat(step->tree, &st) < 0) {
		return err_errno(
			e, "mount '%s': stat '%s'", step->mount->destination, step->mount->source);
	}
	step->on_file = !S_ISDIR(st.st_mode);
	r = set_tree_attrs(step->tree, &step->options, e);
	return r < 0 ? err_wrap(e, r, "mount '%s'", step->mount->destination) : 0;
}

static int acquire_root(
	struct mount_plan *plan, const struct spec *spec, int bundle_fd, struct err *e)
{
	struct mount_options plain = {};
	struct stat st;
	int r;

	plan->root = open_tree(
		bundle_fd, spec->root.path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (plan->root < 0) {
		return err_errno(e, "root file system '%s'", spec->root.path);
	}
	if (fstat(plan->root, &st) < 0 || !S_ISDIR(st.st_mode)) {
		return err_set(
			e, -ENOTDIR, "root file system '%s' is not a directory", spec->root.path);
	}
	if (spec->rootfs_propagation && strstr(spec->rootfs_propagation, "slave")) {
		plain.propagation = MS_SLAVE;
		plain.propagation_rec = true;
	} else if (spec->rootfs_propagation && strstr(spec->rootfs_propagation, "shared")) {
		/* a peer of the host's mount, until pivot_root(2): rootfs.c shares it again */
		plain.propagation = MS_SLAVE;
		plain.propagation_rec = true;
	}
	r = set_tree_attrs(plan->root, &plain, e);
	return r < 0 ? err_wrap(e, r, "root file system '%s'", spec->root.path) : 0;
}

static const struct spec_device defaults[] = {
	{.path = "/dev/null", .type = 'c', .major = 1, .minor = 3},
	{.path = "/dev/zero", .type = 'c', .major = 1, .minor = 5},
	{.path = "/dev/full", .type = 'c', .major = 1, .minor = 7},
	{.path = "/dev/random", .type = 'c', .major = 1, .minor = 8},
	{.path = "/dev/urandom", .type = 'c', .major = 1, .minor = 9},
	{.path = "/dev/tty", .type = 'c', .major = 5, .minor = 0},
};

const struct spec_device *mount_plan_device(const struct spec *spec, size_t i)
{
	if (i < ARRAY_LEN(defaults)) {
		return &defaults[i];
	}
	i -= ARRAY_LEN(defaults);
	return i < spec->device_nodes.n ? spec_at(spec->device_nodes, struct spec_device, i) : NULL;
}

/* A clone of the host's node, checked to be that very device: the path may be something else. */
static int acquire_device(const struct spec_device *d, int *ret, struct err *e)
{
	_cleanup_close_ int tree =
		open_tree(AT_FDCWD, d->path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
	mode_t type = d->type == 'b' ? S_IFBLK : S_IFCHR;
	struct stat st;

	if (tree < 0 || fstat(tree, &st) < 0) {
		return err_errno(e, "device '%s' of the host", d->path);
	}
	if ((st.st_mode & S_IFMT) != type ||
		st.st_rdev != makedev((unsigned)d->major, (unsigned)d->minor)) {
		return err_set(e, -EINVAL, "device '%s' of the host is not %c %d:%d", d->path,
			d->type, (int)d->major, (int)d->minor);
	}
	*ret = take_fd(&tree);
	return 0;
}

static int acquire_devices(struct mount_plan *plan, const struct spec *spec, struct err *e)
{
	size_t n = ARRAY_LEN(defaults) + spec->device_nodes.n;

	plan->device_trees = calloc(n, sizeof(int));
	if (!plan->device_trees) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	for (; plan->device_trees_n < n; plan->device_trees_n++) {
		size_t i = plan->device_trees_n;
		int r;

		plan->device_trees[i] = -1;
		if (mount_plan_device(spec, i)->type == 'p') {
			continue;
		}
		r = acquire_device(mount_plan_device(spec, i), &plan->device_trees[i], e);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

int mount_plan_acquire(
	struct mount_plan *plan, const struct spec *spec, int bundle_fd, struct err *e)
{
	int r = acquire_root(plan, spec, bundle_fd, e);

	for (size_t i = 0; i < plan->n && r == 0; i++) {
		if (plan->steps[i].kind == MOUNT_TREE) {
			r = acquire_step(&plan->steps[i], bundle_fd, e);
		}
	}
	if (r == 0 && spec_namespace(spec, CLONE_NEWUSER)) {
		r = acquire_devices(plan, spec, e); /* no mknod(2) in a user namespace */
	}
	if (r == 0 && spec->masked_paths && spec->masked_paths[0]) {
		r = acquire_device(&defaults[0], &plan->null_tree, e);
	}
	return r;
}

void mount_plan_done(struct mount_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		mount_options_done(&plan->steps[i].options);
		close_fd(&plan->steps[i].tree);
	}
	for (size_t i = 0; i < plan->device_trees_n; i++) {
		close_fd(&plan->device_trees[i]);
	}
	free(plan->steps);
	free(plan->device_trees);
	close_fd(&plan->root);
	close_fd(&plan->null_tree);
	*plan = (struct mount_plan){.root = -1, .null_tree = -1};
}
