/*
 * The systemd cgroup driver, --systemd-cgroup: the container's cgroup is a transient scope, made by
 * systemd and delegated (Delegate=yes), so that systemd and the runtime do not fight over it.
 *
 * The work on the bus is done by a program of its own, `fief-systemd`, which is a member of the scope
 * until the container is: so the scope exists before the clone, and everything else is as without
 * systemd. The runtime itself stays a static program and pays nothing for libsystemd when the driver
 * is not asked for.
 */
#pragma once

#include <stddef.h>
#include <sys/types.h>

struct err;
struct spec_resources;

struct systemd_unit {
	char name[256];	 /* "fief-30001.scope" */
	char slice[256]; /* "fief.slice" */
	char path[512];	 /* of the cgroup, begins with '/' */
};

/* cgroupsPath "SLICE:PREFIX:NAME", parts may be empty (system.slice, "fief", the id); NULL: all are.
 * Pure. */
int systemd_unit_of(
	const char *cgroups_path, const char *id, struct systemd_unit *ret, struct err *e);

struct systemd_scope {
	pid_t holder;
	int fd; /* owned; -1: none */
};
#define SYSTEMD_SCOPE_NONE ((struct systemd_scope){.fd = -1})

/* Has systemd make the scope. It lives while a process is in it; the first is the holder. */
int systemd_scope_start(const struct systemd_unit *unit, const struct spec_resources *r,
	struct systemd_scope *ret, struct err *e);
/* Lets the holder go. */
void systemd_scope_release(struct systemd_scope *scope);
