#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "runtime/cgroup.h"
#include "runtime/commands.h"
#include "runtime/target.h"

struct args {
	const char *format;
};

static const struct cli_option options[] = {
	{"format", 'f', CLI_STRING, offsetof(struct args, format), "table|json", "output format"},
	{},
};

static const struct cli cli = {
	.usage = "fief ps [options] ID [OPTION OF PS...]",
	.about = "Shows the processes of a container, as ps(1) of the host sees them (-ef).",
	.options = options,
	.stop_at_operand = true,
};

struct pids {
	pid_t *v; /* owned */
	size_t n;
};

static void add_pid(pid_t pid, void *ctx)
{
	struct pids *pids = ctx;
	pid_t *v = reallocarray(pids->v, pids->n + 1, sizeof(*v));

	if (v) {
		pids->v = v;
		v[pids->n++] = pid;
	}
}

static void print_json(const struct pids *pids)
{
	_cleanup_buf_ struct buf text = {};
	struct json_out o = {.to = &text};

	json_out_array(&o, NULL);
	for (size_t i = 0; i < pids->n; i++) {
		json_out_i64(&o, NULL, pids->v[i]);
	}
	json_out_array_end(&o);
	buf_put_str(&text, "\n");
	(void)files_write_all(STDOUT_FILENO, buf_slice(&text));
}

static bool has(const struct pids *pids, long pid)
{
	for (size_t i = 0; i < pids->n; i++) {
		if (pids->v[i] == pid) {
			return true;
		}
	}
	return false;
}

/* The n-th word of a line as a number. */
static long number_at(const char *line, int n)
{
	line += strspn(line, " \t");
	while (n-- > 0) {
		line += strcspn(line, " \t");
		line += strspn(line, " \t");
	}
	return strtol(line, NULL, 10);
}

/* Which word of the heading is PID; -1: none. */
static int pid_column(char *heading)
{
	char *rest = heading, *word;
	int n = 0;

	while ((word = strsep(&rest, " \t\n"))) {
		if (strcmp(word, "PID") == 0) {
			return n;
		}
		n += *word != '\0';
	}
	return -1;
}

static int filter(FILE *from, const struct pids *pids, struct err *e)
{
	_cleanup_free_ char *line = NULL;
	_cleanup_free_ char *heading = NULL;
	size_t size = 0;
	int column;

	if (getline(&line, &size, from) < 0 || !(heading = strdup(line))) {
		return err_set(e, -EIO, "ps says nothing");
	}
	column = pid_column(heading);
	if (column < 0) {
		return err_set(e, -EINVAL, "ps prints no column PID");
	}
	(void)fputs(line, stdout);
	while (getline(&line, &size, from) >= 0) {
		if (has(pids, number_at(line, column))) {
			(void)fputs(line, stdout);
		}
	}
	return 0;
}

static int run_ps(char **argv, const struct pids *pids, struct err *e)
{
	static char name[] = "ps", all[] = "-ef";
	char *defaults[] = {name, all, NULL};
	_cleanup_free_ char **args = NULL;
	int out[2], status, r, n = 0;
	FILE *from;
	pid_t pid;

	while (argv[n]) {
		n++;
	}
	args = calloc((size_t)n + 2, sizeof(*args));
	if (!args || pipe2(out, O_CLOEXEC) < 0) {
		return err_errno(e, "run ps");
	}
	args[0] = name;
	memcpy(args + 1, argv, (size_t)n * sizeof(*args));
	pid = fork();
	if (pid == 0) {
		(void)dup2(out[1], STDOUT_FILENO);
		(void)execvp(name, n ? args : defaults);
		_exit(127);
	}
	close_fd(&out[1]);
	from = pid < 0 ? NULL : fdopen(out[0], "r");
	if (!from) {
		close_fd(&out[0]);
		return err_errno(e, "run ps");
	}
	r = filter(from, pids, e);
	(void)fclose(from);
	(void)waitpid(pid, &status, 0);
	return r;
}

static int print(const struct pids *pids, const struct args *args, char **argv, struct err *e)
{
	if (args->format && strcmp(args->format, "json") == 0) {
		print_json(pids);
		return 0;
	}
	if (args->format && strcmp(args->format, "table") != 0) {
		return err_set(e, -EINVAL, "format '%s' is neither table nor json", args->format);
	}
	return run_ps(argv, pids, e);
}

int cmd_ps(const struct global *global, int argc, char **argv, struct err *e)
{
	_cleanup_target_ struct target t = TARGET_NONE;
	struct args args = {};
	struct pids pids = {};
	int r, at = command_line(&cli, argc, argv, &args);
	struct cgroup cg;

	if (at < 0) {
		return command_over(at);
	}
	if (at == argc) {
		return err_set(e, -EINVAL, "ps needs a container id");
	}
	r = target_open(global, argv[at], &t, e);
	if (r == 0) {
		r = target_cgroup(&t, &cg, e);
	}
	if (r < 0) {
		return r;
	}
	r = cgroup_each_pid(&cg, add_pid, &pids, e);
	cgroup_done(&cg);
	if (r == 0) {
		r = print(&pids, &args, argv + at + 1, e);
	}
	free(pids.v);
	return r;
}
