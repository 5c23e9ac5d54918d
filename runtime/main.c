/*
 * fief, an OCI runtime with runc's command line. Runs as root (rootless use comes with its own
 * issue), for the time of one verb; trusts its caller and the bundle's owner, not the image, nor
 * anything that runs in a container.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/paths.h"
#include "runtime/commands.h"
#include "runtime/seal.h"

enum { EXEC_FAILED = 255 }; /* as runc's exec: not to be confused with the program's own status */

static const struct command {
	const char *name;
	command_fn *run;
	bool enters; /* a process of this binary enters the container */
	int failure; /* exit status */
	const char *about;
} commands[] = {
	{"create", cmd_create, true, 1, "create a container"},
	{"delete", cmd_delete, false, 1, "delete a container and what it holds"},
	{"exec", cmd_exec, true, EXEC_FAILED, "run one more process in a container"},
	{"features", cmd_features, false, 1, "print what this runtime can do"},
	{"kill", cmd_kill, false, 1, "send a signal to a container's process"},
	{"list", cmd_list, false, 1, "list the containers"},
	{"pause", cmd_pause, false, 1, "stop a container's processes where they are"},
	{"ps", cmd_ps, false, 1, "show the processes of a container"},
	{"resume", cmd_resume, false, 1, "let a paused container go on"},
	{"run", cmd_run, true, 1, "create and start a container"},
	{"spec", cmd_spec, false, 1, "write an example config.json"},
	{"start", cmd_start, false, 1, "start a created container"},
	{"state", cmd_state, false, 1, "print the state of a container"},
	{"update", cmd_update, false, 1, "change the limits of a container"},
};

static const struct cli_option options[] = {
	{"root", 0, CLI_STRING, offsetof(struct global, root), "DIR",
		"where states are kept (/run/fief/runtime)"},
	{"log", 0, CLI_STRING, offsetof(struct global, log), "FILE", "append errors to FILE"},
	{"log-format", 0, CLI_STRING, offsetof(struct global, log_format), "text|json",
		"format of --log"},
	{"debug", 0, CLI_FLAG, offsetof(struct global, debug), NULL, "log more"},
	{"cgroup-manager", 0, CLI_STRING, offsetof(struct global, cgroup_manager),
		"cgroupfs|disabled", "who makes the cgroup; disabled: nobody"},
	{"systemd-cgroup", 0, CLI_FLAG, offsetof(struct global, systemd_cgroup), NULL,
		"let systemd make the cgroup"},
	{"rootless", 0, CLI_STRING, offsetof(struct global, rootless), "auto|true|false",
		"taken for compatibility"},
	{"criu", 0, CLI_STRING, offsetof(struct global, criu), "PATH", "taken for compatibility"},
	{"version", 'v', CLI_FLAG, offsetof(struct global, version), NULL, "print the version"},
	{},
};

static const struct cli cli = {
	.usage = "fief [options] COMMAND [options] [arguments]",
	.about = "Runs containers as the Open Container Initiative specifies them.\n\n"
		 "commands:\n"
		 "  create, start, run, exec, kill, delete, state, list, ps,\n"
		 "  pause, resume, update, spec, features\n"
		 "  (fief COMMAND --help tells more)",
	.options = options,
	.stop_at_operand = true,
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (strcmp(commands[i].name, name) == 0) {
			return &commands[i];
		}
	}
	return NULL;
}

int command_line(const struct cli *verb, int argc, char **argv, void *into)
{
	struct err e = {};
	int r = cli_parse(verb, argc, argv, into, &e);

	return r < 0 ? -1 - cli_failure(verb, r, &e) : r;
}

/* podman reads the log file with one JSON decode: it must hold one object and nothing else. */
static void put_json(struct buf *line, const struct err *e, const char *when)
{
	struct json_out o = {.to = line};

	json_out_object(&o, NULL);
	json_out_str(&o, "level", "error");
	json_out_str(&o, "msg", e->msg);
	json_out_str(&o, "time", when);
	if (e->member[0]) {
		json_out_str(&o, "member", e->member);
	}
	json_out_object_end(&o);
	buf_put_str(line, "\n");
}

static void append_log(const struct global *global, const struct err *e)
{
	_cleanup_close_ int fd = open(global->log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	_cleanup_buf_ struct buf line = {};
	char when[32];
	struct tm tm;
	time_t now = time(NULL);

	(void)gmtime_r(&now, &tm);
	(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (global->log_format && strcmp(global->log_format, "json") == 0) {
		put_json(&line, e, when);
	} else {
		buf_putf(&line, "time=\"%s\" level=error msg=\"%s\"\n", when, e->msg);
	}
	if (fd >= 0) {
		(void)files_write_all(fd, buf_slice(&line));
	}
}

static int report(const struct global *global, const struct command *command, const struct err *e)
{
	if (global->log && *global->log) {
		append_log(global, e);
	}
	(void)log_failure(e);
	return command->failure;
}

bool global_no_cgroup(const struct global *global)
{
	return global->cgroup_manager && strcmp(global->cgroup_manager, "disabled") == 0;
}

static int check_global(const struct global *global, struct err *e)
{
	if (global->systemd_cgroup && access("/run/systemd/system", F_OK) < 0) {
		return err_set(e, -ENOTSUP, "--systemd-cgroup: systemd does not run here");
	}
	if (global->cgroup_manager && strcmp(global->cgroup_manager, "cgroupfs") != 0 &&
		!global_no_cgroup(global)) {
		return err_set(e, -ENOTSUP, "cgroup manager '%s' is neither cgroupfs nor disabled",
			global->cgroup_manager);
	}
	if (global->log_format && strcmp(global->log_format, "json") != 0 &&
		strcmp(global->log_format, "text") != 0) {
		return err_set(
			e, -EINVAL, "log format '%s' is neither text nor json", global->log_format);
	}
	return 0;
}

static int run(const struct global *global, const struct command *command, int argc, char **argv,
	char **all, struct err *e)
{
	int r = check_global(global, e);

	if (r == 0 && command->enters) {
		r = seal_self(all, e);
	}
	return r < 0 ? r : command->run(global, argc, argv, e);
}

int main(int argc, char **argv)
{
	struct global global = {};
	const struct command *command;
	struct err e = {};
	_cleanup_free_ char *root = NULL;
	int r;

	log_set_name("fief");
	(void)umask(022); /* modes of what is made must not depend on the caller */
	r = cli_parse(&cli, argc, argv, &global, &e);
	if (r < 0) {
		return cli_failure(&cli, r, &e);
	}
	if (global.version) {
		printf("fief version " FIEF_VERSION "\nspec: 1.3.0\n");
		return 0;
	}
	if (r == argc) {
		cli_print_help(&cli);
		return 0;
	}
	command = find_command(argv[r]);
	if (!command) {
		(void)err_set(&e, -EINVAL, "unknown command '%s'", argv[r]);
		return cli_failure(&cli, -EINVAL, &e);
	}
	if (global.debug) {
		log_set_level(LOG_LEVEL_DEBUG);
	}
	root = path_of(NULL, PATH_RUNTIME, NULL);
	global.root = global.root && *global.root ? global.root : root;
	r = run(&global, command, argc - r, argv + r, argv, &e);
	return r < 0 ? report(&global, command, &e) : r;
}
