/*
 * A controller's directory is the mount point of its hierarchy (/proc/self/mountinfo) plus the path
 * in /proc/PID/cgroup. Both files are the kernel's; the mount points are root's.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "shim/cgroup_watch.h"

enum { PROC_MAX = 4 << 20, COUNTERS_MAX = 4096, RECHECK_MSEC = 200 };

/* Takes the next line off the text; false at its end. */
static bool next_line(struct slice *text, struct slice *ret)
{
	const char *end;

	if (!text->n) {
		return false;
	}
	end = memchr(text->p, '\n', text->n);
	ret->p = text->p;
	ret->n = end ? (size_t)(end - text->p) : text->n;
	*text = slice_skip(*text, ret->n + 1);
	return true;
}

/* Takes the next piece up to `sep` off the text. */
static struct slice next_piece(struct slice *text, char sep)
{
	const char *end = text->n ? memchr(text->p, sep, text->n) : NULL;
	struct slice piece = {.p = text->p, .n = end ? (size_t)(end - text->p) : text->n};

	*text = slice_skip(*text, piece.n + 1);
	return piece;
}

static bool list_has(struct slice list, struct slice name)
{
	while (list.n) {
		if (slice_eq(next_piece(&list, ','), name)) {
			return true;
		}
	}
	return false;
}

/* The path of the process in the hierarchy of `controller`, "" for that of v2. */
static bool find_path(struct slice text, struct slice controller, struct slice *ret)
{
	struct slice line;

	while (next_line(&text, &line)) {
		struct slice controllers;

		(void)next_piece(&line, ':');
		controllers = next_piece(&line, ':');
		if (controller.n ? list_has(controllers, controller) : controllers.n == 0) {
			*ret = line;
			return true;
		}
	}
	return false;
}

/* The mount point of a hierarchy in mountinfo (proc_pid_mountinfo(5)). */
static bool find_mount(struct slice text, struct slice controller, struct slice *ret)
{
	struct slice line;

	while (next_line(&text, &line)) {
		struct slice at, root, type, options;

		for (int i = 0; i < 3; i++) {
			(void)next_piece(&line, ' ');
		}
		root = next_piece(&line, ' ');
		at = next_piece(&line, ' ');
		while (line.n && !slice_eq(next_piece(&line, ' '), SLICE("-"))) {
		}
		type = next_piece(&line, ' ');
		(void)next_piece(&line, ' ');
		options = line;
		if (!slice_eq(root, SLICE("/"))) {
			continue; /* a part of the hierarchy, as a container sees it */
		}
		if (controller.n ? slice_eq(type, SLICE("cgroup")) && list_has(options, controller)
				 : slice_eq(type, SLICE("cgroup2"))) {
			*ret = at;
			return true;
		}
	}
	return false;
}

static int open_controller(
	struct slice mounts, struct slice paths, struct slice controller, struct err *e)
{
	_cleanup_free_ char *path = NULL;
	struct slice mount, tail;
	int fd;

	if (!find_path(paths, controller, &tail) || !find_mount(mounts, controller, &mount)) {
		return -ENOENT;
	}
	if (asprintf(&path, "%.*s%.*s", (int)mount.n, mount.p, (int)tail.n, tail.p) < 0) {
		path = NULL;
		return err_set(e, -ENOMEM, "out of memory");
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_errno(e, "open cgroup '%s'", path) : fd;
}

/* The number after `key` in a file of "key number" lines, 0 when it is not there. */
static uint64_t read_counter(int dir_fd, const char *file, struct slice key)
{
	_cleanup_buf_ struct buf text = {};
	struct slice all, line;

	if (dir_fd < 0 || files_read(dir_fd, file, COUNTERS_MAX, &text, NULL) < 0) {
		return 0;
	}
	buf_put_u8(&text, 0); /* ends the last number */
	all = buf_slice(&text);
	while (next_line(&all, &line)) {
		if (slice_eq(next_piece(&line, ' '), key) && line.n) {
			return strtoull(line.p, NULL, 10);
		}
	}
	return 0;
}

static bool raise_to(uint64_t *counter, uint64_t now)
{
	bool grew = now > *counter;

	*counter = grew ? now : *counter;
	return grew;
}

void cgroup_watch_read(struct cgroup_watch *watch)
{
	const char *file = watch->unified ? "memory.events" : "memory.oom_control";
	bool grew;

	if (!watch->loop) {
		return;
	}
	grew = raise_to(&watch->oom_kills, read_counter(watch->memory_fd, file, SLICE("oom_kill")));
	if (raise_to(
		    &watch->pids_hits, read_counter(watch->pids_fd, "pids.events", SLICE("max")))) {
		grew = true;
	}
	if (grew) {
		watch->on_change(watch);
	}
}

static void swallow(int fd)
{
	char events[4096];

	while (read(fd, events, sizeof(events)) > 0) {
	}
}

static void on_inotify(struct loop_io *io, [[maybe_unused]] uint32_t epoll_events)
{
	swallow(io->fd);
	cgroup_watch_read(loop_owner(io, struct cgroup_watch, inotify));
}

static void on_recheck(struct loop_timer *timer)
{
	cgroup_watch_read(loop_owner(timer, struct cgroup_watch, recheck));
}

/* v1 tells when memory ran out, which is before the kill that follows is counted. */
static void on_eventfd(struct loop_io *io, [[maybe_unused]] uint32_t epoll_events)
{
	struct cgroup_watch *watch = loop_owner(io, struct cgroup_watch, eventfd);

	swallow(io->fd);
	cgroup_watch_read(watch);
	(void)loop_timer_set(watch->loop, &watch->recheck, RECHECK_MSEC * USEC_PER_MSEC);
}

static int watch_file(struct cgroup_watch *watch, int dir_fd, const char *file, struct err *e)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", dir_fd, file);
	if (inotify_add_watch(watch->inotify.fd, path, IN_MODIFY) < 0) {
		return err_errno(e, "watch '%s' of the cgroup", file);
	}
	return 0;
}

