/*
 * A user namespace exists as long as a process or a descriptor holds it. A child is cloned into a new
 * one and only waits; the parent writes its maps, opens the namespace and ends the child.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/err.h"
#include "lib/files.h"
#include "lib/paths.h"
#include "shim/idmap.h"

static pid_t clone_waiting_child(void)
{
	struct clone_args args = {.flags = CLONE_NEWUSER, .exit_signal = 0};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			(void)pause();
		}
	}
	return pid;
}

/* The kernel takes a map in a single write(2) only. */
static int write_maps(pid_t pid, uint32_t uid, uint32_t base, struct err *e)
{
	static const char *const names[] = {"uid_map", "gid_map"};
	char map[128], path[64];

	(void)snprintf(map, sizeof(map),
		"0 %" PRIu32 " %" PRIu32 "\n%" PRIu32 " %" PRIu32 " 1\n"
		"%" PRIu32 " %" PRIu32 " %" PRIu32 "\n",
		base, uid, uid, uid, uid + 1, base + uid + 1,
		(uint32_t)IDS_PER_CONTAINER - uid - 1);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		int r;

		(void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, names[i]);
		r = files_write_control(AT_FDCWD, path, map, e);
		if (r < 0) {
			return r;
		}
	}
	return 0;
}

int idmap_open(uint32_t uid, uint32_t id_base, struct err *e)
{
	pid_t pid = clone_waiting_child();
	char path[64];
	int fd = -1, r;

	if (pid < 0) {
		return err_errno(e, "make a user namespace");
	}
	r = write_maps(pid, uid, id_base, e);
	if (r == 0) {
		(void)snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		r = fd < 0 ? err_errno(e, "open '%s'", path) : fd;
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, __WALL);
	return r;
}
