#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/paths.h"
#include "runtime/seal.h"
#include "runtime/spec.h"
#include "runtime/sync.h"
#include "runtime/systemd.h"

enum { PROPERTIES_MAX = 8, PROPERTY_SIZE = 64 };

/* systemd.unit(5): what a unit name may be made of, without the escapes. */
static bool good_name(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = s[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			    strchr("_.-@", c))) {
			return false;
		}
	}
	return true;
}

/* The next part up to ':'; *rest moves behind it. */
static struct slice take_part(const char **rest)
{
	size_t n = strcspn(*rest, ":");
	struct slice part = {.p = *rest, .n = n};

	*rest += n + ((*rest)[n] == ':');
	return part;
}

/* "a-b.slice" lies in "a.slice"; "-.slice" is the root (systemd.slice(5)). False when it
 * does not fit: each dash repeats what stands before it. */
static bool put_slice_path(const char *slice, char *path, size_t size)
{
	size_t stem = strlen(slice) - strlen(".slice"), used = 0;

	path[0] = '\0';
	if (strcmp(slice, "-.slice") == 0) {
		return true;
	}
	for (size_t i = 1; i <= stem && used < size; i++) {
		if (slice[i] == '-' || i == stem) {
			int n = snprintf(path + used, size - used, "/%.*s.slice", (int)i, slice);

			used += n > 0 ? (size_t)n : 0;
		}
	}
	return used < size;
}

static bool good_slice(const char *slice)
{
	size_t n = strlen(slice);

	return strcmp(slice, "-.slice") == 0 ||
	       (n > 6 && strcmp(slice + n - 6, ".slice") == 0 && good_name(slice, n) &&
		       slice[0] != '-' && slice[n - 7] != '-' && !strstr(slice, "--"));
}

int systemd_unit_of(
	const char *cgroups_path, const char *id, struct systemd_unit *ret, struct err *e)
{
	const char *asked = cgroups_path && *cgroups_path ? cgroups_path : "::", *rest = asked;
	struct slice slice = take_part(&rest), prefix = take_part(&rest), name = take_part(&rest);
	bool three = *rest == '\0' && strchr(asked, ':') != strrchr(asked, ':');
	struct systemd_unit unit;
	char place[256];
	int n;

	prefix = prefix.n ? prefix : SLICE("fief");
	name = name.n ? name : slice_of(id);
	if (!three || !good_name(prefix.p, prefix.n) || !good_name(name.p, name.n)) {
		return err_member(e, -EINVAL, ".linux.cgroupsPath",
			"with the systemd driver it must be \"slice:prefix:name\", not '%.100s'",
			asked);
	}
	n = slice.n ? snprintf(unit.slice, sizeof(unit.slice), "%.*s", (int)slice.n, slice.p)
		    : snprintf(unit.slice, sizeof(unit.slice), "system.slice");
	if ((size_t)n >= sizeof(unit.slice) || !good_slice(unit.slice)) {
		return err_member(e, -EINVAL, ".linux.cgroupsPath", "'%.*s' is not a slice",
			(int)slice.n, slice.p);
	}
	n = snprintf(unit.name, sizeof(unit.name), "%.*s-%.*s.scope", (int)prefix.n, prefix.p,
		(int)name.n, name.p);
	if ((size_t)n >= sizeof(unit.name) || !put_slice_path(unit.slice, place, sizeof(place)) ||
		snprintf(unit.path, sizeof(unit.path), "%s/%s", place, unit.name) >=
			(int)sizeof(unit.path)) {
		return err_member(e, -ENAMETOOLONG, ".linux.cgroupsPath", "too long");
	}
	*ret = unit;
	return 0;
}

static size_t put_property(char (*to)[PROPERTY_SIZE], size_t n, const char *name, int64_t value)
{
	/* systemd's infinity is the largest number */
	(void)snprintf(to[n], PROPERTY_SIZE, "%s=%" PRIu64, name,
		value < 0 ? UINT64_MAX : (uint64_t)value);
	return n + 1;
}

/* What systemd itself would set anew at its next reload. The runtime writes all limits besides. */
static size_t put_properties(const struct spec_resources *r, char (*to)[PROPERTY_SIZE])
{
	size_t n = 0;

	if (r->memory.limit.set && r->memory.limit.v) {
		n = put_property(to, n, "MemoryMax", r->memory.limit.v);
	}
	if (r->cpu.quota.set && r->cpu.quota.v > 0) {
		uint64_t period = r->cpu.period.set && r->cpu.period.v ? r->cpu.period.v : 100'000;

		n = put_property(to, n, "CPUQuotaPerSecUSec",
			(int64_t)((uint64_t)r->cpu.quota.v * 1'000'000 / period));
	}
	if (r->pids.set) {
		n = put_property(to, n, "TasksMax", r->pids.v ? r->pids.v : 1);
	}
	return n;
}

[[gnu::noreturn]] static void run_holder(const char *program, const struct systemd_unit *unit,
	const struct spec_resources *r, int sock)
{
	char properties[PROPERTIES_MAX][PROPERTY_SIZE];
	const char *argv[PROPERTIES_MAX + 4] = {"fief-systemd", unit->name, unit->slice};
	size_t n = put_properties(r, properties);
	struct err failure = {};

	for (size_t i = 0; i < n; i++) {
		argv[3 + i] = properties[i];
	}
	if (dup2(sock, STDIN_FILENO) >= 0 && close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) == 0) {
		(void)execv(program, (char *const *)(uintptr_t)argv);
	}
	(void)err_errno(&failure, "run '%s'", program);
	sync_send_failure(STDIN_FILENO, &failure);
	_exit(1);
}

int systemd_scope_start(const struct systemd_unit *unit, const struct spec_resources *r,
	struct systemd_scope *ret, struct err *e)
{
	_cleanup_free_ char *program = seal_sibling("fief-systemd", e);
	_cleanup_(systemd_scope_release) struct systemd_scope scope = SYSTEMD_SCOPE_NONE;
	_cleanup_close_ int far = -1;
	int fds[2], s;

	if (!program) {
		return -ENOENT;
	}
	s = sync_pair(fds, e);
	if (s < 0) {
		return s;
	}
	scope.fd = fds[0];
	far = fds[1];
	scope.holder = fork();
	if (scope.holder == 0) {
		run_holder(program, unit, r, far);
	}
	if (scope.holder < 0) {
		return err_errno(e, "run '%s'", program);
	}
	close_fd(&far);
	s = sync_expect(scope.fd, SYNC_READY, NULL, e);
	if (s < 0) {
		return err_wrap(e, s, "systemd unit '%s'", unit->name);
	}
	*ret = scope;
	scope = SYSTEMD_SCOPE_NONE;
	return 0;
}

void systemd_scope_release(struct systemd_scope *scope)
{
	if (scope->fd >= 0) {
		close_fd(&scope->fd);
		(void)waitpid(scope->holder, NULL, 0);
	}
}
