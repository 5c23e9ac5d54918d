/*
 * The order of the mounts is the order of execution: a mount point that lies in another mount comes
 * after it. Flags of binds are no weaker than those with which `fief-shim prepare` mounts the
 * sources: in the container's user namespace they are locked.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "bundles/config.h"
#include "bundles/record.h"
#include "bundles/seccomp_policy.h"
#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/manifest.h"
#include "lib/paths.h"

enum {
	CPU_PERIOD = 100000, /* usec, the kernel's default */
	SHARES_MIN = 2,
	SHARES_MAX = 262144,
	OPEN_FILES = 8192,
	LOG_SIZE = 16 << 20, /* bytes */
	LOG_KEEP = 4,
	STOP_TIMEOUT = 15, /* seconds; an orderly stop of a sub-Emperor takes about 3 */
	OPTIONS_MAX = 10,
};

struct mount {
	const char *destination, *type, *source;
	const char *options[OPTIONS_MAX];
};

#define BIND(to, from, ...)                                                                        \
	{                                                                                          \
		to, "bind", from,                                                                  \
		{                                                                                  \
			__VA_ARGS__, NULL                                                          \
		}                                                                                  \
	}

static const struct mount mounts[] = {
	{"/proc", "proc", "proc", {"nosuid", "noexec", "nodev", "hidepid=2"}},
	{"/dev", "tmpfs", "tmpfs", {"nosuid", "noexec", "strictatime", "mode=755", "size=64k"}},
	{"/dev/pts", "devpts", "devpts",
		{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
	{"/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}},
	BIND("/dev/shm", "mnt/shm", "bind", "nosuid", "nodev"),
	BIND("/sys", "mnt/sys", "bind", "ro", "nosuid", "noexec", "nodev"),
	BIND("/run", "mnt/run", "rbind", "nosuid", "nodev"),
	BIND("/containers", "mnt/containers", "rbind", "nosuid", "nodev"),
	BIND("/usr/local", "mnt/home", "bind", "nosuid", "nodev"),
	BIND("/tmp", "mnt/tmp", "bind", "nosuid", "nodev"),
	BIND("/var/tmp", "mnt/tmp", "bind", "nosuid", "nodev"),
	BIND("/var/log", "mnt/logs", "bind", "nosuid", "nodev"),
	BIND("/.fief", "mnt/fief", "rbind", "ro", "nosuid", "nodev"),
	{"/.fief/run", "tmpfs", "tmpfs", {"nosuid", "noexec", "nodev", "mode=0711", "size=64k"}},
	BIND("/etc/passwd", "mnt/passwd", "bind", "ro", "nosuid", "noexec", "nodev"),
	BIND("/etc/group", "mnt/group", "bind", "ro", "nosuid", "noexec", "nodev"),
	BIND("/etc/hostname", "mnt/hostname", "bind", "ro", "nosuid", "noexec", "nodev"),
	BIND("/etc/hosts", "mnt/hosts", "bind", "nosuid", "nodev"),
	BIND("/etc/resolv.conf", "mnt/resolv.conf", "bind", "nosuid", "nodev"),
};

static const char *const masked[] = {"/proc/acpi", "/proc/asound", "/proc/interrupts",
	"/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug", "/proc/scsi",
	"/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
	"/sys/fs/selinux", NULL};
static const char *const read_only[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL};
/* PID 1 starts the Emperor as U's and ends what U's processes cannot be asked to end. */
static const char *const capabilities[] = {"CAP_SETUID", "CAP_SETGID", "CAP_KILL", NULL};

/* Devices that a container may use: null, zero, full, random, urandom, tty, ptmx and ptys. */
static const struct {
	uint32_t major;
	int32_t minor; /* -1: all */
} devices[] = {{1, 3}, {1, 5}, {1, 7}, {1, 8}, {1, 9}, {5, 0}, {5, 2}, {136, -1}};

static void write_rlimit(struct json_out *o, const char *type, uint64_t value)
{
	json_out_object(o, NULL);
	json_out_str(o, "type", type);
	json_out_u64(o, "hard", value);
	json_out_u64(o, "soft", value);
	json_out_object_end(o);
}

static void write_capabilities(struct json_out *o)
{
	static const char *const none[] = {NULL};

	json_out_object(o, "capabilities");
	json_out_strv(o, "bounding", capabilities);
	json_out_strv(o, "effective", capabilities);
	json_out_strv(o, "permitted", capabilities);
	json_out_strv(o, "inheritable", none);
	json_out_strv(o, "ambient", none);
	json_out_object_end(o);
}

static void write_args(const struct config *c, const char *home, struct json_out *o)
{
	char uid[16];

	(void)snprintf(uid, sizeof(uid), "%u", c->record->uid);
	json_out_array(o, "args");
	json_out_str(o, NULL, "/.fief/fief-init");
	json_out_str(o, NULL, "--uid");
	json_out_str(o, NULL, uid);
	json_out_str(o, NULL, "--home");
	json_out_str(o, NULL, home);
	if (c->image->uwsgi[0]) {
		json_out_str(o, NULL, "--uwsgi");
		json_out_str(o, NULL, c->image->uwsgi);
	}
	json_out_array_end(o);
}

static void write_process(const struct config *c, struct json_out *o)
{
	char home[32], env_home[48];

	(void)snprintf(home, sizeof(home), "/containers/%u", c->record->uid);
	(void)snprintf(env_home, sizeof(env_home), "HOME=%s", home);
	json_out_object(o, "process");
	json_out_bool(o, "terminal", false);
	json_out_object(o, "user");
	json_out_u64(o, "uid", 0);
	json_out_u64(o, "gid", 0);
	json_out_object_end(o);
	write_args(c, home, o);
	/* no /usr/local: that is the customer's, and this is container root */
	json_out_array(o, "env");
	json_out_str(o, NULL, "PATH=/usr/sbin:/usr/bin:/sbin:/bin");
	json_out_str(o, NULL, env_home);
	json_out_array_end(o);
	json_out_str(o, "cwd", "/");
	write_capabilities(o);
	json_out_array(o, "rlimits");
	write_rlimit(o, "RLIMIT_CORE", 0);
	write_rlimit(o, "RLIMIT_NOFILE", OPEN_FILES);
	json_out_array_end(o);
	json_out_bool(o, "noNewPrivileges", true);
	json_out_object_end(o);
}

static void write_mounts(struct json_out *o)
{
	json_out_array(o, "mounts");
	for (size_t i = 0; i < ARRAY_LEN(mounts); i++) {
		json_out_object(o, NULL);
		json_out_str(o, "destination", mounts[i].destination);
		json_out_str(o, "type", mounts[i].type);
		json_out_str(o, "source", mounts[i].source);
		json_out_strv(o, "options", mounts[i].options);
		json_out_object_end(o);
	}
	json_out_array_end(o);
}

static void write_namespaces(const struct config *c, struct json_out *o)
{
	static const char *const types[] = {"pid", "ipc", "uts", "mount", "cgroup", "user"};

	json_out_array(o, "namespaces");
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		json_out_object(o, NULL);
		json_out_str(o, "type", types[i]);
		json_out_object_end(o);
	}
	json_out_object(o, NULL);
	json_out_str(o, "type", "network");
	if (c->record->netns) {
		json_out_str(o, "path", c->record->netns);
	} else {
		_cleanup_buf_ struct buf path = {};

		buf_putf(&path, "%s/mnt/netns", c->bundle);
		json_out_slice(o, "path", buf_slice(&path));
	}
	json_out_object_end(o);
	json_out_array_end(o);
}

static void write_mapping(struct json_out *o, uint32_t inside, uint32_t host, uint32_t size)
{
	if (size == 0) {
		return; /* U is the first or the last id; the kernel refuses empty lines */
	}
	json_out_object(o, NULL);
	json_out_u64(o, "containerID", inside);
	json_out_u64(o, "hostID", host);
	json_out_u64(o, "size", size);
	json_out_object_end(o);
}

/* All ids map to the container's range, but U to itself. */
static void write_mappings(const struct config *c, const char *key, struct json_out *o)
{
	uint32_t u = c->record->uid, base = ids_base(u);

	json_out_array(o, key);
	write_mapping(o, 0, base, u);
	write_mapping(o, u, u, 1);
	write_mapping(o, u + 1, base + u + 1, IDS_PER_CONTAINER - u - 1);
	json_out_array_end(o);
}

static void write_device_rules(struct json_out *o)
{
	json_out_array(o, "devices");
	json_out_object(o, NULL);
	json_out_bool(o, "allow", false);
	json_out_str(o, "access", "rwm");
	json_out_object_end(o);
	for (size_t i = 0; i < ARRAY_LEN(devices); i++) {
		json_out_object(o, NULL);
		json_out_bool(o, "allow", true);
		json_out_str(o, "type", "c");
		json_out_u64(o, "major", devices[i].major);
		if (devices[i].minor >= 0) {
			json_out_u64(o, "minor", (uint64_t)devices[i].minor);
		}
		json_out_str(o, "access", "rwm");
		json_out_object_end(o);
	}
	json_out_array_end(o);
}

/* OCI has the shares of cgroup v1, of which 1024 are a weight of 100. */
static uint64_t shares_of(uint32_t weight)
{
	uint64_t shares = (uint64_t)weight * 1024 / 100;

	return shares < SHARES_MIN ? SHARES_MIN : shares > SHARES_MAX ? SHARES_MAX : shares;
}

static void write_resources(const struct record *r, struct json_out *o)
{
	json_out_object(o, "resources");
	write_device_rules(o);
	json_out_object(o, "memory");
	json_out_u64(o, "limit", r->memory);
	json_out_u64(o, "swap", r->memory); /* memory and swap together: no swap */
	json_out_object_end(o);
	json_out_object(o, "cpu");
	json_out_u64(o, "shares", shares_of(r->cpu.weight));
	if (r->cpu.max) {
		json_out_u64(o, "quota", (uint64_t)r->cpu.max * (CPU_PERIOD / 100));
		json_out_u64(o, "period", CPU_PERIOD);
	}
	json_out_object_end(o);
	json_out_object(o, "pids");
	json_out_u64(o, "limit", r->pids);
	json_out_object_end(o);
	json_out_object_end(o);
}

static void write_linux(const struct config *c, struct json_out *o)
{
	char cgroup[32];

	(void)snprintf(cgroup, sizeof(cgroup), "/fief/%u", c->record->uid);
	json_out_object(o, "linux");
	write_namespaces(c, o);
	write_mappings(c, "uidMappings", o);
	write_mappings(c, "gidMappings", o);
	json_out_str(o, "cgroupsPath", cgroup);
	write_resources(c->record, o);
	if (strcmp(c->image->architecture, "i386") == 0) {
		json_out_object(o, "personality");
		json_out_str(o, "domain", "LINUX32");
		json_out_object_end(o);
	}
	seccomp_policy_write(c->image->architecture, o);
	json_out_strv(o, "maskedPaths", masked);
	json_out_strv(o, "readonlyPaths", read_only);
	json_out_object_end(o);
}

void config_write_oci(const struct config *c, struct buf *to)
{
	struct json_out o = {.to = to, .indent = true};

	json_out_object(&o, NULL);
	json_out_str(&o, "ociVersion", "1.0.2");
	write_process(c, &o);
	json_out_object(&o, "root");
	json_out_str(&o, "path", "rootfs");
	json_out_bool(&o, "readonly", true);
	json_out_object_end(&o);
	json_out_str(&o, "hostname", c->record->hostname);
	write_mounts(&o);
	write_linux(c, &o);
	json_out_object_end(&o);
}

static void write_image(const struct manifest *m, struct json_out *o)
{
	json_out_object(o, "image");
	json_out_str(o, "name", m->name);
	json_out_str(o, "architecture", m->architecture);
	if (m->uwsgi[0]) {
		json_out_str(o, "uwsgi", m->uwsgi);
	} else {
		json_out_null(o, "uwsgi");
	}
	json_out_object_end(o);
}

void config_write_fief(const struct config *c, struct buf *to)
{
	struct json_out o = {.to = to, .indent = true};
	const struct record *r = c->record;
	char home[32];

	(void)snprintf(home, sizeof(home), "/containers/%u", r->uid);
	json_out_object(&o, NULL);
	json_out_u64(&o, "version", 1);
	json_out_u64(&o, "uid", r->uid);
	json_out_str(&o, "name", r->name);
	json_out_str(&o, "home", home);
	write_image(c->image, &o);
	json_out_u64(&o, "idBase", ids_base(r->uid));
	json_out_u64(&o, "memory", r->memory);
	json_out_u64(&o, "shmSize", r->memory / 2);
	if (r->netns) {
		json_out_str(&o, "netns", r->netns);
	} else {
		json_out_null(&o, "netns");
	}
	json_out_str(&o, "restart", r->restart);
	json_out_object(&o, "log");
	json_out_u64(&o, "size", LOG_SIZE);
	json_out_u64(&o, "keep", LOG_KEEP);
	json_out_object_end(&o);
	json_out_u64(&o, "stopTimeout", STOP_TIMEOUT);
	json_out_object_end(&o);
}
