#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "runtime/caps.h"
#include "runtime/clone.h"
#include "runtime/console.h"
#include "runtime/create.h"
#include "runtime/hooks.h"
#include "runtime/labels.h"
#include "runtime/launch.h"
#include "runtime/process.h"
#include "runtime/spec.h"
#include "runtime/state.h"
#include "runtime/sync.h"
#include "runtime/sysctl.h"
#include "runtime/systemd.h"

/* All that a creation holds; creation_done() releases what the container does not keep. */
struct creation {
	const struct create_options *o;
	int root_fd, dir, bundle_fd; /* owned */
	char bundle[PATH_MAX], rootfs[PATH_MAX], created[40], owner[16];
	struct spec *spec; /* owned */
	struct launch launch;
	struct state state;
	int sync;	  /* owned; our end */
	int console_near; /* owned; where our own terminal comes in */
	bool made_dir, owns_cgroup;
	struct systemd_unit unit; /* systemd_cgroup */
	struct systemd_scope scope;
	struct child child;
};

static int resolve_bundle(struct creation *c, struct err *e)
{
	const char *bundle = c->o->bundle ? c->o->bundle : ".";
	int n;

	if (!realpath(bundle, c->bundle)) {
		return err_errno(e, "bundle '%s'", bundle);
	}
	c->bundle_fd = open(c->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->bundle_fd < 0) {
		return err_errno(e, "bundle '%s'", bundle);
	}
	if (c->o->config) {
		return spec_load(AT_FDCWD, c->o->config, &c->spec, e);
	}
	n = spec_load(c->bundle_fd, "config.json", &c->spec, e);
	return n < 0 ? err_wrap(e, n, "bundle '%s'", bundle) : 0;
}

static int check_spec(struct creation *c, struct err *e)
{
	const struct spec_process *p = c->spec->process;
	bool terminal = p && p->terminal;
	int n;

	if (terminal && !c->o->console_socket && !c->o->own_terminal) {
		return err_set(e, -EINVAL,
			"cannot allocate tty if fief will detach without setting console socket");
	}
	if (!terminal && c->o->console_socket) {
		return err_set(e, -EINVAL,
			"cannot use console socket if fief will not detach or allocate tty");
	}
	n = c->spec->root.path[0] == '/'
		    ? snprintf(c->rootfs, sizeof(c->rootfs), "%s", c->spec->root.path)
		    : snprintf(
			      c->rootfs, sizeof(c->rootfs), "%s/%s", c->bundle, c->spec->root.path);
	if (n < 0 || (size_t)n >= sizeof(c->rootfs)) {
		return err_code(e, -ENAMETOOLONG, "root file system '%s'", c->spec->root.path);
	}
	n = labels_check(p, c->spec->mount_label, e);
	return n < 0 ? n : sysctl_check(c->spec, e);
}

static void fill_state(struct creation *c)
{
	struct timespec now;
	struct tm tm;
	size_t n;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &tm);
	n = strftime(c->created, sizeof(c->created), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(c->created + n, sizeof(c->created) - n, ".%09ldZ", now.tv_nsec);
	c->state = (struct state){
		.id = c->o->id,
		.version = c->spec->version,
		.bundle = c->bundle,
		.rootfs = c->rootfs,
		.created = c->created,
		.owner = "root",
		.annotations = c->spec->annotations,
		.cgroup_path = c->launch.cgroup.path,
		.no_cgroup = c->o->no_cgroup,
	};
}

static int open_state(struct creation *c, struct err *e)
{
	c->root_fd = state_root_open(c->o->root, e);
	if (c->root_fd < 0) {
		return c->root_fd;
	}
	c->dir = state_dir_create(c->root_fd, c->o->id, e);
	if (c->dir < 0) {
		return c->dir;
	}
	c->made_dir = true;
	if (!c->o->no_cgroup) {
		int r = cgroup_check_unused(&c->launch.cgroup, e);

		if (r < 0) { /* not in the state either: delete empties what is named there */
			return r;
		}
		c->owns_cgroup = true;
	}
	return state_write(c->dir, &c->state, e);
}

