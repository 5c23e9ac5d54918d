#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "tests/unit/unit.h"

#include "lib/files.h"
#include "runtime/spec.h"

/* spec_load() reads files: the text goes into a memory file. */
static int load(const char *text, struct spec **ret, struct err *e)
{
	_cleanup_close_ int fd = memfd_create("spec", MFD_CLOEXEC);
	char path[40];

	assert_true(fd >= 0);
	assert_int_equal(files_write_all(fd, slice_of(text)), 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return spec_load(AT_FDCWD, path, ret, e);
}

static void assert_refused(const char *text, const char *member)
{
	_cleanup_spec_ struct spec *spec = NULL;
	struct err e = {};

	if (load(text, &spec, &e) == 0) {
		fail_msg("accepted: %s", text);
	}
	assert_null(spec);
	assert_string_equal(e.member, member);
	assert_contains(e.msg, member);
}

#define HEAD	       "{\"ociVersion\":\"1.0.2\",\"root\":{\"path\":\"r\"}"
#define PROCESS(more)  HEAD ",\"process\":{\"cwd\":\"/\",\"args\":[\"sh\"]," more "}}"
#define LINUX(members) HEAD ",\"linux\":{" members "}}"
#define HOOKS(members) HEAD ",\"hooks\":{" members "}}"
#define MOUNT(members) HEAD ",\"mounts\":[{" members "}]}"

static void the_smallest_specification_is_taken(void **state)
{
	_cleanup_spec_ struct spec *spec = NULL;

	(void)state;
	assert_int_equal(load(HEAD "}", &spec, NULL), 0);
	assert_string_equal(spec->root.path, "r");
	assert_null(spec->process);
	assert_int_equal(spec->mounts.n, 0);
	assert_null(spec_namespace(spec, CLONE_NEWPID));
}

static void every_minor_version_of_1_is_taken(void **state)
{
	static const char *const versions[] = {"1.0.0", "1.0.2-dev", "1.2.1", "1.3.0", "1.99.0"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		_cleanup_spec_ struct spec *spec = NULL;
		char text[100];

		(void)snprintf(text, sizeof(text),
			"{\"ociVersion\":\"%s\",\"root\":{\"path\":\"r\"}}", versions[i]);
		assert_int_equal(load(text, &spec, NULL), 0);
	}
	assert_refused("{\"ociVersion\":\"0.9\",\"root\":{\"path\":\"r\"}}", ".ociVersion");
	assert_refused("{\"ociVersion\":\"1.x\",\"root\":{\"path\":\"r\"}}", ".ociVersion");
}

static void the_process_is_read(void **state)
{
	_cleanup_spec_ struct spec *spec = NULL;
	const struct spec_process *p;

	(void)state;
	assert_int_equal(
		load(PROCESS("\"user\":{\"uid\":1,\"gid\":2,\"umask\":63,"
			     "\"additionalGids\":[3,4]},\"oomScoreAdj\":-5,"
			     "\"capabilities\":{\"bounding\":[\"CAP_KILL\",\"CAP_NEWER\"]},"
			     "\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":0,"
			     "\"hard\":18446744073709551615}]"),
			&spec, NULL),
		0);
	p = spec->process;
	assert_true(p->uid == 1 && p->gid == 2 && p->umask.v == 63 && p->gids.n == 2);
	assert_int_equal(*spec_at(p->gids, uint32_t, 1), 4);
	assert_int_equal(p->oom_score_adj.v, -5);
	assert_int_equal(p->caps.mask[CAP_SET_BOUNDING], 1U << 5);
	assert_int_equal(p->caps.mask[CAP_SET_EFFECTIVE], 0);
	assert_int_equal(spec_at(p->rlimits, struct spec_rlimit, 0)->resource, RLIMIT_CORE);
	assert_true(spec_at(p->rlimits, struct spec_rlimit, 0)->hard == UINT64_MAX);
}

static void errors_of_the_process_name_the_member(void **state)
{
	(void)state;
	assert_refused(HEAD ",\"process\":[]}", ".process");
	assert_refused(HEAD ",\"process\":{\"cwd\":\"/\",\"args\":[]}}", ".process");
	assert_refused(PROCESS("\"terminal\":1"), ".process.terminal");
	assert_refused(PROCESS("\"user\":{\"uid\":4294967295}"), ".process.user.uid");
	assert_refused(PROCESS("\"user\":{\"gid\":4294967296}"), ".process.user.gid");
	assert_refused(PROCESS("\"user\":{\"uid\":1.0}"), ".process.user.uid");
	assert_refused(PROCESS("\"user\":{\"uid\":\"0\"}"), ".process.user.uid");
	assert_refused(
		PROCESS("\"user\":{\"additionalGids\":[0,-1]}"), ".process.user.additionalGids[1]");
	assert_refused(PROCESS("\"env\":[\"A=b\",5]"), ".process.env[1]");
	assert_refused(
		PROCESS("\"capabilities\":{\"ambient\":[1]}"), ".process.capabilities.ambient[0]");
	assert_refused(PROCESS("\"rlimits\":[{\"type\":\"RLIMIT_CORE\",\"soft\":-1,\"hard\":1}]"),
		".process.rlimits[0].soft");
	assert_refused(PROCESS("\"oomScoreAdj\":-1001"), ".process.oomScoreAdj");
}

static void errors_elsewhere_name_the_member(void **state)
{
	(void)state;
	assert_refused(LINUX("\"namespaces\":[{\"type\":\"pid\"},{\"type\":\"pid\"}]"),
		".linux.namespaces[1]");
	assert_refused(LINUX("\"namespaces\":[{\"type\":\"pid\",\"path\":\"x\"}]"),
		".linux.namespaces[0].path");
	assert_refused(LINUX("\"uidMappings\":[{\"containerID\":0,\"hostID\":-1,\"size\":1}]"),
		".linux.uidMappings[0].hostID");
	assert_refused(LINUX("\"sysctl\":{\"a\":1}"), ".linux.sysctl.a");
	assert_refused(LINUX("\"rootfsPropagation\":\"x\""), ".linux.rootfsPropagation");
	assert_refused(LINUX("\"personality\":{\"domain\":\"X\"}"), ".linux.personality.domain");
	assert_refused(LINUX("\"resources\":{\"devices\":[{\"allow\":true,\"type\":\"x\"}]}"),
		".linux.resources.devices[0].type");
	assert_refused(LINUX("\"resources\":{\"memory\":{\"limit\":9223372036854775808}}"),
		".linux.resources.memory.limit");
	assert_refused(
		LINUX("\"devices\":[{\"path\":\"/x\",\"type\":\"cc\"}]"), ".linux.devices[0].type");
	assert_refused(MOUNT("\"destination\":\"\""), ".mounts[0].destination");
	assert_refused(MOUNT("\"destination\":\"/x\",\"options\":\"ro\""), ".mounts[0].options");
	assert_refused(HOOKS("\"poststop\":[{\"path\":\"x\"}]"), ".hooks.poststop[0].path");
	assert_refused(HOOKS("\"prestart\":[{\"path\":\"/x\",\"timeout\":-1}]"),
		".hooks.prestart[0].timeout");
	assert_refused(HEAD ",\"annotations\":{\"a\":[]}}", ".annotations.a");
}

static void unknown_members_and_empty_paths_are_no_errors(void **state)
{
	_cleanup_spec_ struct spec *spec = NULL;

	(void)state;
	assert_int_equal(
		load(LINUX("\"new\":{},\"namespaces\":[{\"type\":\"network\",\"path\":\"\","
			   "\"x\":1}]"),
			&spec, NULL),
		0);
	assert_non_null(spec_namespace(spec, CLONE_NEWNET));
	assert_null(spec_namespace(spec, CLONE_NEWNET)->path);
}

static void namespaces_have_names_both_ways(void **state)
{
	static const char *const names[] = {
		"user", "mount", "pid", "network", "ipc", "uts", "cgroup", "time"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		assert_string_equal(namespace_name(namespace_flag(names[i])), names[i]);
	}
	assert_int_equal(namespace_flag("net"), 0);
	assert_string_equal(namespace_proc_name(CLONE_NEWNS), "mnt");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_smallest_specification_is_taken),
		cmocka_unit_test(every_minor_version_of_1_is_taken),
		cmocka_unit_test(the_process_is_read),
		cmocka_unit_test(errors_of_the_process_name_the_member),
		cmocka_unit_test(errors_elsewhere_name_the_member),
		cmocka_unit_test(unknown_members_and_empty_paths_are_no_errors),
		cmocka_unit_test(namespaces_have_names_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
