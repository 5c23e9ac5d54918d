#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "runtime/commands.h"
#include "runtime/create.h"
#include "runtime/hooks.h"
#include "runtime/spec.h"
#include "runtime/state.h"
#include "runtime/sync.h"

static const struct cli_option options[] = {{}};

static const struct cli cli = {
	.usage = "fief start ID",
	.about = "Runs the program of a created container.",
	.options = options,
};

static int check_status(int dir, const struct state *state, struct err *e)
{
	switch (state_status(dir, state)) {
	case STATUS_CREATED:
		return 0;
	case STATUS_STOPPED:
		return err_set(e, -ESRCH, "cannot start a container that has stopped");
	case STATUS_CREATING:
		return err_set(e, -EAGAIN, "cannot start a container that is being created");
	case STATUS_PAUSED:
	case STATUS_RUNNING:
		return err_set(e, -EALREADY, "cannot start an already running container");
	}
	return -EINVAL;
}

/* Knocks; the end of the stream is the success of exec in the container. */
static int knock(int dir, struct err *e)
{
	_cleanup_close_ int sock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct sync_message m;
	int r;

	(void)snprintf(
		addr.sun_path, sizeof(addr.sun_path), "/proc/self/fd/%d/" STATE_START_SOCKET, dir);
	if (sock < 0 || connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		return err_errno(e, "reach the container's process");
	}
	r = sync_receive(sock, &m, e);
	return r > 0 ? err_set(e, -EPROTO, "unexpected message %d", (int)m.type) : r;
}

static int run_poststart(const struct state *state, struct err *e)
{
	_cleanup_close_ int bundle = open(state->bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_spec_ struct spec *spec = NULL;
	_cleanup_buf_ struct buf text = {};

	if (bundle < 0 || spec_load(bundle, "config.json", &spec, NULL) < 0 ||
		!spec->hooks[HOOK_POSTSTART].n) {
		return 0;
	}
	state_to_json(state, STATUS_RUNNING, false, &text);
	return hooks_run(&spec->hooks[HOOK_POSTSTART], "poststart", buf_slice(&text), e);
}

static int start(int root_fd, int dir, const char *id, struct err *e)
{
	struct state state;
	int r = state_load(dir, &state, e);

	if (r < 0) {
		return r;
	}
	r = check_status(dir, &state, e);
	if (r == 0) {
		r = knock(dir, e);
		(void)unlinkat(dir, STATE_START_SOCKET, 0);
	}
	if (r == 0) {
		r = run_poststart(&state, e);
		if (r < 0) { /* 1.3: an error, and the container is stopped and destroyed */
			(void)container_destroy(root_fd, id, true, NULL);
		}
	}
	state_done(&state);
	return r;
}

int cmd_start(const struct global *global, int argc, char **argv, struct err *e)
{
	_cleanup_close_ int root_fd = -1;
	_cleanup_close_ int dir = -1;
	int at = command_line(&cli, argc, argv, NULL);

	if (at < 0) {
		return command_over(at);
	}
	if (argc - at != 1) {
		return err_set(e, -EINVAL, "start needs exactly one container id");
	}
	root_fd = state_root_open(global->root, e);
	if (root_fd < 0) {
		return root_fd;
	}
	dir = state_dir_open(root_fd, argv[at], e);
	if (dir < 0) {
		return dir;
	}
	if (flock(dir, LOCK_EX) < 0) { /* two starts at once: the second finds it running */
		return err_errno(e, "lock the state of '%s'", argv[at]);
	}
	return start(root_fd, dir, argv[at], e);
}