static int set_up_cgroup(struct creation *c, struct err *e)
{
	struct launch *l = &c->launch;
	int r;

	if (c->o->no_cgroup) {
		return 0;
	}
	r = c->o->systemd_cgroup ? systemd_scope_start(&c->unit, &c->spec->resources, &c->scope, e)
				 : 0;
	if (r == 0) {
		r = cgroup_create(&l->cgroup, e);
	}
	if (r == 0 && cgroup_frozen(&l->cgroup)) {
		r = err_set(e, -EBUSY, "cgroup '/%s' is frozen", l->cgroup.path);
	}
	if (r == 0) {
		r = cgroup_apply(&l->cgroup, &c->spec->resources, e);
	}
	l->use_cgroup = r == 0;
	return r;
}

static bool wants_cgroup_trees(const struct launch *l)
{
	for (size_t i = 0; i < l->plan.n; i++) {
		if (l->plan.steps[i].kind == MOUNT_CGROUP) {
			return l->use_cgroup;
		}
	}
	return false;
}

/* Where `start` knocks, under a name that says that nobody may knock yet. Bound through the directory's
 * descriptor: no length limit, no races. */
static int make_listener(struct creation *c, struct err *e)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	_cleanup_close_ int sock = -1;

	if (c->o->run) {
		return 0;
	}
	sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	(void)snprintf(addr.sun_path, sizeof(addr.sun_path),
		"/proc/self/fd/%d/" STATE_CREATING_SOCKET, c->dir);
	if (sock < 0 || bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
		listen(sock, 1) < 0) {
		return err_errno(e, "make 'start.sock'");
	}
	c->launch.start_listener = take_fd(&sock);
	return 0;
}

static int open_console(struct creation *c, struct err *e)
{
	int pair[2];

	if (c->o->console_socket) {
		c->launch.console = console_connect(c->o->console_socket, e);
		return c->launch.console < 0 ? c->launch.console : 0;
	}
	if (!c->o->own_terminal || !c->spec->process || !c->spec->process->terminal) {
		return 0;
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		return err_errno(e, "make a socket pair");
	}
	c->console_near = pair[0];
	c->launch.console = pair[1];
	return 0;
}

static int open_cgroup(struct creation *c, struct err *e)
{
	const char *path = c->spec->cgroups_path;
	int r = 0;

	if (c->o->systemd_cgroup) {
		r = systemd_unit_of(path, c->o->id, &c->unit, e);
		path = c->unit.path;
	}
	return r < 0 ? r : cgroup_open(&c->launch.cgroup, path, c->o->id, e);
}

static int prepare(struct creation *c, struct err *e)
{
	struct launch *l = &c->launch;
	int r = resolve_bundle(c, e);

	if (r == 0) {
		r = check_spec(c, e);
	}
	if (r == 0) {
		r = mount_plan_compute(c->spec, &l->plan, e);
	}
	if (r == 0 && !c->o->no_cgroup) {
		r = open_cgroup(c, e);
	}
	if (r == 0) {
		r = namespaces_open(c->spec, &l->namespaces, e);
	}
	if (r == 0 && c->spec->seccomp) {
		r = seccomp_compile(c->spec->seccomp, &l->seccomp, e);
	}
	if (r == 0) {
		r = mount_plan_acquire(&l->plan, c->spec, c->bundle_fd, e);
	}
	if (r == 0) {
		r = open_console(c, e);
	}
	return r;
}

/* What leaves traces on the host; from here on a failure is undone. */
static int establish(struct creation *c, struct err *e)
{
	struct launch *l = &c->launch;
	int r;

	fill_state(c);
	r = open_state(c, e);
	if (r == 0) {
		r = set_up_cgroup(c, e);
	}
	if (r == 0 && wants_cgroup_trees(l)) {
		r = cgroup_trees_open(&l->cgroup, &l->trees, e);
	}
	return r < 0 ? r : make_listener(c, e);
}

static int clone_init(struct creation *c, struct err *e)
{
	struct launch *l = &c->launch;
	struct clone_request request = {
		.flags = l->namespaces.clone_flags,
		.user_fd = l->namespaces.user_fd,
		.pid_fd = l->namespaces.pid_fd,
		.cgroup_fd = l->use_cgroup ? cgroup_clone_fd(&l->cgroup) : -1,
	};
	int fds[2], r;

	r = sync_pair(fds, e);
	if (r < 0) {
		return r;
	}
	c->sync = fds[0];
	l->sync = fds[1];
	l->spec = c->spec;
	l->state = &c->state;
	if (l->use_cgroup && namespaces_visits(&l->namespaces, CLONE_NEWCGROUP)) {
		request.cgroup_fd = -1;
		r = cgroup_open_procs(&l->cgroup, e);
	}
	if (r == 0) {
		r = namespaces_visit(&l->namespaces, e);
	}
	if (r == 0) {
		r = clone_child(&request, &c->child, e);
	}
	if (r == CLONE_IN_CHILD) {
		close_fd(&c->sync);
		init_run(l);
	}
	close_fd(&l->sync);
	return r < 0 ? r : namespaces_return(&l->namespaces, e);
}