/* cgroup v1: memory.oom_control tells of an OOM by an eventfd, not by a change of the file. */
static int watch_oom_control(struct cgroup_watch *watch, struct err *e)
{
	_cleanup_close_ int control =
		openat(watch->memory_fd, "memory.oom_control", O_RDONLY | O_CLOEXEC);
	char line[32];

	watch->eventfd.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (control < 0 || watch->eventfd.fd < 0) {
		return err_errno(e, "watch 'memory.oom_control' of the cgroup");
	}
	(void)snprintf(line, sizeof(line), "%d %d", watch->eventfd.fd, control);
	return files_write_control(watch->memory_fd, "cgroup.event_control", line, e);
}

static int open_dirs(struct cgroup_watch *watch, pid_t pid, struct err *e)
{
	_cleanup_buf_ struct buf mounts = {}, paths = {};
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/cgroup", (int)pid);
	r = files_read(AT_FDCWD, path, PROC_MAX, &paths, e);
	if (r == 0) {
		r = files_read(AT_FDCWD, "/proc/self/mountinfo", PROC_MAX, &mounts, e);
	}
	if (r < 0) {
		return r;
	}
	watch->memory_fd =
		open_controller(buf_slice(&mounts), buf_slice(&paths), SLICE("memory"), e);
	watch->pids_fd = open_controller(buf_slice(&mounts), buf_slice(&paths), SLICE("pids"), e);
	watch->unified = watch->memory_fd < 0;
	if (watch->memory_fd < 0) {
		watch->memory_fd =
			open_controller(buf_slice(&mounts), buf_slice(&paths), SLICE(""), e);
	}
	if (watch->pids_fd < 0 && watch->unified && watch->memory_fd >= 0) {
		watch->pids_fd = fcntl(watch->memory_fd, F_DUPFD_CLOEXEC, 3);
	}
	return watch->memory_fd < 0 ? err_set(e, -ENOENT, "no memory cgroup of pid %d", (int)pid)
				    : 0;
}

int cgroup_watch_start(struct cgroup_watch *watch, struct loop *loop, pid_t pid, struct err *e)
{
	int r;

	*watch = (struct cgroup_watch){.on_change = watch->on_change,
		.loop = loop,
		.memory_fd = -1,
		.pids_fd = -1,
		.inotify = {.fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK), .on_ready = on_inotify},
		.eventfd = {.fd = -1, .on_ready = on_eventfd},
		.recheck = {.on_expire = on_recheck}};
	if (watch->inotify.fd < 0) {
		return err_errno(e, "make an inotify instance");
	}
	r = open_dirs(watch, pid, e);
	if (r == 0) {
		r = watch->unified ? watch_file(watch, watch->memory_fd, "memory.events", e)
				   : watch_oom_control(watch, e);
	}
	if (r == 0 && watch->pids_fd >= 0) {
		r = watch_file(watch, watch->pids_fd, "pids.events", e);
	}
	if (r == 0) {
		r = loop_watch(loop, &watch->inotify, EPOLLIN, e);
	}
	if (r == 0 && watch->eventfd.fd >= 0) {
		r = loop_watch(loop, &watch->eventfd, EPOLLIN, e);
	}
	if (r < 0) {
		cgroup_watch_stop(watch);
	}
	return r;
}

void cgroup_watch_stop(struct cgroup_watch *watch)
{
	if (!watch->loop) {
		return;
	}
	loop_unwatch(watch->loop, &watch->inotify);
	loop_unwatch(watch->loop, &watch->eventfd);
	loop_timer_clear(watch->loop, &watch->recheck);
	close_fd(&watch->inotify.fd);
	close_fd(&watch->eventfd.fd);
	close_fd(&watch->memory_fd);
	close_fd(&watch->pids_fd);
	watch->loop = NULL;
}
