#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "runtime/caps.h"
#include "runtime/commands.h"
#include "runtime/exec.h"
#include "runtime/foreground.h"
#include "runtime/spec.h"
#include "runtime/state.h"

struct args {
	const char *process, *cwd, *user, *pid_file, *console_socket;
	const char *apparmor, *process_label;
	struct cli_list env, caps, additional_gids, cgroup;
	bool tty, detach, no_new_privs, ignore_paused, no_subreaper;
	uint32_t preserve_fds;
};

static const struct cli_option options[] = {
	{"process", 'p', CLI_STRING, offsetof(struct args, process), "FILE",
		"the process as JSON, instead of COMMAND"},
	{"cwd", 0, CLI_STRING, offsetof(struct args, cwd), "DIR", "working directory"},
	{"env", 'e', CLI_LIST, offsetof(struct args, env), "NAME=VALUE", "environment, repeatable"},
	{"user", 'u', CLI_STRING, offsetof(struct args, user), "UID[:GID]", "user and group"},
	{"additional-gids", 'g', CLI_LIST, offsetof(struct args, additional_gids), "GID",
		"more groups, repeatable"},
	{"cap", 'c', CLI_LIST, offsetof(struct args, caps), "CAP", "more capabilities, repeatable"},
	{"tty", 't', CLI_FLAG, offsetof(struct args, tty), NULL, "on a terminal of its own"},
	{"detach", 'd', CLI_FLAG, offsetof(struct args, detach), NULL, "do not wait for its end"},
	{"pid-file", 0, CLI_STRING, offsetof(struct args, pid_file), "FILE",
		"write the process id there"},
	{"console-socket", 0, CLI_STRING, offsetof(struct args, console_socket), "PATH",
		"unix socket that receives the terminal"},
	{"no-new-privs", 0, CLI_FLAG, offsetof(struct args, no_new_privs), NULL,
		"set no_new_privs"},
	{"apparmor", 0, CLI_STRING, offsetof(struct args, apparmor), "PROFILE", "AppArmor profile"},
	{"process-label", 0, CLI_STRING, offsetof(struct args, process_label), "LABEL",
		"SELinux label"},
	{"preserve-fds", 0, CLI_U32, offsetof(struct args, preserve_fds), "N",
		"pass N descriptors after stderr on"},
	{"ignore-paused", 0, CLI_FLAG, offsetof(struct args, ignore_paused), NULL,
		"enter a paused container too"},
	{"no-subreaper", 0, CLI_FLAG, offsetof(struct args, no_subreaper), NULL,
		"taken for compatibility"},
	{},
};

static const struct cli cli = {
	.usage = "fief exec [options] ID COMMAND [ARGUMENT...]",
	.about = "Runs one more process in a running container, with the user, capabilities and\n"
		 "limits of its own process unless the options say otherwise.",
	.options = options,
	.stop_at_operand = true,
};

/* "1000", "1000:100": numbers alone, nothing is looked up in the container's files. */
static int set_user(struct spec_process *p, const char *user, struct err *e)
{
	const char *colon = strchr(user, ':');
	unsigned long id;
	char uid[16];
	int r;

	if (snprintf(uid, sizeof(uid), "%.*s", (int)(colon ? colon - user : (long)strlen(user)),
		    user) >= (int)sizeof(uid)) {
		return err_set(e, -EINVAL, "user '%.60s' is not UID[:GID]", user);
	}
	r = cli_number(uid, UINT32_MAX - 1, &id, e);
	if (r < 0) {
		return err_wrap(e, r, "user '%.60s'", user);
	}
	p->uid = (uint32_t)id;
	if (!colon) {
		return 0;
	}
	r = cli_number(colon + 1, UINT32_MAX - 1, &id, e);
	p->gid = (uint32_t)id;
	return r < 0 ? err_wrap(e, r, "user '%.60s'", user) : 0;
}

static int add_gids(struct spec_process *p, const struct cli_list *list, struct err *e)
{
	uint32_t *gids = calloc(list->n + 1, sizeof(*gids));

	if (!gids) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	free(p->gids.items);
	p->gids = (struct spec_vec){.items = gids, .n = list->n};
	for (size_t i = 0; i < list->n; i++) {
		unsigned long id;
		int r = cli_number(list->v[i], UINT32_MAX - 1, &id, e);

		if (r < 0) {
			return err_wrap(e, r, "group");
		}
		gids[i] = (uint32_t)id;
	}
	return 0;
}

/* Inheritable and ambient stay as they are: CVE-2022-29162. */
static int add_caps(struct spec_process *p, const struct cli_list *list, struct err *e)
{
	for (size_t i = 0; i < list->n; i++) {
		int cap = cap_number(list->v[i]);

		if (cap < 0) {
			return err_set(e, -EINVAL, "unknown capability '%s'", list->v[i]);
		}
		p->caps.set = true;
		p->caps.mask[CAP_SET_BOUNDING] |= UINT64_C(1) << cap;
		p->caps.mask[CAP_SET_EFFECTIVE] |= UINT64_C(1) << cap;
		p->caps.mask[CAP_SET_PERMITTED] |= UINT64_C(1) << cap;
	}
	return 0;
}

static int add_env(struct spec_process *p, const struct cli_list *list, struct err *e)
{
	size_t n = 0;
	const char **env;

	while (p->env && p->env[n]) {
		n++;
	}
	env = reallocarray(p->env, n + list->n + 1, sizeof(*env));
	if (!env) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	p->env = env;
	for (size_t i = 0; i < list->n; i++) {
		if (!strchr(list->v[i], '=')) {
			return err_set(
				e, -EINVAL, "environment '%s' is not NAME=VALUE", list->v[i]);
		}
		env[n++] = list->v[i];
	}
	env[n] = NULL;
	return 0;
}

