#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "runtime/commands.h"

struct args {
	const char *bundle;
	bool rootless;
};

static const struct cli_option options[] = {
	{"bundle", 'b', CLI_STRING, offsetof(struct args, bundle), "DIR", "where to write it (.)"},
	{},
};

static const struct cli cli = {
	.usage = "fief spec [options]",
	.about = "Writes config.json of a container that runs a shell in ./rootfs.",
	.options = options,
};

static const char *const caps[] = {"CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE", NULL};

static const struct {
	const char *destination, *type, *source;
	const char *options[8];
} mounts[] = {
	{"/proc", "proc", "proc", {}},
	{"/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}},
	{"/dev/pts", "devpts", "devpts",
		{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
	{"/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}},
	{"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
	{"/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}},
	{"/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}},
};

static void put_process(struct json_out *o)
{
	static const char *const args[] = {"sh", NULL};
	static const char *const env[] = {
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm",
		NULL};

	json_out_object(o, "process");
	json_out_bool(o, "terminal", true);
	json_out_object(o, "user");
	json_out_u64(o, "uid", 0);
	json_out_u64(o, "gid", 0);
	json_out_object_end(o);
	json_out_strv(o, "args", args);
	json_out_strv(o, "env", env);
	json_out_str(o, "cwd", "/");
	json_out_object(o, "capabilities");
	json_out_strv(o, "bounding", caps);
	json_out_strv(o, "effective", caps);
	json_out_strv(o, "permitted", caps);
	json_out_object_end(o);
	json_out_array(o, "rlimits");
	json_out_object(o, NULL);
	json_out_str(o, "type", "RLIMIT_NOFILE");
	json_out_u64(o, "hard", 1024);
	json_out_u64(o, "soft", 1024);
	json_out_object_end(o);
	json_out_array_end(o);
	json_out_bool(o, "noNewPrivileges", true);
	json_out_object_end(o);
}

static void put_mounts(struct json_out *o)
{
	json_out_array(o, "mounts");
	for (size_t i = 0; i < ARRAY_LEN(mounts); i++) {
		json_out_object(o, NULL);
		json_out_str(o, "destination", mounts[i].destination);
		json_out_str(o, "type", mounts[i].type);
		json_out_str(o, "source", mounts[i].source);
		if (mounts[i].options[0]) {
			json_out_strv(o, "options", mounts[i].options);
		}
		json_out_object_end(o);
	}
	json_out_array_end(o);
}

static void put_linux(struct json_out *o)
{
	static const char *const kinds[] = {"pid", "network", "ipc", "uts", "mount", "cgroup"};
	static const char *const masked[] = {"/proc/acpi", "/proc/asound", "/proc/kcore",
		"/proc/keys", "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
		"/proc/sched_debug", "/sys/firmware", "/proc/scsi", NULL};
	static const char *const readonly[] = {
		"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL};

	json_out_object(o, "linux");
	json_out_object(o, "resources");
	json_out_array(o, "devices");
	json_out_object(o, NULL);
	json_out_bool(o, "allow", false);
	json_out_str(o, "access", "rwm");
	json_out_object_end(o);
	json_out_array_end(o);
	json_out_object_end(o);
	json_out_array(o, "namespaces");
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		json_out_object(o, NULL);
		json_out_str(o, "type", kinds[i]);
		json_out_object_end(o);
	}
	json_out_array_end(o);
	json_out_strv(o, "maskedPaths", masked);
	json_out_strv(o, "readonlyPaths", readonly);
	json_out_object_end(o);
}

static int write_new(int dir, struct slice content, struct err *e)
{
	_cleanup_close_ int fd =
		openat(dir, "config.json", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int r;

	if (fd < 0 && errno == EEXIST) {
		return err_set(e, -EEXIST, "file config.json exists. Remove it first");
	}
	if (fd < 0) {
		return err_errno(e, "write 'config.json'");
	}
	r = files_write_all(fd, content);
	return r < 0 ? err_code(e, r, "write 'config.json'") : 0;
}

int cmd_spec(const struct global *global, int argc, char **argv, struct err *e)
{
	_cleanup_buf_ struct buf text = {};
	_cleanup_close_ int dir = -1;
	struct json_out o = {.to = &text, .indent = true};
	struct args args = {};
	int at = command_line(&cli, argc, argv, &args);

	(void)global;
	if (at < 0) {
		return command_over(at);
	}
	dir = open(args.bundle ? args.bundle : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0) {
		return err_errno(e, "bundle '%s'", args.bundle ? args.bundle : ".");
	}
	json_out_object(&o, NULL);
	json_out_str(&o, "ociVersion", "1.0.2");
	put_process(&o);
	json_out_object(&o, "root");
	json_out_str(&o, "path", "rootfs");
	json_out_bool(&o, "readonly", true);
	json_out_object_end(&o);
	json_out_str(&o, "hostname", "fief");
	put_mounts(&o);
	put_linux(&o);
	json_out_object_end(&o);
	return write_new(dir, buf_slice(&text), e);
}