static int record_process(struct creation *c, struct err *e)
{
	c->state.pid = c->child.pid;
	if (process_start_time(c->child.pid, &c->state.start_time) < 0) {
		return err_set(e, -ESRCH, "the container's first process ended at once");
	}
	return state_write(c->dir, &c->state, e);
}

static int prepare_process(struct creation *c, struct err *e)
{
	const struct spec *spec = c->spec;
	int r = record_process(c, e);

	if (r == 0 && (c->launch.namespaces.clone_flags & CLONE_NEWUSER)) {
		r = namespaces_write_maps(c->child.pid, spec, e);
	}
	if (r == 0 && spec->process) {
		r = process_set_oom_score(c->child.pid, spec->process, e);
	}
	if (r == 0 && spec->process) {
		r = process_raise_rlimits(c->child.pid, spec->process, e);
	}
	if (r == 0) {
		r = sync_send(c->sync, SYNC_GO, 0);
	}
	return r;
}

static int run_runtime_hooks(struct creation *c, struct err *e)
{
	_cleanup_buf_ struct buf text = {};
	int r;

	state_to_json(&c->state, STATUS_CREATING, false, &text);
	r = hooks_run(&c->spec->hooks[HOOK_PRESTART], "prestart", buf_slice(&text), e);
	if (r == 0) {
		r = hooks_run(
			&c->spec->hooks[HOOK_CREATE_RUNTIME], "createRuntime", buf_slice(&text), e);
	}
	return r < 0 ? r : sync_send(c->sync, SYNC_GO, 0);
}

/* Follows the child until it is ready for its program. */
static int follow(struct creation *c, struct err *e)
{
	struct sync_message m = {};
	int r = prepare_process(c, e);

	while (r == 0 && m.type != SYNC_READY) {
		r = sync_receive(c->sync, &m, e);
		if (r == 0) {
			return err_set(e, -ECHILD,
				"the container's first process was killed while it "
				"was set up (memory limit too low?)");
		}
		if (r > 0) {
			r = m.type == SYNC_HOOKS ? run_runtime_hooks(c, e) : 0;
		}
	}
	if (r == 0) {
		caps_warn_missing((uint64_t)m.value);
	}
	return r < 0 ? r : sync_send(c->sync, SYNC_GO, 0);
}

/* The child ends its part of the channel when it no longer depends on us; only then may we exit. */
static int await_detached(struct creation *c, struct err *e)
{
	struct sync_message m;
	int r;

	if (c->o->run) {
		return 0;
	}
	r = sync_receive(c->sync, &m, e);
	return r > 0 ? err_set(e, -EPROTO, "unexpected message %d", (int)m.type) : r;
}

static int write_pid_file(const struct creation *c, struct err *e)
{
	char text[16], dir[PATH_MAX];
	const char *slash, *path = c->o->pid_file;
	_cleanup_close_ int fd = -1;
	int n = snprintf(text, sizeof(text), "%d", (int)c->child.pid);

	if (!path) {
		return 0;
	}
	slash = strrchr(path, '/');
	(void)snprintf(
		dir, sizeof(dir), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		return err_errno(e, "pid file '%s'", path);
	}
	return files_replace(
		fd, slash ? slash + 1 : path, 0644, (struct slice){.p = text, .n = (size_t)n}, e);
}

static int bring_up(struct creation *c, struct err *e)
{
	int r = clone_init(c, e);

	if (r == 0) {
		r = follow(c, e);
	}
	if (r == 0) {
		r = await_detached(c, e);
	}
	if (r == 0) {
		r = write_pid_file(c, e);
	}
	return r == 0 && !c->o->run ? state_set_created(c->dir, e) : r;
}