static int set_command(struct spec_process *p, int argc, char **argv, struct err *e)
{
	const char **args = calloc((size_t)argc + 1, sizeof(*args));

	if (!args) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	for (int i = 0; i < argc; i++) {
		args[i] = argv[i];
	}
	free(p->args);
	p->args = args;
	return 0;
}

static int adjust(struct spec_process *p, const struct args *args, struct err *e)
{
	int r = 0;

	p->terminal = args->tty;
	p->no_new_privileges |= args->no_new_privs;
	if (args->cwd) {
		p->cwd = args->cwd;
	}
	if (args->apparmor) {
		p->apparmor_profile = args->apparmor;
	}
	if (args->process_label) {
		p->selinux_label = args->process_label;
	}
	if (args->user) {
		r = set_user(p, args->user, e);
	}
	if (r == 0 && args->additional_gids.n) {
		r = add_gids(p, &args->additional_gids, e);
	}
	if (r == 0 && args->caps.n) {
		r = add_caps(p, &args->caps, e);
	}
	return r == 0 && args->env.n ? add_env(p, &args->env, e) : r;
}

/* The process of the container's own configuration, with another command. */
static int load_base(const struct global *global, const char *id, struct spec **ret, struct err *e)
{
	_cleanup_close_ int root_fd = state_root_open(global->root, e);
	_cleanup_close_ int dir = root_fd < 0 ? root_fd : state_dir_open(root_fd, id, e);
	_cleanup_close_ int bundle = -1;
	struct state state;
	int r;

	if (dir < 0) {
		return dir;
	}
	r = state_load(dir, &state, e);
	if (r < 0) {
		return r;
	}
	bundle = open(state.bundle, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	r = bundle < 0 ? err_errno(e, "bundle '%s'", state.bundle)
		       : spec_load(bundle, "config.json", ret, e);
	state_done(&state);
	if (r == 0 && !(*ret)->process) {
		*ret = spec_free(*ret);
		return err_member(e, -EINVAL, ".process", "is missing");
	}
	return r;
}

static int write_pid_file(const char *path, pid_t pid, struct err *e)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || dprintf(fd, "%d", (int)pid) < 0) {
		return err_errno(e, "pid file '%s'", path);
	}
	return 0;
}

static int execute(const struct global *global, const struct args *args, const char *id,
	const struct spec_process *p, struct err *e)
{
	struct exec_options o = {
		.root = global->root,
		.id = id,
		.process = p,
		.console_socket = args->console_socket,
		.own_terminal = p->terminal && !args->console_socket,
		.preserve_fds = args->preserve_fds,
		.ignore_paused = args->ignore_paused,
	};
	struct executed x;
	int r = 0;

	if (p->terminal && args->detach && !args->console_socket) {
		return err_set(e, -EINVAL,
			"cannot allocate tty if fief will detach without setting console socket");
	}
	if (!args->detach) {
		r = foreground_block(e);
	}
	if (r == 0) {
		r = container_exec(&o, &x, e);
	}
	if (r < 0) {
		return err_wrap(e, r, "exec failed");
	}
	if (args->pid_file) {
		r = write_pid_file(args->pid_file, x.pid, e);
		if (r < 0) { /* nobody would know of it */
			(void)pidfd_send_signal(x.pidfd, SIGKILL, NULL, 0);
			(void)waitid(P_PIDFD, (id_t)x.pidfd, &(siginfo_t){}, WEXITED);
		}
	}
	if (r == 0 && !args->detach) {
		r = foreground_wait(x.pidfd, x.master, e);
	}
	executed_done(&x);
	return r;
}

static int exec_from_file(
	const struct global *global, const struct args *args, const char *id, struct err *e)
{
	_cleanup_json_ struct json_doc *doc = NULL;
	struct spec_process *p = NULL;
	int r = json_load(AT_FDCWD, args->process, NULL, &doc, e);

	if (r == 0) {
		r = spec_process_read(json_root(doc), &p, e);
		r = r < 0 ? err_wrap(e, r, "'%s'", args->process) : 0;
	}
	if (r == 0) {
		p->terminal |= args->tty;
		r = execute(global, args, id, p, e);
	}
	(void)spec_process_free(p);
	return r;
}

static int exec_command(
	const struct global *global, const struct args *args, int argc, char **argv, struct err *e)
{
	_cleanup_spec_ struct spec *spec = NULL;
	int r = load_base(global, argv[0], &spec, e);

	if (r < 0) {
		return err_wrap(e, r, "exec failed");
	}
	r = set_command(spec->process, argc - 1, argv + 1, e);
	if (r == 0) {
		r = adjust(spec->process, args, e);
	}
	return r < 0 ? r : execute(global, args, argv[0], spec->process, e);
}

int cmd_exec(const struct global *global, int argc, char **argv, struct err *e)
{
	struct args args = {};
	int r, at = command_line(&cli, argc, argv, &args);

	if (at < 0) {
		return command_over(at);
	}
	if (argc - at < 1) {
		r = err_set(e, -EINVAL, "exec needs a container id");
	} else if (args.process) {
		r = exec_from_file(global, &args, argv[at], e);
	} else if (argc - at < 2) {
		r = err_set(e, -EINVAL, "exec needs a command");
	} else {
		r = exec_command(global, &args, argc - at, argv + at, e);
	}
	cli_list_done(&args.env);
	cli_list_done(&args.caps);
	cli_list_done(&args.additional_gids);
	cli_list_done(&args.cgroup);
	return r;
}
