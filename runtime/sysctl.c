#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "runtime/spec.h"
#include "runtime/sysctl.h"

static int namespace_of(const char *key)
{
	static const char *const ipc[] = {"kernel.msgmax", "kernel.msgmnb", "kernel.msgmni",
		"kernel.sem", "kernel.shmall", "kernel.shmmax", "kernel.shmmni",
		"kernel.shm_rmid_forced"};

	for (size_t i = 0; i < ARRAY_LEN(ipc); i++) {
		if (strcmp(key, ipc[i]) == 0) {
			return CLONE_NEWIPC;
		}
	}
	if (strncmp(key, "fs.mqueue.", 10) == 0) {
		return CLONE_NEWIPC;
	}
	if (strncmp(key, "net.", 4) == 0 || strncmp(key, "net/", 4) == 0) {
		return CLONE_NEWNET;
	}
	if (strcmp(key, "kernel.domainname") == 0 || strcmp(key, "kernel.hostname") == 0) {
		return CLONE_NEWUTS;
	}
	return 0;
}

int sysctl_check(const struct spec *spec, struct err *e)
{
	const struct json *v;

	if (!spec->sysctl) {
		return 0;
	}
	json_each(v, spec->sysctl)
	{
		int flag = namespace_of(v->key);

		if (!flag) {
			return json_error(e, v, "sysctl is not in a separate kernel namespace");
		}
		if (!spec_namespace(spec, flag)) {
			return json_error(e, v, "sysctl needs a %s namespace of the container",
				namespace_name(flag));
		}
	}
	return 0;
}

/* "net.ipv4.conf.eth0/1.forwarding": dots separate; a slash stands for a dot within a name, unless
 * the first separator is a slash, then it is the other way round (sysctl(8)). */
int sysctl_path(const char *key, char *path, size_t n)
{
	bool slashes = key[strcspn(key, "./")] == '/';
	int len = snprintf(path, n, "sys/%s", key);

	if (len < 0 || (size_t)len >= n || strstr(key, "..") || strstr(key, "//")) {
		return -EINVAL;
	}
	for (char *c = path + 4; *c && !slashes; c++) {
		*c = *c == '.' ? '/' : *c == '/' ? '.' : *c;
	}
	return 0;
}

static int write_one(int proc, const struct json *v, struct err *e)
{
	char path[256];
	_cleanup_close_ int fd = -1;

	if (sysctl_path(v->key, path, sizeof(path)) < 0) {
		return json_error(e, v, "not a sysctl name");
	}
	fd = files_open_beneath(proc, path, O_WRONLY, 0, NULL);
	if (fd < 0) {
		return json_error(e, v, "sysctl: %s", err_text(-fd));
	}
	if (write(fd, v->text, strlen(v->text)) < 0) {
		return json_error(e, v, "sysctl: write '%.60s': %s", v->text, err_text(errno));
	}
	return 0;
}

static int open_proc(struct err *e)
{
	_cleanup_close_ int fs = fsopen("proc", FSOPEN_CLOEXEC);
	int mount;

	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		return err_errno(e, "make a private procfs");
	}
	mount = fsmount(
		fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	return mount < 0 ? err_errno(e, "mount a private procfs") : mount;
}

int sysctl_apply(const struct spec *spec, struct err *e)
{
	_cleanup_close_ int proc = -1;
	const struct json *v;
	int r;

	if (!spec->sysctl || !spec->sysctl->count) {
		return 0;
	}
	proc = open_proc(e);
	if (proc < 0) {
		return proc;
	}
	json_each(v, spec->sysctl)
	{
		r = write_one(proc, v, e);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}
