#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "runtime/cgroup.h"
#include "runtime/state.h"

int state_root_open(const char *root, struct err *e)
{
	int fd, r;

	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		return fd;
	}
	r = files_mkdir_p(root, 0711, e);
	if (r < 0) {
		return r;
	}
	fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_errno(e, "open '%s'", root) : fd;
}

int state_check_id(const char *id, struct err *e)
{
	size_t n = strlen(id);
	bool good = n > 0 && n <= 255 && strcmp(id, ".") != 0 && strcmp(id, "..") != 0;

	for (size_t i = 0; i < n && good; i++) {
		good = isalnum((unsigned char)id[i]) || strchr("_+-.", id[i]);
	}
	return good ? 0 : err_set(e, -EINVAL, "invalid container ID format: '%.100s'", id);
}

int state_dir_create(int root_fd, const char *id, struct err *e)
{
	int fd, r = state_check_id(id, e);

	if (r < 0) {
		return r;
	}
	if (mkdirat(root_fd, id, 0700) < 0) {
		return errno == EEXIST ? err_set(e, -EEXIST,
						 "container with given ID already exists: '%s'", id)
				       : err_errno(e, "make state directory of '%s'", id);
	}
	fd = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_errno(e, "open state directory of '%s'", id) : fd;
}

int state_dir_open(int root_fd, const char *id, struct err *e)
{
	int fd, r = state_check_id(id, e);

	if (r < 0) {
		return r;
	}
	fd = openat(root_fd, id, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 && errno == ENOENT) {
		return err_set(e, -ENOENT, "container does not exist: '%s'", id);
	}
	return fd < 0 ? err_errno(e, "open state directory of '%s'", id) : fd;
}

int state_dir_remove(int root_fd, const char *id, struct err *e)
{
	return files_remove_tree(root_fd, id, e);
}

/* The members of the state specification; both the file and the answer begin with them. */
static void put_common(struct json_out *o, const struct state *s, const char *status)
{
	json_out_str(o, "ociVersion", s->version);
	json_out_str(o, "id", s->id);
	if (status) {
		json_out_str(o, "status", status);
	}
	json_out_i64(o, "pid", s->pid);
	json_out_str(o, "bundle", s->bundle);
	if (s->annotations && s->annotations->count) {
		json_out_value(o, "annotations", s->annotations);
	}
}

static void put_extra(struct json_out *o, const struct state *s)
{
	json_out_str(o, "rootfs", s->rootfs);
	json_out_str(o, "created", s->created);
	json_out_str(o, "owner", s->owner);
}

void state_to_json(
	const struct state *state, enum container_status status, bool full, struct buf *to)
{
	struct state shown = *state;
	struct json_out o = {.to = to, .indent = full};

	if (status == STATUS_STOPPED) {
		shown.pid = 0;
	}
	json_out_object(&o, NULL);
	put_common(&o, &shown, state_status_name(status));
	if (full) {
		put_extra(&o, &shown);
	}
	json_out_object_end(&o);
}

int state_write(int dir, const struct state *state, struct err *e)
{
	_cleanup_buf_ struct buf text = {};
	struct json_out o = {.to = &text};

	json_out_object(&o, NULL);
	put_common(&o, state, NULL);
	put_extra(&o, state);
	json_out_u64(&o, "startTime", state->start_time);
	json_out_str(&o, "cgroupPath", state->cgroup_path ? state->cgroup_path : "");
	json_out_bool(&o, "noCgroup", state->no_cgroup);
	json_out_object_end(&o);
	if (buf_failed(&text)) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	return files_replace(dir, "state.json", 0600, buf_slice(&text), e);
}

