/*
 * The cgroup of a container, on whatever the host has: v1, hybrid or v2.
 *
 * A back-end is one table of functions (struct cgroup_backend): cgroup_v1.c, cgroup_v2.c. On v1 every
 * hierarchy of the host gets a directory of the same path; on a hybrid host the v2 tree at "unified"
 * is one hierarchy more. All work goes through descriptors of the hierarchies' roots, beneath which
 * the path is resolved without links, so a hostile cgroupsPath cannot leave them.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct buf;
struct err;
struct spec_resources;

enum { CGROUP_HIERARCHIES_MAX = 16 };

struct cgroup_hierarchy {
	char name[64]; /* directory below /sys/fs/cgroup: "cpu,cpuacct", "unified"; "" on v2 */
	char own[256]; /* path of the calling process in it, begins with '/' */
	bool v2;
	int root;  /* owned; directory of the mount */
	int dir;   /* owned; the container's directory, -1 before cgroup_create() */
	int tasks; /* owned; what cgroup_join() writes to: v1's "tasks", or -1 */
};

struct cgroup {
	const struct cgroup_backend *backend;
	struct cgroup_hierarchy h[CGROUP_HIERARCHIES_MAX];
	size_t n;
	char path[512]; /* the container's, without leading '/'; per hierarchy the same */
};

struct cgroup_backend {
	const char *name;
	/* Makes the directories; `tasks` and `dir` are open afterwards. */
	int (*create)(struct cgroup *cg, struct err *e);
	int (*apply)(const struct cgroup *cg, const struct spec_resources *r, struct err *e);
	/* Every process in it gets the signal. */
	int (*kill)(const struct cgroup *cg, int signal, struct err *e);
};
extern const struct cgroup_backend cgroup_backend_v1, cgroup_backend_v2;

/* Finds the host's hierarchies and computes the container's path: `asked` is cgroupsPath or NULL, a
 * relative one and the default (`id`) lie beneath the caller's own cgroup. */
int cgroup_open(struct cgroup *cg, const char *asked, const char *id, struct err *e);
/* The same for a path that was computed by cgroup_open() earlier. Missing directories are no error. */
int cgroup_reopen(struct cgroup *cg, const char *path, struct err *e);
/* Before cgroup_create(): -EBUSY when the cgroup is there already and holds processes. */
int cgroup_check_unused(const struct cgroup *cg, struct err *e);
void cgroup_done(struct cgroup *cg);

int cgroup_create(struct cgroup *cg, struct err *e);
int cgroup_apply(const struct cgroup *cg, const struct spec_resources *r, struct err *e);
/* Opens the directories of an existing cgroup to join. -ENOENT when it is gone, -EBUSY when it is
 * frozen: a process that joins that would hang. */
int cgroup_open_existing(struct cgroup *cg, struct err *e);
/* Kills what is left and removes the directories; waits, with a deadline, for the kernel. */
int cgroup_remove(struct cgroup *cg, struct err *e);

/* For clone3(CLONE_INTO_CGROUP): the v2 directory, or -1 when processes join by cgroup_join(). */
int cgroup_clone_fd(const struct cgroup *cg);
/* Lets cgroup_join() join v2 too, for a clone that cannot: where cgroup namespaces are boundaries of
 * delegation (nsdelegate, as systemd mounts it) the kernel refuses the clone of a process that is in a
 * namespace outside of which the cgroup lies. For writes the namespace of this open() counts. */
int cgroup_open_procs(struct cgroup *cg, struct err *e);
/* Called by the single-threaded child for itself: writes "0" to each v1 `tasks` file, for which the
 * kernel does not take the lock that costs an RCU grace period (as writing a pid would). */
int cgroup_join(const struct cgroup *cg, struct err *e);

/* Calls on_pid for every process in the cgroup and below it. */
int cgroup_each_pid(
	const struct cgroup *cg, void (*on_pid)(pid_t pid, void *ctx), void *ctx, struct err *e);
/* Stops all processes where they are, or lets them go on; waits until it is so. */
int cgroup_freeze(const struct cgroup *cg, bool frozen, struct err *e);
/* 1 when frozen. */
int cgroup_frozen(const struct cgroup *cg);
/* The same for a path, without opening every hierarchy. */
int cgroup_path_frozen(const char *path);

/* The container's part of the hierarchies, as detached trees to mount inside. */
struct cgroup_tree {
	char name[64];
	int fd; /* owned */
};
struct cgroup_trees {
	struct cgroup_tree tree[CGROUP_HIERARCHIES_MAX];
	size_t n;
	bool unified; /* v2 alone: tree[0] is it */
};
int cgroup_trees_open(const struct cgroup *cg, struct cgroup_trees *ret, struct err *e);
void cgroup_trees_done(struct cgroup_trees *trees);
/* Makes the links "cpu" and "cpuacct" for a hierarchy "cpu,cpuacct" in the directory. */
int cgroup_link_controllers(int dir, const char *name, struct err *e);

/* A cgroupsPath must stay beneath the base: "." and ".." are refused. */
int cgroup_check_path(const char *path, struct err *e);
/* cpu.weight of v2, 1..10000, for cpu.shares of v1, 2..262144. */
int64_t cgroup_weight_of_shares(uint64_t shares);

/* Shared by the back-ends: writes a value to a file of the directory; the message names the file. */
int cgroup_write(int dir, const char *file, const char *value, struct err *e);
/* The same for a number. */
int cgroup_write_i64(int dir, const char *file, int64_t value, struct err *e);
