#include <errno.h>
#include <fcntl.h>
#include <linux/stat.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "bundles/bundle.h"
#include "bundles/config.h"
#include "bundles/etc.h"
#include "bundles/ids.h"
#include "bundles/record.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "lib/manifest.h"
#include "lib/paths.h"
#include "lib/staging.h"

enum { ETC_FILE_MAX = 4 << 20 };

/* What `fief-shim prepare` mounts on. */
static const char *const mount_dirs[] = {"mnt/containers", "mnt/home", "mnt/run", "mnt/tmp",
	"mnt/logs", "mnt/shm", "mnt/fief", "mnt/sys"};
static const char *const mount_files[] = {"mnt/hosts", "mnt/resolv.conf", "mnt/netns"};

enum output {
	OUT_PASSWD,
	OUT_GROUP,
	OUT_HOSTNAME,
	OUT_SEED_HOSTS,
	OUT_SEED_RESOLV_CONF,
	OUT_SEED_HOSTNAME,
	OUT_FIEF,
	OUT_CONFIG, /* last: a runtime that finds it finds the others */
	OUT_MAX
};

static const struct {
	const char *dir, *name;
	mode_t mode;
} outputs[OUT_MAX] = {
	[OUT_PASSWD] = {"mnt", "passwd", 0644},
	[OUT_GROUP] = {"mnt", "group", 0644},
	[OUT_HOSTNAME] = {"mnt", "hostname", 0644},
	[OUT_SEED_HOSTS] = {"seed", "hosts", 0644},
	[OUT_SEED_RESOLV_CONF] = {"seed", "resolv.conf", 0644},
	[OUT_SEED_HOSTNAME] = {"seed", "hostname", 0644},
	[OUT_FIEF] = {".", "fief.json", 0644},
	[OUT_CONFIG] = {".", "config.json", 0644},
};

/* All that is computed before anything is written. */
struct plan {
	struct record record;
	struct manifest image;
	struct buf out[OUT_MAX];
	struct buf saved; /* the record itself */
	char *bundles;	  /* path of the store */
	char name[16];	  /* the uid in decimal */
};

static void plan_done(struct plan *p)
{
	record_done(&p->record);
	for (size_t i = 0; i < OUT_MAX; i++) {
		buf_done(&p->out[i]);
	}
	buf_done(&p->saved);
	free(p->bundles);
}

#define _cleanup_plan_ __attribute__((cleanup(plan_done)))

/* A file of the image, whose links are resolved inside; missing or no file: nothing. */
static int read_image_file(int rootfd, const char *path, struct buf *to, struct err *e)
{
	_cleanup_close_ int fd =
		files_open_in_root(rootfd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, NULL);
	char self[32];
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		return 0;
	}
	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return files_read(AT_FDCWD, self, ETC_FILE_MAX, to, e);
}

static bool has_bash(int rootfd)
{
	_cleanup_close_ int fd = files_open_in_root(rootfd, "bin/bash", O_PATH, 0, NULL);

	return fd >= 0;
}

static int compute_owners(struct plan *p, int imagefd, struct err *e)
{
	_cleanup_close_ int rootfd =
		files_open_beneath(imagefd, "rootfs", O_RDONLY | O_DIRECTORY, 0, e);
	_cleanup_buf_ struct buf passwd = {}, group = {};
	int r;

	if (rootfd < 0) {
		return rootfd;
	}
	r = read_image_file(rootfd, "etc/passwd", &passwd, e);
	if (r == 0) {
		r = read_image_file(rootfd, "etc/group", &group, e);
	}
	if (r < 0) {
		return err_wrap(e, r, "image '%s'", p->image.name);
	}
	etc_passwd(buf_slice(&passwd), &p->record, has_bash(rootfd) ? "/bin/bash" : "/bin/sh",
		&p->out[OUT_PASSWD]);
	etc_group(buf_slice(&group), &p->record, &p->out[OUT_GROUP]);
	return 0;
}

static int compute(struct plan *p, int imagefd, struct err *e)
{
	_cleanup_buf_ struct buf path = {};
	struct config config = {.record = &p->record, .image = &p->image};
	int r = compute_owners(p, imagefd, e);

	if (r < 0) {
		return r;
	}
	buf_putf(&path, "%s/%s", p->bundles, p->name);
	config.bundle = buf_str(&path);
	if (!config.bundle) {
		return err_set(e, -ENOMEM, "out of memory");
	}
	etc_hostname(&p->record, &p->out[OUT_HOSTNAME]);
	etc_hosts(&p->record, &p->out[OUT_SEED_HOSTS]);
	etc_resolv_conf(&p->record, &p->out[OUT_SEED_RESOLV_CONF]);
	etc_hostname(&p->record, &p->out[OUT_SEED_HOSTNAME]);
	config_write_fief(&config, &p->out[OUT_FIEF]);
	config_write_oci(&config, &p->out[OUT_CONFIG]);
	record_write(&p->record, &p->saved);
	for (size_t i = 0; i < OUT_MAX; i++) {
		if (buf_failed(&p->out[i])) {
			return err_set(e, -ENOMEM, "out of memory");
		}
	}
	return buf_failed(&p->saved) ? err_set(e, -ENOMEM, "out of memory") : 0;
}

