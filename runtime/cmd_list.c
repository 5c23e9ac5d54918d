#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "runtime/commands.h"
#include "runtime/state.h"

struct args {
	const char *format;
	bool quiet;
};

static const struct cli_option options[] = {
	{"format", 'f', CLI_STRING, offsetof(struct args, format), "table|json", "output format"},
	{"quiet", 'q', CLI_FLAG, offsetof(struct args, quiet), NULL, "ids only"},
	{},
};

static const struct cli cli = {
	.usage = "fief list [options]",
	.about = "Lists the containers of this root.",
	.options = options,
};

struct entry {
	struct state state;
	enum container_status status;
};

struct entries {
	struct entry *v; /* owned */
	size_t n;
};

static void entries_done(struct entries *all)
{
	for (size_t i = 0; i < all->n; i++) {
		state_done(&all->v[i].state);
	}
	free(all->v);
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct entry *)a)->state.id, ((const struct entry *)b)->state.id);
}

static int add(struct entries *all, int root_fd, const char *id, struct err *e)
{
	_cleanup_close_ int dir = state_dir_open(root_fd, id, NULL);
	struct entry entry;
	struct entry *v;

	/* what is being created or deleted right now is not there yet, or no longer */
	if (dir < 0 || state_load(dir, &entry.state, NULL) < 0) {
		return 0;
	}
	v = reallocarray(all->v, all->n + 1, sizeof(*v));
	if (!v) {
		state_done(&entry.state);
		return err_set(e, -ENOMEM, "out of memory");
	}
	entry.status = state_status(dir, &entry.state);
	all->v = v;
	v[all->n++] = entry;
	return 0;
}

static int collect(int root_fd, struct entries *all, struct err *e)
{
	int copy = openat(root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_dir_ DIR *dir = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *d;
	int r = 0;

	if (!dir) {
		return err_errno(e, "read the state directory");
	}
	while (r == 0 && (d = readdir(dir))) {
		if (d->d_name[0] != '.') {
			r = add(all, root_fd, d->d_name, e);
		}
	}
	if (all->n) {
		qsort(all->v, all->n, sizeof(*all->v), by_id);
	}
	return r;
}

static void print_json(const struct entries *all)
{
	_cleanup_buf_ struct buf text = {};

	if (all->n == 0) {
		buf_put_str(&text, "null\n"); /* runc's empty list */
	}
	for (size_t i = 0; i < all->n; i++) {
		buf_put_str(&text, i == 0 ? "[" : ",");
		state_to_json(&all->v[i].state, all->v[i].status, true, &text);
	}
	buf_put_str(&text, all->n ? "]\n" : "");
	(void)files_write_all(1, buf_slice(&text));
}

static void print_table(const struct entries *all)
{
	int id = 2, bundle = 6;

	for (size_t i = 0; i < all->n; i++) {
		int n = (int)strlen(all->v[i].state.id), b = (int)strlen(all->v[i].state.bundle);

		id = n > id ? n : id;
		bundle = b > bundle ? b : bundle;
	}
	printf("%-*s  %-8s  %-8s  %-*s  %-31s  %s\n", id, "ID", "PID", "STATUS", bundle, "BUNDLE",
		"CREATED", "OWNER");
	for (size_t i = 0; i < all->n; i++) {
		const struct state *s = &all->v[i].state;

		printf("%-*s  %-8d  %-8s  %-*s  %-31s  %s\n", id, s->id,
			all->v[i].status == STATUS_STOPPED ? 0 : (int)s->pid,
			state_status_name(all->v[i].status), bundle, s->bundle, s->created,
			s->owner);
	}
}

static int print(const struct entries *all, const struct args *args, struct err *e)
{
	if (args->quiet) {
		for (size_t i = 0; i < all->n; i++) {
			printf("%s\n", all->v[i].state.id);
		}
	} else if (!args->format || strcmp(args->format, "table") == 0) {
		print_table(all);
	} else if (strcmp(args->format, "json") == 0) {
		print_json(all);
	} else {
		return err_set(e, -EINVAL, "format '%s' is neither table nor json", args->format);
	}
	return 0;
}

int cmd_list(const struct global *global, int argc, char **argv, struct err *e)
{
	_cleanup_(entries_done) struct entries all = {};
	_cleanup_close_ int root_fd = -1;
	struct args args = {};
	int r, at = command_line(&cli, argc, argv, &args);

	if (at < 0) {
		return command_over(at);
	}
	if (at != argc) {
		return err_set(e, -EINVAL, "list takes no argument '%s'", argv[at]);
	}
	root_fd = state_root_open(global->root, e);
	if (root_fd < 0) {
		return root_fd;
	}
	r = collect(root_fd, &all, e);
	return r < 0 ? r : print(&all, &args, e);
}
