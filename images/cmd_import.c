#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "images/extract.h"
#include "images/seal.h"
#include "images/verbs.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/log.h"
#include "lib/loop.h"
#include "lib/manifest.h"

enum { ENTRIES_DEFAULT = 2000000, MIB_DEFAULT = 32768 };

struct options {
	const char *prefix;
	uint32_t max_entries, max_mib;
	bool quiet;
};

static const struct cli_option options[] = {
	{"max-entries", 0, CLI_U32, offsetof(struct options, max_entries), "N",
		"refuse more files and directories (default: 2000000)"},
	{"max-mib", 0, CLI_U32, offsetof(struct options, max_mib), "N",
		"refuse more content, in MiB (default: 32768)"},
	{"quiet", 'q', CLI_FLAG, offsetof(struct options, quiet), NULL, "print nothing"},
	{"prefix", 0, CLI_STRING, offsetof(struct options, prefix), "DIR",
		"keep everything below DIR instead of /"},
	{},
};

static const struct cli cli = {
	.usage = "fief-image import NAME DIR|TARBALL [options]",
	.about = "Makes an image of a directory or of a tar archive (plain, gz, bz2, xz, zst; '-': "
		 "\n"
		 "standard input). Owners, modes and times are kept; device nodes, FIFOs, sockets\n"
		 "and extended attributes are left out.",
	.options = options,
};

static int open_from(const char *from, bool *ret_dir, struct err *e)
{
	_cleanup_close_ int fd = strcmp(from, "-") == 0
					 ? fcntl(0, F_DUPFD_CLOEXEC, 3)
					 : open(from, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		return err_errno(e, "open '%s'", from);
	}
	*ret_dir = S_ISDIR(st.st_mode);
	return take_fd(&fd);
}

static int import(const struct options *o, const char *name, const char *from, struct extract *x,
	struct err *e)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	_cleanup_staging_ struct staging staging = STAGING_INIT;
	_cleanup_close_ int fromfd = -1, signalfd = -1, rootfd = -1;
	struct manifest m = {.recipe = "import"};
	bool is_dir = false;
	int r;

	fromfd = open_from(from, &is_dir, e);
	if (fromfd < 0) {
		return fromfd;
	}
	signalfd = loop_signal_fd(signals, ARRAY_LEN(signals), e);
	if (signalfd < 0) {
		return signalfd;
	}
	r = seal_begin(o->prefix, name, &staging, &rootfd, e);
	if (r < 0) {
		return r;
	}
	(void)snprintf(m.name, sizeof(m.name), "%s", name); /* checked by seal_begin() */
	x->rootfd = rootfd;
	x->signalfd = signalfd;
	x->entries_max = o->max_entries;
	x->bytes_max = (uint64_t)o->max_mib << 20;
	r = is_dir ? extract_dir(x, fromfd, e) : extract_tar(x, fromfd, e);
	if (r == 0) {
		r = seal_image(&staging, rootfd, &m, e);
	}
	return r < 0 ? err_wrap(e, r, "'%s'", from) : 0;
}

int cmd_import(const void *globals, int argc, char **argv)
{
	const struct globals *g = globals;
	struct options o = {
		.prefix = g->prefix, .max_entries = ENTRIES_DEFAULT, .max_mib = MIB_DEFAULT};
	struct extract x = {};
	struct err e = {};
	int at = cli_parse(&cli, argc, argv, &o, &e);

	if (at >= 0 && argc - at != 2) {
		at = err_set(&e, -EINVAL, "a name and a directory or archive are needed");
	}
	if (at < 0) {
		return cli_failure(&cli, at, &e);
	}
	/* without it libarchive cannot give names that are not ASCII */
	(void)setlocale(LC_CTYPE, "C.UTF-8");
	if (import(&o, argv[at], argv[at + 1], &x, &e) < 0) {
		(void)err_wrap(&e, -1, "import '%s'", argv[at]);
		return log_failure(&e);
	}
	if (!o.quiet) {
		printf("image '%s' imported: %llu entries, %llu MiB", argv[at],
			(unsigned long long)(x.entries - x.left_out),
			(unsigned long long)(x.bytes >> 20));
		printf(x.left_out ? "; %llu device nodes, FIFOs and sockets left out\n" : "\n",
			(unsigned long long)x.left_out);
	}
	return 0;
}
