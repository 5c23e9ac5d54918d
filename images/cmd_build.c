#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "images/debootstrap.h"
#include "images/recipe.h"
#include "images/seal.h"
#include "images/sources.h"
#include "images/tree.h"
#include "images/verbs.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/manifest.h"
#include "lib/paths.h"

enum { TRIES = 3, PAUSE = 2000 /* ms */ };

struct options {
	const char *prefix, *arch, *name, *etc, *mirror;
	bool quiet, no_security;
};

static const struct cli_option options[] = {
	{"arch", 0, CLI_STRING, offsetof(struct options, arch), "ARCH", "amd64 (default) or i386"},
	{"name", 0, CLI_STRING, offsetof(struct options, name), "NAME",
		"name of the image (default: RECIPE, for i386 RECIPE-i386)"},
	{"mirror", 0, CLI_STRING, offsetof(struct options, mirror), "URL",
		"archive to take, instead of this machine's apt sources"},
	{"no-security", 0, CLI_FLAG, offsetof(struct options, no_security), NULL,
		"go on without the security suite, when its mirror is broken"},
	{"quiet", 'q', CLI_FLAG, offsetof(struct options, quiet), NULL, "print no progress"},
	{"etc", 0, CLI_STRING, offsetof(struct options, etc), "DIR",
		"where apt's sources are (default: /etc)"},
	{"prefix", 0, CLI_STRING, offsetof(struct options, prefix), "DIR",
		"keep everything below DIR instead of /"},
	{},
};

static const struct cli cli = {
	.usage = "fief-image build RECIPE [options]",
	.about = "Builds an image from a distribution's archive, with this machine's apt sources.\n"
		 "Recipes: debian-12",
	.options = options,
};

struct build {
	const struct recipe *recipe;
	struct options o;
	struct staging staging;
	int rootfd, signalfd; /* owned */
	struct manifest m;
	struct buf sources;
};

static void build_done(struct build *b)
{
	close_fd(&b->rootfd);
	close_fd(&b->signalfd);
	staging_done(&b->staging);
	buf_done(&b->sources);
}

static int check(struct build *b, const char *recipe, struct err *e)
{
	b->recipe = recipe_find(recipe);
	if (!b->recipe) {
		return err_set(e, -ENOENT, "there is no recipe '%s'", recipe);
	}
	if (!b->o.arch) {
		b->o.arch = "amd64";
	}
	if (strcmp(b->o.arch, "amd64") != 0 && strcmp(b->o.arch, "i386") != 0) {
		return err_set(
			e, -EINVAL, "architecture '%s' is neither amd64 nor i386", b->o.arch);
	}
	(void)snprintf(b->m.architecture, sizeof(b->m.architecture), "%s", b->o.arch);
	(void)snprintf(b->m.recipe, sizeof(b->m.recipe), "%s", recipe);
	if (b->o.name) {
		if (!manifest_name_ok(b->o.name)) {
			return err_set(e, -EINVAL, "'%s' is not an image name", b->o.name);
		}
		(void)snprintf(b->m.name, sizeof(b->m.name), "%s", b->o.name);
	} else {
		(void)snprintf(b->m.name, sizeof(b->m.name), "%s%s", recipe,
			strcmp(b->o.arch, "i386") == 0 ? "-i386" : "");
	}
	return 0;
}

static char *target_of(const struct build *b)
{
	_cleanup_free_ char *store = path_of(b->o.prefix, PATH_IMAGES, NULL);
	char *target;

	if (asprintf(&target, "%s/%s/rootfs", store, b->staging.hidden) < 0) {
		abort();
	}
	return target;
}

/* mmdebstrap wants an empty directory; what a failed try left goes away. */
static int fresh_root(struct build *b, struct err *e)
{
	int r;

	close_fd(&b->rootfd);
	r = files_remove_tree(b->staging.fd, "rootfs", e);
	if (r < 0) {
		return r;
	}
	b->rootfd = files_mkdir_open(b->staging.fd, "rootfs", 0755, e);
	return b->rootfd < 0 ? b->rootfd : 0;
}

static int bootstrap(struct build *b, struct err *e)
{
	_cleanup_free_ char *target = target_of(b);
	const struct debootstrap job = {
		.recipe = b->recipe,
		.architecture = b->o.arch,
		.target = target,
		.sources = buf_slice(&b->sources),
		.signalfd = b->signalfd,
		.quiet = b->o.quiet,
	};

	struct pollfd stop = {.fd = b->signalfd, .events = POLLIN};

	for (int tries = 1;; tries++) {
		int r = fresh_root(b, e);

		if (r == 0) {
			r = debootstrap_run(&job, e);
		}
		if (r != -EAGAIN) {
			return r;
		}
		if (tries == TRIES) {
			return err_wrap(e, r, "tried %d times%s", tries,
				strstr(e->msg, "security") ? " (--no-security goes on without)"
							   : ", is there a network?");
		}
		if (!b->o.quiet) {
			(void)fprintf(stderr, "%s; trying again\n", e->msg);
		}
		err_clear(e);
		/* a mirror in the midst of an update needs a moment */
		if (poll(&stop, 1, PAUSE) > 0) {
			return err_set(e, -EINTR, "interrupted");
		}
	}
}

static int build(struct build *b, struct err *e)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	const struct sources_query query = {
		.etc = b->o.etc ? b->o.etc : "/etc",
		.mirror = b->o.mirror,
		.recipe = b->recipe,
		.security = !b->o.no_security,
	};
	int r = sources_read(&query, &b->sources, e);

	if (r < 0) {
		return r;
	}
	b->signalfd = loop_signal_fd(signals, ARRAY_LEN(signals), e);
	if (b->signalfd < 0) {
		return b->signalfd;
	}
	r = seal_begin(b->o.prefix, b->m.name, &b->staging, &b->rootfd, e);
	if (r == 0) {
		r = bootstrap(b, e);
	}
	if (r < 0) {
		return r;
	}
	/* mmdebstrap may have made the directory anew */
	close_fd(&b->rootfd);
	b->rootfd = files_open_beneath(b->staging.fd, "rootfs", O_RDONLY | O_DIRECTORY, 0, e);
	if (b->rootfd < 0) {
		return b->rootfd;
	}
	r = tree_forget_host(b->rootfd, e);
	return r < 0 ? r : seal_image(&b->staging, b->rootfd, &b->m, e);
}

int cmd_build(const void *globals, int argc, char **argv)
{
	const struct globals *g = globals;
	__attribute__((cleanup(build_done))) struct build b = {
		.o = {.prefix = g->prefix}, .staging = STAGING_INIT, .rootfd = -1, .signalfd = -1};
	struct timespec from, to;
	struct err e = {};
	int at = cli_parse(&cli, argc, argv, &b.o, &e);

	if (at >= 0 && argc - at != 1) {
		at = err_set(&e, -EINVAL, at == argc ? "a recipe is missing" : "one recipe only");
	}
	if (at < 0) {
		return cli_failure(&cli, at, &e);
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &from);
	if (check(&b, argv[at], &e) < 0) {
		return log_failure(&e);
	}
	if (build(&b, &e) < 0) {
		(void)err_wrap(&e, -1, "build '%s'", b.m.name);
		return log_failure(&e);
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &to);
	if (!b.o.quiet) {
		printf("image '%s' (%s) built in %lld s\n", b.m.name, b.m.architecture,
			(long long)(to.tv_sec - from.tv_sec));
	}
	return 0;
}