static void undo(struct creation *c)
{
	systemd_scope_release(&c->scope);
	if (c->child.pidfd >= 0) {
		(void)pidfd_send_signal(c->child.pidfd, SIGKILL, NULL, 0);
		(void)waitid(P_PIDFD, (id_t)c->child.pidfd, &(siginfo_t){}, WEXITED);
	}
	if (c->made_dir) {
		if (c->owns_cgroup) {
			(void)cgroup_remove(&c->launch.cgroup, NULL);
		}
		(void)state_dir_remove(c->root_fd, c->o->id, NULL);
	}
}

static void creation_done(struct creation *c)
{
	struct launch *l = &c->launch;

	systemd_scope_release(&c->scope);
	mount_plan_done(&l->plan);
	namespaces_done(&l->namespaces);
	cgroup_trees_done(&l->trees);
	cgroup_done(&l->cgroup);
	seccomp_program_done(&l->seccomp);
	close_fd(&l->start_listener);
	close_fd(&l->console);
	close_fd(&c->console_near);
	close_fd(&c->root_fd);
	close_fd(&c->dir);
	close_fd(&c->bundle_fd);
	close_fd(&c->sync);
	close_fd(&c->child.pidfd);
	c->spec = spec_free(c->spec);
}

int container_create(const struct create_options *o, struct created *ret, struct err *e)
{
	struct creation c = {.o = o,
		.root_fd = -1,
		.dir = -1,
		.bundle_fd = -1,
		.sync = -1,
		.console_near = -1,
		.child = {.pidfd = -1},
		.scope = SYSTEMD_SCOPE_NONE,
		.launch = {.sync = -1,
			.start_listener = -1,
			.console = -1,
			.preserve_fds = o->preserve_fds,
			.new_keyring = !o->no_new_keyring,
			.plan = {.root = -1, .null_tree = -1},
			.namespaces = {.user_fd = -1, .pid_fd = -1, .mount_fd = -1}}};
	int master = -1;
	int r = state_check_id(o->id, e);

	if (r == 0) {
		r = process_check_preserved(o->preserve_fds, e);
	}
	if (r == 0) {
		r = prepare(&c, e);
	}
	if (r == 0) {
		r = establish(&c, e);
	}
	if (r == 0) {
		r = bring_up(&c, e);
	}
	if (r == 0 && c.console_near >= 0) {
		master = console_receive(c.console_near, e);
		r = master < 0 ? master : 0;
	}
	if (r < 0) {
		undo(&c);
	} else {
		*ret = (struct created){.pid = c.child.pid,
			.pidfd = take_fd(&c.child.pidfd),
			.sync = take_fd(&c.sync),
			.master = master,
			.spec = take_ptr(&c.spec)};
		if (c.owns_cgroup) {
			ret->cgroup = c.launch.cgroup;
			c.launch.cgroup.n = 0;
		}
	}
	creation_done(&c);
	return r < 0 ? r : 0;
}

void created_done(struct created *c)
{
	close_fd(&c->pidfd);
	close_fd(&c->sync);
	close_fd(&c->master);
	cgroup_done(&c->cgroup);
	c->spec = spec_free(c->spec);
}

int container_end(const struct create_options *o, struct created *c, struct err *e)
{
	_cleanup_close_ int root_fd = -1;
	int r;

	if (c->spec->hooks[HOOK_POSTSTOP].n) {
		root_fd = state_root_open(o->root, e);
		return root_fd < 0 ? root_fd : container_destroy(root_fd, o->id, true, e);
	}
	r = cgroup_remove(&c->cgroup, e);
	if (r < 0) {
		return r;
	}
	root_fd = state_root_open(o->root, e);
	return root_fd < 0 ? root_fd : state_dir_remove(root_fd, o->id, e);
}

int container_await_exec(const struct create_options *o, struct created *c, struct err *e)
{
	_cleanup_close_ int root_fd = -1;
	_cleanup_close_ int dir = -1;
	_cleanup_buf_ struct buf text = {};
	struct sync_message m;
	struct state state;
	int r = sync_receive(c->sync, &m, e);

	if (r == 0 && c->spec->hooks[HOOK_POSTSTART].n) {
		root_fd = state_root_open(o->root, e);
		dir = root_fd < 0 ? root_fd : state_dir_open(root_fd, o->id, e);
		r = dir < 0 ? dir : state_load(dir, &state, e);
		if (r == 0) {
			state_to_json(&state, STATUS_RUNNING, false, &text);
			r = hooks_run(
				&c->spec->hooks[HOOK_POSTSTART], "poststart", buf_slice(&text), e);
			state_done(&state);
		}
	}
	return r;
}