int state_load(int dir, struct state *ret, struct err *e)
{
	static const struct json_field fields[] = {
		{"ociVersion", json_read_str, offsetof(struct state, version), JSON_REQUIRED},
		{"id", json_read_str, offsetof(struct state, id), JSON_REQUIRED},
		{"pid", json_read_int, offsetof(struct state, pid), JSON_REQUIRED},
		{"bundle", json_read_str, offsetof(struct state, bundle), JSON_REQUIRED},
		{"annotations", json_read_object_node, offsetof(struct state, annotations),
			JSON_OPTIONAL},
		{"rootfs", json_read_str, offsetof(struct state, rootfs), JSON_REQUIRED},
		{"created", json_read_str, offsetof(struct state, created), JSON_REQUIRED},
		{"owner", json_read_str, offsetof(struct state, owner), JSON_REQUIRED},
		{"startTime", json_read_u64, offsetof(struct state, start_time), JSON_REQUIRED},
		{"cgroupPath", json_read_str, offsetof(struct state, cgroup_path), JSON_REQUIRED},
		{"noCgroup", json_read_bool, offsetof(struct state, no_cgroup), JSON_OPTIONAL},
		{},
	};
	struct state state = {};
	int r = json_load(dir, "state.json", NULL, &state.doc, e);

	if (r < 0) {
		return r;
	}
	r = json_read(json_root(state.doc), fields, JSON_UNKNOWN_ALLOWED, &state, e);
	if (r < 0) {
		state_done(&state);
		return err_wrap(e, r, "'state.json'");
	}
	*ret = state;
	return 0;
}

void state_done(struct state *state)
{
	state->doc = json_doc_free(state->doc);
}

static int read_stat(pid_t pid, char *process_state, uint64_t *start_time)
{
	_cleanup_buf_ struct buf text = {};
	char path[32], *at;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (files_read(AT_FDCWD, path, 4096, &text, NULL) < 0 || !buf_str(&text)) {
		return -ESRCH;
	}
	at = strrchr(text.p, ')'); /* the name may hold anything, blanks and brackets too */
	if (!at || at[1] != ' ') {
		return -ESRCH;
	}
	*process_state = at[2];
	at += 2;
	for (int field = 3; field < 22 && at; field++) {
		at = strchr(at + 1, ' ');
	}
	if (!at) {
		return -ESRCH;
	}
	*start_time = strtoull(at, NULL, 10);
	return 0;
}

int process_start_time(pid_t pid, uint64_t *ret)
{
	char process_state;

	return read_stat(pid, &process_state, ret);
}

static bool alive(const struct state *state)
{
	char process_state;
	uint64_t start_time;

	return state->pid > 0 && read_stat(state->pid, &process_state, &start_time) == 0 &&
	       start_time == state->start_time && process_state != 'Z' && process_state != 'X';
}

int state_set_created(int dir, struct err *e)
{
	return renameat(dir, STATE_CREATING_SOCKET, dir, STATE_START_SOCKET) < 0
		       ? err_errno(e, "name 'start.sock'")
		       : 0;
}

enum container_status state_status(int dir, const struct state *state)
{
	if (state->pid == 0) {
		return STATUS_CREATING;
	}
	if (!alive(state)) {
		return STATUS_STOPPED;
	}
	if (!state->no_cgroup && cgroup_path_frozen(state->cgroup_path)) {
		return STATUS_PAUSED;
	}
	if (faccessat(dir, STATE_START_SOCKET, F_OK, 0) == 0) {
		return STATUS_CREATED;
	}
	return faccessat(dir, STATE_CREATING_SOCKET, F_OK, 0) == 0 ? STATUS_CREATING
								   : STATUS_RUNNING;
}

const char *state_status_name(enum container_status status)
{
	static const char *const names[] = {
		[STATUS_CREATING] = "creating",
		[STATUS_CREATED] = "created",
		[STATUS_RUNNING] = "running",
		[STATUS_PAUSED] = "paused",
		[STATUS_STOPPED] = "stopped",
	};

	return names[status];
}

int state_open_process(const struct state *state, struct err *e)
{
	_cleanup_close_ int fd = state->pid > 0 ? pidfd_open(state->pid, 0) : -1;

	/* Opened first and compared after: the pid cannot be reused once the descriptor holds it. */
	if (fd < 0 || !alive(state)) {
		return err_set(e, -ESRCH, "container not running");
	}
	return take_fd(&fd);
}