/* The store's path must be absolute: config.json names the network namespace by it. */
static int absolute(char *path, char **ret, struct err *e)
{
	_cleanup_free_ char *owned = path;
	_cleanup_free_ char *cwd = NULL;

	if (path[0] == '/') {
		*ret = take_ptr(&owned);
		return 0;
	}
	cwd = getcwd(NULL, 0);
	if (!cwd) {
		return err_errno(e, "get the working directory");
	}
	return asprintf(ret, "%s/%s", cwd, path) < 0 ? err_set(e, -ENOMEM, "out of memory") : 0;
}

static int make_plan(
	const struct bundle_env *env, const struct json *root, struct plan *p, struct err *e)
{
	_cleanup_close_ int imagefd = -1;
	int r = record_parse(root, &p->record, e);

	if (r < 0) {
		return r;
	}
	r = manifest_open(env->prefix, p->record.image, &p->image, &imagefd, e);
	if (r < 0) {
		return err_wrap(e, r, ".image");
	}
	r = ids_check(env->etc, p->record.uid, e);
	if (r < 0) {
		return err_wrap(e, r, ".uid");
	}
	r = absolute(path_of(env->prefix, PATH_BUNDLES, NULL), &p->bundles, e);
	if (r < 0) {
		return r;
	}
	(void)snprintf(p->name, sizeof(p->name), "%u", p->record.uid);
	return compute(p, imagefd, e);
}

