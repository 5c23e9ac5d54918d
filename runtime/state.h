/*
 * What the runtime knows about a container between two calls: <root>/<id>/, mode 0700.
 *
 *	state.json   written before anything of the container exists, so that after a crash at any
 *	             point `delete --force` finds what is left
 *	start.sock   listening socket of the waiting init; its presence means "created". Until create
 *	             is over its name is new.sock, which means "creating"
 *
 * The pid is trusted only together with its start time (proc(5), /proc/PID/stat field 22).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define STATE_CREATING_SOCKET "new.sock"
#define STATE_START_SOCKET    "start.sock"

struct buf;
struct err;
struct json;
struct json_doc;

enum container_status {
	STATUS_CREATING,
	STATUS_CREATED,
	STATUS_RUNNING,
	STATUS_PAUSED,
	STATUS_STOPPED
};

struct state {
	const char *id, *version, *bundle, *rootfs, *created, *owner, *cgroup_path;
	const struct json *annotations; /* object of strings or NULL */
	pid_t pid;			/* 0 while creating */
	uint64_t start_time;
	bool no_cgroup;
	struct json_doc *doc; /* owned when loaded; the strings are its */
};

/* Opens (and makes, 0711) the root directory. Owned descriptor. */
int state_root_open(const char *root, struct err *e);
int state_check_id(const char *id, struct err *e);
/* Makes the directory of a new container; -EEXIST when the id is taken. Owned descriptor. */
int state_dir_create(int root_fd, const char *id, struct err *e);
/* -ENOENT with "container does not exist". Owned descriptor. */
int state_dir_open(int root_fd, const char *id, struct err *e);
int state_dir_remove(int root_fd, const char *id, struct err *e);

int state_write(int dir, const struct state *state, struct err *e);
int state_load(int dir, struct state *ret, struct err *e);
void state_done(struct state *state);

/* The end of create: `start` may knock from now on. */
int state_set_created(int dir, struct err *e);

enum container_status state_status(int dir, const struct state *state);
const char *state_status_name(enum container_status status);

/* A pidfd of the container's process, checked by start time; -ESRCH when it has ended. Owned. */
int state_open_process(const struct state *state, struct err *e);
/* Start time of a process in clock ticks since boot. */
int process_start_time(pid_t pid, uint64_t *ret);

/* The OCI state JSON (runtime.md "State"), with runc's additional members when `full`. */
void state_to_json(
	const struct state *state, enum container_status status, bool full, struct buf *to);
