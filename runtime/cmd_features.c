/* features.json of runtime-spec 1.3. A test compares it with what works (tests/bats). */
#include <errno.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/cli.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/json.h"
#include "runtime/caps.h"
#include "runtime/commands.h"
#include "runtime/mount_options.h"

static const struct cli_option options[] = {{}};

static const struct cli cli = {
	.usage = "fief features",
	.about = "Prints what this runtime can do as JSON (runtime-spec, features.md).",
	.options = options,
};

static void put_mount_options(struct json_out *o)
{
	const char *name;

	json_out_array(o, "mountOptions");
	for (size_t i = 0; (name = mount_options_name(i)); i++) {
		json_out_str(o, NULL, name);
	}
	json_out_array_end(o);
}

static void put_capabilities(struct json_out *o)
{
	char name[32];

	json_out_array(o, "capabilities");
	for (int cap = 0; cap_name(cap, name); cap++) {
		json_out_str(o, NULL, name);
	}
	json_out_array_end(o);
}

static void put_cgroup(struct json_out *o)
{
	json_out_object(o, "cgroup");
	json_out_bool(o, "v1", true);
	json_out_bool(o, "v2", true);
	json_out_bool(o, "systemd", false);
	json_out_bool(o, "systemdUser", false);
	json_out_bool(o, "rdma", false);
	json_out_object_end(o);
}

static void put_seccomp(struct json_out *o)
{
	static const char *const actions[] = {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL",
		"SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_LOG", "SCMP_ACT_TRACE",
		"SCMP_ACT_TRAP", NULL};
	static const char *const operators[] = {"SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT",
		"SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE", NULL};
	static const char *const archs[] = {
		"SCMP_ARCH_X86", "SCMP_ARCH_X32", "SCMP_ARCH_X86_64", NULL};
	static const char *const flags[] = {"SECCOMP_FILTER_FLAG_LOG",
		"SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC", NULL};

	json_out_object(o, "seccomp");
	json_out_bool(o, "enabled", true);
	json_out_strv(o, "actions", actions);
	json_out_strv(o, "operators", operators);
	json_out_strv(o, "archs", archs);
	json_out_strv(o, "knownFlags", flags);
	json_out_strv(o, "supportedFlags", flags);
	json_out_object_end(o);
}

static void put_enabled(struct json_out *o, const char *name, bool enabled)
{
	json_out_object(o, name);
	json_out_bool(o, "enabled", enabled);
	json_out_object_end(o);
}

static void put_linux(struct json_out *o)
{
	static const char *const namespaces[] = {
		"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts", NULL};

	json_out_object(o, "linux");
	json_out_strv(o, "namespaces", namespaces);
	put_capabilities(o);
	put_cgroup(o);
	put_seccomp(o);
	put_enabled(o, "apparmor", true);
	put_enabled(o, "selinux", false);
	put_enabled(o, "intelRdt", false);
	json_out_object(o, "mountExtensions");
	put_enabled(o, "idmap", false);
	json_out_object_end(o);
	json_out_object_end(o);
}

int cmd_features(const struct global *global, int argc, char **argv, struct err *e)
{
	static const char *const hooks[] = {"prestart", "createRuntime", "createContainer",
		"startContainer", "poststart", "poststop", NULL};
	_cleanup_buf_ struct buf text = {};
	struct json_out o = {.to = &text, .indent = true};
	int at = command_line(&cli, argc, argv, NULL);

	(void)global;
	if (at < 0) {
		return command_over(at);
	}
	json_out_object(&o, NULL);
	json_out_str(&o, "ociVersionMin", "1.0.0");
	json_out_str(&o, "ociVersionMax", "1.3.0");
	json_out_strv(&o, "hooks", hooks);
	put_mount_options(&o);
	put_linux(&o);
	json_out_object_end(&o);
	return buf_failed(&text) ? err_set(e, -ENOMEM, "out of memory")
				 : files_write_all(STDOUT_FILENO, buf_slice(&text));
}