static int make_mount_points(int fd, struct err *e)
{
	static const char *const dirs[] = {"rootfs", "mnt", "seed"};

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		if (mkdirat(fd, dirs[i], 0755) < 0 && errno != EEXIST) {
			return err_errno(e, "make directory '%s'", dirs[i]);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(mount_dirs); i++) {
		if (mkdirat(fd, mount_dirs[i], 0755) < 0 && errno != EEXIST) {
			return err_errno(e, "make directory '%s'", mount_dirs[i]);
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(mount_files); i++) {
		_cleanup_close_ int file = openat(fd, mount_files[i],
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);

		if (file < 0 && errno != EEXIST) {
			return err_errno(e, "make file '%s'", mount_files[i]);
		}
	}
	return 0;
}

/* Writes what differs, so that applying the same record again changes nothing. */
static int write_output(int bundlefd, enum output out, struct slice content, struct err *e)
{
	_cleanup_buf_ struct buf old = {};
	_cleanup_close_ int fd =
		openat(bundlefd, outputs[out].dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0) {
		return err_errno(e, "open directory '%s'", outputs[out].dir);
	}
	if (files_read(fd, outputs[out].name, ETC_FILE_MAX, &old, NULL) == 0 &&
		slice_eq(buf_slice(&old), content)) {
		return 0;
	}
	return files_write_atomic(fd, outputs[out].name, outputs[out].mode, content, e);
}

static int write_all(const struct plan *p, int fd, struct err *e)
{
	int r = make_mount_points(fd, e);

	for (int i = 0; r == 0 && i < OUT_MAX; i++) {
		r = write_output(fd, (enum output)i, buf_slice(&p->out[i]), e);
	}
	return r < 0 ? err_wrap(e, r, "bundle '%s/%s'", p->bundles, p->name) : 0;
}

/* -EEXIST: there is a bundle. */
static int write_new(const struct plan *p, struct err *e)
{
	_cleanup_staging_ struct staging s = STAGING_INIT;
	int r = staging_begin(p->bundles, p->name, &s, e);

	if (r == 0) {
		r = write_all(p, s.fd, e);
	}
	if (r < 0) {
		return r;
	}
	/* the container's root, an unprivileged host id, passes to rootfs */
	if (fchmod(s.fd, 0711) < 0) {
		return err_errno(e, "set the mode of '%s'", s.hidden);
	}
	return staging_publish(&s, e);
}

static int open_bundle(const char *store, const char *name, struct err *e)
{
	_cleanup_free_ char *path = NULL;
	int fd;

	if (asprintf(&path, "%s/%s", store, name) < 0) {
		abort();
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? err_errno(e, "open bundle '%s'", path) : fd;
}

static int write_bundle(const struct plan *p, struct err *e)
{
	_cleanup_close_ int fd = -1;
	int r = write_new(p, e);

	if (r != -EEXIST) {
		return r;
	}
	err_clear(e);
	fd = open_bundle(p->bundles, p->name, e);
	return fd < 0 ? fd : write_all(p, fd, e);
}

static int write_record(const struct bundle_env *env, const struct plan *p, struct err *e)
{
	_cleanup_free_ char *store = path_of(env->prefix, PATH_RECORDS, NULL);
	_cleanup_close_ int fd = -1;
	char name[32];
	int r = files_mkdir_p(store, 0711, e);

	if (r < 0) {
		return r;
	}
	fd = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		return err_errno(e, "open '%s'", store);
	}
	(void)snprintf(name, sizeof(name), "%s.json", p->name);
	return files_write_atomic(fd, name, 0644, buf_slice(&p->saved), e);
}

int bundle_check(
	const struct bundle_env *env, const struct json *root, uint32_t *ret_uid, struct err *e)
{
	_cleanup_plan_ struct plan p = {};
	int r = make_plan(env, root, &p, e);

	if (r == 0 && ret_uid) {
		*ret_uid = p.record.uid;
	}
	return r;
}

int bundle_apply(
	const struct bundle_env *env, const struct json *root, uint32_t *ret_uid, struct err *e)
{
	_cleanup_plan_ struct plan p = {};
	int r = make_plan(env, root, &p, e);

	if (r == 0) {
		r = write_bundle(&p, e);
	}
	if (r == 0) {
		/* last: it stands for a bundle that is there */
		r = write_record(env, &p, e);
	}
	if (r == 0 && ret_uid) {
		*ret_uid = p.record.uid;
	}
	return r;
}

static bool is_mount_point(int dirfd, const char *path)
{
	struct statx st;

	return statx(dirfd, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_TYPE, &st) == 0 &&
	       (st.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

static const char *mounted_on(int fd)
{
	if (is_mount_point(fd, "rootfs")) {
		return "rootfs";
	}
	for (size_t i = 0; i < ARRAY_LEN(mount_dirs); i++) {
		if (is_mount_point(fd, mount_dirs[i])) {
			return mount_dirs[i];
		}
	}
	for (size_t i = 0; i < ARRAY_LEN(mount_files); i++) {
		if (is_mount_point(fd, mount_files[i])) {
			return mount_files[i];
		}
	}
	return NULL;
}

/* Whether the shim, which may have the mounts in a namespace of its own, lives. */
static int check_no_shim(const struct bundle_env *env, uint32_t uid, struct err *e)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	_cleanup_free_ char *dir = path_of(env->prefix, PATH_SHIM_RUN, NULL);
	_cleanup_close_ int dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (dirfd < 0) {
		return errno == ENOENT ? 0 : err_errno(e, "open '%s'", dir);
	}
	if (fd < 0) {
		return err_errno(e, "make a socket");
	}
	/* by descriptor, as a prefix may be longer than a socket address */
	(void)snprintf(to.sun_path, sizeof(to.sun_path), "/proc/self/fd/%d/%u.sock", dirfd, uid);
	if (connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0 || errno == EAGAIN) {
		return err_set(e, -EBUSY, "container '%u' runs: its shim answers", uid);
	}
	return errno == ENOENT || errno == ECONNREFUSED
		       ? 0
		       : err_errno(e, "ask the shim '%s/%u.sock'", dir, uid);
}

/* A container whose shim was killed runs on: the runtime knows it. */
static int check_no_runtime(const struct bundle_env *env, const char *name, struct err *e)
{
	_cleanup_free_ char *dir = path_of(env->prefix, PATH_RUNTIME, name);

	if (access(dir, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR)) {
		return 0;
	}
	return err_set(e, -EBUSY,
		"container '%s' may run: the runtime has it in '%s' ('fief delete --force' ends "
		"it)",
		name, dir);
}

static int remove_record(const struct bundle_env *env, uint32_t uid, struct err *e)
{
	_cleanup_free_ char *path = NULL;
	char name[32];

	(void)snprintf(name, sizeof(name), "%u.json", uid);
	path = path_of(env->prefix, PATH_RECORDS, name);
	if (unlink(path) < 0) {
		return err_errno(e, "remove '%s'", path);
	}
	return 0;
}

/* -ENOENT: there is none. */
static int remove_bundle(const struct bundle_env *env, const char *name, struct err *e)
{
	_cleanup_free_ char *store = path_of(env->prefix, PATH_BUNDLES, NULL);
	_cleanup_close_ int storefd = open(store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = -1;
	const char *at;

	if (storefd < 0) {
		return err_errno(e, "open '%s'", store);
	}
	fd = openat(storefd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		return err_errno(e, "open bundle '%s/%s'", store, name);
	}
	at = mounted_on(fd);
	if (at) {
		return err_set(e, -EBUSY,
			"bundle '%s' is prepared: something is mounted on '%s' (release it first)",
			name, at);
	}
	close_fd(&fd);
	return staging_remove(storefd, name, e);
}

int bundle_remove(const struct bundle_env *env, uint32_t uid, struct err *e)
{
	char name[16];
	int r = check_no_shim(env, uid, e);
	int record;

	(void)snprintf(name, sizeof(name), "%u", uid);
	if (r == 0) {
		r = check_no_runtime(env, name, e);
	}
	if (r < 0) {
		return r;
	}
	r = remove_bundle(env, name, e);
	if (r < 0 && r != -ENOENT) {
		return r;
	}
	record = remove_record(env, uid, e);
	if (r == -ENOENT && record == -ENOENT) {
		return err_set(e, -ENOENT, "there is no container '%u'", uid);
	}
	if (record == -ENOENT || (r == -ENOENT && record == 0)) {
		err_clear(e);
		return 0;
	}
	return record;
}
