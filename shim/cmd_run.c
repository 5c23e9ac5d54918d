#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/log.h"
#include "lib/paths.h"
#include "shim/bundle.h"
#include "shim/keeper.h"
#include "shim/verbs.h"

enum { READY_FD = 3 };

struct options {
	const char *prefix, *runtime, *runtime_root;
	bool detach;
};

static const struct cli_option table[] = {
	{"detach", 'd', CLI_FLAG, offsetof(struct options, detach), NULL,
		"go to the background when the container runs"},
	{"prefix", 0, CLI_STRING, offsetof(struct options, prefix), "DIR",
		"put all of fief's paths below DIR"},
	{"runtime", 0, CLI_STRING, offsetof(struct options, runtime), "PATH",
		"OCI runtime (default: fief)"},
	{"runtime-root", 0, CLI_STRING, offsetof(struct options, runtime_root), "DIR",
		"its --root"},
	{},
};

static const struct cli cli = {
	.usage = "fief-shim run BUNDLE [options]",
	.about = "Prepares the bundle, runs its container and keeps it until it has ended. In the\n"
		 "foreground the exit status is that of the container, 128 + N after signal N.",
	.options = table,
};

/* The shim's own log, and no descriptor of who started it. */
static int open_own_log(const struct bundle *b, struct err *e)
{
	_cleanup_free_ char *state = NULL, *log = NULL;
	_cleanup_close_ int fd = -1, null = -1;
	char tail[24];
	int r;

	(void)snprintf(tail, sizeof(tail), "%u", b->uid);
	state = path_of(b->prefix, PATH_SHIM_STATE, NULL);
	r = files_mkdir_p(state, 0711, e);
	free(state);
	state = path_of(b->prefix, PATH_SHIM_STATE, tail);
	if (r == 0) {
		r = files_mkdir_p(state, 0755, e);
	}
	if (r < 0) {
		return r;
	}
	(void)snprintf(tail, sizeof(tail), "%u/shim.log", b->uid);
	log = path_of(b->prefix, PATH_SHIM_STATE, tail);
	fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (fd < 0 || null < 0) {
		return err_errno(e, "open '%s'", log);
	}
	if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(fd, 2) < 0) {
		return err_errno(e, "redirect the standard streams");
	}
	return 0;
}

static int exit_status(int r, const struct err *e)
{
	if (r < 0) {
		return log_failure(e);
	}
	return WIFSIGNALED(r) ? 128 + WTERMSIG(r) : WEXITSTATUS(r);
}

[[gnu::noreturn]] static void run_in_background(
	struct keeper_options *options, const struct bundle *b, int ready_fd)
{
	struct err e = {};
	int r;

	(void)setsid();
	/* Whoever started us may wait for the end of a pipe that we would hold open for ever. The
	 * keeper opens the bundle itself. */
	(void)dup3(ready_fd, READY_FD, O_CLOEXEC);
	(void)close_range(READY_FD + 1, ~0U, 0);
	options->ready_fd = READY_FD;
	r = open_own_log(b, &e);
	if (r == 0) {
		r = keeper_run(options, &e);
	}
	if (r < 0) {
		(void)err_send(READY_FD, &e); /* nobody reads a second one */
	}
	_exit(exit_status(r, &e));
}

/* The shim's first word, see struct keeper_options. */
static int hear_ready(int fd, struct err *e)
{
	struct err word = {};
	ssize_t n;

	do {
		n = read(fd, &word, sizeof(word)); /* an err_send() is one write */
	} while (n < 0 && errno == EINTR);
	if (n == 1) {
		return 0;
	}
	if (n != sizeof(word) || word.code <= 0) {
		return err_set(e, -EIO, "the shim ended without a word");
	}
	*e = word;
	return -word.code;
}

static int detach(struct keeper_options *options, const struct bundle *b, struct err *e)
{
	int pair[2], r;
	pid_t pid;

	if (pipe2(pair, O_CLOEXEC) < 0) {
		return err_errno(e, "make a pipe");
	}
	pid = fork();
	if (pid < 0) {
		return err_errno(e, "start the shim");
	}
	if (pid == 0) {
		(void)close(pair[0]);
		run_in_background(options, b, pair[1]);
	}
	(void)close(pair[1]);
	r = hear_ready(pair[0], e);
	(void)close(pair[0]);
	return r;
}

int verb_run([[maybe_unused]] const void *globals, int argc, char **argv)
{
	_cleanup_free_ char *runtime = NULL, *root = NULL;
	_cleanup_bundle_ struct bundle b = {.dir_fd = -1};
	struct options options = {};
	struct err e = {};
	int at = cli_parse(&cli, argc, argv, &options, &e);
	struct keeper_options keeper;

	if (at >= 0 && argc - at != 1) {
		at = err_set(&e, -EINVAL, "exactly one bundle is needed");
	}
	if (at < 0) {
		return cli_failure(&cli, at, &e);
	}
	/* before anything is started, so that a broken bundle is told in the foreground */
	if (bundle_open(argv[at], options.prefix, &b, &e) < 0) {
		return log_failure(&e);
	}
	if (!options.runtime) {
		runtime = path_program("fief", &e);
		if (!runtime) {
			return log_failure(&e);
		}
	}
	root = path_of(options.prefix, PATH_RUNTIME, NULL);
	keeper = (struct keeper_options){.bundle = b.path,
		.prefix = options.prefix,
		.runtime = runtime ? runtime : options.runtime,
		.runtime_root = options.runtime_root ? options.runtime_root : root,
		.ready_fd = -1};
	(void)!chdir("/");
	if (options.detach) {
		return detach(&keeper, &b, &e) < 0 ? log_failure(&e) : 0;
	}
	return exit_status(keeper_run(&keeper, &e), &e);
}
